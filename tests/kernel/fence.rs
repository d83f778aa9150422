//! A whole network is made from a value, read back and kept: twice is once, a
//! failure anywhere leaves what was, and what another hand changes is named and
//! mended.

use std::time::Duration;

use sbc_config::{Network, Zone};
use sbc_netcfg::apply::Hands;
use sbc_netcfg::guard::{Guard, NoFence, READ_EVERY, Word};
use sbc_netcfg::listen::{Kind, open_listener};
use sbc_plan::desired::{
    Address, Class, Desired, Link, LinkKind, Neighbour, PolicyRule, Route, Shaper, Sysctl, Way,
};
use sbc_plan::firewall::{
    Action, Chain, Family, Field, Hook, Limit, Match, Rule, Ruleset, Table, Values,
};
use sbc_plan::{Plan, Step, plan};

use crate::space::{Space, run};

fn network(text: &str) -> Network {
    let (address, length) = text.split_once('/').unwrap();
    Network::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
}

fn sysctl(path: &str, value: &str) -> Sysctl {
    Sysctl {
        path: path.into(),
        value: value.into(),
    }
}

fn rule(matches: Vec<Match>, action: Action) -> Rule {
    Rule {
        matches,
        limit: None,
        counter: None,
        action,
        sentence: "nothing is reachable but listed peers",
    }
}

fn one(field: Field, values: Values) -> Match {
    Match {
        field,
        negated: false,
        values,
    }
}

fn firewall() -> Ruleset {
    let peers = Values::Networks(vec![network("10.9.9.2/32"), network("10.9.8.0/29")]);
    let mut limited = rule(
        vec![one(Field::EtherType, Values::Words(vec!["arp"]))],
        Action::Accept,
    );
    limited.limit = Some(Limit {
        per_second: 10,
        burst: 5,
    });
    limited.counter = Some("asked".into());
    let hook = |point: &str, priority, device: Option<&str>| Hook {
        point: point.into(),
        priority,
        drops: true,
        device: device.map(Into::into),
    };
    let input = vec![
        rule(
            vec![
                one(Field::InLink, Values::Names(vec!["port".into()])),
                one(Field::Source4, peers),
                one(Field::TcpTarget, Values::Ports(vec![(5060, 5061)])),
            ],
            Action::Accept,
        ),
        rule(
            vec![
                one(Field::Protocol, Values::Numbers(vec![47])),
                one(Field::IpsecIn, Values::Exists(false)),
            ],
            Action::Drop,
        ),
    ];
    let output = vec![rule(
        vec![one(Field::User, Values::Numbers(vec![0, 700]))],
        Action::Mark {
            v6: false,
            dscp: 46,
        },
    )];
    let chain = |name: &str, hook, rules| Chain {
        name: name.into(),
        hook,
        rules,
    };
    let table = |family, name: &str, link: Option<&str>, counters: Vec<String>, chains| Table {
        family,
        name: name.into(),
        link: link.map(Into::into),
        counters,
        chains,
    };
    let inet = vec![
        chain("input", hook("input", 0, None), input),
        chain("output", hook("output", 0, None), output),
        chain("forward", hook("forward", 0, None), Vec::new()),
    ];
    let ingress = vec![chain(
        "ingress",
        hook("ingress", -10, Some("port")),
        vec![limited],
    )];
    Ruleset {
        tables: vec![
            table(Family::Inet, "sbc", None, Vec::new(), inet),
            table(
                Family::Netdev,
                "sbc_port",
                Some("port"),
                vec!["asked".into()],
                ingress,
            ),
        ],
    }
}

/// A port with one peer: everything this machine's kernel can hold.
fn desired() -> Desired {
    let own = "10.9.9.1".parse().unwrap();
    let hole = |to| Route {
        table: 1020,
        to: network(to),
        way: Way::Blackhole,
    };
    let peer = Route {
        table: 1020,
        to: network("10.9.9.2/32"),
        way: Way::Link {
            link: "port".into(),
            via: None,
            source: own,
        },
    };
    let far = Route {
        table: 1020,
        to: network("10.9.8.0/29"),
        way: Way::Link {
            link: "port".into(),
            via: Some("10.9.9.3".parse().unwrap()),
            source: own,
        },
    };
    let by = |priority, from, table| PolicyRule {
        priority,
        is_v4: true,
        from,
        table,
    };
    Desired {
        links: vec![Link {
            name: "port".into(),
            owner: "interface voice".into(),
            zone: Some(Zone::Mediation),
            kind: LinkKind::Port,
            mtu: 1400,
            sysctls: vec![sysctl("net/ipv4/conf/port/rp_filter", "1")],
        }],
        addresses: vec![Address {
            link: "port".into(),
            network: network("10.9.9.1/24"),
        }],
        neighbours: vec![Neighbour {
            link: "port".into(),
            address: "10.9.9.2".parse().unwrap(),
            mac: [2, 0, 0, 0, 0, 9],
        }],
        sysctls: vec![sysctl("net/ipv4/ip_forward", "0")],
        routes: vec![peer, far, hole("0.0.0.0/0")],
        rules: vec![by(100, Some(own), Some(1020)), by(32000, None, None)],
        firewall: firewall(),
        shapers: vec![Shaper {
            link: "port".into(),
            rate: 10_000_000,
            classes: vec![
                Class {
                    minor: 0x10,
                    rate: 8_000_000,
                    ceiling: 10_000_000,
                    priority: 0,
                },
                Class {
                    minor: 0x20,
                    rate: 2_000_000,
                    ceiling: 10_000_000,
                    priority: 1,
                },
            ],
            default: 0x20,
        }],
        connections: Vec::new(),
    }
}

