//! Planted secrets: values nobody else would write are given to a node, and then
//! looked for in all that it says, writes and leaves behind.

use std::path::Path;
use std::time::Duration;

use sbc_core::cli::grammar::{Mode, ROWS};

use super::node::Node;
use super::shows::commands;

/// Time for what should be at once, on a machine that does much else.
const SOON: Duration = Duration::from_secs(30);

const PSK: &str = "x-planted-psk-7d1f";
const DIGEST: &str = "x-planted-digest-93be";
const PASSWORD: &str = "x-planted-password-c04a";
const PASSPHRASE: &str = "x-planted-passphrase-18e7";
const KEY: &str = "x0planted0key0of0a0certificate0Fq";
const ALL: [&str; 5] = [PSK, DIGEST, PASSWORD, PASSPHRASE, KEY];

/// Returns which of the words are in these octets, as they are or in base64 or
/// hexadecimal as somebody might have dumped them.
fn found_in(octets: &[u8], words: &[&str]) -> Vec<String> {
    let holds = |part: &[u8]| octets.windows(part.len()).any(|at| at == part);
    let forms = |word: &str| -> Vec<String> {
        let hex: String = word.bytes().map(|octet| format!("{octet:02x}")).collect();
        // A dump may begin anywhere: three ways to fall into groups of three.
        let bases = (0..3).map(|skip| base64(&word.as_bytes()[skip..]));
        [word.to_owned(), hex].into_iter().chain(bases).collect()
    };
    let hit = |word: &&&str| forms(word).iter().any(|form| holds(form.as_bytes()));
    words
        .iter()
        .filter(hit)
        .map(|&word| word.to_owned())
        .collect()
}

/// Returns whole groups of base64.
fn base64(octets: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = octets.chunks_exact(3).flat_map(|three| {
        let bits = three
            .iter()
            .fold(0, |bits, octet| bits << 8 | usize::from(*octet));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[bits >> shift & 63]))
    });
    groups.collect()
}

/// Returns each file below a folder that holds one of the words.
pub fn found_below(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(found_below(&path, words));
        } else if path.is_file() {
            // A file that is being replaced may be gone.
            let octets = std::fs::read(&path).unwrap_or_default();
            let hits = found_in(&octets, words).into_iter();
            found.extend(hits.map(|word| format!("{}: {word}", path.display())));
        }
    }
    found
}

#[test]
fn the_search_finds_what_was_planted_in_any_form() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted-on-purpose");
    let _absent = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    let hex: String = PSK.bytes().map(|octet| format!("{octet:02x}")).collect();
    for (name, text) in [
        ("clear", format!("before{PSK}after")),
        ("hex", hex),
        ("base", base64(format!("{PSK}..").as_bytes())),
        ("base-1", base64(format!(".{PSK}..").as_bytes())),
        ("base-2", base64(format!("..{PSK}..").as_bytes())),
        ("deep/down", PSK.to_owned()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("none"), "x-planted-psk-7d1").unwrap();
    let found = found_below(&folder, &ALL);
    assert_eq!(found.len(), 6, "{found:?}");
    assert!(found.iter().all(|hit| hit.ends_with(PSK)), "{found:?}");
}

