//! `ping` and `traceroute`: a host comes in, lines go out while it answers. Echo
//! requests of ICMP (RFC 792) and ICMPv6 (RFC 4443 §4.1), from this process; what
//! the fence lets nobody send is not sent.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::pager::INTERRUPTED;

/// Between two questions of `ping`.
const EVERY: Duration = Duration::from_secs(1);

/// An answer that takes longer counts as none.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// How often Ctrl-C is looked for.
const TICK: Duration = Duration::from_millis(50);

/// Routers on a way.
const HOPS_MAX: u32 = 30;

/// Silent routers in a row after which nobody else is expected.
const SILENT_MAX: u32 = 5;

/// Octets behind the head of a question, as `ping` has always sent.
const PAYLOAD: usize = 56;

/// Questions if nobody says how many.
pub const COUNT: u64 = 5;

/// The one who answers, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    /// The host itself.
    Echo,
    /// A router at which the way ended.
    Expired,
    /// Somebody who says that the host cannot be reached.
    Unreachable,
}

/// An open way to ask.
struct Asker {
    socket: Socket,
    host: IpAddr,
    id: u16,
    raw: bool,
}

impl Asker {
    fn open(host: IpAddr) -> io::Result<Self> {
        let (domain, protocol) = match host {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        // Raw shows the answers of routers; without the right to it the host's own
        // answers are all there is.
        let (socket, raw) = match Socket::new(domain, Type::RAW, Some(protocol)) {
            Ok(socket) => (socket, true),
            Err(_) => (Socket::new(domain, Type::DGRAM, Some(protocol))?, false),
        };
        socket.set_read_timeout(Some(TICK))?;
        let id = u16::try_from(std::process::id() & 0xffff).unwrap_or(1);
        Ok(Self {
            socket,
            host,
            id,
            raw,
        })
    }

    /// Sends question `number`.
    fn ask(&self, number: u16) -> io::Result<()> {
        let kind = if self.host.is_ipv4() { 8 } else { 128 };
        let mut packet = vec![kind, 0, 0, 0];
        packet.extend(self.id.to_be_bytes());
        packet.extend(number.to_be_bytes());
        packet.extend((0..PAYLOAD).map(|at| u8::try_from(at & 0xff).unwrap_or(0)));
        if self.host.is_ipv4() {
            let sum = checksum(&packet).to_be_bytes();
            packet.splice(2..4, sum);
        }
        let to = SocketAddr::new(self.host, 0);
        self.socket.send_to(&packet, &to.into()).map(drop)
    }

    /// Waits for the answer to question `number`; nothing if there is none.
    fn hear(&self, number: u16) -> io::Result<Option<(Answer, IpAddr)>> {
        let until = Instant::now() + ANSWERS_WITHIN;
        let mut page = [MaybeUninit::uninit(); 1500];
        while Instant::now() < until && !INTERRUPTED.load(Ordering::Relaxed) {
            let (length, from) = match self.socket.recv_from(&mut page) {
                Ok(heard) => heard,
                Err(error) if is_pause(&error) => continue,
                Err(error) => return Err(error),
            };
            let octets: Vec<u8> = page
                .iter()
                .take(length)
                .map(|octet| {
                    // SAFETY: the kernel wrote so many octets of the page.
                    #[expect(unsafe_code, reason = "socket2 reads into unwritten memory")]
                    unsafe {
                        octet.assume_init()
                    }
                })
                .collect();
            let from = from.as_socket().map_or(self.host, |from| from.ip());
            if let Some(answer) = self.read(&octets, number) {
                return Ok(Some((answer, from)));
            }
        }
        Ok(None)
    }

    /// Reads a packet; nothing if it answers another question.
    fn read(&self, octets: &[u8], number: u16) -> Option<Answer> {
        let v4 = self.host.is_ipv4();
        let message = if v4 && self.raw {
            behind_header(octets)?
        } else {
            octets
        };
        let ours = |head: &[u8]| {
            let word = |at: usize| {
                let two = head.get(at..at + 2)?;
                Some(u16::from_be_bytes(two.try_into().ok()?))
            };
            // The kernel puts a number of its own into plain questions.
            word(6) == Some(number) && (!self.raw || word(4) == Some(self.id))
        };
        let answer = match (v4, *message.first()?) {
            (true, 0) | (false, 129) => return ours(message).then_some(Answer::Echo),
            (true, 11) | (false, 3) => Answer::Expired,
            (true, 3) | (false, 1) => Answer::Unreachable,
            _ => return None,
        };
        // The packet it is about stands behind eight octets, with its header.
        let about = message.get(8..)?;
        let about = if v4 {
            behind_header(about)?
        } else {
            about.get(40..)?
        };
        ours(about).then_some(answer)
    }
}

/// Returns what stands behind an IPv4 header (RFC 791 §3.1).
fn behind_header(packet: &[u8]) -> Option<&[u8]> {
    let words = usize::from(packet.first()? & 0x0f);
    packet.get(words * 4..)
}

/// The checksum of RFC 1071 §1, for a packet of an even length.
fn checksum(packet: &[u8]) -> u16 {
    let sum: u32 = packet
        .chunks(2)
        .map(|pair| {
            pair.iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte))
        })
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(0)
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn host(text: &str) -> Result<IpAddr, String> {
    let address = text.parse().map_err(|_| {
        "a host is an address, as in 10.20.120.2: the node looks up no names here".to_owned()
    })?;
    let reached = match address {
        IpAddr::V4(v4) => v4 != Ipv4Addr::BROADCAST && !v4.is_multicast() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_multicast() && v6 != Ipv6Addr::UNSPECIFIED,
    };
    if reached {
        Ok(address)
    } else {
        Err("one host is asked, never many".to_owned())
    }
}

