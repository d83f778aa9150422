//! The data partition: the configuration that was last confirmed, and whatever
//! a role keeps. A file is written beside the old one, made durable, and put in
//! its place: after a power cut there is the old one or the new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::revisions::kept as kept_in;
use super::disks::{self, Partition};
use super::{given, mounts, stage1};

/// Where the node keeps its revisions, secrets and logs.
pub const STATE: &str = "/data/state";
/// Where roles keep what outlives a boot.
const FOLDERS: [&str; 4] = ["cdr", "ladders", "log", "state"];
/// What a node that knows nothing begins with.
pub const EMPTY: &str = "config-version = 1\n\n[system]\nhostname = \"sbc\"\ncountry = \"DE\"\n";
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
    folders()
}

/// Makes the folders roles write to.
///
/// # Errors
/// When one cannot be made.
pub fn folders() -> io::Result<()> {
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

    /// Returns whether a call could come from one neighbour and go to another.
    #[must_use]
    pub fn takes_calls(&self) -> bool {
        let node = sbc_config::check(&self.text).node;
        node.is_some_and(|node| !node.trunks.is_empty() && !node.mediation.is_empty())
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

/// Returns the configuration that the last confirmed revision of `state` holds; none
/// if that says nothing yet.
#[must_use]
pub fn kept(state: &Path) -> Option<Configuration> {
    let (revision, text) = kept_in(&state.join("config"))?;
    (text != EMPTY).then_some(Configuration {
        text,
        revision: revision.into(),
        source: "data",
    })
}

/// Returns whether somebody has chosen a password. Where it cannot be seen, somebody has.
#[must_use]
pub fn is_claimed(state: &Path) -> bool {
    match fs::read_dir(state.join("secrets/user")) {
        Ok(mut users) => users.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Returns the configuration that was given along from outside, for a node nobody
/// has claimed.
///
/// # Errors
/// When one is there and cannot be read.
pub fn given() -> io::Result<Option<Configuration>> {
    if Path::new(FW_CFG).exists() {
        given::secrets()?;
    }
    offered()
}

/// The same, its secrets left alone.
fn offered() -> io::Result<Option<Configuration>> {
    let of = |text, source| Configuration {
        text,
        revision: 0,
        source,
    };
    if Path::new(FW_CFG).exists() {
        return Ok(Some(of(fs::read_to_string(FW_CFG)?, "fw_cfg")));
    }
    Ok(from_volume().map(|text| of(text, "volume SBCCFG")))
}

/// Returns the short hash of the configuration a boot would take, or `none`.
#[must_use]
pub fn config_hash() -> String {
    let state = Path::new(STATE);
    let taken = kept(state).or_else(|| {
        let given = (!is_claimed(state)).then(offered);
        given.and_then(Result::ok).flatten()
    });
    taken.map_or_else(|| "none".to_owned(), |taken| short_hash(&taken.text))
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
    fn a_node_that_knows_nothing_makes_sense_and_takes_no_call() {
        let empty = Configuration {
            text: EMPTY.into(),
            revision: 1,
            source: "data",
        };
        assert!(sbc_config::check(EMPTY).node.is_some());
        assert!(!empty.takes_calls());
        let small = include_str!("../../../../config/tests/small.toml");
        let known = Configuration {
            text: small.into(),
            ..empty
        };
        assert!(known.takes_calls());
    }

    #[test]
    fn a_machine_whose_owner_cannot_be_seen_has_one() {
        let state = std::env::temp_dir().join(format!("sbc-owner-{}", std::process::id()));
        assert!(!is_claimed(&state));
        fs::create_dir_all(state.join("secrets/user")).unwrap();
        assert!(!is_claimed(&state));
        fs::write(state.join("secrets/user/admin"), "x").unwrap();
        assert!(is_claimed(&state));
        // A folder that cannot be read: here, because it is none.
        fs::remove_dir_all(state.join("secrets")).unwrap();
        fs::create_dir_all(state.join("secrets")).unwrap();
        fs::write(state.join("secrets/user"), "").unwrap();
        assert!(is_claimed(&state));
        fs::remove_dir_all(&state).unwrap();
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
