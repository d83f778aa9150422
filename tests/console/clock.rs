//! The time by servers of our own (SNTP, RFC 4330): good ones, and all that a network
//! can put in their place. The clock of this machine is not the node's, and stays.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::node::{Node, text};

const SOON: Duration = Duration::from_secs(30);

/// How a server behaves.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Its clock is that many milliseconds ahead of ours.
    Ahead(i64),
    /// The same after what it does not say: packets of another origin and mode, and a
    /// good one from another address.
    Spoofed(i64),
    /// It answers after everybody has gone.
    Late,
    /// It wants to be left alone (RFC 5905 §7.4).
    Denies,
    /// Its own clock is not set (RFC 4330 §4).
    Unset,
}

/// A server, and how often it was asked.
struct Server {
    asked: Arc<AtomicU32>,
}

/// A timestamp (RFC 4330 §3).
fn stamp(ahead: i64) -> [u8; 8] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let millis = i64::try_from(now.as_millis()).unwrap() + ahead;
    let secs = u64::try_from(millis / 1000 + 2_208_988_800).unwrap();
    let rest = u64::try_from(millis % 1000).unwrap();
    ((secs << 32) | ((rest << 32) / 1000)).to_be_bytes()
}

/// A good answer to `question` (RFC 4330 §5), of stratum 2.
fn answer(question: &[u8], ahead: i64) -> [u8; 48] {
    let mut packet = [0; 48];
    packet[0] = 0x24;
    packet[1] = 2;
    packet[24..32].copy_from_slice(&question[40..48]);
    packet[32..40].copy_from_slice(&stamp(ahead));
    packet[40..48].copy_from_slice(&stamp(ahead));
    packet
}

impl Server {
    fn open(at: &str, kind: Kind) -> Self {
        let socket = UdpSocket::bind((at, 123)).unwrap();
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut page = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut page) {
                count.fetch_add(1, Ordering::SeqCst);
                let question = &page[..length];
                // RFC 4330 §5: version and mode, and a cookie for the time.
                assert_eq!((length, question[0]), (48, 0x23));
                assert!(question[1..40].iter().all(|octet| *octet == 0));
                assert_ne!(question[40..48], [0; 8]);
                for packet in packets(kind, question) {
                    socket.send_to(&packet, from).unwrap();
                }
                if let Kind::Spoofed(_) = kind {
                    let other = UdpSocket::bind((from.ip(), 0)).unwrap();
                    other.send_to(&answer(question, 86_400_000), from).unwrap();
                    let good = answer(question, ahead(kind));
                    socket.send_to(&good, from).unwrap();
                }
            }
        });
        Self { asked }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

const fn ahead(kind: Kind) -> i64 {
    match kind {
        Kind::Ahead(millis) | Kind::Spoofed(millis) => millis,
        Kind::Late | Kind::Denies | Kind::Unset => 0,
    }
}

/// What is sent first.
fn packets(kind: Kind, question: &[u8]) -> Vec<[u8; 48]> {
    let mut good = answer(question, ahead(kind));
    match kind {
        Kind::Ahead(_) => vec![good],
        Kind::Spoofed(_) => {
            let (mut origin, mut mode) = (answer(question, -86_400_000), good);
            origin[24] ^= 1;
            mode[0] = 0x25;
            vec![origin, mode]
        }
        Kind::Late => {
            // Nobody waits longer than two seconds.
            std::thread::sleep(Duration::from_millis(2500));
            vec![good]
        }
        Kind::Denies => {
            good[1] = 0;
            good[12..16].copy_from_slice(b"DENY");
            vec![good]
        }
        Kind::Unset => {
            good[0] = 0xe4;
            vec![good]
        }
    }
}

