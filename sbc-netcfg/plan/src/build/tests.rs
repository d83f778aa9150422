//! Nodes come in, and what the kernel must hold is looked at: rules, links, ways.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::desired::{LinkKind, Way};
use crate::firewall::{Action, Rule};
use crate::plan::{Step, plan};
use crate::{Observed, Table};

const EXAMPLE: &str = include_str!("../../../../sbc-core/config/tests/example-today.toml");
const SMALL: &str = include_str!("../../../../sbc-core/config/tests/small.toml");
const SIX: &str = include_str!("../../tests/six.toml");

fn of(text: &str) -> Desired {
    let node = sbc_config::check(text).node.unwrap();
    desired(&node, &Ports::new(), &Users::default())
}

fn all() -> [Desired; 3] {
    [EXAMPLE, SMALL, SIX].map(of)
}

fn table<'d>(desired: &'d Desired, link: &str) -> &'d Table {
    desired.firewall.of_link(link).unwrap()
}

/// The rules of a chain as text.
fn rules(table: &Table, chain: &str) -> Vec<String> {
    let chain = table.chains.iter().find(|one| one.name == chain).unwrap();
    chain.rules.iter().map(ToString::to_string).collect()
}

fn has(rules: &[String], text: &str) -> bool {
    rules.iter().any(|rule| rule.contains(text))
}

#[test]
fn no_rule_lacks_the_sentence_it_enforces() {
    for desired in all() {
        for (table, chain, rule) in desired.firewall.rules() {
            let place = alloc::format!("{} {}: {rule}", table.name, chain.name);
            assert!(rule.sentence.len() > 20, "{place}");
            assert!(
                rule.sentence.len() <= 127,
                "the kernel keeps no more: {place}"
            );
            assert!(!rule.sentence.contains(['"', '\\', '\n']), "{place}");
        }
    }
}

#[test]
fn every_frame_is_counted_by_the_rule_that_takes_it() {
    for desired in all() {
        for table in &desired.firewall.tables {
            for chain in table.chains.iter().filter(|chain| chain.hook.drops) {
                let last: &Rule = chain.rules.last().unwrap();
                assert_eq!(last.action, Action::Drop, "{}", table.name);
                assert!(last.matches.is_empty() && last.limit.is_none(), "{last}");
                for rule in &chain.rules {
                    let counter = rule.counter.as_ref().unwrap();
                    assert!(table.counters.contains(counter), "{rule}");
                    assert!(counter.starts_with("isolation_"), "{rule}");
                }
            }
        }
    }
}

#[test]
fn every_filter_drops_what_no_rule_takes() {
    for desired in all() {
        for link in &desired.links {
            let table = table(&desired, &link.name);
            let names: Vec<&str> = table.chains.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, ["ingress", "egress"]);
            assert!(table.chains.iter().all(|chain| chain.hook.drops));
        }
        let base = &desired.firewall.tables[0];
        for point in ["input", "output", "forward"] {
            let mut chains = base.chains.iter();
            assert!(chains.any(|one| one.hook.point == point && one.hook.drops));
        }
    }
}

/// The order of a power-on: the machine's table and those of its ports before any
/// link is made or up, and each made link fenced in the step that makes it.
#[test]
fn the_firewall_is_there_before_any_link_is_made_or_up() {
    for desired in all() {
        let steps = plan(&desired, &Observed::bare(&desired)).steps;
        let at = |wanted: &dyn Fn(&Step) -> bool| steps.iter().position(wanted);
        let loaded = at(&|step| matches!(step, Step::LoadTables(_))).unwrap();
        let first = at(&|step| matches!(step, Step::CreateLink { .. } | Step::SetUp(_))).unwrap();
        assert!(loaded < first);
        let tables = match &steps[loaded] {
            Step::LoadTables(tables) => tables.as_slice(),
            _ => &[],
        };
        assert_eq!(tables[0].name, "sbc");
        for link in &desired.links {
            let up = at(&|step| *step == Step::SetUp(link.name.clone())).unwrap();
            let silent = |step: &Step| *step == Step::Silence(link.name.clone());
            if link.kind == LinkKind::Port {
                let own = |table: &Table| table.link.as_ref() == Some(&link.name);
                assert!(tables.iter().any(own));
                assert!(at(&silent).unwrap() < up);
            } else {
                let made = at(&|step| match step {
                    Step::CreateLink { link: one, table } => {
                        one == link && table.as_ref() == desired.firewall.of_link(&link.name)
                    }
                    _ => false,
                });
                assert!(made.unwrap() < up);
            }
        }
    }
}

