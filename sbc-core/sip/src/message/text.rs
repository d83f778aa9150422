//! Headers of free text or one word: values come in, text without control bytes
//! goes out (RFC 3261 §20.24, §20.26, §20.35, §20.36, §20.41).

use super::chars::{Class, TOKEN};
use super::field::{BadField, Field, Why};
use super::out::Out;
use super::params::Unquoted;
use super::scan::trim;
use crate::wire::Name;

/// Text that is quoted on the wire.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Text<'a>(Source<'a>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source<'a> {
    Plain(&'a str),
    /// What stood between quotes, escapes and all.
    Quoted(&'a str),
}

impl<'a> Text<'a> {
    /// Returns plain text to write.
    pub const fn of(text: &'a str) -> Self {
        Self(Source::Plain(text))
    }

    /// Reads what stood between quotes.
    pub(super) const fn inside(inside: &'a str) -> Self {
        Self(Source::Quoted(inside))
    }

    /// Reads a parameter value, quoted or not.
    pub(super) fn of_value(value: &'a str) -> Self {
        match super::out::quoted_inside(value) {
            Some(inside) => Self::inside(inside),
            None => Self::of(value),
        }
    }

    /// Returns the characters, out of quotes and escapes.
    pub fn chars(&self) -> Unquoted<'a> {
        match self.0 {
            Source::Plain(text) => Unquoted::plain(text),
            Source::Quoted(inside) => Unquoted::inside(inside),
        }
    }

    /// Returns whether the characters are those of `text`.
    pub fn is(&self, text: &str) -> bool {
        self.chars().eq(text.chars())
    }

    /// Returns whether the text stood between quotes.
    pub(super) const fn is_quoted(&self) -> bool {
        matches!(self.0, Source::Quoted(_))
    }

    /// Writes the text in quotes.
    pub fn emit(&self, out: &mut Out<'_>) {
        match self.0 {
            Source::Plain(text) => out.quoted(text),
            Source::Quoted(inside) => out.requoted(inside),
        };
    }

    /// Writes the text as words if it reads back as it is, else in quotes.
    pub(super) fn emit_words(&self, out: &mut Out<'_>) {
        match self.0 {
            Source::Plain(text) if is_words(text) => {
                out.text(text);
            }
            _ => self.emit(out),
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Text<'_>) -> bool {
        self.chars().eq(other.chars())
    }
}

fn is_words(text: &str) -> bool {
    text.split(' ').all(|word| TOKEN.fills(word))
}

macro_rules! texts {
    ($($(#[$doc:meta])+ $name:ident $class:expr,)+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Copy, Debug, Eq, PartialEq)]
            pub struct $name<'a>(pub &'a str);

            impl<'a> Field<'a> for $name<'a> {
                const NAME: Name = Name::$name;

                fn parse(value: &'a str) -> Result<Self, BadField> {
                    let text = trim(value);
                    let class: Option<Class> = $class;
                    match class.is_none_or(|class| class.fills(text)) {
                        true => Ok(Self(text)),
                        false => Err(Why::Token.of(Self::NAME)),
                    }
                }

                fn emit(&self, out: &mut Out<'_>) {
                    match $class {
                        Some(class) => out.class(self.0, class),
                        None => out.text(trim(self.0)),
                    };
                }
            }
        )+
    };
}

texts! {
    /// The version of MIME, `1.0` (RFC 3261 §20.24).
    MimeVersion Some(TOKEN),
    /// Who runs the element (RFC 3261 §20.25).
    Organization None,
    /// How urgent: `emergency`, `urgent`, `normal`, `non-urgent` or another
    /// token (RFC 3261 §20.26).
    Priority Some(TOKEN),
    /// What software answered (RFC 3261 §20.35).
    Server None,
    /// What the call is about (RFC 3261 §20.36).
    Subject None,
    /// What software asks (RFC 3261 §20.41).
    UserAgent None,
}

impl Priority<'_> {
    /// Returns whether life or property is in danger.
    pub fn is_emergency(&self) -> bool {
        self.0.eq_ignore_ascii_case("emergency")
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

    /// RFC 3261 §20.25, §20.35, §20.36, §20.41
    #[test]
    fn free_text_is_kept_as_it_is() {
        let agent = "RTCC/7.0.0.0 MediationServer (build; 1)";
        assert_eq!(written(&UserAgent::parse(agent).unwrap()), agent);
        assert_eq!(written(&Server("a\r\nb")), "a  b");
        assert_eq!(Subject::parse("  Größe  "), Ok(Subject("Größe")));
        assert_eq!(
            Organization::parse("Boxes by Bob"),
            Ok(Organization("Boxes by Bob"))
        );
    }

    /// RFC 3261 §20.24, §20.26
    #[test]
    fn one_word_is_one_word() {
        assert!(Priority::parse("Emergency").unwrap().is_emergency());
        assert_eq!(
            Priority::parse("very urgent"),
            Err(Why::Token.of(Name::Priority))
        );
        assert_eq!(MimeVersion::parse("1.0"), Ok(MimeVersion("1.0")));
        assert_eq!(written(&MimeVersion("1 0")), "1_0");
    }
}
