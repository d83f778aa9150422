//! What the tests have in common: a node in a guest on a trunk of the switch, and
//! telephones in namespaces on its VLANs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sbc_tests::kit::actor::Actor;
use sbc_tests::kit::guest::{Guest, Tools};
use sbc_tests::kit::net::Net;
use sbc_tests::kit::programs;
use sbc_tests::kit::vswitch::{Place, Switch};

/// How long anything may take in a guest on a machine that has much to do.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The node's file in its guest.
pub const FILE: &str = "/etc/sbc/node.toml";

/// A namespace on a VLAN: its name, the VLAN, its address.
pub type Host = (&'static str, u16, &'static str);

/// A node that runs in a guest, and everything around it.
pub struct Stage {
    pub tools: Tools,
    pub node: Guest,
    pub switch: Switch,
    pub trunk: Place,
    /// The node's second card, without tags.
    pub outer: Option<Place>,
    pub net: Net,
    /// The hardware address of the trunk's card.
    pub mac: [u8; 6],
    /// The supervisor's pid in its guest.
    pub pid: u32,
    /// Its roles are in groups that have ceilings.
    groups: bool,
}

/// Returns what guests are made with, or nothing when `test` was skipped.
pub fn tools(test: &str) -> Option<Tools> {
    let lab = Path::new(env!("CARGO_BIN_EXE_lab"));
    let tools = Tools::for_test(test, lab).expect("tools for guests");
    if !sbc_tests::lab::demo::may_make_namespaces() {
        sbc_tests::skip(test, "this machine lets us make no network namespaces");
        return None;
    }
    tools
}

/// Returns the folder for what a test leaves.
pub fn folder(test: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(test)
}

/// Returns the node's program; it is built once.
pub fn sbc() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| programs::build("sbc-core", "sbc").expect("a node that builds"))
}

impl Stage {
    /// Boots a guest with the node's program in it, and hosts around it. Nothing of
    /// the node runs yet.
    pub fn set(test: &str, hosts: &[Host], outer: Option<u16>) -> Option<Self> {
        Self::set_with(sbc(), test, hosts, outer)
    }

    /// The same with this program of the node.
    pub fn set_with(
        program: &Path,
        test: &str,
        hosts: &[Host],
        outer: Option<u16>,
    ) -> Option<Self> {
        let tools = tools(test)?;
        let mut net = Net::make(&[]).expect("networks");
        let mut switch = Switch::new(&folder(test)).expect("a switch");
        let trunk = switch.trunk("node", &[]).expect("a trunk");
        for &(name, vlan, address) in hosts {
            net.add(name).expect("a namespace");
            let tap = switch.tap(name, &net.name(name), "eth0", vlan, Some(address));
            tap.expect("a TAP device");
        }
        let mut planned = Guest::plan(&tools, "node", &folder(test)).expect("a guest");
        planned.file("usr/bin/sbc", program);
        let mac = planned.card(&trunk.socket);
        let outer = outer.map(|vlan| switch.access("outer", vlan).expect("a cable"));
        if let Some(outer) = &outer {
            planned.card(&outer.socket);
        }
        let node = planned.boot().expect("a guest that boots");
        Some(Self {
            tools,
            node,
            switch,
            trunk,
            outer,
            net,
            mac,
            pid: 0,
            groups: false,
        })
    }

    /// Starts the node with `file`, and waits until all its roles are ready.
    pub fn run(&mut self, file: &str) {
        self.node.put(FILE, 0o600, file).expect("a file");
        self.node.ok("mkdir -p /data").expect("a folder");
        self.start();
    }

    /// The same with its roles in groups of the kernel's, with ceilings nobody reaches.
    pub fn run_in_groups(&mut self, file: &str) {
        self.groups = true;
        let script = "mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd /sys/fs/cgroup && \
                      echo '+memory +pids' > cgroup.subtree_control && \
                      for group in node signal relay netcfg console charon; do \
                      mkdir $group && echo 268435456 > $group/memory.max && \
                      echo 64 > $group/pids.max || exit 1; done";
        self.node.shell(script).expect("groups");
        self.run(file);
    }

    /// Starts the node again with the file it has.
    pub fn start(&mut self) {
        let words = "sbc run /etc/sbc/node.toml --apply-network --state /data \
                     --api /run/sbc/api --cdr /data/cdr.jsonl";
        let groups = format!("export SBC_GROUPS=/sys/fs/cgroup; exec {words}");
        let words: Vec<&str> = if self.groups {
            vec!["sh", "-c", &groups]
        } else {
            words.split_whitespace().collect()
        };
        self.pid = self.node.spawn("node.log", &words).expect("a node");
        self.log_until("ready", |log| {
            log.lines().any(|line| line.trim() == "ready")
        });
    }

    /// Ends the supervisor without a word; all its children go with it.
    pub fn kill(&mut self) {
        self.node.signal(self.pid, 9).expect("a node");
        self.node.wait(self.pid, PATIENCE).expect("its end");
        let gone = |text: &str| !text.contains("sbc-") && !text.contains("charon");
        self.node
            .until(PATIENCE, "ps", gone)
            .expect("no child of it");
    }