/// A configuration whose servers are those of the management network.
fn with(net: u8, servers: &[u8]) -> String {
    let places: Vec<String> = servers
        .iter()
        .map(|last| format!("\"127.42.{net}.{last}\""))
        .collect();
    let ntp = format!("[system]\nntp = [{}]\n", places.join(", "));
    format!(
        "{}\n[management]\ninterface = \"mgmt\"\n\n[interface.mgmt]\nzone = \"management\"\n\
         device = \"g0\"\naddress = [\"127.42.{net}.1/29\"]\n",
        text(net).replacen("[system]\n", &ntp, 1)
    )
}

fn clock(node: &Node) -> Value {
    serde_json::from_str(&node.answer("show clock | json")).unwrap()
}

#[test]
fn two_servers_that_agree_outvote_one_that_lies_whatever_is_spoofed() {
    let net = 91;
    let at = |last: u8| format!("127.42.{net}.{last}");
    let good = Server::open(&at(2), Kind::Ahead(200));
    let _spoofed = Server::open(&at(3), Kind::Spoofed(200));
    let _lies = Server::open(&at(4), Kind::Ahead(3_600_000));
    let denies = Server::open(&at(5), Kind::Denies);
    let node = Node::with("clock", &with(net, &[2, 3, 4, 5]));
    node.until(SOON, |node| clock(node)["state"] == "synchronised");
    let shown = clock(&node);
    let offset = shown["offset_us"].as_i64().unwrap();
    assert!((150_000..=250_000).contains(&offset), "{shown}");
    let state = |at: usize| shown["servers"][at]["state"].as_str().unwrap();
    assert_eq!(
        [0, 1, 2, 3].map(state),
        ["agrees", "agrees", "differs", "refuses"],
        "{shown}"
    );
    // What had another origin or mode; what came from another address never arrived.
    assert_eq!(shown["servers"][1]["strays"], 2, "{shown}");
    assert_eq!(shown["servers"][0]["reach"], "001", "{shown}");
    assert_eq!((good.asked(), denies.asked()), (1, 1));
    let table = node.answer("show clock");
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    assert!(table.contains("it asks to be left alone (DENY)"), "{table}");
}

#[test]
fn a_server_that_is_late_dead_or_not_set_leaves_the_clock_alone_until_a_good_one_comes() {
    let net = 92;
    let at = |last: u8| format!("127.42.{net}.{last}");
    let _late = Server::open(&at(2), Kind::Late);
    let _unset = Server::open(&at(4), Kind::Unset);
    let _good = Server::open(&at(5), Kind::Ahead(-100));
    let node = Node::with("clock-late", &with(net, &[2, 3, 4]));
    node.until(SOON, |node| clock(node)["why"] == "no server answers");
    let shown = clock(&node);
    assert_eq!(shown["state"], "unsynchronised");
    let why = |at: usize| shown["servers"][at]["why"].as_str().unwrap();
    assert_eq!(why(0), "no answer");
    assert!(why(1).contains("refused"), "{shown}");
    assert_eq!(why(2), "its own clock is not set");
    // Nothing waits for a word, and the machine's clock is not the node's.
    assert!(node.answer("request clock accept").contains("SBC-3003"));
    assert!(
        node.answer("request clock set yesterday")
            .contains("SBC-3002")
    );
    let before = Instant::now();
    let wall = SystemTime::now();
    let said = node.answer("request clock set 2031-01-01T00:00");
    assert!(said.contains("SBC-3023"), "{said}");
    let passed = wall.elapsed().unwrap();
    assert!(
        passed < before.elapsed() + Duration::from_secs(1),
        "{passed:?}"
    );
    node.follows("configure\nset system ntp [127.42.92.5]\ncommit\nexit\n");
    node.until(SOON, |node| clock(node)["state"] == "synchronised");
    let offset = clock(&node)["offset_us"].as_i64().unwrap();
    assert!((-150_000..=-50_000).contains(&offset), "{offset}");
}

#[test]
fn a_node_without_servers_runs_by_itself_and_raises_nothing() {
    let node = Node::start("clock-alone", 93);
    let shown = clock(&node);
    assert_eq!(
        (&shown["state"], &shown["why"]),
        (&"runs by itself".into(), &"".into())
    );
    assert!(!node.answer("show alarms").contains("clock"));
}
