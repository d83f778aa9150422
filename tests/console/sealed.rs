//! Secrets at rest: sealed by a passphrase or by a TPM 2, locked where neither is
//! there, and never lost.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::node::Node;
use super::planted::found_below;

/// Time for what should be at once, on a machine that does much else.
const SOON: Duration = Duration::from_secs(30);

const VALUE: &str = "x-sealed-value-51c2";
const PASSPHRASE: &str = "{\"passphrase\":\"correct horse battery\"}";

fn set(node: &Node, name: &str) -> String {
    let ask = format!("{{\"secret\":\"{name}\",\"value\":\"{VALUE}\"}}");
    node.asks_api(&[("secrets.set", &ask)])
}

/// Lets the console crash, and waits for the next one.
fn crash(node: &Node) {
    let ready = |node: &Node| node.log().matches("ready role=\"console\"").count();
    let before = ready(node);
    assert!(node.crashes("console"));
    node.until(SOON, |node| ready(node) > before);
}

fn alarm(node: &Node, id: &str, raised: bool) {
    node.until(SOON, |node| {
        node.answer("show alarms").contains(id) == raised
    });
}

#[test]
fn a_passphrase_seals_secrets_and_after_a_restart_they_wait_for_it() {
    let node = Node::start("sealed", 70);
    assert!(set(&node, "sip/itsp-a").contains("kept"));
    alarm(&node, "secrets-plain", true);
    let state = node.folder.join("state");
    assert_eq!(found_below(&state, &[VALUE]).len(), 1);
    let said = node.asks_api(&[("secrets.passphrase", "{\"passphrase\":\"too short\"}")]);
    assert!(said.contains("SBC-3002"), "{said}");
    let said = node.asks_api(&[("secrets.passphrase", PASSPHRASE)]);
    assert!(said.contains("sealed"), "{said}");
    assert_eq!(found_below(&state, &[VALUE]), Vec::<String>::new());
    alarm(&node, "secrets-plain", false);
    let shown = node.answer("show secrets");
    assert!(shown.contains("19 yes"), "{shown}");
    // Should the console die, `init` still has the key.
    crash(&node);
    node.until(SOON, |node| set(node, "sip/itsp-b").contains("kept"));
    assert_eq!(found_below(&state, &[VALUE]), Vec::<String>::new());

    let node = Node::again(node.cut());
    alarm(&node, "secrets-locked", true);
    let said = set(&node, "sip/itsp-a");
    assert!(said.contains("SBC-3025"), "{said}");
    let wrong = "{\"passphrase\":\"correct horse batterz\"}";
    let said = node.asks_api(&[("secrets.unlock", wrong)]);
    assert!(said.contains("SBC-3026"), "{said}");
    let said = node.asks_api(&[("secrets.unlock", PASSPHRASE)]);
    assert!(said.contains("open"), "{said}");
    alarm(&node, "secrets-locked", false);
    assert!(set(&node, "sip/itsp-c").contains("kept"));
    // And `init` has it again.
    crash(&node);
    node.until(SOON, |node| set(node, "sip/itsp-d").contains("kept"));
    assert_eq!(found_below(&state, &[VALUE]), Vec::<String>::new());
}

#[test]
fn a_damaged_key_locks_the_store_and_nothing_is_written_over() {
    let node = Node::start("sealed-damaged", 71);
    assert!(set(&node, "sip/itsp-a").contains("kept"));
    let said = node.asks_api(&[("secrets.passphrase", PASSPHRASE)]);
    assert!(said.contains("sealed"), "{said}");
    let folder = node.cut();
    let (key, file) = ("state/secrets.key", "state/secrets/sip/itsp-a");
    let (key, file) = (folder.join(key), folder.join(file));
    let (whole, before) = (std::fs::read(&key).unwrap(), std::fs::read(&file).unwrap());
    std::fs::write(&key, "{\"version\":1,").unwrap();
    let node = Node::again(folder);
    alarm(&node, "secrets-locked", true);
    for (operation, arguments) in [
        ("secrets.unlock", PASSPHRASE),
        ("secrets.passphrase", PASSPHRASE),
    ] {
        let said = node.asks_api(&[(operation, arguments)]);
        assert!(said.contains("SBC-3025"), "{operation}: {said}");
    }
    assert!(set(&node, "sip/itsp-a").contains("SBC-3025"));
    assert_eq!(std::fs::read(&key).unwrap(), b"{\"version\":1,");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let folder = node.cut();
    std::fs::write(&key, whole).unwrap();
    let node = Node::again(folder);
    let said = node.asks_api(&[("secrets.unlock", PASSPHRASE)]);
    assert!(said.contains("open"), "{said}");
}

