//! The questions of a first boot as data: answers so far come in, the next
//! question with its default, its help and what it takes goes out; and the `set`
//! lines that all answers mean.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use sbc_config::Name;

/// What was answered, by the key of its question.
pub type Answers = BTreeMap<&'static str, String>;

/// A network port of the machine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Link {
    pub device: String,
    pub mac: String,
    pub carrier: bool,
}

/// One question.
pub struct Question {
    pub key: &'static str,
    pub ask: &'static str,
    /// What `?` shows.
    pub help: &'static str,
    /// Whether it is asked at all.
    pub when: fn(&Answers) -> bool,
    /// What an empty line means.
    pub default: fn(&Answers, &[Link]) -> String,
    /// Takes what was typed.
    pub check: fn(&str) -> Result<(), String>,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Question").field(&self.key).finish()
    }
}

/// What `first trunk` may be.
const VPN: &str = "1";
const PRIVATE: &str = "2";
const LATER: &str = "3";

fn always(_: &Answers) -> bool {
    true
}

fn is(answers: &Answers, key: &str, wanted: &str) -> bool {
    answers.get(key).is_some_and(|given| given == wanted)
}

fn managed(answers: &Answers) -> bool {
    !is(answers, "management", "none")
}

fn trunk(answers: &Answers) -> bool {
    !is(answers, "kind", LATER)
}

fn vpn(answers: &Answers) -> bool {
    is(answers, "kind", VPN)
}

fn nothing(_: &Answers, _: &[Link]) -> String {
    String::new()
}

/// The first port with a carrier that no answer named yet, else the last named.
fn free(answers: &Answers, links: &[Link]) -> String {
    let used = |link: &&Link| !answers.values().any(|given| *given == link.device);
    let mut open = links.iter().filter(used);
    let with = open.clone().find(|link| link.carrier);
    let found = with.or_else(|| open.next()).or(links.last());
    found.map_or_else(String::new, |link| link.device.clone())
}

