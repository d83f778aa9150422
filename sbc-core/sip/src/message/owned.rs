//! Values that outlive their message: a view comes in, its canonical text goes
//! out, and gives the view back (dialogs and the journal; RFC 3261 §12.1).

use alloc::{boxed::Box, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::field::Why;
use super::name_addr::NameAddr;
use super::out::Out;
use super::uri::{BadUri, Uri};

/// Stands where text that was checked when it was stored does not read back,
/// which the checks on the way in make impossible.
const NOWHERE: Uri<'static> = Uri::Other {
    scheme: "invalid",
    rest: "invalid",
};

/// A URI that owns its text.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct UriBuf(Box<str>);

impl UriBuf {
    /// Returns an owned copy of `uri`, or why its parts make no URI.
    pub fn of(uri: &Uri<'_>) -> Result<Self, BadUri> {
        let text = written(|out| uri.emit(out)).ok_or(BadUri::Rest)?;
        Self::try_from(text)
    }

    /// Returns the URI.
    pub fn view(&self) -> Uri<'_> {
        Uri::parse(&self.0).unwrap_or(NOWHERE)
    }

    /// Returns the URI as written on the wire.
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UriBuf {
    type Error = BadUri;

    fn try_from(text: String) -> Result<Self, BadUri> {
        Uri::parse(&text)?;
        Ok(Self(text.into_boxed_str()))
    }
}

impl From<UriBuf> for String {
    fn from(uri: UriBuf) -> Self {
        uri.0.into_string()
    }
}

/// An address with display name and parameters that owns its text.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct NameAddrBuf(Box<str>);

impl NameAddrBuf {
    /// Returns an owned copy of `address`, or why its parts make none.
    pub fn of(address: &NameAddr<'_>) -> Result<Self, Why> {
        let text = written(|out| address.emit(out)).ok_or(Why::Value)?;
        Self::try_from(text)
    }

    /// Returns the address.
    pub fn view(&self) -> NameAddr<'_> {
        NameAddr::parse(&self.0).unwrap_or(NameAddr::new(NOWHERE))
    }

    /// Returns the address as written on the wire.
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NameAddrBuf {
    type Error = Why;

    fn try_from(text: String) -> Result<Self, Why> {
        NameAddr::parse(&text)?;
        Ok(Self(text.into_boxed_str()))
    }
}

impl From<NameAddrBuf> for String {
    fn from(address: NameAddrBuf) -> Self {
        address.0.into_string()
    }
}

/// Octets that most addresses fit in, so that one allocation holds one.
const USUAL: usize = 128;

fn written(emit: impl FnOnce(&mut Out<'_>)) -> Option<String> {
    let mut bytes = Vec::with_capacity(USUAL);
    emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::super::host::Host;
    use super::super::uri::SipUri;
    use super::*;

    /// RFC 3261 §12.1
    #[test]
    fn a_stored_value_gives_its_view_back() {
        let text = "\"B \\\" x\" <sips:b%20c@[2001:db8::1]:5061;lr?a=b>;tag=1;x=\"y z\"";
        let view = NameAddr::parse(text).unwrap();
        let stored = NameAddrBuf::of(&view).unwrap();
        assert_eq!((stored.as_str(), stored.view()), (text, view));
        let uri = UriBuf::of(&view.uri).unwrap();
        assert_eq!(uri.view(), view.uri);
    }

    #[test]
    fn what_makes_no_uri_is_not_stored() {
        let bad = Uri::Sip(SipUri::new(Host::Name("a..b")));
        assert_eq!(UriBuf::of(&bad), Err(BadUri::Host));
        assert!(UriBuf::try_from("not a uri".to_owned()).is_err());
        assert!(NameAddrBuf::try_from("Bob sip:b@x".to_owned()).is_err());
    }

    #[test]
    fn views_of_stored_values_compare_like_those_of_messages() {
        let stored = UriBuf::try_from("sip:a@EXAMPLE.com".to_owned()).unwrap();
        assert!(
            stored
                .view()
                .same_as(&Uri::parse("sip:a@example.com;x=1").unwrap())
        );
        assert_eq!(String::from(stored), "sip:a@EXAMPLE.com");
    }
}
