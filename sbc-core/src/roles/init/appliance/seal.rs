//! The names of modules that the product can need after its boot come in and are
//! loaded; from there on the kernel takes no module and no other kernel, whoever
//! asks for it. It comes as soon as the node is ready, or has had its time to be.

use std::fs;
use std::io;

use super::modules::Modules;
use super::words;

/// What the kernel asks for, or a volume needs, long after the boot.
const LATER: [(&str, &str); 20] = [
    ("8021q", "a commit brings the first VLAN"),
    ("ip_gre", "a commit brings the first tunnel"),
    ("xfrm_user", "charon tells the kernel its associations"),
    ("esp4", "the first association, over IPv4"),
    ("esp6", "the same over IPv6"),
    ("gcm", "AES-GCM of an association (RFC 4106)"),
    ("ctr", "its counter"),
    ("ghash_generic", "its sum"),
    ("seqiv", "its numbers that never come twice"),
    ("nf_tables", "rules"),
    ("nft_ct", "rules that know a connection"),
    ("nft_limit", "rules with a rate"),
    ("nft_log", "rules that tell"),
    ("sch_htb", "a shaper"),
    ("sch_fq_codel", "a shaper's queues"),
    ("vfat", "the files of a volume"),
    ("nls_ascii", "names of files"),
    ("nls_cp437", "the same, short ones"),
    ("nls_utf8", "the same, of other volumes"),
    ("ext4", "the data partition"),
];

/// What may be plugged in later, where its bus is: the module of the bus, which its
/// controller has loaded by now, the module, and the reason.
const PLUGGED: [(&str, &str, &str); 4] = [
    (
        "usbcore",
        "usb_storage",
        "a stick with an update or a configuration",
    ),
    ("usbcore", "uas", "the same for newer sticks"),
    ("scsi_mod", "sd_mod", "the disk that a stick is"),
    (
        "virtio_pci",
        "virtio_blk",
        "a disk given to a virtual machine while it runs",
    ),
];

/// Instructions of some processors: others go without.
const FASTER: [&str; 2] = ["aesni_intel", "ghash_clmulni_intel"];

/// What is written 1 and then cannot be written 0 again.
const NO_KERNEL: &str = "/proc/sys/kernel/kexec_load_disabled";
const NO_MODULE: &str = "/proc/sys/kernel/modules_disabled";
/// What is in no hurry.
const LAST: i32 = 19;

/// Lets the kernel take no other kernel any more.
///
/// # Errors
/// When its switch does not read back as 1.
pub fn begin() -> io::Result<()> {
    turn(NO_KERNEL)
}

/// Loads what can be needed later, and seals the kernel. Whoever has something to do
/// goes before this thread.
///
/// # Errors
/// When there is no table of modules, or the switch does not read back as 1.
pub fn close() -> io::Result<()> {
    let _goes_on_anyway = rustix::process::setpriority_process(None, LAST);
    let modules = &Modules::read()?;
    for name in FASTER {
        let _another_processor = modules.load(name);
    }
    for (name, reason) in LATER {
        load(modules, name, reason);
    }
    for (bus, name, reason) in PLUGGED {
        if super::modules::is_loaded(bus) {
            load(modules, name, reason);
        }
    }
    turn(NO_MODULE)?;
    words::note("sealed: the kernel takes no module and no other kernel");
    Ok(())
}

fn load(modules: &Modules, name: &str, reason: &str) {
    match modules.load(name) {
        Ok(()) => {}
        // It is built into this kernel.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => words::say(&format!("{error}; missing until the next boot: {reason}")),
    }
}

/// Returns whether the kernel takes no module any more.
#[must_use]
pub fn is_closed() -> bool {
    is_one(NO_MODULE)
}

/// Writes 1, and reads it back.
fn turn(switch: &str) -> io::Result<()> {
    fs::write(switch, "1").map_err(|error| io::Error::other(format!("{switch}: {error}")))?;
    if is_one(switch) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{switch} is not 1 after it was set"
    )))
}

fn is_one(switch: &str) -> bool {
    fs::read_to_string(switch).is_ok_and(|text| text.trim_end() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_that_does_not_read_back_as_1_is_an_error_in_words() {
        let path = std::env::temp_dir().join(format!("sbc-switch-{}", std::process::id()));
        let switch = path.display().to_string();
        fs::write(&path, "0\n").unwrap();
        turn(&switch).unwrap();
        assert!(is_one(&switch));
        fs::remove_file(&path).unwrap();
        let null = turn("/dev/null").unwrap_err();
        assert_eq!(null.to_string(), "/dev/null is not 1 after it was set");
        let absent = turn("/nowhere/at/all").unwrap_err();
        assert!(absent.to_string().starts_with("/nowhere/at/all: "));
    }

    #[test]
    fn every_module_for_later_has_its_reason_and_is_named_once() {
        let plugged = PLUGGED.iter().map(|(_, name, reason)| (*name, *reason));
        let rows: Vec<_> = LATER.into_iter().chain(plugged).collect();
        let names: std::collections::BTreeSet<_> = rows.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), rows.len());
        assert!(rows.iter().all(|(_, reason)| !reason.is_empty()));
    }
}
