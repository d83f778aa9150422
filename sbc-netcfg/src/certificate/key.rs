//! Private keys: one for ECDSA over P-256 (RFC 5480 §2.1.1.1) is made here and
//! leaves as PEM for the store alone; of a key that came otherwise only the public
//! half is looked at.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RsaKeyPair,
};
use x509_cert::der::asn1::{Any, BitString};
use x509_cert::der::pem::{LineEnding, decode_vec, encode_string};
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use zeroize::Zeroizing;

use crate::secrets::Secret;

/// `id-ecPublicKey`.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1`.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// `ecdsa-with-SHA256`.
pub(super) const ECDSA_SHA256: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// PKCS #8, as every other program writes it.
const LABEL: &str = "PRIVATE KEY";

/// Why there is no key. None of these says anything of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoKey {
    #[error("the kernel gives no randomness")]
    NoRandomness,
    #[error("the key in the store is none for ECDSA over P-256")]
    Foreign,
}

/// A key of ours.
#[derive(Debug)]
pub struct Key(EcdsaKeyPair);

impl Key {
    /// Makes a key. Returns it, and its text for the store.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate() -> Result<(Self, Secret), NoKey> {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
        let made = made.map_err(|_| NoKey::NoRandomness)?;
        let text = encode_string(LABEL, LineEnding::LF, made.as_ref());
        let text = text.map_err(|_| NoKey::Foreign)?;
        let secret = Secret::new(text.into_bytes());
        Ok((Self::read(secret.reveal())?, secret))
    }

    /// Reads a key that was made here.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn read(pem: &[u8]) -> Result<Self, NoKey> {
        let (_, octets) = decoded(pem).ok_or(NoKey::Foreign)?;
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &octets, &random);
        pair.map(Self).map_err(|_| NoKey::Foreign)
    }

    /// Returns the public half as a certificate holds it.
    pub(super) fn public(&self) -> Option<SubjectPublicKeyInfoOwned> {
        let curve = Any::encode_from(&P256).ok()?;
        Some(SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned {
                oid: EC,
                parameters: Some(curve),
            },
            subject_public_key: BitString::from_bytes(self.0.public_key().as_ref()).ok()?,
        })
    }

    /// Signs octets with [`ECDSA_SHA256`].
    pub(super) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, NoKey> {
        let signed = self.0.sign(&SystemRandom::new(), octets);
        let signed = signed.map_err(|_| NoKey::NoRandomness)?;
        Ok(signed.as_ref().to_vec())
    }
}

/// Returns the public half of a key in PEM, whatever its kind, as the octets that
/// stand in a certificate; nothing for a form that is not known here.
#[must_use]
pub fn public_of(pem: &[u8]) -> Option<Vec<u8>> {
    let (label, octets) = decoded(pem)?;
    if label == "RSA PRIVATE KEY" {
        let pair = RsaKeyPair::from_der(&octets).ok()?;
        return Some(pair.public_key().as_ref().to_vec());
    }
    let random = SystemRandom::new();
    for curve in [
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        &ECDSA_P384_SHA384_ASN1_SIGNING,
    ] {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve, &octets, &random) {
            return Some(pair.public_key().as_ref().to_vec());
        }
    }
    if let Ok(pair) = RsaKeyPair::from_pkcs8(&octets) {
        return Some(pair.public_key().as_ref().to_vec());
    }
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&octets).ok()?;
    Some(pair.public_key().as_ref().to_vec())
}

fn decoded(pem: &[u8]) -> Option<(&str, Zeroizing<Vec<u8>>)> {
    let (label, octets) = decode_vec(pem).ok()?;
    Some((label, Zeroizing::new(octets)))
}
