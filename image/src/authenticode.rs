//! A program for UEFI, a certificate and whoever holds its key come in; the signed
//! program goes out, and back ("Windows Authenticode Portable Executable Signature
//! Format"; UEFI 2.10 §32.2.4; PKCS #7 as of RFC 2315 §9). The signature depends on
//! nothing but these: it names no time.

use sha2::{Digest, Sha256};

use crate::der::{self, Element};
use crate::uki::{self, Head, Malformed};

/// A signature of PKCS #7 in the table of certificates: revision and kind.
const PKCS: [u8; 4] = [0, 2, 2, 0];
/// Octets of a table's head, and what each entry is rounded up to.
const ENTRY: usize = 8;

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const INDIRECT: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 1, 4];
const PE_IMAGE: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 1, 15];

/// Why a program cannot be signed, or is not signed as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// The program.
    #[error(transparent)]
    Form(#[from] Malformed),
    /// It has a signature already.
    #[error("it is signed already")]
    Already,
    /// It has none.
    #[error("it has no signature")]
    None,
    /// The signature is of something else.
    #[error("the signature is of another program")]
    Other,
    /// The certificate.
    #[error("the certificate is no X.509 in DER")]
    Certificate,
    /// Whoever has the key.
    #[error("the key: {0}")]
    Key(String),
}

/// Returns the program with a signature by the certificate's key: `sign` is given
/// what the key must sign, by RSA over SHA-256 (PKCS #1 v1.5).
///
/// # Errors
/// When the program is none or signed already, the certificate is none, or the key
/// does not sign.
pub fn sign(
    program: &[u8],
    certificate: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, Unsigned> {
    let mut bytes = program.to_vec();
    bytes.resize(bytes.len().next_multiple_of(ENTRY), 0);
    let place = Place::of(&bytes)?;
    if place.table.is_some() {
        return Err(Unsigned::Already);
    }
    let signer = issuer_and_serial(certificate).ok_or(Unsigned::Certificate)?;
    let subject = subject(&place.digest(&bytes)?);
    let attributes = attributes(&Sha256::digest(&subject));
    let signature = sign(&der::set(&attributes)).map_err(Unsigned::Key)?;
    let mut signature = message(&subject, certificate, &signer, &attributes, &signature);
    let length = ENTRY + signature.len();
    signature.resize(length.next_multiple_of(ENTRY) - ENTRY, 0);
    let at = u32::try_from(bytes.len()).map_err(|_| Malformed::Length)?;
    let whole = u32::try_from(ENTRY + signature.len()).map_err(|_| Malformed::Length)?;
    let said = u32::try_from(length).map_err(|_| Malformed::Length)?;
    bytes.extend(said.to_le_bytes());
    bytes.extend(PKCS);
    bytes.extend(signature);
    place.point_to(&mut bytes, at, whole)?;
    Ok(bytes)
}

/// Returns whether a program has a signature.
#[must_use]
pub fn is_signed(program: &[u8]) -> bool {
    Place::of(program).is_ok_and(|place| place.table.is_some())
}

/// Looks whether the signature of a program is of this program. Who made it is for
/// the machine to say that boots it.
///
/// # Errors
/// When there is none, or it is of another.
pub fn check(program: &[u8]) -> Result<(), Unsigned> {
    let place = Place::of(program)?;
    let (at, length) = place.table.ok_or(Unsigned::None)?;
    let table = program.get(at..at + length).ok_or(Unsigned::Other)?;
    let subject = subject(&place.digest(program)?);
    let whole = at + length == program.len();
    let is_there = |wanted: &[u8]| table.windows(wanted.len()).any(|part| part == wanted);
    let is_ours = is_there(&subject) && is_there(&attributes(&Sha256::digest(&subject)));
    (whole && is_ours).then_some(()).ok_or(Unsigned::Other)
}

/// Where a program says that it is signed.
struct Place {
    /// Of its sum, which no signature covers.
    sum: usize,
    /// Of the field that points to the table of certificates.
    field: usize,
    /// Octets of heads.
    room: usize,
    /// The table, where it begins and how long it is.
    table: Option<(usize, usize)>,
}

impl Place {
    fn of(bytes: &[u8]) -> Result<Self, Malformed> {
        let head = Head::of(bytes)?;
        let optional = head.at + 24;
        let word = |at: usize| {
            let word = uki::word(bytes, at).ok_or(Malformed::Form("it ends early"))?;
            Ok::<_, Malformed>(word as usize)
        };
        // Tables have numbers; the fifth is that of certificates.
        if word(optional + 108)? < 5 {
            return Err(Malformed::Form("it has no field for a signature"));
        }
        let field = optional + 112 + 4 * 8;
        let (at, length) = (word(field)?, word(field + 4)?);
        let fits = at.checked_add(length).is_some_and(|end| end <= bytes.len());
        if !fits || (at == 0) != (length == 0) || (at != 0 && at < head.room) {
            return Err(Malformed::Form("its table of certificates"));
        }
        follows(bytes, &head)?;
        Ok(Self {
            sum: optional + 64,
            field,
            room: head.room,
            table: (at != 0).then_some((at, length)),
        })
    }

    /// Returns the hash of all but the sum, the field and the table.
    fn digest(&self, bytes: &[u8]) -> Result<[u8; 32], Malformed> {
        let end = self.table.map_or(bytes.len(), |(at, _)| at);
        let parts = [
            0..self.sum,
            self.sum + 4..self.field,
            self.field + ENTRY..self.room,
            self.room..end,
        ];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(bytes.get(part).ok_or(Malformed::Form("it ends early"))?);
        }
        Ok(hash.finalize().into())
    }

    fn point_to(&self, bytes: &mut [u8], at: u32, length: u32) -> Result<(), Malformed> {
        let value = [at.to_le_bytes(), length.to_le_bytes()].concat();
        uki::put(bytes, self.field, &value)
    }
}

