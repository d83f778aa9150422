//! How a call was forwarded: History-Info comes in as values, targets with
//! indexes, causes and privacy go out (RFC 7044 §5; causes RFC 4458 §2.1).

mod convert;
mod diversion;

pub use convert::{DIVERSIONS, to_diversions, to_history};
pub use diversion::{Diversion, DiversionPrivacy, DiversionReason};

use super::field::{BadField, Field, Why, list};
use super::identity::Privacy;
use super::name_addr;
use super::out::Out;
use super::params::Params;
use super::reason::{Protocol, Reason};
use super::scan::number;
use super::text::Text;
use super::uri::{BadUri, Uri, UriHeaders};
use crate::wire::Name;

/// The deepest index. A call that was forwarded more often is a loop; the
/// strictest living limit on forwarding is 5, the most generous 20.
pub const LEVELS: usize = 24;

/// The longest Reason of an entry that is looked at, in bytes: two causes with
/// their texts.
const REASON: usize = 256;

/// The place of an entry in the tree of targets, such as `1.2.1`.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Index(heapless::Vec<u16, LEVELS>);

impl Index {
    /// Returns the index of the first target.
    pub fn first() -> Self {
        Self::default().child().unwrap_or_default()
    }

    /// Returns the first index below this one, unless that is too deep.
    pub fn child(&self) -> Option<Self> {
        let mut levels = self.0.clone();
        levels.push(1).ok()?;
        Some(Self(levels))
    }

    /// Returns the index one level up.
    pub fn parent(&self) -> Option<Self> {
        let mut levels = self.0.clone();
        levels.pop()?;
        (!levels.is_empty()).then_some(Self(levels))
    }

    /// Returns the numbers between the dots.
    pub fn levels(&self) -> &[u16] {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, Why> {
        let mut levels = heapless::Vec::new();
        for digits in text.split('.') {
            let level = number(digits, u16::MAX.into()).ok_or(Why::Number)?;
            let level = u16::try_from(level).map_err(|_| Why::Range)?;
            let full = Why::TooMany { limit: LEVELS };
            levels.push(level).map_err(|_| full)?;
        }
        Ok(Self(levels))
    }

    fn emit(&self, out: &mut Out<'_>) {
        let mut dot = "";
        for level in &self.0 {
            out.text(dot).number(*level);
            dot = ".";
        }
    }
}

/// How a target was found, and from which entry (RFC 7044 §5).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// `rc`: a contact of the same user.
    Contact(Index),
    /// `mp`: another user than before. Forwarding is this.
    Mapped(Index),
    /// `np`: unchanged.
    Unchanged(Index),
}

/// Why a target was left, as its URI tells in an embedded Reason header.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Left {
    pub sip: Option<u16>,
    pub q850: Option<u16>,
}

/// One element of History-Info.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistoryInfo<'a> {
    pub display: Option<Text<'a>>,
    /// Without its `cause` parameter and its headers: they are the fields below.
    pub uri: Uri<'a>,
    /// Why the call came here (RFC 4458 §2.1).
    pub cause: Option<u16>,
    /// Why the call went on from here.
    pub left: Left,
    /// Written in the URI, which has to be a SIP URI for it.
    pub privacy: Privacy,
    pub index: Index,
    pub origin: Option<Origin>,
    /// `ms-retarget-reason`, by which Microsoft's servers mark a target that
    /// sent the call on.
    pub ms_reason: Option<&'a str>,
}

impl<'a> HistoryInfo<'a> {
    /// Returns an entry for `uri` with nothing else.
    pub fn new(uri: Uri<'a>, index: Index) -> Self {
        Self {
            display: None,
            uri: stripped(uri),
            cause: None,
            left: Left::default(),
            privacy: Privacy::default(),
            index,
            origin: None,
            ms_reason: None,
        }
    }
}

impl<'a> Field<'a> for HistoryInfo<'a> {
    const NAME: Name = Name::HistoryInfo;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        entry(value).map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        if let Some(display) = self.display {
            display.emit_words(out);
            out.text(" ");
        }
        out.text("<");
        self.uri.bare().emit(out);
        // Only a SIP URI has headers, and only the two kinds here have parameters.
        if let (Some(cause), Uri::Sip(_) | Uri::Tel(_)) = (self.cause, self.uri) {
            out.text(";cause=").number(cause.min(999));
        }
        if let Uri::Sip(_) = self.uri {
            emit_headers(self, out);
        }
        out.text(">;index=");
        self.index.emit(out);
        if let Some(origin) = &self.origin {
            let (name, index) = match origin {
                Origin::Contact(index) => (";rc=", index),
                Origin::Mapped(index) => (";mp=", index),
                Origin::Unchanged(index) => (";np=", index),
            };
            index.emit(out.text(name));
        }
        if let Some(reason) = self.ms_reason {
            out.text(";ms-retarget-reason=").value(reason);
        }
    }
}

