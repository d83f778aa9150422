//! Somebody who sends media to ports that are not theirs to speak to: packets
//! with a mark go out from one address to a range of ports, and whatever comes
//! back is counted (RFC 3550 §5.1).

use std::io::BufRead;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How the payload of a foreign packet begins.
pub const MARK: &[u8] = b"FOREIGN!";

/// Packets in a row before the receiver gets a moment to take them.
const BURST: u64 = 64;

/// Runs the sprayer at one address. Each line on its input is a place to send
/// to: `ADDRESS FIRST LAST ROUNDS`; it answers `sprayed N heard M`.
#[must_use]
pub fn run(arguments: &[&str]) -> ExitCode {
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error {error}");
            ExitCode::from(1)
        }
    }
}

fn start(arguments: &[&str]) -> Result<(), String> {
    let [at] = arguments else {
        return Err("usage: spray ADDRESS:PORT".into());
    };
    let socket = UdpSocket::bind(at).map_err(|error| format!("{at}: {error}"))?;
    let socket = Arc::new(socket);
    let heard = Arc::new(AtomicU64::new(0));
    let (ear, count) = (Arc::clone(&socket), Arc::clone(&heard));
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            // A port that nobody holds answers with an error, not with media.
            if ear.recv_from(&mut buffer).is_ok() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    println!("ready");
    let mut sequence = 0_u16;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[address, first, last, rounds] = words.as_slice() else {
            println!("error {line:?} is no command");
            continue;
        };
        let number = |word: &str| word.parse::<u16>().unwrap_or(0);
        let Ok(address) = address.parse() else {
            println!("error {address:?} is no address");
            continue;
        };
        let mut sent = 0_u64;
        for _ in 0..number(rounds) {
            sequence = sequence.wrapping_add(1);
            for port in number(first)..=number(last) {
                let to = SocketAddr::new(address, port);
                sent += u64::from(socket.send_to(&packet(sequence), to).is_ok());
                if sent.is_multiple_of(BURST) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        println!("sprayed {sent} heard {}", heard.load(Ordering::Relaxed));
    }
    Ok(())
}

/// A packet as a telephone would send it, but for the mark.
fn packet(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(0x0bad_cafe_u32.to_be_bytes());
    packet.extend_from_slice(MARK);
    packet.resize(12 + 160, 0xd5);
    packet
}
