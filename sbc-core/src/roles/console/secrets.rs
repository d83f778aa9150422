//! The secret store as a folder: names and values come in, names and lengths go
//! out. No value leaves it by this door.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Octets of a secret.
pub const SECRET_MAX: usize = 4096;

/// Secrets that are kept.
pub const SECRETS_MAX: usize = 8192;

/// The store, if the node keeps state.
#[derive(Debug, Default)]
pub struct Secrets(pub Option<PathBuf>);

type Done = Result<(), (&'static str, String)>;

/// Names are `kind/name`, each part as names of the file are.
fn is_name(name: &str) -> bool {
    let part = |part: &str| sbc_config::Name::new(part).is_some();
    let parts = name.split('/').count();
    (1..=4).contains(&parts) && name.split('/').all(part)
}

impl Secrets {
    fn place(&self, name: &str) -> Result<PathBuf, (&'static str, String)> {
        let folder = self.0.as_ref();
        let folder = folder.ok_or(("SBC-3018", "this node keeps no state".to_owned()))?;
        if !is_name(name) {
            let why = "a secret is called kind/name, as sip/itsp-a".to_owned();
            return Err(("SBC-3002", why));
        }
        Ok(folder.join(name))
    }

    /// Keeps a value, in place of an older one.
    pub fn set(&self, name: &str, value: &str) -> Done {
        let path = self.place(name)?;
        if value.is_empty() || value.len() > SECRET_MAX {
            return Err(("SBC-3002", format!("a secret has 1 to {SECRET_MAX} octets")));
        }
        if self.names().len() >= SECRETS_MAX && !path.exists() {
            return Err((
                "SBC-3002",
                format!("{SECRETS_MAX} secrets are kept already"),
            ));
        }
        write(&path, value.as_bytes()).map_err(|error| ("SBC-3016", format!("not kept: {error}")))
    }

    /// Forgets a value.
    pub fn delete(&self, name: &str) -> Done {
        let path = self.place(name)?;
        fs::remove_file(path).map_err(|_| ("SBC-3003", format!("there is no secret {name}")))
    }

    /// Returns a value, for whoever checks a password.
    pub fn get(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.place(name).ok()?).ok()
    }

    /// Returns every name and how long its value is.
    pub fn names(&self) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        if let Some(folder) = &self.0 {
            collect(folder, "", &mut found);
        }
        found.sort();
        found
    }

    /// Returns that secrets lie in clear, if there are any; hashes of passwords
    /// are none.
    pub fn plain(&self) -> Option<super::alarms::Fact> {
        let names = self.names().into_iter();
        let count = names.filter(|(name, _)| !name.starts_with("user/")).count();
        let text = format!("{count} secrets are not sealed");
        (count > 0).then(|| super::alarms::Fact::new("secrets-plain", "", text))
    }

    /// Returns the same for the console.
    pub fn list(&self) -> Value {
        let each = self.names().into_iter();
        each.map(|(name, octets)| json!({ "name": name, "octets": octets }))
            .collect()
    }
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<(String, u64)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let name = format!("{prefix}{name}");
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && prefix.matches('/').count() < 4 {
            collect(&entry.path(), &format!("{name}/"), found);
        } else if kind.is_file() && is_name(&name) && found.len() < SECRETS_MAX {
            found.push((name, entry.metadata().map_or(0, |known| known.len())));
        }
    }
}

fn write(path: &Path, octets: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    crate::roles::init::whole::write_private(path, octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_listed_by_name_and_forgotten() {
        let folder = std::env::temp_dir().join(format!("sbc-secrets-{}", std::process::id()));
        let _absent = fs::remove_dir_all(&folder);
        let store = Secrets(Some(folder.clone()));
        store.set("sip/itsp-a", "correct horse").unwrap();
        assert_eq!(store.list(), json!([{"name": "sip/itsp-a", "octets": 13}]));
        assert_eq!(store.get("sip/itsp-a").as_deref(), Some("correct horse"));
        let mode = fs::metadata(folder.join("sip/itsp-a")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
        assert_eq!(mode & 0o777, 0o600);
        store.delete("sip/itsp-a").unwrap();
        assert!(store.delete("sip/itsp-a").is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn no_name_leads_out_of_the_store() {
        let store = Secrets(Some(std::env::temp_dir()));
        for name in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../b",
            "a//b",
            "A",
            "a/b/c/d/e",
            ".x",
        ] {
            assert!(store.set(name, "x").is_err(), "{name}");
            assert!(store.get(name).is_none(), "{name}");
        }
    }
}
