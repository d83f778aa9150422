//! Both ends of many streams: for each port of the element that is named, a G.711
//! packet leaves every 20 ms, as the parties of the calls would
//! send them. What was sent and what arrived goes out.

use std::io::BufRead;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time between two packets of a stream.
const PACKET: Duration = Duration::from_millis(20);

/// Turns of the streams within the time between two packets.
const TURNS: usize = 10;

/// After the last packet, what is on its way has this long to arrive.
const LAST: Duration = Duration::from_millis(300);

/// Octets of a packet: the head and 20 ms of G.711.
const OCTETS: usize = 12 + 160;

/// One side of all calls.
struct Side {
    socket: UdpSocket,
    to: Vec<SocketAddr>,
    heard: AtomicU64,
}

/// Runs both ends for so many seconds. Each line on the input is a side:
/// `LOCAL:PORT REMOTE PORT,PORT,…`. It answers `sent N heard M`.
#[must_use]
pub fn run(arguments: &[&str]) -> ExitCode {
    match play(arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error {error}");
            ExitCode::from(1)
        }
    }
}

fn play(arguments: &[&str]) -> Result<String, String> {
    let [seconds] = arguments else {
        return Err("usage: streams SECONDS".into());
    };
    let seconds: u64 = seconds.parse().map_err(|_| "no number of seconds")?;
    let lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let sides: Vec<Side> = lines
        .map(|line| side(&line))
        .collect::<Result<_, String>>()?;
    let sent = std::thread::scope(|scope| {
        for side in &sides {
            scope.spawn(|| hear(side));
        }
        send(&sides, Duration::from_secs(seconds))
    });
    let heard: u64 = sides
        .iter()
        .map(|side| side.heard.load(Ordering::Relaxed))
        .sum();
    Ok(format!("sent {sent} heard {heard}"))
}

fn side(line: &str) -> Result<Side, String> {
    let wrong = || format!("{line:?} is no side");
    let mut words = line.split_whitespace();
    let mut word = || words.next().ok_or_else(wrong);
    let (local, remote, ports) = (word()?, word()?, word()?);
    let remote: IpAddr = remote.parse().map_err(|_| wrong())?;
    let port = |port: &str| Some(SocketAddr::new(remote, port.parse().ok()?));
    let to: Option<Vec<SocketAddr>> = ports.split(',').map(port).collect();
    let socket = UdpSocket::bind(local).map_err(|error| format!("{local}: {error}"))?;
    socket
        .set_read_timeout(Some(LAST))
        .map_err(|error| error.to_string())?;
    Ok(Side {
        socket,
        to: to.ok_or_else(wrong)?,
        heard: AtomicU64::new(0),
    })
}

/// Counts until nothing has come for a while.
fn hear(side: &Side) {
    let mut buffer = [0; 2048];
    let mut quiet = 0;
    // The first packet takes its time on a busy machine.
    while quiet < 10 {
        match side.socket.recv_from(&mut buffer) {
            Ok((OCTETS, _)) => {
                side.heard.fetch_add(1, Ordering::Relaxed);
                quiet = quiet.min(8);
            }
            Ok(_) => {}
            Err(_) => {
                quiet += if side.heard.load(Ordering::Relaxed) > 0 {
                    5
                } else {
                    1
                }
            }
        }
    }
}

/// Returns how many packets left. The streams have their turns all over the 20 ms,
/// as those of many telephones do.
fn send(sides: &[Side], within: Duration) -> u64 {
    let since = Instant::now();
    let (mut sent, mut sequence) = (0, 0_u16);
    let mut due = Duration::ZERO;
    while due < within {
        for turn in 0..TURNS {
            for side in sides {
                let streams = side.to.iter().enumerate();
                for (stream, to) in streams.skip(turn).step_by(TURNS) {
                    let packet = packet(stream, sequence);
                    sent += u64::from(side.socket.send_to(&packet, to).is_ok());
                }
            }
            due += PACKET / TURNS as u32;
            std::thread::sleep(due.saturating_sub(since.elapsed()));
        }
        sequence = sequence.wrapping_add(1);
    }
    sent
}

/// The packet of a stream as a telephone sends it (RFC 3550 §5.1).
fn packet(stream: usize, sequence: u16) -> [u8; OCTETS] {
    let mut packet = [0xd5; OCTETS];
    let ssrc = u32::try_from(stream).unwrap_or(0) + 1;
    let timestamp = u32::from(sequence) * 160;
    let head = [0x80, 8]
        .into_iter()
        .chain(sequence.to_be_bytes())
        .chain(timestamp.to_be_bytes())
        .chain(ssrc.to_be_bytes());
    for (octet, value) in packet.iter_mut().zip(head) {
        *octet = value;
    }
    packet
}
