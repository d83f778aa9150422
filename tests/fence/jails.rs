//! The jails of the node as a kernel of its own shows them, and what it does to a
//! role that wants more than it may have.

use crate::stage::{PATIENCE, Stage, connect, hears};
use crate::tunnel::{FILE as TUNNEL, World};
use crate::vlans::{FILE, HOSTS, telephones};

const SIGSYS: u8 = 31;
const NOTHING: &str = "0000000000000000";

#[test]
fn a_role_at_its_ceiling_of_memory_ends_with_the_reason_and_its_call_goes_on() {
    let name = "a_role_at_its_ceiling_of_memory_ends_with_the_reason_and_its_call_goes_on";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = Stage::set(name, &HOSTS, None) else {
        return;
    };
    let (mut med, mut itsp) = telephones(&mut stage);
    stage.run_in_groups(FILE);
    let limits = stage.ask("show limits");
    let (ours, theirs) = connect(&mut itsp, &mut med, "+49691234001");
    for role in ["node", "signal", "relay", "netcfg", "console"] {
        assert!(
            limits.contains(&format!("memory of {role} in KiB")),
            "{limits}"
        );
        let members = format!("cat /sys/fs/cgroup/{role}/cgroup.procs");
        let members = stage.node.ok(&members).unwrap();
        let pid = match role {
            "node" => stage.pid,
            role => stage.pid_of(role),
        };
        // What it starts is there as well.
        let is_in = members.lines().any(|line| line == pid.to_string());
        assert!(is_in, "{role} {pid}: {members}");
    }
    for role in ["relay", "console", "netcfg", "signal"] {
        let (before, log) = (stage.pid_of(role), stage.log().len());
        // As small as that, all it has is too much.
        let group = format!("/sys/fs/cgroup/{role}/memory.max");
        let script = format!("echo 65536 > {group}; echo 268435456 > {group}");
        stage.node.shell(&script).unwrap();
        let why = format!("SIGKILL): {role} wanted more than its ceiling of");
        stage.log_until(&why, |text| text[log..].contains(&why));
        stage.log_until("it is back", |text| {
            text[log..].contains(&format!(" ready role=\"{role}\""))
        });
        assert_ne!(stage.pid_of(role), before, "{role}");
        hears(&mut itsp, &ours);
        hears(&mut med, &theirs);
    }
    itsp.ask(&format!("bye {ours}"), &format!("ended {ours} 200"))
        .unwrap();
}

/// What the kernel must say of each process: its user, what it may do to a network
/// and what it could ever do (`CAP_NET_ADMIN` is bit 12, `CAP_NET_BIND_SERVICE` 10).
/// A role, its user, the rights it has and could have, and how it stands at the
/// processor: voice and signalling go first.
const ROWS: [(&str, &str, [&str; 2], &str); 5] = [
    ("signal", "902", [NOTHING; 2], "-5"),
    ("relay", "903", [NOTHING; 2], "-5"),
    ("netcfg", "900", ["0000000000001000"; 2], "0"),
    // It gives the right to its port up once it has it.
    (
        "charon",
        "901",
        ["0000000000001000", "0000000000001400"],
        "0",
    ),
    // Its folders are not its own here: it has lost its rights, and is still root.
    ("console", "0", [NOTHING; 2], "0"),
];

fn assert_is_jailed(stage: &mut Stage, role: &str, user: &str, rights: [&str; 2], nice: &str) {
    let pid = stage.pid_of(role);
    let [has, could] = rights;
    // A process that was just started is on its way into the jail.
    let closed =
        |text: &str| text.contains("Seccomp:\t2") && text.contains(&format!("CapEff:\t{has}"));
    let look = format!("cat /proc/{pid}/status");
    let status = stage.node.until(PATIENCE, &look, closed).unwrap();
    let field = |name: &str| {
        let mut lines = status.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
        found.unwrap_or_default().trim().to_owned()
    };
    for name in ["Uid", "Gid"] {
        assert_eq!(field(name), [user; 4].join("\t"), "{role} {name}");
    }
    for (name, rights) in [("CapPrm", has), ("CapEff", has), ("CapBnd", could)] {
        assert_eq!(field(name), rights, "{role} {name}");
    }
    assert_eq!(field("NoNewPrivs"), "1", "{role}");
    let counted = stage.node.ok(&format!("cat /proc/{pid}/stat")).unwrap();
    // Behind the name in brackets, `nice` is the 17th (proc_pid_stat(5)).
    let (_, counted) = counted.rsplit_once(')').unwrap();
    assert_eq!(counted.split_whitespace().nth(16), Some(nice), "{role}");
}

/// Through GRE in ESP (RFC 4303), whose keys charon makes.
#[test]
fn each_process_shows_its_row_and_netcfg_and_charon_that_do_what_is_forbidden_come_back() {
    let name =
        "each_process_shows_its_row_and_netcfg_and_charon_that_do_what_is_forbidden_come_back";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut world) = World::set(name) else {
        return;
    };
    world.stage.run(TUNNEL);
    world.up(0);
    world.calls();
    for (role, user, rights, nice) in ROWS {
        assert_is_jailed(&mut world.stage, role, user, rights, nice);
    }
    for role in ["netcfg", "charon"] {
        let (before, log) = (world.stage.pid_of(role), world.stage.log().len());
        // As the kernel ends whoever calls what its filter does not have.
        world.stage.node.signal(before, SIGSYS).unwrap();
        world
            .stage
            .log_until("its end", |text| text[log..].contains("SIGSYS"));
        let is_back = format!("started {role} pid=");
        let is_role_back = format!("started role=\"{role}\" pid=");
        world.stage.log_until("it is back", |text| {
            text[log..].contains(&is_back) || text[log..].contains(&is_role_back)
        });
        // Until the tunnel is known to carry again its peers do not serve.
        world.up(log);
        world.calls();
    }
    for (role, user, rights, nice) in ROWS {
        assert_is_jailed(&mut world.stage, role, user, rights, nice);
    }
    let log = world.stage.log();
    assert_eq!(log.matches("SIGSYS").count(), 2, "{log}");
}
