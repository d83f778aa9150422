//! Rules come in, the text for `nft` and the normal form go out.

use alloc::string::{String, ToString};
use alloc::vec;

use super::normal::mark;
use super::*;

fn network(text: &str) -> Network {
    let (address, length) = text.split_once('/').unwrap();
    Network::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
}

fn is(field: Field, values: Values) -> Match {
    Match {
        field,
        negated: false,
        values,
    }
}

fn rule(matches: Vec<Match>, action: Action) -> Rule {
    Rule {
        matches,
        limit: None,
        counter: None,
        action,
        sentence: "a sentence",
    }
}

fn both(rule: &Rule) -> (String, String) {
    (rule.to_string(), rule.normal().join(" | "))
}

#[test]
fn a_rule_has_a_text_for_nft_and_a_normal_form() {
    let links = Values::Names(vec!["wan".into(), "gre-a".into()]);
    let ports = Values::Ports(vec![(5068, 5068), (5067, 5067), (5068, 5068)]);
    let mut one = rule(
        vec![
            is(Field::InLink, links),
            Match {
                negated: true,
                ..is(Field::TcpTarget, ports)
            },
        ],
        Action::Drop,
    );
    one.limit = Some(Limit {
        per_second: 20,
        burst: 5,
    });
    one.counter = Some("isolation_dropped_arp".into());
    let (text, normal) = both(&one);
    assert_eq!(
        text,
        "meta iifname { \"gre-a\", \"wan\" } tcp dport != { 5067, 5068 } \
         limit rate 20/second burst 5 packets counter name \"isolation_dropped_arp\" drop"
    );
    assert_eq!(
        normal,
        "meta iifname == {gre-a, wan} | tcp dport != {5067, 5068} | \
         limit 20/second burst 5 | counter isolation_dropped_arp | drop"
    );
}

/// RFC 2784 §2 and RFC 2890 §2: GRE is protocol 47, known by its association.
#[test]
fn gre_in_clear_is_told_from_gre_of_an_association() {
    let gre = is(Field::Protocol, Values::Numbers(vec![47]));
    let one = rule(
        vec![gre, is(Field::IpsecIn, Values::Exists(false))],
        Action::Drop,
    );
    assert_eq!(
        both(&one),
        (
            "meta l4proto 47 meta ipsec missing drop".into(),
            "meta l4proto == 47 | meta ipsec == missing | drop".into()
        )
    );
}

#[test]
fn networks_are_merged_as_the_kernel_merges_them() {
    let list = |texts: &[&str]| {
        Values::Networks(texts.iter().map(|text| network(text)).collect()).elements()
    };
    assert_eq!(
        list(&["10.0.0.2/32", "10.0.0.1/32"]),
        ["10.0.0.1", "10.0.0.2"]
    );
    assert_eq!(list(&["10.0.0.7/24", "10.0.0.9/32"]), ["10.0.0.0/24"]);
    assert_eq!(list(&["10.0.0.0/24", "10.0.1.0/24"]), ["10.0.0.0/23"]);
    assert_eq!(list(&["10.0.0.0/24", "10.0.1.0/32"]), ["10.0.0.0-10.0.1.0"]);
    assert_eq!(
        list(&["2001:db8::1/64", "0.0.0.0/0"]),
        ["0.0.0.0/0", "2001:db8::/64"]
    );
}

/// RFC 9293 §3.7.1: the maximum segment size stands in segments with SYN.
#[test]
fn what_changes_a_packet_is_written_too() {
    let syn = is(Field::TcpSynRst, Values::Words(vec!["syn"]));
    let clamp = rule(vec![syn], Action::ClampMss(1360));
    assert_eq!(
        both(&clamp),
        (
            "tcp flags & (syn | rst) == syn tcp option maxseg size set 1360".into(),
            "tcp flags & syn|rst == syn | set tcp option maxseg size 1360".into()
        )
    );
    let voice = rule(
        vec![is(Field::UdpSource, Values::Ports(vec![(16384, 32767)]))],
        Action::Mark {
            v6: false,
            dscp: 46,
        },
    );
    assert_eq!(
        both(&voice),
        (
            "udp sport 16384-32767 ip dscp set ef".into(),
            "udp sport == 16384-32767 | set ip dscp ef".into()
        )
    );
    assert_eq!(
        both(&rule(Vec::new(), Action::Classify(0x10))),
        (
            "meta priority set 1:10".into(),
            "set meta priority 1:10".into()
        )
    );
}

/// RFC 2474 §3 and §4.2.2, RFC 2597 §6, RFC 3246 §2.7: six bits, some with names.
#[test]
fn marks_have_the_names_of_their_standards() {
    let names = [0, 24, 46, 10, 26, 38, 44].map(mark);
    assert_eq!(names, ["cs0", "cs3", "ef", "af11", "af31", "af43", "0x2c"]);
}

#[test]
fn a_table_takes_the_place_of_the_one_of_its_name() {
    let table = Table {
        family: Family::Netdev,
        name: "sbc-wan".into(),
        link: Some("wan".into()),
        counters: vec!["isolation_dropped_other".into()],
        chains: vec![Chain {
            name: "ingress".into(),
            hook: Hook {
                point: "ingress".into(),
                priority: -500,
                drops: true,
                device: Some("wan".into()),
            },
            rules: vec![rule(Vec::new(), Action::Drop)],
        }],
    };
    assert_eq!(
        table.text(),
        "table netdev sbc-wan\ndelete table netdev sbc-wan\ntable netdev sbc-wan {\n\
         \tcounter isolation_dropped_other { }\n\tchain ingress {\n\
         \t\ttype filter hook ingress device \"wan\" priority -500; policy drop;\n\
         \t\tdrop comment \"a sentence\"\n\t}\n}\n"
    );
}