    /// Returns the node's log.
    pub fn log(&mut self) -> String {
        let log = self.node.get("/var/log/node.log").expect("a log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until the node's log satisfies `holds`; returns it.
    pub fn log_until(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let since = Instant::now();
        loop {
            let log = self.log();
            if holds(&log) {
                return log;
            }
            assert!(since.elapsed() < PATIENCE, "{what}: not in\n{log}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Asks the node's command line.
    pub fn ask(&mut self, command: &str) -> String {
        let words = ["sbc", "cli", "--api", "/run/sbc/api", "-c", command];
        let ended = self.node.run(&words).expect("a guest that answers");
        ended.output + &ended.errors
    }

    /// Says lines to the node's console and returns what it said to all of them.
    pub fn follows(&mut self, lines: &str) -> String {
        let words = ["sbc", "cli", "--api", "/run/sbc/api"];
        let ended = self.node.run_for(PATIENCE, lines, &words);
        let ended = ended.expect("a guest that answers");
        ended.output + &ended.errors
    }

    /// Returns the hardware address of a host.
    pub fn mac_of(&self, place: &str) -> [u8; 6] {
        let mut command = self.net.command(place, "cat");
        let output = command.arg("/sys/class/net/eth0/address").output();
        mac(&String::from_utf8(output.expect("cat").stdout).expect("text"))
    }

    /// Returns the counters of the node's rules: table and name, packets.
    pub fn counters(&mut self) -> BTreeMap<(String, String), u64> {
        let text = self.node.ok("nft -j list counters").expect("counters");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let rows = read["nftables"].as_array().expect("a list").clone();
        let rows = rows
            .into_iter()
            .filter_map(|row| row.get("counter").cloned());
        let word = |row: &serde_json::Value, key: &str| row[key].as_str().expect("text").to_owned();
        rows.map(|row| {
            let packets = row["packets"].as_u64().expect("a number");
            ((word(&row, "table"), word(&row, "name")), packets)
        })
        .collect()
    }

    /// Returns the pid of a role's latest process, as the log names it.
    pub fn pid_of(&mut self, role: &str) -> u32 {
        let log = self.log();
        let started = [
            format!("started role=\"{role}\" pid="),
            format!("started {role} pid="),
        ];
        let is_start = |line: &&str| started.iter().any(|words| line.contains(words));
        let line = log.lines().rfind(is_start);
        let pid = line.and_then(|line| line.rsplit("pid=").next()?.trim().parse().ok());
        pid.unwrap_or_else(|| panic!("no pid of {role} in\n{log}"))
    }

    /// Starts a telephone: `udp` or `tcp`, where it is, where the node is for it.
    pub fn phone(&self, place: &str, transport: &str, at: &str, node: &str, hertz: &str) -> Actor {
        let program = env!("CARGO_BIN_EXE_lab");
        let mut command = self.net.command(place, program);
        let words = ["phone", transport, at, node, hertz];
        let mut actor = Actor::start(place, command.args(words)).expect("a program of the lab");
        actor.hear("ready", PATIENCE).expect("ready");
        actor
    }
}

/// What another hand does in the kernel, and what the node calls it.
pub type Act = (&'static str, &'static str);

/// Does each act, and waits until it was named, mended and the fence whole again.
pub fn meddle(stage: &mut Stage, acts: &[Act]) {
    for (act, named) in acts {
        let before = stage.log().len();
        stage
            .node
            .shell(act)
            .unwrap_or_else(|why| panic!("{act}: {why}"));
        let since = Instant::now();
        stage.log_until(act, |log| {
            let news = &log[before..];
            let is_named = news
                .lines()
                .any(|line| line.contains("was changed by another hand") && line.contains(named));
            is_named && news.contains("the fence is whole again")
        });
        println!("{act}: named and mended in {:?}", since.elapsed());
    }
}

/// Kills the role and waits for the next, which finds nothing to do.
pub fn apply_again(stage: &mut Stage) {
    let before = stage.log().len();
    let pid = stage.pid_of("netcfg");
    stage.node.signal(pid, 9).unwrap();
    stage.log_until("a second plan", |log| {
        log[before..].contains("network plan steps=0 ")
    });
}

/// Reads a hardware address.
pub fn mac(text: &str) -> [u8; 6] {
    let octets = text
        .trim()
        .split(':')
        .map(|octet| u8::from_str_radix(octet, 16));
    let octets: Vec<u8> = octets.map(|octet| octet.expect("an octet")).collect();
    octets.try_into().expect("six octets")
}

/// Returns the word at `place` of a line.
pub fn word(line: &str, place: usize) -> &str {
    line.split_whitespace().nth(place).unwrap_or_default()
}

/// Places a call, waits until each side hears the other's tone, and ends it.
pub fn call(from: &mut Actor, to: &mut Actor, number: &str) {
    let (ours, theirs) = connect(from, to, number);
    from.say(&format!("bye {ours}")).expect("a telephone");
    to.hear(&format!("bye {theirs}"), PATIENCE)
        .expect("its end");
}

/// Places a call and waits until each side hears the other's tone; returns what each
/// of them calls it.
pub fn connect(from: &mut Actor, to: &mut Actor, number: &str) -> (String, String) {
    let placed = from
        .ask(&format!("call {number}"), "placed")
        .expect("placed");
    let ours = word(&placed, 1).to_owned();
    let end = from
        .hear(&format!("final {ours} "), PATIENCE)
        .expect("an answer");
    assert_eq!(word(&end, 2), "200", "{end}");
    let incoming = to.hear("incoming", PATIENCE).expect("it comes in");
    let theirs = word(&incoming, 1).to_owned();
    hears(from, &ours);
    hears(to, &theirs);
    (ours, theirs)
}

/// Waits until `who` hears the other side: a provider speaks at 440 Hz, a server at
/// 880.
pub fn hears(who: &mut Actor, call: &str) {
    let hertz = if who.name.starts_with("itsp") {
        880
    } else {
        440
    };
    let since = Instant::now();
    loop {
        let line = who
            .ask(&format!("tone {call} {hertz}"), &format!("tone {call} "))
            .expect("a tone");
        if word(&line, 2).parse().unwrap_or(0.0) > 0.9 {
            return;
        }
        assert!(
            since.elapsed() < PATIENCE,
            "{} hears nothing: {line}",
            who.name
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