/// All questions in their order.
pub const QUESTIONS: &[Question] = &[
    Question {
        key: "hostname",
        ask: "1/8 host name",
        help: "how this node is called in prompts, logs and records",
        when: always,
        default: |_, _| "sbc".to_owned(),
        check: hostname,
    },
    Question {
        key: "timezone",
        ask: "2/8 time zone",
        help: "as in Europe/Berlin, America/New_York or UTC",
        when: always,
        default: |_, _| "UTC".to_owned(),
        check: any,
    },
    Question {
        key: "ntp",
        ask: "2/8 time servers (addresses, or none)",
        help: "addresses with a blank between them; call records need a right clock",
        when: always,
        default: |_, _| "none".to_owned(),
        check: addresses_or_none,
    },
    Question {
        key: "management",
        ask: "3/8 management port (or none)",
        help: "the port of people and monitoring; 'none' leaves this console alone",
        when: always,
        default: |_, _| "none".to_owned(),
        check: device,
    },
    Question {
        key: "management-address",
        ask: "4/8 its address and prefix",
        help: "as in 10.0.0.5/24",
        when: managed,
        default: nothing,
        check: network,
    },
    Question {
        key: "management-gateway",
        ask: "4/8 its gateway (or none)",
        help: "an address of that network",
        when: managed,
        default: |_, _| "none".to_owned(),
        check: address_or_none,
    },
    Question {
        key: "kind",
        ask: "5/8 first trunk: 1 Internet, needs VPN  2 MPLS or private  3 later",
        help: "over the Internet a trunk goes through an encrypted tunnel, always",
        when: always,
        default: |_, _| PRIVATE.to_owned(),
        check: |typed| one_of(typed, &[VPN, PRIVATE, LATER]),
    },
    Question {
        key: "trunk-port",
        ask: "6/8 port towards the provider",
        help: "one of the ports shown above",
        when: trunk,
        default: free,
        check: device,
    },
    Question {
        key: "trunk-vlan",
        ask: "6/8 its VLAN (or none)",
        help: "1 to 4094; 'none' is a port of its own without a tag",
        when: trunk,
        default: |_, _| "none".to_owned(),
        check: vlan,
    },
    Question {
        key: "trunk-address",
        ask: "6/8 our address and prefix there",
        help: "as in 172.20.31.2/29; the provider says which",
        when: trunk,
        default: nothing,
        check: network,
    },
    Question {
        key: "trunk-gateway",
        ask: "6/8 the gateway there (or none)",
        help: "needed when the other end is not on that network",
        when: trunk,
        default: |_, _| "none".to_owned(),
        check: address_or_none,
    },
    Question {
        key: "tunnel-remote",
        ask: "6/8 the provider's VPN gateway",
        help: "its address on the Internet",
        when: vpn,
        default: nothing,
        check: address,
    },
    Question {
        key: "tunnel-address",
        ask: "6/8 our address inside the tunnel, with prefix",
        help: "as in 192.0.2.1/30; the provider says which",
        when: vpn,
        default: nothing,
        check: network,
    },
    Question {
        key: "remote",
        ask: "6/8 the provider's SIP address",
        help: "address:port/udp or address:port/tcp, as in 172.20.31.1:5060/udp",
        when: trunk,
        default: nothing,
        check: socket,
    },
    Question {
        key: "media",
        ask: "6/8 networks its media comes from (or same)",
        help: "'same' is the SIP address; else as in 203.0.113.0/26, blanks between",
        when: trunk,
        default: |_, _| "same".to_owned(),
        check: networks_or_same,
    },
    Question {
        key: "pilot",
        ask: "6/8 the pilot number of the trunk",
        help: "in full, as in +49691234000",
        when: trunk,
        default: nothing,
        check: number,
    },
    Question {
        key: "calls",
        ask: "6/8 calls at once",
        help: "as many as the provider sold",
        when: trunk,
        default: |_, _| "10".to_owned(),
        check: count,
    },
    Question {
        key: "server-port",
        ask: "7/8 port towards the Mediation Server",
        help: "one of the ports shown above",
        when: always,
        default: free,
        check: device,
    },
    Question {
        key: "server-vlan",
        ask: "7/8 its VLAN (or none)",
        help: "1 to 4094; each Mediation Server has a VLAN of its own",
        when: always,
        default: |_, _| "none".to_owned(),
        check: vlan,
    },
    Question {
        key: "server-own",
        ask: "7/8 our address and prefix there",
        help: "as in 10.20.120.1/29",
        when: always,
        default: nothing,
        check: network,
    },
    Question {
        key: "server",
        ask: "7/8 the address of the Mediation Server",
        help: "an address of that network, never a name",
        when: always,
        default: nothing,
        check: address,
    },
    Question {
        key: "server-listens",
        ask: "7/8 where it listens",
        help: "port/tcp, as the topology has it",
        when: always,
        default: |_, _| "5068/tcp".to_owned(),
        check: port,
    },
    Question {
        key: "country",
        ask: "8/8 country (two letters)",
        help: "it says which numbers are emergency numbers, and the law of G.711",
        when: always,
        default: |_, _| "DE".to_owned(),
        check: country,
    },
];

fn any(_: &str) -> Result<(), String> {
    Ok(())
}

fn hostname(typed: &str) -> Result<(), String> {
    let fits = Name::new(typed).is_some();
    fits.then_some(())
        .ok_or_else(|| "small letters, digits, hyphens".to_owned())
}

fn one_of(typed: &str, known: &[&str]) -> Result<(), String> {
    let fits = known.contains(&typed);
    fits.then_some(()).ok_or_else(|| known.join(", "))
}

fn device(typed: &str) -> Result<(), String> {
    let fits = !typed.is_empty() && typed.chars().all(|c| c.is_ascii_graphic() && c != '\'');
    fits.then_some(())
        .ok_or_else(|| "the name of a port".to_owned())
}

fn address(typed: &str) -> Result<(), String> {
    let read = typed.parse::<IpAddr>();
    read.map(drop)
        .map_err(|_| "an address, as in 10.0.0.1".to_owned())
}

fn address_or_none(typed: &str) -> Result<(), String> {
    if typed == "none" {
        Ok(())
    } else {
        address(typed)
    }
}

fn addresses_or_none(typed: &str) -> Result<(), String> {
    if typed == "none" {
        return Ok(());
    }
    typed.split_whitespace().try_for_each(address)
}

fn network(typed: &str) -> Result<(), String> {
    let wrong = || "an address and a prefix, as in 10.0.0.5/24".to_owned();
    let (host, prefix) = typed.split_once('/').ok_or_else(wrong)?;
    let host: IpAddr = host.parse().map_err(|_| wrong())?;
    let most = if host.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
    (prefix <= most).then_some(()).ok_or_else(wrong)
}

