//! The data partition: the configuration that was last confirmed, and whatever
//! a role keeps. A file is written beside the old one, made durable, and put in
//! its place: after a power cut there is the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::disks::{self, Partition};
use super::{given, mounts, stage1};

/// Where the confirmed configuration lies.
pub const CONFIG: &str = "/data/config/current.toml";
/// The number of the revision, and the revisions before it.
const REVISION: &str = "/data/config/revision";
/// Where roles keep what outlives a boot.
const FOLDERS: [&str; 5] = ["cdr", "config", "ladders", "log", "secrets"];
const VOLUME: &str = "SBCCFG";
const FW_CFG: &str = "/sys/firmware/qemu_fw_cfg/by_name/opt/sbc/config.toml/raw";

/// Mounts the data partition of the disk the root came from.
///
/// # Errors
/// When there is none, or the kernel refuses it.
pub fn open(partitions: &[Partition]) -> io::Result<()> {
    let found = partitions.iter().find(|one| one.name == "data");
    let found = found.ok_or_else(|| io::Error::other("there is no data partition"))?;
    mounts::data(&found.node)?;
    for folder in FOLDERS {
        fs::create_dir_all(Path::new("/data").join(folder))?;
    }
    Ok(())
}

/// A configuration, and where it came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Configuration {
    /// The file's text.
    pub text: String,
    /// Its number among those of this node; 0 if it was never confirmed here.
    pub revision: u64,
    /// In words.
    pub source: &'static str,
}

impl Configuration {
    /// Returns revision and the start of its hash, as `42:1f0c9a3e`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.revision, short_hash(&self.text))
    }
}

/// Returns the first eight digits of a text's hash.
#[must_use]
pub fn short_hash(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Returns the configuration of this boot: the confirmed one, else, for a node
/// nobody has claimed, one that was given along from outside.
///
/// # Errors
/// When one is there and cannot be read.
pub fn configuration(claimed: bool) -> io::Result<Option<Configuration>> {
    if Path::new(CONFIG).exists() {
        let revision = fs::read_to_string(REVISION).unwrap_or_default();
        return Ok(Some(Configuration {
            text: fs::read_to_string(CONFIG)?,
            revision: revision.trim().parse().unwrap_or_default(),
            source: "data",
        }));
    }
    if claimed {
        return Ok(None);
    }
    if Path::new(FW_CFG).exists() {
        let (text, revision, source) = (fs::read_to_string(FW_CFG)?, 0, "fw_cfg");
        given::secrets()?;
        return Ok(Some(Configuration {
            text,
            revision,
            source,
        }));
    }
    Ok(from_volume().map(|text| Configuration {
        text,
        revision: 0,
        source: "volume SBCCFG",
    }))
}

/// Returns the short hash of the configuration a boot would take, or `none`.
#[must_use]
pub fn config_hash() -> String {
    match configuration(super::serial::is_claimed()) {
        Ok(Some(configuration)) => short_hash(&configuration.text),
        Ok(None) | Err(_) => "none".to_owned(),
    }
}

/// Returns the device of a FAT volume with this label.
#[must_use]
pub fn volume(label: &str) -> Option<PathBuf> {
    let entries = fs::read_dir("/sys/class/block").ok()?;
    let nodes = entries
        .flatten()
        .map(|entry| Path::new("/dev").join(entry.file_name()));
    nodes.filter(|node| is_ours(node, label)).min()
}

/// Returns `config.toml` of a FAT volume with our label.
fn from_volume() -> Option<String> {
    let place = Path::new("/run/sbccfg");
    let node = volume(VOLUME)?;
    mounts::to_read(&node, place).ok()?;
    let text = fs::read_to_string(place.join("config.toml")).ok();
    let _stays = rustix::mount::unmount(place, rustix::mount::UnmountFlags::DETACH);
    text
}

/// Returns whether a device begins as a FAT filesystem of this label does: the
/// label of FAT32 lies at 71, of FAT16 at 43.
fn is_ours(node: &Path, label: &str) -> bool {
    let Ok(head) = disks::read_at(node, 0, 512) else {
        return false;
    };
    let label = format!("{label:<11}");
    let at = |at: usize| head.get(at..at + 11) == Some(label.as_bytes());
    head.get(510..512) == Some(&[0x55, 0xaa]) && (at(71) || at(43))
}

/// Puts a configuration in force for all boots to come; returns its revision.
///
/// # Errors
/// When the data partition is full or broken; the old one is then in force.
pub fn confirm(text: &str) -> io::Result<u64> {
    let last = fs::read_to_string(REVISION).unwrap_or_default();
    let revision = last.trim().parse::<u64>().unwrap_or_default() + 1;
    put(Path::new(CONFIG), text.as_bytes())?;
    put(Path::new(REVISION), revision.to_string().as_bytes())?;
    Ok(revision)
}

/// Writes a file so that a power cut leaves the old one or the new one.
///
/// # Errors
/// When it cannot be written.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let half = path.with_extension("half");
    let mut file = File::create(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&half, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Returns the letter of the slot this boot came from.
#[must_use]
pub fn slot_letter() -> char {
    let told = std::env::var(stage1::SLOT).unwrap_or_default();
    told.chars().next().unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_named_by_number_and_hash() {
        let configuration = Configuration {
            text: "abc".into(),
            revision: 42,
            source: "data",
        };
        assert_eq!(configuration.name(), "42:ba7816bf");
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let path = std::env::temp_dir().join(format!("sbc-put-{}", std::process::id()));
        put(&path, b"old").unwrap();
        put(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(!path.with_extension("half").exists());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_volume_is_known_by_its_label() {
        let path = std::env::temp_dir().join(format!("sbc-volume-{}", std::process::id()));
        let mut head = vec![0; 512];
        head[510..].copy_from_slice(&[0x55, 0xaa]);
        head[71..82].copy_from_slice(b"SBCCFG     ");
        fs::write(&path, &head).unwrap();
        assert!(is_ours(&path, VOLUME));
        assert!(!is_ours(&path, "SBCUPDATE"));
        head[71] = b'X';
        fs::write(&path, &head).unwrap();
        assert!(!is_ours(&path, VOLUME));
        fs::remove_file(&path).unwrap();
    }
}
