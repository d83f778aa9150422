//! Why: Reason and Warning come in as values, causes and texts go out (RFC 3326
//! §2, RFC 6432, RFC 8606 §3; RFC 3261 §20.43).

use super::chars::VALUE;
use super::field::{BadField, Field, Why};
use super::out::Out;
use super::params::Params;
use super::scan::{Cursor, number};
use super::tagged;
use super::text::Text;
use crate::wire::Name;

/// Whose numbers a cause is out of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol<'a> {
    /// The cause values of the telephone network.
    Q850,
    /// Status codes of SIP.
    Sip,
    /// Any other protocol.
    Other(&'a str),
}

/// One element of Reason. Parameters other than these are passed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reason<'a> {
    pub protocol: Protocol<'a>,
    pub cause: Option<u16>,
    pub text: Option<Text<'a>>,
    /// Where in the telephone network the cause arose, such as `LN` (RFC 8606 §3).
    pub location: Option<&'a str>,
}

impl<'a> Reason<'a> {
    /// Returns a cause of the telephone network, 0 to 127.
    pub const fn q850(cause: u16) -> Self {
        Self::new(Protocol::Q850, cause)
    }

    /// Returns a status code as a reason.
    pub const fn sip(status: super::Status) -> Self {
        Self::new(Protocol::Sip, status.code())
    }

    const fn new(protocol: Protocol<'a>, cause: u16) -> Self {
        Self {
            protocol,
            cause: Some(cause),
            text: None,
            location: None,
        }
    }

    /// Returns this reason with a text for people.
    pub const fn with_text(self, text: &'a str) -> Self {
        Self {
            text: Some(Text::of(text)),
            ..self
        }
    }
}

impl<'a> Field<'a> for Reason<'a> {
    const NAME: Name = Name::Reason;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        reason(value).map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        match self.protocol {
            Protocol::Q850 => out.text("Q.850"),
            Protocol::Sip => out.text("SIP"),
            Protocol::Other(token) => out.token(token),
        };
        if let Some(cause) = self.cause {
            out.text(";cause=").number(cause);
        }
        if let Some(text) = self.text {
            text.emit(out.text(";text="));
        }
        if let Some(location) = self.location {
            out.text(";location=").value(location);
        }
    }
}

fn reason(value: &str) -> Result<Reason<'_>, Why> {
    let (protocol, params) = tagged::read(value)?;
    let protocol = match protocol {
        _ if protocol.eq_ignore_ascii_case("Q.850") => Protocol::Q850,
        _ if protocol.eq_ignore_ascii_case("SIP") => Protocol::Sip,
        token => Protocol::Other(token),
    };
    let cause = params.get("cause").map(|digits| {
        let cause = number(digits, u16::MAX.into()).ok_or(Why::Number)?;
        u16::try_from(cause).map_err(|_| Why::Range)
    });
    Ok(Reason {
        protocol,
        cause: cause.transpose()?,
        text: params.get("text").map(Text::of_value),
        location: params.get("location"),
    })
}

/// One element of Warning (RFC 3261 §20.43).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Warning<'a> {
    /// Three digits: 300 to 399 in the standard.
    pub code: u16,
    /// Host with port, or a pseudonym.
    pub agent: &'a str,
    pub text: Text<'a>,
}

impl<'a> Field<'a> for Warning<'a> {
    const NAME: Name = Name::Warning;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        warning(value).map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.display(format_args!("{:03} ", self.code.min(999)));
        out.class(self.agent, VALUE).text(" ");
        self.text.emit(out);
    }
}

fn warning(value: &str) -> Result<Warning<'_>, Why> {
    let mut cursor = Cursor::new(value);
    cursor.space();
    let start = cursor.at();
    let code = cursor.number(999)?;
    if cursor.at() - start != 3 || !cursor.space() {
        return Err(Why::Number);
    }
    let agent = cursor.run(VALUE);
    if agent.is_empty() || !cursor.space() {
        return Err(Why::Token);
    }
    let text = Text::inside(cursor.quoted()?);
    cursor.end()?;
    let code = u16::try_from(code).map_err(|_| Why::Range)?;
    Ok(Warning { code, agent, text })
}

/// What went wrong with a location: a code and its text, out of a parameter that
/// is quoted (RFC 6442 §4.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GeolocationError<'a> {
    /// Three digits.
    pub code: u16,
    pub text: Option<Text<'a>>,
}

impl<'a> Field<'a> for GeolocationError<'a> {
    const NAME: Name = Name::GeolocationError;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let parse = || {
            let mut cursor = Cursor::new(value);
            cursor.space();
            let code = cursor.number(999)?;
            let code = u16::try_from(code).map_err(|_| Why::Range)?;
            let params = Params::parse(&mut cursor)?;
            let text = params.get("code").map(Text::of_value);
            Ok(Self { code, text })
        };
        parse().map_err(|why: Why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.display(format_args!("{:03}", self.code.min(999)));
        if let Some(text) = self.text {
            text.emit(out.text(";code="));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::super::Status;
    use super::super::field::each;
    use super::*;

    fn written<'a>(field: &impl Field<'a>) -> String {
        let mut bytes = Vec::new();
        field.emit(&mut Out::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    /// RFC 3326 §2, RFC 6432, RFC 8606 §3
    #[test]
    fn causes_of_both_worlds_stand_in_one_list() {
        let line = "Q.850 ;cause=16 ;text=\"Terminated, \\\"ok\\\"\";location=LN, sip;cause=600;text=\"Busy Everywhere\", preemption;cause=1";
        let all: Vec<_> = each::<Reason<'_>>([line].into_iter())
            .map(Result::unwrap)
            .collect();
        assert_eq!(
            (all[0].protocol, all[0].cause, all[0].location),
            (Protocol::Q850, Some(16), Some("LN"))
        );
        assert!(all[0].text.unwrap().is("Terminated, \"ok\""));
        assert_eq!(
            all[1],
            Reason::sip(Status::BUSY_EVERYWHERE).with_text("Busy Everywhere")
        );
        assert_eq!(all[2].protocol, Protocol::Other("preemption"));
        assert_eq!(
            written(&Reason::q850(17).with_text("User \"busy\"")),
            "Q.850;cause=17;text=\"User \\\"busy\\\"\""
        );
        for value in ["", ";cause=1", "Q.850;cause=x", "Q.850;cause=65536"] {
            assert!(Reason::parse(value).is_err(), "{value}");
        }
    }

    /// RFC 3261 §20.43
    #[test]
    fn warnings_are_code_agent_and_text() {
        let line = "307 isi.edu \"Session parameter 'foo' not understood\", 304 [2001:db8::1]:5060 \"x, y\"";
        let all: Vec<_> = each::<Warning<'_>>([line].into_iter())
            .map(Result::unwrap)
            .collect();
        assert_eq!((all[0].code, all[0].agent), (307, "isi.edu"));
        assert_eq!(all[1].agent, "[2001:db8::1]:5060");
        assert_eq!(written(&all[1]), "304 [2001:db8::1]:5060 \"x, y\"");
        for value in [
            "30 a \"x\"",
            "1812 overture \"In Progress\"",
            "304 \"x\"",
            "304 a x",
            "304 a \"x",
            "",
        ] {
            assert!(Warning::parse(value).is_err(), "{value}");
        }
    }

    /// RFC 6442 §4.3
    #[test]
    fn a_location_error_has_a_code() {
        let error = GeolocationError::parse("100 ; code=\"Cannot Process Location\"").unwrap();
        assert_eq!(error.code, 100);
        assert_eq!(written(&error), "100;code=\"Cannot Process Location\"");
    }
}
