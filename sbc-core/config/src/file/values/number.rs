//! Numbers, patterns, rules, and the names of codes, marks and suites:
//! RFC 3966 for numbers, RFC 2474 for marks.

use alloc::format;
use alloc::string::{String, ToString};

use crate::codes::{DEAD_PATTERN, NOT_E164, WEAK_SUITE, WRONG_TYPE};
use crate::country::Country;
use crate::file::units::not_a;
use crate::file::values::text_fields;
use crate::file::{Fault, FromText};
use crate::network::Suite;
use crate::number::Number;
use crate::pattern::Pattern;
use crate::peer::Codec;
use crate::rules::NumberRule;

text_fields!(
    Country, Number, Dialled, Pattern, NumberRule, NumberTest, StatusPair, Token, Dscp, Suite,
    Codec,
);

impl FromText for Country {
    const FORM: &'static str = "a country, two capital letters of ISO 3166";
    const PATTERN: &'static str = "^[A-Z]{2}$";
    const EXAMPLE: &'static str = "DE";

    fn from_text(text: &str) -> Result<Self, Fault> {
        Self::new(text).ok_or_else(|| not_a(Self::FORM, text))
    }
}

impl FromText for Number {
    const FORM: &'static str = "a number in E.164 form";
    const PATTERN: &'static str = "^\\+[1-9]\\d{5,14}$";
    const EXAMPLE: &'static str = "+49691234000";

    fn from_text(text: &str) -> Result<Self, Fault> {
        Self::e164(text).ok_or_else(|| Fault {
            code: NOT_E164,
            message: "this is not a number in E.164 form".into(),
            help: "write '+', the country code and the rest, digits only: \"+49691234000\"",
        })
    }
}

/// What is dialled as it stands, a short code or a number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dialled(pub Number);

impl FromText for Dialled {
    const FORM: &'static str = "a number as it is dialled";
    const PATTERN: &'static str = "^[+0-9*#]{1,32}$";
    const EXAMPLE: &'static str = "112";

    fn from_text(text: &str) -> Result<Self, Fault> {
        Number::dialled(text)
            .map(Self)
            .ok_or_else(|| not_a(Self::FORM, text))
    }
}

impl FromText for Pattern {
    const FORM: &'static str = "a pattern over numbers";
    const EXAMPLE: &'static str = r"\+4969123\d{4}";

    fn from_text(text: &str) -> Result<Self, Fault> {
        Self::new(text).map_err(|why| Fault {
            code: DEAD_PATTERN,
            message: format!("this pattern cannot be used: {why}"),
            help: r"a pattern is a regular expression over the whole number, as in '\+4969123\d{4}'",
        })
    }
}

impl FromText for NumberRule {
    const FORM: &'static str = "a number rule";
    const EXAMPLE: &'static str = r"\+49(\d+) -> 0$1";

    fn from_text(text: &str) -> Result<Self, Fault> {
        Self::new(text).map_err(|why| Fault {
            code: DEAD_PATTERN,
            message: format!("this rule cannot be used: {why}"),
            help: r"a rule is 'PATTERN -> RESULT', as in '\+49(\d+) -> 0$1'",
        })
    }
}

/// `to +49301 -> 0301`: what a rule table must make of a number.
#[derive(Clone, Debug)]
pub struct NumberTest {
    /// `to` the trunk, else `from` it.
    pub outward: bool,
    pub number: Number,
    pub expected: Number,
}

impl FromText for NumberTest {
    const FORM: &'static str = "a number test";
    const PATTERN: &'static str = "^(to|from) +[^ ]+ *-> *[^ ]+$";
    const EXAMPLE: &'static str = "to +4930555100 -> 030555100";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let parse = || {
            let (way, rest) = text.split_once(' ')?;
            let (number, expected) = rest.split_once("->")?;
            let number = Number::dialled(number.trim())?;
            let expected = Number::dialled(expected.trim())?;
            let outward = match way {
                "to" => true,
                "from" => false,
                _ => return None,
            };
            Some(Self {
                outward,
                number,
                expected,
            })
        };
        // A number is not repeated in a message.
        let message = "this is not a number test".to_string();
        parse().ok_or(Fault {
            code: WRONG_TYPE,
            message,
            help: "",
        })
    }
}

