//! A random number and a corpus come in, hostile octets go out: flips, splices,
//! deletions, repetitions, tokens and lengths that mean something to SIP.

/// The octets a mutation grows to at most: more than a message may have.
const MOST: usize = 72_000;

/// A small generator (SplitMix64): the same seed gives the same run everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Returns the generator that starts from `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Returns a number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() >> 33)
            .unwrap_or(0)
            .checked_rem(end)
            .unwrap_or(0)
    }

    fn octet(&mut self) -> u8 {
        self.bits().to_be_bytes()[0]
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Returns a stretch of `0..len`, mostly short.
    fn stretch(&mut self, len: usize) -> core::ops::Range<usize> {
        let start = self.below(len);
        let most = if self.below(4) == 0 {
            len - start
        } else {
            16.min(len - start)
        };
        start..start + self.below(most + 1)
    }
}

/// What SIP parsers look at twice.
pub const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b"\r\n ",
    b"\r\n\t",
    b"\0",
    b"\x7F",
    b"\x1B",
    b"\xFF",
    b"\xC3\xA9",
    b"\xEF\xBB\xBF",
    b" ",
    b"\t",
    b"\"",
    b"\\",
    b"\\\"",
    b"\\\0",
    b"<",
    b">",
    b"<>",
    b",",
    b";",
    b":",
    b"=",
    b"?",
    b"&",
    b"@",
    b"/",
    b"*",
    b"%",
    b"%00",
    b"%0d%0a",
    b"%zz",
    b"(",
    b")",
    b"[",
    b"]",
    b"[::1]",
    b"[::ffff:192.0.2.1]",
    b":::",
    b"192.0.2.1",
    b"--",
    b"+",
    b"-",
    b"SIP/2.0",
    b"SIP/2.0/UDP ",
    b"SIP/2.0/TCP ",
    b"SIP/3.0",
    b"sip:",
    b"sips:",
    b"tel:",
    b"urn:service:sos",
    b"INVITE",
    b"ACK",
    b"CANCEL",
    b"BYE",
    b"OPTIONS",
    b"REGISTER",
    b"PRACK",
    b"UPDATE",
    b"SIP/2.0 200 OK",
    b"SIP/2.0 100 \r\n",
    b"Via: ",
    b"v:",
    b"From: ",
    b"f:",
    b"To: ",
    b"t:",
    b"Call-ID: ",
    b"i:",
    b"CSeq: ",
    b"Max-Forwards: ",
    b"Contact: ",
    b"m:*",
    b"Content-Length: ",
    b"l: ",
    b"Content-Type: ",
    b"c: multipart/mixed;boundary=x",
    b"Route: ",
    b"Record-Route: ",
    b"Require: ",
    b"Replaces: ",
    b"RAck: 1 1 INVITE",
    b"RSeq: 1",
    b"Session-Expires: 90;refresher=uas",
    b"Min-SE: 90",
    b"Reason: Q.850;cause=16",
    b"History-Info: ",
    b"Diversion: ",
    b"Privacy: id;header",
    b"P-Asserted-Identity: ",
    b"Geolocation: ",
    b"Identity: ",
    b"WWW-Authenticate: Digest ",
    b"realm=\"",
    b"nonce=\"",
    b"algorithm=SHA-256-sess",
    b"qop=\"auth,auth-int\"",
    b"stale=true",
    b";branch=z9hG4bK",
    b";tag=",
    b";received=",
    b";rport",
    b";maddr=",
    b";ttl=255",
    b";lr",
    b";transport=tcp",
    b";user=phone",
    b";phone-context=",
    b";expires=",
    b";q=0.5",
    b";refresher=uac",
    b";boundary=",
    b"--x\r\n",
    b"--x--\r\n",
];

/// Numbers at the edges.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "9",
    "10",
    "69",
    "70",
    "100",
    "127",
    "128",
    "199",
    "200",
    "255",
    "256",
    "300",
    "486",
    "699",
    "700",
    "999",
    "1000",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "-1",
    "+1",
    "00000000000000000001",
    "0x10",
    "1e3",
    "",
];

/// What may stand where a line should end.
const LINE_ENDS: &[&[u8]] = &[b"\n", b"\r", b"\r\n\r\n", b"\r\n ", b"\n\r", b""];

type Mutation = fn(&mut Random, &[Vec<u8>], &mut Vec<u8>);

const MUTATIONS: &[Mutation] = &[
    flip,
    overwrite,
    insert_noise,
    insert_token,
    insert_token,
    insert_token,
    replace_with_token,
    delete,
    duplicate,
    repeat,
    splice,
    splice,
    number,
    number,
    length,
    drop_line,
    double_line,
    swap_lines,
    line_ends,
    truncate,
];

