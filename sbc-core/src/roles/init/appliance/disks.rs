//! The kernel's list of block devices comes in; partitions by their names go out.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// One partition of one disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Partition {
    /// Its label in the disk's table.
    pub name: String,
    /// Its node under `/dev`.
    pub node: PathBuf,
    /// The kernel's name of the disk it lies on.
    pub disk: String,
    /// Its number on the disk, from 1.
    pub number: u32,
}

/// Returns all partitions that have a name, in the order of their nodes.
#[must_use]
pub fn partitions() -> Vec<Partition> {
    let Ok(entries) = fs::read_dir("/sys/class/block") else {
        return Vec::new();
    };
    let mut found: Vec<Partition> = entries
        .flatten()
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path().join("uevent")).ok()?;
            let real = fs::canonicalize(entry.path()).ok()?;
            let disk = real.parent()?.file_name()?.to_string_lossy().into_owned();
            one(&text, &disk)
        })
        .collect();
    found.sort_by(|a, b| a.node.cmp(&b.node));
    found
}

/// Reads the kernel's words on one device.
fn one(uevent: &str, disk: &str) -> Option<Partition> {
    let field = |key: &str| {
        let mut lines = uevent.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    Some(Partition {
        name: field("PARTNAME")?.to_owned(),
        node: PathBuf::from("/dev").join(field("DEVNAME")?),
        disk: disk.to_owned(),
        number: field("PARTN")?.parse().ok()?,
    })
}

/// Reads `length` octets of a device from `at` on.
///
/// # Errors
/// When the device does not have them.
pub fn read_at(node: &Path, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(node)?;
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_known_by_its_name() {
        let text =
            "MAJOR=254\nMINOR=3\nDEVNAME=vda3\nDEVTYPE=partition\nPARTN=3\nPARTNAME=root-a\n";
        let wanted = Partition {
            name: "root-a".into(),
            node: "/dev/vda3".into(),
            disk: "vda".into(),
            number: 3,
        };
        assert_eq!(one(text, "vda"), Some(wanted));
        assert_eq!(one("DEVNAME=vda\nDEVTYPE=disk\n", "vda"), None);
    }
}
