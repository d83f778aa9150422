//! Certificates at the console: requests that openssl judges, certificates that it
//! signs, pasted into a terminal.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::node::Node;
use super::planted::found_below;
use super::pty::Pty;

/// Time for what should be at once, on a machine that does much else.
const SOON: Duration = Duration::from_secs(30);

/// The independent hand.
struct Openssl(PathBuf);

impl Openssl {
    fn at(node: &Node) -> Self {
        let folder = node.folder.join("ca");
        std::fs::create_dir_all(&folder).unwrap();
        let own = Self(folder);
        for name in ["ca", "foreign"] {
            own.run(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -days 900 \
                 -keyout {name}.key -out {name}.pem -subj /O=Lab/CN={name}"
            ));
        }
        own
    }

    fn run(&self, words: &str) -> String {
        let mut command = Command::new("openssl");
        let command = command.args(words.split_whitespace());
        let output = command.current_dir(&self.0).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "openssl {words}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned() + &errors
    }

    /// Signs a request for so many days, with an extension beside its names.
    fn signs(&self, request: &str, authority: &str, days: i32, extension: &str) -> String {
        std::fs::write(self.0.join("one.csr"), request).unwrap();
        let told = self.run("req -verify -noout -in one.csr");
        assert!(told.contains("verify OK"), "{told}");
        std::fs::write(self.0.join("extensions"), extension).unwrap();
        self.run(&format!(
            "x509 -req -in one.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial \
             -days {days} -copy_extensions copy -extfile extensions -out one.pem"
        ));
        self.text("one.pem")
    }

    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).unwrap()
    }
}

fn asks(node: &Node, operation: &str, arguments: &serde_json::Value) -> serde_json::Value {
    let said = node.asks_api(&[(operation, &arguments.to_string())]);
    let line = said.lines().last().unwrap();
    let at = line
        .find("{\"id\"")
        .or_else(|| line.find("{\"error\""))
        .unwrap();
    serde_json::from_str(&line[at..]).unwrap()
}

fn requested(node: &Node, operation: &str) -> String {
    let asked = serde_json::json!({
        "certificate": "node", "subject": "CN=sbc.example, O=Lab\\, Inc., C=DE",
        "names": "sbc.example 192.0.2.7",
    });
    let answer = asks(node, operation, &asked);
    let request = answer["ok"]["request"].as_str();
    request.unwrap().to_owned()
}

fn imported(node: &Node, pem: &str) -> serde_json::Value {
    asks(
        node,
        "certificates.import",
        &serde_json::json!({"certificate": "node", "pem": pem}),
    )
}

/// A terminal takes the paste, as an operator gives it.
fn pastes(line: &mut Pty, command: &str, pem: &str, until: &str) -> String {
    let from = line.seen.len();
    line.types(format!("{command}\r").as_bytes(), 11_520)
        .unwrap();
    line.waits(from, "then Ctrl-D on a line of its own", SOON)
        .unwrap();
    line.types(pem.replace('\n', "\r").as_bytes(), 11_520)
        .unwrap();
    line.types(b"\x04", 11_520).unwrap();
    line.waits(from, until, SOON).unwrap();
    line.waits(from, "lab> ", SOON).unwrap();
    line.text(from)
}

