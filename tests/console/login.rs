//! Who comes in: the first password, roles, wrong passwords, nobody at the keys.

use std::time::Duration;

use super::node::Node;
use super::pty::Pty;

/// Time for what should be at once, on a machine that does much else.
const SOON: Duration = Duration::from_secs(30);

pub const PASSWORD: &str = "correct horse battery";

/// Starts a node whose admin has that password.
pub fn claimed(name: &str, net: u8) -> Node {
    let node = Node::start(name, net);
    let mut line = node.login();
    line.waits(0, "lab has no owner", SOON).unwrap();
    for question in ["New password: ", "Again: "] {
        line.waits(0, question, SOON).unwrap();
        line.types(format!("{PASSWORD}\r").as_bytes(), 11_520)
            .unwrap();
    }
    line.waits(0, "lab> ", SOON).unwrap();
    assert!(!line.text(0).contains(PASSWORD));
    node
}

#[test]
fn the_first_who_comes_sets_a_password_and_nobody_after() {
    let node = claimed("claimed", 30);
    assert!(
        node.answer("show configuration user")
            .contains("[user.admin]")
    );
    assert!(node.ask_api("claim").contains("SBC-3022"));
    // A short one is refused, and the node stays without an owner.
    let other = Node::start("short-password", 31);
    let said = other.asks_api(&[
        ("session", "{\"line\":\"x\"}"),
        ("claim", "{\"password\":\"short\"}"),
    ]);
    assert!(
        said.contains("SBC-3002") && said.contains("\"claimed\":false"),
        "{said}"
    );
}

#[test]
fn a_user_logs_in_and_may_do_what_the_role_allows() {
    let node = claimed("roles", 32);
    node.follows(
        "configure\nset user eve role monitor\nset user eve password secret user/eve\ncommit\n",
    );
    let said = node.asks_api(&[(
        "users.password",
        &format!("{{\"user\":\"eve\",\"password\":\"{PASSWORD}\"}}"),
    )]);
    assert!(said.contains("changed"), "{said}");
    let mut line = node.login();
    line.waits(0, "lab login: ", SOON).unwrap();
    line.types(b"eve\r", 11_520).unwrap();
    line.waits(0, "Password: ", SOON).unwrap();
    line.types(format!("{PASSWORD}\r").as_bytes(), 11_520)
        .unwrap();
    line.waits(0, "lab> ", SOON).unwrap();
    for refused in ["configure", "clear call 1", "show secrets"] {
        let from = line.seen.len();
        line.types(format!("{refused}\r").as_bytes(), 11_520)
            .unwrap();
        line.waits(from, "SBC-3010", SOON).unwrap();
    }
    // The node itself refuses, whatever the console says of its role.
    let said = node.asks_api(&[
        ("session", "{\"line\":\"x\"}"),
        ("calls.list", "{}"),
        (
            "login",
            &format!("{{\"user\":\"eve\",\"password\":\"{PASSWORD}\"}}"),
        ),
        ("config.put", "{\"toml\":\"\",\"base\":1}"),
    ]);
    assert_eq!(said.matches("SBC-3010").count(), 2, "{said}");
    assert!(node.answer("show users").contains("eve"));
    let from = line.seen.len();
    line.types(b"lock\r", 11_520).unwrap();
    line.waits(from, "locked by eve", SOON).unwrap();
}

