//! The serial port of the booted image: a newcomer, a long paste, noise, wrong
//! passwords, one sitting word for word.

use std::time::{Duration, Instant};

use sbc_tests::kit::actor::Actor;
use sbc_tests::kit::firmware::{Booted, Box, Image, Line, Loader, claim};
use sbc_tests::kit::net::Net;
use sbc_tests::kit::vswitch::{Place, Switch};

use super::folder;

/// How long a machine lives.
const LIFE: Duration = Duration::from_secs(900);
/// How long a telephone may wait for what the other one does.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A line is locked for a minute, then for two.
const LOCKED: Duration = Duration::from_secs(150);

pub const PASSWORD: &str = "correct horse battery";

/// What the eight questions are answered with: the first card's VLAN 310 leads to
/// the provider, the second's VLAN 120 to the Mediation Server.
pub const ANSWERS: [(&str, &str); 22] = [
    ("1/8 host name [sbc]: ", "?"),
    ("how this node is called", "sbc-fra-01"),
    ("2/8 time zone [UTC]: ", "b"),
    ("1/8 host name [sbc-fra-01]: ", ""),
    ("2/8 time zone [UTC]: ", "Europe/Berlin"),
    ("2/8 time servers (addresses, or none) [none]: ", ""),
    ("3/8 management port (or none) [none]: ", ""),
    (
        "5/8 first trunk: 1 Internet, needs VPN  2 MPLS or private  3 later [2]: ",
        "",
    ),
    ("6/8 port towards the provider", "eth0"),
    ("6/8 its VLAN (or none) [none]: ", "310"),
    ("6/8 our address and prefix there: ", "172.20.31.2/29"),
    ("6/8 the gateway there (or none) [none]: ", ""),
    ("6/8 the provider's SIP address: ", "172.20.31.1:5060/udp"),
    ("6/8 networks its media comes from (or same) [same]: ", ""),
    ("6/8 the pilot number of the trunk: ", "+49691234000"),
    ("6/8 calls at once [10]: ", "3"),
    ("7/8 port towards the Mediation Server", "eth1"),
    ("7/8 its VLAN (or none) [none]: ", "120"),
    ("7/8 our address and prefix there: ", "10.20.120.1/29"),
    ("7/8 the address of the Mediation Server: ", "10.20.120.2"),
    ("7/8 where it listens [5068/tcp]: ", ""),
    ("8/8 country (two letters) [DE]: ", ""),
];

/// What the questions would have made of the answers, with a way out.
pub const LINES: &str = "set system hostname sbc-fra-01\r\
    set interface carrier-a zone private\r\
    set interface carrier-a device eth0\r\
    set interface carrier-a vlan 310\r\
    set interface carrier-a address [172.20.31.2/29]\r\
    set interface voice-a zone mediation\r\
    set interface voice-a device eth1\r\
    set interface voice-a vlan 120\r\
    set interface voice-a address [10.20.120.1/29]\r\
    set trunk itsp-a via interface:carrier-a\r\
    set trunk itsp-a remote [172.20.31.1:5060/udp]\r\
    set trunk itsp-a pilot-number +49691234000\r\
    set trunk itsp-a max-simultaneous-calls 3\r\
    set mediation med-1 interface voice-a\r\
    set mediation med-1 address 10.20.120.2\r\
    set mediation med-1 port 5068/tcp\r\
    set route outbound from mediation:*\r\
    set route outbound match \\+.*\r\
    set route outbound to [trunk:itsp-a]\r\
    set route inbound from trunk:*\r\
    set route inbound match '\\+49.*'\r\
    set route inbound to [mediation:med-1]\r\x04";

/// The neighbours of a node, each a telephone in a namespace on its VLAN.
pub struct Neighbours {
    pub itsp: Actor,
    pub med: Actor,
    _net: Net,
}

impl Neighbours {
    /// Joins them to the switch. Returns nothing when this machine makes no
    /// namespaces; `test` is reported as skipped then.
    pub fn join(test: &str, switch: &mut Switch) -> Option<Self> {
        if !sbc_tests::lab::demo::may_make_namespaces() {
            sbc_tests::skip(test, "this machine lets us make no network namespaces");
            return None;
        }
        let mut net = Net::make(&[]).unwrap();
        for (name, vlan, address) in [
            ("itsp", 310, "172.20.31.1/29"),
            ("med", 120, "10.20.120.2/29"),
        ] {
            net.add(name).unwrap();
            switch
                .tap(name, &net.name(name), "eth0", vlan, Some(address))
                .unwrap();
        }
        let itsp = phone(&net, "itsp", "udp", "172.20.31.1:5060", "172.20.31.2:5060");
        let med = phone(&net, "med", "tcp", "10.20.120.2:5068", "10.20.120.1:5066");
        Some(Self {
            itsp,
            med,
            _net: net,
        })
    }

