//! The machine as its first owner met it: everything on the data partition goes,
//! the firmware stays. The wish is a file on the boot partition, kept until all is
//! gone: a power cut in the middle is followed by the rest.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::super::whole;
use super::disks::Partition;
use super::slot;

const WISH: &str = "sbc.reset";
/// Where the machine's own name lies, made at its first boot.
const MACHINE: &str = "/data/machine-id";
/// Letters of the name that a person types.
const SERIAL: usize = 8;
/// Folders in folders: ours have four levels.
const DEPTH_MAX: usize = 32;

/// Gives the machine a random name of its own, unless it has one, and lets
/// programs find it where they look for it (machine-id(5)).
///
/// # Errors
/// When it cannot be kept.
pub fn name_machine() -> io::Result<()> {
    if !Path::new(MACHINE).exists() {
        let mut name = [0; 16];
        rustix::rand::getrandom(&mut name, rustix::rand::GetRandomFlags::empty())?;
        let text: String = name.iter().map(|octet| format!("{octet:02x}")).collect();
        whole::write(Path::new(MACHINE), format!("{text}\n").as_bytes())?;
    }
    fs::copy(MACHINE, "/etc/machine-id").map(drop)
}

/// Returns what a person types to say that this machine is meant.
#[must_use]
pub fn serial() -> String {
    let text = fs::read_to_string(MACHINE).unwrap_or_default();
    let short: String = text.trim().chars().take(SERIAL).collect();
    if short.is_empty() {
        "none".to_owned()
    } else {
        short
    }
}

/// Wishes for a reset at the next boot.
///
/// # Errors
/// When the boot partition cannot be written.
pub fn wish(partitions: &[Partition]) -> io::Result<()> {
    slot::with_loaders(partitions, |esp| whole::write(&esp.join(WISH), b"all\n"))
}

/// Fulfils a wish there is, with the data partition mounted at `place`; returns
/// how many files went.
///
/// # Errors
/// When something stays: the wish stays as well.
pub fn fulfil(partitions: &[Partition], place: &Path) -> io::Result<Option<usize>> {
    slot::with_loaders(partitions, |esp| fulfilled(esp, place))
}

fn fulfilled(esp: &Path, place: &Path) -> io::Result<Option<usize>> {
    let wish = esp.join(WISH);
    if !wish.exists() {
        return Ok(None);
    }
    let mut gone = 0;
    wipe(place, DEPTH_MAX, &mut gone)?;
    File::open(place)?.sync_all()?;
    fs::remove_file(&wish)?;
    File::open(esp)?.sync_all()?;
    Ok(Some(gone))
}

/// Writes zeros over every file, then takes it away.
fn wipe(folder: &Path, deep: usize, gone: &mut usize) -> io::Result<()> {
    let deeper = deep.checked_sub(1);
    let deeper = deeper.ok_or_else(|| io::Error::other("folders too deep"))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            wipe(&entry.path(), deeper, gone)?;
            fs::remove_dir(entry.path())?;
            continue;
        }
        if kind.is_file() {
            let mut file = File::options().write(true).open(entry.path())?;
            let mut left = file.metadata()?.len();
            let zeros = [0; 1 << 16];
            while left > 0 {
                let length =
                    usize::try_from(left).map_or(zeros.len(), |left| left.min(zeros.len()));
                file.write_all(zeros.get(..length).unwrap_or_default())?;
                left -= length as u64;
            }
            file.sync_all()?;
        }
        fs::remove_file(entry.path())?;
        *gone += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_takes_every_file_and_is_gone_with_the_last() {
        let top = std::env::temp_dir().join(format!("sbc-reset-{}", std::process::id()));
        let (esp, data) = (top.join("esp"), top.join("data"));
        fs::create_dir_all(&esp).unwrap();
        fs::create_dir_all(data.join("state/secrets")).unwrap();
        fs::write(data.join("state/secrets/user"), vec![7; 100_000]).unwrap();
        fs::write(data.join("boot.log"), "x").unwrap();
        assert_eq!(
            fulfilled(&esp, &data).unwrap(),
            None,
            "nobody wished for it"
        );
        assert!(data.join("boot.log").exists());
        whole::write(&esp.join(WISH), b"all\n").unwrap();
        assert_eq!(fulfilled(&esp, &data).unwrap(), Some(2));
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
        assert_eq!(fulfilled(&esp, &data).unwrap(), None);
        fs::remove_dir_all(&top).unwrap();
    }
}