#[test]
fn a_hundred_wrong_passwords_lock_the_line_and_are_in_the_audit_log() {
    let node = claimed("lockout", 33);
    let wrong = ("login", "{\"user\":\"admin\",\"password\":\"guess\"}");
    let mut asked = vec![("session", "{\"line\":\"ttyS0\"}")];
    asked.extend([wrong; 100]);
    let right = format!("{{\"user\":\"admin\",\"password\":\"{PASSWORD}\"}}");
    asked.push(("login", &right));
    let said = node.asks_api(&asked);
    assert_eq!(said.matches("SBC-3020").count(), 5, "{said}");
    // The right one is refused as well while the line is locked.
    assert_eq!(said.matches("SBC-3021").count(), 96, "{said}");
    // Each takes 19 MiB while it is looked at, and nothing behind it.
    node.until(SOON, |node| {
        let status = format!("/proc/{}/status", node.pid_of("console"));
        let status = std::fs::read_to_string(status).unwrap_or_default();
        let anonymous = status.lines().find(|line| line.starts_with("RssAnon:"));
        let kib = anonymous.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        kib.is_some_and(|kib: u64| kib < 16 * 1024)
    });
    let audit = node.answer("show audit last 50");
    assert_eq!(audit.matches("login refused").count(), 5, "{audit}");
    assert!(audit.contains("locked for 60 s"), "{audit}");
    // Another line is not locked.
    let said = node.asks_api(&[("session", "{\"line\":\"ttyS1\"}"), ("login", &right)]);
    assert!(said.contains("\"role\":\"admin\""), "{said}");
}

#[test]
fn an_altered_or_deleted_record_of_the_audit_log_is_named() {
    let node = claimed("altered", 34);
    for _ in 0..3 {
        node.answer("mediation med-1 drain");
    }
    assert!(
        node.answer("show audit verify")
            .contains("fine                 true")
    );
    let path = node.folder.join("state/audit.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let mut altered: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    altered[2] = altered[2].replacen("\"what\":\"", "\"what\":\"not ", 1);
    std::fs::write(&path, altered.join("\n") + "\n").unwrap();
    let said = node.answer("show audit verify");
    assert!(
        said.contains("first bad            3") && said.contains("altered"),
        "{said}"
    );
    let mut less = lines.clone();
    less.remove(1);
    std::fs::write(&path, less.join("\n") + "\n").unwrap();
    let said = node.answer("show audit verify");
    assert!(said.contains("record 2 is missing"), "{said}");
}

#[test]
fn a_planted_secret_is_in_no_answer_and_no_log() {
    let node = claimed("planted", 35);
    let planted = "x-planted-secret-7d1f";
    let said = node.asks_api(&[(
        "secrets.set",
        &format!("{{\"secret\":\"sip/itsp-a\",\"value\":\"{planted}\"}}"),
    )]);
    assert!(said.contains("kept"), "{said}");
    assert!(node.answer("show secrets").contains("sip/itsp-a"));
    for line in [
        "show secrets | json",
        "show audit last 100",
        "show audit last 100 | json",
        "show configuration",
        "show configuration | json",
        "request support bundle",
        "request backup",
        "show system | json",
        "show users",
    ] {
        assert!(!node.answer(line).contains(planted), "{line}");
    }
    node.until(SOON, |node| {
        node.answer("show alarms").contains("secrets-plain")
    });
    // A role that crashes leaves a line in the log, and no memory of its own.
    assert!(node.crashes("console"));
    node.until(SOON, |node| {
        node.log().contains("role ended role=\"console\"")
    });
    assert!(!node.log().contains("core dumped"), "{}", node.log());
    node.until(SOON, |node| {
        node.answer("show secrets").contains("sip/itsp-a")
    });
    let mut looked = 0;
    let mut folders = vec![node.folder.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "secrets") {
                folders.push(path);
            } else if path.is_file() {
                let octets = std::fs::read(&path).unwrap();
                let found = octets
                    .windows(planted.len())
                    .any(|part| part == planted.as_bytes());
                assert!(!found, "{}", path.display());
                looked += 1;
            }
        }
    }
    assert!(looked >= 4, "{looked}");
    let audit = std::fs::read_to_string(node.folder.join("state/audit.jsonl")).unwrap();
    assert!(
        !audit.contains(planted) && !audit.contains(PASSWORD),
        "{audit}"
    );
}

/// Types a line, and waits for these words behind it.
fn says(line: &mut Pty, typed: &str, words: &[&str]) {
    let from = line.seen.len();
    line.types(format!("{typed}\r").as_bytes(), 11_520).unwrap();
    for word in words {
        line.waits(from, word, SOON).unwrap();
    }
}

