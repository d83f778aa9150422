//! Frames go into a file that tcpdump and tshark read (pcap, microseconds), and
//! come back out of it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

const MAGIC: u32 = 0xa1b2_c3d4;
const SNAP: u32 = 65_535;
const ETHERNET: u32 = 1;

/// A file that takes frames.
#[derive(Debug)]
pub struct Pcap {
    out: BufWriter<File>,
}

impl Pcap {
    /// Makes the file.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&MAGIC.to_le_bytes())?;
        out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        out.write_all(&SNAP.to_le_bytes())?;
        out.write_all(&ETHERNET.to_le_bytes())?;
        Ok(Self { out })
    }

    /// Takes one frame, and when it came.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put(&mut self, at: Duration, frame: &[u8]) -> io::Result<()> {
        let seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        for number in [seconds, at.subsec_micros(), length, length] {
            self.out.write_all(&number.to_le_bytes())?;
        }
        self.out.write_all(frame)
    }

    /// Writes what is held back.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads a file back: when each frame came, and the frame. What is cut off at
/// the end is left out.
#[must_use]
pub fn read(bytes: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut rest = bytes.get(24..).unwrap_or_default();
    while let Some((head, more)) = rest.split_first_chunk::<16>() {
        let number = |at: usize| {
            let four = head.get(at..at + 4).and_then(|four| four.try_into().ok());
            u32::from_le_bytes(four.unwrap_or_default())
        };
        let Some((frame, more)) = more.split_at_checked(number(8) as usize) else {
            break;
        };
        let at = Duration::from_secs(number(0).into()) + Duration::from_micros(number(4).into());
        frames.push((at, frame.to_vec()));
        rest = more;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let path = std::env::temp_dir().join(format!("sbc-pcap-{}", std::process::id()));
        let at = Duration::from_micros(3_000_007);
        let mut pcap = Pcap::create(&path).unwrap();
        pcap.put(at, b"first").unwrap();
        pcap.put(at * 2, b"").unwrap();
        pcap.flush().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            read(&bytes),
            [(at, b"first".to_vec()), (at * 2, Vec::new())]
        );
        assert_eq!(read(&bytes[..bytes.len() - 1]).len(), 1);
    }
}
