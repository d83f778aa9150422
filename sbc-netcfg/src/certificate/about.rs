//! What a person is told of a certificate: PEM comes in; whose it is, who signed it
//! and until when it holds goes out (RFC 5280 §4.1.2).

use std::time::Duration;

use ring::digest::{SHA256, digest};
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::vpn::pki::{BEGIN, CERTIFICATES_MAX, END, begins, ends};

/// One certificate, as a person knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct About {
    pub subject: String,
    pub issuer: String,
    /// Names in the DNS, and addresses.
    pub names: Vec<String>,
    /// Since 1970.
    pub from: Duration,
    /// Since 1970.
    pub until: Duration,
    /// SHA-256 of the whole, in hexadecimal digits.
    pub hash: String,
    /// Its public key, as [`super::public_of`] returns that of a private one.
    pub public: Vec<u8>,
}

impl About {
    pub(super) fn of(certificate: &Certificate) -> Self {
        let own = &certificate.tbs_certificate;
        let octets = certificate.to_der().unwrap_or_default();
        let hash = digest(&SHA256, &octets);
        let hash = hash.as_ref().iter().map(|octet| format!("{octet:02x}"));
        Self {
            subject: own.subject.to_string(),
            issuer: own.issuer.to_string(),
            names: names(certificate),
            from: begins(certificate),
            until: ends(certificate),
            hash: hash.collect(),
            public: own
                .subject_public_key_info
                .subject_public_key
                .raw_bytes()
                .to_vec(),
        }
    }
}

fn names(certificate: &Certificate) -> Vec<String> {
    let found = certificate.tbs_certificate.get::<SubjectAltName>();
    let Ok(Some((_, names))) = found else {
        return Vec::new();
    };
    let text = |name: GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(octets) => address(octets.as_bytes()),
        _ => None,
    };
    names.0.into_iter().filter_map(text).collect()
}

fn address(octets: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(octets).map(std::net::IpAddr::from);
    let six = <[u8; 16]>::try_from(octets).map(std::net::IpAddr::from);
    four.or(six).ok().map(|address| address.to_string())
}

/// Returns what stands in a file of certificates, as far as it can be read.
#[must_use]
pub fn read(pem: &[u8]) -> Vec<About> {
    let text = std::str::from_utf8(pem).unwrap_or_default();
    let blocks = text.split(BEGIN).skip(1).take(CERTIFICATES_MAX);
    let each = blocks.filter_map(|block| {
        let (body, _) = block.split_once(END)?;
        let read = Certificate::from_pem(format!("{BEGIN}{body}{END}\n"));
        read.ok().map(|certificate| About::of(&certificate))
    });
    each.collect()
}
