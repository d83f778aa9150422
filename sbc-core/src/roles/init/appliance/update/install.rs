//! A bundle that was looked at comes in; the slot that does not run holds it,
//! read back from the disk, and both loaders take it for one boot.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

use super::super::disks::Partition;
use super::super::slot::{self, Mark, PROGRAMS, other};
use super::super::verity;
use super::bundle::{Bundle, Part, Refusal};
use super::program::Program;
use super::trial::Trial;
use super::version::Version;

/// Octets at the begin of a hash tree that name the root it belongs to.
const TREE_HEAD: usize = 8192;

/// Where a bundle goes.
#[derive(Debug)]
pub struct Place<'a> {
    pub partitions: &'a [Partition],
    /// Where the boot partition is mounted.
    pub esp: &'a Path,
    /// The slot that runs, and what is in it.
    pub running: (char, Version),
    /// The hash of the configuration that runs.
    pub config: String,
}

/// Looks at all of a bundle; returns its program for UEFI.
///
/// # Errors
/// When a part is not what was signed, or the parts do not belong together.
pub fn look(bundle: &mut Bundle<File>, says: &mut dyn FnMut(&str)) -> Result<Vec<u8>, Refusal> {
    let mut uki = Vec::new();
    let mut head = Vec::new();
    bundle.part("uki", &mut |piece| {
        says("reading");
        uki.extend_from_slice(piece);
        Ok(())
    })?;
    bundle.part("tree", &mut |piece| {
        let room = TREE_HEAD.saturating_sub(head.len());
        head.extend(piece.iter().take(room));
        Ok(())
    })?;
    bundle.part("root", &mut |_| {
        says("reading");
        Ok(())
    })?;
    let program = Program::of(&uki, bundle.manifest.version)?;
    if !verity::is_tree_of(&head, &program.root) {
        return Err(Refusal::Malformed("its parts do not belong together"));
    }
    Ok(uki)
}

/// Writes a bundle into the other slot and switches both loaders to it.
///
/// # Errors
/// When the slot cannot be written, or is not what was written when it is read
/// back. The running slot stays as it is.
pub fn install(
    place: &Place<'_>,
    bundle: &mut Bundle<File>,
    uki: &[u8],
    says: &mut dyn FnMut(&str),
) -> Result<(), Refusal> {
    let (from, running) = place.running;
    let slot = other(from);
    let failed = |source: io::Error| Refusal::Slot { slot, source };
    let esp = place.esp;
    let version = bundle.manifest.version;
    // From here on no loader takes it, whatever is in it.
    slot::tell(esp, slot, Mark::Bad).map_err(failed)?;
    slot::clear(esp, slot).map_err(failed)?;
    for (part, kind) in [("root", "root"), ("tree", "hash")] {
        let node = place.node(&format!("{kind}-{slot}")).map_err(failed)?;
        let mut device = File::options().write(true).open(&node).map_err(failed)?;
        bundle.part(part, &mut |piece| {
            says("writing");
            device.write_all(piece).map_err(failed)
        })?;
        device.sync_all().map_err(failed)?;
    }
    let program = Program::of(uki, version)?;
    let new = esp.join(PROGRAMS).join(format!("sbc-{slot}_{version}.new"));
    let line = format!("set cmdline=\"{}\"\n", program.cmdline);
    let grub = |end: &str| esp.join(format!("grub/slot-{slot}.{end}"));
    let files = [
        (new.clone(), uki),
        (grub("cfg"), line.as_bytes()),
        (grub("linux"), program.kernel),
        (grub("initrd"), program.initrd),
    ];
    for (path, octets) in &files {
        says("writing");
        whole(path, octets).map_err(failed)?;
    }
    says("reading back");
    for (path, octets) in &files {
        is_there(path, octets, says).map_err(failed)?;
    }
    for (part, kind) in bundle.manifest.parts.iter().skip(1).zip(["root", "hash"]) {
        let node = place.node(&format!("{kind}-{slot}")).map_err(failed)?;
        read_back(part, &node, says)?;
    }
    let trial = Trial {
        slot,
        version,
        floor: bundle.manifest.floor,
        config: place.config.clone(),
        why: None,
    };
    // UEFI's loader knows it from here on, and prefers all that have a try left: until
    // the trial is written nobody boots it.
    let ready = esp.join(PROGRAMS).join(slot::untried(slot, version));
    fs::rename(&new, ready).map_err(failed)?;
    switch(esp, (from, running), &trial).map_err(failed)
}

/// Lets both loaders take a slot for one boot: the trial is written before, so
/// that whoever boots next knows of it.
///
/// # Errors
/// When the boot partition cannot be written.
pub fn switch(esp: &Path, (from, running): (char, Version), trial: &Trial) -> io::Result<()> {
    trial.write(esp)?;
    if trial.version < running {
        // UEFI's loader would prefer the newer one.
        slot::tell(esp, from, Mark::Last)?;
    }
    slot::tell(esp, trial.slot, Mark::Once)
}

impl Place<'_> {
    fn node(&self, name: &str) -> io::Result<PathBuf> {
        let found = self.partitions.iter().find(|one| one.name == name);
        let absent = || io::Error::other(format!("there is no partition {name}"));
        Ok(found.ok_or_else(absent)?.node.clone())
    }
}

fn whole(path: &Path, octets: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(octets)?;
    file.sync_all()
}

/// Opens something to read what the disk has of it, not what memory remembers.
fn from_disk(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(file)
}

fn is_there(path: &Path, octets: &[u8], says: &mut dyn FnMut(&str)) -> io::Result<()> {
    let mut file = from_disk(path)?;
    let mut piece = vec![0; 1 << 18];
    for wanted in octets.chunks(piece.len()) {
        says("reading back");
        let room = piece.get_mut(..wanted.len()).unwrap_or_default();
        file.read_exact(room)?;
        if room != wanted {
            let name = path.display();
            return Err(io::Error::other(format!("{name} is not what was written")));
        }
    }
    Ok(())
}

fn read_back(part: &Part, node: &Path, says: &mut dyn FnMut(&str)) -> Result<(), Refusal> {
    let mut device = from_disk(node)?;
    part.pass(&mut device, &mut |_| {
        says("reading back");
        Ok(())
    })
}
