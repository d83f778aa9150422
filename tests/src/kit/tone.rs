//! A telephone's ear and mouth: a tone in A-law goes out every 20 ms, what comes
//! back is measured (ITU-T G.711, RFC 3550; the Goertzel algorithm).

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::spray::MARK;

/// Samples a second.
const RATE: f64 = 8000.0;

/// Samples in a packet.
const PACKET: usize = 160;

/// A socket takes no shorter patience; zero would mean for ever.
const SHORTEST: Duration = Duration::from_millis(1);

/// The latest samples that are listened to: half a second.
const WINDOW: usize = 4000;

/// What was heard on one call.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    samples: Vec<f64>,
    pub packets: u64,
    pub lost: u64,
    /// The longest time between two packets, in milliseconds.
    pub gap_ms: u64,
    /// Packets from anywhere but the signalled place.
    pub foreign: u64,
    /// Packets that somebody else made ([`super::spray::MARK`]).
    pub injected: u64,
    last_sequence: Option<u16>,
    last: Option<Instant>,
}

impl Heard {
    /// Returns how much of the latest half second is the tone of `hertz`, 0 to 1.
    #[must_use]
    pub fn share(&self, hertz: f64) -> f64 {
        let energy: f64 = self.samples.iter().map(|sample| sample * sample).sum();
        if self.samples.len() < WINDOW / 2 || energy == 0.0 {
            return 0.0;
        }
        let count = self.samples.len() as f64;
        goertzel(&self.samples, hertz) / (energy * count / 2.0)
    }

    fn take(&mut self, payload: &[u8], sequence: u16) {
        self.packets += 1;
        if let Some(last) = self.last_sequence {
            let step = sequence.wrapping_sub(last);
            if (2..1000).contains(&step) {
                self.lost += u64::from(step) - 1;
            }
        }
        self.last_sequence = Some(sequence);
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            let gap = u64::try_from((now - last).as_millis()).unwrap_or(u64::MAX);
            self.gap_ms = self.gap_ms.max(gap);
        }
        self.samples.extend(payload.iter().map(|&code| a_law(code)));
        let over = self.samples.len().saturating_sub(WINDOW);
        self.samples.drain(..over);
    }

    /// Forgets what was heard so far, and goes on listening.
    pub fn forget(&mut self) {
        *self = Self {
            last_sequence: self.last_sequence,
            last: self.last,
            ..Self::default()
        };
    }
}

/// One call's media.
#[derive(Debug)]
pub struct Ear {
    pub port: u16,
    pub heard: Arc<Mutex<Heard>>,
    far: Arc<Mutex<Option<SocketAddr>>>,
    ends: Arc<AtomicBool>,
}

impl Ear {
    /// Opens a port at `address` and starts to speak `hertz` once it knows where.
    ///
    /// # Errors
    /// When no port is free.
    pub fn open(address: std::net::IpAddr, hertz: f64) -> std::io::Result<Self> {
        let socket = UdpSocket::bind((address, 0))?;
        let port = socket.local_addr()?.port();
        let ear = Self {
            port,
            heard: Arc::default(),
            far: Arc::default(),
            ends: Arc::default(),
        };
        let (heard, far, ends) = (ear.heard.clone(), ear.far.clone(), ear.ends.clone());
        std::thread::spawn(move || talk(&socket, hertz, &heard, &far, &ends));
        Ok(ear)
    }

