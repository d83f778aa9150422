//! A boot partition as a power cut left it comes in; out goes one in which every
//! cluster that is taken has one name that leads to it (Microsoft's FAT specification
//! 1.03). FAT keeps no record of what was begun: a file that was being written or
//! removed leaves clusters that nobody can take any more, and a file that was being
//! renamed has two names, of which removing one would take the file from the other.
//!
//! It is for a volume that nobody has mounted. Each step leaves a volume that a cut may
//! leave, so that the next boot goes on where this one ended.

mod folder;
mod form;
mod table;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use folder::{Entry, Folder};
use form::{DIRTY, Form, SECTOR, STATE_AT};
use table::{Chain, Table};

/// Entries of all folders together, at most: a boot partition has twenty.
const ENTRIES_MAX: usize = 4096;
/// Where the sector of counts has the number of free clusters, and the first of them.
const COUNTS_AT: u64 = 488;
/// How that sector begins.
const COUNTS: &[u8; 4] = b"RRaA";
/// Where in the table its second entry lies.
const MARK_AT: u64 = 4;
/// A loader that writes takes this bit out of it until it is done.
const IN_ORDER: u32 = 0x0800_0000;

/// Why a volume is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum Odd {
    #[error("it is not a FAT32 filesystem of the form a boot partition has")]
    Form,
    #[error("a folder has no place of its own")]
    Folder,
    #[error("more than {ENTRIES_MAX} names")]
    Many,
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// What was mended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mended {
    /// Octets that no name led to, and are free again.
    pub freed: u64,
    /// Names that were removed: the second of a file, and parts that no file follows.
    pub names: u32,
    /// Files that had fewer octets than their names said, or a cluster that was not theirs.
    pub files: u32,
}

impl Mended {
    /// Returns whether all was well.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Mends a volume that its last user did not leave in order, and says so on it;
/// returns what was mended, nothing if it was left in order.
///
/// # Errors
/// When it cannot be read, or is odd in a way that no power cut makes it; it is then as
/// it was. When it cannot be written; it is then as a cut may leave it.
pub fn mend(device: &File) -> Result<Option<Mended>, Odd> {
    let mut head = [0; SECTOR];
    device.read_exact_at(&mut head, 0)?;
    let form = Form::of(&head)?;
    let state = head.get(STATE_AT).copied().unwrap_or_default();
    let mut mark = [0; 4];
    device.read_exact_at(&mut mark, form.table + MARK_AT)?;
    if state & DIRTY == 0 && u32::from_le_bytes(mark) & IN_ORDER != 0 {
        return Ok(None);
    }
    let mut octets = vec![0; usize::try_from(form.length).map_err(|_| Odd::Form)?];
    device.read_exact_at(&mut octets, form.table)?;
    let mut volume = Volume {
        device,
        form,
        table: Table::of(form, &octets),
        changes: Vec::new(),
        mended: Mended::default(),
    };
    volume.table.mark(IN_ORDER);
    volume.look()?;
    volume.write(&octets)?;
    device.write_all_at(&[state & !DIRTY], STATE_AT as u64)?;
    device.sync_all()?;
    Ok(Some(volume.mended))
}

/// A volume that is looked at.
struct Volume<'a> {
    device: &'a File,
    form: Form,
    table: Table,
    /// What is to be written to its folders, and where.
    changes: Vec<(u64, Vec<u8>)>,
    mended: Mended,
}