/// Puts a mutation of one of `corpus` into `out`: one to eight edits.
pub fn mutate(random: &mut Random, corpus: &[Vec<u8>], out: &mut Vec<u8>) {
    out.clear();
    if corpus.is_empty() {
        return insert_noise(random, corpus, out);
    }
    out.extend_from_slice(random.pick::<Vec<u8>>(corpus));
    for _ in 0..=random.below(8).min(random.below(8)) {
        random.pick(MUTATIONS)(random, corpus, out);
    }
    out.truncate(MOST);
}

#[expect(clippy::ptr_arg, reason = "one shape for all mutations")]
fn flip(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let at = random.below(out.len());
    let bit = 1 << random.below(8);
    if let Some(octet) = out.get_mut(at) {
        *octet ^= bit;
    }
}

#[expect(clippy::ptr_arg, reason = "one shape for all mutations")]
fn overwrite(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let at = random.below(out.len());
    let new = random.octet();
    if let Some(octet) = out.get_mut(at) {
        *octet = new;
    }
}

fn insert_noise(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let at = random.below(out.len() + 1);
    let noise: Vec<u8> = (0..random.below(24)).map(|_| random.octet()).collect();
    out.splice(at..at, noise);
}

fn insert_token(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let at = random.below(out.len() + 1);
    out.splice(at..at, random.pick(TOKENS).iter().copied());
}

fn replace_with_token(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let stretch = random.stretch(out.len());
    out.splice(stretch, random.pick(TOKENS).iter().copied());
}

fn delete(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let stretch = random.stretch(out.len());
    out.drain(stretch);
}

fn duplicate(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let copy = out[random.stretch(out.len())].to_vec();
    let at = random.below(out.len() + 1);
    out.splice(at..at, copy);
}

/// A short stretch many times over: rarely enough to keep most inputs small.
fn repeat(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let copy = out[random.stretch(out.len())].to_vec();
    let most = if random.below(256) == 0 { 2_000 } else { 8 };
    let room = MOST.saturating_sub(out.len()) / copy.len().max(1);
    let at = random.below(out.len() + 1);
    out.splice(at..at, copy.repeat(random.below(most).min(room)));
}

fn splice(random: &mut Random, corpus: &[Vec<u8>], out: &mut Vec<u8>) {
    if corpus.is_empty() {
        return;
    }
    let other = random.pick(corpus);
    let taken = other[random.stretch(other.len())].to_vec();
    let stretch = random.stretch(out.len());
    out.splice(stretch, taken);
}

fn number(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let from = random.below(out.len());
    let Some(start) = out[from..]
        .iter()
        .position(u8::is_ascii_digit)
        .map(|at| from + at)
    else {
        return;
    };
    let digits = out[start..]
        .iter()
        .take_while(|octet| octet.is_ascii_digit())
        .count();
    out.splice(start..start + digits, random.pick(NUMBERS).bytes());
}

/// Makes Content-Length right, or nearly so.
fn length(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let Some(end) = find(out, b"\r\n\r\n") else {
        return;
    };
    let body = out.len() - end - 4;
    let said = match random.below(4) {
        0 => body + 1,
        1 => body.saturating_sub(1),
        _ => body,
    };
    let line = format!("\r\nContent-Length: {said}");
    match find(&out[..end], b"\r\nContent-Length:") {
        Some(start) => {
            let old = 2 + find(&out[start + 2..], b"\r\n").unwrap_or(0);
            out.splice(start..start + old, line.bytes());
        }
        None => {
            out.splice(end..end, line.bytes());
        }
    }
}

fn drop_line(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let line = line(random, out);
    out.drain(line);
}

fn double_line(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let line = line(random, out);
    let copy = out[line.clone()].to_vec();
    out.splice(line.start..line.start, copy);
}

fn swap_lines(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let line = line(random, out);
    let moved: Vec<u8> = out.drain(line).collect();
    let to = self::line(random, out).start;
    out.splice(to..to, moved);
}

fn line_ends(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let from = random.below(out.len());
    if let Some(at) = find(&out[from..], b"\r\n") {
        let new = random.pick(LINE_ENDS);
        out.splice(from + at..from + at + 2, new.iter().copied());
    }
}

fn truncate(random: &mut Random, _: &[Vec<u8>], out: &mut Vec<u8>) {
    let to = random.below(out.len() + 1);
    out.truncate(to);
}

/// Returns where a line, its end included, stands.
fn line(random: &mut Random, out: &[u8]) -> core::ops::Range<usize> {
    let from = random.below(out.len());
    let start = out[..from]
        .iter()
        .rposition(|octet| *octet == b'\n')
        .map_or(0, |at| at + 1);
    let end = find(&out[from..], b"\n").map_or(out.len(), |at| from + at + 1);
    start..end
}

fn find(octets: &[u8], what: &[u8]) -> Option<usize> {
    octets.windows(what.len()).position(|window| window == what)
}
