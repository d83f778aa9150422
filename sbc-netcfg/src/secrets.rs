//! The store of secrets: a name comes in, its value goes out, or why not. A secret
//! is a file below one folder, for its owner's eyes alone; it is wiped from memory
//! when it is dropped, and it has no way to be printed.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, Zeroizing};

/// A private key of RSA with 8192 bits in PEM has 6.4 KiB.
const LENGTH_MAX: usize = 16 * 1024;

/// Bits of a file's mode that let others in.
const OTHERS: u32 = 0o077;

/// The value of a secret.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the value; an end of line behind it is no part of it.
    #[must_use]
    pub fn new(mut value: Vec<u8>) -> Self {
        while value
            .last()
            .is_some_and(|&last| matches!(last, b'\n' | b'\r'))
        {
            value.pop();
        }
        Self(Zeroizing::new(value))
    }

    /// Returns the value, for the one who must use it.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

/// Why a secret could not be had. None of these says anything of a value.
#[derive(Debug, thiserror::Error)]
pub enum NoSecret {
    #[error("secret {0}: a name has the form part/part, each of a-z, 0-9, - and .")]
    BadName(String),
    #[error("secret {name}: cannot be read")]
    Unreadable {
        name: String,
        #[source]
        why: std::io::Error,
    },
    #[error("secret {0}: its file is no plain file")]
    NoFile(String),
    #[error("secret {name}: its file has mode {mode:03o}, others may look: chmod 600")]
    Open { name: String, mode: u32 },
    #[error("secret {name}: its file belongs to user {owner}")]
    ForeignOwner { name: String, owner: u32 },
    #[error("secret {0}: empty, or longer than 16 KiB")]
    BadLength(String),
}

/// A folder of secrets.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    /// Another user whose files are taken.
    writer: Option<u32>,
}

impl Store {
    /// Takes the folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            writer: None,
        }
    }

    /// Takes files of this user as well: who writes secrets for the node.
    #[must_use]
    pub fn written_by(self, user: Option<u32>) -> Self {
        Self {
            writer: user,
            ..self
        }
    }

    /// Opens the file of a secret after a look at its name, owner and mode. Links
    /// are not followed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(&self, name: &str) -> Result<File, NoSecret> {
        let path = self.place(name)?;
        let unreadable = |why| NoSecret::Unreadable {
            name: name.to_owned(),
            why,
        };
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let mut options = File::options();
        let file = options.read(true).custom_flags(flags).open(path);
        let file = file.map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        let ours = rustix::process::geteuid().as_raw();
        let mode = about.mode() & 0o7777;
        if !about.is_file() {
            Err(NoSecret::NoFile(name.to_owned()))
        } else if mode & OTHERS != 0 {
            let name = name.to_owned();
            Err(NoSecret::Open { name, mode })
        } else if ![Some(0), Some(ours), self.writer].contains(&Some(about.uid())) {
            let (name, owner) = (name.to_owned(), about.uid());
            Err(NoSecret::ForeignOwner { name, owner })
        } else {
            Ok(file)
        }
    }

    /// Returns the value of a secret.
    ///
    /// # Errors
    /// What is wrong with its file.
    pub fn get(&self, name: &str) -> Result<Secret, NoSecret> {
        let file = self.open(name)?;
        read(name, &file)
    }

    fn place(&self, name: &str) -> Result<PathBuf, NoSecret> {
        let plain = |part: &str| {
            let fits = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(fits)
        };
        if name.len() <= 128 && name.split('/').all(plain) {
            Ok(self.folder.join(name))
        } else {
            Err(NoSecret::BadName(name.to_owned()))
        }
    }
}

/// Reads a secret from the start of its open file: whoever holds the same file may
/// have read it, and ended.
///
/// # Errors
/// When it cannot be read, is empty or too long.
pub fn read(name: &str, mut file: &File) -> Result<Secret, NoSecret> {
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut value = Vec::with_capacity(LENGTH_MAX + 1);
    let limit = u64::try_from(LENGTH_MAX + 1).unwrap_or(u64::MAX);
    let got = file.rewind();
    if let Err(why) = got.and_then(|()| file.take(limit).read_to_end(&mut value)) {
        value.zeroize();
        let name = name.to_owned();
        return Err(NoSecret::Unreadable { name, why });
    }
    let long = value.len() > LENGTH_MAX;
    let secret = Secret::new(value);
    if long || secret.reveal().is_empty() {
        return Err(NoSecret::BadLength(name.to_owned()));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::{NoSecret, Secret, Store, read};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("sbc-store-{}-{name}", std::process::id()));
            std::fs::create_dir_all(path.join("vpn")).unwrap();
            Self(path)
        }

        fn put(&self, name: &str, value: &[u8], mode: u32) {
            let path = self.0.join(name);
            std::fs::write(&path, value).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_secret_comes_without_its_end_of_line_and_is_never_printed() {
        let folder = Folder::new("plain");
        folder.put("vpn/itsp-a", b"correct horse\n", 0o600);
        let secret = Store::at(&folder.0).get("vpn/itsp-a").unwrap();
        assert_eq!(secret.reveal(), b"correct horse");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(
            format!("{:?}", Some(Secret::new(b"x".to_vec()))),
            "Some(***)"
        );
    }

    #[test]
    fn a_secret_is_read_again_from_a_file_that_somebody_has_read() {
        let folder = Folder::new("again");
        folder.put("vpn/a", b"correct horse", 0o600);
        let file = Store::at(&folder.0).open("vpn/a").unwrap();
        let other = file.try_clone().unwrap();
        for file in [&file, &other, &file] {
            assert_eq!(read("vpn/a", file).unwrap().reveal(), b"correct horse");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = Folder::new("open");
        for mode in [0o640, 0o604, 0o660, 0o777] {
            folder.put("vpn/a", b"x", mode);
            let got = Store::at(&folder.0).get("vpn/a");
            assert!(matches!(got, Err(NoSecret::Open { mode: m, .. }) if m == mode));
        }
    }

    #[test]
    fn a_name_leads_nowhere_but_into_the_folder() {
        let folder = Folder::new("names");
        let store = Store::at(&folder.0);
        for name in ["", "/etc/passwd", "../x", "vpn/../x", "vpn//a", "a b", "A"] {
            assert!(
                matches!(store.get(name), Err(NoSecret::BadName(_))),
                "{name}"
            );
        }
        std::os::unix::fs::symlink("/etc/hostname", folder.0.join("vpn/link")).unwrap();
        assert!(matches!(
            store.get("vpn/link"),
            Err(NoSecret::Unreadable { .. })
        ));
        assert!(matches!(store.get("vpn"), Err(NoSecret::NoFile(_))));
    }

    #[test]
    fn an_empty_or_endless_secret_is_refused() {
        let folder = Folder::new("length");
        folder.put("vpn/none", b"\n", 0o600);
        folder.put("vpn/much", &[b'x'; 20_000], 0o600);
        for name in ["vpn/none", "vpn/much"] {
            let got = Store::at(&folder.0).get(name);
            assert!(matches!(got, Err(NoSecret::BadLength(_))), "{name}");
        }
    }
}
