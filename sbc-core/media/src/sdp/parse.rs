//! Takes the bytes of a session description, returns a bounded view of its sections
//! whose parts are slices of them (RFC 8866 §5). One pass, nothing is copied.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest description read: ten times what the largest known telephony offer
/// needs, and short enough that reading it costs less than the message around it.
pub const BYTES: usize = 16_384;

/// The most lines read; 64 media sections of 16 lines each.
pub const LINES: usize = 1_024;

/// The longest line read; a line with keys, candidates or parameter sets stays below.
pub const LINE: usize = 4_096;

/// The most media sections; a call has one or two, an attack has hundreds.
pub const MEDIA: usize = 64;

/// The longest media, protocol or format token read: "application" and
/// "UDP/TLS/RTP/SAVPF" are the longest in use.
pub const TOKEN: usize = 32;

/// What is wrong with the bytes of a description.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    #[error("SDP of {bytes} bytes exceeds {BYTES}")]
    TooLong { bytes: usize },
    #[error("SDP has more than {LINES} lines")]
    TooManyLines,
    #[error("SDP line {line} exceeds {LINE} bytes")]
    LineTooLong { line: usize },
    #[error("SDP has more than {MEDIA} media sections")]
    TooManyMedia,
    #[error("SDP line {line} is not a known letter, an equals sign and text")]
    Line { line: usize },
    #[error("SDP does not begin with v=0")]
    Version,
    #[error("SDP has no o= line of six fields, or two")]
    Origin,
    #[error("SDP line {line} holds no usable c= address")]
    Connection { line: usize },
    #[error("SDP line {line} is not a media line with a port up to 65535")]
    Media { line: usize },
    #[error("SDP a=rtcp holds no usable port or address")]
    Rtcp,
    #[error("SDP answer has other media sections than the offer")]
    Shape,
}

/// A session description: RFC 8866 §5.
#[derive(Debug)]
pub struct Session<'a> {
    pub origin: Origin<'a>,
    /// The session's own `c=`, for sections that have none.
    pub connection: Option<IpAddr>,
    /// The lines before the first media section.
    lines: &'a [u8],
    pub media: heapless::Vec<Media<'a>, MEDIA>,
}

/// Who describes, and which state of it: RFC 8866 §5.2.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Origin<'a> {
    pub session: &'a str,
    pub version: &'a str,
}

/// One media section: RFC 8866 §5.14.
#[derive(Debug)]
pub struct Media<'a> {
    pub kind: &'a str,
    pub port: u16,
    pub protocol: &'a str,
    /// The format list as written, at least one token.
    pub formats: &'a str,
    pub connection: Option<IpAddr>,
    lines: &'a [u8],
}

impl<'a> Session<'a> {
    /// Reads a whole description. Lines end in CRLF or LF alone (RFC 8866 §5); empty
    /// lines may only follow the last.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > BYTES {
            return Err(Malformed::TooLong { bytes: bytes.len() });
        }
        let mut lines = Lines::new(bytes);
        match lines.next().transpose()? {
            Some(Line {
                letter: b'v',
                value: b"0",
                ..
            }) => {}
            _ => return Err(Malformed::Version),
        }
        let mut session = Self::empty();
        let mut origin = None;
        let mut section = lines.at;
        for line in &mut lines {
            let line = line?;
            match line.letter {
                b'v' => return Err(Malformed::Version),
                b'o' if origin.is_some() => return Err(Malformed::Origin),
                b'o' => origin = Some(read_origin(line.value).ok_or(Malformed::Origin)?),
                b'c' => session.connect(&line)?,
                b'm' => {
                    session.close(bytes, section, line.start);
                    section = line.end;
                    session.open(&line)?;
                }
                _ => {}
            }
        }
        session.close(bytes, section, bytes.len());
        session.origin = origin.ok_or(Malformed::Origin)?;
        Ok(session)
    }

    /// Returns the session-level attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        attributes(self.lines)
    }

    const fn empty() -> Self {
        Self {
            origin: Origin {
                session: "",
                version: "",
            },
            connection: None,
            lines: &[],
            media: heapless::Vec::new(),
        }
    }

    /// The first `c=` of a section counts; more of them describe layered multicast.
    fn connect(&mut self, line: &Line<'_>) -> Result<(), Malformed> {
        let fault = Malformed::Connection { line: line.number };
        let address = read_connection(line.value).ok_or(fault)?;
        let place = match self.media.last_mut() {
            Some(media) => &mut media.connection,
            None => &mut self.connection,
        };
        place.get_or_insert(address);
        Ok(())
    }

    fn open(&mut self, line: &Line<'a>) -> Result<(), Malformed> {
        let media = read_media(line.value).ok_or(Malformed::Media { line: line.number })?;
        self.media.push(media).map_err(|_| Malformed::TooManyMedia)
    }

    fn close(&mut self, bytes: &'a [u8], from: usize, to: usize) {
        let lines = bytes.get(from..to).unwrap_or_default();
        match self.media.last_mut() {
            Some(media) => media.lines = lines,
            None => self.lines = lines,
        }
    }
}

impl<'a> Media<'a> {
    /// Returns the attributes of this section, in order.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        attributes(self.lines)
    }
}

