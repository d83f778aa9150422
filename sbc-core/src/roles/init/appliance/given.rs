//! Secrets that the owner of a virtual machine gives along with its configuration:
//! items of `fw_cfg` come in, files of the store go out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sbc_netcfg::secrets::Secret;

use super::super::whole;

/// The items, a folder for each part of a secret's name.
const ITEMS: &str = "/sys/firmware/qemu_fw_cfg/by_name/opt/sbc/secrets";
/// The store.
const STORE: &str = "/data/state/secrets";
/// More secrets than a node of any size names.
const SECRETS_MAX: usize = 64;
/// As long as a secret may be.
const LENGTH_MAX: usize = 16 * 1024;
/// Parts of a name, at most.
const DEPTH_MAX: usize = 4;

/// Puts each secret that was given along into the store, over one of its name.
///
/// # Errors
/// When the store cannot be written. What is no secret is passed over.
pub fn secrets() -> io::Result<()> {
    store_all(Path::new(ITEMS), Path::new(STORE))?;
    // The console keeps more of them there.
    give(Path::new(STORE))
}

/// Gives what is below a folder, and the folder, to whoever writes secrets. A link
/// of theirs leads nowhere else.
fn give(path: &Path) -> io::Result<()> {
    let Ok(about) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if about.is_dir() {
        for entry in fs::read_dir(path)?.flatten() {
            give(&entry.path())?;
        }
    }
    let writer = crate::jail::writer_of_secrets();
    std::os::unix::fs::lchown(path, writer, writer)
}

fn store_all(items: &Path, store: &Path) -> io::Result<()> {
    let mut found = Vec::new();
    collect(items, Path::new(""), &mut found);
    found.sort();
    for (name, item) in found {
        let value = Secret::new(fs::read(item)?);
        if value.reveal().len() <= LENGTH_MAX {
            let place = store.join(name);
            fs::create_dir_all(place.parent().unwrap_or(store))?;
            whole::write_private(&place, value.reveal())?;
        }
    }
    Ok(())
}

/// Finds items below a folder: an item is a folder with a file `raw`.
fn collect(folder: &Path, name: &Path, found: &mut Vec<(PathBuf, PathBuf)>) {
    let raw = folder.join("raw");
    if raw.is_file() && found.len() < SECRETS_MAX {
        found.push((name.to_owned(), raw));
    }
    // The last part of a name is a link to the item.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.path().is_dir()) {
        if name.iter().count() < DEPTH_MAX {
            collect(&entry.path(), &name.join(entry.file_name()), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn items_become_files_of_the_store_for_its_owner_alone() {
        let folder = std::env::temp_dir().join(format!("sbc-given-{}", std::process::id()));
        let (items, store) = (folder.join("items"), folder.join("store"));
        for (name, value) in [
            ("vpn/itsp", "quiet"),
            ("plain", "word"),
            ("big", &"x".repeat(LENGTH_MAX + 1)),
        ] {
            let (item, link) = (folder.join("by-key").join(name), items.join(name));
            fs::create_dir_all(&item).unwrap();
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(&item, link).unwrap();
            fs::write(item.join("raw"), value).unwrap();
            fs::write(item.join("size"), "5").unwrap();
        }
        store_all(&items, &store).unwrap();
        store_all(&items, &store).unwrap();
        let kept = store.join("vpn/itsp");
        assert_eq!(fs::read_to_string(&kept).unwrap(), "quiet");
        assert_eq!(fs::metadata(&kept).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(store.join("plain")).unwrap(), "word");
        assert!(!store.join("big").exists());
        fs::remove_dir_all(&folder).unwrap();
        store_all(&items, &store).unwrap();
    }
}
