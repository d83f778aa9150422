//! Call transfer: Refer-To, Referred-By and Replaces come in as values, go out
//! typed (RFC 3515 §2.1, RFC 3892 §2.1, RFC 3891 §6.1).

use alloc::string::String;

use super::address::address;
use super::basic::CallId;
use super::field::{BadField, Field, Why};
use super::name_addr::NameAddr;
use super::out::Out;
use super::params::Params;
use super::scan::Cursor;
use super::uri::BadUri;
use crate::wire::Name;

address! {
    /// Where the call should go (RFC 3515 §2.1).
    ReferTo
}
address! {
    /// Who sends the call there (RFC 3892 §2.1).
    ReferredBy
}

impl ReferTo<'_> {
    /// Returns the text of the Replaces header the URI carries, for
    /// [`Replaces::parse`] (RFC 3891 §6.1).
    pub fn replaces(&self) -> Option<Result<String, BadUri>> {
        self.0.uri.sip()?.headers.text("Replaces")
    }

    /// Returns the method the referred request should have, if it is named.
    pub fn method(&self) -> Option<&str> {
        self.0.uri.sip()?.params.get("method")
    }
}

/// Which dialog the new one takes the place of (RFC 3891 §6.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Replaces<'a> {
    pub call_id: CallId<'a>,
    pub to_tag: &'a str,
    pub from_tag: &'a str,
    /// Whether it may only replace a dialog that is not answered yet.
    pub early_only: bool,
}

impl<'a> Field<'a> for Replaces<'a> {
    const NAME: Name = Name::Replaces;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let mut cursor = Cursor::new(value);
        let call_id = CallId::parse(cursor.until(|byte| byte == b';'));
        let params = Params::parse(&mut cursor).map_err(|why| why.of(Self::NAME))?;
        let tag = |name| params.get(name).ok_or(Why::Missing.of(Self::NAME));
        Ok(Self {
            call_id: call_id.map_err(|bad| bad.why.of(Self::NAME))?,
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.has("early-only"),
        })
    }

    fn emit(&self, out: &mut Out<'_>) {
        self.call_id.emit(out);
        out.text(";to-tag=").value(self.to_tag);
        out.text(";from-tag=").value(self.from_tag);
        if self.early_only {
            out.text(";early-only");
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::uri::{SipUri, Uri, UriHeaders};
    use super::*;

    fn written<'a>(field: &impl Field<'a>) -> String {
        let mut bytes = Vec::new();
        field.emit(&mut Out::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    /// RFC 3515 §2.1, RFC 3891 §6.1
    #[test]
    fn a_refer_to_carries_the_dialog_to_replace() {
        let value = "<sip:dave@denver.example.org;method=INVITE?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>";
        let refer = ReferTo::parse(value).unwrap();
        assert_eq!(refer.method(), Some("INVITE"));
        let text = refer.replaces().unwrap().unwrap();
        let replaces = Replaces::parse(&text).unwrap();
        assert_eq!(
            (replaces.call_id.0, replaces.to_tag, replaces.from_tag),
            ("12345@192.168.118.3", "12345", "5FFE-3994")
        );
        assert_eq!(written(&refer), value);
        assert_eq!(
            ReferTo::parse("<sip:a?Replaces=%0d%0aEvil:x>")
                .unwrap()
                .replaces(),
            Some(Err(BadUri::Headers))
        );
        assert!(ReferTo::parse("sip:a@b?Replaces=1").is_err());
    }

    /// RFC 3891 §6.1
    #[test]
    fn a_replaces_needs_both_tags() {
        let value = "425928@bobster.example.org ; to-tag=7743;from-tag=6472 ;early-only";
        let replaces = Replaces::parse(value).unwrap();
        assert!(replaces.early_only);
        assert_eq!(
            written(&replaces),
            "425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only"
        );
        for value in [
            "",
            "a",
            "a;to-tag=1",
            "a;from-tag=1",
            "a;to-tag=1;to-tag=2;from-tag=3",
            ";to-tag=1;from-tag=2",
            "a b;to-tag=1;from-tag=2",
        ] {
            assert!(Replaces::parse(value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_refer_to_made_by_hand_escapes_its_headers() {
        let headers = [("Replaces", "a@b;to-tag=1;from-tag=2")];
        let mut uri = SipUri::new(super::super::Host::Name("c"));
        uri.headers = UriHeaders::of(&headers);
        let refer = ReferTo(NameAddr::new(Uri::Sip(uri)));
        let text = written(&refer);
        assert_eq!(text, "<sip:c?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>");
        assert_eq!(ReferTo::parse(&text).unwrap().replaces(), refer.replaces());
    }

    /// RFC 3892 §2.1
    #[test]
    fn a_referrer_may_point_to_a_signed_part() {
        let by = ReferredBy::parse("sip:r@ref.example;cid=\"2UWQFN309shb3@ref.example\"").unwrap();
        assert_eq!(
            by.0.params.text("cid").unwrap().collect::<String>(),
            "2UWQFN309shb3@ref.example"
        );
    }
}
