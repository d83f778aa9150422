//! What the standards ask of a configuration, each rule on the small file with
//! one line changed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what it means"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use sbc_config::network::Suite;
use sbc_config::peer::{
    Asserted, Codec, Drain, EarlyMedia, EmergencyLocation, History, HoldFormat, Peer, Prack,
    Redirect, Refer, Refresher,
};
use sbc_config::{Node, check, check_with};

const SMALL: &str = include_str!("small.toml");

const TUNNEL: &str = r#"
[interface.internet]
zone = "internet"
device = "enp2s0"
address = ["203.0.113.10/29"]

[tunnel.vpn]
underlay = "internet"
remote = "198.51.100.20"
address = "192.0.2.1/30"
auth = { psk = { secret = "vpn/itsp-a" } }
"#;

/// Returns the codes of `text`.
fn codes(text: &str) -> Vec<String> {
    check(text)
        .problems
        .iter()
        .map(|problem| problem.code.to_string())
        .collect()
}

/// Returns the small file with `line` in the trunk's table.
fn trunk_with(line: &str) -> String {
    SMALL.replace("[trunk.itsp-a]\n", &format!("[trunk.itsp-a]\n{line}\n"))
}

fn small() -> Node {
    check(SMALL).node.unwrap()
}

fn trunk(node: &Node) -> &Peer {
    &node.trunks["itsp-a"].peer
}

fn server(node: &Node) -> &Peer {
    &node.mediation["med-1"].peer
}

/// RFC 3262 §3, RFC 3264 §8.4, RFC 3960 §3, RFC 7544 §3, RFC 6442 §3, RFC 3515
/// §2.4.2, RFC 3261 §8.1.3.4: a provider in static mode outside, a Mediation
/// Server untouched inside.
#[test]
fn the_bare_defaults_are_a_static_provider_and_an_untouched_server() {
    let node = small();
    let (out, inside) = (trunk(&node), server(&node));
    assert_eq!(
        (out.hold_format, inside.hold_format),
        (HoldFormat::Sendonly, HoldFormat::Inactive)
    );
    assert_eq!(
        (out.history, inside.history),
        (History::Diversion, History::HistoryInfo)
    );
    assert_eq!(
        (out.drain, inside.drain),
        (Drain::Unavailable, Drain::Silent)
    );
    assert_eq!(
        (out.progress_guard, inside.progress_guard),
        (None, Some(Duration::from_secs(6)))
    );
    for peer in [out, inside] {
        assert_eq!(peer.prack, Prack::Supported);
        assert_eq!(peer.early_media, EarlyMedia::Normalise);
        assert_eq!(peer.redirect, Redirect::Follow);
        assert_eq!(peer.refer, Refer::Refuse);
        assert_eq!(peer.max_early_dialogs, 20);
        assert_eq!(peer.retry_after, Some(Duration::from_secs(5)));
    }
    assert_eq!(
        node.trunks["itsp-a"].emergency_location,
        EmergencyLocation::Pass
    );
}

/// RFC 3324 §2.3, RFC 3325: the trust domain; RFC 3261 §19.1.1: user=phone.
#[test]
fn a_foreign_caller_is_asserted_as_our_number_outside_and_as_himself_inside() {
    let node = small();
    assert_eq!(trunk(&node).identity.foreign, Asserted::Did);
    assert_eq!(server(&node).identity.foreign, Asserted::Original);
    assert_eq!(
        (trunk(&node).identity.ppi, server(&node).identity.ppi),
        (Asserted::None, Asserted::Original)
    );
    assert!(trunk(&node).identity.trusted && trunk(&node).headers.user_phone);
}

/// RFC 4028 §4 and §7: half an hour, never below 90 s, refreshed by us. RFC
/// 4028 §5: the least is never above what is asked for.
#[test]
fn a_session_lives_half_an_hour_and_is_refreshed_by_the_node() {
    let node = small();
    let timer = trunk(&node).session_timer;
    assert_eq!(
        (timer.expires, timer.min),
        (Duration::from_secs(1800), Duration::from_secs(90))
    );
    assert_eq!(timer.refresher, Refresher::Node);
    assert_eq!(
        codes(&trunk_with("session-timer.min = \"60s\"")),
        ["SBC-0006"]
    );
    assert_eq!(
        codes(&trunk_with(
            "session-timer = { expires = \"100s\", min = \"101s\" }"
        )),
        ["SBC-0406"]
    );
}

/// RFC 3551 §4.5.14 and §6.
#[test]
fn g711_has_its_names_and_payload_types() {
    assert_eq!(
        (Codec::Pcmu.name(), Codec::Pcmu.payload_type()),
        ("PCMU", 0)
    );
    assert_eq!(
        (Codec::Pcma.name(), Codec::Pcma.payload_type()),
        ("PCMA", 8)
    );
    let states = check(&SMALL.replace("\"DE\"", "\"US\"")).node.unwrap();
    assert_eq!(trunk(&states).codecs, [Codec::Pcmu, Codec::Pcma]);
}

