//! Certificates that somebody pasted: text comes in; what may be kept of it goes
//! out, or everything that is wrong with it at once (RFC 5280 §6.1 for a chain,
//! §4.2.1.3 and §4.2.1.12 for what a key is for, RFC 4945 §5.1.3 for IPsec,
//! RFC 7468 §2 for the text).

use std::time::Duration;

use x509_cert::Certificate;
use x509_cert::der::DecodePem;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage};

use super::about::About;
use super::signature::{Signed, signed};
use crate::vpn::pki::{BEGIN, CERTIFICATES_MAX, END, apart, begins, date, ends, may_sign};

/// Octets of a paste; the store takes no longer file.
pub const LENGTH_MAX: usize = 16 * 1024;

/// Characters of a line of PEM (RFC 7468 §2).
const LINE: usize = 64;

/// Uses of a key that a node has: any, servers and clients of TLS, IKE by both its
/// numbers, ends of IPsec by the older ones.
const USES: [&str; 7] = [
    "2.5.29.37.0",
    "1.3.6.1.5.5.7.3.1",
    "1.3.6.1.5.5.7.3.2",
    "1.3.6.1.5.5.7.3.17",
    "1.3.6.1.5.5.8.2.2",
    "1.3.6.1.5.5.7.3.5",
    "1.3.6.1.5.5.7.3.6",
];

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The code that explains it.
    pub code: &'static str,
    pub text: String,
}

fn fault(code: &'static str, text: impl Into<String>) -> Fault {
    Fault {
        code,
        text: text.into(),
    }
}

const TIME: &str = "SBC-2201";
const UNREADABLE: &str = "SBC-2202";
const KEY: &str = "SBC-2203";
const NO_AUTHORITY: &str = "SBC-2204";
const CHAIN: &str = "SBC-2209";
const USE: &str = "SBC-2210";

/// Certificates that may be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrived {
    /// The certificates alone, in the order they came.
    pub pem: String,
    pub all: Vec<About>,
    /// The place of the key that fits, among those that were given.
    pub key: usize,
}

/// Looks at a certificate of ours and those that sign it. `keys` are public halves,
/// as [`super::public_of`] returns them; `now` is since 1970.
///
/// # Errors
/// Everything that is wrong.
pub fn own(text: &str, keys: &[Vec<u8>], now: Duration) -> Result<Arrived, Vec<Fault>> {
    let (read, mut faults) = read(text);
    for one in &read {
        one.in_time(now, &mut faults);
    }
    if let Some(first) = read.first() {
        first.for_us(&mut faults);
    }
    for pair in read.windows(2) {
        if let [one, next] = pair {
            one.signed_by(next, &mut faults);
        }
    }
    let fits = |one: &One| keys.iter().position(|key| *key == one.about.public);
    let key = read.first().and_then(fits);
    if key.is_none() && !read.is_empty() {
        let later = read.iter().find(|one| fits(one).is_some());
        faults.push(match (later, keys.is_empty()) {
            (Some(later), _) => fault(CHAIN, format!("{later} is ours: it comes first")),
            (None, true) => fault(KEY, "there is no key for it: ask with new-csr first"),
            (None, false) => fault(KEY, "certificate 1 was made for another key than ours"),
        });
    }
    arrived(&read, key.unwrap_or_default(), faults)
}

/// Looks at certificates of authorities.
///
/// # Errors
/// Everything that is wrong.
pub fn authorities(text: &str, now: Duration) -> Result<Arrived, Vec<Fault>> {
    let (read, mut faults) = read(text);
    for one in &read {
        one.in_time(now, &mut faults);
        if !one.may_sign() {
            faults.push(fault(NO_AUTHORITY, format!("{one} may not sign others")));
        }
        let own = one.about.subject == one.about.issuer;
        if own && signed(&one.certificate, &one.certificate) == Signed::No {
            faults.push(fault(
                CHAIN,
                format!("{one} did not sign itself, as it says"),
            ));
        }
    }
    arrived(&read, 0, faults)
}

fn arrived(read: &[One], key: usize, faults: Vec<Fault>) -> Result<Arrived, Vec<Fault>> {
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Arrived {
        pem: read.iter().map(|one| one.pem.as_str()).collect(),
        all: read.iter().map(|one| one.about.clone()).collect(),
        key,
    })
}

/// One that can be read.
struct One {
    place: usize,
    pem: String,
    certificate: Certificate,
    about: About,
}

