//! What is tried inside a jail, and what comes of it.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use super::table::Only;
use super::{Row, enter};
use crate::roles::Role;

const ROLES: [Role; 3] = [Role::Signal, Role::Relay, Role::Console];
/// Tells the inner test what to try in the jail.
const TRY: &str = "SBC_TEST_TRIES";

/// What is tried in the jail, in a process of its own.
#[test]
fn inside_the_jail() {
    let Ok(what) = std::env::var(TRY) else {
        return;
    };
    let (role, what) = what.split_once(' ').unwrap();
    match Role::of(role) {
        Some(role) => enter(role).unwrap(),
        None => {
            rustix::thread::set_no_new_privs(true).unwrap();
            super::filter(role).unwrap();
        }
    }
    let is_done = match what {
        "nothing" => true,
        "open" => std::fs::File::open("/etc/hostname").is_err(),
        "memory" => std::fs::read_to_string("/proc/meminfo").is_ok(),
        "thread" => std::thread::spawn(|| 1).join().is_ok(),
        "execute" => Command::new("/bin/true").status().is_ok(),
        "root" => rustix::process::chroot("/").is_ok(),
        "pipe" => rustix::pipe::pipe().is_ok(),
        "raw" => {
            use rustix::net::{AddressFamily, SocketType, socket};
            socket(AddressFamily::PACKET, SocketType::RAW, None).is_ok()
        }
        other => panic!("{other}"),
    };
    std::process::exit(if is_done { 7 } else { 8 });
}

fn tried(role: &str, what: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "jail::tests::inside_the_jail", "--nocapture"])
        .args(["--test-threads", "1"])
        .env(TRY, format!("{role} {what}"))
        .status()
        .unwrap()
}

const KILLED_BY_FILTER: Option<i32> = Some(31);

#[test]
fn a_forbidden_system_call_ends_a_role_by_sigsys() {
    for role in ROLES {
        for what in ["execute", "pipe", "raw"] {
            let status = tried(role.word(), what);
            assert_eq!(
                status.signal(),
                KILLED_BY_FILTER,
                "{role:?} {what}: {status}"
            );
        }
        for what in ["nothing", "thread"] {
            assert_eq!(tried(role.word(), what).code(), Some(7), "{role:?} {what}");
        }
    }
    for (word, can, cannot) in [
        (
            "netcfg",
            &["nothing", "thread", "execute"][..],
            &["raw", "root"][..],
        ),
        ("charon", &["nothing", "thread", "pipe"], &["raw", "root"]),
        ("login", &["nothing", "thread"], &["execute", "root"]),
        ("port", &["nothing", "thread"], &["execute", "raw", "pipe"]),
        ("firmware", &["nothing"], &["execute", "raw", "root"]),
    ] {
        for what in can {
            assert_eq!(tried(word, what).code(), Some(7), "{word} {what}");
        }
        for what in cannot {
            assert_eq!(
                tried(word, what).signal(),
                KILLED_BY_FILTER,
                "{word} {what}"
            );
        }
    }
}

#[test]
fn a_file_outside_a_roles_folders_does_not_open() {
    let has_landlock = std::fs::read_to_string("/sys/kernel/security/lsm")
        .is_ok_and(|list| list.contains("landlock"));
    for role in ROLES {
        let code = tried(role.word(), "open").code();
        let memory = tried(role.word(), "memory").code();
        if role == Role::Console {
            assert_eq!(memory, Some(7), "its alarm needs it");
        }
        if has_landlock {
            assert_eq!(code, Some(7), "{role:?} opened it");
        } else {
            assert!(matches!(code, Some(7 | 8)), "{role:?} died of it");
        }
    }
}

#[test]
fn every_system_call_of_a_jail_has_its_reason_and_only_netcfg_and_charon_start_a_program() {
    const NEVER: [&str; 15] = [
        "execveat",
        "ptrace",
        "bpf",
        "io_uring_setup",
        "userfaultfd",
        "perf_event_open",
        "mount",
        "unshare",
        "setns",
        "init_module",
        "finit_module",
        "keyctl",
        "kexec_load",
        "process_vm_writev",
        "fork",
    ];
    for row in Row::all() {
        for (name, only, reason) in row.calls() {
            assert!(!reason.is_empty(), "{}: {name} has no reason", row.word);
            let mounts = row.word == "firmware" && name == "mount";
            assert!(mounts || !NEVER.contains(&name), "{}: {name}", row.word);
            let starts = matches!(row.word, "netcfg" | "charon");
            assert!(starts || name != "execve", "{}: {name}", row.word);
            let narrow = ["prctl", "socket", "socketpair", "ioctl"];
            assert!(!narrow.contains(&name) || only != Only::Any, "{name}");
        }
    }
}

#[test]
fn every_role_that_speaks_with_others_has_a_row() {
    for role in ROLES {
        assert_eq!(Row::of(role).unwrap().word, role.word());
    }
    for word in ["netcfg", "charon", "login", "port", "firmware"] {
        assert_eq!(Row::named(word).unwrap().word, word);
    }
}

#[test]
fn what_the_kernel_says_of_a_jail_is_told_once_its_filter_is_closed() {
    let status = |mode: &str| {
        format!(
            "Name:\tsbc\nUid:\t904\t904\t904\t904\nGid:\t904\t904\t904\t904\n\
             CapEff:\t0000000000002000\nCapBnd:\t0000000000002000\nNoNewPrivs:\t1\n\
             Seccomp:\t{mode}\nSeccomp_filters:\t2\n"
        )
    };
    let told = "Uid 904, Gid 904, CapEff 0000000000002000, CapBnd 0000000000002000, \
                NoNewPrivs 1, Seccomp 2";
    assert_eq!(super::shown_of(&status("2")).as_deref(), Some(told));
    assert_eq!(super::shown_of(&status("0")), None);
    assert_eq!(super::shown_of(""), None);
}