fn plant(node: &Node) {
    let lines = "configure\nset user eve role admin\nset user eve password secret user/eve\n\
                 commit comment \"eve comes\"\n";
    node.follows(lines);
    let pem = format!("-----BEGIN PRIVATE KEY-----\\n{KEY}\\n-----END PRIVATE KEY-----\\n");
    for (name, value) in [
        ("vpn/itsp-a", PSK),
        ("sip/itsp-a", DIGEST),
        ("tls/node", &pem),
    ] {
        let ask = format!("{{\"secret\":\"{name}\",\"value\":\"{value}\"}}");
        let said = node.asks_api(&[("secrets.set", &ask)]);
        assert!(said.contains("kept"), "{said}");
    }
    let word = format!("{{\"user\":\"eve\",\"password\":\"{PASSWORD}\"}}");
    let phrase = format!("{{\"passphrase\":\"{PASSPHRASE}\"}}");
    for (operation, arguments) in [
        ("users.password", word.clone()),
        ("secrets.passphrase", phrase.clone()),
        ("secrets.unlock", phrase),
        ("session", "{\"line\":\"x\"}".to_owned()),
    ] {
        let said = node.asks_api(&[(operation, &arguments)]);
        assert!(!said.contains("error"), "{operation}: {said}");
    }
    let said = node.asks_api(&[("session", "{\"line\":\"x\"}"), ("login", &word)]);
    assert!(said.contains("\"admin\""), "{said}");
    // Wrong ones are told as little as right ones.
    let wrong = format!("{{\"user\":\"eve\",\"password\":\"{PSK}\"}}");
    let said = node.asks_api(&[("session", "{\"line\":\"x\"}"), ("login", &wrong)]);
    assert!(said.contains("SBC-3020"), "{said}");
    let wrong = format!("{{\"passphrase\":\"{DIGEST}\"}}");
    let said = node.asks_api(&[("secrets.unlock", &wrong)]);
    assert!(said.contains("SBC-3026"), "{said}");
}

/// Looks at every answer of the tree, in every form.
fn looks_at_answers(node: &Node, call: &str) -> usize {
    let mut looked = 0;
    for row in ROWS.iter().filter(|row| row.mode == Mode::Operational) {
        if !row.syntax.starts_with("show ") {
            continue;
        }
        for line in commands(row.syntax, call) {
            for pipe in ["", " | json", " | set", " | toml"] {
                let said = node.answer(&format!("{line}{pipe}"));
                let found = found_in(said.as_bytes(), &ALL);
                assert!(found.is_empty(), "{line}{pipe}: {found:?}");
                looked += 1;
            }
        }
    }
    for line in ["request support bundle", "help", "history"] {
        let found = found_in(node.answer(line).as_bytes(), &ALL);
        assert!(found.is_empty(), "{line}: {found:?}");
    }
    looked
}

/// Looks at what anybody may see of a process.
fn looks_at_process(pid: &str, role: &str) {
    let of = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    for name in ["environ", "cmdline", "comm", "status"] {
        assert!(found_in(&of(name), &ALL).is_empty(), "{role}: {name}");
    }
    let limits = String::from_utf8(of("limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.unwrap_or_default().split_whitespace().collect();
    assert_eq!(core.get(4..6), Some(&["0", "0"][..]), "{role}: {limits}");
}

#[test]
fn planted_secrets_are_in_no_answer_no_file_and_no_crash() {
    let net = 73;
    let node = Node::start("planted-everywhere", net);
    super::peer::server(net, "486 Busy Here");
    let carrier = super::peer::Carrier::open(net);
    plant(&node);
    assert_eq!(carrier.calls("one", "+49691234567", b""), 486);
    node.until(SOON, |node| node.answer("show cdr").contains("486"));
    let records: serde_json::Value = serde_json::from_str(&node.answer("show cdr | json")).unwrap();
    let looked = looks_at_answers(&node, &records[0]["call"].to_string());
    assert!(looked >= 100, "only {looked} answers were looked at");
    assert_eq!(found_below(&node.folder, &ALL), Vec::<String>::new());

    let phrase = format!("{{\"passphrase\":\"{PASSPHRASE}\"}}");
    let backup = node.asks_api(&[("backup.make", &phrase)]);
    assert!(backup.contains("sha256"), "{backup}");
    assert_eq!(found_in(backup.as_bytes(), &ALL), Vec::<String>::new());
    looks_at_process(&node.pid(), "init");
    for role in ["signal", "relay", "console"] {
        looks_at_process(&node.pid_of(role), role);
    }
    for role in ["signal", "relay", "console"] {
        assert!(node.crashes(role));
        let ended = format!("role ended role=\"{role}\"");
        node.until(SOON, |node| node.log().contains(&ended));
    }
    assert!(!node.log().contains("core dumped"), "{}", node.log());
    node.until(SOON, |node| {
        node.answer("show secrets").contains("tls/node")
    });
    assert_eq!(found_below(&node.folder, &ALL), Vec::<String>::new());
    let folder = node.cut();
    assert_eq!(found_below(&folder, &ALL), Vec::<String>::new());
}
