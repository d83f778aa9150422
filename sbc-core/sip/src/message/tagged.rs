//! Headers of one word with parameters: Content-Disposition, Event and their kin
//! come in as values, go out typed (RFC 3261 §20.2, §20.3, §20.11; RFC 6665).

use super::field::{BadField, Field, Why};
use super::out::Out;
use super::params::Params;
use super::scan::Cursor;
use crate::wire::Name;

macro_rules! tagged {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Copy, Debug, Eq)]
            pub struct $name<'a> {
                /// Compared without case.
                pub word: &'a str,
                pub params: Params<'a>,
            }

            impl<'a> $name<'a> {
                /// Returns the word without parameters.
                pub const fn new(word: &'a str) -> Self {
                    Self { word, params: Params::NONE }
                }

                /// Returns whether the word is `word`, in any case.
                pub fn is(&self, word: &str) -> bool {
                    self.word.eq_ignore_ascii_case(word)
                }
            }

            impl PartialEq for $name<'_> {
                fn eq(&self, other: &$name<'_>) -> bool {
                    self.is(other.word) && self.params == other.params
                }
            }

            impl<'a> Field<'a> for $name<'a> {
                const NAME: Name = Name::$name;

                fn parse(value: &'a str) -> Result<Self, BadField> {
                    let (word, params) = read(value).map_err(|why| why.of(Self::NAME))?;
                    Ok(Self { word, params })
                }

                fn emit(&self, out: &mut Out<'_>) {
                    out.token(self.word);
                    self.params.emit(out);
                }
            }
        )+
    };
}

tagged! {
    /// One encoding one can decode, with its preference (RFC 3261 §20.2).
    AcceptEncoding,
    /// One language one reads, with its preference (RFC 3261 §20.3).
    AcceptLanguage,
    /// What to do with a body (RFC 3261 §20.11).
    ContentDisposition,
    /// The event package a subscription is about (RFC 6665 §8.2.1).
    Event,
    /// How a subscription stands (RFC 6665 §8.2.3).
    SubscriptionState,
    /// How the other end classifies a failure: `id;reason="…";component="…"`,
    /// as Microsoft's servers send it. Shown in the story of a call, never sent.
    MsDiagnostics,
}

impl<'a> ContentDisposition<'a> {
    /// Returns whether a body that is not understood may be passed over; the
    /// default is that it may not (RFC 3261 §20.11, RFC 5621 §8.2).
    pub fn is_optional(&self) -> bool {
        let handling = self.params.get("handling");
        handling.is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
    }
}

impl<'a> Event<'a> {
    /// Returns the id that tells subscriptions of one dialog apart.
    pub fn id(&self) -> Option<&'a str> {
        self.params.get("id")
    }
}

/// Reads `token *(SEMI generic-param)`.
pub(super) fn read(value: &str) -> Result<(&str, Params<'_>), Why> {
    let mut cursor = Cursor::new(value);
    cursor.space();
    let word = cursor.token()?;
    Ok((word, Params::parse(&mut cursor)?))
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::super::field::each;
    use super::*;

    fn written<'a>(field: &impl Field<'a>) -> String {
        let mut bytes = Vec::new();
        field.emit(&mut Out::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    /// RFC 3261 §20.11, RFC 5621 §8.2
    #[test]
    fn a_body_must_be_understood_unless_it_says_otherwise() {
        assert!(
            ContentDisposition::parse("by-reference ;handling=Optional")
                .unwrap()
                .is_optional()
        );
        assert!(!ContentDisposition::parse("session").unwrap().is_optional());
        assert_eq!(
            ContentDisposition::parse("Session"),
            Ok(ContentDisposition::new("session"))
        );
        assert!(ContentDisposition::parse("").is_err());
    }

    /// RFC 6665 §8.2.1, §8.2.3
    #[test]
    fn subscriptions_name_package_and_state() {
        assert_eq!(
            Event::parse("refer;id=93809824").unwrap().id(),
            Some("93809824")
        );
        let state = SubscriptionState::parse("terminated;reason=noresource").unwrap();
        assert_eq!(
            (state.word, state.params.get("reason")),
            ("terminated", Some("noresource"))
        );
        assert_eq!(written(&state), "terminated;reason=noresource");
    }

    /// RFC 3261 §20.2, §20.3
    #[test]
    fn preferences_are_parameters() {
        let line = "gzip;q=1.0, identity; q=0.5, *;q=0";
        let all: Vec<_> = each::<AcceptEncoding<'_>>([line].into_iter())
            .map(Result::unwrap)
            .collect();
        assert_eq!(
            all.iter().map(|each| each.word).collect::<Vec<_>>(),
            ["gzip", "identity", "*"]
        );
        assert_eq!(
            AcceptLanguage::parse("en-gb;q=0.8")
                .unwrap()
                .params
                .get("q"),
            Some("0.8")
        );
    }

    #[test]
    fn diagnostics_are_read_for_the_story_of_a_call() {
        let value = "10404;source=\"med.corp\";reason=\"Gateway returned 488; \\\"x\\\"\"";
        let diagnostics = MsDiagnostics::parse(value).unwrap();
        let reason: Option<String> = diagnostics.params.text("reason").map(Iterator::collect);
        assert_eq!(
            (diagnostics.word, reason.as_deref()),
            ("10404", Some("Gateway returned 488; \"x\""))
        );
    }
}
