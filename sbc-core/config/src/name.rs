//! Names of the file: text comes in, a [`Name`] or a [`PeerName`] goes out.
//! Same form as a DNS label (RFC 1035 §2.3.1), lower case, so that a name can
//! be a host name, a file name and a metric label as it stands.

use alloc::sync::Arc;
use core::fmt;

/// The longest name. A network device name holds 15 octets and a DNS label 63;
/// 31 fits a column of the console.
pub const MAX_NAME: usize = 31;

/// The name of a trunk, a mediation server, an interface: `[a-z][a-z0-9-]{0,30}`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Name(Arc<str>);

impl Name {
    /// Takes `text` if it is a name, else returns nothing.
    pub fn new(text: &str) -> Option<Self> {
        let mut octets = text.bytes();
        let starts = octets
            .next()
            .is_some_and(|first| first.is_ascii_lowercase());
        let goes_on = octets.all(|o| o.is_ascii_lowercase() || o.is_ascii_digit() || o == b'-');
        (starts && goes_on && text.len() <= MAX_NAME).then(|| Self(Arc::from(text)))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// So that a map of names can be asked with a plain text.
impl core::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// One SIP neighbour: a trunk or a mediation server, by name. Written
/// `trunk:itsp-a` or `mediation:med-1`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PeerName {
    Trunk(Name),
    Mediation(Name),
}

impl PeerName {
    /// Returns the name without its kind.
    pub fn name(&self) -> &Name {
        match self {
            Self::Trunk(name) | Self::Mediation(name) => name,
        }
    }

    /// Returns the word before the colon: `trunk` or `mediation`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Trunk(_) => "trunk",
            Self::Mediation(_) => "mediation",
        }
    }

    /// Returns true for a provider's trunk.
    pub const fn is_trunk(&self) -> bool {
        matches!(self, Self::Trunk(_))
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.kind(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1035 §2.3.1: a letter first, then letters, digits and hyphens.
    #[test]
    fn a_name_is_a_lower_case_label_of_at_most_31() {
        for good in ["a", "itsp-a", "med-1", "a123456789012345678901234567890"] {
            assert!(Name::new(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "1a",
            "-a",
            "A",
            "a_b",
            "ü",
            "a123456789012345678901234567890x",
        ] {
            assert!(Name::new(bad).is_none(), "{bad}");
        }
    }
}