    /// The provider calls, the server answers, and the provider hangs up.
    pub fn call(&mut self) {
        let placed = self.itsp.ask("call +49691234001", "placed").unwrap();
        let ours = word(&placed, 1);
        let end = self.itsp.hear(&format!("final {ours} "), PATIENCE).unwrap();
        assert_eq!(word(&end, 2), "200", "{end}");
        let incoming = self.med.hear("incoming", PATIENCE).unwrap();
        let theirs = word(&incoming, 1);
        self.itsp.say(&format!("bye {ours}")).unwrap();
        self.med.hear(&format!("bye {theirs}"), PATIENCE).unwrap();
    }
}

fn phone(net: &Net, place: &str, transport: &str, at: &str, node: &str) -> Actor {
    let hertz = if place == "itsp" { "440" } else { "880" };
    let mut command = net.command(place, env!("CARGO_BIN_EXE_lab"));
    let command = command.args(["phone", transport, at, node, hertz]);
    let mut actor = Actor::start(place, command).unwrap();
    actor.hear("ready", PATIENCE).unwrap();
    actor
}

fn word(line: &str, place: usize) -> String {
    line.split_whitespace()
        .nth(place)
        .unwrap_or_default()
        .to_owned()
}

/// Goes through the questions of a first boot, keeps what they give, and waits for
/// the prompt.
pub fn questions(line: &mut Line<'_>) {
    for (question, answer) in ANSWERS {
        line.answers(question, answer).unwrap();
    }
    line.answers("make it live for 10 minutes [y], or change it [n]: ", "")
        .unwrap();
    line.waits("is live (").unwrap();
    line.answers("keep it [y], or go back [n]: ", "").unwrap();
    line.waits("kept; boot uses it.").unwrap();
    line.waits("> ").unwrap();
}

/// A machine that boots the image, its two cards in a switch.
pub struct Stage {
    pub neighbours: Option<Neighbours>,
    pub booted: Booted,
    _switch: Switch,
    _cables: [Place; 2],
}

/// Boots the image, with neighbours if they are wanted. Returns nothing when the
/// test was skipped.
pub fn boot(test: &str, with_neighbours: bool) -> Option<Stage> {
    let image = Image::for_test(test).expect("the image")?;
    let folder = folder(test);
    let mut switch = Switch::new(&folder).unwrap();
    let cables = [
        switch.trunk("wan", &[]).unwrap(),
        switch.trunk("lan", &[]).unwrap(),
    ];
    let neighbours = if with_neighbours {
        Some(Neighbours::join(test, &mut switch)?)
    } else {
        None
    };
    let mut plan = Box::new("node", &folder, &image.path, Loader::Bios, true).unwrap();
    for cable in &cables {
        plan.plan.nic("virtio-net-pci", &cable.socket);
    }
    let booted = plan.start(LIFE).unwrap();
    Some(Stage {
        neighbours,
        booted,
        _switch: switch,
        _cables: cables,
    })
}

/// Claims the node and leaves the questions.
pub fn claimed<'a>(booted: &'a Booted) -> Line<'a> {
    let mut line = booted.line().unwrap();
    claim(&mut line, PASSWORD).unwrap();
    leaves_the_questions(&mut line);
    line
}

/// They come at each login, as long as the node knows nobody.
fn leaves_the_questions(line: &mut Line<'_>) {
    line.waits("1/8 host name [sbc]: ").unwrap();
    line.types(b"\x03").unwrap();
    line.waits("nothing was changed").unwrap();
    line.waits("sbc> ").unwrap();
}

/// Pastes a configuration and keeps it.
pub fn pastes(line: &mut Line<'_>) {
    pastes_all(line, LINES);
}

/// The same with these lines.
pub fn pastes_all(line: &mut Line<'_>, lines: &str) {
    line.types(b"configure\r").unwrap();
    line.waits("sbc# ").unwrap();
    line.types(b"load merge terminal\r").unwrap();
    line.waits("Ctrl-D").unwrap();
    line.types(lines.as_bytes()).unwrap();
    line.waits("octets, SHA-256").unwrap();
    line.types(b"commit confirmed 5\rconfirm\r").unwrap();
    line.waits("kept; boot uses it").unwrap();
    line.types(b"exit\r").unwrap();
    line.waits("sbc> ").unwrap();
}

