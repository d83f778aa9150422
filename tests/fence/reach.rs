//! The computed matrix against the probed one: packets of every kind are sent to a
//! node and tried from inside it, and exactly those pass that the rules leave open.
//!
//! The probe set, on each VLAN: from the peer, from somebody else of its network,
//! from another zone's peer, from an address of ours and from nowhere; to our address
//! there and to another of ours; UDP, the first segment of TCP and one that goes on,
//! ICMP echo, GRE, ESP and SCTP; to and from the ports of SIP, media, its edges,
//! ephemeral ones, those of operators and of IKE. Outwards, by each role's user, by
//! root and by a stranger, UDP to the same ports of all neighbours.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use sbc_plan::reach::{Cell, Matrix, Way, matrix};
use sbc_plan::{Ports, Users, desired};
use sbc_tests::kit::vswitch::forge::{ethernet, ipv4, udp};
use sbc_tests::kit::vswitch::frame::{ICMP, IPV4, TCP, UDP, carried, tagged};

use crate::attack::{Before, Count, HOSTS, ITSP, MED, NODE_ITSP, NODE_MED, file, send};
use crate::stage::{PATIENCE, Stage};

const OPERATOR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const NODE_MGMT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

/// Ports that rules name, their edges, and others.
const PORTS: [u16; 16] = [
    1, 22, 80, 500, 4500, 5059, 5060, 5061, 5066, 5068, 19_999, 20_000, 20_199, 20_200, 40_000,
    59_999,
];

/// One packet towards the node.
#[derive(Clone, Copy, Debug)]
struct Probe {
    vlan: u16,
    from: Ipv4Addr,
    to: Ipv4Addr,
    protocol: u8,
    ports: Option<(u16, u16)>,
    begins: bool,
}

fn computed() -> Matrix {
    let node = sbc_config::check(&file()).node.expect("a node");
    matrix(&desired(&node, &Ports::new(), &Users::default()))
}

fn is_in(range: (IpAddr, IpAddr), address: Ipv4Addr) -> bool {
    (range.0..=range.1).contains(&IpAddr::V4(address))
}

fn port_in(range: Option<(u16, u16)>, port: Option<u16>) -> bool {
    range.is_none_or(|(low, high)| port.is_some_and(|port| (low..=high).contains(&port)))
}

impl Probe {
    /// Returns whether a cell of the matrix is open for it.
    fn may(&self, cell: &Cell) -> bool {
        cell.way == Way::In
            && cell.link == format!("vlan{}", self.vlan)
            && cell.arp.is_none()
            && is_in(cell.source, self.from)
            && is_in(cell.target, self.to)
            && cell
                .protocol
                .is_none_or(|protocol| protocol == self.protocol)
            && port_in(cell.source_ports, self.ports.map(|ports| ports.0))
            && port_in(cell.target_ports, self.ports.map(|ports| ports.1))
            && cell.begins.is_none_or(|begins| begins == self.begins)
            && (cell.icmp.is_none() || self.protocol == ICMP)
            && cell.ipsec != Some(true)
    }

    fn frame(&self, stage: &Stage, mac: [u8; 6], number: u16) -> Vec<u8> {
        let (port, to_port) = self.ports.unwrap_or_default();
        let body = match self.protocol {
            UDP => udp(port, to_port, self.from, self.to, b"probe"),
            TCP => segment(self, port, to_port),
            ICMP => echo(number),
            _ => vec![0; 16],
        };
        let packet = ipv4(self.from, self.to, self.protocol, number, 0, &[], &body);
        tagged(&ethernet(stage.mac, mac, IPV4, &packet), self.vlan)
    }
}

/// A segment with SYN or with ACK (RFC 9293 §3.1).
fn segment(probe: &Probe, port: u16, to_port: u16) -> Vec<u8> {
    let flags = if probe.begins { 0x02 } else { 0x10 };
    let mut bytes = [port.to_be_bytes(), to_port.to_be_bytes()].concat();
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    let mut pseudo = [probe.from.octets(), probe.to.octets()].concat();
    pseudo.extend([0, TCP, 0, 20]);
    let sum = checksum(&[pseudo, bytes.clone()].concat());
    bytes.splice(16..18, sum.to_be_bytes());
    bytes
}

fn echo(number: u16) -> Vec<u8> {
    let mut bytes = vec![8, 0, 0, 0];
    bytes.extend(number.to_be_bytes());
    bytes.extend([0, 1]);
    let sum = checksum(&bytes);
    bytes.splice(2..4, sum.to_be_bytes());
    bytes
}

/// RFC 1071 §1.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

fn probes() -> Vec<Probe> {
    let places = [
        (310, NODE_ITSP, ITSP, Ipv4Addr::new(172, 20, 31, 3)),
        (120, NODE_MED, MED, Ipv4Addr::new(10, 20, 120, 3)),
        (5, NODE_MGMT, OPERATOR, Ipv4Addr::new(10, 0, 0, 8)),
    ];
    let mut all = Vec::new();
    for (vlan, own, peer, near) in places {
        let others = places.iter().filter(|place| place.0 != vlan);
        let foreign: Vec<(Ipv4Addr, Ipv4Addr)> = others.map(|place| (place.1, place.2)).collect();
        let sources = [peer, near, foreign[0].1, own, Ipv4Addr::new(192, 0, 2, 66)];
        for from in sources {
            for to in [own, foreign[0].0] {
                let one = |protocol, ports, begins| Probe {
                    vlan,
                    from,
                    to,
                    protocol,
                    ports,
                    begins,
                };
                for protocol in [ICMP, 47, 50, 132] {
                    all.push(one(protocol, None, false));
                }
                for port in [5060, 5068, 49_152] {
                    for to_port in PORTS {
                        let ports = Some((port, to_port));
                        all.push(one(UDP, ports, false));
                        all.push(one(TCP, ports, true));
                        all.push(one(TCP, ports, false));
                    }
                }
            }
        }
    }
    all
}

