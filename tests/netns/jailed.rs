//! The jails of the roles as the kernel shows them, and a role that is ended by
//! its own jail with a call up.

use std::fs;
use std::time::Duration;

use sbc_tests::kit::node::send;
use sbc_tests::lab::demo;

use super::stage::{CARRIER, SERVER, Stage, TO_CARRIER, TO_SERVER, connect, hears};

/// Each role's user, as the firewall's rules know it.
const USERS: [(&str, &str); 3] = [("signal", "902"), ("relay", "903"), ("console", "904")];
/// Users other than root can be had where all of them are.
const ALL_USERS: &str = "4294967295";

/// Returns one line of a process's status.
fn status(pid: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    found.unwrap_or_default().trim().to_owned()
}

fn assert_is_jailed(stage: &Stage, role: &str, user: &str) {
    let pid = stage.node.pid(role).unwrap();
    // A process that was just started is on its way into the jail.
    stage.until("the jail is closed", Duration::from_secs(20), |_| {
        status(pid, "Seccomp") == "2"
    });
    for field in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status(pid, field), "0000000000000000", "{role} {field}");
    }
    assert_eq!(status(pid, "NoNewPrivs"), "1", "{role}");
    for field in ["Uid", "Gid"] {
        let all = status(pid, field);
        let words: Vec<&str> = all.split_whitespace().collect();
        assert_eq!(words, [user; 4], "{role} {field}");
    }
}

#[test]
fn each_role_has_its_user_no_capability_and_a_filter_and_its_calls_outlive_it() {
    let name = "each_role_has_its_user_no_capability_and_a_filter_and_its_calls_outlive_it";
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if !demo::may_make_namespaces() || !users.trim_end().ends_with(ALL_USERS) {
        sbc_tests::skip(name, "only root can have namespaces and users of its own");
        return;
    }
    // Every user can go into the common folder for such things.
    let folder = std::env::temp_dir().join(format!("sbc-jailed-{}", std::process::id()));
    let place = |name: &str| folder.join(name).display().to_string();
    // What two roles write to lies in folders of their own.
    let (cdr, ladders, state) = (place("cdr/calls"), place("ladders"), place("state"));
    let words = [
        "--users",
        "--cdr",
        &cdr,
        "--ladders",
        &ladders,
        "--state",
        &state,
    ];
    let stage = Stage::at(folder.clone(), (&[], &words));
    let mut carrier = stage.phone("itsp", "udp", CARRIER, TO_CARRIER);
    let mut server = stage.phone("med1", "tcp", SERVER, TO_SERVER);
    let (ours, theirs) = connect(&mut carrier, &mut server, "+49691231001");
    hears(&mut carrier, &ours);
    for (role, user) in USERS {
        assert_is_jailed(&stage, role, user);
    }

    // As the kernel ends a role that calls what its filter does not have.
    for (role, user) in USERS {
        let before = stage.node.pid(role).unwrap();
        assert!(send("SYS", before));
        stage.until("the role is back", Duration::from_secs(20), |stage| {
            stage.node.pid(role).is_some_and(|pid| pid != before) && stage.calls() == 1
        });
        hears(&mut carrier, &ours);
        hears(&mut server, &theirs);
        assert_is_jailed(&stage, role, user);
    }
    carrier
        .ask(&format!("bye {ours}"), &format!("ended {ours} 200"))
        .unwrap();
    let lines = || fs::read_to_string(&cdr).unwrap_or_default().lines().count();
    stage.until("its record", Duration::from_secs(20), |_| lines() == 1);
    let drawn = || fs::read_dir(&ladders).unwrap().count();
    stage.until("its ladder", Duration::from_secs(20), |_| drawn() == 2);
    assert!(fs::exists(folder.join("state/audit.jsonl")).unwrap());
    let log = stage.node.log();
    assert_eq!(log.matches("SIGSYS").count(), USERS.len(), "{log}");
    drop((carrier, server, stage));
    fs::remove_dir_all(folder).unwrap();
}
