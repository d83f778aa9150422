//! Challenges and credentials: values come in, scheme and parameters go out
//! (RFC 3261 §20.7, §20.27, §20.28, §20.44, §25.1). What they mean is for
//! [`crate::digest`].

use super::field::{BadField, Field, Why};
use super::out::Out;
use super::params::{Param, Seen, Unquoted, param};
use super::scan::Cursor;
use crate::wire::Name;

/// A scheme, and parameters between commas.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Auth<'a> {
    /// Compared without case.
    pub scheme: &'a str,
    params: Source<'a>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source<'a> {
    /// Checked text.
    Text(&'a str),
    List(&'a [Param<'a>]),
}

impl<'a> Auth<'a> {
    /// Returns challenge or credentials to write. A value in its quotes stays in
    /// them; one that is no token gets them.
    pub const fn of(scheme: &'a str, params: &'a [Param<'a>]) -> Self {
        Self {
            scheme,
            params: Source::List(params),
        }
    }

    fn parse(value: &'a str) -> Result<Self, Why> {
        let mut cursor = Cursor::new(value);
        cursor.space();
        let scheme = cursor.token()?;
        if !cursor.space() {
            return Err(Why::Token);
        }
        let text = cursor.rest();
        let mut seen = Seen::default();
        loop {
            match param(&mut cursor)? {
                (name, Some(_)) => seen.add(name)?,
                (_, None) => return Err(Why::Token),
            }
            if !cursor.separator(b',') {
                cursor.end()?;
                return Ok(Self {
                    scheme,
                    params: Source::Text(text),
                });
            }
        }
    }

    /// Returns the parameters in order, values as written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let (text, list): (&'a str, &'a [Param<'a>]) = match self.params {
            Source::Text(text) => (text, &[]),
            Source::List(list) => ("", list),
        };
        let mut cursor = Cursor::new(text);
        let read = core::iter::from_fn(move || {
            let next = param(&mut cursor).ok();
            cursor.separator(b',');
            next
        });
        let valued = |(name, value): Param<'a>| Some((name, value?));
        read.chain(list.iter().copied()).filter_map(valued)
    }

    /// Returns the value of `name` as written; names are compared without case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let mut all = self.iter();
        all.find(|param| param.0.eq_ignore_ascii_case(name))
            .map(|param| param.1)
    }

    /// Returns the characters of the value of `name`, out of its quotes.
    pub fn text(&self, name: &str) -> Option<Unquoted<'a>> {
        self.get(name).map(Unquoted::of)
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.token(self.scheme);
        let mut mark = " ";
        for (name, value) in self.iter() {
            out.text(mark).token(name).text("=").value(value);
            mark = ", ";
        }
    }
}

impl PartialEq for Auth<'_> {
    fn eq(&self, other: &Auth<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme) && self.iter().eq(other.iter())
    }
}

macro_rules! auths {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Copy, Debug, Eq, PartialEq)]
            pub struct $name<'a>(pub Auth<'a>);

            impl<'a> Field<'a> for $name<'a> {
                const NAME: Name = Name::$name;

                fn parse(value: &'a str) -> Result<Self, BadField> {
                    Auth::parse(value).map(Self).map_err(|why| why.of(Self::NAME))
                }

                fn emit(&self, out: &mut Out<'_>) {
                    self.0.emit(out);
                }
            }
        )+
    };
}

auths! {
    /// Credentials for the server (RFC 3261 §20.7).
    Authorization,
    /// A proxy's challenge (RFC 3261 §20.27).
    ProxyAuthenticate,
    /// Credentials for a proxy (RFC 3261 §20.28).
    ProxyAuthorization,
    /// The server's challenge (RFC 3261 §20.44).
    WwwAuthenticate,
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

    /// RFC 3261 §20.27, §20.44
    #[test]
    fn a_challenge_is_a_scheme_and_parameters() {
        let value = "Digest  realm=\"atlanta, com\" ,\tqop=\"auth,auth-int\", nonce=\"f84f\\\"1\", stale=FALSE, algorithm=MD5";
        let challenge = WwwAuthenticate::parse(value).unwrap();
        assert_eq!(challenge.0.get("REALM"), Some("\"atlanta, com\""));
        assert_eq!(
            challenge.0.text("nonce").unwrap().collect::<String>(),
            "f84f\"1"
        );
        assert_eq!(challenge.0.get("stale"), Some("FALSE"));
        assert_eq!(challenge.0.iter().count(), 5);
        let text = written(&challenge);
        assert_eq!(WwwAuthenticate::parse(&text), Ok(challenge));
        assert_eq!(ProxyAuthenticate::parse(value).unwrap().0, challenge.0);
    }

    /// RFC 3261 §20.7, §20.28, §25.1
    #[test]
    fn credentials_are_quoted_where_they_must_be() {
        let params = [
            ("username", Some("\"Alice\"")),
            ("uri", Some("sip:a@b")),
            ("nc", Some("00000001")),
        ];
        let credentials = Authorization(Auth::of("Digest", &params));
        assert_eq!(
            written(&credentials),
            "Digest username=\"Alice\", uri=\"sip:a@b\", nc=00000001"
        );
        assert_eq!(
            written(&ProxyAuthorization(Auth::of(
                "X\r\n",
                &[("a", Some("b\r\nc"))]
            ))),
            "X__ a=\"b  c\""
        );
    }

    /// RFC 4475 §3.3.7 (regaut01): an unknown scheme is well formed.
    #[test]
    fn broken_parameters_are_refused() {
        assert!(Authorization::parse("NoOneKnowsThisScheme opaque-data=here").is_ok());
        for value in [
            "",
            "Digest",
            "Digest ",
            "Digest a",
            "Digest a=1,",
            "Digest a=1 b=2",
            "Digest a=\"x",
            "Digest a=1,A=2",
        ] {
            assert!(Authorization::parse(value).is_err(), "{value}");
        }
    }
}
