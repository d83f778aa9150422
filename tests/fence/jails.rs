//! What the kernel does to a role that wants more than it may have, with a call up.

use crate::stage::{Host, Stage, connect, hears};

const FILE: &str = include_str!("vlans.toml");

const HOSTS: [Host; 2] = [
    ("itsp", 310, "172.20.31.1/29"),
    ("med", 120, "10.20.120.2/29"),
];

#[test]
fn a_role_at_its_ceiling_of_memory_ends_with_the_reason_and_its_call_goes_on() {
    let name = "a_role_at_its_ceiling_of_memory_ends_with_the_reason_and_its_call_goes_on";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = Stage::set(name, &HOSTS, None) else {
        return;
    };
    let mut med = stage.phone("med", "tcp", "10.20.120.2:5068", "10.20.120.1:5066", "880");
    let mut itsp = stage.phone("itsp", "udp", "172.20.31.1:5060", "172.20.31.2:5060", "440");
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
