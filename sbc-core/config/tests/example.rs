//! The two examples: one says everything a file can say and is refused for
//! exactly what this image lacks, the other is its part that works today.
#![expect(clippy::unwrap_used, reason = "a test may say what it means")]

use std::net::IpAddr;
use std::time::Duration;

use sbc_config::peer::{Codec, Transport};
use sbc_config::{Checked, Name, Node, PeerName, check, render};

const WHOLE: &str = include_str!("example.toml");
const TODAY: &str = include_str!("example-today.toml");

fn today() -> Node {
    let Checked { node, problems } = check(TODAY);
    assert!(
        problems.is_empty(),
        "{}",
        render::text("example-today.toml", TODAY, &problems)
    );
    node.unwrap()
}

fn trunk(name: &str) -> PeerName {
    PeerName::Trunk(Name::new(name).unwrap())
}

fn server(name: &str) -> PeerName {
    PeerName::Mediation(Name::new(name).unwrap())
}

#[test]
fn the_whole_example_is_refused_for_what_this_image_lacks_and_nothing_else() {
    let Checked { node, problems } = check(WHOLE);
    let found: Vec<String> = problems
        .iter()
        .map(|p| format!("{} {}", p.code, p.path))
        .collect();
    let expected = [
        "SBC-0901 management.ssh",
        "SBC-0901 management.web",
        "SBC-0901 management.metrics",
        "SBC-0901 user.alice.ssh-keys",
        "SBC-0901 tls",
        "SBC-0901 trunk.itsp-b.remote",
        "SBC-0901 trunk.itsp-b.dns",
        "SBC-0901 trunk.itsp-b.tls",
        "SBC-0901 trunk.itsp-b.srtp",
        "SBC-0901 trunk.itsp-c.registration",
        "SBC-0901 trunk.itsp-c.credentials",
        "SBC-0901 mediation.med-1.tls",
        "SBC-0901 mediation.med-2.port",
        "SBC-0901 mediation.med-2.listen",
        "SBC-0901 mediation.med-2.tls",
        "SBC-0901 mediation.med-2.srtp",
        "SBC-0901 mediation.med-2.refer",
        "SBC-0901 emergency.elin",
        "SBC-0901 cdr.syslog",
        "SBC-0901 hep",
    ];
    assert_eq!(found, expected);
    assert!(node.is_none());
    assert!(
        problems.iter().all(|problem| problem.help.is_some()),
        "each says what works today"
    );
}

/// RFC 3261 §19.1.2: port 5060 where none is written.
#[test]
fn the_example_of_today_becomes_a_node() {
    let node = today();
    assert_eq!(node.system.hostname, "sbc-fra-01");
    assert_eq!(node.trunks.len() + node.mediation.len(), 4);
    let b = node.peer(&trunk("itsp-b")).unwrap();
    let targets: Vec<String> = b.targets.iter().map(ToString::to_string).collect();
    assert_eq!(targets, ["172.20.31.1:5060/udp", "172.20.31.5:5060/udp"]);
    assert_eq!(b.codecs, [Codec::Pcma]);
    assert_eq!(b.responses.apply(480), 503);
    assert_eq!(b.responses.apply(486), 486);
    let med = node.peer(&server("med-1")).unwrap();
    assert_eq!(med.listen[0].to_string(), "10.20.120.1:5066/tcp");
    assert_eq!(med.progress_guard, Some(Duration::from_secs(6)));
    assert_eq!(med.codecs, [Codec::Pcma, Codec::Pcmu]);
    assert_eq!(node.listeners().len(), 4);
}

#[test]
fn each_path_has_its_cost_and_limit() {
    let node = today();
    let a = node.peer(&trunk("itsp-a")).unwrap();
    assert_eq!(a.path.cost_bits_per_call(), 111_200);
    assert_eq!(a.admission.limit(), Some(50));
    assert_eq!(a.path.calls_that_fit(6_000_000), 53);
    assert_eq!(
        node.peer(&trunk("itsp-b"))
            .unwrap()
            .path
            .cost_bits_per_call(),
        88_800
    );
    assert_eq!(node.peer(&server("med-1")).unwrap().admission.limit(), None);
}

#[test]
fn only_a_listed_source_is_a_peer() {
    let node = today();
    let local = node.peer(&trunk("itsp-b")).unwrap().listen[0];
    assert_eq!(local.transport, Transport::Udp);
    let at = |source: &str| node.peer_at(source.parse::<IpAddr>().unwrap(), local);
    assert_eq!(at("172.20.31.5").unwrap().name, trunk("itsp-b"));
    assert!(at("172.20.31.6").is_none());
    assert!(at("10.20.120.2").is_none());
}

#[test]
fn media_comes_from_the_listed_networks_and_never_from_ourselves() {
    let node = today();
    let b = node.peer(&trunk("itsp-b")).unwrap();
    assert!(b.may_send_media("172.20.32.9".parse().unwrap()));
    assert!(
        !b.may_send_media("172.20.31.2".parse().unwrap()),
        "that is the node"
    );
    assert!(!b.may_send_media("192.0.2.2".parse().unwrap()));
}

#[test]
fn numbers_change_their_form_at_the_border() {
    let node = today();
    let a = node.peer(&trunk("itsp-a")).unwrap();
    assert_eq!(a.numbers.outward("+4930555100"), "030555100");
    assert_eq!(a.numbers.outward("+33144556677"), "0033144556677");
    assert_eq!(a.numbers.inward("030555100"), "+4930555100");
    assert_eq!(a.numbers.outward("112"), "112");
}

#[test]
fn the_first_route_that_matches_decides() {
    let node = today();
    let from = server("med-1");
    let out: Vec<_> = node
        .routes_for(&from, "+33144556677")
        .map(|route| route.name.as_str())
        .collect();
    assert_eq!(out, ["outbound"]);
    let from = trunk("itsp-a");
    let inside = node.routes_for(&from, "+49691234001").next().unwrap();
    assert_eq!(inside.to, [server("med-1"), server("med-2")]);
    assert!(node.routes_for(&from, "+4930555100").next().is_none());
    assert!(node.emergency.is_emergency("112") && !node.emergency.is_emergency("1120"));
}
