//! The life of a configuration: edited, compared, made live, kept, taken back.

use std::time::Duration;

use super::node::Node;

/// Time for what should be at once, on a machine that does much else.
const SOON: Duration = Duration::from_secs(20);

fn limit(node: &Node) -> String {
    let line = "show configuration trunk itsp-a max-simultaneous-calls | set";
    node.answer(line)
        .trim()
        .rsplit(' ')
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_change_is_compared_committed_and_takes_effect_in_every_role() {
    let node = Node::start("change", 20);
    let said = node.follows(
        "configure\nset trunk itsp-a max-simultaneous-calls 7\ncompare\ncommit comment \"CHG-4711\"\n",
    );
    assert!(
        said.contains("- max-simultaneous-calls = 3\n+ max-simultaneous-calls = 7\n"),
        "{said}"
    );
    assert!(
        said.contains("impact: value.  0 calls dropped, 0 sockets reopened"),
        "{said}"
    );
    assert!(said.contains("revision 2 is live"), "{said}");
    assert_eq!(limit(&node), "7");
    node.until(SOON, |node| node.answer("show trunks").contains("0/7"));
    assert!(node.answer("show rollback").contains("CHG-4711"));
    assert!(node.answer("show audit").contains("config.put"));
    // No role was restarted for it.
    assert_eq!(
        node.log().matches("started role=").count(),
        3,
        "{}",
        node.log()
    );
}

#[test]
fn what_nobody_confirms_goes_back_while_the_node_runs() {
    let node = Node::start("confirmed", 21);
    let put = node.puts(9, Some(1));
    assert!(put.contains("\"back_in_secs\":1"), "{put}");
    assert_eq!(limit(&node), "9");
    node.until(SOON, |node| limit(node) == "3");
    node.until(SOON, |node| node.answer("show trunks").contains("0/3"));
    assert!(node.answer("confirm").contains("SBC-3017"));
    // A confirmed one stays, and a boot takes it.
    node.puts(8, Some(600));
    node.until(SOON, |node| {
        node.answer("show alarms").contains("config-unconfirmed")
    });
    assert!(node.answer("confirm").contains("revision"));
    let again = Node::again(node.cut());
    assert_eq!(limit(&again), "8");
}

#[test]
fn a_power_cut_before_the_confirmation_boots_the_last_confirmed_revision() {
    let node = Node::start("power-cut", 22);
    node.follows("configure\nset trunk itsp-a max-simultaneous-calls 5\ncommit\n");
    node.puts(6, Some(600));
    assert_eq!(limit(&node), "6");
    let again = Node::again(node.cut());
    assert_eq!(limit(&again), "5");
    assert!(again.answer("show audit verify").contains("true"));
}

#[test]
fn a_candidate_that_makes_no_sense_is_refused_with_every_problem() {
    let node = Node::start("no-sense", 23);
    let said = node.follows(
        "configure\nset trunk itsp-a via interface:nowhere\nset trunk itsp-a max-simultaneous-calls 0\nset trunk itsp-a codex PCMA\ncommit check\ncommit\n",
    );
    assert!(said.contains("did you mean \"codecs\"?"), "{said}");
    assert!(
        said.contains("error[SBC-0202]") && said.contains("error[SBC-0006]"),
        "{said}"
    );
    assert!(said.contains("--> candidate: trunk itsp-a via"), "{said}");
    assert!(said.lines().all(|line| line.len() <= 80), "{said}");
    assert_eq!(limit(&node), "3");
}

#[test]
fn a_socket_that_cannot_be_opened_changes_nothing() {
    let node = Node::start("no-socket", 24);
    // Somebody else has the port.
    let _taken = std::net::UdpSocket::bind("127.43.24.2:5060").unwrap();
    let said = node.follows(
        "configure\nset interface carrier-a address 127.43.24.2/29\nset trunk itsp-a remote 127.43.24.1:5060/udp\ncommit\n",
    );
    assert!(said.contains("SBC-3015"), "{said}");
    assert!(
        node.answer("show configuration interface carrier-a")
            .contains("127.40.24.2")
    );
    assert!(node.answer("show trunks").contains("127.40.24.1"));
    assert_eq!(
        node.answer("show rollback | match \\* | count"),
        "2 lines\n"
    );
    assert!(
        node.answer("show rollback").contains("* 1 "),
        "no revision was made"
    );
}

#[test]
fn a_trunk_comes_and_goes_while_the_node_runs() {
    let node = Node::start("comes-and-goes", 25);
    let said = node.follows(
        "configure\nset interface carrier-b zone private\nset interface carrier-b device b0\nset interface carrier-b address 127.42.25.2/29\nset trunk itsp-b via interface:carrier-b\nset trunk itsp-b remote 127.42.25.1:5060/udp\nset trunk itsp-b max-simultaneous-calls 4\nset emergency trunks [itsp-a itsp-b]\nset route outbound to [trunk:itsp-a trunk:itsp-b]\ncommit\n",
    );
    assert!(said.contains("revision 2 is live"), "{said}");
    node.until(SOON, |node| node.answer("show trunks").contains("itsp-b"));
    // It listens there, and on the same socket again after it went and came.
    let said = node.follows("configure\nrollback\ncommit\nrollback 2\ncommit\n");
    assert!(said.contains("revision 4 is live"), "{said}");
    node.until(SOON, |node| node.answer("show trunks").contains("itsp-b"));
}

#[test]
fn two_people_are_joined_unless_they_change_the_same() {
    let node = Node::start("two-people", 26);
    let mut one = node.terminal();
    one.waits(0, "lab> ", SOON).unwrap();
    one.types(
        b"configure\rset trunk itsp-a max-simultaneous-calls 4\r",
        11_520,
    )
    .unwrap();
    one.waits(0, "lab# ", SOON).unwrap();
    node.follows("configure\nset system timezone Europe/Berlin\ncommit\n");
    let from = one.seen.len();
    one.types(b"commit\r", 11_520).unwrap();
    one.waits(from, "revision 3 is live", SOON).unwrap();
    assert!(
        node.answer("show configuration system")
            .contains("Europe/Berlin")
    );
    assert_eq!(limit(&node), "4");
    one.types(b"set trunk itsp-a max-simultaneous-calls 5\r", 11_520)
        .unwrap();
    let from = one.seen.len();
    one.waits(from.saturating_sub(10), "lab# ", SOON).unwrap();
    node.follows("configure\nset trunk itsp-a max-simultaneous-calls 6\ncommit\n");
    let from = one.seen.len();
    one.types(b"commit\r", 11_520).unwrap();
    one.waits(from, "SBC-3014", SOON).unwrap();
    one.waits(from, "trunk itsp-a max-simultaneous-calls", SOON)
        .unwrap();
    assert_eq!(limit(&node), "6");
}

#[test]
fn whoever_locks_the_configuration_has_it_alone_until_leaving() {
    let node = Node::start("exclusive", 27);
    let mut one = node.terminal();
    one.waits(0, "lab> ", SOON).unwrap();
    one.types(b"configure exclusive\r", 11_520).unwrap();
    one.waits(0, "lab# ", SOON).unwrap();
    let said = node.follows("configure\nset trunk itsp-a max-simultaneous-calls 5\ncommit\n");
    assert!(said.contains("SBC-3011"), "{said}");
    drop(one);
    node.until(SOON, |node| {
        node.follows("configure exclusive\nset trunk itsp-a max-simultaneous-calls 5\ncommit\n")
            .contains("is live")
    });
}

#[test]
fn a_commit_that_waits_outlives_the_console_role_and_a_power_cut() {
    let node = Node::start("waits-on", 84);
    let waits = |node: &Node, secs: u64, value: u32| {
        let limit = format!("max-simultaneous-calls = {value}");
        let toml = node.answer("show configuration");
        let toml = toml.replace("max-simultaneous-calls = 3", &limit);
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let at = since.unwrap().as_secs() + secs;
        let put = serde_json::json!({ "toml": toml, "base": 1, "at": at, "comment": "night" });
        let said = node.asks_api(&[("config.put", &put.to_string())]);
        assert!(said.contains("\"at\":"), "{said}");
    };
    waits(&node, 3600, 9);
    let ready = |node: &Node| node.log().matches("ready role=\"console\"").count();
    let before = ready(&node);
    assert!(node.crashes("console"));
    node.until(SOON, |node| ready(node) > before);
    let said = node.follows("configure\nstatus\ncommit cancel\n");
    assert!(said.contains("a commit waits until "), "{said}");
    assert!(said.contains("is taken back"), "{said}");

    waits(&node, 4, 8);
    let again = Node::again(node.cut());
    again.until(SOON, |node| limit(node) == "8");
    assert!(again.answer("show rollback").contains("night"));
    let file = again.folder.join("state/later.json");
    again.until(SOON, |_| !file.exists());
    // One whose time is long over is told, and not made.
    let folder = again.cut();
    let late = serde_json::json!({
        "at": 1_700_000_000, "text": "", "order": "Live", "drained": null,
    });
    std::fs::write(&file, late.to_string()).unwrap();
    let again = Node::again(folder);
    again.until(SOON, |_| !file.exists());
    let audit = again.answer("show audit | json");
    assert!(audit.contains("is not made: the node was off"), "{audit}");
    assert_eq!(limit(&again), "8");
}

#[test]
fn damaged_revisions_are_passed_over_and_told_until_the_next_commit() {
    let node = Node::start("damaged", 87);
    for value in [5, 6] {
        node.follows(&format!(
            "configure\nset trunk itsp-a max-simultaneous-calls {value}\ncommit\n"
        ));
    }
    let folder = node.cut();
    let list = folder.join("state/config/revisions.json");
    let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    let hash = read["revisions"][2]["hash"].as_str().unwrap();
    let text = folder.join(format!("state/config/{hash}.toml"));
    std::fs::write(text, "nothing").unwrap();
    std::fs::write(list, "no list").unwrap();
    let node = Node::again(folder);
    assert_eq!(limit(&node), "5");
    node.until(SOON, |node| {
        node.answer("show alarms").contains("revisions-damaged")
    });
    let said = node.follows("configure\nset trunk itsp-a max-simultaneous-calls 7\ncommit\n");
    assert!(said.contains("is live"), "{said}");
    node.until(SOON, |node| {
        !node.answer("show alarms").contains("revisions-damaged")
    });
    let node = Node::again(node.cut());
    assert_eq!(limit(&node), "7");
}

#[test]
fn a_commit_that_drains_keeps_new_calls_away_and_is_live_when_none_is_left() {
    let node = Node::start("drains", 85);
    let said = node.follows(
        "configure\nset interface carrier-a device a1\ncommit drain 5m comment \"CHG-1\"\ncommit drain 2d\n",
    );
    assert!(said.contains("no new calls for trunk itsp-a"), "{said}");
    assert!(said.contains("'commit cancel' takes it back"), "{said}");
    assert!(said.contains("a time to wait is 90s, 5m or 2h"), "{said}");
    node.until(SOON, |node| node.answer("show rollback").contains("CHG-1"));
    node.until(SOON, |node| !node.answer("show trunks").contains("drained"));
    assert!(
        node.answer("show configuration")
            .contains("device = \"a1\"")
    );
    // Who was drained by hand stays so.
    node.answer("trunk itsp-a drain");
    assert!(node.answer("show trunks").contains("drained"));
    let said = node.follows("configure\nset interface carrier-a device a2\ncommit drain 90s\n");
    assert!(said.contains("it cuts no way"), "{said}");
    node.until(SOON, |node| {
        node.answer("show configuration")
            .contains("device = \"a2\"")
    });
    assert!(node.answer("show trunks").contains("drained"));
}

#[test]
fn what_compare_printed_is_a_patch_and_a_key_is_copied_to_another() {
    let node = Node::start("patched", 86);
    let edits = "set trunk itsp-a max-simultaneous-calls 5\nset trunk itsp-a codecs [PCMA]\ndelete trunk itsp-a pilot-number\nset system timezone Europe/Berlin\n";
    let said = node.follows(&format!("configure\n{edits}compare\n"));
    let printed: Vec<&str> = said
        .lines()
        .filter(|line| {
            ["[", "- ", "+ ", "imp"]
                .iter()
                .any(|mark| line.starts_with(mark))
        })
        .collect();
    let patch = printed.join("\n");
    assert!(
        patch.contains("- pilot-number") && patch.contains("impact:"),
        "{said}"
    );
    let line = format!("configure\nload patch terminal\n{patch}\n\u{4}compare\n");
    let said = node.follows(&line);
    let again: Vec<&str> = said.lines().filter(|line| printed.contains(line)).collect();
    assert_eq!(again, printed, "{said}");
    // Over something else it is refused whole.
    let said = node.follows(&format!(
        "configure\nset trunk itsp-a max-simultaneous-calls 4\nload patch terminal\n{patch}\n\u{4}compare\n"
    ));
    assert!(said.contains("is not what the patch begins from"), "{said}");
    assert!(!said.contains("timezone"), "{said}");

    let said = node.follows(
        "configure\ncopy trunk itsp-a to itsp-b\nset trunk itsp-b codecs [PCMU]\ncopy trunk itsp-b codecs to trunk itsp-a codecs\ncopy trunk itsp-b to mediation med-1\ncopy trunk itsp-b nothing to trunk itsp-a codecs\nshow trunk\n",
    );
    assert_eq!(
        said.matches("codecs").count() - said.matches("codecs to").count(),
        2,
        "{said}"
    );
    assert!(said.contains("is no key with a value"), "{said}");
    assert!(said.contains("unknown key"), "{said}");
}

#[test]
fn pasted_lines_and_toml_are_loaded() {
    let node = Node::start("loaded", 28);
    let said = node.follows(
        "configure\nload merge terminal\nset trunk itsp-a max-simultaneous-calls 5\nset system timezone Europe/Berlin\n\u{4}compare\n",
    );
    assert!(said.contains("octets, SHA-256 "), "{said}");
    assert!(said.contains("+ max-simultaneous-calls = 5"), "{said}");
    let toml = node
        .answer("show configuration")
        .replace("max-simultaneous-calls = 3", "max-simultaneous-calls = 11");
    let said = node.follows(&format!(
        "configure\nload override terminal\n{toml}\u{4}compare\ncommit\n"
    ));
    assert!(
        said.contains("+ max-simultaneous-calls = 11") && said.contains("is live"),
        "{said}"
    );
    let said = node.follows("configure\nload merge terminal\nset trunk itsp-a codex PCMA\n\u{4}");
    assert!(said.contains("SBC-3012"), "{said}");
}

/// Ten thousand lines: how long the node takes, as it says itself. The bound is
/// for the program as it is shipped; unoptimised it may take longer.
#[test]
fn ten_thousand_lines_are_committed() {
    let node = Node::start("ten-thousand", 29);
    let mut lines = String::from("configure\n");
    for number in 0..3_300 {
        lines.push_str(&format!(
            "set site s{number} max-simultaneous-calls {}\nannotate site s{number} \"floor {number}\"\n",
            number % 50 + 1
        ));
    }
    let began = std::time::Instant::now();
    let said = node.follows(&format!("{lines}show | count\ncommit\n"));
    let whole = began.elapsed();
    let line = said
        .lines()
        .find(|line| line.contains("is live"))
        .unwrap_or_else(|| panic!("{said}"));
    let count = said.lines().find(|line| line.ends_with(" lines")).unwrap();
    let millis: u64 = line
        .split(['(', ' '])
        .find_map(|word| word.parse().ok().filter(|n| *n > 2))
        .unwrap_or(0);
    println!("{count}: {line}, typed in {whole:?}");
    assert!(
        count.split(' ').next().unwrap().parse::<u32>().unwrap() > 10_000,
        "{count}"
    );
    assert!(millis < 5_000, "{line}");
}

/// `configure safe`: what is committed stays only while the login lives and
/// confirms.
#[test]
fn a_safe_commit_goes_back_when_its_login_ends() {
    let node = Node::start("safe", 46);
    let commits = |limit: u32, then: &str| {
        let mut one = node.terminal();
        one.waits(0, "lab> ", SOON).unwrap();
        let lines = format!(
            "configure safe\rset trunk itsp-a max-simultaneous-calls {limit}\rcommit\r{then}"
        );
        one.types(lines.as_bytes(), 11_520).unwrap();
        one.waits(0, "Back when this login ends", SOON).unwrap();
        one
    };
    let one = commits(9, "");
    assert_eq!(limit(&node), "9");
    // Its line goes dead.
    drop(one);
    node.until(SOON, |node| limit(node) == "3");
    assert!(node.answer("show audit").contains("goes back: the login"));
    let mut one = commits(8, "confirm\r");
    one.waits(0, "kept; boot uses it", SOON).unwrap();
    drop(one);
    // Another login's end, and its own, change nothing of what was confirmed.
    node.until(SOON, |node| !node.answer("show users").contains("cli"));
    assert_eq!(limit(&node), "8");
}

#[test]
fn a_commit_waits_for_its_time_and_can_be_taken_back() {
    let node = Node::start("waits", 53);
    let said = node.follows(
        "configure\nset trunk itsp-a max-simultaneous-calls 5\ncommit at 23:59 comment night\nstatus\ncommit at 23:58\ncommit cancel\ncommit cancel\ncommit at 25:00\n",
    );
    assert!(
        said.contains("23:59:00 UTC; 'commit cancel' takes it back"),
        "{said}"
    );
    assert!(said.contains("a commit waits until "), "{said}");
    assert!(said.contains("SBC-3011: a commit waits until"), "{said}");
    assert!(said.contains("23:59:00 UTC is taken back"), "{said}");
    assert!(said.contains("SBC-3017: no commit waits"), "{said}");
    assert!(said.contains("a time is 23:30"), "{said}");
    assert_eq!(limit(&node), "3");
    // The same over the API, with a moment that comes soon.
    let toml = node
        .answer("show configuration")
        .replace("max-simultaneous-calls = 3", "max-simultaneous-calls = 7");
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let at = since.unwrap().as_secs() + 3;
    let put = serde_json::json!({ "toml": toml, "base": 1, "at": at, "comment": "night" });
    assert!(
        node.asks_api(&[("config.put", &put.to_string())])
            .contains("\"at\":")
    );
    assert_eq!(limit(&node), "3");
    node.until(SOON, |node| limit(node) == "7");
    assert!(
        node.answer("show audit | json")
            .contains("that waited is live: revision 2")
    );
    assert!(node.answer("show rollback").contains("night"));
    // Over another revision than its own it is refused, and says so.
    let at = at + 6;
    let put = serde_json::json!({ "toml": toml, "base": 1, "at": at });
    assert!(
        node.asks_api(&[("config.put", &put.to_string())])
            .contains("\"at\":")
    );
    node.until(SOON, |node| {
        node.answer("show audit | json").contains("SBC-3013")
    });
}