/// Ends the console role, and waits until the next one answers.
fn console_ends(node: &Node) {
    let ended = node.log().matches("role ended role=\"console\"").count();
    assert!(node.crashes("console"));
    node.until(SOON, |node| {
        node.log().matches("role ended role=\"console\"").count() > ended
            && node.asks("show version").status.success()
    });
}

#[test]
fn a_login_its_candidate_and_its_lock_outlive_the_console_role() {
    let node = claimed("outlives", 38);
    let mut line = node.login();
    line.waits(0, "lab login: ", SOON).unwrap();
    // At the name: nobody notices.
    console_ends(&node);
    says(&mut line, "admin", &["Password: "]);
    console_ends(&node);
    says(&mut line, PASSWORD, &["lab> "]);
    says(&mut line, "configure exclusive", &["lab# "]);
    let change = "set trunk itsp-a max-simultaneous-calls 2";
    says(&mut line, change, &["lab# "]);
    // In a candidate: the password, and it goes on with the line that was typed.
    console_ends(&node);
    says(&mut line, "compare", &["began anew", "Password: "]);
    says(&mut line, "guessed", &["SBC-3020", "Password: "]);
    says(&mut line, PASSWORD, &["calls = 2", "lab# "]);
    let other = node.follows_each("configure exclusive\n");
    assert!(other.contains("SBC-3011"), "{other}");
    // While nobody answers: a line that was asked of one that ends is typed again.
    assert!(node.crashes("console"));
    says(&mut line, "compare", &["began anew", "Password: "]);
    says(&mut line, PASSWORD, &["lab# "]);
    says(&mut line, "compare", &["calls = 2", "lab# "]);
    // While it is locked.
    says(&mut line, "run lock", &["locked by admin", "Password: "]);
    console_ends(&node);
    says(&mut line, PASSWORD, &["lab# "]);
    says(&mut line, "commit", &["revision 3 is live"]);
    let live = node.answer("show configuration trunk itsp-a");
    assert!(live.contains("max-simultaneous-calls = 2"), "{live}");
}

#[test]
fn a_login_at_which_nobody_types_ends() {
    let node = claimed("idle", 36);
    node.follows("configure\nset management console idle-timeout 1m\ncommit\n");
    let said = node.asks_api(&[("session", "{\"line\":\"x\"}")]);
    assert!(said.contains("\"idle_secs\":60"), "{said}");
}

#[test]
fn neither_noise_nor_a_break_nor_control_c_gets_past_the_login() {
    let node = claimed("before-login", 37);
    let mut line = node.login();
    line.waits(0, "lab login: ", SOON).unwrap();
    for keys in [
        &b"\0\0b\0\x08\r"[..],
        b"\x03",
        b"ad\xe9min\r\x03",
        b"\x1a\x1c\x04\x04",
    ] {
        line.types(keys, 11_520).unwrap();
    }
    // Ctrl-D at an empty name ends the login, and whoever started it starts the
    // next; nothing else does.
    let mut line = node.login();
    line.waits(0, "lab login: ", SOON).unwrap();
    let from = line.seen.len();
    line.types(b"\0\0\x03ad\xe9min\r", 11_520).unwrap();
    line.waits(from, "Password: ", SOON).unwrap();
    line.types(b"\x03", 11_520).unwrap();
    line.waits(from, "^C", SOON).unwrap();
    let from = line.seen.len();
    line.types(b"admin\r", 11_520).unwrap();
    line.waits(from, "Password: ", SOON).unwrap();
    line.types(format!("{PASSWORD}\r").as_bytes(), 11_520)
        .unwrap();
    line.waits(from, "lab> ", SOON).unwrap();
    let text = line.text(from);
    // Nothing of it counted as a wrong password; the first login was the claim's.
    assert!(text.contains("; 0 failed since."), "{text}");
    assert!(!text.contains("lab> sbc"), "{text}");
    assert!(
        text.contains("trunks ") && text.contains("alarms "),
        "{text}"
    );
}