impl std::fmt::Display for One {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "certificate {} ({})", self.place, self.about.subject)
    }
}

impl One {
    fn in_time(&self, now: Duration, faults: &mut Vec<Fault>) {
        let (begins, ends) = (begins(&self.certificate), ends(&self.certificate));
        if now >= ends {
            let text = format!("{self} ended on {}", date(ends));
            faults.push(fault(TIME, text));
        } else if now < begins {
            let (begin, now) = apart(begins, now);
            let text = format!("{self} begins on {begin}, and the clock says {now}");
            faults.push(fault(TIME, text));
        }
    }

    fn usage(&self) -> Option<KeyUsage> {
        let found = self.certificate.tbs_certificate.get::<KeyUsage>();
        found.ok().flatten().map(|(_, usage)| usage)
    }

    fn may_sign(&self) -> bool {
        let may = self.usage().is_none_or(|usage| usage.key_cert_sign());
        may && may_sign(&self.certificate)
    }

    /// The key must sign, and not be for others' purposes alone.
    fn for_us(&self, faults: &mut Vec<Fault>) {
        let signs = |usage: KeyUsage| usage.digital_signature() || usage.non_repudiation();
        if !self.usage().is_none_or(signs) {
            let text = format!("{self}: its key usage allows no signatures");
            faults.push(fault(USE, text));
        }
        let found = self.certificate.tbs_certificate.get::<ExtendedKeyUsage>();
        let Ok(Some((_, uses))) = found else { return };
        let known = |one: &String| USES.contains(&one.as_str());
        let uses: Vec<String> = uses.0.iter().map(ToString::to_string).collect();
        if !uses.iter().any(known) {
            let uses = uses.join(" ");
            let text = format!("{self} is for other uses alone, not for TLS or IPsec: {uses}");
            faults.push(fault(USE, text));
        }
    }

    fn signed_by(&self, next: &Self, faults: &mut Vec<Fault>) {
        let issuer = &self.certificate.tbs_certificate.issuer;
        if *issuer != next.certificate.tbs_certificate.subject {
            let text = format!("{self} is signed by {}, not by {next}", self.about.issuer);
            faults.push(fault(CHAIN, text));
            return;
        }
        match signed(&self.certificate, &next.certificate) {
            Signed::Yes => {}
            Signed::No => faults.push(fault(CHAIN, format!("{next} did not sign {self}"))),
            Signed::Unknown => {
                let way = &self.certificate.signature_algorithm.oid;
                let text = format!("{self} is signed in a way that is not accepted: {way}");
                faults.push(fault(CHAIN, text));
            }
        }
        if !next.may_sign() {
            faults.push(fault(CHAIN, format!("{next} may not sign others")));
        }
    }
}

fn read(text: &str) -> (Vec<One>, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut read = Vec::new();
    if text.contains("PRIVATE KEY-----") {
        let text = "a private key was pasted: it is not kept; the node makes its own";
        faults.push(fault(UNREADABLE, text));
    }
    if text.len() > LENGTH_MAX {
        let text = format!("a file of certificates has at most {LENGTH_MAX} octets");
        return (read, vec![fault(UNREADABLE, text)]);
    }
    let mut place = 0;
    for block in text.split(BEGIN).skip(1) {
        place += 1;
        match block.split_once(END).and_then(|(body, _)| one(place, body)) {
            Some(one) => read.push(one),
            None => {
                let text = format!("certificate {place} cannot be read; was it pasted whole?");
                faults.push(fault(UNREADABLE, text));
            }
        }
    }
    if place == 0 {
        faults.push(fault(UNREADABLE, "there is no certificate in PEM in it"));
    }
    if place > CERTIFICATES_MAX {
        let text = format!("{place} certificates are more than the {CERTIFICATES_MAX} of a file");
        faults.push(fault(UNREADABLE, text));
    }
    (read, faults)
}

/// Reads what stands between two marks; a terminal may have broken its lines
/// elsewhere.
fn one(place: usize, body: &str) -> Option<One> {
    let letters: Vec<char> = body.chars().filter(|c| !c.is_whitespace()).collect();
    let mut pem = format!("{BEGIN}\n");
    for line in letters.chunks(LINE) {
        pem.extend(line);
        pem.push('\n');
    }
    pem.push_str(END);
    pem.push('\n');
    let certificate = Certificate::from_pem(&pem).ok()?;
    let about = About::of(&certificate);
    Some(One {
        place,
        pem,
        certificate,
        about,
    })
}
