//! Where the caller is: Geolocation and Geolocation-Routing come in as values,
//! go out typed (RFC 6442 §4.1, §4.2).

use super::chars::TOKEN;
use super::field::{BadField, Field, Why};
use super::name_addr::NameAddr;
use super::out::Out;
use super::scan::trim;
use super::uri::Uri;
use super::uri::parts::Unescaped;
use crate::wire::Name;

/// One location, by reference: in the body (`cid:`), or elsewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Geolocation<'a>(pub NameAddr<'a>);

impl<'a> Geolocation<'a> {
    /// Returns the bytes of the Content-ID a `cid:` URI names, without brackets
    /// (RFC 2392 §2).
    pub fn content_id(&self) -> Option<Unescaped<'a>> {
        match self.0.uri {
            Uri::Other { scheme, rest } if scheme.eq_ignore_ascii_case("cid") => {
                Some(Unescaped::new(rest))
            }
            _ => None,
        }
    }
}

impl<'a> Field<'a> for Geolocation<'a> {
    const NAME: Name = Name::Geolocation;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let address = NameAddr::parse(value).map_err(|why| why.of(Self::NAME))?;
        match address.display {
            None => Ok(Self(address)),
            Some(_) => Err(Why::Display.of(Self::NAME)),
        }
    }

    fn emit(&self, out: &mut Out<'_>) {
        self.0.emit(out);
    }
}

/// Whether elements on the way may route by the location.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GeolocationRouting {
    Yes,
    No,
}

impl<'a> Field<'a> for GeolocationRouting {
    const NAME: Name = Name::GeolocationRouting;

    /// A value that is neither counts as "no" (RFC 6442 §4.2).
    fn parse(value: &'a str) -> Result<Self, BadField> {
        match trim(value) {
            word if word.eq_ignore_ascii_case("yes") => Ok(Self::Yes),
            word if TOKEN.fills(word) => Ok(Self::No),
            _ => Err(Why::Token.of(Self::NAME)),
        }
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.text(match self {
            Self::Yes => "yes",
            Self::No => "no",
        });
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::field::each;
    use super::*;

    /// RFC 6442 §4.1, RFC 2392 §2
    #[test]
    fn a_location_in_the_body_is_found_by_its_content_id() {
        let line = "<cid:target123%40atlanta.example.com>, <sips:3sdefrhy2jj7@lis.atlanta.example.com>;x=1";
        let all: Vec<_> = each::<Geolocation<'_>>([line].into_iter())
            .map(Result::unwrap)
            .collect();
        let id: Vec<u8> = all[0].content_id().unwrap().collect();
        assert_eq!(id, b"target123@atlanta.example.com");
        assert!(all[1].content_id().is_none());
        assert!(Geolocation::parse("here <cid:a>").is_err());
    }

    /// RFC 6442 §4.2
    #[test]
    fn routing_by_location_needs_a_clear_yes() {
        assert_eq!(
            GeolocationRouting::parse(" Yes"),
            Ok(GeolocationRouting::Yes)
        );
        assert_eq!(
            GeolocationRouting::parse("perhaps"),
            Ok(GeolocationRouting::No)
        );
        assert!(GeolocationRouting::parse("").is_err());
    }
}
