//! The boot partition, before its first use: what a power cut left on it is put in
//! order while nobody else has it.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;
use sbc_core::fat::{Mended, mend};

use super::disks::Partition;
use super::words;

/// Mends the boot partition if its last user did not leave it in order, and says what
/// was done. One that cannot be mended is left to the kernel.
pub fn in_order(partitions: &[Partition]) {
    match look(partitions) {
        Ok(None) => {}
        Ok(Some(mended)) if mended.is_nothing() => words::note("boot partition: in order"),
        Ok(Some(mended)) => words::note(&said(mended)),
        Err(error) => words::say(&format!("boot partition: left as it is: {error}")),
    }
}

fn look(partitions: &[Partition]) -> io::Result<Option<Mended>> {
    let Some(esp) = partitions.iter().find(|one| one.name == "esp") else {
        return Ok(None);
    };
    let mut options = File::options();
    options.read(true).write(true);
    // The kernel refuses it while the partition is mounted.
    options.custom_flags(OFlags::EXCL.bits().cast_signed());
    mend(&options.open(&esp.node)?).map_err(io::Error::other)
}

fn said(mended: Mended) -> String {
    let Mended {
        freed,
        names,
        files,
    } = mended;
    let kib = freed / 1024;
    format!(
        "boot partition: after a power cut {kib} KiB are free again, {names} names removed, \
         {files} files shortened"
    )
}
