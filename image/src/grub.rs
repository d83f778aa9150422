//! GRUB's own pieces come in; what a BIOS starts goes out: the first sector of
//! the disk, the core image of its partition, the menu that picks a slot, and
//! the block of variables the menu and the node share.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::tools::Tools;

/// Modules built into the core image: all the menu below needs.
const MODULES: &[&str] = &[
    "biosdisk",
    "part_gpt",
    "fat",
    "normal",
    "linux16",
    "loadenv",
    "test",
    "echo",
    "reboot",
    "sleep",
    "configfile",
    "true",
    "serial",
    "terminal",
];
/// Where GRUB finds its files: the second partition of the disk it came from.
const PREFIX: &str = "(,gpt2)/grub";
/// Octets of a sector.
const SECTOR: usize = 512;
/// Octets of the first sector that are code; partitions follow.
pub const CODE: usize = 440;
/// Octets of the block of variables.
pub const ENV_SIZE: usize = 1024;
const ENV_HEAD: &str = "# GRUB Environment Block\n";

/// Returns the code of the first sector, and the core image that lies from
/// sector `core_at` on.
///
/// # Errors
/// When GRUB's program fails or its pieces have another form.
pub fn loader(
    tools: &Tools,
    pieces: &Path,
    core_at: u64,
    room: u64,
) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let out = tools.scratch("core.img");
    let place = |path: &Path| path.display().to_string();
    tools.run(
        "usr/bin/grub-mkimage",
        &[
            &[
                "-O",
                "i386-pc",
                "-d",
                &place(pieces),
                "-p",
                PREFIX,
                "-o",
                &place(&out),
            ],
            MODULES,
        ]
        .concat(),
        &[],
    )?;
    let core = std::fs::read(&out)?;
    let boot = std::fs::read(pieces.join("boot.img"))?;
    let core = patch_core(core, core_at).context("grub's core image")?;
    ensure!(
        core.len() as u64 <= room * SECTOR as u64,
        "grub's core image has {} octets",
        core.len()
    );
    let boot = patch_boot(boot, core_at).context("grub's boot.img")?;
    Ok((boot, core))
}

/// Tells the first sector where the core lies: at 0x5c its sector, and at 0x66
/// two octets that would trust the drive number of a broken BIOS.
fn patch_boot(mut boot: Vec<u8>, core_at: u64) -> Option<Vec<u8>> {
    boot.get_mut(0x5c..0x64)?
        .copy_from_slice(&core_at.to_le_bytes());
    boot.get_mut(0x66..0x68)?.copy_from_slice(&[0x90, 0x90]);
    boot.truncate(CODE);
    Some(boot)
}

/// Tells the core's first sector where the others lie: at 0x1f4 their first
/// sector, at 0x1fc how many.
fn patch_core(mut core: Vec<u8>, core_at: u64) -> Option<Vec<u8>> {
    core.resize(core.len().next_multiple_of(SECTOR), 0);
    let rest = u16::try_from(core.len() / SECTOR - 1).ok()?;
    core.get_mut(0x1f4..0x1fc)?
        .copy_from_slice(&(core_at + 1).to_le_bytes());
    core.get_mut(0x1fc..0x1fe)?
        .copy_from_slice(&rest.to_le_bytes());
    Some(core)
}

/// The menu. `order` names the slots, the preferred one first; a slot has
/// `good` (blessed), a number of tries that are left, or 0. When none has a try
/// left, the first that holds anything is booted: a power that fails again and again
/// must not leave a machine that never starts. The kernel is started by its 16-bit
/// entry: for the other one GRUB moves all the memory the kernel will ever unpack
/// itself into, 58 MB octet by octet, and it is loaded before it is moved.
pub const MENU: &str = "\
set timeout=0
load_env --file $prefix/grubenv order left_a left_b
set slot=
for one in $order; do
  if [ -z \"$slot\" -a $one = a -a \"$left_a\" != 0 ]; then set slot=a; set left=$left_a; fi
  if [ -z \"$slot\" -a $one = b -a \"$left_b\" != 0 ]; then set slot=b; set left=$left_b; fi
done
for one in $order; do
  if [ -z \"$slot\" -a -f $prefix/slot-$one.cfg ]; then set slot=$one; set left=0; fi
done
if [ -z \"$slot\" ]; then serial --unit=0 --speed=115200; terminal_output serial console; echo \"sbc: no slot is left to try\"; sleep 10; reboot; fi
if [ \"$left\" = 3 ]; then set left=2
elif [ \"$left\" = 2 ]; then set left=1
elif [ \"$left\" = 1 ]; then set left=0
fi
if [ $slot = a ]; then set left_a=$left; else set left_b=$left; fi
save_env --file $prefix/grubenv left_a left_b
source $prefix/slot-$slot.cfg
linux16 ($root)/grub/slot-$slot.linux $cmdline sbc.slot=$slot
initrd16 ($root)/grub/slot-$slot.initrd
boot
";

/// Returns the file that tells the menu a slot's command line.
#[must_use]
pub fn slot(cmdline: &str) -> Vec<u8> {
    format!("set cmdline=\"{cmdline}\"\n").into_bytes()
}

/// Returns a block of variables.
///
/// # Errors
/// When they do not fit.
pub fn env(variables: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = ENV_HEAD.as_bytes().to_vec();
    for (name, value) in variables {
        bytes.extend(format!("{name}={value}\n").bytes());
    }
    ensure!(bytes.len() <= ENV_SIZE, "grub's variables do not fit");
    bytes.resize(ENV_SIZE, b'#');
    Ok(bytes)
}

/// Reads a block of variables back.
#[must_use]
pub fn read_env(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let lines = text.strip_prefix(ENV_HEAD)?.lines();
    let lines = lines.filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    lines.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_back_from_a_block_of_fixed_size() {
        let block = env(&[("order", "a b"), ("left_a", "3")]).unwrap();
        assert_eq!(block.len(), ENV_SIZE);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let wanted = vec![pair("order", "a b"), pair("left_a", "3")];
        assert_eq!(read_env(&block), Some(wanted));
        assert_eq!(read_env(b"order=a"), None);
        assert!(env(&[("x", &"y".repeat(ENV_SIZE))]).is_err());
    }

    #[test]
    fn pieces_learn_where_the_core_lies() {
        let boot = patch_boot(vec![1; 512], 2048).unwrap();
        assert_eq!(boot.len(), CODE);
        assert_eq!(boot[0x5c..0x64], 2048_u64.to_le_bytes());
        assert_eq!(boot[0x66..0x68], [0x90, 0x90]);
        let core = patch_core(vec![1; 1025], 2048).unwrap();
        assert_eq!(core.len(), 1536);
        assert_eq!(core[0x1f4..0x1fc], 2049_u64.to_le_bytes());
        assert_eq!(core[0x1fc..0x1fe], [2, 0]);
        assert_eq!(core[0x1fe], 1, "the segment stays");
    }
}
