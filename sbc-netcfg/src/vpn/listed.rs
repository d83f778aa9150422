//! Certificates as charon lists them.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

/// `list-certs`.
#[derive(Serialize)]
pub(super) struct Ordered {
    #[serde(rename = "type")]
    kind: &'static str,
    flag: &'static str,
}

impl Ordered {
    /// All certificates of X.509.
    pub(super) const X509: Self = Self {
        kind: "X509",
        flag: "ANY",
    };
}

/// `list-cert`.
#[derive(Deserialize)]
pub(super) struct Listed {
    #[serde(default)]
    has_privkey: Option<String>,
    data: Raw,
}

impl Listed {
    /// Returns whether it is this one.
    pub(super) fn is(&self, der: &[u8]) -> bool {
        self.data.0 == der
    }

    /// Returns whether charon has its key.
    pub(super) fn has_key(&self) -> bool {
        self.has_privkey.as_deref() == Some("yes")
    }
}

/// Octets as they are.
struct Raw(Vec<u8>);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Octets;
        impl Visitor<'_> for Octets {
            type Value = Raw;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("octets")
            }

            fn visit_bytes<E: Error>(self, octets: &[u8]) -> Result<Raw, E> {
                Ok(Raw(octets.to_vec()))
            }
        }
        from.deserialize_bytes(Octets)
    }
}
