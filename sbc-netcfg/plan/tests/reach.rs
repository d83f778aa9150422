//! The matrix of what is open, computed from the rules, beside what the node
//! lists.
#![expect(clippy::unwrap_used, reason = "a test may say what it means")]

use sbc_config::Node;
use sbc_plan::desired::Sysctl;
use sbc_plan::firewall::{Action, Field};
use sbc_plan::reach::{breaches, matrix, strays};
use sbc_plan::{Desired, Ports, Users, desired};

const EXAMPLE: &str = include_str!("../../../sbc-core/config/tests/example-today.toml");
const SMALL: &str = include_str!("../../../sbc-core/config/tests/small.toml");
const SIX: &str = include_str!("six.toml");

fn of(text: &str) -> (Node, Desired) {
    let node = sbc_config::check(text).node.unwrap();
    let desired = desired(&node, &Ports::new(), &Users::default());
    (node, desired)
}

fn found(node: &Node, desired: &Desired) -> Vec<String> {
    let open = matrix(desired);
    let all = breaches(node, desired, &Users::default(), &open);
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_but_the_listed_is_open() {
    for text in [EXAMPLE, SMALL, SIX] {
        let (node, desired) = of(text);
        assert_eq!(found(&node, &desired), Vec::<String>::new());
        assert_eq!(strays(&desired), []);
    }
}

/// The example with collectors on the link and beyond the gateway.
fn with_collectors() -> String {
    format!(
        "{EXAMPLE}\n[log.syslog.noc]\ntarget = \"10.0.0.20:5514\"\n\n\
         [log.syslog.far]\ntarget = \"198.51.100.9:601\"\ntransport = \"tcp\"\n"
    )
}

#[test]
fn the_matrix_of_management_holds_its_collectors_and_no_more() {
    let (node, desired) = of(&with_collectors());
    assert_eq!(found(&node, &desired), Vec::<String>::new());
    let open = matrix(&desired).to_string();
    let lines: Vec<&str> = open
        .lines()
        .filter(|line| line.contains("10.0.0.20 ") || line.contains("198.51.100.9"))
        .collect();
    let wanted = [
        "  198.51.100.9 > 10.0.0.5  tcp from 601 to 40000-59999, goes on",
        "  10.0.0.5 > 10.0.0.20  udp from any to 5514, by user 904",
        "  10.0.0.5 > 198.51.100.9  tcp from any to 601, by user 904",
        "  10.0.0.5 > 198.51.100.9  tcp from any to 601, goes on, by the kernel",
    ];
    assert_eq!(lines, wanted);
    // The proof can fail: the same rules for a node without collectors.
    let (bare, _) = of(EXAMPLE);
    assert!(!found(&bare, &desired).is_empty());
}

/// RFC 4330 §4: the servers of `system.ntp` are asked at port 123.
#[test]
fn the_matrix_of_management_holds_its_time_servers_and_no_more() {
    let (node, desired) = of(EXAMPLE);
    assert_eq!(found(&node, &desired), Vec::<String>::new());
    let open = matrix(&desired).to_string();
    let lines: Vec<&str> = open.lines().filter(|line| line.contains(" 123")).collect();
    let wanted = [
        "  10.0.0.1-10.0.0.2 > 10.0.0.5  udp from 123 to 40000-59999",
        "  10.0.0.5 > 10.0.0.1-10.0.0.2  udp from any to 123, by user 904",
    ];
    assert_eq!(lines, wanted);
    // The proof can fail: the same rules for a node that names no server.
    let bare = EXAMPLE.replace("ntp      =", "# ntp    =");
    let (bare, _) = of(&bare);
    assert!(bare.system.ntp.is_empty());
    assert!(!found(&bare, &desired).is_empty());
}

#[test]
fn the_small_matrix_is_this_one() {
    let (_, desired) = of(SMALL);
    let wanted = "\
from vlan120 (mediation) to the node
  10.20.120.2 > 10.20.120.1  tcp to 5066
  10.20.120.2 > 10.20.120.1  tcp from 5068 to 40000-59999, goes on
  10.20.120.2 > 10.20.120.1  udp to 16384-32767
  10.20.120.2 > 10.20.120.1  arp reply
  10.20.120.2 > 10.20.120.1  arp request
from vlan310 (private) to the node
  172.20.31.1 > 172.20.31.2  tcp to 5060
  172.20.31.1 > 172.20.31.2  tcp from 5060 to 40000-59999, goes on
  172.20.31.1 > 172.20.31.2  udp to 16384-32767
  172.20.31.1 > 172.20.31.2  arp reply
  172.20.31.1 > 172.20.31.2  arp request
from the node to vlan120 (mediation)
";
    let printed = matrix(&desired).to_string();
    assert!(printed.starts_with(wanted), "{printed}");
    assert!(printed.ends_with("between links: nothing\n"), "{printed}");
}

/// The tunnel of the example: IKE, ESP and ARP outside, and GRE in ESP alone (RFC
/// 7296 §2.9: an association is made for one kind of traffic).
#[test]
fn nothing_of_a_trunk_is_open_outside_its_tunnel() {
    let (_, desired) = of(EXAMPLE);
    let open = matrix(&desired);
    let outer = open.cells.iter().filter(|cell| cell.link == "enp2s0");
    for cell in outer {
        let ike = cell.protocol == Some(17)
            && matches!(cell.target_ports, Some((500, 500) | (4500, 4500)));
        let esp = cell.protocol == Some(50);
        let gre = cell.protocol == Some(47) && cell.ipsec == Some(true);
        assert!(cell.arp.is_some() || ike || esp || gre, "{cell}");
    }
}

/// The proof can fail: each rule that lets something in or out is widened by each
/// of its conditions in turn, and the wider one is found.
#[test]
fn a_rule_that_lets_more_through_is_a_breach() {
    let (node, desired) = of(EXAMPLE);
    let telling = |field: Field| {
        !matches!(
            field,
            // The chain of the link tells these as well.
            Field::InLink | Field::OutLink | Field::Source4 | Field::Target4
        )
    };
    let mut widened = 0;
    let base = &desired.firewall.tables[0];
    for (at, chain) in base.chains.iter().enumerate() {
        for (row, rule) in chain.rules.iter().enumerate() {
            let fields = rule.matches.iter().enumerate();
            let fields = fields.filter(|(_, one)| telling(one.field));
            for (nth, one) in fields.filter(|_| rule.action == Action::Accept) {
                // GRE and ESP: the tests of the tunnel.
                if matches!(
                    one.field,
                    Field::Protocol | Field::IpsecIn | Field::IpsecOut
                ) {
                    continue;
                }
                // Written for what begins; what goes on is told by the ports.
                let sip_kernel = one.field == Field::TcpSynAck;
                let mut wide = desired.clone();
                let rule = &mut wide.firewall.tables[0].chains[at].rules[row];
                let text = rule.to_string();
                // The user's own server ports remain: a wider source port says more.
                rule.matches.remove(nth);
                let breaches = found(&node, &wide);
                assert!(
                    !breaches.is_empty() || sip_kernel && text.contains("oifname"),
                    "{text}"
                );
                widened += 1;
            }
        }
    }
    assert!(widened > 50, "{widened}");
}

#[test]
fn two_barriers_stand_before_each_address() {
    let (node, desired) = of(EXAMPLE);
    // Without the chains of the links, the machine's own table still holds.
    let mut bare = desired.clone();
    bare.firewall.tables.retain(|table| table.link.is_none());
    let breaches = found(&node, &bare);
    let forged = |text: &String| text.contains("arp") || text.contains("172.20.31.2 > 172.20.31.2");
    let others: Vec<_> = breaches.iter().filter(|text| !forged(text)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn forwarding_is_a_breach() {
    let (node, mut desired) = of(SMALL);
    let switch = |one: &mut Sysctl| {
        if one.path == "net/ipv4/ip_forward" {
            one.value = "1".into();
        }
    };
    desired.sysctls.iter_mut().for_each(switch);
    assert_eq!(found(&node, &desired), ["packets pass between links"]);
}

#[test]
fn a_broadcast_that_passes_is_found() {
    let (_, mut desired) = of(SMALL);
    for table in &mut desired.firewall.tables {
        for chain in &mut table.chains {
            let group = [Field::EtherTarget, Field::EtherGroup];
            let group =
                |rule: &sbc_plan::Rule| rule.matches.iter().any(|one| group.contains(&one.field));
            chain.rules.retain(|rule| !group(rule));
        }
    }
    assert!(!strays(&desired).is_empty());
}