fn networks_or_same(typed: &str) -> Result<(), String> {
    if typed == "same" {
        return Ok(());
    }
    typed.split_whitespace().try_for_each(network)
}

fn vlan(typed: &str) -> Result<(), String> {
    let fits = typed == "none"
        || typed
            .parse()
            .is_ok_and(|tag: u16| (1..=4094).contains(&tag));
    fits.then_some(())
        .ok_or_else(|| "1 to 4094, or none".to_owned())
}

fn spoken(typed: &str) -> bool {
    ["udp", "tcp"].contains(&typed)
}

fn socket(typed: &str) -> Result<(), String> {
    let read = typed
        .split_once('/')
        .filter(|(at, by)| at.parse::<SocketAddr>().is_ok() && spoken(by));
    read.map(drop)
        .ok_or_else(|| "as in 172.20.31.1:5060/udp".to_owned())
}

fn port(typed: &str) -> Result<(), String> {
    let read = typed
        .split_once('/')
        .filter(|(at, by)| at.parse::<u16>().is_ok_and(|port| port > 0) && *by == "tcp");
    read.map(drop).ok_or_else(|| "as in 5068/tcp".to_owned())
}

fn number(typed: &str) -> Result<(), String> {
    let digits = typed.strip_prefix('+').unwrap_or_default();
    let fits = (4..=15).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
    fits.then_some(())
        .ok_or_else(|| "in full with a plus, as in +49691234000".to_owned())
}

fn count(typed: &str) -> Result<(), String> {
    let fits = typed.parse::<u32>().is_ok_and(|count| count > 0);
    fits.then_some(()).ok_or_else(|| "a number".to_owned())
}

fn country(typed: &str) -> Result<(), String> {
    let fits = typed.len() == 2 && typed.chars().all(|c| c.is_ascii_uppercase());
    fits.then_some(())
        .ok_or_else(|| "two letters, as in DE".to_owned())
}

/// The name of the secret that a tunnel's key is kept under.
pub const PSK: &str = "vpn/itsp-a";

/// Returns the `set` lines of all answers.
#[must_use]
pub fn lines(answers: &Answers) -> String {
    let of = |key: &str| answers.get(key).map_or("", String::as_str);
    let given = |key: &str| Some(of(key)).filter(|text| !text.is_empty() && *text != "none");
    let mut out = Vec::new();
    for key in ["hostname", "country", "timezone"] {
        out.push(format!("set system {key} {}", of(key)));
    }
    // The time is asked by management alone.
    if let Some(servers) = given("ntp").filter(|_| managed(answers)) {
        out.push(format!("set system ntp [{servers}]"));
    }
    if managed(answers) {
        interface(
            &mut out,
            "mgmt",
            "management",
            answers,
            ["management", "", "management-address", "management-gateway"],
        );
        out.push("set management interface mgmt".to_owned());
    }
    if trunk(answers) {
        let keys = ["trunk-port", "trunk-vlan", "trunk-address", "trunk-gateway"];
        let via = if vpn(answers) {
            interface(&mut out, "internet", "internet", answers, keys);
            out.push("set tunnel itsp-a underlay internet".to_owned());
            out.push(format!("set tunnel itsp-a remote {}", of("tunnel-remote")));
            out.push(format!(
                "set tunnel itsp-a address {}",
                of("tunnel-address")
            ));
            out.push(format!("set tunnel itsp-a auth psk secret {PSK}"));
            "tunnel:itsp-a"
        } else {
            interface(&mut out, "carrier-a", "private", answers, keys);
            "interface:carrier-a"
        };
        out.push(format!("set trunk itsp-a via {via}"));
        out.push(format!("set trunk itsp-a remote [{}]", of("remote")));
        if let Some(networks) = given("media").filter(|text| *text != "same") {
            out.push(format!("set trunk itsp-a media-from [{networks}]"));
        }
        out.push(format!("set trunk itsp-a pilot-number {}", of("pilot")));
        out.push(format!(
            "set trunk itsp-a max-simultaneous-calls {}",
            of("calls")
        ));
    }
    let keys = ["server-port", "server-vlan", "server-own", ""];
    interface(&mut out, "voice-a", "mediation", answers, keys);
    out.push("set mediation med-1 interface voice-a".to_owned());
    out.push(format!("set mediation med-1 address {}", of("server")));
    out.push(format!("set mediation med-1 port {}", of("server-listens")));
    if trunk(answers) {
        for line in [
            "set emergency trunks [itsp-a]",
            "set route outbound from mediation:*",
            r"set route outbound match '\+\d+'",
            "set route outbound to [trunk:itsp-a]",
            "set route inbound from trunk:*",
            r"set route inbound match '\+\d+'",
            "set route inbound to [mediation:med-1]",
        ] {
            out.push(line.to_owned());
        }
    }
    out.join("\n") + "\n"
}

