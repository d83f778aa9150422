//! The file that holds the key of a store, wrapped: by the TPM of the machine, by a
//! passphrase, or by both. It comes in as text, and goes out as text.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::passphrase::{self, Kind};
use super::tpm::{NoSeal, Tpm};
use super::{StoreKey, Unsealable};

/// The name of the file, beside the folder of secrets.
pub const FILE: &str = "secrets.key";

/// Octets of the file: both wraps in hexadecimal are a third of it.
pub const FILE_MAX: usize = 4096;

/// The version this node writes and reads.
const VERSION: u32 = 1;

/// The wrapped key of a store.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wrapped {
    version: u32,
    /// What only the TPM that made it opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpm: Option<String>,
    /// What a passphrase opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passphrase: Option<String>,
}

impl Wrapped {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is damaged, or of another version.
    pub fn read(text: &[u8]) -> Result<Self, Unsealable> {
        let fits = text.len() <= FILE_MAX;
        let read = fits.then(|| serde_json::from_slice::<Self>(text).ok());
        let read = read.flatten().filter(|read| read.version == VERSION);
        read.filter(|read| read.tpm.is_some() || read.passphrase.is_some())
            .ok_or(Unsealable::Malformed)
    }

    /// Returns the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut whole = self.clone();
        whole.version = VERSION;
        serde_json::to_string(&whole).unwrap_or_default() + "\n"
    }

    /// Returns whether a passphrase opens it.
    #[must_use]
    pub const fn has_passphrase(&self) -> bool {
        self.passphrase.is_some()
    }

    /// Returns whether a TPM opens it.
    #[must_use]
    pub const fn has_tpm(&self) -> bool {
        self.tpm.is_some()
    }

    /// Wraps the key with a passphrase, in place of an older one.
    ///
    /// # Errors
    /// When the kernel gives no randomness.
    pub fn wrap(&mut self, key: &StoreKey, passphrase: &str) -> Result<(), Unsealable> {
        let file = passphrase::lock(Kind::Key, passphrase, key.reveal())?;
        self.passphrase = Some(hex(&file));
        Ok(())
    }

    /// Returns the key that a passphrase wraps.
    ///
    /// # Errors
    /// When there is none, or it is another passphrase.
    pub fn unwrap(&self, passphrase: &str) -> Result<StoreKey, Unsealable> {
        let file = self.passphrase.as_deref().and_then(unhex);
        let file = file.ok_or(Unsealable::Malformed)?;
        let key = passphrase::unlock(Kind::Key, passphrase, &file)?;
        StoreKey::from_octets(&key).ok_or(Unsealable::Malformed)
    }

    /// Wraps the key with a TPM, in place of an older wrap.
    ///
    /// # Errors
    /// What the TPM says.
    pub fn wrap_by(&mut self, key: &StoreKey, tpm: &mut Tpm) -> Result<(), NoSeal> {
        self.tpm = Some(hex(&tpm.seal(key.reveal())?));
        Ok(())
    }

    /// Returns the key that a TPM wraps.
    ///
    /// # Errors
    /// When there is none, or the TPM does not give it.
    pub fn unwrap_by(&self, tpm: &mut Tpm) -> Result<StoreKey, NoSeal> {
        let sealed = self.tpm.as_deref().and_then(unhex);
        let key: Zeroizing<Vec<u8>> = tpm.unseal(&sealed.ok_or(NoSeal::Malformed)?)?;
        StoreKey::from_octets(&key).ok_or(NoSeal::Malformed)
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let pair = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_gives_the_key_back_and_a_new_one_takes_its_place() {
        let key = StoreKey::random().unwrap();
        let mut wrapped = Wrapped::default();
        wrapped.wrap(&key, "the first passphrase").unwrap();
        wrapped.wrap(&key, "another passphrase").unwrap();
        let read = Wrapped::read(wrapped.to_text().as_bytes()).unwrap();
        assert!(read.has_passphrase() && !read.has_tpm());
        assert_eq!(read.unwrap("another passphrase"), Ok(key));
        assert_eq!(
            read.unwrap("the first passphrase"),
            Err(Unsealable::WrongKey)
        );
    }

    #[test]
    fn a_damaged_file_is_refused_whole() {
        let bad = |text: &str| Wrapped::read(text.as_bytes()).is_err();
        assert!(bad(""));
        assert!(bad("{}"));
        assert!(bad(r#"{"version":1}"#));
        assert!(bad(r#"{"version":2,"tpm":"00"}"#));
        assert!(bad(r#"{"version":1,"tpm":"00","more":1}"#));
        assert!(bad(&format!(
            r#"{{"version":1,"tpm":"{}"}}"#,
            "0".repeat(FILE_MAX)
        )));
        let odd = Wrapped::read(br#"{"version":1,"passphrase":"abc"}"#).unwrap();
        assert_eq!(odd.unwrap("x"), Err(Unsealable::Malformed));
    }
}
