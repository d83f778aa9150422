//! Who owns the node: nobody loses it by a commit, nobody keeps what was taken away.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::login::{PASSWORD, claimed};
use super::node::Node;

const SOON: Duration = Duration::from_secs(30);

/// A conversation that stays.
struct Talk {
    stream: UnixStream,
    lines: std::io::Lines<BufReader<UnixStream>>,
}

impl Talk {
    fn open(node: &Node) -> Self {
        let stream = UnixStream::connect(node.folder.join("api.sock")).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        lines.next().unwrap().unwrap();
        Self { stream, lines }
    }

    fn ask(&mut self, operation: &str, arguments: &Value) -> Value {
        let question = json!({"id": 1, "op": operation, "args": arguments});
        writeln!(self.stream, "{question}").unwrap();
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    fn live(&mut self) -> String {
        let live = self.ask("config.live", &json!({}));
        live["ok"]["toml"].as_str().unwrap().to_owned()
    }

    fn login(&mut self, user: &str, password: &str) -> Value {
        self.ask("session", &json!({"line": "ttyS0"}));
        self.ask("login", &json!({"user": user, "password": password}))
    }
}

#[test]
fn no_commit_and_no_forgotten_secret_leaves_a_claimed_node_without_an_admin() {
    let node = claimed("left", 100);
    let mut talk = Talk::open(&node);
    let live = talk.live();
    let without = live.split("[user.admin]").next().unwrap().to_owned();
    let set_aside = live.replace("[user.admin]\n", "[user.admin]\nactive = false\n");
    let another =
        format!("{without}[user.bob]\nrole = \"admin\"\npassword = {{ secret = \"user/bob\" }}\n");
    for toml in [&without, &set_aside, &another] {
        let said = talk.ask("config.put", &json!({"toml": toml}));
        let text = said.to_string();
        assert!(
            text.contains("0801") || text.contains("SBC-3012"),
            "{toml}\n{said}"
        );
    }
    let said = talk.ask("config.put", &json!({"toml": without}));
    assert_eq!(said["error"]["code"], "SBC-0801");
    let said = talk.ask("secrets.delete", &json!({"secret": "user/admin"}));
    assert_eq!(said["error"]["code"], "SBC-0801");
    // A login that nobody could use is none either.
    let said = talk.ask(
        "secrets.set",
        &json!({"secret": "user/bob", "value": "open sesame"}),
    );
    assert_eq!(said["error"]["code"], "SBC-3002");
    let mut other = Talk::open(&node);
    assert_eq!(other.login("admin", PASSWORD)["ok"]["role"], "admin");
    // With another admin there, the first may go.
    let both =
        format!("{live}\n[user.bob]\nrole = \"admin\"\npassword = {{ secret = \"user/bob\" }}\n");
    assert!(talk.ask("config.put", &json!({"toml": both}))["ok"].is_object());
    let word = json!({"user": "bob", "password": PASSWORD});
    node.until(SOON, |_| {
        Talk::open(&node).ask("users.password", &word)["ok"].is_object()
    });
    assert!(talk.ask("config.put", &json!({"toml": another}))["ok"].is_object());
    assert!(talk.ask("secrets.delete", &json!({"secret": "user/admin"}))["ok"].is_object());
}

#[test]
fn who_is_set_aside_or_demoted_keeps_no_rights() {
    let node = claimed("aside", 101);
    let mut talk = Talk::open(&node);
    let live = talk.live();
    let with = |more: &str| {
        format!("{live}\n[user.bob]\npassword = {{ secret = \"user/bob\" }}\n{more}\n")
    };
    let put = |talk: &mut Talk, more: &str| {
        let said = talk.ask("config.put", &json!({"toml": with(more)}));
        assert!(said["ok"].is_object(), "{said}");
    };
    put(&mut talk, "role = \"operator\"");
    let word = json!({"user": "bob", "password": PASSWORD});
    node.until(SOON, |_| {
        Talk::open(&node).ask("users.password", &word)["ok"].is_object()
    });
    let mut bob = Talk::open(&node);
    assert_eq!(bob.login("bob", PASSWORD)["ok"]["role"], "operator");
    let drain = json!({"mediation": "med-1", "drained": true});
    assert!(bob.ask("peers.drain", &drain)["ok"].is_object());
    put(&mut talk, "role = \"monitor\"");
    let refused = |bob: &mut Talk, operation: &str| {
        let since = std::time::Instant::now();
        while bob.ask(operation, &drain)["error"]["code"] != "SBC-3010" {
            assert!(since.elapsed() < SOON, "{operation}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    refused(&mut bob, "peers.drain");
    assert!(bob.ask("calls.list", &json!({}))["ok"].is_array());
    put(&mut talk, "role = \"monitor\"\nactive = false");
    refused(&mut bob, "calls.list");
    let said = Talk::open(&node).login("bob", PASSWORD);
    assert_eq!(said["error"]["code"], "SBC-3020");
}

#[test]
fn a_line_is_named_once_so_that_failures_count_on_it() {
    let node = claimed("line", 102);
    let mut talk = Talk::open(&node);
    talk.ask("session", &json!({"line": "virtio"}));
    for number in 0..5 {
        talk.ask("session", &json!({"line": format!("other-{number}")}));
        let said = talk.ask(
            "login",
            &json!({"user": "admin", "password": "wrong wrong wrong"}),
        );
        assert_eq!(said["error"]["code"], "SBC-3020", "{said}");
    }
    let said = talk.ask("login", &json!({"user": "admin", "password": PASSWORD}));
    assert_eq!(said["error"]["code"], "SBC-3021", "{said}");
    // The line that was named by the way is not locked.
    assert_eq!(
        Talk::open(&node).login("admin", PASSWORD)["ok"]["role"],
        "admin"
    );
}

#[test]
fn a_node_without_owner_obeys_who_asks_for_that_until_it_has_one() {
    let node = Node::start("free", 103);
    let mut free = Talk::open(&node);
    free.ask("session", &json!({"line": "virtio", "free": true}));
    assert!(free.ask("config.revisions", &json!({}))["ok"].is_array());
    let mut first = Talk::open(&node);
    first.ask("session", &json!({"line": "ttyS0"}));
    let said = first.ask("config.revisions", &json!({}));
    assert_eq!(said["error"]["code"], "SBC-3010", "nobody gave it rights");
    assert!(first.ask("claim", &json!({"password": PASSWORD}))["ok"].is_object());
    node.until(SOON, |node| {
        node.answer("show configuration user")
            .contains("user.admin")
    });
    let said = free.ask("config.revisions", &json!({}));
    assert_eq!(
        said["error"]["code"], "SBC-3010",
        "the node has an owner now"
    );
    // Nor are they given again.
    free.ask("session", &json!({"line": "virtio", "free": true}));
    assert_eq!(
        free.ask("config.revisions", &json!({}))["error"]["code"],
        "SBC-3010"
    );
    assert_eq!(free.login("admin", PASSWORD)["ok"]["role"], "admin");
}

#[test]
fn what_was_tried_and_went_back_can_be_committed_again() {
    let node = Node::start("again", 104);
    let mut pty = node.terminal();
    let mut from = 0;
    pty.waits(0, "lab> ", SOON).unwrap();
    let mut say = |line: &str, answer: &str| {
        from = pty.seen.len();
        pty.types(format!("{line}\r").as_bytes(), 11_520).unwrap();
        pty.waits(from, answer, SOON).unwrap();
    };
    say("configure", "lab# ");
    say("set trunk itsp-a max-simultaneous-calls 7", "lab# ");
    say("commit confirmed 5", "revision 2 is live");
    let back = Talk::open(&node).ask("config.back", &json!({}));
    assert!(back["ok"].is_object(), "{back}");
    node.until(SOON, |node| {
        node.answer("show configuration | match simultaneous")
            .contains("= 3")
    });
    say("set trunk itsp-a pilot-number +49691234001", "lab# ");
    say("commit", "revision 3 is live");
    let live = Talk::open(&node).live();
    assert!(live.contains("max-simultaneous-calls = 7"), "{live}");
    assert!(live.contains("+49691234001"), "{live}");
    // The one before is the one that was live, not the one that went back.
    say("rollback", "the candidate is revision 1;");
    // What is forgotten after a way back is forgotten.
    say("discard", "lab# ");
    say("set trunk itsp-a max-simultaneous-calls 9", "lab# ");
    say("commit confirmed 5", "revision 4 is live");
    assert!(Talk::open(&node).ask("config.back", &json!({}))["ok"].is_object());
    say("discard", "lab# ");
    say("commit", "no changes; revision 3 is live");
}

#[test]
fn pipes_reach_what_is_run_and_words_of_other_boxes() {
    let node = Node::start("pipes", 105);
    for run in ["run", "ru"] {
        let said = node.follows(&format!("configure\n{run} show calls | json\n"));
        assert!(said.contains("[]"), "{run}: {said}");
    }
    let said =
        node.follows("configure\nset trunk itsp-a max-simultaneous-calls 7\ncompare | match \\+\n");
    assert!(
        said.contains("+ max-simultaneous-calls = 7") && !said.contains("- max"),
        "{said}"
    );
    assert!(
        node.answer("show voip calls active | json")
            .starts_with('[')
    );
    let said = node.answer("show voip calls active | count");
    assert!(said.trim_end().ends_with(" lines"), "{said}");
    // In a value a bar is a bar.
    let said =
        node.follows("configure\nset route inbound match '\\+49.* | x'\nshow route inbound\n");
    assert!(said.contains("| x"), "{said}");
}

#[test]
fn a_refused_configuration_tells_every_problem_and_a_wrong_number_is_told() {
    let node = Node::start("every", 106);
    let mut talk = Talk::open(&node);
    let live = talk.live();
    let wrong = live
        .replace("country", "land")
        .replace("voice-1\"\naddress", "voice-9\"\naddress");
    let said = talk.ask("config.put", &json!({"toml": wrong}));
    let message = said["error"]["message"].as_str().unwrap();
    assert!(message.matches("SBC-0").count() >= 2, "{message}");
    let said = talk.ask("config.put", &json!({"toml": live, "confirm": "600"}));
    assert_eq!(said["error"]["code"], "SBC-3002", "{said}");
    // Who names no base goes on from what is live.
    let other = live.replace("max-simultaneous-calls = 3", "max-simultaneous-calls = 4");
    let said = talk.ask("config.put", &json!({"toml": other, "confirm": 600}));
    assert_eq!(said["ok"]["back_in_secs"], 600, "{said}");
}

#[test]
fn one_peer_the_calls_of_a_number_and_the_text_of_a_revision_are_shown() {
    let node = Node::start("one", 107);
    let said = node.answer("show trunks itsp-a");
    assert!(said.contains("itsp-a"), "{said}");
    assert!(!node.answer("show trunks itsp-z").contains("itsp-a"));
    assert!(node.answer("show mediation med-1").contains("med-1"));
    assert_eq!(
        node.answer("show calls number +49691234567 | json").trim(),
        "[]"
    );
    assert!(
        node.answer("show rollback 1")
            .contains("max-simultaneous-calls = 3")
    );
    assert!(
        node.answer("show rollback 1 | set")
            .contains("set trunk itsp-a ")
    );
    let output = node.asks("show rollback 99");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_secret_that_is_named_and_not_kept_is_told_at_the_commit() {
    let node = Node::start("unkept", 108);
    let lines = "configure
set interface outside zone internet
set interface outside device o0
set interface outside address 203.0.113.10/29
set tunnel far underlay outside
set tunnel far remote 203.0.113.12
set tunnel far address 198.51.100.1/30
set tunnel far auth psk secret vpn/far
commit
";
    let said = node.follows(lines);
    assert!(said.contains("is live"), "{said}");
    assert!(
        said.contains("SBC-0601") && said.contains("vpn/far"),
        "{said}"
    );
    let word = json!({"secret": "vpn/far", "value": "a word of more than twenty letters"});
    assert!(Talk::open(&node).ask("secrets.set", &word)["ok"].is_object());
    let said = node.follows("configure\nset trunk itsp-a max-simultaneous-calls 5\ncommit\n");
    assert!(
        said.contains("is live") && !said.contains("SBC-0601"),
        "{said}"
    );
}
