//! The log at collectors of our own, read by a parser that shares nothing with the
//! node: RFC 5424, over UDP (RFC 5426 §3.1) and TCP (RFC 6587 §3.4.1).

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::node::{Node, text};

const SOON: Duration = Duration::from_secs(30);

/// A message as RFC 5424 §6 lays it out.
#[derive(Debug)]
pub struct Message {
    facility: u8,
    severity: u8,
    kind: String,
    element: String,
    fields: Vec<(String, String)>,
    pub text: String,
}

impl Message {
    fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// Reads a message; whatever is not as the RFC says ends the test.
pub fn parsed(octets: &[u8]) -> Message {
    assert!(
        octets.iter().all(|octet| (0x20..0x7f).contains(octet)),
        "{octets:?}"
    );
    let whole = std::str::from_utf8(octets).unwrap();
    let rest = whole.strip_prefix('<').unwrap();
    let (priority, rest) = rest.split_once('>').unwrap();
    let number: u8 = priority.parse().unwrap();
    assert!(number <= 191 && (priority == "0" || !priority.starts_with('0')));
    let mut words = rest.splitn(7, ' ');
    let mut word = || words.next().unwrap();
    assert_eq!(word(), "1", "the version");
    let (time, host, name, process, kind) = (word(), word(), word(), word(), word());
    assert!(time == "-" || (time.len() >= 20 && time.ends_with('Z') && time.contains('T')));
    assert_eq!((host, name, process), ("lab", "sbc", "-"));
    let (element, fields, behind) = data(word());
    let text = match behind {
        "" => "",
        other => other.strip_prefix(' ').unwrap(),
    };
    Message {
        facility: number / 8,
        severity: number % 8,
        kind: kind.to_owned(),
        element,
        fields,
        text: text.to_owned(),
    }
}

/// Reads structured data (RFC 5424 §6.3); returns what follows as well.
fn data(text: &str) -> (String, Vec<(String, String)>, &str) {
    if let Some(behind) = text.strip_prefix('-') {
        return (String::new(), Vec::new(), behind);
    }
    let inner = text.strip_prefix('[').unwrap();
    let end = inner.find([' ', ']']).unwrap();
    let (element, mut rest) = inner.split_at(end);
    assert!(element.ends_with("@32473"), "{element}");
    let mut fields = Vec::new();
    while let Some(behind) = rest.strip_prefix(' ') {
        let (name, behind) = behind.split_once("=\"").unwrap();
        let plain = name.bytes().all(|octet| !b"= ]\"".contains(&octet));
        assert!(plain && (1..=32).contains(&name.len()), "{name}");
        let mut value = String::new();
        let mut escaped = false;
        let mut end = None;
        for (at, c) in behind.char_indices() {
            match c {
                _ if escaped => {
                    value.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                _ => {
                    assert_ne!(c, ']', "a bare bracket in {behind}");
                    value.push(c);
                }
            }
        }
        fields.push((name.to_owned(), value));
        rest = &behind[end.unwrap() + 1..];
    }
    (element.to_owned(), fields, rest.strip_prefix(']').unwrap())
}

/// A collector: its messages come out of a channel.
struct Collector {
    heard: Receiver<Vec<u8>>,
    all: Vec<Message>,
}

impl Collector {
    fn udp(at: &str) -> Self {
        let socket = UdpSocket::bind(at).unwrap();
        let (told, heard) = channel();
        std::thread::spawn(move || {
            let mut page = [0; 65_536];
            while let Ok(length) = socket.recv(&mut page) {
                assert!(length <= 1232, "a datagram of {length} octets");
                if told.send(page[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            heard,
            all: Vec::new(),
        }
    }

    /// Takes connections one after the other, each for so many messages.
    fn tcp(at: &str, each: usize) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let (told, heard) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if counted(stream, each, &told).is_none() {
                    return;
                }
            }
        });
        Self {
            heard,
            all: Vec::new(),
        }
    }

    /// Waits for a message that is looked for.
    fn waits(&mut self, what: &str, fits: impl Fn(&Message) -> bool) -> &Message {
        self.waits_long(what, SOON, fits)
    }

    /// The same, and waits for so long.
    fn waits_long(
        &mut self,
        what: &str,
        within: Duration,
        fits: impl Fn(&Message) -> bool,
    ) -> &Message {
        let until = Instant::now() + within;
        loop {
            if let Some(at) = self.all.iter().position(&fits) {
                return &self.all[at];
            }
            let left = until.saturating_duration_since(Instant::now());
            let heard = self.heard.recv_timeout(left);
            assert!(heard.is_ok(), "no {what} in {:#?}", self.all);
            self.all.push(parsed(&heard.unwrap()));
        }
    }
}

/// Reads `LENGTH MESSAGE` again and again (RFC 6587 §3.4.1). Returns nothing once
/// nobody listens.
pub fn counted(mut stream: impl Read + Write, each: usize, told: &Sender<Vec<u8>>) -> Option<()> {
    for _ in 0..each {
        let mut length = String::new();
        loop {
            let mut octet = [0];
            if stream.read_exact(&mut octet).is_err() {
                return Some(());
            }
            if octet[0] == b' ' {
                break;
            }
            assert!(octet[0].is_ascii_digit(), "{octet:?} in a length");
            length.push(char::from(octet[0]));
        }
        let length: usize = length.parse().unwrap();
        assert!((1..=2048).contains(&length), "a message of {length} octets");
        let mut message = vec![0; length];
        if stream.read_exact(&mut message).is_err() {
            return Some(());
        }
        told.send(message).ok()?;
    }
    // What a collector says is no concern of the node.
    let _gone = stream.write_all(b"goodbye\n");
    Some(())
}

/// A configuration with management and these collectors: name, address and key.
pub fn with(net: u8, collectors: &[(&str, &str, &str)]) -> String {
    let mut all = text(net);
    all.push_str(&format!(
        "\n[management]\ninterface = \"mgmt\"\n\n[interface.mgmt]\nzone = \"management\"\n\
         device = \"g0\"\naddress = [\"127.42.{net}.1/29\"]\n"
    ));
    for (name, target, by) in collectors {
        all.push_str(&format!(
            "\n[log.syslog.{name}]\ntarget = \"{target}\"\ntransport = \"{by}\"\n"
        ));
    }
    all
}

/// RFC 5424 §6 in RFC 5426 §3.1 and RFC 6587 §3.4.1.
#[test]
fn the_log_reaches_collectors_over_udp_and_tcp_and_every_message_can_be_read() {
    let net = 71;
    let (a, b) = (
        format!("127.42.{net}.2:5514"),
        format!("127.42.{net}.3:5601"),
    );
    let mut datagrams = Collector::udp(&a);
    let mut stream = Collector::tcp(&b, usize::MAX);
    super::peer::server(net, "486 Busy \"] <9>1 \\ Here");
    let carrier = super::peer::Carrier::open(net);
    let node = Node::with("syslog", &with(net, &[("a", &a, "udp"), ("b", &b, "tcp")]));
    assert_eq!(carrier.calls("one", "+49691234567", b""), 486);
    node.answer("trunk itsp-a drain");
    for collector in [&mut datagrams, &mut stream] {
        let call = collector.waits("call", |one| {
            one.kind == "LOG" && one.element == "call@32473"
        });
        assert_eq!((call.facility, call.severity), (3, 6), "{call:?}");
        assert_eq!((call.field("trunk"), call.field("code")), ("itsp-a", "486"));
        assert!(!call.text.contains("+49691234567"), "{call:?}");
        let drained = collector.waits("record", |one| {
            one.kind == "AUDIT" && one.text.starts_with("peers.drain")
        });
        assert_eq!((drained.facility, drained.severity), (13, 5), "{drained:?}");
        assert_eq!(drained.field("hash").len(), 64, "{drained:?}");
    }
    let listed = node.answer("show syslog");
    assert!(
        listed.contains("udp up") && listed.contains("tcp "),
        "{listed}"
    );
    // An alarm is told once, with its parts, and in the audit log.
    node.puts(9, Some(600));
    for collector in [&mut datagrams, &mut stream] {
        let alarm = collector.waits("alarm", |one| {
            one.kind == "ALARM" && one.field("id") == "config-unconfirmed"
        });
        assert_eq!((alarm.facility, alarm.severity), (14, 4), "{alarm:?}");
        assert_eq!(alarm.field("state"), "raised", "{alarm:?}");
    }
    let twice = |one: &&Message| one.kind == "LOG" && one.text.starts_with("alarm ");
    assert_eq!(datagrams.all.iter().filter(twice).count(), 0);
}

#[test]
fn a_dead_collector_costs_nothing_says_so_and_gets_what_waited_when_it_is_back() {
    let net = 72;
    let at = format!("127.42.{net}.2:5601");
    let node = Node::with("syslog-dead", &with(net, &[("noc", &at, "tcp")]));
    node.until(SOON, |node| node.answer("show syslog").contains("refused"));
    let listed = node.answer("show syslog | json");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["state"], "down", "{listed}");
    assert!(listed[0]["waiting"].as_u64().unwrap() > 0, "{listed}");
    // The console answers as ever, and raises an alarm.
    let began = Instant::now();
    node.answer("show version");
    assert!(began.elapsed() < Duration::from_secs(5));
    let long = Duration::from_secs(90);
    node.until(long, |node| {
        let alarms = node.answer("show alarms");
        alarms.contains("syslog-down") && alarms.contains("noc")
    });
    let mut collector = Collector::tcp(&at, usize::MAX);
    // The first record of all waited for it.
    let first = collector.waits_long("the first record", long, |one| {
        one.kind == "AUDIT" && one.text.starts_with("console starts")
    });
    assert_eq!(first.field("number"), "1");
    node.until(SOON, |node| {
        let listed = node.answer("show syslog");
        listed.contains(" up ") && !node.answer("show alarms").contains("syslog-down")
    });
}

#[test]
fn a_commit_changes_collectors_while_the_others_stay_connected() {
    let net = 73;
    let (a, b) = (
        format!("127.42.{net}.2:5601"),
        format!("127.42.{net}.3:5514"),
    );
    let mut stays = Collector::tcp(&a, usize::MAX);
    let mut comes = Collector::udp(&b);
    let node = Node::with("syslog-commit", &with(net, &[("a", &a, "tcp")]));
    stays.waits("the start", |one| one.text.starts_with("console starts"));
    let said = node.follows(&format!(
        "configure\nset log syslog b target {b}\ncommit\nset log syslog a active false\ncommit\nexit\n"
    ));
    comes.waits("the first commit", |one| one.text.contains("config.put"));
    stays.waits("the first commit", |one| one.text.contains("config.put"));
    let listed = node.answer("show syslog");
    assert!(
        listed.contains("\nb ") && !listed.contains("\na "),
        "{said}\n{listed}"
    );
}
