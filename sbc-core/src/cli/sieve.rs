//! Addresses come in, a program for the kernel goes out that lets packets to or from
//! them through, so that a busy link does not crowd them out.

use std::net::IpAddr;

use socket2::SockFilter;

use crate::bpf::{self, AND, JUMP, JUMP_IF_EQUAL, LOAD_OCTET, LOAD_WORD, RETURN, Step};

const WHOLE: u32 = 0xffff;

/// Where source and destination are (RFC 791 §3.1).
const ENDS: [u32; 2] = [12, 16];

/// Addresses of IPv4 that the program looks for. With more, every packet of IPv4
/// passes: an address costs four of the steps that the kernel takes.
const ADDRESSES_MAX: usize = 1_000;

/// Returns the program for packets that begin with the header of IP. Packets of IPv6
/// pass if any address is one of IPv6.
pub fn of(addresses: &[IpAddr]) -> Vec<SockFilter> {
    bpf::program(steps(addresses))
}

fn steps(addresses: &[IpAddr]) -> Vec<Step> {
    let four: Vec<u32> = addresses
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(address) => Some(address.to_bits()),
            IpAddr::V6(_) => None,
        })
        .collect();
    let other = four.len() < addresses.len();
    let keep = |wanted: bool| (RETURN, 0, 0, if wanted { WHOLE } else { 0 });
    let looks = looks(&four);
    let behind = u32::try_from(looks.len()).unwrap_or(u32::MAX);
    let mut steps = vec![
        (LOAD_OCTET, 0, 0, 0),
        (AND, 0, 0, 0xf0),
        (JUMP_IF_EQUAL, 1, 0, 0x40),
        (JUMP, 0, 0, behind),
    ];
    steps.extend(looks);
    steps.extend([(JUMP_IF_EQUAL, 0, 1, 0x60), keep(other), keep(false)]);
    steps
}

/// The steps for a packet of IPv4; each way through them ends in them.
fn looks(addresses: &[u32]) -> Vec<Step> {
    if addresses.len() > ADDRESSES_MAX {
        return vec![(RETURN, 0, 0, WHOLE)];
    }
    let mut steps = Vec::new();
    for end in ENDS {
        steps.push((LOAD_WORD, 0, 0, end));
        for address in addresses {
            steps.push((JUMP_IF_EQUAL, 0, 1, *address));
            steps.push((RETURN, 0, 0, WHOLE));
        }
    }
    steps.push((RETURN, 0, 0, 0));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the steps as the kernel does: a load behind the packet's end drops it.
    fn passes(steps: &[Step], packet: &[u8]) -> bool {
        let (mut at, mut held) = (0, 0_u32);
        loop {
            let (code, yes, no, value) = steps[at];
            at += 1;
            let from = value as usize;
            match code {
                LOAD_OCTET => match packet.get(from) {
                    Some(octet) => held = u32::from(*octet),
                    None => return false,
                },
                LOAD_WORD => match packet.get(from..from + 4) {
                    Some(octets) => held = u32::from_be_bytes(octets.try_into().unwrap()),
                    None => return false,
                },
                AND => held &= value,
                JUMP => at += from,
                JUMP_IF_EQUAL => at += usize::from(if held == value { yes } else { no }),
                RETURN => return value > 0,
                _ => panic!("no such step: {code}"),
            }
        }
    }

    fn packet(version: u8, from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
        [&[version << 4 | 5; 12][..], &from, &to, b"body"].concat()
    }

    /// RFC 791 §3.1.
    #[test]
    fn packets_of_the_addresses_pass_in_both_directions_and_no_others() {
        let ours: Vec<IpAddr> = (1..=9).map(|last| IpAddr::from([10, 0, 0, last])).collect();
        let steps = steps(&ours);
        let other = [10, 0, 0, 99];
        for last in 1..=9 {
            let one = [10, 0, 0, last];
            assert!(passes(&steps, &packet(4, one, other)));
            assert!(passes(&steps, &packet(4, other, one)));
        }
        assert!(!passes(&steps, &packet(4, other, other)));
        assert!(!passes(&steps, &packet(6, [10, 0, 0, 1], other)));
        assert!(!passes(&steps, &[]));
        assert!(!passes(&steps, &packet(4, [10, 0, 0, 1], other)[..15]));
    }

    #[test]
    fn ipv6_passes_once_it_is_asked_for_and_too_many_addresses_let_all_of_ipv4_pass() {
        let loopback = IpAddr::from(std::net::Ipv6Addr::LOCALHOST);
        assert!(passes(&steps(&[loopback]), &packet(6, [0; 4], [0; 4])));
        assert!(!passes(&steps(&[loopback]), &packet(4, [0; 4], [0; 4])));
        let many = vec![IpAddr::from([10, 0, 0, 1]); ADDRESSES_MAX];
        assert!(steps(&many).len() <= bpf::STEPS_MAX);
        let more = vec![IpAddr::from([10, 0, 0, 1]); ADDRESSES_MAX + 1];
        assert!(passes(&steps(&more), &packet(4, [1; 4], [2; 4])));
    }
}
