//! A tunnel whose ends know each other by certificates: authorities, keys and the
//! far end's configuration are made by hand, with openssl and in the words of
//! strongSwan's own documentation.

use std::path::{Path, PathBuf};
use std::process::Command;

use sbc_tests::kit::guest::Guest;
use sbc_tests::kit::router::{INTERNET, connections};
use sbc_tests::kit::vswitch::frame::{Carried, carried};

use crate::stage::{folder, tools};
use crate::tunnel::{FILE, World};

/// By what the far end knows itself, and the node, in place of the secret.
const LOCAL: &str = "auth = pubkey\ncerts = carrier.pem\nid = vpn.carrier.example";
const REMOTE: &str = "auth = pubkey\nid = sbc.example\ncacerts = node-ca.pem";

/// Certificates and keys, as files of one folder.
struct Pki(PathBuf);

impl Pki {
    fn new(test: &str) -> Self {
        let folder = folder(test).join("pki");
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn openssl(&self, words: &str) {
        let mut command = Command::new("openssl");
        let command = command.args(words.split_whitespace());
        let output = command.current_dir(&self.0).output().expect("openssl");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {errors}");
    }

    /// Makes an authority: `NAME.pem` and `NAME.key`.
    fn authority(&self, name: &str) {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -days 3650 \
             -keyout {name}.key -out {name}.pem -subj /O=Lab/CN={name}"
        ));
    }

    /// Makes what `authority` signs; `may_sign` is another authority below it.
    fn signed(&self, name: &str, host: &str, authority: &str, may_sign: bool) {
        let may = if may_sign { "TRUE" } else { "FALSE" };
        let extensions = format!("subjectAltName=DNS:{host}\nbasicConstraints=critical,CA:{may}\n");
        std::fs::write(self.0.join("extensions"), extensions).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key \
             -out {name}.csr -subj /O=Lab/CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key \
             -CAcreateserial -days 365 -extfile extensions -out {name}.pem"
        ));
    }

    fn text(&self, files: &[&str]) -> String {
        let read = |file: &&str| std::fs::read_to_string(self.0.join(file)).unwrap();
        files.iter().map(read).collect()
    }

    /// Puts files into a guest under one name.
    fn give(&self, guest: &mut Guest, to: &str, files: &[&str]) {
        let folder = Path::new(to).parent().unwrap().display().to_string();
        guest.ok(&format!("mkdir -p {folder}")).unwrap();
        guest.put(to, 0o600, self.text(files)).unwrap();
    }
}

/// Two authorities, one below the other on our side; a pair of ends; and others that
/// do not fit.
fn pki(test: &str) -> Pki {
    let pki = Pki::new(test);
    for authority in ["carrier-ca", "node-ca", "foreign-ca"] {
        pki.authority(authority);
    }
    pki.signed("between", "between.example", "node-ca", true);
    pki.signed("node", "sbc.example", "between", false);
    pki.signed("carrier", "vpn.carrier.example", "carrier-ca", false);
    pki.signed("other", "sbc.example", "foreign-ca", false);
    pki
}

fn file() -> String {
    let secret = "auth      = { psk = { secret = \"vpn/itsp\" } }";
    assert!(FILE.contains(secret), "the file of all tunnels");
    let auth = "auth = { certificate = \"node\", trust = \"carrier\", \
                remote-id = \"vpn.carrier.example\" }";
    let tables = "\n[certificate.node]\nchain = \"pki/node.pem\"\n\
                  key = { secret = \"vpn/node\" }\n\n\
                  [trust.carrier]\npem = \"pki/carrier.pem\"\n";
    FILE.replace(secret, auth) + tables
}

/// A world whose far end wants certificates.
fn world(test: &str, pki: &Pki) -> Option<World> {
    let mut world = World::set(test)?;
    let peer = &mut world.peer.guest;
    pki.give(peer, "/etc/swanctl/x509/carrier.pem", &["carrier.pem"]);
    pki.give(peer, "/etc/swanctl/private/carrier.key", &["carrier.key"]);
    pki.give(peer, "/etc/swanctl/x509ca/node-ca.pem", &["node-ca.pem"]);
    peer.put(
        "/etc/swanctl/swanctl.conf",
        0o600,
        connections(LOCAL, REMOTE),
    )
    .unwrap();
    world.peer.kill().unwrap();
    world.peer.start().unwrap();
    Some(world)
}

