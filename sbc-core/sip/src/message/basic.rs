//! The headers every message has: Call-ID, CSeq, Max-Forwards, Content-Length
//! (RFC 3261 §8.1.1, §20.8, §20.14, §20.16, §20.22).

use super::chars::WORD;
use super::field::{BadField, Field, Why};
use super::method::Method;
use super::out::Out;
use super::scan::{Cursor, trim};
use crate::wire::Name;

/// The largest sequence number: it is less than 2^31 (RFC 3261 §8.1.1.5).
pub const CSEQ_MAX: u32 = (1 << 31) - 1;

/// Which dialog or registration a message belongs to; compared with case.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CallId<'a>(pub &'a str);

impl<'a> Field<'a> for CallId<'a> {
    const NAME: Name = Name::CallId;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let text = trim(value);
        let (left, right) = text.split_once('@').unwrap_or((text, "-"));
        match WORD.fills(left) && WORD.fills(right) {
            true => Ok(Self(text)),
            false => Err(Why::Value.of(Self::NAME)),
        }
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.text(self.0);
    }
}

/// The place of a request in its dialog (RFC 3261 §20.16).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CSeq<'a> {
    pub number: u32,
    pub method: Method<'a>,
}

impl<'a> Field<'a> for CSeq<'a> {
    const NAME: Name = Name::CSeq;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let parse = || {
            let mut cursor = Cursor::new(value);
            cursor.space();
            let number = cursor.number(CSEQ_MAX.into())?;
            let number = u32::try_from(number).map_err(|_| Why::Range)?;
            if !cursor.space() {
                return Err(Why::Token);
            }
            let method = Method::parse(cursor.token()?)?;
            cursor.end()?;
            Ok(Self { number, method })
        };
        parse().map_err(|why: Why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.number(self.number)
            .text(" ")
            .token(self.method.as_str());
    }
}

/// Declares a header whose value is one number.
macro_rules! number {
    ($(#[$doc:meta])+ $name:ident($int:ty)) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub $int);

        impl<'a> Field<'a> for $name {
            const NAME: Name = Name::$name;

            fn parse(value: &'a str) -> Result<Self, BadField> {
                let parse = || {
                    let mut cursor = Cursor::new(value);
                    cursor.space();
                    let number = cursor.number(<$int>::MAX.into())?;
                    cursor.end()?;
                    <$int>::try_from(number).map(Self).map_err(|_| Why::Range)
                };
                parse().map_err(|why: Why| why.of(Self::NAME))
            }

            fn emit(&self, out: &mut Out<'_>) {
                out.number(self.0);
            }
        }
    };
}

pub(super) use number;

number! {
    /// How many hops are left: 0 to 255 (RFC 3261 §20.22).
    MaxForwards(u8)
}
number! {
    /// The length of the body in bytes (RFC 3261 §20.14). It is only read here:
    /// the writer counts for itself.
    ContentLength(u32)
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    /// RFC 3261 §20.8, §25.1
    #[test]
    fn a_call_id_is_one_word_or_two_around_an_at_sign() {
        for value in [
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@foo.bar.com",
            "3b3c9a4f-1f9e-4a1b-8f0a-0d6a7a3a8a00",
            "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
        ] {
            assert_eq!(CallId::parse(value), Ok(CallId(value)));
        }
        for value in ["", "@a", "a@", "a@b@c", "a b", "a;b", "a,b", "ä"] {
            assert_eq!(
                CallId::parse(value),
                Err(Why::Value.of(Name::CallId)),
                "{value}"
            );
        }
    }

    /// RFC 3261 §8.1.1.5, §20.16; RFC 4475 §3.1.1.1 (wsinv), §3.1.2.4 (scalar02)
    #[test]
    fn a_cseq_is_a_number_below_two_to_the_31_and_a_method() {
        assert_eq!(
            CSeq::parse("0009   INVITE "),
            Ok(CSeq {
                number: 9,
                method: Method::Invite
            })
        );
        assert_eq!(
            CSeq::parse("2147483647 ACK").map(|cseq| cseq.number),
            Ok(CSEQ_MAX)
        );
        for value in [
            "",
            "1",
            "1INVITE",
            "INVITE",
            "2147483648 ACK",
            "36893488147419103232 A",
            "-1 ACK",
            "1 ACK x",
            "1 A@",
        ] {
            assert!(CSeq::parse(value).is_err(), "{value}");
        }
    }

    /// RFC 3261 §20.14, §20.22
    #[test]
    fn numbers_keep_to_their_range() {
        assert_eq!(MaxForwards::parse(" 70 "), Ok(MaxForwards(70)));
        assert_eq!(
            MaxForwards::parse("256"),
            Err(Why::Range.of(Name::MaxForwards))
        );
        assert_eq!(
            MaxForwards::parse("-1"),
            Err(Why::Number.of(Name::MaxForwards))
        );
        assert_eq!(
            ContentLength::parse("4294967296"),
            Err(Why::Range.of(Name::ContentLength))
        );
        assert_eq!(
            ContentLength::parse("1 2"),
            Err(Why::Trailing.of(Name::ContentLength))
        );
    }

    /// RFC 3261 §8.1.1
    #[test]
    fn what_is_read_is_written() {
        let mut bytes = Vec::new();
        let mut out = Out::new(&mut bytes);
        CSeq::parse("007  PRACK").unwrap().emit(&mut out);
        MaxForwards(0).emit(&mut out);
        assert_eq!(String::from_utf8(bytes).unwrap(), "7 PRACK0");
    }
}
