//! Who signed whom: a certificate and one that is said to have signed it come in,
//! whether it did goes out (RFC 5280 §4.1.1.3).

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use x509_cert::Certificate;
use x509_cert::der::Encode;

/// What came of a look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signed {
    Yes,
    No,
    /// By a way that is not accepted here: SHA-1, say.
    Unknown,
}

type Way = &'static dyn VerificationAlgorithm;

/// The ways that an algorithm's number can mean; the key decides between curves, and
/// the parameters of RSASSA-PSS (RFC 4055 §3.1) between its hashes.
const WAYS: [(&str, Way); 11] = [
    ("1.2.840.10045.4.3.2", &ECDSA_P256_SHA256_ASN1),
    ("1.2.840.10045.4.3.2", &ECDSA_P384_SHA256_ASN1),
    ("1.2.840.10045.4.3.3", &ECDSA_P256_SHA384_ASN1),
    ("1.2.840.10045.4.3.3", &ECDSA_P384_SHA384_ASN1),
    ("1.2.840.113549.1.1.10", &RSA_PSS_2048_8192_SHA256),
    ("1.2.840.113549.1.1.10", &RSA_PSS_2048_8192_SHA384),
    ("1.2.840.113549.1.1.10", &RSA_PSS_2048_8192_SHA512),
    ("1.2.840.113549.1.1.11", &RSA_PKCS1_2048_8192_SHA256),
    ("1.2.840.113549.1.1.12", &RSA_PKCS1_2048_8192_SHA384),
    ("1.2.840.113549.1.1.13", &RSA_PKCS1_2048_8192_SHA512),
    ("1.3.101.112", &ED25519),
];

/// Returns whether `signer` signed `certificate`.
pub fn signed(certificate: &Certificate, signer: &Certificate) -> Signed {
    let number = certificate.signature_algorithm.oid.to_string();
    let mut ways = WAYS.iter().filter(|(known, _)| *known == number).peekable();
    let both = certificate.signature_algorithm == certificate.tbs_certificate.signature;
    let (Ok(octets), Some(signature)) = (
        certificate.tbs_certificate.to_der(),
        certificate.signature.as_bytes(),
    ) else {
        return Signed::No;
    };
    if ways.peek().is_none() {
        return Signed::Unknown;
    }
    let key = &signer.tbs_certificate.subject_public_key_info;
    let key = key.subject_public_key.raw_bytes();
    let fits = |(_, way): &(&str, Way)| {
        let key = UnparsedPublicKey::new(*way, key);
        key.verify(&octets, signature).is_ok()
    };
    if both && ways.any(fits) {
        Signed::Yes
    } else {
        Signed::No
    }
}