fn give_node(world: &mut World, pki: &Pki, key: &str, chain: &[&str], authority: &str) {
    let node = &mut world.stage.node;
    pki.give(node, "/data/secrets/vpn/node", &[key]);
    pki.give(node, "/data/pki/node.pem", chain);
    pki.give(node, "/data/pki/carrier.pem", &[authority]);
}

const CHAIN: [&str; 2] = ["node.pem", "between.pem"];

/// Returns a node whose tunnel is up with certificates and carried calls, or nothing
/// when `test` was skipped.
fn certified(test: &str) -> Option<(World, Pki)> {
    if !sbc_tests::is_full(test) || tools(test).is_none() {
        return None;
    }
    let pki = pki(test);
    let mut world = world(test, &pki)?;
    give_node(&mut world, &pki, "node.key", &CHAIN, "carrier-ca.pem");
    world.stage.run(&file());
    world.up(0);
    world.calls();
    Some((world, pki))
}

#[test]
fn calls_pass_a_tunnel_with_certificates_and_nothing_is_in_clear() {
    let name = "calls_pass_a_tunnel_with_certificates_and_nothing_is_in_clear";
    let Some((mut world, pki)) = certified(name) else {
        return;
    };
    let line = "swanctl --rekey --ike sbc";
    world.peer.guest.ok(line).unwrap();
    world.calls();

    let mut told = world.stage.log();
    for ask in ["show alarms", "show configuration", "show secrets"] {
        told += &world.stage.ask(ask);
    }
    told += &world.stage.node.ok("sbc plan /etc/sbc/node.toml").unwrap();
    assert!(told.contains("certificate node trust carrier id vpn.carrier.example"));
    for line in pki
        .text(&["node.key"])
        .lines()
        .filter(|line| line.len() > 30)
    {
        assert!(!told.contains(line), "a line of the key was told");
    }
    world.nothing_in_clear();
}

/// What is wrong, the key, the chain, the authority, and what is said of it.
const WRONG: [(&str, &str, &[&str], &str, &str); 5] = [
    (
        "the far end is signed by another authority",
        "node.key",
        &CHAIN,
        "foreign-ca.pem",
        "SBC-2206",
    ),
    (
        "ours is signed by another authority",
        "other.key",
        &["other.pem"],
        "carrier-ca.pem",
        "SBC-2207",
    ),
    (
        "the key is another's",
        "other.key",
        &CHAIN,
        "carrier-ca.pem",
        "SBC-2203",
    ),
    (
        "what is trusted signs nobody",
        "node.key",
        &CHAIN,
        "carrier.pem",
        "SBC-2204",
    ),
    (
        "what is to be a certificate is a key",
        "node.key",
        &["other.key"],
        "carrier-ca.pem",
        "SBC-2202",
    ),
];

#[test]
fn a_wrong_or_late_certificate_keeps_the_tunnel_down_and_is_told_in_clear_words() {
    let name = "a_wrong_or_late_certificate_keeps_the_tunnel_down_and_is_told_in_clear_words";
    if !sbc_tests::is_full(name) || tools(name).is_none() {
        return;
    }
    let pki = pki(name);
    let Some(mut world) = world(name, &pki) else {
        return;
    };
    let mut first = true;
    for (what, key, chain, authority, code) in WRONG {
        give_node(&mut world, &pki, key, chain, authority);
        refused(&mut world, first, what, code);
        first = false;
    }
    // The clock of the node stands two years ahead: its certificate has ended.
    give_node(&mut world, &pki, "node.key", &CHAIN, "carrier-ca.pem");
    world
        .stage
        .node
        .shell("busybox date -s @$(($(busybox date +%s) + 63072000))")
        .unwrap();
    refused(&mut world, false, "the certificate has ended", "SBC-2201");
    world
        .stage
        .node
        .shell("busybox date -s @$(($(busybox date +%s) - 63072000))")
        .unwrap();
    world.stage.node.ok("rm /data/pki/node.pem").unwrap();
    refused(&mut world, false, "the certificate is missing", "SBC-2202");

    give_node(&mut world, &pki, "node.key", &CHAIN, "carrier-ca.pem");
    world.stage.kill();
    world.stage.start();
    world.up(0);
    world.calls();
    world.nothing_in_clear();
}

