//! How a call was forwarded, as the trunks say it: Diversion comes in as values,
//! who forwarded and why goes out (RFC 5806 §4).

use super::super::field::{BadField, Field, Why};
use super::super::name_addr::NameAddr;
use super::super::out::{Out, quoted_inside};
use super::super::params::Params;
use super::super::scan::number;
use super::super::text::Text;
use super::super::uri::Uri;
use crate::wire::Name;

/// Why a call was forwarded (RFC 5806 §4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DiversionReason<'a> {
    Away,
    Deflection,
    DoNotDisturb,
    FollowMe,
    NoAnswer,
    OutOfService,
    TimeOfDay,
    Unavailable,
    Unconditional,
    Unknown,
    UserBusy,
    /// Any other, as written.
    Other(&'a str),
}

const REASONS: [(&str, DiversionReason<'static>); 11] = [
    ("away", DiversionReason::Away),
    ("deflection", DiversionReason::Deflection),
    ("do-not-disturb", DiversionReason::DoNotDisturb),
    ("follow-me", DiversionReason::FollowMe),
    ("no-answer", DiversionReason::NoAnswer),
    ("out-of-service", DiversionReason::OutOfService),
    ("time-of-day", DiversionReason::TimeOfDay),
    ("unavailable", DiversionReason::Unavailable),
    ("unconditional", DiversionReason::Unconditional),
    ("unknown", DiversionReason::Unknown),
    ("user-busy", DiversionReason::UserBusy),
];

impl<'a> DiversionReason<'a> {
    fn of(value: &'a str) -> Self {
        let word = quoted_inside(value).unwrap_or(value);
        let row = REASONS.iter().find(|row| row.0.eq_ignore_ascii_case(word));
        row.map_or(Self::Other(value), |row| row.1)
    }

    fn as_str(self) -> &'a str {
        let row = REASONS.iter().find(|row| row.1 == self);
        match (self, row) {
            (Self::Other(value), _) => value,
            (_, Some(row)) => row.0,
            (_, None) => "unknown",
        }
    }
}

/// What of the forwarder must be hidden. A value outside these counts as `Full`:
/// the forwarder wanted something hidden.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DiversionPrivacy {
    Full,
    Name,
    Off,
    Uri,
}

impl DiversionPrivacy {
    fn of(value: &str) -> Self {
        let word = quoted_inside(value).unwrap_or(value);
        match word {
            _ if word.eq_ignore_ascii_case("off") => Self::Off,
            _ if word.eq_ignore_ascii_case("name") => Self::Name,
            _ if word.eq_ignore_ascii_case("uri") => Self::Uri,
            _ => Self::Full,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Name => "name",
            Self::Off => "off",
            Self::Uri => "uri",
        }
    }
}

/// One element of Diversion; the newest stands first. Parameters other than
/// these are passed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Diversion<'a> {
    pub display: Option<Text<'a>>,
    /// Who forwarded.
    pub uri: Uri<'a>,
    pub reason: Option<DiversionReason<'a>>,
    /// How many times the call was forwarded up to here, 0 to 99; 1 if absent.
    pub counter: Option<u8>,
    /// How many times it may be forwarded, 0 to 99.
    pub limit: Option<u8>,
    pub privacy: Option<DiversionPrivacy>,
    /// `no` or `yes`, as written.
    pub screen: Option<&'a str>,
}

impl<'a> Diversion<'a> {
    /// Returns an element for `uri` with a reason.
    pub const fn new(uri: Uri<'a>, reason: DiversionReason<'a>) -> Self {
        Self {
            display: None,
            uri,
            reason: Some(reason),
            counter: None,
            limit: None,
            privacy: None,
            screen: None,
        }
    }

    /// Returns how many times the call was forwarded up to here.
    pub fn count(&self) -> u8 {
        self.counter.unwrap_or(1)
    }
}

impl<'a> Field<'a> for Diversion<'a> {
    const NAME: Name = Name::Diversion;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let parse = || {
            let NameAddr {
                display,
                uri,
                params,
            } = NameAddr::parse(value)?;
            Ok(Self {
                display,
                uri,
                reason: params.get("reason").map(DiversionReason::of),
                counter: two_digits(&params, "counter")?,
                limit: two_digits(&params, "limit")?,
                privacy: params.get("privacy").map(DiversionPrivacy::of),
                screen: params.get("screen"),
            })
        };
        parse().map_err(|why: Why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        let params = Params::NONE;
        NameAddr {
            display: self.display,
            uri: self.uri,
            params,
        }
        .emit(out);
        if let Some(reason) = self.reason {
            out.text(";reason=").value(reason.as_str());
        }
        for (name, number) in [(";counter=", self.counter), (";limit=", self.limit)] {
            if let Some(number) = number {
                out.text(name).number(number.min(99));
            }
        }
        if let Some(privacy) = self.privacy {
            out.text(";privacy=").text(privacy.as_str());
        }
        if let Some(screen) = self.screen {
            out.text(";screen=").value(screen);
        }
    }
}

fn two_digits(params: &Params<'_>, name: &str) -> Result<Option<u8>, Why> {
    let Some(value) = params.get(name) else {
        return Ok(None);
    };
    let number = number(value, 99).ok_or(Why::Range)?;
    u8::try_from(number).map(Some).map_err(|_| Why::Range)
}
