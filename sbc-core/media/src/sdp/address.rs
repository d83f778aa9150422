//! An address that a peer's SDP names goes in; out comes whether media may go there,
//! or why not. The rule of every pinhole: a listed network, and never ourselves.

use alloc::vec::Vec;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A network: an address and the number of leading bits that count.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Network {
    pub address: IpAddr,
    pub prefix: u8,
}

impl Network {
    /// Returns the network that holds `address` alone.
    pub const fn host(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
    }

    /// Returns whether `address` lies in the network; families never mix.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (u128::from(ours.to_bits()), u128::from(theirs.to_bits()), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits(), 128),
            _ => return false,
        };
        let free = u32::from(u8::saturating_sub(width, self.prefix));
        let cut = |bits: u128| bits.checked_shr(free).unwrap_or(0);
        cut(ours) == cut(theirs)
    }
}

/// Where the media of one peer may come from and go to.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    pub media_from: Vec<Network>,
    /// Every address of this node: media sent to it would loop.
    pub own: Vec<IpAddr>,
    /// Admits 127/8 and ::1, for a lab on one machine.
    pub loopback: bool,
}

/// Why no media goes to an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreachable {
    #[error("{0} is no unicast address of a host")]
    NotAHost(IpAddr),
    #[error("{0} is an address of this node")]
    Ourselves(IpAddr),
    #[error("{0} is outside the media networks of the peer")]
    OutsideNetworks(IpAddr),
}

impl Reach {
    /// Returns why `address` cannot be a media address of this peer, if so.
    pub fn check(&self, address: IpAddr) -> Result<(), Unreachable> {
        if !self.is_host(address) {
            return Err(Unreachable::NotAHost(address));
        }
        if self.own.contains(&address) {
            return Err(Unreachable::Ourselves(address));
        }
        if !self
            .media_from
            .iter()
            .any(|network| network.contains(address))
        {
            return Err(Unreachable::OutsideNetworks(address));
        }
        Ok(())
    }

    fn is_host(&self, address: IpAddr) -> bool {
        if address.is_loopback() {
            return self.loopback;
        }
        match address {
            IpAddr::V4(v4) => !matches!(v4.octets(), [0 | 224..=255, ..]),
            // A mapped address would reach an IPv4 host past the rules for it; a
            // link-local one means nothing without its link.
            IpAddr::V6(v6) => {
                let low = v6.to_bits() >> 32 == 0 || v6.to_ipv4_mapped().is_some();
                !(low || v6.is_multicast() || v6.is_unicast_link_local())
            }
        }
    }
}
