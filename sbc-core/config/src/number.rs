//! Telephone numbers: text comes in, a [`Number`] goes out that hides itself
//! wherever it is printed. E.164 form (RFC 3966 §5.1.4, global number) and the
//! short codes an emergency call dials.

use alloc::sync::Arc;
use core::fmt;

/// The most digits of an E.164 number, country code included (ITU-T E.164 §6).
pub const MAX_DIGITS: usize = 15;

/// The fewest digits taken for a whole E.164 number: the shortest numbers in
/// use have two of country code and five behind it, less one to be lenient.
pub const MIN_DIGITS: usize = 6;

/// A telephone number. Prints as `..42`; only the wire and the call record may
/// [`reveal`](Number::reveal) it.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub struct Number(Arc<str>);

impl Number {
    /// Takes `+` and 6 to 15 digits (RFC 3966 §5.1.4, without separators),
    /// else returns nothing.
    pub fn e164(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let whole = (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len());
        let global = digits.bytes().all(|o| o.is_ascii_digit()) && !digits.starts_with('0');
        (whole && global).then(|| Self(Arc::from(text)))
    }

    /// Takes what is dialled as it stands: 1 to 32 of `+ 0-9 * #`, as a short
    /// code or a national number. Returns nothing for anything else.
    pub fn dialled(text: &str) -> Option<Self> {
        let fits = (1..=32).contains(&text.len());
        let keys = text
            .bytes()
            .all(|o| o.is_ascii_digit() || b"+*#".contains(&o));
        (fits && keys).then(|| Self(Arc::from(text)))
    }

    /// Returns the whole number, for the wire and the call record only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both constructors admit ASCII alone, so any place is a boundary.
        let last = self.0.len().saturating_sub(2);
        write!(out, "..{}", self.0.get(last..).unwrap_or_default())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_number_prints_its_last_two_digits_only() {
        let number = Number::e164("+4969123442").unwrap();
        assert_eq!(format!("{number} {number:?}"), "..42 ..42");
        assert_eq!(number.reveal(), "+4969123442");
    }

    /// RFC 3966 §5.1.4: a global number starts with `+` and a country code.
    #[test]
    fn an_e164_number_has_a_plus_a_country_code_and_at_most_fifteen_digits() {
        for good in ["+49691234000", "+123456789012345"] {
            assert!(Number::e164(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "+",
            "49691234000",
            "+0691234000",
            "+1234567890123456",
            "+49 69",
            "+４９６９１２",
        ] {
            assert!(Number::e164(bad).is_none(), "{bad}");
        }
    }
}
