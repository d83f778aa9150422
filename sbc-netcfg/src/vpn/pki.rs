//! Certificates of a tunnel: PEM files come in, what charon is given and until when
//! it holds goes out (RFC 5280 §4.1.2.5 for time, §4.2.1.9 for who may sign,
//! §4.2.1.6 for names).

use std::time::Duration;

use x509_cert::Certificate;
use x509_cert::der::{DateTime, DecodePem, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};

/// Certificates of one file: a chain has three or four.
pub(crate) const CERTIFICATES_MAX: usize = 8;

pub(crate) const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
pub(crate) const END: &str = "-----END CERTIFICATE-----";

/// Why certificates cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unusable {
    #[error("{0} holds no certificate in PEM")]
    NoCertificate(String),
    #[error("{0} holds a certificate that cannot be read")]
    Unreadable(String),
    #[error("{0} holds more than {CERTIFICATES_MAX} certificates")]
    TooMany(String),
    #[error("{file} ended on {date}")]
    Ended { file: String, date: String },
    #[error("{file} begins on {date}, and the clock says {today}")]
    NotYet {
        file: String,
        date: String,
        today: String,
    },
    #[error("{0} holds no certificate that may sign others")]
    NoAuthority(String),
}

impl Unusable {
    /// Returns the code that explains it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate(_) | Self::Unreadable(_) | Self::TooMany(_) => "SBC-2202",
            Self::Ended { .. } | Self::NotYet { .. } => "SBC-2201",
            Self::NoAuthority(_) => "SBC-2204",
        }
    }
}

/// A file of certificates that holds today.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain {
    /// Each in PEM, in the order of the file: the end's own first, then those that
    /// sign it.
    pub pem: Vec<String>,
    /// The first as it is signed, to be found again among others.
    pub der: Vec<u8>,
    /// The first name for a host in the first certificate.
    pub host: Option<String>,
    /// When the first of them ends, since 1970.
    pub until: Duration,
}

impl Chain {
    /// Reads our own certificate and those that sign it. `now` is since 1970.
    ///
    /// # Errors
    /// What is wrong with the file or with the time.
    pub fn own(file: &str, octets: &[u8], now: Duration) -> Result<Self, Unusable> {
        let read = read(file, octets)?;
        in_time(file, &read, now)?;
        chain(file, read)
    }

    /// Reads the authorities that sign the far end's certificate.
    ///
    /// # Errors
    /// What is wrong with the file or with the time, or that none may sign.
    pub fn authority(file: &str, octets: &[u8], now: Duration) -> Result<Self, Unusable> {
        let mut read = read(file, octets)?;
        read.retain(|(_, certificate)| may_sign(certificate));
        if read.is_empty() {
            return Err(Unusable::NoAuthority(file.to_owned()));
        }
        in_time(file, &read, now)?;
        chain(file, read)
    }
}

type Read = (String, Certificate);

fn chain(file: &str, read: Vec<Read>) -> Result<Chain, Unusable> {
    let unreadable = || Unusable::Unreadable(file.to_owned());
    let (_, first) = read.first().ok_or_else(unreadable)?;
    let der = first.to_der().map_err(|_| unreadable())?;
    let host = host(first);
    let ends = read.iter().map(|(_, certificate)| ends(certificate));
    let until = ends.min().unwrap_or_default();
    let pem = read.into_iter().map(|(pem, _)| pem).collect();
    Ok(Chain {
        pem,
        der,
        host,
        until,
    })
}

fn read(file: &str, octets: &[u8]) -> Result<Vec<Read>, Unusable> {
    let file = || file.to_owned();
    let mut rest = std::str::from_utf8(octets).map_err(|_| Unusable::NoCertificate(file()))?;
    let mut found = Vec::new();
    while let Some((_, begun)) = rest.split_once(BEGIN) {
        let (body, behind) = begun
            .split_once(END)
            .ok_or_else(|| Unusable::Unreadable(file()))?;
        let pem = format!("{BEGIN}{body}{END}\n");
        let certificate = Certificate::from_pem(&pem);
        found.push((pem, certificate.map_err(|_| Unusable::Unreadable(file()))?));
        if found.len() > CERTIFICATES_MAX {
            return Err(Unusable::TooMany(file()));
        }
        rest = behind;
    }
    if found.is_empty() {
        return Err(Unusable::NoCertificate(file()));
    }
    Ok(found)
}

pub(crate) fn begins(certificate: &Certificate) -> Duration {
    certificate
        .tbs_certificate
        .validity
        .not_before
        .to_unix_duration()
}

pub(crate) fn ends(certificate: &Certificate) -> Duration {
    certificate
        .tbs_certificate
        .validity
        .not_after
        .to_unix_duration()
}

fn in_time(file: &str, read: &[Read], now: Duration) -> Result<(), Unusable> {
    for (_, certificate) in read {
        let file = file.to_owned();
        if now >= ends(certificate) {
            let date = date(ends(certificate));
            return Err(Unusable::Ended { file, date });
        }
        if now < begins(certificate) {
            let (date, today) = apart(begins(certificate), now);
            return Err(Unusable::NotYet { file, date, today });
        }
    }
    Ok(())
}

/// Returns the day, as in `2026-11-25`.
#[must_use]
pub fn date(since: Duration) -> String {
    let whole = Duration::from_secs(since.as_secs());
    let Ok(at) = DateTime::from_unix_duration(whole) else {
        return "an unknown day".to_owned();
    };
    format!("{:04}-{:02}-{:02}", at.year(), at.month(), at.day())
}

/// Returns two moments so that they can be told from each other: as days, or, within a
/// day, to the second.
#[must_use]
pub fn apart(one: Duration, other: Duration) -> (String, String) {
    let (day, other_day) = (date(one), date(other));
    if day != other_day {
        return (day, other_day);
    }
    let exact = |day: String, since: Duration| {
        let second = since.as_secs() % 86_400;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        format!("{day} {hour:02}:{minute:02}:{:02} UTC", second % 60)
    };
    (exact(day, one), exact(other_day, other))
}

/// RFC 5280 §4.2.1.9: who says so of itself may sign.
pub(crate) fn may_sign(certificate: &Certificate) -> bool {
    let found = certificate.tbs_certificate.get::<BasicConstraints>();
    matches!(found, Ok(Some((_, BasicConstraints { ca: true, .. }))))
}

/// RFC 5280 §4.2.1.6: the first `dNSName`.
fn host(certificate: &Certificate) -> Option<String> {
    let (_, names) = certificate.tbs_certificate.get::<SubjectAltName>().ok()??;
    names.0.into_iter().find_map(|name| match name {
        GeneralName::DnsName(name) if !name.as_str().contains('*') => {
            Some(name.as_str().to_owned())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests;