/// What somebody left on the machine: all of it has to go.
fn clutter(space: &Space) {
    space.ip("link set port up");
    space.ip("addr add 172.31.0.1/24 dev port");
    space.ip("route add 172.31.9.0/24 dev port table 77");
    space.ip("route add blackhole 172.31.7.0/24");
    space.ip("rule add priority 50 from 172.31.0.1 table 77");
    space.ip("neigh add 172.31.0.9 lladdr 02:00:00:00:00:01 dev port nud permanent");
    space.nft("table ip nat { chain post { type nat hook postrouting priority 100; }; }");
    space.nft("table inet sbc { chain input { type filter hook input priority 5; accept; }; }");
}

#[test]
fn a_plan_applied_to_a_cluttered_machine_makes_a_fence_and_leaves_nothing_to_do() {
    let name = "a_plan_applied_to_a_cluttered_machine_makes_a_fence_and_leaves_nothing_to_do";
    let Some(space) = Space::enter(name) else {
        return;
    };
    clutter(&space);
    run(async {
        let desired = desired();
        let mut hands = Hands::open().unwrap();
        assert!(matches!(
            hands.look(&desired).await,
            Err(NoFence::Differs(_))
        ));
        let fence = hands.raise(&desired).await.unwrap();
        let observed = hands.observe(&desired).await.unwrap();
        let again = plan(&desired, &observed);
        assert_eq!(again.steps, [], "{again}");
        let address = "10.9.9.1:5060".parse().unwrap();
        for kind in [Kind::Tcp, Kind::Udp] {
            open_listener(address, kind, &fence, |_| Ok(())).unwrap();
        }
    });
}

#[test]
fn a_plan_that_fails_at_each_step_in_turn_ends_in_the_old_state() {
    let name = "a_plan_that_fails_at_each_step_in_turn_ends_in_the_old_state";
    let Some(space) = Space::enter(name) else {
        return;
    };
    clutter(&space);
    run(async {
        let desired = desired();
        let mut hands = Hands::open().unwrap();
        let before = hands.observe(&desired).await.unwrap();
        let whole = plan(&desired, &before);
        assert!(whole.steps.len() > 15, "{whole}");
        for at in 0..=whole.steps.len() {
            let mut steps = whole.steps.clone();
            steps.truncate(at);
            steps.push(Step::ExpectPort("nowhere".into()));
            let failed = hands.apply(&Plan { steps }, &before).await.unwrap_err();
            assert_eq!(failed.place, at + 1, "{failed}");
            assert!(failed.left.is_empty(), "{failed}");
            let after = hands.observe(&desired).await.unwrap();
            assert_eq!(
                after, before,
                "after a failure behind {at} steps of\n{whole}"
            );
        }
    });
}

#[test]
fn whatever_another_hand_changes_is_named_and_mended() {
    let Some(space) = Space::enter("whatever_another_hand_changes_is_named_and_mended") else {
        return;
    };
    let acts: [(&str, &str, &str); 14] = [
        (
            "ip",
            "rule add priority 60 from 10.1.1.1 table 99",
            "rule: 60",
        ),
        ("ip", "rule del priority 100", "rule: 100"),
        (
            "ip",
            "rule add priority 100 from 10.9.9.1 iif lo table 1020",
            "rule: 100",
        ),
        (
            "ip",
            "route add 10.66.0.0/16 dev port",
            "route: table 254: 10.66.0.0/16",
        ),
        (
            "ip",
            "route del 10.9.9.2/32 table 1020",
            "route: table 1020: 10.9.9.2",
        ),
        (
            "ip",
            "route del blackhole default table 1020",
            "all other IPv4",
        ),
        (
            "ip",
            "addr add 10.9.9.99/24 dev port",
            "address: 10.9.9.99/24",
        ),
        (
            "ip",
            "addr del 10.9.9.1/24 dev port",
            "address: 10.9.9.1/24",
        ),
        ("ip", "link set port mtu 1300", "link port: is mtu 1300"),
        ("ip", "link set port down", "link port: is down"),
        ("ip", "link add spare type veth peer name other", "nothing"),
        ("sysctl", "net/ipv4/ip_forward", "net/ipv4/ip_forward: is 1"),
        ("nft", "flush chain inet sbc input", "chain input, rule 1"),
        (
            "nft",
            "delete table netdev sbc_port",
            "table netdev sbc_port",
        ),
    ];
    run(async {
        let desired = desired();
        let mut hands = Hands::open().unwrap();
        hands.raise(&desired).await.unwrap();
        for (tool, act, named) in acts {
            match tool {
                "ip" => space.ip(act),
                "nft" => space.nft(act),
                _ => sbc_netcfg::sysctl::write(act, "1").map(drop).unwrap(),
            }
            match hands.look(&desired).await {
                Err(NoFence::Differs(drifts)) => {
                    let texts: Vec<String> = drifts.iter().map(ToString::to_string).collect();
                    assert!(
                        texts.iter().any(|text| text.contains(named)),
                        "{act}: {texts:?}"
                    );
                }
                // A device that is down and has no address harms nobody.
                Ok(_) => assert_eq!(named, "nothing", "{act}"),
                Err(other) => panic!("{act}: {other}"),
            }
            hands.raise(&desired).await.unwrap_or_else(|why| {
                panic!("{act}: {}", sbc_netcfg::guard::chain(&why));
            });
        }
    });
}

