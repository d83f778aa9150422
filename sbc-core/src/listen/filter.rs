//! The filter on a listening socket: listed source networks come in, a classic
//! BPF program goes out that lets only them be heard (`SO_ATTACH_FILTER`).
//!
//! A filter on a TCP listener sees the SYN before it is answered, so an
//! unlisted source meets silence: no SYN-ACK, no reset.

use std::net::IpAddr;

use sbc_core::bpf::{self, AND, JUMP_IF_EQUAL, LOAD_OCTET, LOAD_WORD, RETURN, SHIFT_RIGHT, Step};
use socket2::SockFilter;

/// Each network needs at most sixteen of the steps that the kernel takes.
pub const NETWORKS_MAX: usize = 250;

/// Offsets from here count from the network header (`SKF_NET_OFF`).
const NETWORK: u32 = 0xfff0_0000;
const V4_SOURCE: u32 = 12;
const V6_SOURCE: u32 = 8;
const KEEP: u32 = 0xffff_ffff;

/// Returns the program that keeps packets from `networks` (address, prefix
/// length) and drops all others, or `None` if there are more than
/// [`NETWORKS_MAX`].
#[must_use]
pub fn program(networks: &[(IpAddr, u8)]) -> Option<Vec<SockFilter>> {
    lines(networks).map(bpf::program)
}

fn lines(networks: &[(IpAddr, u8)]) -> Option<Vec<Step>> {
    if networks.len() > NETWORKS_MAX {
        return None;
    }
    let mut lines = Vec::new();
    for &(address, prefix) in networks {
        match address {
            IpAddr::V4(v4) => block(&mut lines, 4, V4_SOURCE, &v4.octets(), prefix),
            IpAddr::V6(v6) => block(&mut lines, 6, V6_SOURCE, &v6.octets(), prefix),
        }
    }
    lines.push((RETURN, 0, 0, 0));
    Some(lines)
}

/// Keeps the packet if its version and the first `prefix` bits of its source
/// are these; falls through to the next block otherwise.
fn block(lines: &mut Vec<Step>, version: u32, source: u32, octets: &[u8], prefix: u8) {
    let words = words(octets, prefix);
    // After the version test come load, mask and test for each word, then keep.
    let length = u8::try_from(words.len() * 3 + 1).unwrap_or(u8::MAX);
    lines.push((LOAD_OCTET, 0, 0, NETWORK));
    lines.push((SHIFT_RIGHT, 0, 0, 4));
    lines.push((JUMP_IF_EQUAL, 0, length, version));
    let mut left = length;
    for (place, (want, mask)) in words.into_iter().enumerate() {
        let offset = u32::try_from(place * 4).unwrap_or(0);
        left = left.saturating_sub(3);
        lines.push((LOAD_WORD, 0, 0, NETWORK + source + offset));
        lines.push((AND, 0, 0, mask));
        lines.push((JUMP_IF_EQUAL, 0, left, want));
    }
    lines.push((RETURN, 0, 0, KEEP));
}

/// Returns each 32-bit word that the prefix reaches into, with its mask.
fn words(octets: &[u8], prefix: u8) -> Vec<(u32, u32)> {
    let mut left = u32::from(prefix);
    let mut words = Vec::new();
    for chunk in octets.chunks(4) {
        if left == 0 {
            break;
        }
        let bits = left.min(32);
        let mask = u32::MAX << (32 - bits);
        let word = chunk
            .iter()
            .fold(0, |word, &byte| word << 8 | u32::from(byte));
        words.push((word & mask, mask));
        left -= bits;
    }
    words
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use sbc_core::bpf::STEPS_MAX;

    use super::{
        AND, JUMP_IF_EQUAL, LOAD_OCTET, LOAD_WORD, NETWORK, RETURN, SHIFT_RIGHT, Step, lines,
    };

    /// Runs the program on one packet as the kernel would.
    fn keeps(program: &[Step], packet: &[u8]) -> bool {
        let (mut at, mut accumulator) = (0, 0_u32);
        loop {
            let (code, yes, no, value) = program[at];
            at += 1;
            let from = value.wrapping_sub(NETWORK) as usize;
            match code {
                LOAD_OCTET => accumulator = u32::from(packet[from]),
                LOAD_WORD => {
                    accumulator = u32::from_be_bytes(packet[from..from + 4].try_into().unwrap());
                }
                AND => accumulator &= value,
                SHIFT_RIGHT => accumulator >>= value,
                JUMP_IF_EQUAL => at += usize::from(if accumulator == value { yes } else { no }),
                RETURN => return value != 0,
                other => panic!("no such instruction: {other:#x}"),
            }
        }
    }

    fn v4(source: [u8; 4]) -> Vec<u8> {
        let mut packet = vec![0_u8; 40];
        packet[0] = 0x45;
        packet[12..16].copy_from_slice(&source);
        packet
    }

    fn v6(source: &str) -> Vec<u8> {
        let mut packet = vec![0_u8; 60];
        packet[0] = 0x60;
        let source: std::net::Ipv6Addr = source.parse().unwrap();
        packet[8..24].copy_from_slice(&source.octets());
        packet
    }

    fn net(address: &str, prefix: u8) -> (IpAddr, u8) {
        (address.parse().unwrap(), prefix)
    }

    #[test]
    fn only_listed_sources_are_kept() {
        let program = lines(&[
            net("192.0.2.2", 32),
            net("10.1.0.0", 16),
            net("2001:db8:5::", 40),
        ])
        .unwrap();
        for kept in [
            v4([192, 0, 2, 2]),
            v4([10, 1, 255, 3]),
            v6("2001:db8:ff::1"),
        ] {
            assert!(keeps(&program, &kept), "{kept:?}");
        }
        for dropped in [v4([192, 0, 2, 3]), v4([10, 2, 0, 1]), v6("2001:db9::1")] {
            assert!(!keeps(&program, &dropped), "{dropped:?}");
        }
    }

    #[test]
    fn an_empty_list_keeps_nobody() {
        assert!(!keeps(&lines(&[]).unwrap(), &v4([127, 0, 0, 1])));
    }

    #[test]
    fn a_list_over_the_bound_is_refused() {
        assert!(lines(&[net("192.0.2.2", 32); 251]).is_none());
    }

    #[test]
    fn the_longest_list_fits_into_the_kernel() {
        assert!(lines(&[net("2001:db8::1", 128); 250]).unwrap().len() <= STEPS_MAX);
    }
}
