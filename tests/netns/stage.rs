//! What the labs have in common: one node between two providers and two
//! Mediation Servers, each in a namespace of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use sbc_tests::kit::actor::Actor;
use sbc_tests::kit::net::{Cable, Net};
use sbc_tests::kit::node::Node;
use sbc_tests::kit::programs::build;
use sbc_tests::kit::sipp::Hall;
use sbc_tests::lab::demo;
use serde_json::Value;

/// The provider on UDP, and the node's place towards it.
pub const CARRIER: &str = "172.20.31.1:5060";
pub const TO_CARRIER: &str = "172.20.31.2:5060";

/// The provider on TCP.
pub const CARRIER_TCP: &str = "172.20.32.1:5060";
pub const TO_CARRIER_TCP: &str = "172.20.32.2:5060";

/// The first Mediation Server, and the second.
pub const SERVER: &str = "10.20.120.2:5068";
pub const TO_SERVER: &str = "10.20.120.1:5066";
pub const SERVER_2: &str = "10.20.121.2:5068";
pub const TO_SERVER_2: &str = "10.20.121.1:5066";

/// How long anything may take that takes no time on a quiet machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

const CABLES: [Cable; 4] = [
    cable("itsp", "a0", "172.20.31.2/29", "172.20.31.1/29"),
    cable("itsp-tcp", "b0", "172.20.32.2/29", "172.20.32.1/29"),
    cable("med1", "m1", "10.20.120.1/29", "10.20.120.2/29"),
    cable("med2", "m2", "10.20.121.1/29", "10.20.121.2/29"),
];

const fn cable(
    neighbour: &'static str,
    device: &'static str,
    ours: &'static str,
    theirs: &'static str,
) -> Cable {
    Cable {
        neighbour,
        device,
        ours,
        theirs,
    }
}

/// A running node and its networks. The node ends before they go.
pub struct Stage {
    pub node: Node,
    pub net: Net,
    pub folder: PathBuf,
}

impl Stage {
    /// Sets the stage of `test`, or reports it as skipped on a machine that lets
    /// us make no namespaces.
    pub fn set(test: &str) -> Option<Self> {
        Self::set_with(test, &[])
    }

    /// The same, with variables of the node's environment.
    pub fn set_with(test: &str, variables: &[&str]) -> Option<Self> {
        if !demo::may_make_namespaces() {
            sbc_tests::skip(test, "this machine lets us make no network namespaces");
            return None;
        }
        // The path of a socket has no room for a whole sentence.
        let short = test.get(..40).unwrap_or(test);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(short);
        // What an earlier run left would be read as this one's.
        let _none = std::fs::remove_dir_all(&folder);
        Some(Self::at(folder, (variables, &[])))
    }

    /// Sets the stage with its files in `folder`, and with variables and more words
    /// for the node.
    pub fn at(folder: PathBuf, words: (&[&str], &[&str])) -> Self {
        let net = Net::make(&CABLES).expect("networks");
        let text = include_str!("node.toml");
        let node = Node::start_with(&net, binary(), &folder, text, words);
        Self {
            node: node.expect("a node"),
            net,
            folder,
        }
    }

    /// Starts a program of the lab at `place`.
    pub fn actor(&self, place: &str, words: &[&str]) -> Actor {
        let mut command = self.net.command(place, program().to_str().expect("text"));
        let mut actor = Actor::start(place, command.args(words)).expect("a program of the lab");
        actor.hear("ready", PATIENCE).expect("ready");
        actor
    }

