//! The key of the secret store, held for all of the node's life: the file that wraps
//! it comes in, and the TPM; the console gets the key, and `netcfg` the secrets that
//! the configuration names. Where there is nothing to seal with, the key is drawn anew
//! at each start and seals nothing until somebody sets a passphrase.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sbc_core::seal::keys::{FILE, FILE_MAX, Wrapped};
use sbc_core::seal::tpm::{DEVICE, Tpm};
use sbc_core::seal::{ADDED, KEY, StoreKey, is_sealed};
use zeroize::Zeroizing;

use super::child::Letter;
use super::{sealed, whole};
use crate::ipc::ToChild;

/// The variable that names another TPM than the kernel's.
const TPM: &str = "SBC_TPM";

/// Octets of a secret's file: a key in PEM, and what sealing adds.
const SECRET_MAX: usize = 16 * 1024 + ADDED;

/// What `init` holds.
#[derive(Debug, Default)]
pub struct Vault {
    /// The file with the wrapped key, where the node keeps state.
    file: Option<PathBuf>,
    key: Option<StoreKey>,
    /// Why the key is not there.
    why: String,
}

/// Returns the TPM of this machine, if it has one.
fn tpm() -> Option<Tpm> {
    let path = std::env::var_os(TPM).map_or_else(|| PathBuf::from(DEVICE), PathBuf::from);
    match Tpm::open(&path) {
        Ok(tpm) => Some(tpm),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "the TPM cannot be opened");
            None
        }
    }
}

impl Vault {
    /// Opens what an earlier start left, or draws a new key.
    pub fn open(state: Option<&Path>) -> Self {
        let Some(state) = state else {
            return Self::default();
        };
        let mut vault = Self {
            file: Some(state.join(FILE)),
            ..Self::default()
        };
        match vault.read() {
            Ok(Some(wrapped)) => vault.unwrap(&wrapped),
            Ok(None) => match StoreKey::random() {
                Ok(key) => vault.take(key),
                Err(error) => vault.why = error.to_string(),
            },
            Err(error) => vault.why = format!("{FILE}: {error}"),
        }
        if !vault.why.is_empty() {
            tracing::error!(why = vault.why, "the secrets are locked");
        }
        vault
    }

    fn read(&self) -> io::Result<Option<Wrapped>> {
        let Some(path) = &self.file else {
            return Ok(None);
        };
        let text = match read(path, FILE_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        Wrapped::read(&text).map(Some).map_err(io::Error::other)
    }

    fn unwrap(&mut self, wrapped: &Wrapped) {
        let by_tpm = match (wrapped.has_tpm(), tpm()) {
            (false, _) => Err("the passphrase was not given since the start".to_owned()),
            (true, None) => Err("the TPM that sealed their key is not there".to_owned()),
            (true, Some(mut tpm)) => wrapped
                .unwrap_by(&mut tpm)
                .map_err(|error| error.to_string()),
        };
        match by_tpm {
            Ok(key) => self.key = Some(key),
            Err(why) => self.why = why,
        }
    }

    /// Takes a new key, or one that a passphrase gave back; the TPM wraps it as well,
    /// if there is one and it gave none.
    pub fn take(&mut self, key: StoreKey) {
        if let Err(error) = self.wrap(&key) {
            tracing::error!(%error, "the TPM does not wrap the key of the secrets");
        }
        self.key = Some(key);
        self.why.clear();
    }

    fn wrap(&self, key: &StoreKey) -> anyhow::Result<()> {
        let (Some(path), Some(mut tpm)) = (&self.file, tpm()) else {
            return Ok(());
        };
        let mut wrapped = self.read()?.unwrap_or_default();
        wrapped.wrap_by(key, &mut tpm)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        whole::write_private(path, wrapped.to_text().as_bytes())?;
        // The console adds a passphrase to it.
        if std::env::var_os(crate::jail::USERS).is_some() {
            let writer = crate::jail::writer_of_secrets();
            std::os::unix::fs::lchown(path, writer, writer)?;
        }
        Ok(())
    }

    /// Returns what the console is told: the key, or why it is not there.
    pub fn letter(&self) -> Letter {
        let mut letter = Letter::from(ToChild::StoreKey {
            why: self.why.clone(),
        });
        let file = self.key.as_ref().map(|key| sealed(key.reveal()));
        letter.descriptors = file
            .and_then(Result::ok)
            .into_iter()
            .map(Arc::new)
            .collect();
        letter
    }

    /// Takes the file of a secret. Returns the same, or one in memory with its value
    /// if it is sealed.
    ///
    /// # Errors
    /// Why its value cannot be had.
    pub fn opened(&self, name: &str, mut file: File) -> io::Result<OwnedFd> {
        let octets = read_from(&mut file, SECRET_MAX)?;
        if !is_sealed(&octets) {
            return Ok(file.into());
        }
        let locked = || io::Error::other(format!("locked: {}", self.why));
        let value = self.key.as_ref().ok_or_else(locked)?.open(name, &octets);
        sealed(&value.map_err(io::Error::other)?)
    }
}

/// Reads a key that came along.
pub fn key_from(descriptors: Vec<OwnedFd>) -> Option<StoreKey> {
    let file = File::from(descriptors.into_iter().next()?);
    let mut key = Zeroizing::new([0; KEY]);
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut *key, 0).ok()?;
    StoreKey::from_octets(&*key)
}

/// Reads a file of ours that is no link and not longer than `most`.
pub fn read(path: &Path, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut options = File::options();
    options.read(true);
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    read_from(&mut options.open(path)?, most)
}

fn read_from(file: &mut File, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(most + 1));
    let limit = u64::try_from(most + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut octets)?;
    if octets.len() > most {
        return Err(io::Error::other("too long"));
    }
    Ok(octets)
}