/// Sections that follow each other are hashed as the file lies there; the form wants
/// them in the order of their places, without what is between them.
fn follows(bytes: &[u8], head: &Head) -> Result<(), Malformed> {
    let mut places = head.places(bytes)?;
    places.sort_unstable();
    let mut end = head.room;
    for (at, length) in places.into_iter().filter(|(_, length)| *length > 0) {
        if at != end {
            return Err(Malformed::Form("its sections do not follow each other"));
        }
        end = at.checked_add(length).ok_or(Malformed::Length)?;
    }
    Ok(())
}

/// Returns what is signed, without the head around it: that this is a program, and
/// its hash (`SpcIndirectDataContent`).
fn subject(digest: &[u8]) -> Vec<u8> {
    // No flags; a link to a file whose name is the empty one (`SpcPeImageData`).
    let image = der::sequence(&[&[0x03, 0x01, 0x00, 0xa0, 0x04, 0xa2, 0x02, 0x80, 0x00]]);
    [
        der::sequence(&[&der::oid(PE_IMAGE), &image]),
        der::sequence(&[&algorithm(SHA_256), &der::element(0x04, digest)]),
    ]
    .concat()
}

/// Returns what the key signs, without the head around it.
fn attributes(digest: &[u8]) -> Vec<u8> {
    let one = |name: &[u8], value: &[u8]| der::sequence(&[&der::oid(name), &der::set(value)]);
    [
        one(CONTENT_TYPE, &der::oid(INDIRECT)),
        one(MESSAGE_DIGEST, &der::element(0x04, digest)),
    ]
    .concat()
}

/// Returns the signature as a message of PKCS #7.
fn message(
    subject: &[u8],
    certificate: &[u8],
    signer: &[u8],
    attributes: &[u8],
    signature: &[u8],
) -> Vec<u8> {
    let version = [0x02, 0x01, 0x01];
    let content = der::sequence(&[
        &der::oid(INDIRECT),
        &der::element(0xa0, &der::sequence(&[subject])),
    ]);
    let info = der::sequence(&[
        &version,
        signer,
        &algorithm(SHA_256),
        &der::element(0xa0, attributes),
        &algorithm(RSA),
        &der::element(0x04, signature),
    ]);
    let data = der::sequence(&[
        &version,
        &der::set(&algorithm(SHA_256)),
        &content,
        &der::element(0xa0, certificate),
        &der::set(&info),
    ]);
    der::sequence(&[&der::oid(SIGNED_DATA), &der::element(0xa0, &data)])
}