/// RFC 2784 §2, RFC 7296 §2, RFC 3948 §2 and §2.1: what the two ends of a tunnel
/// say to each other, and what they never say.
#[test]
fn gre_is_inside_an_association_or_nowhere() {
    let desired = of(EXAMPLE);
    let base = &desired.firewall.tables[0];
    let (input, output) = (rules(base, "input"), rules(base, "output"));
    assert!(input[0].starts_with("meta iifname \"enp2s0\" meta l4proto 47 meta ipsec missing"));
    assert!(output[0].starts_with("meta oifname \"enp2s0\" meta l4proto 47 rt ipsec missing"));
    assert!(input[0].ends_with("drop") && output[0].ends_with("drop"));
    for chain in ["ingress", "egress"] {
        let rules = rules(table(&desired, "enp2s0"), chain);
        let clear = rules
            .iter()
            .position(|rule| rule.starts_with("meta l4proto 47 "));
        let passes = rules
            .iter()
            .position(|rule| rule.contains("meta l4proto { 17, 50 }"));
        assert!(clear.unwrap() < passes.unwrap());
    }
    assert!(has(
        &input,
        "udp sport { 500, 4500 } udp dport { 500, 4500 }"
    ));
    // Behind a translator the far end's port is its translator's.
    let six = of(SIX);
    let input = rules(&six.firewall.tables[0], "input");
    assert!(has(&input, "ip daddr 203.0.113.10 udp dport { 500, 4500 }"));
}

/// RFC 1112 §4, RFC 4291 §2.7, RFC 3021 §2.1: groups of all kinds.
#[test]
fn broadcast_and_multicast_are_dropped_both_ways_but_for_arp() {
    let desired = of(EXAMPLE);
    for (chain, word) in [("ingress", "dropped"), ("egress", "blocked")] {
        let rules = rules(table(&desired, "vlan120"), chain);
        let arp = rules
            .iter()
            .rposition(|rule| rule.starts_with("arp operation"));
        let first = rules
            .iter()
            .position(|rule| rule.starts_with("ether daddr ff:ff:ff:ff:ff:ff"));
        assert!(arp.unwrap() < first.unwrap());
        let counter = |reason: &str| alloc::format!("isolation_{word}_{reason}\" drop");
        for (condition, reason) in [
            ("ether daddr ff:ff:ff:ff:ff:ff", "broadcast"),
            (
                "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00",
                "multicast",
            ),
            ("ip daddr { 10.20.120.7, 255.255.255.255 }", "broadcast"),
            ("ip daddr 224.0.0.0/4", "multicast"),
            ("meta protocol ip6", "ipv6"),
        ] {
            let rule = rules.iter().find(|rule| rule.starts_with(condition));
            assert!(rule.unwrap().ends_with(&counter(reason)), "{condition}");
        }
    }
    let six = of(SIX);
    assert!(has(
        &rules(table(&six, "vlan7-2"), "ingress"),
        "ip6 daddr ff00::/8"
    ));
}

/// RFC 826, and RFC 4861 §7.1.1 and §7.1.2 with the addresses of RFC 4291 §2.7.1.
#[test]
fn neighbours_are_asked_for_by_listed_ones_alone() {
    let desired = of(EXAMPLE);
    let rules_in = rules(table(&desired, "vlan120"), "ingress");
    assert!(has(
        &rules_in,
        "arp operation request arp saddr ip 10.20.120.2 arp daddr ip 10.20.120.1 limit rate 20/second"
    ));
    let six = of(SIX);
    let rules_in = rules(table(&six, "vlan7-2"), "ingress");
    assert!(has(
        &rules_in,
        "ip6 saddr 2001:db8:20::2 ip6 daddr { 2001:db8:20::1, ff02::1:ff00:1 } \
         icmpv6 type nd-neighbor-solicit ip6 hoplimit 255 limit rate 20/second"
    ));
}

/// RFC 791 §3.1 and RFC 8200 §4.
#[test]
fn options_never_pass_and_fragments_only_where_sip_is_udp() {
    let desired = of(EXAMPLE);
    for link in ["vlan120", "vlan310", "enp2s0"] {
        let rules = rules(table(&desired, link), "ingress");
        assert!(has(&rules, "ip hdrlength != 5"), "{link}");
        let fragments = has(&rules, "ip frag-off & 16383 != 0");
        assert_eq!(fragments, link != "vlan310", "{link}");
    }
    let six = of(SIX);
    assert!(has(
        &rules(table(&six, "vlan7-2"), "ingress"),
        "ip6 nexthdr != "
    ));
}