/// RFC 1918 §3, RFC 6598 §7, RFC 4193 §3.1, RFC 3927 §1.5: ESP does not pass
/// the translator such an address stands behind.
#[test]
fn a_private_outer_address_needs_nat_traversal() {
    let private = [
        "10.9.9.9",
        "172.16.0.1",
        "192.168.7.7",
        "100.64.0.1",
        "100.127.255.254",
        "169.254.1.1",
    ];
    for remote in private {
        let text = format!("{SMALL}{TUNNEL}").replace("198.51.100.20", remote);
        assert_eq!(codes(&text), ["SBC-0304"], "{remote}");
        assert_eq!(
            codes(&(text + "nat-traversal = \"auto\"\n")),
            [""; 0],
            "{remote}"
        );
    }
    let v6 = format!("{SMALL}{TUNNEL}").replace("198.51.100.20", "fd00::9");
    assert_eq!(codes(&v6), ["SBC-0304", "SBC-0901"]);
    for remote in [
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "198.51.100.20",
    ] {
        let text = format!("{SMALL}{TUNNEL}").replace("198.51.100.20", remote);
        assert_eq!(codes(&text), [""; 0], "{remote}");
    }
}

/// RFC 8221 §5 and RFC 8247 §2: one strong proposal, or the named one of CNSA.
#[test]
fn a_tunnel_proposes_one_strong_suite() {
    let suite = |text: &str| check(text).node.map(|node| node.tunnels["vpn"].suite);
    let text = format!("{SMALL}{TUNNEL}");
    assert_eq!(suite(&text), Some(Suite::Aes256Gcm16Prfsha256X25519));
    let cnsa = format!("{text}suite = \"cnsa\"\n");
    assert_eq!(
        suite(&cnsa).map(Suite::proposal),
        Some("aes256gcm16-prfsha384-ecp384")
    );
    for weak in [
        "3des-sha1-modp1024",
        "aes128-sha256-modp2048",
        "null-sha256",
        "",
    ] {
        assert_eq!(
            codes(&format!("{text}suite = \"{weak}\"\n")),
            ["SBC-0305"],
            "{weak}"
        );
    }
}

