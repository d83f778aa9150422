//! Headers that are an address: From, To, Contact, Route and their kin come in
//! as values, go out typed (RFC 3261 §20.10, §20.20, §20.30, §20.34, §20.39).

use super::field::{BadField, Field, Why};
use super::name_addr::NameAddr;
use super::out::Out;
use super::scan::{number, trim};
use crate::wire::Name;

/// Declares a header whose value is one address.
macro_rules! address {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub struct $name<'a>(pub NameAddr<'a>);

        impl<'a> Field<'a> for $name<'a> {
            const NAME: Name = Name::$name;

            fn parse(value: &'a str) -> Result<Self, BadField> {
                NameAddr::parse(value).map(Self).map_err(|why| why.of(Self::NAME))
            }

            fn emit(&self, out: &mut Out<'_>) {
                self.0.emit(out);
            }
        }
    };
}

pub(super) use address;

address! {
    /// Who asks (RFC 3261 §20.20).
    From
}
address! {
    /// Who is asked (RFC 3261 §20.39).
    To
}
address! {
    /// A hop to visit (RFC 3261 §20.34).
    Route
}
address! {
    /// A hop that wants to stay on the way (RFC 3261 §20.30).
    RecordRoute
}
address! {
    /// A hop between registrar and us (RFC 3327 §4).
    Path
}
address! {
    /// A hop our requests should take (RFC 3608 §5).
    ServiceRoute
}
address! {
    /// Where an answer by voice should go (RFC 3261 §20.31).
    ReplyTo
}

impl<'a> From<'a> {
    /// Returns the tag.
    pub fn tag(&self) -> Option<&'a str> {
        self.0.params.get("tag")
    }
}

impl<'a> To<'a> {
    /// Returns the tag.
    pub fn tag(&self) -> Option<&'a str> {
        self.0.params.get("tag")
    }
}

/// One element of Contact (RFC 3261 §20.10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contact<'a> {
    /// `*`: all of them, in a REGISTER that removes.
    Star,
    Address(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// Returns the address, unless this is the star.
    pub const fn address(&self) -> Option<&NameAddr<'a>> {
        match self {
            Self::Star => None,
            Self::Address(address) => Some(address),
        }
    }

    /// Returns the lifetime in seconds, if the parameter is there and a number
    /// below 2^32.
    pub fn expires_secs(&self) -> Option<u32> {
        let digits = self.address()?.params.get("expires")?;
        u32::try_from(number(digits, u32::MAX.into())?).ok()
    }

    /// Returns the preference in thousandths: 1000 if none is given, or if it is
    /// outside the grammar.
    pub fn preference(&self) -> u16 {
        let given = self.address().and_then(|address| address.params.get("q"));
        given.and_then(thousandths).unwrap_or(1_000)
    }
}

impl<'a> Field<'a> for Contact<'a> {
    const NAME: Name = Name::Contact;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        if trim(value) == "*" {
            return Ok(Self::Star);
        }
        let address = NameAddr::parse(value).map_err(|why| why.of(Self::NAME))?;
        match address.params.get("q").map(thousandths) {
            Some(None) => Err(Why::Range.of(Self::NAME)),
            _ => Ok(Self::Address(address)),
        }
    }

    fn emit(&self, out: &mut Out<'_>) {
        match self {
            Self::Star => {
                out.text("*");
            }
            Self::Address(address) => address.emit(out),
        }
    }
}

/// Returns a `qvalue` in thousandths (RFC 3261 §25.1).
pub(super) fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut value = match whole {
        "0" => 0,
        "1" => 1_000,
        _ => return None,
    };
    if fraction.len() > 3 {
        return None;
    }
    for (digit, weight) in fraction.bytes().zip([100, 10, 1]) {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value += u16::from(digit) * weight;
    }
    (value <= 1_000).then_some(value)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::field::each;
    use super::*;

    /// RFC 3261 §20.20, §20.39
    #[test]
    fn from_and_to_have_tags() {
        let from = From::parse("\"A. G. Bell\" <sip:agb@bell-telephone.com> ;tag=a48s").unwrap();
        assert_eq!(from.tag(), Some("a48s"));
        assert_eq!(
            To::parse("sip:+12125551212@server.phone2net.com")
                .unwrap()
                .tag(),
            None
        );
        let bad = To::parse("\"open <sip:a@b>").unwrap_err();
        assert_eq!(bad, Why::Quote.of(Name::To));
    }

    /// RFC 3261 §20.10
    #[test]
    fn contacts_have_lifetime_and_preference() {
        let lines = [
            "\"Mr. Watson\" <sip:watson@worcester.bell-telephone.com>;q=0.7; expires=3600,\
             \"Mr. Watson\" <mailto:watson@bell-telephone.com> ;q=0.1",
            "*",
        ];
        let contacts: Vec<_> = each::<Contact<'_>>(lines.into_iter())
            .map(Result::unwrap)
            .collect();
        assert_eq!(contacts.len(), 3);
        assert_eq!(
            (contacts[0].preference(), contacts[0].expires_secs()),
            (700, Some(3_600))
        );
        assert_eq!(
            (contacts[1].preference(), contacts[1].expires_secs()),
            (100, None)
        );
        assert_eq!(contacts[2], Contact::Star);
    }

    /// RFC 3261 §25.1, RFC 4475 §3.1.2.4 (scalar02)
    #[test]
    fn numbers_of_a_contact_keep_to_their_range() {
        assert_eq!(thousandths("0.05"), Some(50));
        assert_eq!(thousandths("1.000"), Some(1_000));
        for text in ["", "2", "1.001", "0.1234", "-0.1", "0.a", ".5", "00"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
        assert_eq!(
            Contact::parse("<sip:a>;expires=280297596632815")
                .unwrap()
                .expires_secs(),
            None
        );
        assert!(Contact::parse("<sip:a>;q=2").is_err());
    }

    /// RFC 3261 §20.30, §20.31, §20.34; RFC 3327 §4; RFC 3608 §5
    #[test]
    fn routes_are_lists_of_addresses() {
        let line =
            "<sip:a;lr;unknownwith=value;unknown-no-value> , <sip:[2001:db8::1]:5061;lr>;x=1";
        let routes: Vec<_> = each::<Route<'_>>([line].into_iter())
            .map(Result::unwrap)
            .collect();
        assert!(
            routes
                .iter()
                .all(|route| route.0.uri.sip().unwrap().is_loose())
        );
        assert_eq!(
            RecordRoute::parse("<sip:a;lr>").unwrap().0,
            Path::parse("<sip:a;lr>").unwrap().0
        );
        assert_eq!(ServiceRoute::NAME, Name::ServiceRoute);
        assert!(ReplyTo::parse("Bob <sip:bob@biloxi.com>").is_ok());
    }
}