    /// Returns where SIPp runs.
    pub fn hall(&self) -> Hall<'_> {
        Hall {
            net: &self.net,
            folder: &self.folder,
        }
    }

    /// Starts a telephone: `udp` or `tcp`, where it is, where the node is for it.
    pub fn phone(&self, place: &str, transport: &str, at: &str, node: &str) -> Actor {
        let hertz = if place.starts_with("itsp") {
            "440"
        } else {
            "880"
        };
        self.actor(place, &["phone", transport, at, node, hertz])
    }

    /// Waits until `holds`; says what was there instead if it never does.
    pub fn until(&self, what: &str, within: Duration, holds: impl Fn(&Self) -> bool) -> Duration {
        let waited = self.node.until(within, |_| holds(self));
        waited.unwrap_or_else(|why| {
            panic!(
                "{what}: {why}\nheld {:?}\n{}\n{}",
                self.held(),
                self.node.ask("show calls"),
                tail(&self.node.log())
            )
        })
    }

    /// Returns what the engine holds: calls, transactions, tags, requests, ports.
    pub fn held(&self) -> Vec<u64> {
        serde_json::from_str(&self.node.ask("show held | json")).unwrap_or_default()
    }

    /// Returns how many calls are up.
    pub fn calls(&self) -> usize {
        self.node
            .ask("show calls")
            .lines()
            .count()
            .saturating_sub(1)
    }

    /// Returns a counter of the signal role.
    pub fn counter(&self, name: &str) -> u64 {
        let text = self.node.ask("show counters");
        let line = text.lines().find(|line| line.starts_with(name));
        let count = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        count.unwrap_or_else(|| panic!("no counter {name} in\n{text}"))
    }

    /// Returns the records of all calls that ended.
    pub fn records(&self) -> Vec<Value> {
        let lines = self.node.records();
        let read = |line: &String| serde_json::from_str(line).expect("a record");
        lines.iter().map(read).collect()
    }

    /// Returns how many packets the listener of the node at `at` dropped unseen.
    pub fn drops(&self, at: &str, kind: &str) -> u64 {
        let kind = if kind == "tcp" { "-tlnmH" } else { "-ulnmH" };
        let mut command = self.net.command("node", "ss");
        let text = output(command.args([kind, "src", at]));
        // skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d3)
        let memory = text.split("skmem:(").nth(1).unwrap_or_default();
        let memory = memory.split(')').next().unwrap_or_default();
        let drops = memory.split(',').find_map(|part| part.strip_prefix('d'));
        let drops = drops.and_then(|drops| drops.parse().ok());
        drops.unwrap_or_else(|| panic!("no listener at {at} in {text:?}"))
    }

    /// Returns what the kernel of `place` counted under `name`, `Udp InDatagrams`
    /// say (RFC 4113, RFC 4022).
    pub fn kernel(&self, place: &str, name: &str) -> u64 {
        let output = self
            .net
            .command(place, "cat")
            .arg("/proc/net/snmp")
            .output();
        let text = String::from_utf8(output.expect("cat").stdout).expect("text");
        let (group, field) = name.split_once(' ').expect("a group and a field");
        let group = format!("{group}:");
        let mut lines = text.lines().filter(|line| line.starts_with(&group));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let at = names.split(' ').position(|each| each == field);
        let value = values
            .split(' ')
            .nth(at.expect("a field"))
            .expect("a value");
        value.parse().expect("a number")
    }
}

/// Returns the node's program; it is built once.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("sbc-core", "sbc").expect("a node that builds"))
}

/// The lab's own program; `cargo test` builds it.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lab"))
}

/// Returns the word at `place` of a line.
pub fn word(line: &str, place: usize) -> &str {
    line.split_whitespace().nth(place).unwrap_or_default()
}

/// Returns the number behind `name` in a line such as `tone 1 0.9 lost 0 gap 21`.
pub fn number(line: &str, name: &str) -> u64 {
    let mut words = line.split_whitespace();
    words.find(|word| *word == name);
    let value = words.next().and_then(|word| word.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {line:?}"))
}

/// Returns how many descriptors of each kind a process has: TCP connections,
/// datagram sockets, files by their names.
pub fn descriptors(pid: u32) -> BTreeMap<String, usize> {
    let of = |table: &str| {
        std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default()
    };
    let tables = ["tcp", "udp", "unix"].map(|table| (table, of(table)));
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let mut kinds = BTreeMap::new();
    for file in open.into_iter().flatten().flatten() {
        let name = std::fs::read_link(file.path()).unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let inode = name
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'));
        let holds = |(_, text): &&(&str, String)| {
            inode.is_some_and(|inode| text.split_whitespace().any(|word| word == inode))
        };
        let kind = tables
            .iter()
            .find(holds)
            .map_or(name.clone(), |(table, _)| (*table).to_owned());
        *kinds.entry(kind).or_insert(0) += 1;
    }
    kinds
}

/// Returns how many octets of memory a process has touched.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| word(line, 1).parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

/// Places a call from one telephone to another. Returns what each calls it.
pub fn connect(from: &mut Actor, to: &mut Actor, number: &str) -> (String, String) {
    let placed = from
        .ask(&format!("call {number}"), "placed")
        .expect("placed");
    let ours = word(&placed, 1).to_owned();
    let incoming = to.hear("incoming", PATIENCE).expect("it comes in");
    let end = from
        .hear(&format!("final {ours} "), PATIENCE)
        .expect("an answer");
    assert_eq!(word(&end, 2), "200", "{end}");
    (ours, word(&incoming, 1).to_owned())
}

/// Returns what `who` says of the media of a call.
pub fn tone(who: &mut Actor, call: &str) -> String {
    let hertz = if who.name.starts_with("itsp") {
        880
    } else {
        440
    };
    who.ask(&format!("tone {call} {hertz}"), &format!("tone {call} "))
        .expect("a tone")
}

/// Waits until `who` hears the tone of the other side. Returns its line about it.
pub fn hears(who: &mut Actor, call: &str) -> String {
    let since = std::time::Instant::now();
    loop {
        let line = tone(who, call);
        if word(&line, 2).parse().unwrap_or(0.0) > 0.9 {
            return line;
        }
        assert!(
            since.elapsed() < PATIENCE,
            "{} hears nothing: {line}",
            who.name
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a program and returns what it said.
pub fn output(command: &mut Command) -> String {
    let output = command.output().expect("a program");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