/// Asks a host `count` times and shows each answer, and the sum of all.
///
/// # Errors
/// A sentence for people.
pub fn ping(text: &str, count: u64) -> Result<String, String> {
    let host = host(text)?;
    let asker = Asker::open(host).map_err(|error| error.to_string())?;
    let (mut asked, mut heard) = (0_u64, Vec::new());
    for number in 0..count.clamp(1, 10_000) {
        if INTERRUPTED.load(Ordering::Relaxed) {
            break;
        }
        let began = Instant::now();
        let number = u16::try_from(number & 0xffff).unwrap_or(0);
        asker
            .ask(number)
            .map_err(|error| format!("not sent: {error}"))?;
        asked += 1;
        let answer = asker.hear(number).map_err(|error| error.to_string())?;
        let took = began.elapsed().as_secs_f64() * 1000.0;
        match answer {
            Some((Answer::Echo, from)) => {
                heard.push(took);
                println!("{from} answers, {took:.2} ms");
            }
            Some((_, from)) => println!("{from} says that it cannot be reached"),
            None => println!("no answer"),
        }
        let more = u64::from(number) + 1 < count;
        while more && began.elapsed() < EVERY && !INTERRUPTED.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
        }
    }
    let least = heard.iter().copied().fold(f64::INFINITY, f64::min);
    let most = heard.iter().copied().fold(0.0, f64::max);
    let times = if heard.is_empty() {
        String::new()
    } else {
        format!(", {least:.2} to {most:.2} ms")
    };
    // Said here: whoever pressed Ctrl-C wants the sum all the same.
    println!("{} of {asked} answered{times}", heard.len());
    Ok(String::new())
}

/// Asks each router on the way to a host for a sign of life.
///
/// # Errors
/// A sentence for people.
pub fn traceroute(text: &str) -> Result<String, String> {
    let host = host(text)?;
    let asker = Asker::open(host).map_err(|error| error.to_string())?;
    if !asker.raw {
        return Err("this process may not hear routers; log in on the console".to_owned());
    }
    let mut silent = 0;
    for hops in 1..=HOPS_MAX {
        if INTERRUPTED.load(Ordering::Relaxed) || silent >= SILENT_MAX {
            break;
        }
        let set = match host {
            IpAddr::V4(_) => asker.socket.set_ttl_v4(hops),
            IpAddr::V6(_) => asker.socket.set_unicast_hops_v6(hops),
        };
        set.map_err(|error| error.to_string())?;
        let began = Instant::now();
        let number = u16::try_from(hops).unwrap_or(0);
        asker
            .ask(number)
            .map_err(|error| format!("not sent: {error}"))?;
        let answer = asker.hear(number).map_err(|error| error.to_string())?;
        let took = began.elapsed().as_secs_f64() * 1000.0;
        match answer {
            None => {
                silent += 1;
                println!("{hops:>3}  silent");
            }
            Some((Answer::Expired, from)) => {
                silent = 0;
                println!("{hops:>3}  {from}  {took:.2} ms");
            }
            Some((kind, from)) => {
                println!("{hops:>3}  {from}  {took:.2} ms");
                let said = match kind {
                    Answer::Echo => "there",
                    _ => "no way on from there",
                };
                return Ok(format!("{said}: {hops} hops\n"));
            }
        }
    }
    Ok("it was not reached\n".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(host: &str) -> Option<Asker> {
        // A machine may allow its users no such socket.
        Asker::open(host.parse().unwrap()).ok()
    }

    /// Echo, time exceeded and unreachable of RFC 792, and those of RFC 4443 §4.1,
    /// behind the header of RFC 791 §3.1.
    #[test]
    fn only_the_answer_to_our_own_question_is_read() {
        let Some(mut v4) = asker("127.0.0.1") else {
            return;
        };
        (v4.raw, v4.id) = (true, 7);
        let header = [0x45; 20];
        let about = |kind: u8, id: u8, number: u8| {
            [&header[..], &[kind, 0, 0, 0, 0, id, 0, number]].concat()
        };
        assert_eq!(v4.read(&about(0, 7, 3), 3), Some(Answer::Echo));
        assert_eq!(v4.read(&about(0, 8, 3), 3), None);
        assert_eq!(v4.read(&about(0, 7, 4), 3), None);
        // Our own question, which a raw socket hears on the loopback.
        assert_eq!(v4.read(&about(8, 7, 3), 3), None);
        let from_router =
            |kind: u8| [&header[..], &[kind, 0, 0, 0, 0, 0, 0, 0], &about(8, 7, 3)].concat();
        assert_eq!(v4.read(&from_router(11), 3), Some(Answer::Expired));
        assert_eq!(v4.read(&from_router(3), 3), Some(Answer::Unreachable));
        assert_eq!(v4.read(&from_router(11), 4), None);
        for length in 0..48 {
            let cut = from_router(11);
            assert_eq!(v4.read(&cut[..length.min(cut.len() - 2)], 3), None);
        }
    }

    #[test]
    fn many_hosts_are_never_asked() {
        for text in [
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
            "0.0.0.0",
            "::",
            "example",
        ] {
            assert!(host(text).is_err(), "{text}");
        }
        assert!(host("10.0.0.1").is_ok());
    }

    /// RFC 1071 §1.
    #[test]
    fn a_question_sums_to_nothing_once_its_checksum_is_in_it() {
        let mut packet = vec![8, 0, 0, 0, 1, 2, 3, 4];
        let sum = checksum(&packet).to_be_bytes();
        packet.splice(2..4, sum);
        assert_eq!(checksum(&packet), 0);
    }
}