/// An emulated TPM with a state of its own.
struct Emulated {
    child: Child,
    socket: PathBuf,
}

impl Emulated {
    fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let socket = folder.join("tpm.sock");
        let _absent = std::fs::remove_file(&socket);
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--tpmstate"])
            .arg(format!("dir={}", folder.display()))
            .arg("--server")
            .arg(format!("type=unixio,path={}", socket.display()))
            .args(["--flags", "not-need-init,startup-clear"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let since = Instant::now();
        while !socket.exists() {
            assert!(since.elapsed() < SOON, "swtpm does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, socket }
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[test]
fn a_tpm_seals_secrets_from_the_start_and_gives_them_to_no_other_machine() {
    if Command::new("swtpm").arg("--version").output().is_err() {
        let test = "a_tpm_seals_secrets_from_the_start_and_gives_them_to_no_other_machine";
        sbc_tests::skip(test, "no swtpm: apt-get install swtpm");
        return;
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sealed-tpms");
    let _absent = std::fs::remove_dir_all(&place);
    let tpm = Emulated::start(&place.join("own"));
    let with = |folder, tpm: &Emulated| Node::again_with(folder, &[("SBC_TPM", &tpm.socket)]);

    let node = Node::start("sealed-tpm", 72);
    assert!(set(&node, "sip/itsp-a").contains("kept"));
    let state = node.folder.join("state");
    assert_eq!(found_below(&state, &[VALUE]).len(), 1);
    // What lay in clear is sealed as soon as there is a TPM.
    let node = with(node.cut(), &tpm);
    node.until(SOON, |_| found_below(&state, &[VALUE]).is_empty());
    let node = with(node.cut(), &tpm);
    node.until(SOON, |node| set(node, "sip/itsp-b").contains("kept"));
    assert!(node.answer("show secrets").contains("yes"));
    assert!(found_below(&state, &[VALUE]).is_empty());
    let said = node.asks_api(&[("secrets.passphrase", PASSPHRASE)]);
    assert!(said.contains("sealed"), "{said}");

    let other = Emulated::start(&place.join("other"));
    let node = with(node.cut(), &other);
    alarm(&node, "secrets-locked", true);
    let why = node.answer("show alarms | json");
    assert!(why.contains("the TPM refuses"), "{why}");
    let node = Node::again(node.cut());
    alarm(&node, "secrets-locked", true);
    // The disk goes on in another machine with the passphrase; its TPM takes over.
    let node = with(node.cut(), &other);
    let key = || std::fs::read(state.join("secrets.key")).unwrap();
    let before = key();
    let said = node.asks_api(&[("secrets.unlock", PASSPHRASE)]);
    assert!(said.contains("open"), "{said}");
    node.until(SOON, |_| key() != before);
    let node = with(node.cut(), &other);
    node.until(SOON, |node| set(node, "sip/itsp-c").contains("kept"));
    assert!(found_below(&state, &[VALUE]).is_empty());
}

const BACKUP: &str = "{\"passphrase\":\"a battery of horses\"}";

/// Returns a backup of a node.
fn backup_of(node: &Node) -> String {
    let said = node.asks_api(&[("backup.make", BACKUP)]);
    let at = said.find("{\"id\"").unwrap();
    let said: serde_json::Value = serde_json::from_str(said[at..].trim()).unwrap();
    said["ok"]["text"].as_str().unwrap().to_owned()
}

/// Lets a node be what a backup says, and returns what it answers.
fn restored(node: &Node, text: &str, passphrase: &str) -> String {
    let part = serde_json::json!({ "text": text }).to_string();
    node.asks_api(&[("config.part", &part), ("backup.restore", passphrase)])
}

/// Returns a line of base64 with another first character.
fn changed(line: &str) -> String {
    let other = if line.starts_with('A') { "B" } else { "A" };
    format!("{other}{}", &line[1..])
}

#[test]
fn a_backup_makes_another_node_what_the_first_was() {
    let node = Node::start("backup-of", 74);
    assert!(set(&node, "sip/itsp-a").contains("kept"));
    let lines =
        "configure\nset user eve role admin\nset user eve password secret user/eve\ncommit\n";
    node.follows(lines);
    let word = "{\"user\":\"eve\",\"password\":\"correct horse battery\"}";
    assert!(
        node.asks_api(&[("users.password", word)])
            .contains("changed")
    );
    let pki = node.folder.join("state/pki");
    std::fs::create_dir_all(&pki).unwrap();
    std::fs::write(pki.join("node.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    let (text, was) = (backup_of(&node), node.answer("show configuration"));
    assert!(
        text.starts_with("begin lab.backup ") && !text.contains(VALUE),
        "{text}"
    );
    assert!(
        node.asks_api(&[("backup.make", "{\"passphrase\":\"short\"}")])
            .contains("SBC-3002")
    );
    drop(node);

    let other = Node::start("backup-to", 74);
    let before = other.answer("show configuration");
    let line = text.lines().nth(3).unwrap();
    let wrong = "{\"passphrase\":\"another battery\"}";
    for (text, passphrase, code) in [
        (text.replace(line, &changed(line)), BACKUP, "SBC-3002"),
        (text[..text.len() / 2].to_owned(), BACKUP, "SBC-3002"),
        ("no backup".to_owned(), BACKUP, "SBC-3002"),
        (text.clone(), wrong, "SBC-3026"),
    ] {
        let said = restored(&other, &text, passphrase);
        assert!(said.contains(code), "{code}: {said}");
    }
    assert_eq!(other.answer("show configuration"), before);
    assert!(!other.answer("show secrets").contains("itsp-a"));

    // As somebody types and pastes it.
    let said = other.follows(&format!("request restore\na battery of horses\n{text}"));
    assert!(said.contains("is live; 2 secrets and 1 files"), "{said}");
    assert_eq!(other.answer("show configuration"), was);
    let state = other.folder.join("state");
    assert_eq!(found_below(&state, &[VALUE]).len(), 1);
    assert!(state.join("pki/node.pem").exists());
    let said = other.asks_api(&[("session", "{\"line\":\"x\"}"), ("login", word)]);
    assert!(said.contains("\"admin\""), "{said}");
}

#[test]
fn a_restore_that_fails_leaves_secrets_and_configuration_as_they_were() {
    let node = Node::start("restore-fails", 75);
    assert!(set(&node, "sip/itsp-a").contains("kept"));
    let text = backup_of(&node);
    let other = "{\"secret\":\"sip/itsp-a\",\"value\":\"x-another-value\"}";
    assert!(node.asks_api(&[("secrets.set", other)]).contains("kept"));
    let (file, revisions) = ("state/secrets/sip/itsp-a", "state/config");
    let (file, revisions) = (node.folder.join(file), node.folder.join(revisions));
    // A file where the folder of revisions is to be: even root writes nothing there.
    std::fs::remove_dir_all(&revisions).unwrap();
    std::fs::write(&revisions, "in the way").unwrap();
    let said = restored(&node, &text, BACKUP);
    assert!(said.contains("SBC-3016"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), b"x-another-value");
    std::fs::remove_file(&revisions).unwrap();
    let said = node.asks_api(&[("secrets.passphrase", PASSPHRASE)]);
    assert!(said.contains("sealed"), "{said}");
    let node = Node::again(node.cut());
    alarm(&node, "secrets-locked", true);
    let before = std::fs::read(&file).unwrap();
    let said = restored(&node, &text, BACKUP);
    assert!(said.contains("SBC-3025"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
