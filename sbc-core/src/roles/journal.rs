//! The call journal: a file in memory that `init` holds and `signal` writes, one
//! place for the record of each established call. A record is with `init` as soon
//! as the write returns, and nobody has to wake for it; the next `signal` finds
//! what the one before it wrote.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, fstat, memfd_create};
use rustix::io::{pread, pwrite};

/// The octets of one place. None crosses a page of memory, so that the kernel
/// copies a record in one piece even if the writer is killed.
const PLACE: usize = 2 * 1024;

/// Octets before the record: version, length, key, sum.
const HEAD: usize = 16;

/// The version of a place. Another one is a place of nobody.
const VERSION: u8 = 1;

/// A record is at most this long: both dialogs, the last SDP of each side, ports
/// and timers.
pub const RECORD_MAX: usize = PLACE - HEAD;

/// As many records as calls a node can carry on two full Gigabit ports.
pub const RECORDS_MAX: u32 = 10_504;

/// The writer's side.
#[derive(Debug)]
pub struct Journal {
    file: OwnedFd,
    places: BTreeMap<u32, u32>,
    free: Vec<u32>,
    /// The first place that was never used.
    next: u32,
    page: Vec<u8>,
    /// Records that were over a bound or could not be written; they are calls
    /// that a restart loses.
    pub refused: u64,
}

/// Records by the key of their call.
pub type Records = Vec<(u32, Vec<u8>)>;

/// Returns an empty journal for `init` to hold.
///
/// # Errors
/// When the kernel has no memory.
pub fn create() -> io::Result<OwnedFd> {
    Ok(memfd_create("sbc-journal", MemfdFlags::CLOEXEC)?)
}

impl Journal {
    /// Takes the file; returns the writer and every whole record in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(file: OwnedFd) -> io::Result<(Self, Records)> {
        let length = usize::try_from(fstat(&file)?.st_size).unwrap_or(0);
        let mut journal = Self {
            file,
            places: BTreeMap::new(),
            free: Vec::new(),
            next: u32::try_from(length.div_ceil(PLACE)).unwrap_or(0),
            page: vec![0; PLACE],
            refused: 0,
        };
        let mut records = Vec::new();
        for place in 0..journal.next.min(RECORDS_MAX) {
            let length = pread(&journal.file, &mut journal.page, offset(place))?;
            match read(journal.page.get(..length).unwrap_or_default()) {
                Some((key, record)) => {
                    records.push((key, record.to_vec()));
                    journal.places.insert(key, place);
                }
                None => journal.free.push(place),
            }
        }
        Ok((journal, records))
    }

    /// Takes the newest record of a call. Once this returns, it outlives us.
    pub fn keep(&mut self, key: u32, record: &[u8]) {
        let place = match self.places.get(&key) {
            Some(&place) => Some(place),
            None => self.empty_place(),
        };
        let written = place.is_some_and(|place| self.write(place, key, record));
        match place {
            Some(place) if written => drop(self.places.insert(key, place)),
            Some(place) => {
                self.refused += 1;
                if !self.places.contains_key(&key) {
                    self.free.push(place);
                }
            }
            None => self.refused += 1,
        }
    }

    /// Forgets a call that ended.
    pub fn forget(&mut self, key: u32) {
        if let Some(place) = self.places.remove(&key)
            && pwrite(&self.file, &[0; HEAD], offset(place)).is_ok()
        {
            self.free.push(place);
        }
    }

    fn empty_place(&mut self) -> Option<u32> {
        if let Some(place) = self.free.pop() {
            return Some(place);
        }
        let place = self.next;
        (place < RECORDS_MAX).then(|| {
            self.next += 1;
            place
        })
    }

    fn write(&mut self, place: u32, key: u32, record: &[u8]) -> bool {
        if record.len() > RECORD_MAX {
            return false;
        }
        let Ok(length) = u16::try_from(record.len()) else {
            return false;
        };
        self.page.clear();
        self.page.extend([VERSION, 0]);
        self.page.extend(length.to_le_bytes());
        self.page.extend(key.to_le_bytes());
        self.page.extend(sum(key, record).to_le_bytes());
        self.page.extend(record);
        let written = pwrite(&self.file, &self.page, offset(place));
        written.is_ok_and(|written| written == self.page.len())
    }
}

