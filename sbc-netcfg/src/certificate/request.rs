//! A request for a certificate: subject and names come in as an operator types
//! them, PKCS #10 in PEM goes out (RFC 2986 §4, RFC 4514 §3 for subjects,
//! RFC 5280 §4.2.1.6 for names, §4.2.1.3 for what the key is for).

use std::net::IpAddr;
use std::str::FromStr;

use x509_cert::der::asn1::{
    Any, BitString, Ia5String, Ia5StringRef, OctetString, PrintableStringRef,
};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Encode, EncodePem, Tag, Tagged, pem::LineEnding};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::key::{ECDSA_SHA256, Key};

/// Octets of a subject: an organisation, a unit, a place and a name fit.
pub const SUBJECT_MAX: usize = 256;

/// Names of one certificate: one for each address and service of a node.
pub const NAMES_MAX: usize = 16;

/// A name in the DNS has at most this many octets (RFC 1035 §2.3.4).
const HOST_MAX: usize = 253;

/// What a certificate is to say of us.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// As in `CN=sbc.example,O=Lab,C=DE`.
    pub subject: String,
    /// Names in the DNS, and addresses.
    pub names: Vec<String>,
}

/// Why a request cannot be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoRequest {
    #[error("a subject reads as in CN=sbc.example,O=Lab,C=DE, not as {0:?}")]
    BadSubject(String),
    #[error("{0:?} is neither a name in the DNS nor an address")]
    BadName(String),
    #[error("a certificate has at most {NAMES_MAX} names")]
    TooMany,
    #[error("the request could not be signed")]
    Unsigned,
}

impl Wish {
    /// Returns the request in PEM.
    ///
    /// # Errors
    /// What is wrong with the subject or a name.
    pub fn request(&self, key: &Key) -> Result<String, NoRequest> {
        let unsigned = |_| NoRequest::Unsigned;
        let info = CertReqInfo {
            version: Version::V1,
            subject: self.subject()?,
            public_key: key.public().ok_or(NoRequest::Unsigned)?,
            attributes: {
                let asked = ExtensionReq(self.extensions()?);
                let asked = asked.try_into().map_err(unsigned)?;
                vec![asked].try_into().map_err(unsigned)?
            },
        };
        let octets = info.to_der().map_err(unsigned)?;
        let signature = key.sign(&octets).map_err(|_| NoRequest::Unsigned)?;
        let request = CertReq {
            info,
            algorithm: AlgorithmIdentifierOwned {
                oid: ECDSA_SHA256,
                parameters: None,
            },
            signature: BitString::from_bytes(&signature).map_err(unsigned)?,
        };
        request.to_pem(LineEnding::LF).map_err(unsigned)
    }

    fn subject(&self) -> Result<Name, NoRequest> {
        let bad = || NoRequest::BadSubject(self.subject.clone());
        let text = tight(&self.subject);
        if text.is_empty() || text.len() > SUBJECT_MAX || text.chars().any(char::is_control) {
            return Err(bad());
        }
        let name = Name::from_str(&text).map_err(|_| bad())?;
        let mut parts = name.0.iter().flat_map(|part| part.0.iter());
        let fine = !name.is_empty() && parts.all(|one| holds(&one.value));
        fine.then_some(name).ok_or_else(bad)
    }

    fn extensions(&self) -> Result<Vec<Extension>, NoRequest> {
        let mut all = Vec::new();
        if self.names.len() > NAMES_MAX {
            return Err(NoRequest::TooMany);
        }
        if !self.names.is_empty() {
            let names: Result<Vec<_>, _> = self.names.iter().map(|name| general(name)).collect();
            all.push(extension(&SubjectAltName(names?), false)?);
        }
        let usage = KeyUsage(KeyUsages::DigitalSignature.into());
        all.push(extension(&usage, true)?);
        Ok(all)
    }
}

/// A country and a serial number know fewer letters than other parts of a subject.
fn holds(value: &Any) -> bool {
    let fits = match value.tag() {
        Tag::PrintableString => PrintableStringRef::try_from(value).is_ok(),
        Tag::Ia5String => Ia5StringRef::try_from(value).is_ok(),
        _ => true,
    };
    fits && !value.value().is_empty()
}

/// Blanks behind a comma are no part of what follows; an escaped comma ends nothing.
fn tight(text: &str) -> String {
    let mut out = String::new();
    let (mut behind, mut escaped) = (true, false);
    for c in text.trim().chars() {
        if !(behind && c == ' ') {
            out.push(c);
            behind = c == ',' && !escaped;
        }
        escaped = c == '\\' && !escaped;
    }
    out
}

fn extension<E: AssociatedOid + Encode>(value: &E, critical: bool) -> Result<Extension, NoRequest> {
    let octets = value.to_der().and_then(OctetString::new);
    Ok(Extension {
        extn_id: E::OID,
        critical,
        extn_value: octets.map_err(|_| NoRequest::Unsigned)?,
    })
}

fn general(name: &str) -> Result<GeneralName, NoRequest> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let bad = || NoRequest::BadName(name.to_owned());
    let label = |label: &str| {
        let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        let edge = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && !edge && label.bytes().all(fits)
    };
    // What ends in a number was meant to be an address.
    let last = name.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|c| c.is_ascii_digit());
    if name.len() > HOST_MAX || number || !name.split('.').all(label) {
        return Err(bad());
    }
    Ia5String::new(name)
        .map(GeneralName::DnsName)
        .map_err(|_| bad())
}
