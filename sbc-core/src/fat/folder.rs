//! The octets of a folder come in, the entries that lead to clusters go out, with the
//! places on the volume where each is written; and parts of names that lead nowhere.

/// Octets of an entry.
pub const ENTRY: usize = 32;
/// What the first octet of an entry becomes when its file is removed.
pub const REMOVED: u8 = 0xe5;
/// Where an entry has the upper half of its first cluster's number.
pub const UPPER_AT: u64 = 20;
/// Where it has the lower half.
pub const LOWER_AT: u64 = 26;
/// Where it has the octets of its file.
pub const LENGTH_AT: u64 = 28;
/// Kinds of entries: part of a long name, a volume's name, a folder.
const LONG: u8 = 0x0f;
const LABEL: u8 = 0x08;
const FOLDER: u8 = 0x10;
/// In the first octet of the first part of a long name.
const FIRST_PART: u8 = 0x40;
/// Octets of a short name.
const SHORT: usize = 11;
/// Ends of short names of files that are given their real name once they are whole:
/// `.half` and `.new`.
const HALVES: [&[u8; 3]; 2] = [b"HAL", b"NEW"];

/// A name, and what it leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Where it is written, in octets from the volume's start.
    pub at: u64,
    /// Where the parts of its long name are written.
    pub long: Vec<u64>,
    /// Its first cluster; 0 for none.
    pub first: u32,
    /// Octets of the file.
    pub length: u32,
    pub is_folder: bool,
    /// Its file is only called so until it is whole.
    pub is_half: bool,
}

/// What is written in a folder.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Folder {
    pub entries: Vec<Entry>,
    /// Where parts of long names are written that no entry follows.
    pub orphans: Vec<u64>,
}

/// Reads a folder; `octets` are its clusters and `places` where each of them lies
/// (Microsoft's FAT specification 1.03, "FAT Directory Structure" and "FAT Long
/// Directory Entries").
pub fn read(octets: &[u8], places: &[u64], cluster: u64) -> Folder {
    let mut folder = Folder::default();
    let mut parts = Vec::new();
    let (entries, _) = octets.as_chunks::<ENTRY>();
    for (number, entry) in entries.iter().enumerate() {
        let inside = (number * ENTRY) as u64;
        let place = places.get((inside / cluster) as usize);
        let at = place.copied().unwrap_or_default() + inside % cluster;
        let [head, .., kind, _, sum] = entry.first_chunk::<14>().unwrap_or(&[0; 14]);
        if *head == 0 {
            break;
        }
        if *kind == LONG && *head != REMOVED {
            if head & FIRST_PART != 0 {
                folder.orphans.extend(places_of(&mut parts));
            }
            parts.push((at, *sum));
            continue;
        }
        let is_file = *head != REMOVED && *head != b'.' && kind & LABEL == 0;
        let is_its = parts.iter().all(|(_, sum)| *sum == sum_of(entry));
        let long = places_of(&mut parts);
        match (is_file, is_its) {
            (true, true) => folder.entries.push(one(entry, at, long, *kind)),
            (true, false) => {
                folder.orphans.extend(long);
                folder.entries.push(one(entry, at, Vec::new(), *kind));
            }
            (false, _) => folder.orphans.extend(long),
        }
    }
    folder.orphans.extend(places_of(&mut parts));
    folder
}

fn places_of(parts: &mut Vec<(u64, u8)>) -> Vec<u64> {
    parts.drain(..).map(|(at, _)| at).collect()
}

/// The sum over a short name that each part of its long name has.
fn sum_of(entry: &[u8; ENTRY]) -> u8 {
    let name = entry.iter().take(SHORT);
    name.fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}

fn one(entry: &[u8; ENTRY], at: u64, long: Vec<u64>, kind: u8) -> Entry {
    let byte = |place: u64| entry.get(place as usize).copied().unwrap_or_default();
    let half = |place| u32::from(u16::from_le_bytes([byte(place), byte(place + 1)]));
    let end = entry.get(8..11).unwrap_or_default();
    Entry {
        at,
        long,
        first: (half(UPPER_AT) << 16 | half(LOWER_AT)) & 0x0fff_ffff,
        length: half(LENGTH_AT) | half(LENGTH_AT + 2) << 16,
        is_folder: kind & FOLDER != 0,
        is_half: HALVES.iter().any(|half| end == half.as_slice()),
    }
}
