//! Bulk from a machine's own hand: datagrams that say they come from one user's port
//! go out at a steady rate that asks nobody whether it fits (RFC 768, RFC 791 §3.1).

use std::net::{SocketAddrV4, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::sys;

/// Sockets it sends from: what waits in a queue counts against the socket it came
/// from, and one alone cannot fill a queue of a thousand packets.
const SOCKETS: usize = 24;

/// Octets of IPv4 and UDP in front of each payload.
const HEADERS: usize = 28;

/// Between two bursts.
const STEP: Duration = Duration::from_millis(5);

/// Runs it: `USER FROM TO OCTETS BITS SECONDS`; octets and the rate are those of IP
/// packets. It says `offered N taken M`, in packets, when the time is over.
#[must_use]
pub fn run(arguments: &[&str]) -> ExitCode {
    match flood(arguments) {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error {error}");
            ExitCode::from(1)
        }
    }
}

fn flood(words: &[&str]) -> Result<String, String> {
    let &[user, from, to, octets, bits, seconds] = words else {
        return Err("usage: flood USER FROM TO OCTETS BITS SECONDS".into());
    };
    let bad = |what: &str| format!("{what} makes no sense");
    let user: u32 = user.parse().map_err(|_| bad(user))?;
    let from: SocketAddrV4 = from.parse().map_err(|_| bad(from))?;
    let to: SocketAddrV4 = to.parse().map_err(|_| bad(to))?;
    let octets: u16 = octets.parse().map_err(|_| bad(octets))?;
    let bits: f64 = bits.parse().map_err(|_| bad(bits))?;
    let lasts = Duration::from_secs(seconds.parse().map_err(|_| bad(seconds))?);
    let open = || {
        let socket = sys::raw_socket(user, *from.ip(), *to.ip())?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let sockets: std::io::Result<Vec<UdpSocket>> = (0..SOCKETS).map(|_| open()).collect();
    let sockets = sockets.map_err(|error| format!("a socket: {error}"))?;
    let packet = datagram(from, to, octets);
    let per_second = bits / 8.0 / f64::from(octets);
    let (mut offered, mut taken) = (0_u64, 0_u64);
    let since = Instant::now();
    let mut next = sockets.iter().cycle();
    while since.elapsed() < lasts {
        let due = (since.elapsed().as_secs_f64() * per_second) as u64;
        while offered < due {
            offered += 1;
            let sent = next.next().map(|socket| socket.send(&packet));
            taken += u64::from(matches!(sent, Some(Ok(_))));
        }
        std::thread::sleep(STEP);
    }
    Ok(format!("offered {offered} taken {taken}"))
}

/// Returns a whole packet; the kernel fills in what depends on the rest.
fn datagram(from: SocketAddrV4, to: SocketAddrV4, octets: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(octets.to_be_bytes());
    // Identification, no fragments, time to live, UDP, a sum to come.
    packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(octets.saturating_sub(20).to_be_bytes());
    // No sum: RFC 768 allows it over IPv4.
    packet.extend([0, 0]);
    packet.resize(usize::from(octets).max(HEADERS), 0x55);
    packet
}
