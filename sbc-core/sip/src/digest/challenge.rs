//! Challenges: the value of one `WWW-Authenticate` or `Proxy-Authenticate` line
//! comes in, its Digest challenges go out (RFC 7616 §3.3, RFC 3261 §25.1).
//!
//! A line holds one challenge by RFC 3261 §7.3.1 and a list of them by HTTP's
//! rules; both are read. A challenge we cannot answer never spoils its
//! neighbours (RFC 8760 §2.4).

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};

use super::algorithm::Algorithm;
use crate::wire::Name;

/// Challenges read from one line. A realm offering every algorithm twice fits.
const MOST: usize = 16;

/// Octets of a realm, nonce or opaque value we echo. Nonces seen in the field
/// stay below 200; a peer cannot make our requests grow past this.
const LONGEST: usize = 1_024;

/// Who challenges, and so which header answers (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// A user agent server or registrar, by 401.
    Server,
    /// A proxy, by 407.
    Proxy,
}

impl Side {
    /// Returns who challenges with this status code, if it is a challenge.
    pub const fn of(status: u16) -> Option<Self> {
        match status {
            401 => Some(Self::Server),
            407 => Some(Self::Proxy),
            _ => None,
        }
    }

    /// Returns the name of the header that carries the challenge.
    pub const fn header(self) -> Name {
        match self {
            Self::Server => Name::WwwAuthenticate,
            Self::Proxy => Name::ProxyAuthenticate,
        }
    }
}

/// The quality of protection we answer with (RFC 7616 §3.3, RFC 3261 §22.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Qop {
    /// The challenge names none, as RFC 2617 allowed.
    Absent,
    Auth,
}

/// A Digest challenge we are able to answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Challenge {
    pub realm: Box<str>,
    pub nonce: Box<str>,
    pub opaque: Option<Box<str>>,
    /// The algorithm, and whether the challenge named it.
    pub algorithm: Algorithm,
    pub algorithm_named: bool,
    pub qop: Qop,
    pub stale: bool,
}

/// Why a challenge cannot be answered. It is passed over, the next may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unusable {
    #[error("the challenge is not well formed")]
    Malformed,
    #[error("the scheme is not Digest")]
    Scheme,
    #[error("the algorithm is not one of ours")]
    Algorithm,
    #[error("no quality of protection on offer is one of ours")]
    Qop,
    #[error("a session algorithm needs a quality of protection")]
    SessionWithoutQop,
}

/// Returns every challenge of one header line, in order, at most 16 of them.
pub fn read(line: &str) -> Vec<Result<Challenge, Unusable>> {
    let mut found = Vec::new();
    let mut open: Option<Raw<'_>> = None;
    for item in Items(Some(line)) {
        let item = item.trim();
        let item = match split_scheme(item) {
            // A word alone belongs to what is open: a qop list without quotes.
            Some((_, "")) if open.is_some() => continue,
            Some((scheme, rest)) => {
                found.extend(open.replace(Raw::new(scheme)).map(Raw::finish));
                rest
            }
            None => item,
        };
        if found.len() >= MOST {
            return found;
        }
        match &mut open {
            Some(raw) => raw.add(item),
            None if item.is_empty() => {}
            None => open = Some(Raw::malformed()),
        }
    }
    found.extend(open.map(Raw::finish));
    found
}

/// The pieces between commas that stand outside quoted strings.
struct Items<'a>(Option<&'a str>);

impl<'a> Iterator for Items<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0?;
        let (mut quoted, mut escaped) = (false, false);
        let comma = text.bytes().position(|octet| {
            match octet {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b',' => return !quoted,
                _ => {}
            }
            false
        });
        let (item, rest) = match comma.and_then(|at| text.split_at_checked(at)) {
            Some((item, rest)) => (item, rest.strip_prefix(',')),
            None => (text, None),
        };
        self.0 = rest;
        Some(item)
    }
}