/// Splits each `a=` line at its first colon; one that is not UTF-8 is passed over.
fn attributes(lines: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    Lines::new(lines)
        .filter_map(Result::ok)
        .filter(|line| line.letter == b'a')
        .filter_map(|line| core::str::from_utf8(line.value).ok())
        .map(|text| text.split_once(':').unwrap_or((text, "")))
        .map(|(name, value)| (name, value.trim_matches(' ')))
}

/// `o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>`
fn read_origin(value: &[u8]) -> Option<Origin<'_>> {
    let text = core::str::from_utf8(value).ok()?;
    let fields: heapless::Vec<&str, 6> = collect_fields(text)?;
    match *fields.as_slice() {
        [_, session, version, "IN", "IP4" | "IP6", _]
            if is_number(session) && is_number(version) =>
        {
            Some(Origin { session, version })
        }
        _ => None,
    }
}

/// `c=IN IP4 <address>`: a name, or an address with a multicast scope on a unicast
/// address, is of no use to us.
fn read_connection(value: &[u8]) -> Option<IpAddr> {
    let text = core::str::from_utf8(value).ok()?;
    let fields: heapless::Vec<&str, 3> = collect_fields(text)?;
    let [network, family, address] = *fields.as_slice() else {
        return None;
    };
    if network != "IN" {
        return None;
    }
    read_address(family, address)
}

/// Reads an address of the named family. The scope of a multicast address is cut
/// off, so that it is refused for what it is.
pub(super) fn read_address(family: &str, text: &str) -> Option<IpAddr> {
    let (plain, scope) = text.split_once('/').unwrap_or((text, ""));
    let address = match family {
        "IP4" => plain.parse::<Ipv4Addr>().ok()?.into(),
        "IP6" => plain.parse::<Ipv6Addr>().ok()?.into(),
        _ => return None,
    };
    (scope.is_empty() || IpAddr::is_multicast(&address)).then_some(address)
}

/// `m=<media> <port>[/<number>] <proto> <fmt> …`
fn read_media(value: &[u8]) -> Option<Media<'_>> {
    let text = core::str::from_utf8(value).ok()?.trim_end_matches(' ');
    let mut fields = text.splitn(4, ' ');
    let (kind, port) = (token(fields.next()?)?, fields.next()?);
    let (protocol, formats) = (token(fields.next()?)?, fields.next()?);
    token(formats.split(' ').next()?)?;
    // More than one port pair is for layered streams, which a call never has.
    let (port, pairs) = port.split_once('/').unwrap_or((port, "1"));
    (is_number(port) && pairs == "1").then_some(())?;
    let port = port.parse().ok()?;
    Some(Media {
        kind,
        port,
        protocol,
        formats,
        connection: None,
        lines: &[],
    })
}

fn token(text: &str) -> Option<&str> {
    let visible = |byte: u8| byte.is_ascii_graphic();
    let fits = (1..=TOKEN).contains(&text.len());
    (fits && text.bytes().all(visible)).then_some(text)
}

/// True for one to thirty digits: what NTP stamps and random ids need.
fn is_number(text: &str) -> bool {
    (1..=30).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Exactly `N` fields or fewer between single spaces; more are a fault.
fn collect_fields<const N: usize>(text: &str) -> Option<heapless::Vec<&str, N>> {
    let mut fields = heapless::Vec::new();
    for field in text.trim_end_matches(' ').split(' ') {
        fields.push(field).ok()?;
    }
    Some(fields)
}

struct Line<'a> {
    number: usize,
    letter: u8,
    value: &'a [u8],
    start: usize,
    end: usize,
}

/// The lines of a text, each byte looked at once.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            number: 0,
        }
    }

    fn read(&mut self, rest: &'a [u8]) -> Result<Option<Line<'a>>, Malformed> {
        let (start, number) = (self.at, self.number + 1);
        let length = rest.iter().position(|byte| *byte == b'\n');
        self.number = number;
        self.at = start + length.map_or(rest.len(), |length| length + 1);
        let text = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if number > LINES {
            return Err(Malformed::TooManyLines);
        }
        if text.len() > LINE {
            return Err(Malformed::LineTooLong { line: number });
        }
        match text {
            // What follows an empty line must be empty lines to the end.
            [] if rest.iter().all(|byte| matches!(byte, b'\r' | b'\n')) => {
                self.at = self.bytes.len();
                Ok(None)
            }
            [letter, b'=', value @ ..] if known(*letter) && !value.iter().any(control) => {
                Ok(Some(Line {
                    number,
                    letter: *letter,
                    value,
                    start,
                    end: self.at,
                }))
            }
            _ => Err(Malformed::Line { line: number }),
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let line = self.read(rest);
        if line.is_err() {
            self.at = self.bytes.len();
        }
        line.transpose()
    }
}

/// The letters of RFC 8866 §5: a description with another one must be ignored whole.
const fn known(letter: u8) -> bool {
    matches!(
        letter,
        b'v' | b'o'
            | b's'
            | b'i'
            | b'u'
            | b'e'
            | b'p'
            | b'c'
            | b'b'
            | b't'
            | b'r'
            | b'z'
            | b'k'
            | b'a'
            | b'm'
    )
}

fn control(byte: &u8) -> bool {
    (*byte < b' ' && *byte != b'\t') || *byte == 0x7f
}