#[test]
fn a_port_knows_its_tags_and_nothing_else() {
    let desired = of(EXAMPLE);
    let rules = rules(table(&desired, "enp4s0"), "ingress");
    let wanted = [
        "vlan type { 8021ad, 8021q } counter name \"isolation_dropped_double_tag\" drop",
        "vlan id { 120, 121 } counter name \"isolation_passed\" accept",
        "ether type { 8021ad, 8021q } counter name \"isolation_dropped_unknown_vlan\" drop",
        "counter name \"isolation_dropped_untagged\" drop",
    ];
    assert_eq!(rules, wanted);
}

/// RFC 6056 §3.2: connections of ours begin at a port of a range of their own.
#[test]
fn each_user_says_what_is_its_own() {
    let desired = of(EXAMPLE);
    let base = &desired.firewall.tables[0];
    let (input, output) = (rules(base, "input"), rules(base, "output"));
    assert!(has(
        &output,
        "ip daddr 10.20.120.2 udp sport 16384-32767 meta skuid 903 "
    ));
    assert!(has(
        &output,
        "ip daddr 10.20.120.2 tcp dport 5068 meta skuid { 900, 902 } "
    ));
    assert!(has(
        &output,
        "meta oifname \"vlan120\" meta skuid != { 900, 902 } "
    ));
    assert!(has(
        &input,
        "tcp sport 5068 tcp dport 40000-59999 tcp flags & (syn | ack) != syn "
    ));
    assert!(has(
        &output,
        "tcp flags & (syn | rst) == rst counter name \"isolation_blocked_reset\" drop"
    ));
    let range = desired
        .sysctls
        .iter()
        .find(|one| one.path.ends_with("ip_local_port_range"));
    assert_eq!(
        range.unwrap().value,
        alloc::format!("{}\t{}", EPHEMERAL.0, EPHEMERAL.1)
    );
}

#[test]
fn a_table_leads_to_the_listed_and_everything_else_into_a_blackhole() {
    let desired = of(EXAMPLE);
    let ways = |link: &str| -> Vec<String> {
        let source = desired
            .addresses
            .iter()
            .find(|one| one.link == link)
            .unwrap();
        let from = Some(source.network.address());
        let rule = desired.rules.iter().find(|rule| rule.from == from).unwrap();
        let routes = desired
            .routes
            .iter()
            .filter(|one| Some(one.table) == rule.table);
        let text = |text: String| text.split_once(": ").unwrap().1.to_string();
        routes.map(|route| text(route.to_string())).collect()
    };
    assert_eq!(
        ways("enp2s0"),
        [
            "198.51.100.20 via 203.0.113.9 dev enp2s0 from 203.0.113.10",
            "203.0.113.9 dev enp2s0 from 203.0.113.10",
            "all other IPv4 into a blackhole",
        ]
    );
    assert_eq!(
        ways("vlan120"),
        [
            "10.20.120.2 dev vlan120 from 10.20.120.1",
            "all other IPv4 into a blackhole",
        ]
    );
    assert_eq!(
        ways("gre-itsp-a"),
        [
            "192.0.2.2 dev gre-itsp-a from 192.0.2.1",
            "all other IPv4 into a blackhole",
        ]
    );
    let last = desired.rules.last().unwrap();
    assert!(last.from.is_none() && last.table.is_none() && last.priority < 32_766);
    let tables: BTreeSet<u32> = desired.rules.iter().filter_map(|one| one.table).collect();
    assert_eq!(tables.len(), 6, "a table for each place");
    let black = |way: &Way| matches!(way, Way::Blackhole);
    let black = desired.routes.iter().filter(|one| black(&one.way)).count();
    assert_eq!(black, 6);
}

/// RFC 3704 §2.2: the source of a packet is looked up by the way it came.
#[test]
fn switches_forward_nothing_and_believe_nothing() {
    let desired = of(SIX);
    let value = |path: &str| {
        let mut all = desired.all_sysctls();
        all.find(|one| one.path == path).unwrap().value.clone()
    };
    for (path, wanted) in [
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv6/conf/all/forwarding", "0"),
        ("net/ipv4/conf/all/rp_filter", "1"),
        ("net/ipv4/conf/vlan7/accept_redirects", "0"),
        ("net/ipv4/conf/vlan7/arp_ignore", "1"),
        ("net/ipv6/conf/vlan7/disable_ipv6", "1"),
        ("net/ipv6/conf/vlan7-2/disable_ipv6", "0"),
        ("net/ipv6/conf/vlan7-2/accept_ra", "0"),
    ] {
        assert_eq!(value(path), wanted, "{path}");
    }
}