/// Writes Reason and Privacy as URI headers, escaped.
fn emit_headers(entry: &HistoryInfo<'_>, out: &mut Out<'_>) {
    let mut mark = "?Reason=";
    for (protocol, cause) in [("SIP", entry.left.sip), ("Q.850", entry.left.q850)] {
        if let Some(cause) = cause {
            out.text(mark)
                .text(protocol)
                .text("%3Bcause%3D")
                .number(cause);
            mark = "%2C";
        }
    }
    if !entry.privacy.is_empty() {
        let first = mark == "?Reason=";
        out.text(if first { "?Privacy=" } else { "&Privacy=" });
        let mut semicolon = "";
        for word in entry.privacy.words() {
            out.text(semicolon).text(word);
            semicolon = "%3B";
        }
    }
}

fn entry(value: &str) -> Result<HistoryInfo<'_>, Why> {
    let (display, text, mut cursor) = name_addr::split(value)?;
    let (uri, headers) = target(text)?;
    let params = Params::parse(&mut cursor)?;
    let index = Index::parse(params.get("index").ok_or(Why::Missing)?)?;
    let cause = match uri {
        Uri::Sip(uri) => uri.params.get("cause"),
        Uri::Tel(uri) => uri.params.get("cause"),
        Uri::Other { .. } => None,
    };
    let cause = cause.and_then(|digits| number(digits, 999));
    Ok(HistoryInfo {
        display,
        uri: stripped(uri),
        cause: cause.and_then(|cause| u16::try_from(cause).ok()),
        left: left(&headers),
        privacy: privacy(&headers),
        index,
        origin: origin(&params)?,
        ms_reason: params.get("ms-retarget-reason"),
    })
}

/// Reads URI and headers. Older senders leave the Reason unescaped, quotes and
/// spaces and all, as the examples of RFC 4244 §4.1 do.
fn target(text: &str) -> Result<(Uri<'_>, UriHeaders<'_>), Why> {
    if let Ok(uri) = Uri::parse(text) {
        let headers = uri.sip().map_or(UriHeaders::NONE, |sip| sip.headers);
        return Ok((uri, headers));
    }
    let host = text.find('@').unwrap_or(0);
    let mark = text.get(host..).and_then(|rest| rest.find('?'));
    let (head, tail) = match mark {
        Some(mark) => text.split_at_checked(host + mark).unwrap_or((text, "")),
        None => (text, ""),
    };
    let tail = tail.strip_prefix('?').unwrap_or_default();
    match Uri::parse(head)? {
        uri @ Uri::Sip(_) => Ok((uri, UriHeaders::loose(tail))),
        _ => Err(Why::Uri(BadUri::Headers)),
    }
}

/// Returns the URI without what an entry says elsewhere.
fn stripped(uri: Uri<'_>) -> Uri<'_> {
    match uri.bare() {
        Uri::Sip(mut uri) => {
            uri.params = uri.params.without(&["cause"]);
            Uri::Sip(uri)
        }
        Uri::Tel(mut uri) => {
            uri.params = uri.params.without(&["cause"]);
            Uri::Tel(uri)
        }
        other => other,
    }
}

/// The first bytes of an unescaped header.
type Bytes = heapless::Vec<u8, REASON>;

fn unescaped(headers: &UriHeaders<'_>, name: &str) -> Option<Bytes> {
    let mut bytes = Bytes::new();
    for byte in headers.get(name)? {
        bytes.push(byte).ok()?;
    }
    Some(bytes)
}

fn left(headers: &UriHeaders<'_>) -> Left {
    let bytes = unescaped(headers, "Reason").unwrap_or_default();
    let text = core::str::from_utf8(&bytes).unwrap_or_default();
    let mut left = Left::default();
    for reason in list(text).filter_map(|element| Reason::parse(element).ok()) {
        match reason.protocol {
            Protocol::Sip => left.sip = left.sip.or(reason.cause),
            Protocol::Q850 => left.q850 = left.q850.or(reason.cause),
            Protocol::Other(_) => {}
        }
    }
    left
}

fn privacy(headers: &UriHeaders<'_>) -> Privacy {
    let bytes = unescaped(headers, "Privacy").unwrap_or_default();
    let text = core::str::from_utf8(&bytes).unwrap_or_default();
    Privacy::parse(text).unwrap_or_default()
}

fn origin(params: &Params<'_>) -> Result<Option<Origin>, Why> {
    let index = |name| params.get(name).map(Index::parse).transpose();
    let mapped = index("mp")?.map(Origin::Mapped);
    let contact = index("rc")?.map(Origin::Contact);
    let unchanged = index("np")?.map(Origin::Unchanged);
    Ok(mapped.or(contact).or(unchanged))
}

#[cfg(test)]
mod tests;