/// RFC 7296 §2.15: a shared secret is not guessed.
#[test]
fn a_shared_secret_is_in_the_store_and_long_enough() {
    let text = format!("{SMALL}{TUNNEL}");
    let with = |secrets: &[(&str, usize)]| {
        let store: BTreeMap<String, usize> =
            secrets.iter().map(|(n, l)| ((*n).to_owned(), *l)).collect();
        let problems = check_with(&text, Some(&store)).problems;
        problems
            .iter()
            .map(|problem| problem.code.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(with(&[("vpn/itsp-a", 20)]), [""; 0]);
    assert_eq!(with(&[("vpn/itsp-a", 19)]), ["SBC-0307"]);
    assert_eq!(with(&[("vpn/itsp-b", 40)]), ["SBC-0601"]);
}

/// RFC 6890 §2.2, RFC 3021 §2.1: what a host can be called.
#[test]
fn an_address_of_a_node_or_peer_is_that_of_a_host() {
    for address in [
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "0.1.2.3",
        "::",
        "ff02::1",
    ] {
        let bracketed = if address.contains(':') {
            format!("[{address}]")
        } else {
            address.to_owned()
        };
        let text = SMALL.replace("172.20.31.1:5060", &format!("{bracketed}:5060"));
        assert_eq!(codes(&text), ["SBC-0005"], "{address}");
    }
    assert_eq!(
        codes(&SMALL.replace("172.20.31.2/29", "172.20.31.0/29")),
        ["SBC-0006"]
    );
    assert_eq!(
        codes(&SMALL.replace("172.20.31.2/29", "172.20.31.0/31")),
        [""; 0]
    );
}

/// RFC 1123 §2.1: labels of letters, digits and inner hyphens, a digit first
/// too. RFC 3261 §25.1: a header name is a token.
#[test]
fn host_and_header_names_keep_their_grammar() {
    let host =
        |name: &str| codes(&SMALL.replace("hostname = \"sbc\"", &format!("hostname = \"{name}\"")));
    for good in ["3com", "a-b.example", &"a".repeat(63)] {
        assert_eq!(host(good), [""; 0], "{good}");
    }
    for bad in ["-a", "a-", "a..b", "a_b", "", &"a".repeat(64)] {
        assert_eq!(host(bad), ["SBC-0005"], "{bad}");
    }
    let pass = |name: &str| codes(&trunk_with(&format!("headers.pass = [\"{name}\"]")));
    assert_eq!(pass("X-Carrier.Id!"), [""; 0]);
    for bad in ["X Carrier", "X:", "", "Ü"] {
        assert_eq!(pass(bad), ["SBC-0005"], "{bad}");
    }
}

/// RFC 2474 §4.2.2 and §4.2.2.2, RFC 2597 §6, RFC 3246 §2.7, RFC 5865 §2.3: the
/// bits of each name; RFC 4594 §4.1: voice is EF.
#[test]
fn marks_have_their_bits_and_voice_is_ef() {
    let media = |mark: &str| {
        let text = format!("{SMALL}\n[qos]\ndscp = {{ media = \"{mark}\" }}\n");
        check(&text).node.map(|node| node.qos.media)
    };
    let expected = [
        ("EF", 46),
        ("VA", 44),
        ("CS3", 24),
        ("AF41", 34),
        ("AF11", 10),
        ("BE", 0),
        ("CS7", 56),
    ];
    for (mark, bits) in expected {
        assert_eq!(media(mark), Some(bits), "{mark}");
    }
    assert_eq!(media("AF14"), None);
    let node = small();
    assert_eq!((node.qos.signalling, node.qos.media), (24, 46));
}

/// RFC 3261 §18.1.1: within 200 octets of the MTU a request goes by TCP.
#[test]
fn udp_over_a_narrow_path_is_warned_about() {
    let udp = SMALL.replace("5060/tcp", "5060/udp");
    assert_eq!(codes(&udp), [""; 0]);
    let narrow = udp.replace("vlan = 310", "vlan = 310\nmtu = 1499");
    assert_eq!(codes(&narrow), ["SBC-0417"]);
}

/// RFC 3263, RFC 4568, RFC 5424, RFC 6140: named in the schema, brought by a later image,
/// and a table that is set aside may name them already.
#[test]
fn what_a_later_image_brings_is_refused_unless_set_aside() {
    assert_eq!(
        codes(&trunk_with("registration = { mode = \"gin\" }")),
        ["SBC-0901"]
    );
    assert_eq!(codes(&trunk_with("srtp = \"required\"")), ["SBC-0901"]);
    assert_eq!(codes(&trunk_with("dns.pin = true")), ["SBC-0901"]);
    assert_eq!(codes(&trunk_with("srtp = \"off\"")), [""; 0]);
    let log = format!("{SMALL}\n[cdr]\nsyslog = true\n");
    assert_eq!(codes(&log), ["SBC-0901"]);
    let aside = format!(
        "{SMALL}\n[trunk.later]\nactive = false\nvia = \"interface:mpls\"\nregistration = {{ mode = \"gin\" }}\n"
    );
    assert_eq!(codes(&aside), [""; 0]);
}

#[test]
fn a_profile_gives_what_its_peers_leave_unsaid() {
    let profile = "\n[profile.habits]\nprofile = \"base\"\nptime = 30\nidentity.pai = \"pilot\"\n\
                   \n[profile.base]\nptime = 40\ndrain = \"silent\"\nidentity.from = \"did\"\n";
    let text = trunk_with("profile = \"habits\"\nidentity.ppi = \"did\"") + profile;
    let node = check(&text).node.unwrap();
    let peer = trunk(&node);
    assert_eq!((peer.ptime, peer.drain), (30, Drain::Silent));
    let identity = (peer.identity.from, peer.identity.pai, peer.identity.ppi);
    assert_eq!(identity, (Asserted::Did, Asserted::Pilot, Asserted::Did));
    assert_eq!(server(&node).ptime, 20);
}

#[test]
fn a_peer_that_is_set_aside_is_in_no_node_and_no_route() {
    let second =
        "\n[mediation.med-2]\nactive = false\ninterface = \"voice-a\"\naddress = \"10.20.120.3\"\n";
    let both = SMALL.replace(
        "[\"mediation:med-1\"]",
        "[\"mediation:med-2\", \"mediation:med-1\"]",
    );
    let node = check(&(both + second)).node.unwrap();
    assert_eq!(node.mediation.len(), 1);
    assert_eq!(node.routes[1].to.len(), 1);
}

#[test]
fn equal_files_make_equal_peers() {
    assert_eq!(small(), small());
    let other = check(&trunk_with("ptime = 30")).node.unwrap();
    assert_ne!(trunk(&small()), trunk(&other));
    assert_eq!(server(&small()), server(&other));
}

#[test]
fn management_admits_the_network_of_its_interface() {
    let mgmt = "\n[interface.mgmt]\nzone = \"management\"\ndevice = \"enp1s0\"\naddress = [\"10.0.0.5/24\"]\n\
                \n[management]\ninterface = \"mgmt\"\n";
    let node = check(&format!("{SMALL}{mgmt}")).node.unwrap();
    let allow: Vec<String> = node
        .management
        .allow
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(allow, ["10.0.0.0/24"]);
}
