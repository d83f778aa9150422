//! A backup: what a node must be told to be itself again goes into a box that a
//! passphrase opens, and comes out of it whole or not at all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::Unsealable;
use super::passphrase::{self, Kind};

/// The version this node writes and reads.
const VERSION: u32 = 1;

/// What a node must be told.
#[derive(Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    version: u32,
    /// Whose it is, of which revision, and when it was made (seconds since 1970).
    pub node: String,
    pub revision: u32,
    pub made_at: u64,
    /// The configuration.
    pub toml: String,
    /// Names and values; hashes of passwords are among them.
    pub secrets: BTreeMap<String, String>,
    /// Files of certificates by their names.
    pub certificates: BTreeMap<String, String>,
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("***")
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        self.secrets.values_mut().for_each(Zeroize::zeroize);
    }
}

impl Backup {
    /// Returns a backup without secrets and certificates.
    #[must_use]
    pub fn of(node: &str, revision: u32, made_at: u64, toml: &str) -> Self {
        Self {
            version: VERSION,
            node: node.to_owned(),
            revision,
            made_at,
            toml: toml.to_owned(),
            secrets: BTreeMap::new(),
            certificates: BTreeMap::new(),
        }
    }

    /// Returns the box.
    ///
    /// # Errors
    /// When the kernel gives no randomness.
    pub fn lock(&self, passphrase: &str) -> Result<Vec<u8>, Unsealable> {
        let text = serde_json::to_vec(self).map_err(|_| Unsealable::Malformed)?;
        let text = Zeroizing::new(text);
        passphrase::lock(Kind::Backup, passphrase, &text)
    }

    /// Returns what is in a box.
    ///
    /// # Errors
    /// When it is damaged, of another passphrase, or of another version.
    pub fn unlock(passphrase: &str, file: &[u8]) -> Result<Self, Unsealable> {
        let text = passphrase::unlock(Kind::Backup, passphrase, file)?;
        let read: Option<Self> = serde_json::from_slice(&text).ok();
        read.filter(|read| read.version == VERSION)
            .ok_or(Unsealable::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_comes_back_whole_with_its_passphrase_alone() {
        let mut backup = Backup::of("lab", 7, 1_795_000_000, "[system]\n");
        let secret = ("vpn/itsp-a".to_owned(), "x-planted-value".to_owned());
        backup.secrets.extend([secret]);
        let file = backup.lock("correct horse battery").unwrap();
        let shown = String::from_utf8_lossy(&file);
        assert!(!shown.contains("x-planted") && !shown.contains("system"));
        assert_eq!(
            Backup::unlock("correct horse battery", &file).unwrap(),
            backup
        );
        let wrong = Backup::unlock("correct horse batterz", &file);
        assert_eq!(wrong, Err(Unsealable::WrongKey));
        let cut = Backup::unlock("correct horse battery", &file[..file.len() - 1]);
        assert_eq!(cut, Err(Unsealable::WrongKey));
        assert_eq!(format!("{backup:?}"), "***");
    }
}
