//! The log in TLS (RFC 5425): a collector whose certificate is as it must be hears it,
//! and no other hears a word. Certificates are made by hand, with openssl.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use super::node::Node;
use super::syslog::{counted, parsed, with};

const SOON: Duration = Duration::from_secs(30);

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// Certificates in a folder of their own.
struct Pki(PathBuf);

impl Pki {
    /// Returns nothing, and reports `test` as skipped, where openssl is not there.
    fn make(test: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            sbc_tests::skip(test, "no openssl to make certificates with");
            return None;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pki-{test}"));
        let _absent = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Some(Self(folder))
    }

    fn openssl(&self, words: &str) {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).current_dir(&self.0);
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {errors}");
    }

    fn authority(&self, name: &str) {
        self.openssl(&format!(
            "req -x509 {KEY} -days 30 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ));
    }

    /// Makes `name`, signed by `authority` for `days`, that says `names`.
    fn signed(&self, name: &str, authority: &str, days: u32, names: &str) {
        std::fs::write(self.0.join("ext"), format!("subjectAltName={names}\n")).unwrap();
        self.openssl(&format!(
            "req -new {KEY} -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key \
             -set_serial 7 -days {days} -extfile ext -out {name}.pem"
        ));
    }

    /// Puts a file below `pki/` of a node's state, for its owner alone.
    fn give(&self, name: &str, state: &Path) {
        let folder = state.join("pki");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("noc.pem");
        std::fs::copy(self.0.join(format!("{name}.pem")), &path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path, mode).unwrap();
    }

    fn server(&self, name: &str, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        let chain = CertificateDer::from_pem_file(self.0.join(format!("{name}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.0.join(format!("{name}.key"))).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).unwrap();
        let builder = builder.with_no_client_auth();
        builder.with_single_cert(vec![chain], key).unwrap()
    }
}

/// Listens for one node after the other; messages come out of the channel.
fn collector(at: &str, settings: ServerConfig) -> Receiver<Vec<u8>> {
    let listener = TcpListener::bind(at).unwrap();
    let settings = Arc::new(settings);
    let (told, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&settings)).unwrap();
            let stream: StreamOwned<_, TcpStream> = StreamOwned::new(session, stream);
            if counted(stream, usize::MAX, &told).is_none() {
                return;
            }
        }
    });
    heard
}

/// Starts a node whose collector listens at `at`, with `authority` in its trust.
fn node(name: &str, net: u8, at: &str, pki: &Pki, authority: Option<&str>, more: &str) -> Node {
    let mut text = with(net, &[("noc", at, "tls")]);
    text = text.replace(
        "transport = \"tls\"",
        "transport = \"tls\"\ntrust = \"noc-ca\"",
    );
    if !more.is_empty() {
        text = text.replace("trust = \"noc-ca\"", &format!("trust = \"noc-ca\"\n{more}"));
    }
    text.push_str("\n[trust.noc-ca]\npem = \"pki/noc.pem\"\n");
    let node = Node::with(name, &text);
    if let Some(authority) = authority {
        pki.give(authority, &node.folder.join("state"));
    }
    node
}

/// RFC 5425 §4.2 and §5.2: TLS 1.2 or later, and the name or address is in the
/// certificate.
#[test]
fn a_collector_that_is_who_it_must_be_hears_the_log_in_tls() {
    let Some(pki) = Pki::make("tls") else { return };
    pki.authority("noc-ca");
    for (net, versions, names, more) in [
        (74, [&rustls::version::TLS13], "IP:127.42.74.2", ""),
        (
            75,
            [&rustls::version::TLS12],
            "DNS:noc.example",
            "remote-id = \"noc.example\"",
        ),
    ] {
        pki.signed("noc", "noc-ca", 30, names);
        let at = format!("127.42.{net}.2:6514");
        let heard = collector(&at, pki.server("noc", &versions));
        let node = node(&format!("tls-{net}"), net, &at, &pki, Some("noc-ca"), more);
        let first = heard.recv_timeout(SOON).unwrap();
        assert_eq!(parsed(&first).text, "console starts, revision 1");
        node.until(SOON, |node| node.answer("show syslog").contains("tls up"));
    }
}

/// RFC 5425 §5.2: whoever is another hears nothing, and the operator hears why.
#[test]
fn a_collector_that_is_another_is_told_nothing_and_the_node_says_why() {
    let Some(pki) = Pki::make("tls-wrong") else {
        return;
    };
    pki.authority("noc-ca");
    pki.authority("other-ca");
    let address = |net: u8| format!("IP:127.42.{net}.2");
    let cases = [
        (
            76,
            "noc-ca",
            30,
            address(1),
            Some("noc-ca"),
            "SBC-2221",
            "is not for 127.42.76.2",
        ),
        (
            77,
            "noc-ca",
            0,
            address(77),
            Some("noc-ca"),
            "SBC-2221",
            "has ended",
        ),
        (
            78,
            "other-ca",
            30,
            address(78),
            Some("noc-ca"),
            "SBC-2221",
            "no authority of trust noc-ca",
        ),
        (
            79,
            "noc-ca",
            30,
            address(79),
            None,
            "SBC-2222",
            "trust noc-ca",
        ),
    ];
    for (net, signer, days, names, trust, code, why) in cases {
        pki.signed("noc", signer, days, &names);
        let at = format!("127.42.{net}.2:6514");
        let heard = collector(&at, pki.server("noc", rustls::ALL_VERSIONS));
        let node = node(&format!("tls-{net}"), net, &at, &pki, trust, "");
        // What is told is folded into lines of the console.
        node.until(SOON, |node| {
            let told = node.answer("show syslog | json");
            told.contains(code) && told.contains(why)
        });
        assert!(heard.try_recv().is_err(), "{why}");
        let listed: serde_json::Value =
            serde_json::from_str(&node.answer("show syslog | json")).unwrap();
        assert_eq!(
            (&listed[0]["state"], &listed[0]["sent"]),
            (&"down".into(), &0.into())
        );
        assert!(node.answer(&format!("explain {code}")).contains("Fix"));
    }
}

/// What speaks no TLS, or an older one than ours, is not reached.
#[test]
fn a_collector_without_tls_is_named_so() {
    let Some(pki) = Pki::make("tls-none") else {
        return;
    };
    pki.authority("noc-ca");
    let at = "127.42.80.2:6514";
    let listener = TcpListener::bind(at).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _gone = std::io::Write::write_all(&mut stream, b"220 hello\r\n");
        }
    });
    let node = node("tls-80", 80, at, &pki, Some("noc-ca"), "");
    node.until(SOON, |node| {
        node.answer("show syslog | json")
            .contains("SBC-2220: no TLS with it")
    });
}
