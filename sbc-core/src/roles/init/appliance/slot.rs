//! A slot comes in; the boot loaders are told that it is good, or that it must
//! not be tried again. UEFI's loader counts in file names (`sbc-a_0.1.0+2-1.efi`
//! has two tries left), GRUB in its block of variables.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::disks::Partition;
use super::mounts;

const PLACE: &str = "/run/esp";
/// Octets of GRUB's block of variables.
const ENV: usize = 1024;

/// What the loaders are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mark {
    /// It came up: no more counting.
    Good,
    /// It is broken: no more tries.
    Bad,
}

/// Tells both loaders. Each step leaves either the old or the new state, also
/// when the power goes.
///
/// # Errors
/// When the boot partition cannot be mounted or written.
pub fn mark(partitions: &[Partition], letter: char, mark: Mark) -> io::Result<()> {
    let esp = partitions.iter().find(|one| one.name == "esp");
    let esp = esp.ok_or_else(|| io::Error::other("there is no boot partition"))?;
    let place = Path::new(PLACE);
    mounts::boot(&esp.node, place)?;
    let told = tell(place, letter, mark);
    rustix::mount::unmount(place, rustix::mount::UnmountFlags::empty())?;
    told
}

fn tell(esp: &Path, letter: char, mark: Mark) -> io::Result<()> {
    let folder = esp.join("EFI/Linux");
    if let Ok(entries) = fs::read_dir(&folder) {
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(new) = renamed(&name, letter, mark)
                && new != name
            {
                fs::rename(entry.path(), folder.join(new))?;
            }
        }
        File::open(&folder)?.sync_all()?;
    }
    let env = esp.join("grub/grubenv");
    if let Ok(old) = fs::read(&env)
        && let Some(new) = changed(&old, &format!("left_{letter}"), grub_word(mark))
        && new != old
    {
        let half = esp.join("grub/grubenv.tmp");
        let mut file = File::create(&half)?;
        file.write_all(&new)?;
        file.sync_all()?;
        fs::rename(&half, &env)?;
        File::open(esp.join("grub"))?.sync_all()?;
    }
    Ok(())
}

const fn grub_word(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "good",
        Mark::Bad => "0",
    }
}

/// Returns the new name of a file that belongs to the slot.
fn renamed(name: &str, letter: char, mark: Mark) -> Option<String> {
    let stem = name.strip_suffix(".efi")?;
    stem.strip_prefix(&format!("sbc-{letter}_"))?;
    let (bare, _) = stem.rsplit_once('+').unwrap_or((stem, ""));
    Some(match mark {
        Mark::Good => format!("{bare}.efi"),
        Mark::Bad => format!("{bare}+0-3.efi"),
    })
}

/// Returns GRUB's block with one variable changed.
fn changed(block: &[u8], name: &str, value: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(block).ok()?;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match line.split_once('=') {
            Some((found, _)) if found == name => lines.push(format!("{name}={value}\n")),
            Some(_) => lines.push(format!("{line}\n")),
            None if line.starts_with("# GRUB") => lines.push(format!("{line}\n")),
            None => {}
        }
    }
    let mut bytes = lines.concat().into_bytes();
    bytes.resize(ENV.max(bytes.len()), b'#');
    (bytes.len() == ENV).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_slot_loses_its_counter_or_its_tries() {
        let name = "sbc-a_0.1.0+2-1.efi";
        assert_eq!(renamed(name, 'a', Mark::Good).unwrap(), "sbc-a_0.1.0.efi");
        assert_eq!(
            renamed(name, 'a', Mark::Bad).unwrap(),
            "sbc-a_0.1.0+0-3.efi"
        );
        let blessed = "sbc-a_0.1.0.efi";
        assert_eq!(renamed(blessed, 'a', Mark::Good).unwrap(), blessed);
        assert_eq!(renamed(name, 'b', Mark::Good), None);
        assert_eq!(renamed("other.efi", 'a', Mark::Bad), None);
    }

    #[test]
    fn a_variable_changes_and_the_block_keeps_its_size() {
        let mut block = b"# GRUB Environment Block\norder=a b\nleft_a=2\nleft_b=0\n".to_vec();
        block.resize(ENV, b'#');
        let good = changed(&block, "left_a", "good").unwrap();
        assert_eq!(good.len(), ENV);
        let text = String::from_utf8(good).unwrap();
        assert!(text.starts_with("# GRUB Environment Block\norder=a b\nleft_a=good\nleft_b=0\n#"));
    }

    #[test]
    fn both_loaders_are_told() {
        let esp = std::env::temp_dir().join(format!("sbc-esp-{}", std::process::id()));
        fs::create_dir_all(esp.join("EFI/Linux")).unwrap();
        fs::create_dir_all(esp.join("grub")).unwrap();
        fs::write(esp.join("EFI/Linux/sbc-b_0.2.0+1-2.efi"), "x").unwrap();
        let mut block = b"# GRUB Environment Block\nleft_b=1\n".to_vec();
        block.resize(ENV, b'#');
        fs::write(esp.join("grub/grubenv"), block).unwrap();
        tell(&esp, 'b', Mark::Good).unwrap();
        let kept = esp.join("EFI/Linux/sbc-b_0.2.0.efi").exists();
        let env = fs::read_to_string(esp.join("grub/grubenv")).unwrap();
        fs::remove_dir_all(&esp).unwrap();
        assert!(kept && env.contains("left_b=good\n"), "{env}");
    }
}