/// RFC 791 §3.2, RFC 9293 §3.7.1: a tunnel's time to live, and segments that fit.
#[test]
fn a_tunnel_inherits_marks_and_clamps_segments_both_ways() {
    let desired = of(EXAMPLE);
    let link = desired.link("gre-itsp-a").unwrap();
    assert_eq!(
        link.kind.to_string(),
        "GRE 203.0.113.10 to 198.51.100.20 ttl 64 pmtudisc tos inherit"
    );
    let base = &desired.firewall.tables[0];
    for chain in ["segments", "marking"] {
        let first = &rules(base, chain)[0];
        assert!(
            first.ends_with("tcp option maxseg size set 1360"),
            "{first}"
        );
    }
    let marking = rules(base, "marking");
    assert!(has(
        &marking,
        "\"vlan120\" udp sport 16384-32767 ip dscp set ef"
    ));
    assert!(has(
        &marking,
        "\"enp2s0\" ip dscp ef meta priority set 1:10"
    ));
    assert_eq!(
        desired.shapers[0].to_string(),
        "enp2s0 at 10000000 bit/s: 1:10 prio 0 rate 8000000 ceil 10000000 1:20 prio 1 rate \
         1000000 ceil 10000000 1:30 prio 2 rate 1000000 ceil 10000000 (default)"
    );
    // RFC 2474 §3: the agreement on keys goes in the class of signalling.
    assert_eq!(desired.connections[0].dscp, 24);
    assert_eq!(
        desired.connections[0].to_string(),
        "itsp-a: 203.0.113.10 to 198.51.100.20 psk vpn/itsp-a aes256gcm16-prfsha256-x25519 \
         dead-peer 10s initiates"
    );
}

#[test]
fn links_have_names_the_kernel_takes_and_no_two_the_same() {
    for desired in all() {
        let names: BTreeSet<&str> = desired.links.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), desired.links.len());
        assert!(names.iter().all(|name| (1..=15).contains(&name.len())));
    }
    let names = |desired: &Desired| -> Vec<String> {
        desired.links.iter().map(|link| link.name.clone()).collect()
    };
    let found = [("52:54:00:12:34:56", "eth0"), ("pci-0000:02:00.0", "eth1")];
    let found = found.map(|(device, name)| (String::from(device), String::from(name)));
    let node = sbc_config::check(SIX).node.unwrap();
    let six = desired(&node, &Ports::from(found), &Users::default());
    assert_eq!(
        names(&six),
        [
            "enp3s0",
            "eth0",
            "eth1",
            "enp4s0",
            "vlan7",
            "vlan7-2",
            "gre-2bfda93d"
        ]
    );
}

#[test]
fn the_log_leaves_for_its_collectors_under_the_consoles_user_alone() {
    let text = alloc::format!(
        "{EXAMPLE}\n[log.syslog.noc]\ntarget = \"10.0.0.20:5514\"\n\n\
         [log.syslog.far]\ntarget = \"198.51.100.9:601\"\ntransport = \"tcp\"\n"
    );
    let desired = of(&text);
    let base = &desired.firewall.tables[0];
    let said = rules(base, "output");
    let wanted = [
        "oifname \"enp1s0\" ip saddr 10.0.0.5 ip daddr 198.51.100.9 tcp dport 601 meta skuid 904",
        "oifname \"enp1s0\" ip saddr 10.0.0.5 ip daddr 10.0.0.20 udp dport 5514 meta skuid 904",
        "oifname \"enp1s0\" ip saddr 10.0.0.5 ip daddr 10.0.0.20 udp dport 5514 meta skuid != 904",
    ];
    for rule in wanted {
        assert!(has(&said, rule), "{rule}\n{said:#?}");
    }
    // The other two ask the time.
    let console = said.iter().filter(|rule| rule.contains("skuid 904 "));
    assert_eq!(console.count(), 4, "{said:#?}");
    let heard = rules(base, "input");
    assert!(
        has(
            &heard,
            "ip saddr 198.51.100.9 ip daddr 10.0.0.5 tcp sport 601"
        ),
        "{heard:#?}"
    );
    assert!(!has(&heard, "10.0.0.20 "), "{heard:#?}");
    // One beyond the gateway has a route, and nobody asks for it on the link.
    let far = sbc_config::Network::host("198.51.100.9".parse().unwrap());
    let route = desired.routes.iter().find(|route| route.to == far).unwrap();
    assert!(
        matches!(&route.way, Way::Link { via: Some(via), .. } if via.to_string() == "10.0.0.1")
    );
}