fn algorithm(name: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::oid(name), &[0x05, 0x00]])
}

/// Returns who issued a certificate and under which number (RFC 5280 §4.1).
fn issuer_and_serial(certificate: &[u8]) -> Option<Vec<u8>> {
    let (whole, behind) = Element::read(certificate)?;
    let (body, _) = Element::read(whole.inside)?;
    let (mut first, mut rest) = Element::read(body.inside)?;
    // The version, unless it is the first one.
    if first.tag == 0xa0 {
        (first, rest) = Element::read(rest)?;
    }
    let serial = first;
    let (_algorithm, rest) = Element::read(rest)?;
    let (issuer, _) = Element::read(rest)?;
    let sound = behind.is_empty() && serial.tag == 0x02 && issuer.tag == 0x30;
    sound.then(|| der::sequence(&[issuer.whole, serial.whole]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uki::tests::stub;

    /// Returns what of a certificate is read (RFC 5280 §4.1): version, number,
    /// algorithm, issuer.
    fn certificate(version: &[u8]) -> Vec<u8> {
        let serial = [0x02, 0x02, 0x01, 0x35];
        let issuer = der::sequence(&[&der::set(&der::element(0x0c, b"us"))]);
        let body = der::sequence(&[version, &serial, &algorithm(RSA), &issuer]);
        der::sequence(&[&body])
    }

    fn program() -> Vec<u8> {
        uki::write(&stub(), &[(".linux", &[5; 700])]).unwrap()
    }

    fn signed() -> Vec<u8> {
        let version = der::element(0xa0, &[0x02, 0x01, 0x02]);
        sign(&program(), &certificate(&version), |_| Ok(vec![9; 256])).unwrap()
    }

    #[test]
    fn a_signed_program_still_has_its_sections_and_is_not_signed_twice() {
        let bytes = signed();
        assert!(is_signed(&bytes) && !is_signed(&program()));
        check(&bytes).unwrap();
        assert_eq!(uki::section(&bytes, ".linux").unwrap(), [5; 700]);
        assert!(matches!(check(&program()), Err(Unsigned::None)));
        let again = sign(&bytes, &certificate(&[]), |_| Ok(Vec::new()));
        assert!(matches!(again, Err(Unsigned::Already)), "{again:?}");
    }

    #[test]
    fn what_the_key_signs_is_the_hash_of_the_hash_without_sum_and_table() {
        // Attributes are signed as a set (RFC 2315 §9.3), and name what is signed.
        let mut asked = Vec::new();
        let keep = |text: &[u8]| {
            asked = text.to_vec();
            Ok(vec![9; 256])
        };
        sign(&program(), &certificate(&[]), keep).unwrap();
        let mut bytes = program();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let (optional, mut plain) = (0x80 + 24, bytes);
        plain.drain(optional + 144..optional + 152);
        plain.drain(optional + 64..optional + 68);
        let subject = subject(&Sha256::digest(&plain));
        assert!(asked.ends_with(&Sha256::digest(&subject)), "{asked:02x?}");
    }

    #[test]
    fn a_changed_octet_a_longer_file_and_a_bad_certificate_are_noticed() {
        let bytes = signed();
        for at in [0x40, 0x3ff, 0x500, program().len() - 1] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(matches!(check(&other), Err(Unsigned::Other)), "at {at:#x}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(check(&longer), Err(Unsigned::Other)));
        for bad in [&b""[..], &[0x30, 0x80], &certificate(&[])[1..]] {
            let found = sign(&program(), bad, |_| Ok(Vec::new()));
            assert!(matches!(found, Err(Unsigned::Certificate)), "{found:?}");
        }
        let refused = sign(&program(), &certificate(&[]), |_| Err("locked".into()));
        assert_eq!(refused.unwrap_err().to_string(), "the key: locked");
    }
}