/// Raises the fence; somebody watches it.
async fn guarded() -> (Desired, Hands, Guard) {
    let desired = desired();
    let mut hands = Hands::open().unwrap();
    hands.raise(&desired).await.unwrap();
    (desired, hands, Guard::open().unwrap())
}

/// What rtnetlink's own groups do not tell of: a rule of the firewall, a switch.
#[test]
fn a_changed_firewall_rule_or_switch_is_news_long_before_the_next_reading() {
    let name = "a_changed_firewall_rule_or_switch_is_news_long_before_the_next_reading";
    let Some(_space) = Space::enter(name) else {
        return;
    };
    run(async {
        let (desired, mut hands, mut guard) = guarded().await;
        let nft = |words: &'static str| {
            let done = std::process::Command::new("nft").arg(words).status();
            assert!(done.unwrap().success(), "{words}");
        };
        let forward = "/proc/sys/net/ipv4/ip_forward";
        let acts: [(&str, &dyn Fn()); 2] = [
            ("chain input", &|| nft("flush chain inet sbc input")),
            ("ip_forward", &|| std::fs::write(forward, "1").unwrap()),
        ];
        for (named, act) in acts {
            quiet(&mut guard, &mut hands, &desired).await;
            let since = std::time::Instant::now();
            act();
            assert!(guard.wait(&desired).await.is_none(), "a look is due");
            let took = since.elapsed();
            println!("{named}: due after {took:?}");
            assert!(
                took < READ_EVERY / 2,
                "{named}: only a reading told: {took:?}"
            );
            let mut told = Vec::new();
            let say = |word| told.push(word);
            guard.look(&mut hands, &desired, say).await;
            let broken = told.iter().find_map(|word| match word {
                Word::Broken(drifts) => Some(drifts),
                _ => None,
            });
            let drifts = broken.expect("the fence was broken");
            let all: Vec<String> = drifts.iter().map(ToString::to_string).collect();
            assert!(all.iter().any(|one| one.contains(named)), "{all:?}");
            assert!(matches!(told.last(), Some(Word::Whole(_))), "{told:?}");
        }
    });
}

/// Looks until no news are left from what came before.
async fn quiet(guard: &mut Guard, hands: &mut Hands, desired: &Desired) {
    loop {
        let since = std::time::Instant::now();
        let word = guard.wait(desired).await;
        if word.is_none() {
            guard.look(hands, desired, |_| {}).await;
            // Nobody had anything to tell for as long as the guard waits at most.
            if since.elapsed() > READ_EVERY - Duration::from_millis(500) {
                return;
            }
        }
    }
}

#[test]
fn the_guard_tells_of_a_broken_fence_at_once_and_of_a_lost_carrier_too() {
    let name = "the_guard_tells_of_a_broken_fence_at_once_and_of_a_lost_carrier_too";
    let Some(space) = Space::enter(name) else {
        return;
    };
    run(async {
        let (desired, mut hands, mut guard) = guarded().await;
        let (mut stage, mut told) = (0, Vec::new());
        let mut say = |word: Word| {
            told.push(format!("{word:?}"));
            match (stage, &word) {
                (0, Word::Whole(_)) => {
                    space.ip("route add blackhole 10.88.0.0/16");
                    stage = 1;
                }
                (1, Word::Broken(drifts)) => {
                    let named = |one: &sbc_plan::Drift| one.to_string().contains("10.88.0.0/16");
                    assert!(drifts.iter().any(named));
                    stage = 2;
                }
                (2, Word::Whole(_)) => {
                    space.ip("link set port down");
                    stage = 3;
                }
                (3, Word::Carrier { link, up: false }) => {
                    assert_eq!(link, "port");
                    stage = 4;
                }
                (4, Word::Whole(_)) => stage = 5,
                _ => {}
            }
            stage == 5
        };
        let work = async {
            loop {
                let mut done = false;
                match guard.wait(&desired).await {
                    Some(word) => done = say(word),
                    None => {
                        let say = |word| done = say(word);
                        guard.look(&mut hands, &desired, say).await;
                    }
                }
                if done {
                    break;
                }
            }
        };
        let within = Duration::from_secs(60);
        if tokio::time::timeout(within, work).await.is_err() {
            panic!("the guard told only {told:#?}");
        }
        hands.look(&desired).await.unwrap();
    });
}
