//! Addresses that outlive their message: a typed view comes in, its canonical
//! text is kept, the view comes back out (RFC 3261 §12: the dialog's state).

use alloc::{boxed::Box, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::message::{NameAddr, Out, Params, SipUri, Uri, UriHeaders, UriParams};

/// A URI fit for a Request-URI, a Route or a Contact of a dialog: without
/// headers and without `method` (RFC 3261 §19.1.1, Table 1).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String")]
pub(super) struct UriBuf(Box<str>);

/// An address without header parameters.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String")]
pub(super) struct AddressBuf(Box<str>);

/// Text in the journal that is not what its field wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the journal holds an address that cannot be read")]
pub(super) struct Unreadable;

impl UriBuf {
    pub(super) fn of(uri: &Uri<'_>) -> Self {
        let Uri::Sip(sip) = uri else {
            return Self(text(|out| uri.emit(out)));
        };
        let params = sip.params.iter();
        let params: Vec<_> = params
            .filter(|(name, _)| !name.eq_ignore_ascii_case("method"))
            .collect();
        let bare = Uri::Sip(SipUri {
            params: UriParams::of(&params),
            headers: UriHeaders::NONE,
            ..*sip
        });
        Self(text(|out| bare.emit(out)))
    }

    pub(super) fn view(&self) -> Uri<'_> {
        // Both ways to make one end in text that was read or written as a URI.
        Uri::parse(&self.0).unwrap_or(Uri::Other {
            scheme: "unreadable",
            rest: &self.0,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl AddressBuf {
    pub(super) fn untagged(address: &NameAddr<'_>) -> Self {
        let bare = NameAddr {
            params: Params::NONE,
            ..*address
        };
        Self(text(|out| bare.emit(out)))
    }

    pub(super) fn view(&self) -> NameAddr<'_> {
        NameAddr::parse(&self.0).unwrap_or(NameAddr::new(Uri::Other {
            scheme: "unreadable",
            rest: &self.0,
        }))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl TryFrom<String> for UriBuf {
    type Error = Unreadable;

    fn try_from(text: String) -> Result<Self, Unreadable> {
        Uri::parse(&text).map_err(|_| Unreadable)?;
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for AddressBuf {
    type Error = Unreadable;

    fn try_from(text: String) -> Result<Self, Unreadable> {
        NameAddr::parse(&text).map_err(|_| Unreadable)?;
        Ok(Self(text.into()))
    }
}

fn text(emit: impl FnOnce(&mut Out<'_>)) -> Box<str> {
    let mut bytes = Vec::new();
    emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).unwrap_or_default().into()
}