impl Volume<'_> {
    /// Finds out what is to be written, and writes nothing.
    fn look(&mut self) -> Result<(), Odd> {
        let (whole, halves): (Vec<_>, Vec<_>) =
            self.files()?.into_iter().partition(|file| !file.is_half);
        // Of two names of a file the one that it is to keep comes first.
        for file in whole.iter().chain(&halves) {
            self.file(file);
        }
        let freed = u64::from(self.table.free_lost());
        self.mended.freed = freed * self.form.cluster;
        Ok(())
    }

    /// Goes through all folders; returns the files in them.
    fn files(&mut self) -> Result<Vec<Entry>, Odd> {
        let mut files = Vec::new();
        let mut folders = vec![self.form.root];
        let mut seen = 0;
        while let Some(first) = folders.pop() {
            let Folder { entries, orphans } = self.folder(first)?;
            seen += entries.len();
            if seen > ENTRIES_MAX {
                return Err(Odd::Many);
            }
            self.remove(&orphans);
            self.mended.names += u32::try_from(orphans.len()).unwrap_or(u32::MAX);
            for entry in entries {
                if entry.is_folder {
                    folders.push(entry.first);
                } else {
                    files.push(entry);
                }
            }
        }
        Ok(files)
    }

    fn folder(&mut self, first: u32) -> Result<Folder, Odd> {
        let mut places = Vec::new();
        let form = self.form;
        let chain = self
            .table
            .own(first, u32::MAX, |one| places.push(form.place(one)));
        let Chain::Over(_) = chain else {
            return Err(Odd::Folder);
        };
        if places.len() as u64 * form.cluster > (ENTRIES_MAX * folder::ENTRY) as u64 {
            return Err(Odd::Many);
        }
        let mut octets = Vec::new();
        for place in &places {
            let mut cluster = vec![0; usize::try_from(form.cluster).map_err(|_| Odd::Form)?];
            self.device.read_exact_at(&mut cluster, *place)?;
            octets.extend(cluster);
        }
        Ok(folder::read(&octets, &places, form.cluster))
    }

    /// Gives a file what its name leads to.
    fn file(&mut self, file: &Entry) {
        if file.first == 0 && file.length == 0 {
            return;
        }
        let most = u64::from(file.length).div_ceil(self.form.cluster);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        match self.table.own(file.first, most, |_| ()) {
            Chain::Owned => {
                self.remove(&file.long);
                self.remove(&[file.at]);
                self.mended.names += 1;
            }
            Chain::Nowhere => {
                for at in [folder::UPPER_AT, folder::LOWER_AT] {
                    self.changes.push((file.at + at, vec![0; 2]));
                }
                self.shorten(file, 0);
            }
            Chain::Over(clusters) => {
                let room = u64::from(clusters) * self.form.cluster;
                if let Ok(room) = u32::try_from(room)
                    && file.length > room
                {
                    self.shorten(file, room);
                }
            }
        }
    }

    /// Removes what is written at these places of folders.
    fn remove(&mut self, places: &[u64]) {
        let removed = places.iter().map(|at| (*at, vec![folder::REMOVED]));
        self.changes.extend(removed);
    }

    fn shorten(&mut self, file: &Entry, length: u32) {
        let octets = length.to_le_bytes().to_vec();
        self.changes.push((file.at + folder::LENGTH_AT, octets));
        self.mended.files += 1;
    }

    /// Writes all of it: names before what they no longer lead to, and the table the
    /// kernel reads before its copy.
    fn write(&self, before: &[u8]) -> io::Result<()> {
        for (at, octets) in &self.changes {
            self.device.write_all_at(octets, *at)?;
        }
        self.device.sync_all()?;
        let after = self.table.octets();
        if after != before {
            self.device.write_all_at(&after, self.form.table)?;
            self.device.sync_all()?;
        }
        let at = self.form.table + self.form.length;
        let mut copy = vec![0; after.len()];
        self.device.read_exact_at(&mut copy, at)?;
        if copy != after {
            self.device.write_all_at(&after, at)?;
        }
        self.count()?;
        self.device.sync_all()
    }

    /// Counts what is free, if the volume has a place for it.
    fn count(&self) -> io::Result<()> {
        let mut begin = [0; 4];
        self.device.read_exact_at(&mut begin, self.form.info)?;
        if &begin != COUNTS {
            return Ok(());
        }
        let (free, first) = self.table.free();
        let octets = [free.to_le_bytes(), first.to_le_bytes()].concat();
        self.device
            .write_all_at(&octets, self.form.info + COUNTS_AT)
    }
}