/// From power-on with an empty disk: the password, the questions, the call.
#[test]
fn a_newcomer_at_the_serial_port_reaches_the_first_call_by_the_questions_alone() {
    let name = "a_newcomer_at_the_serial_port_reaches_the_first_call_by_the_questions_alone";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = boot(name, true) else {
        return;
    };
    let mut line = stage.booted.line().unwrap();
    claim(&mut line, PASSWORD).unwrap();
    questions(&mut line);
    println!(
        "power-on to a kept configuration: {:?}",
        stage.booted.since.elapsed()
    );
    stage.neighbours.as_mut().unwrap().call();
    println!(
        "power-on to the end of a call: {:?}",
        stage.booted.since.elapsed()
    );
    line.types(b"show call 1 | no-more\r").unwrap();
    line.waits("no-more\r\n").unwrap();
    let (ladder, _) = line.waits("sbc> ").unwrap();
    assert!(
        ladder.contains("INVITE") && ladder.contains("itsp-a"),
        "{ladder}"
    );
    let text = stage.booted.machine.console();
    assert!(!text.contains(PASSWORD), "a password is never shown");
    assert_eq!(text.matches("SBC-READY").count(), 1, "{text}");
}

/// The same by lines that somebody had ready.
#[test]
fn a_newcomer_at_the_serial_port_reaches_the_first_call_by_pasted_lines() {
    let name = "a_newcomer_at_the_serial_port_reaches_the_first_call_by_pasted_lines";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = boot(name, true) else {
        return;
    };
    let mut line = claimed(&stage.booted);
    pastes(&mut line);
    stage.neighbours.as_mut().unwrap().call();
    // Its record is written a moment after its end.
    let since = Instant::now();
    loop {
        line.types(b"show call history | match itsp-a | count\r")
            .unwrap();
        line.waits("count\r\n").unwrap();
        let (said, _) = line.waits(" lines\r\n").unwrap();
        if !said.starts_with("0 ") {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "the call is not in the history");
    }
}

#[test]
fn a_thousand_lines_pasted_at_the_serial_port_all_arrive() {
    let name = "a_thousand_lines_pasted_at_the_serial_port_all_arrive";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(stage) = boot(name, false) else {
        return;
    };
    let mut line = claimed(&stage.booted);
    line.types(b"configure\r").unwrap();
    line.waits("sbc# ").unwrap();
    let lines: String = (0..1000)
        .map(|number| format!("set site s{number} max-simultaneous-calls 7\r"))
        .collect();
    let since = Instant::now();
    line.types(lines.as_bytes()).unwrap();
    let typed = since.elapsed();
    line.types(b"annotate system \"the last of them\"\rshow system\r")
        .unwrap();
    line.waits("# the last of them\r\n[system]").unwrap();
    println!(
        "{} octets typed in {typed:?}, taken after {:?}",
        lines.len(),
        since.elapsed()
    );
    line.types(b"show | count\r").unwrap();
    // A table and its one key for each, and an empty line between.
    line.waits("show | count\r\n").unwrap();
    let (count, _) = line.waits(" lines").unwrap();
    let count: usize = count.trim_end_matches(" lines").trim().parse().unwrap();
    assert!(count >= 3000, "{count}");
}

/// Types a command, and returns its answer.
pub fn says(line: &mut Line<'_>, command: &str) -> String {
    line.types(format!("{command}\r").as_bytes()).unwrap();
    line.waits(&format!("{command}\r\n")).unwrap();
    line.waits("sbc> ").unwrap().0
}

/// Breaks the line.
fn breaks(stage: &Stage) {
    let order = "chardev-send-break console";
    stage.booted.machine.monitor(order).unwrap();
}

