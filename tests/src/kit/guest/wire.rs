//! Requests go into a guest, answers come out, over one port: a kind, a length,
//! and fields each with its length.

use std::io::{self, Read, Write};

/// More than any file or output that crosses.
const MAX_FRAME: usize = 256 << 20;

/// The guest is ready: kernel's version, seconds since its start.
pub const READY: u8 = b'h';
/// Done: fields as the request's kind has it.
pub const DONE: u8 = b'o';
/// Not done: why.
pub const FAILED: u8 = b'e';
/// Run a program to its end: milliseconds, input, words. Done: how it ended,
/// output, errors.
pub const RUN: u8 = b'r';
/// Start a program: name of its log, words. Done: pid.
pub const SPAWN: u8 = b's';
/// Wait for a started program: pid, milliseconds. Done: how it ended, or nothing.
pub const WAIT: u8 = b'w';
/// Send a signal: pid, number.
pub const SIGNAL: u8 = b'k';
/// Write a file: path, mode in octal, bytes.
pub const PUT: u8 = b'p';
/// Read a file: path. Done: bytes.
pub const GET: u8 = b'g';
/// Load modules: names or aliases.
pub const LOAD: u8 = b'm';
/// End the machine at once.
pub const END: u8 = b'x';

/// One request or answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// One of the kinds above.
    pub kind: u8,
    /// What belongs to it.
    pub fields: Vec<Vec<u8>>,
}

impl Frame {
    /// Returns a frame with these fields.
    pub fn new<F: AsRef<[u8]>>(kind: u8, fields: impl IntoIterator<Item = F>) -> Self {
        let fields = fields.into_iter().map(|field| field.as_ref().to_vec());
        Self {
            kind,
            fields: fields.collect(),
        }
    }

    /// Returns a field as text; one that is absent is empty.
    #[must_use]
    pub fn text(&self, place: usize) -> String {
        let field = self.fields.get(place).map(Vec::as_slice);
        String::from_utf8_lossy(field.unwrap_or_default()).into_owned()
    }

    /// Returns a field as a number; one that is none is 0.
    #[must_use]
    pub fn number(&self, place: usize) -> u64 {
        self.text(place).parse().unwrap_or_default()
    }

    /// Writes the frame.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let length: usize = self.fields.iter().map(|field| field.len() + 4).sum();
        let mut bytes = Vec::with_capacity(length + 5);
        bytes.push(self.kind);
        bytes.extend(short(length)?.to_le_bytes());
        for field in &self.fields {
            bytes.extend(short(field.len())?.to_le_bytes());
            bytes.extend(field);
        }
        out.write_all(&bytes)?;
        out.flush()
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When `from` fails or ends, or what comes is no frame.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 5];
        from.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_FRAME {
            return Err(io::Error::other(format!("a frame of {length} octets")));
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        let mut fields = Vec::new();
        let mut rest = body.as_slice();
        while let Some((length, more)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let (field, more) = more
                .split_at_checked(length)
                .ok_or_else(|| io::Error::other("a field longer than its frame"))?;
            fields.push(field.to_vec());
            rest = more;
        }
        Ok(Self { kind, fields })
    }
}

fn short(length: usize) -> io::Result<u32> {
    if length > MAX_FRAME {
        return Err(io::Error::other(format!("{length} octets are too many")));
    }
    u32::try_from(length).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let frame = Frame::new(RUN, ["10000", "", "ip", "-j\n\0link"]);
        let mut bytes = Vec::new();
        frame.write(&mut bytes).unwrap();
        assert_eq!(Frame::read(&mut bytes.as_slice()).unwrap(), frame);
        let cut = Frame::read(&mut &bytes[..bytes.len() - 1]);
        assert!(cut.is_err());
    }

    #[test]
    fn a_length_that_cannot_be_is_refused() {
        let frame = [RUN, 0xff, 0xff, 0xff, 0xff];
        assert!(Frame::read(&mut frame.as_slice()).is_err());
        let inner = [RUN, 5, 0, 0, 0, 9, 0, 0, 0, 1];
        assert!(Frame::read(&mut inner.as_slice()).is_err());
    }
}