/// Splits `Digest realm="…"` into scheme and first parameter. A parameter alone
/// has no space between its name and what follows, or an equals sign after it.
fn split_scheme(item: &str) -> Option<(&str, &str)> {
    let end = item
        .find(|letter: char| !is_token(letter))
        .unwrap_or(item.len());
    let (word, rest) = item.split_at_checked(end)?;
    let after = rest.trim_start();
    let alone = after.is_empty() && !word.is_empty();
    let spaced = after.len() < rest.len() && !after.starts_with('=');
    (alone || spaced).then_some((word, after))
}

fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(letter)
}

const fn is_control(letter: char) -> bool {
    letter.is_ascii_control()
}

/// The parameters of one challenge as written, not yet judged.
#[derive(Default)]
struct Raw<'a> {
    digest: bool,
    malformed: bool,
    realm: Option<Cow<'a, str>>,
    nonce: Option<Cow<'a, str>>,
    opaque: Option<Cow<'a, str>>,
    algorithm: Option<Cow<'a, str>>,
    qop: Option<Cow<'a, str>>,
    stale: Option<Cow<'a, str>>,
}

impl<'a> Raw<'a> {
    fn new(scheme: &str) -> Self {
        Self {
            digest: scheme.eq_ignore_ascii_case("Digest"),
            ..Self::default()
        }
    }

    fn malformed() -> Self {
        Self {
            digest: true,
            malformed: true,
            ..Self::default()
        }
    }

    /// Takes one `name=value`. Unknown names are passed over, as RFC 7616 §3.3
    /// asks; a known one given twice leaves no honest reading.
    fn add(&mut self, item: &'a str) {
        if !self.digest || item.is_empty() {
            return;
        }
        let Some((name, value)) = item.split_once('=') else {
            self.malformed = true;
            return;
        };
        let (name, value) = (name.trim_end(), unquote(value.trim_start()));
        let slots = [
            ("realm", &mut self.realm),
            ("nonce", &mut self.nonce),
            ("opaque", &mut self.opaque),
            ("algorithm", &mut self.algorithm),
            ("qop", &mut self.qop),
            ("stale", &mut self.stale),
        ];
        let slot = slots
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        self.malformed |= match (slot, value) {
            (None, Some(_)) => false,
            // A control octet, legal behind a backslash, cannot be repeated in our answer.
            (Some((_, slot)), Some(value))
                if value.len() <= LONGEST && !value.contains(is_control) =>
            {
                slot.replace(value).is_some()
            }
            (_, _) => true,
        };
    }

    fn finish(self) -> Result<Challenge, Unusable> {
        if !self.digest {
            return Err(Unusable::Scheme);
        }
        let (Some(realm), Some(nonce), false) = (self.realm, self.nonce, self.malformed) else {
            return Err(Unusable::Malformed);
        };
        let algorithm = self
            .algorithm
            .as_deref()
            .map_or(Some(Algorithm::DEFAULT), Algorithm::of)
            .ok_or(Unusable::Algorithm)?;
        let qop = match self.qop.as_deref() {
            None if algorithm.session => return Err(Unusable::SessionWithoutQop),
            None => Qop::Absent,
            Some(list) if offers_auth(list) => Qop::Auth,
            Some(_) => return Err(Unusable::Qop),
        };
        Ok(Challenge {
            realm: realm.into(),
            nonce: nonce.into(),
            opaque: self.opaque.map(Into::into),
            algorithm,
            algorithm_named: self.algorithm.is_some(),
            qop,
            stale: self
                .stale
                .is_some_and(|word| word.eq_ignore_ascii_case("true")),
        })
    }
}

fn offers_auth(list: &str) -> bool {
    list.split(',')
        .any(|word| word.trim().eq_ignore_ascii_case("auth"))
}

/// Returns the value of a token or of a quoted string without its quotes and
/// escapes; nothing if it is neither.
fn unquote(value: &str) -> Option<Cow<'_, str>> {
    let Some(inner) = value.strip_prefix('"') else {
        let plain = !value.contains(['"', ' ', '\t', '\\']);
        return plain.then_some(Cow::Borrowed(value));
    };
    let inner = inner.strip_suffix('"')?;
    if !inner.contains(['\\', '"']) {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return None,
            '\\' => text.push(letters.next()?),
            _ => text.push(letter),
        }
    }
    Some(Cow::Owned(text))
}