/// Starts the node, and waits until it says why its tunnel is down.
fn refused(world: &mut World, first: bool, what: &str, code: &str) {
    if first {
        world.stage.run(&file());
    } else {
        world.stage.kill();
        world.stage.start();
    }
    let log = world.stage.log_until(what, |log| {
        let tells = |line: &str| line.contains("tunnel=\"itsp\"") && line.contains(code);
        log.lines().any(tells)
    });
    let line = log.lines().rfind(|line| line.contains(code)).unwrap();
    println!("{what}: {line}");
    let up = log.contains("tunnel=\"itsp\" up=true");
    assert!(!up, "{what}:\n{log}");
    let since = std::time::Instant::now();
    loop {
        let alarms = world.stage.ask("show alarms");
        if alarms.contains("tunnel-down") && alarms.contains(code) {
            return;
        }
        assert!(since.elapsed() < crate::stage::PATIENCE, "{what}: {alarms}");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

/// Returns how many messages began an association (IKE_SA_INIT, RFC 7296 §3.1).
fn begun(world: &World) -> usize {
    const IKE_SA_INIT: u8 = 34;
    let seen = world.stage.switch.seen(INTERNET).into_iter();
    let begins = |frame: &[u8]| match carried(frame) {
        // Ethernet, IPv4 without options, UDP, and the exchange in the header of IKE.
        Carried::Ipv4(packet) if packet.ports == Some((500, 500)) => {
            frame.get(14 + 20 + 8 + 18) == Some(&IKE_SA_INIT)
        }
        _ => false,
    };
    seen.filter(|seen| begins(&seen.frame)).count()
}

#[test]
fn a_renewed_certificate_is_shown_at_the_next_authentication_and_the_tunnel_stays() {
    let name = "a_renewed_certificate_is_shown_at_the_next_authentication_and_the_tunnel_stays";
    let Some((mut world, pki)) = certified(name) else {
        return;
    };
    pki.signed("second", "second.example", "node-ca", true);

    let asked = world.stage.ask("request certificate renew node");
    let (from, to) = (asked.find("-----BEGIN"), asked.find("Have it"));
    let request = asked[from.expect(&asked)..to.expect(&asked)].to_owned();
    std::fs::write(pki.0.join("renewed.csr"), request).unwrap();
    pki.openssl(
        "x509 -req -in renewed.csr -CA second.pem -CAkey second.key -CAcreateserial \
         -days 300 -copy_extensions copy -out renewed.pem",
    );
    let (log, before) = (world.stage.log(), begun(&world));
    let chain = pki.text(&["renewed.pem", "second.pem"]);
    // An emulated clock may be a moment behind that of whoever signed.
    let since = std::time::Instant::now();
    let said = loop {
        let import = format!("request certificate import node\n{chain}\u{4}\n");
        let said = world.stage.follows(&import);
        if !said.contains("begins on") || since.elapsed() > crate::stage::PATIENCE {
            break said;
        }
    };
    assert!(said.contains("with the next association: itsp"), "{said}");
    let told = |text: &str| text[log.len()..].contains("charon holds every tunnel");
    world.stage.log_until("charon knows it", told);
    world.calls();
    assert_eq!(begun(&world), before, "another association was begun");
    assert!(!world.stage.log()[log.len()..].contains("up=false"));
    assert!(
        !world.peer.log().contains("CN=second"),
        "it is shown too soon"
    );

    // An association that charon is at work on is none that it finds; then it is asked
    // again.
    world
        .peer
        .guest
        .until(
            crate::stage::PATIENCE,
            "swanctl --terminate --ike sbc",
            |_| true,
        )
        .unwrap();
    world.up(log.len());
    world.calls();
    let heard = world.peer.log();
    assert!(heard.contains("CN=second"), "{heard}");
    let shown = world.stage.ask("show certificates");
    assert!(
        shown.contains("fine") && !shown.contains("waits"),
        "{shown}"
    );
    world.nothing_in_clear();
}