#[test]
fn a_request_of_the_console_is_signed_by_openssl_and_its_certificate_is_pasted() {
    let node = Node::start("certificates", 80);
    let openssl = Openssl::at(&node);
    let told =
        node.answer("request certificate new-csr node subject CN=sbc.example names sbc.example");
    let request = &told[told.find("-----BEGIN").unwrap()..told.find("Have it").unwrap()];
    assert!(
        told.contains("set certificate node key secret tls/node"),
        "{told}"
    );
    assert!(!told.contains("PRIVATE"), "{told}");
    let pem = openssl.signs(request, "ca", 300, "");
    let seen = openssl.run("x509 -noout -text -in one.pem");
    assert!(
        seen.contains("DNS:sbc.example") && seen.contains("Digital Signature"),
        "{seen}"
    );
    assert!(node.answer("show certificates").contains("a request waits"));

    let mut line = node.terminal();
    line.waits(0, "lab> ", SOON).unwrap();
    let chain = pem.clone() + &openssl.text("ca.pem");
    let told = pastes(
        &mut line,
        "request certificate import node",
        &chain,
        "kept as node",
    );
    assert!(told.contains("signed by CN=ca,O=Lab"), "{told}");
    let told = pastes(
        &mut line,
        "request trust import corp-ca",
        &openssl.text("ca.pem"),
        "kept as",
    );
    assert!(
        told.contains("set trust corp-ca pem pki/corp-ca.pem"),
        "{told}"
    );

    let key = node.folder.join("state/secrets/tls/node");
    assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    let own = openssl.run(&format!("pkey -pubout -in {}", key.display()));
    assert_eq!(own, openssl.run("x509 -noout -pubkey -in one.pem"));
    let kept = std::fs::read_to_string(node.folder.join("state/pki/node.pem")).unwrap();
    assert_eq!(
        kept,
        openssl.run("x509 -in one.pem") + &openssl.run("x509 -in ca.pem")
    );
    assert!(!node.folder.join("state/secrets/csr/tls/node").exists());
    let shown = node.answer("show certificates");
    assert!(
        shown.contains("fine") && !shown.contains("waits"),
        "{shown}"
    );
    assert!(
        shown
            .lines()
            .all(|line| line.len() <= 80 && line.is_ascii()),
        "{shown}"
    );
    let audit = node.answer("show audit last 50");
    assert!(
        audit.contains("certificates.import") && !audit.contains("BEGIN"),
        "{audit}"
    );
    let secret = std::fs::read_to_string(&key).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    for line in [
        "show audit last 100 | json",
        "show log last 500",
        "request support bundle",
    ] {
        assert!(!node.answer(line).contains(secret), "{line}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_every_reason_and_nothing_changes() {
    let node = Node::start("certificates-refused", 88);
    let openssl = Openssl::at(&node);
    let request = requested(&node, "certificates.request");
    let good = openssl.signs(&request, "ca", 300, "");
    let seen = openssl.run("x509 -noout -subject -nameopt esc_2253,sep_comma_plus,dn_rev,sname -ext subjectAltName -in one.pem");
    assert!(seen.contains("CN=sbc.example,O=Lab\\, Inc.,C=DE"), "{seen}");
    assert!(
        seen.contains("DNS:sbc.example, IP Address:192.0.2.7"),
        "{seen}"
    );
    let late = openssl.signs(&request, "ca", -1, "extendedKeyUsage=codeSigning\n");
    let (ca, foreign) = (openssl.text("ca.pem"), openssl.text("foreign.pem"));
    let key = openssl.text("ca.key");
    let cut = good.replacen("MII", "MIJ", 1);
    for (pem, codes) in [
        (String::new(), &["SBC-2202"][..]),
        (cut, &["SBC-2202"]),
        (good.clone() + &key, &["SBC-2202"]),
        (good.repeat(20), &["SBC-2202"]),
        (foreign.clone(), &["SBC-2203"]),
        (good.clone() + &foreign, &["SBC-2209"]),
        (ca.clone() + &good, &["SBC-2209"]),
        (
            late.clone() + &foreign,
            &["SBC-2201", "SBC-2209", "SBC-2210"],
        ),
    ] {
        let said = imported(&node, &pem).to_string();
        assert!(
            codes.iter().all(|code| said.contains(code)),
            "{codes:?}: {said}"
        );
        assert!(!node.folder.join("state/pki/node.pem").exists(), "{said}");
        assert!(
            !node.folder.join("state/secrets/tls/node").exists(),
            "{said}"
        );
    }
    let leaf = serde_json::json!({"trust": "ca", "pem": good});
    assert_eq!(
        asks(&node, "certificates.trust", &leaf)["error"]["code"],
        "SBC-2204"
    );
    assert!(imported(&node, &(good + &ca))["ok"].is_object());
}

#[test]
fn a_renewal_leaves_the_certificate_in_use_until_the_import_and_survives_a_cut_in_it() {
    let node = Node::start("certificates-renewed", 89);
    let openssl = Openssl::at(&node);
    let none = serde_json::json!({"certificate": "node"});
    assert_eq!(
        asks(&node, "certificates.renew", &none)["error"]["code"],
        "SBC-3003"
    );
    let first = openssl.signs(&requested(&node, "certificates.request"), "ca", 30, "");
    assert_eq!(imported(&node, &first)["ok"]["new_key"], true);
    let key = node.folder.join("state/secrets/tls/node");
    let before = std::fs::read(&key).unwrap();
    let second = openssl.signs(&requested(&node, "certificates.renew"), "ca", 300, "");
    assert_eq!(std::fs::read(&key).unwrap(), before);
    // One of the key in use may still come, and changes no key.
    assert_eq!(imported(&node, &first)["ok"]["new_key"], false);
    let waiting = node.folder.join("state/secrets/csr/tls/node");
    let fresh = std::fs::read(&waiting).unwrap();
    // The power is cut when the import has begun: the next start ends it.
    let begun = serde_json::json!({
        "file": "pki/node.pem", "pem": second, "key": ["csr/tls/node", "tls/node"],
    });
    let folder = node.cut();
    std::fs::write(folder.join("state/pki/importing.json"), begun.to_string()).unwrap();
    let node = Node::again(folder);
    node.until(SOON, |node| {
        !node.folder.join("state/pki/importing.json").exists()
    });
    assert_eq!(std::fs::read(&key).unwrap(), fresh);
    assert!(!waiting.exists());
    assert!(node.answer("show certificates").contains("fine"));
}

#[test]
fn keys_of_certificates_are_sealed_and_an_import_waits_for_the_passphrase() {
    let node = Node::start("certificates-sealed", 98);
    let phrase = "{\"passphrase\":\"correct horse battery\"}";
    let openssl = Openssl::at(&node);
    let first = openssl.signs(&requested(&node, "certificates.request"), "ca", 30, "");
    assert_eq!(imported(&node, &first)["ok"]["new_key"], true);
    let second = openssl.signs(&requested(&node, "certificates.renew"), "ca", 300, "");
    let state = node.folder.join("state");
    assert_eq!(found_below(&state, &["PRIVATE KEY"]).len(), 2);
    let said = node.asks_api(&[("secrets.passphrase", phrase)]);
    assert!(said.contains("sealed"), "{said}");
    assert_eq!(found_below(&state, &["PRIVATE KEY"]), Vec::<String>::new());

    // The power is cut within the import; nobody has the key at the next start.
    let begun = serde_json::json!({
        "file": "pki/node.pem", "pem": second, "key": ["csr/tls/node", "tls/node"],
    });
    let folder = node.cut();
    let path = folder.join("state/pki/importing.json");
    std::fs::write(&path, begun.to_string()).unwrap();
    let node = Node::again(folder);
    node.until(SOON, |node| {
        node.answer("show certificates").contains("locked")
    });
    let none = serde_json::json!({"certificate": "node"});
    for (operation, asked) in [
        ("certificates.renew", &none),
        (
            "certificates.import",
            &serde_json::json!({"certificate": "node", "pem": first}),
        ),
    ] {
        assert_eq!(asks(&node, operation, asked)["error"]["code"], "SBC-3025");
    }
    assert!(path.exists());
    let said = node.asks_api(&[("secrets.unlock", phrase)]);
    assert!(said.contains("open"), "{said}");
    assert!(!path.exists());
    let shown = node.answer("show certificates");
    assert!(
        shown.contains("fine") && !shown.contains("waits"),
        "{shown}"
    );
    let third = openssl.signs(&requested(&node, "certificates.renew"), "ca", 300, "");
    assert_eq!(imported(&node, &third)["ok"]["new_key"], true);
    assert_eq!(found_below(&state, &["PRIVATE KEY"]), Vec::<String>::new());
}