#[test]
fn noise_a_break_and_control_c_at_the_serial_port_log_nobody_in_or_out() {
    let name = "noise_a_break_and_control_c_at_the_serial_port_log_nobody_in_or_out";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(stage) = boot(name, false) else {
        return;
    };
    let mut line = claimed(&stage.booted);
    // An octet that is no text: a question mark, and the login goes on.
    for keys in [&b"show v\xe9rsion\r"[..], b"\xe9\r"] {
        line.types(keys).unwrap();
        line.waits("?\r\n").unwrap();
        line.waits("sbc> ").unwrap();
    }
    line.types(b"show version\r").unwrap();
    line.waits("\nsbc 0.").unwrap();
    line.waits("sbc> ").unwrap();
    // Ctrl-C in a long output: the prompt is there at once, behind what is on its way.
    line.types(b"help | no-more\r").unwrap();
    line.waits("lines that match").unwrap();
    line.types(b"\x03").unwrap();
    let (_, took) = line.waits("sbc> ").unwrap();
    println!("prompt {took:?} after Ctrl-C");
    line.types(b"show nonsense\x03").unwrap();
    line.waits("sbc> ").unwrap();
    // A BREAK locks, whether a line is typed, a screen is read or a command runs, and
    // SysRq is off: no letter behind it does anything.
    for typed in ["show ver", "help\r", "monitor trunks\r"] {
        line.types(typed.as_bytes()).unwrap();
        line.waits(typed.trim_end()).unwrap();
        if typed.starts_with("help") {
            line.waits("--More--").unwrap();
        }
        breaks(&stage);
        line.waits("locked by admin").unwrap();
        line.answers("Password: ", PASSWORD).unwrap();
        line.waits("sbc> ").unwrap();
    }
    breaks(&stage);
    line.answers("Password: ", "b").unwrap();
    line.waits("SBC-3020").unwrap();
    line.answers("Password: ", PASSWORD).unwrap();
    line.waits("sbc> ").unwrap();
    // Four passwords in a row took no more memory than the console may have.
    let limits = says(
        &mut line,
        "show limits | match 'memory of console' | no-more",
    );
    println!("{}", limits.trim());
    let row = limits
        .lines()
        .find(|row| row.starts_with("memory of console"));
    let hits = row.and_then(|row| row.split_whitespace().last());
    assert_eq!(hits, Some("0"), "{limits}");
    line.types(b"exit\r").unwrap();
    // Before the login neither is anything but a key that says nothing.
    line.waits("sbc login: ").unwrap();
    breaks(&stage);
    line.types(b"b\x15\xe9\x03").unwrap();
    line.waits("sbc login: ").unwrap();
    line.types(b"admin\r").unwrap();
    line.answers("Password: ", PASSWORD).unwrap();
    leaves_the_questions(&mut line);
    let text = stage.booted.machine.console();
    assert_eq!(text.matches("SBC-READY").count(), 1, "it never restarted");
    assert!(!text.contains(PASSWORD), "a password is never shown");
}

#[test]
fn wrong_passwords_lock_the_serial_port_and_a_restart_asks_for_one_again() {
    let name = "wrong_passwords_lock_the_serial_port_and_a_restart_asks_for_one_again";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let folder = folder(name);
    let disk = folder.join("disk");
    image.copy(&disk).unwrap();
    let mut plan = Box::new("node", &folder, &disk, Loader::Bios, false).unwrap();
    plan.plan.may_restart();
    let booted = plan.start(LIFE).unwrap();
    let mut line = claimed(&booted);
    line.types(b"exit\r").unwrap();
    let (mut wrong, mut locked) = (0, 0);
    for _ in 0..100 {
        line.answers("sbc login: ", "admin").unwrap();
        line.answers("Password: ", "not the password").unwrap();
        line.waits("SBC-302").unwrap();
        let (said, _) = line.waits("\n").unwrap();
        wrong += usize::from(said.starts_with("0: "));
        locked += usize::from(said.starts_with("1: this line is locked for "));
    }
    println!("of 100 passwords {wrong} were looked at, {locked} not");
    // Five a minute, then five in two: a busy machine may be slow to type them.
    assert!(wrong % 5 == 0 && wrong <= 10, "{wrong}");
    assert_eq!(wrong + locked, 100);
    // The right one is refused as well, for a minute.
    line.answers("sbc login: ", "admin").unwrap();
    line.answers("Password: ", PASSWORD).unwrap();
    line.waits("SBC-3021: this line is locked for ").unwrap();
    let since = Instant::now();
    loop {
        line.answers("sbc login: ", "admin").unwrap();
        line.answers("Password: ", PASSWORD).unwrap();
        let (said, _) = line.waits("\n").and_then(|_| line.waits("\n")).unwrap();
        if said.contains(&format!("; {wrong} failed since")) {
            break;
        }
        assert!(since.elapsed() < LOCKED, "{said}");
        std::thread::sleep(Duration::from_secs(5));
    }
    println!("let in again after {:?}", since.elapsed());
    leaves_the_questions(&mut line);
    line.types(b"show audit last 40 | match locked | no-more\r")
        .unwrap();
    line.waits("locked for 60 s").unwrap();
    line.waits("sbc> ").unwrap();
    line.types(b"show audit verify\r").unwrap();
    line.waits("fine                 true").unwrap();
    line.waits("sbc> ").unwrap();
    // What was kept is there after a restart; who is not in has to log in.
    line.types(b"request reboot\r").unwrap();
    line.answers("Type the word 'reboot': ", "reboot").unwrap();
    line.waits("SBC-READY ").unwrap();
    line.waits("config=2:").unwrap();
    // READY may be said behind the question: an empty name has it asked again.
    line.types(b"\r").unwrap();
    line.answers("sbc login: ", "admin").unwrap();
    line.answers("Password: ", PASSWORD).unwrap();
    line.waits("last login ").unwrap();
    leaves_the_questions(&mut line);
}