/// `480 -> 503`: a status of the peer and what it means.
#[derive(Clone, Copy, Debug)]
pub struct StatusPair(pub u16, pub u16);

impl FromText for StatusPair {
    const FORM: &'static str = "a pair of failure codes";
    const PATTERN: &'static str = "^[4-6]\\d\\d *-> *[4-6]\\d\\d$";
    const EXAMPLE: &'static str = "480 -> 503";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let code = |text: &str| {
            text.trim()
                .parse()
                .ok()
                .filter(|code| (400..700).contains(code))
        };
        let pair = text
            .split_once("->")
            .and_then(|(from, to)| Some(Self(code(from)?, code(to)?)));
        pair.ok_or_else(|| Fault {
            help: "codes are 400 to 699, as in \"480 -> 503\"",
            ..not_a(Self::FORM, text)
        })
    }
}

/// A header name (RFC 3261 §25.1, token).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token(pub String);

impl FromText for Token {
    const FORM: &'static str = "the name of a header";
    const PATTERN: &'static str = "^[A-Za-z0-9.!%*_+`'~-]{1,64}$";
    const EXAMPLE: &'static str = "X-Carrier-Id";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let token = text
            .bytes()
            .all(|o| o.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&o));
        if token && (1..=64).contains(&text.len()) {
            return Ok(Self(text.to_string()));
        }
        Err(not_a(Self::FORM, text))
    }
}

/// A mark of RFC 2474 by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dscp(pub u8);

/// RFC 2474 §4.2.2, RFC 2597 §6, RFC 3246 §2.7, RFC 5865 §2.3.
const DSCP: [(&str, u8); 23] = [
    ("CS0", 0),
    ("CS1", 8),
    ("CS2", 16),
    ("CS3", 24),
    ("CS4", 32),
    ("CS5", 40),
    ("CS6", 48),
    ("CS7", 56),
    ("AF11", 10),
    ("AF12", 12),
    ("AF13", 14),
    ("AF21", 18),
    ("AF22", 20),
    ("AF23", 22),
    ("AF31", 26),
    ("AF32", 28),
    ("AF33", 30),
    ("AF41", 34),
    ("AF42", 36),
    ("AF43", 38),
    ("EF", 46),
    ("VA", 44),
    ("BE", 0),
];

impl FromText for Dscp {
    const FORM: &'static str = "a DSCP name";
    const PATTERN: &'static str = "^(CS[0-7]|AF[1-4][1-3]|EF|VA|BE)$";
    const EXAMPLE: &'static str = "EF";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let mark = DSCP
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, bits)| Self(*bits));
        mark.ok_or_else(|| not_a(Self::FORM, text))
    }
}

impl FromText for Suite {
    const FORM: &'static str = "a cipher suite";
    const PATTERN: &'static str =
        "^(cnsa|aes256gcm16-prfsha256-x25519|aes256gcm16-prfsha384-ecp384)$";
    const EXAMPLE: &'static str = "aes256gcm16-prfsha256-x25519";

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text {
            "aes256gcm16-prfsha256-x25519" => Ok(Self::Aes256Gcm16Prfsha256X25519),
            "cnsa" | "aes256gcm16-prfsha384-ecp384" => Ok(Self::Aes256Gcm16Prfsha384Ecp384),
            _ => {
                let Fault { message, .. } = not_a("a suite this node proposes", text);
                let help =
                    "aes256gcm16-prfsha256-x25519 or cnsa; RFC 8221 and RFC 8247 say why no other";
                Err(Fault {
                    code: WEAK_SUITE,
                    message,
                    help,
                })
            }
        }
    }
}

impl FromText for Codec {
    const FORM: &'static str = "PCMA or PCMU";
    const PATTERN: &'static str = "^(PCMA|PCMU)$";
    const EXAMPLE: &'static str = "PCMA";

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text {
            "PCMA" => Ok(Self::Pcma),
            "PCMU" => Ok(Self::Pcmu),
            _ => Err(not_a(Self::FORM, text)),
        }
    }
}