fn offset(place: u32) -> u64 {
    u64::from(place) * PLACE as u64
}

/// Returns key and record of a place, if it holds a whole one.
fn read(place: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = place.split_first_chunk::<HEAD>()?;
    let [version, _, l0, l1, k0, k1, k2, k3, s @ ..] = *head;
    let key = u32::from_le_bytes([k0, k1, k2, k3]);
    let record = rest.get(..usize::from(u16::from_le_bytes([l0, l1])))?;
    let whole = version == VERSION && u64::from_le_bytes(s) == sum(key, record);
    whole.then_some((key, record))
}

/// FNV-1a: it tells a torn record, not a forged one; nobody else has the file.
fn sum(key: u32, record: &[u8]) -> u64 {
    let octets = key.to_le_bytes().into_iter().chain(record.iter().copied());
    octets.fold(0xcbf2_9ce4_8422_2325, |sum, octet| {
        (sum ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use super::{Journal, PLACE, RECORD_MAX, RECORDS_MAX, create};

    fn journal() -> (Journal, OwnedFd) {
        let file = create().unwrap();
        let ours = file.as_fd().try_clone_to_owned().unwrap();
        let (journal, records) = Journal::open(file).unwrap();
        assert!(records.is_empty());
        (journal, ours)
    }

    fn found(file: &OwnedFd) -> Vec<(u32, Vec<u8>)> {
        let file = file.as_fd().try_clone_to_owned().unwrap();
        let mut records = Journal::open(file).unwrap().1;
        records.sort();
        records
    }

    #[test]
    fn the_next_writer_finds_the_newest_record_of_each_call() {
        let (mut journal, file) = journal();
        journal.keep(7, &[1]);
        journal.keep(7, &[2, 2]);
        journal.keep(8, &[3]);
        journal.keep(9, &[4]);
        journal.forget(8);
        // It died here, without a word.
        drop(journal);
        assert_eq!(found(&file), [(7, vec![2, 2]), (9, vec![4])]);
    }

    #[test]
    fn a_place_is_used_again_by_the_writer_and_by_the_next_one() {
        let (mut journal, file) = journal();
        for key in 0..1_000 {
            journal.keep(key, &[0; 700]);
            journal.forget(key);
        }
        let length = || rustix::fs::fstat(&file).unwrap().st_size;
        assert!(length() <= PLACE as i64);
        let (mut next, _) = Journal::open(file.as_fd().try_clone_to_owned().unwrap()).unwrap();
        next.keep(5, &[0; 700]);
        assert!(length() <= PLACE as i64);
    }

    #[test]
    fn a_record_over_a_bound_is_counted_and_the_others_stay() {
        let (mut journal, file) = journal();
        journal.keep(1, &[0; RECORD_MAX + 1]);
        assert_eq!((journal.refused, found(&file).len()), (1, 0));
        for key in 0..=RECORDS_MAX {
            journal.keep(key, &[0]);
        }
        assert_eq!(journal.refused, 2);
        journal.keep(0, &[9; RECORD_MAX]);
        assert_eq!(found(&file).first(), Some(&(0, vec![9; RECORD_MAX])));
    }

    #[test]
    fn a_torn_record_is_none_and_its_place_is_free() {
        let (mut journal, file) = journal();
        journal.keep(1, &[1; 100]);
        journal.keep(2, &[2; 100]);
        rustix::io::pwrite(&file, &[7], 50).unwrap();
        assert_eq!(found(&file), [(2, vec![2; 100])]);
        let (mut next, _) = Journal::open(file.as_fd().try_clone_to_owned().unwrap()).unwrap();
        next.keep(3, &[3]);
        assert_eq!(found(&file), [(2, vec![2; 100]), (3, vec![3])]);
    }
}