#[test]
fn the_probed_matrix_is_the_computed_one() {
    let name = "the_probed_matrix_is_the_computed_one";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = Stage::set(name, &HOSTS, None) else {
        return;
    };
    stage.run(&file());
    // Its rules stay; no answer of a role comes between.
    stage.kill();
    let matrix = computed();
    assert!(!matrix.forwards);
    let all = probes();
    let (open, shut): (Vec<Probe>, Vec<Probe>) = all
        .into_iter()
        .partition(|probe| matrix.cells.iter().any(|cell| probe.may(cell)));
    println!("{} probes must pass, {} must not", open.len(), shut.len());
    assert!(open.len() > 20 && shut.len() > 2_000);
    inwards(&mut stage, &open, true);
    inwards(&mut stage, &shut, false);
    outwards(&mut stage, &matrix);
}

/// Sends probes that all must pass, or none; when the numbers say otherwise looks for
/// the one that went wrong.
fn inwards(stage: &mut Stage, probes: &[Probe], pass: bool) {
    // Echoes have a limit of their own.
    for part in probes.chunks(500) {
        let passed = passed(stage, part);
        let wanted = if pass { part.len() } else { 0 };
        if passed == wanted {
            continue;
        }
        let wrong: Vec<&Probe> = part
            .iter()
            .filter(|probe| (passed_one(stage, probe) == 1) != pass)
            .take(10)
            .collect();
        panic!(
            "{passed} of {} passed, not {wanted}: {wrong:#?}",
            part.len()
        );
    }
}

fn passed_one(stage: &mut Stage, probe: &Probe) -> usize {
    passed(stage, core::slice::from_ref(probe))
}

fn passed(stage: &mut Stage, probes: &[Probe]) -> usize {
    let macs =
        [(310, "itsp"), (120, "med"), (5, "mgmt")].map(|(vlan, place)| (vlan, stage.mac_of(place)));
    let mac = |vlan| macs.iter().find(|(one, _)| *one == vlan).expect("a VLAN").1;
    let frames: Vec<Vec<u8>> = (0..)
        .zip(probes)
        .map(|(number, probe)| probe.frame(stage, mac(probe.vlan), number))
        .collect();
    let before = Before::read(stage);
    send(stage, frames.into_iter());
    let count = Count::since(stage, &before);
    usize::try_from(count.passed("sbc")).expect("a number")
}

/// Tries to get out of the node as every user.
fn outwards(stage: &mut Stage, matrix: &Matrix) {
    let ways = [
        (310, NODE_ITSP, ITSP, Ipv4Addr::new(172, 20, 31, 3)),
        (120, NODE_MED, MED, Ipv4Addr::new(10, 20, 120, 3)),
        (5, NODE_MGMT, OPERATOR, Ipv4Addr::new(10, 0, 0, 8)),
    ];
    // One user after the other: they would take each other's ports.
    let mut lines: BTreeMap<u32, String> = BTreeMap::new();
    let mut expected = Vec::new();
    let mut mark = 0;
    for user in [0, 900, 901, 902, 903, 1000] {
        for (vlan, own, peer, near) in ways {
            for port in [500, 5060, 5066, 20_000, 20_198, 45_000] {
                for to in [peer, near, ITSP, MED] {
                    for to_port in [53, 5060, 5068, 30_000] {
                        mark += 1;
                        let from = SocketAddrV4::new(own, port);
                        let target = SocketAddrV4::new(to, to_port);
                        let line = format!("{user} udp {from} {target} mark-{mark:05}\n");
                        lines.entry(user).or_default().push_str(&line);
                        let open = matrix.cells.iter().any(|cell| {
                            cell.way == Way::Out
                                && cell.link == format!("vlan{vlan}")
                                && cell.arp.is_none()
                                && is_in(cell.source, own)
                                && is_in(cell.target, to)
                                && cell.protocol.is_none_or(|protocol| protocol == UDP)
                                && port_in(cell.source_ports, Some(port))
                                && port_in(cell.target_ports, Some(to_port))
                                && cell.user.is_none_or(|one| one == Some(user))
                                && cell.icmp.is_none()
                                && cell.ipsec != Some(true)
                        });
                        if open {
                            expected.push(format!("mark-{mark:05} on {vlan}"));
                        }
                    }
                }
            }
        }
    }
    let quiet = stage.switch.seen_from(&stage.trunk).len();
    let words = ["/init", "probe"];
    for lines in lines.values() {
        let ended = stage.node.run_for(PATIENCE, lines, &words).unwrap();
        assert!(ended.is_well(), "{ended:?}");
    }
    std::thread::sleep(Duration::from_secs(1));
    let mut left: Vec<String> = Vec::new();
    for seen in &stage.switch.seen_from(&stage.trunk)[quiet..] {
        if carried(&seen.frame).is(UDP) {
            let text = String::from_utf8_lossy(&seen.frame).into_owned();
            let at = text.find("mark-").expect("a mark");
            left.push(format!("{} on {}", &text[at..at + 10], seen.vlan));
        } else {
            assert!(carried(&seen.frame).is_arp(), "{seen:?}");
        }
    }
    left.sort();
    expected.sort();
    println!("{} of {mark} packets of all users left", left.len());
    assert_eq!(left, expected);
    assert!(!left.is_empty());
}
