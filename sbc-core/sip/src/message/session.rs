//! Session timers and reliable provisional responses: Session-Expires, Min-SE,
//! RSeq and RAck come in as values, go out as numbers (RFC 4028 §4, §5; RFC 3262
//! §7.1, §7.2).

use super::basic::{CSEQ_MAX, number};
use super::field::{BadField, Field, Why};
use super::method::Method;
use super::out::Out;
use super::params::Params;
use super::scan::Cursor;
use crate::wire::Name;

/// Who refreshes the session: the UAC or the UAS of the request at hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refresher {
    Uac,
    Uas,
}

/// How long a session lives without a refresh (RFC 4028 §4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionExpires {
    pub secs: u32,
    pub refresher: Option<Refresher>,
}

impl<'a> Field<'a> for SessionExpires {
    const NAME: Name = Name::SessionExpires;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let parse = || {
            let (secs, params) = interval(value)?;
            let refresher = match params
                .get("refresher")
                .or(params.has("refresher").then_some(""))
            {
                Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
                Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
                Some(_) => return Err(Why::Value),
                None => None,
            };
            Ok(Self { secs, refresher })
        };
        parse().map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.number(self.secs);
        match self.refresher {
            Some(Refresher::Uac) => out.text(";refresher=uac"),
            Some(Refresher::Uas) => out.text(";refresher=uas"),
            None => out,
        };
    }
}

/// The shortest session interval that is accepted, in seconds (RFC 4028 §5).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct MinSe(pub u32);

impl MinSe {
    /// What holds where none is given (RFC 4028 §5).
    pub const DEFAULT: Self = Self(90);
}

impl<'a> Field<'a> for MinSe {
    const NAME: Name = Name::MinSe;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let read = interval(value).map(|(secs, _)| Self(secs));
        read.map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.number(self.0);
    }
}

/// Reads `delta-seconds *(SEMI generic-param)`.
fn interval(value: &str) -> Result<(u32, Params<'_>), Why> {
    let mut cursor = Cursor::new(value);
    cursor.space();
    let secs = cursor.number(u32::MAX.into())?;
    let secs = u32::try_from(secs).map_err(|_| Why::Range)?;
    Ok((secs, Params::parse(&mut cursor)?))
}

number! {
    /// The number of a reliable provisional response (RFC 3262 §7.1).
    RSeq(u32)
}

/// Which provisional response is acknowledged (RFC 3262 §7.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RAck<'a> {
    pub response: u32,
    pub number: u32,
    pub method: Method<'a>,
}

impl<'a> Field<'a> for RAck<'a> {
    const NAME: Name = Name::RAck;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let parse = || {
            let mut cursor = Cursor::new(value);
            cursor.space();
            let response = spaced(&mut cursor, u32::MAX)?;
            let number = spaced(&mut cursor, CSEQ_MAX)?;
            let method = Method::parse(cursor.token()?)?;
            cursor.end()?;
            Ok(Self {
                response,
                number,
                method,
            })
        };
        parse().map_err(|why: Why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.number(self.response).text(" ").number(self.number);
        out.text(" ").token(self.method.as_str());
    }
}

/// Passes a number and the white space that must follow.
fn spaced(cursor: &mut Cursor<'_>, most: u32) -> Result<u32, Why> {
    let number = cursor.number(most.into())?;
    match cursor.space() {
        true => u32::try_from(number).map_err(|_| Why::Range),
        false => Err(Why::Number),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    fn written<'a>(field: &impl Field<'a>) -> String {
        let mut bytes = Vec::new();
        field.emit(&mut Out::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    /// RFC 4028 §4
    #[test]
    fn session_expires_names_the_refresher() {
        let wanted = SessionExpires {
            secs: 4_000,
            refresher: Some(Refresher::Uac),
        };
        assert_eq!(
            SessionExpires::parse("4000 ; Refresher = UAC;x=1"),
            Ok(wanted)
        );
        assert_eq!(written(&wanted), "4000;refresher=uac");
        assert_eq!(
            SessionExpires::parse("90").map(|field| field.refresher),
            Ok(None)
        );
        for value in [
            "",
            "x",
            "4294967296",
            "90;refresher=me",
            "90 90",
            "90;refresher",
        ] {
            assert!(SessionExpires::parse(value).is_err(), "{value}");
        }
    }

    /// RFC 4028 §5
    #[test]
    fn min_se_may_have_parameters() {
        assert_eq!(MinSe::parse("3600;lr"), Ok(MinSe(3_600)));
        assert_eq!(written(&MinSe::DEFAULT), "90");
    }

    /// RFC 3262 §7.1, §7.2
    #[test]
    fn a_rack_names_response_and_request() {
        let wanted = RAck {
            response: 776_656,
            number: 1,
            method: Method::Invite,
        };
        assert_eq!(RAck::parse("776656  1 INVITE"), Ok(wanted));
        assert_eq!(written(&wanted), "776656 1 INVITE");
        assert_eq!(RSeq::parse("988789"), Ok(RSeq(988_789)));
        for value in [
            "",
            "1 1",
            "1 INVITE",
            "1 2147483648 INVITE",
            "4294967296 1 INVITE",
            "1 1 A B",
        ] {
            assert!(RAck::parse(value).is_err(), "{value}");
        }
    }
}
