//! Headers that list tokens: Allow, Supported and their kin come in as values,
//! go out as lists that were checked (RFC 3261 §20.5, §20.29, §20.32, §20.37,
//! §20.40; RFC 5009 §8).

use super::chars::TOKEN;
use super::field::{BadField, Field, Why, list};
use super::method::Method;
use super::out::Out;
use crate::wire::Name;

/// Tokens separated by commas; there may be none.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Tokens<'a>(Source<'a>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source<'a> {
    /// Checked text.
    Text(&'a str),
    List(&'a [&'a str]),
}

impl<'a> Tokens<'a> {
    /// Returns tokens to write.
    pub const fn of(tokens: &'a [&'a str]) -> Self {
        Self(Source::List(tokens))
    }

    /// Returns the tokens `text` lists.
    pub fn parse(text: &'a str) -> Result<Self, Why> {
        match list(text).all(|token| TOKEN.fills(token)) {
            true => Ok(Self(Source::Text(text))),
            false => Err(Why::Token),
        }
    }

    /// Returns the tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        let (text, tokens): (&'a str, &'a [&'a str]) = match self.0 {
            Source::Text(text) => (text, &[]),
            Source::List(tokens) => ("", tokens),
        };
        list(text).chain(tokens.iter().copied())
    }

    /// Returns whether `token` is there, in any case.
    pub fn has(&self, token: &str) -> bool {
        self.iter().any(|each| each.eq_ignore_ascii_case(token))
    }

    /// Writes the tokens.
    pub fn emit(&self, out: &mut Out<'_>) {
        let mut comma = "";
        for token in self.iter() {
            out.text(comma).token(token);
            comma = ", ";
        }
    }
}

impl PartialEq for Tokens<'_> {
    fn eq(&self, other: &Tokens<'_>) -> bool {
        self.iter().eq(other.iter())
    }
}

macro_rules! tokens {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Copy, Debug, Eq, PartialEq)]
            pub struct $name<'a>(pub Tokens<'a>);

            impl<'a> Field<'a> for $name<'a> {
                const NAME: Name = Name::$name;

                fn parse(value: &'a str) -> Result<Self, BadField> {
                    Tokens::parse(value).map(Self).map_err(|why| why.of(Self::NAME))
                }

                fn emit(&self, out: &mut Out<'_>) {
                    self.0.emit(out);
                }
            }
        )+
    };
}

tokens! {
    /// The methods one understands (RFC 3261 §20.5).
    Allow,
    /// The event packages one understands (RFC 6665 §8.2.2).
    AllowEvents,
    /// What a proxy must support (RFC 3261 §20.29).
    ProxyRequire,
    /// What early media is offered, asked for or gated (RFC 5009 §8).
    PEarlyMedia,
    /// What the other side must support (RFC 3261 §20.32).
    Require,
    /// What one supports (RFC 3261 §20.37).
    Supported,
    /// What was required and is not supported (RFC 3261 §20.40).
    Unsupported,
}

impl<'a> Allow<'a> {
    /// Returns whether `method` is there; methods are compared with case.
    pub fn has(&self, method: Method<'_>) -> bool {
        self.0.iter().any(|token| token == method.as_str())
    }

    /// Returns the methods in order.
    pub fn methods(&self) -> impl Iterator<Item = Method<'a>> {
        self.0.iter().filter_map(|token| Method::parse(token).ok())
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

    /// RFC 3261 §20.5
    #[test]
    fn allow_lists_methods_with_case() {
        let allow = Allow::parse("INVITE,ACK ,\tx-own").unwrap();
        assert!(allow.has(Method::Invite) && !allow.has(Method::Other("invite")));
        assert_eq!(
            allow.methods().collect::<Vec<_>>(),
            [Method::Invite, Method::Ack, Method::Other("x-own")]
        );
        assert_eq!(written(&allow), "INVITE, ACK, x-own");
    }

    /// RFC 3261 §20.29, §20.32, §20.37, §20.40; RFC 6665 §8.2.2; RFC 5009 §8
    #[test]
    fn option_tags_are_found_in_any_case() {
        assert!(Supported::parse("100rel, timer").unwrap().0.has("Timer"));
        assert_eq!(Supported::parse("").unwrap().0.iter().count(), 0);
        assert_eq!(Require::parse("a,,b"), Err(Why::Token.of(Name::Require)));
        assert_eq!(
            ProxyRequire::parse("a b"),
            Err(Why::Token.of(Name::ProxyRequire))
        );
        assert!(PEarlyMedia::parse("sendrecv,gated").unwrap().0.has("gated"));
        assert_eq!(
            AllowEvents::parse("refer").unwrap().0,
            Tokens::of(&["refer"])
        );
    }

    #[test]
    fn a_list_made_by_hand_stays_tokens() {
        assert_eq!(
            written(&Unsupported(Tokens::of(&["100rel", "a, b\r\n"]))),
            "100rel, a__b__"
        );
    }
}