fn interface(out: &mut Vec<String>, name: &str, zone: &str, answers: &Answers, keys: [&str; 4]) {
    let given = |key: &str| {
        let text = answers.get(key).map(String::as_str);
        text.filter(|text| !text.is_empty() && *text != "none")
    };
    out.push(format!("set interface {name} zone {zone}"));
    for (word, key) in ["device", "vlan", "address", "gateway"].iter().zip(keys) {
        match given(key) {
            Some(text) if *word == "address" => {
                out.push(format!("set interface {name} address [{text}]"));
            }
            Some(text) => out.push(format!("set interface {name} {word} {text}")),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use sbc_config::edit::Document;

    use super::*;

    fn answered(given: &[(&'static str, &str)]) -> Answers {
        let mut answers = Answers::new();
        for question in QUESTIONS {
            if !(question.when)(&answers) {
                continue;
            }
            let typed = given.iter().find(|(key, _)| *key == question.key);
            let text = typed.map_or_else(
                || (question.default)(&answers, &[]),
                |(_, text)| (*text).to_owned(),
            );
            (question.check)(&text).unwrap_or_else(|why| panic!("{}: {why}", question.key));
            answers.insert(question.key, text);
        }
        answers
    }

    const MOST: [(&str, &str); 12] = [
        ("timezone", "Europe/Berlin"),
        ("ntp", "10.0.0.1 10.0.0.2"),
        ("management", "enp1s0"),
        ("management-address", "10.0.0.5/24"),
        ("trunk-port", "enp2s0"),
        ("trunk-address", "203.0.113.10/29"),
        ("trunk-gateway", "203.0.113.9"),
        ("pilot", "+49691234000"),
        ("server-port", "enp3s0"),
        ("server-vlan", "120"),
        ("server-own", "10.20.120.1/29"),
        ("server", "10.20.120.2"),
    ];

    /// Whatever is chosen, the answers are a configuration without an error.
    #[test]
    fn each_way_through_the_questions_is_a_node() {
        let ways: [&[(&str, &str)]; 4] = [
            &[("remote", "203.0.113.12:5060/udp")],
            &[
                ("kind", "1"),
                ("tunnel-remote", "198.51.100.20"),
                ("tunnel-address", "192.0.2.1/30"),
                ("remote", "192.0.2.2:5060/tcp"),
            ],
            &[("kind", "3"), ("remote", "203.0.113.12:5060/udp")],
            &[("management", "none"), ("remote", "203.0.113.12:5060/tcp")],
        ];
        for way in ways {
            let given: Vec<_> = way.iter().chain(&MOST).copied().collect();
            let text = lines(&answered(&given));
            let document = Document::from_set(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
            let toml = format!("config-version = 1\n{}", document.to_toml());
            let checked = sbc_config::check(&toml);
            assert!(checked.node.is_some(), "{:?}\n{toml}", checked.problems);
        }
    }

    #[test]
    fn what_cannot_be_is_not_taken() {
        for (key, wrong) in [
            ("hostname", "no blanks"),
            ("ntp", "pool"),
            ("management-address", "10.0.0.5"),
            ("trunk-vlan", "4095"),
            ("remote", "10.0.0.1/tls"),
            ("pilot", "0691234"),
            ("calls", "0"),
            ("server-listens", "5067/tls"),
            ("country", "Germany"),
            ("kind", "4"),
        ] {
            let question = QUESTIONS
                .iter()
                .find(|question| question.key == key)
                .unwrap();
            assert!((question.check)(wrong).is_err(), "{key} took {wrong}");
        }
    }

    #[test]
    fn a_port_that_is_named_already_is_not_offered_again() {
        let link = |device: &str, carrier| Link {
            device: device.to_owned(),
            mac: String::new(),
            carrier,
        };
        let links = [link("a", false), link("b", true), link("c", true)];
        let mut answers = Answers::new();
        assert_eq!(free(&answers, &links), "b");
        answers.insert("management", "b".to_owned());
        assert_eq!(free(&answers, &links), "c");
    }
}