    /// Speaks to `far` from here on, or to nobody.
    pub fn aim(&self, far: Option<SocketAddr>) {
        if let Ok(mut place) = self.far.lock() {
            *place = far;
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

fn talk(
    socket: &UdpSocket,
    hertz: f64,
    heard: &Mutex<Heard>,
    far: &Mutex<Option<SocketAddr>>,
    ends: &AtomicBool,
) {
    let started = Instant::now();
    let (mut sent, mut buffer) = (0_u32, [0; 2048]);
    while !ends.load(Ordering::Relaxed) {
        let place = far.lock().ok().and_then(|place| *place);
        let due = Duration::from_millis(u64::from(sent) * 20);
        // The ear wakes for a packet or for the next one of its own, not in between.
        let left = due.saturating_sub(started.elapsed());
        let _kept = socket.set_read_timeout(Some(left.max(SHORTEST)));
        if started.elapsed() >= due {
            if let Some(place) = place {
                // A peer that has hung up is no reason to stop.
                let _lost = socket.send_to(&packet(sent, hertz), place);
            }
            sent += 1;
        }
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let Ok(mut heard) = heard.lock() else { return };
        let packet = buffer.get(..length).unwrap_or_default();
        if packet.get(12..).is_some_and(|rest| rest.starts_with(MARK)) {
            heard.injected += 1;
        } else if place.is_some_and(|place| place != from) {
            heard.foreign += 1;
        } else if let [0x80, kind, high, low, ..] = packet
            && kind & 0x7f == 8
        {
            let payload = packet.get(12..).unwrap_or_default();
            heard.take(payload, u16::from_be_bytes([*high, *low]));
        }
    }
}

fn packet(number: u32, hertz: f64) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend((number as u16).to_be_bytes());
    packet.extend((number * PACKET as u32).to_be_bytes());
    packet.extend(0x1234_5678_u32.to_be_bytes());
    for place in 0..PACKET {
        let at = (f64::from(number) * PACKET as f64 + place as f64) / RATE;
        let sample = (at * hertz * std::f64::consts::TAU).sin() * 8000.0;
        packet.push(to_a_law(sample as i16));
    }
    packet
}

/// How much of `hertz` is in `samples`, squared and unscaled.
fn goertzel(samples: &[f64], hertz: f64) -> f64 {
    let turn = 2.0 * (std::f64::consts::TAU * hertz / RATE).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        let next = sample + turn * one - two;
        two = one;
        one = next;
    }
    one * one + two * two - turn * one * two
}

/// Returns the A-law code of a 16-bit sample (ITU-T G.711, Table 1a).
fn to_a_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    let mut magnitude = (if sample < 0 { !sample } else { sample }) >> 4;
    let mut segment = 0;
    if magnitude > 15 {
        segment = 1;
        while magnitude > 31 {
            magnitude >>= 1;
            segment += 1;
        }
        magnitude -= 16;
    }
    (magnitude as u8 | segment << 4 | sign) ^ 0x55
}

/// Returns the sample of an A-law code, as a value between -1 and 1.
fn a_law(code: u8) -> f64 {
    let code = code ^ 0x55;
    let (segment, step) = (u32::from(code >> 4 & 7), f64::from(code & 0x0f));
    let magnitude = match segment {
        0 => step * 16.0 + 8.0,
        _ => (step * 16.0 + 264.0) * f64::from(1_u32 << (segment - 1)),
    };
    let signed = if code & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    };
    signed / 32768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_there_and_back_is_close() {
        for sample in [-30000_i16, -1000, -8, 0, 8, 500, 8000, 32000] {
            let back = a_law(to_a_law(sample)) * 32768.0;
            let wanted = f64::from(sample);
            assert!(
                (back - wanted).abs() <= wanted.abs() / 16.0 + 16.0,
                "{sample} {back}"
            );
        }
    }

    #[test]
    fn a_tone_is_told_from_another_and_from_silence() {
        let mut heard = Heard::default();
        assert_eq!(heard.share(440.0), 0.0);
        for number in 0..25 {
            let packet = packet(number, 440.0);
            heard.take(&packet[12..], number as u16);
        }
        assert!(heard.share(440.0) > 0.95, "{}", heard.share(440.0));
        assert!(heard.share(880.0) < 0.05, "{}", heard.share(880.0));
        assert_eq!((heard.packets, heard.lost), (25, 0));
    }

    #[test]
    fn a_missing_packet_is_counted() {
        let mut heard = Heard::default();
        for number in [1, 2, 5, 6] {
            heard.take(&[0x55; 160], number);
        }
        assert_eq!(heard.lost, 2);
    }
}
