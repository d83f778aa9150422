//! Files come in, a FAT32 filesystem goes out (Microsoft's FAT specification
//! 1.03, with long names); and back. Each file lies in one piece, so that a
//! boot loader reads it fast; all times are one.

use std::collections::BTreeMap;

/// Octets of a sector.
const SECTOR: usize = 512;
/// Sectors of a cluster: two, so that 96 MiB still are FAT32.
const PER_CLUSTER: usize = 2;
const CLUSTER: usize = SECTOR * PER_CLUSTER;
/// Sectors before the first table.
const RESERVED: usize = 32;
/// Fewer clusters than this would be FAT16.
const CLUSTERS_MIN: usize = 65_525;
const ENTRY: usize = 32;
const FOLDER: u8 = 0x10;
const LABEL: u8 = 0x08;
const LONG: u8 = 0x0f;
const LETTERS: usize = 13;
/// The last cluster of a chain.
const LAST: u32 = 0x0fff_ffff;
/// Folders inside folders, at most, when read.
const DEPTH_MAX: usize = 8;

/// Files by path; a path has no slash at its start.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Why there is no filesystem.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Too small for FAT32, or too small for the files.
    #[error("{wanted} clusters are wanted, and the filesystem has {there}")]
    Size { wanted: usize, there: usize },
    /// It does not read as FAT32 of this form.
    #[error("not a FAT32 filesystem of this writer's form: {0}")]
    Malformed(&'static str),
}

/// What is written beside files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Form<'a> {
    /// Octets of the filesystem.
    pub size: usize,
    /// Its label, at most 11 letters.
    pub label: &'a str,
    /// Its number.
    pub serial: u32,
    /// The time of all entries, seconds since 1970.
    pub time: u64,
}

struct Writer {
    table: Vec<u32>,
    data: Vec<u8>,
    clusters: usize,
    stamp: [u8; 4],
}

/// Returns the filesystem, from its first octet to the last that is in use; what
/// follows up to its size is zero.
///
/// # Errors
/// When the files do not fit.
pub fn write(form: &Form<'_>, files: &Files) -> Result<Vec<u8>, Unfit> {
    let sectors = form.size / SECTOR;
    let table_sectors = ((sectors - RESERVED.min(sectors)) / PER_CLUSTER * 4).div_ceil(SECTOR);
    let there = sectors.saturating_sub(RESERVED + 2 * table_sectors) / PER_CLUSTER;
    if there < CLUSTERS_MIN {
        let wanted = CLUSTERS_MIN;
        return Err(Unfit::Size { wanted, there });
    }
    let mut writer = Writer {
        table: vec![0x0fff_fff8, LAST],
        data: Vec::new(),
        clusters: there,
        stamp: stamp(form.time),
    };
    // The root comes first in the filesystem, so its length must be known: a
    // first pass with a writer that is thrown away tells it.
    let root = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    let root: Vec<_> = root.collect();
    let label = entry(&padded(form.label, 11), LABEL, 0, 0, writer.stamp);
    let first = writer.reserve(label.len() + room_of(&root))?;
    let mut listing = label;
    listing.extend(writer.folder(&root, "", first)?);
    writer.fill(first, &listing);
    let mut bytes = head(form, sectors, table_sectors, &writer);
    bytes.resize(RESERVED * SECTOR, 0);
    let mut table: Vec<u8> = writer
        .table
        .iter()
        .flat_map(|one| one.to_le_bytes())
        .collect();
    table.resize(table_sectors * SECTOR, 0);
    bytes.extend(&table);
    bytes.extend(&table);
    bytes.extend(&writer.data);
    Ok(bytes)
}

impl Writer {
    /// Takes clusters for so many octets, in one piece; returns the first.
    fn reserve(&mut self, octets: usize) -> Result<u32, Unfit> {
        if octets == 0 {
            return Ok(0);
        }
        let (wanted, there) = (octets.div_ceil(CLUSTER), self.clusters);
        if self.table.len() - 2 + wanted > there {
            let wanted = self.table.len() - 2 + wanted;
            return Err(Unfit::Size { wanted, there });
        }
        let first = self.table.len() as u32;
        self.table
            .extend((1..wanted as u32).map(|step| first + step));
        self.table.push(LAST);
        self.data.resize(self.data.len() + wanted * CLUSTER, 0);
        Ok(first)
    }

    fn fill(&mut self, first: u32, bytes: &[u8]) {
        let at = (first as usize).saturating_sub(2) * CLUSTER;
        if let Some(room) = self.data.get_mut(at..at + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// Writes everything below one folder; returns its entries, without those
    /// for itself and the one above.
    fn folder(&mut self, files: &[(&str, &[u8])], above: &str, own: u32) -> Result<Vec<u8>, Unfit> {
        let mut listing = Vec::new();
        for (number, (name, inside)) in (1..).zip(split(files)) {
            let (attribute, first, size) = match inside {
                Inside::File(bytes) => {
                    let first = self.reserve(bytes.len())?;
                    self.fill(first, bytes);
                    (0x20, first, bytes.len() as u32)
                }
                Inside::Folder(files) => {
                    let first = self.reserve(2 * ENTRY + room_of(&files))?;
                    let parent = if above.is_empty() { 0 } else { own };
                    let mut inner = entry(&padded(".", 11), FOLDER, first, 0, self.stamp);
                    inner.extend(entry(&padded("..", 11), FOLDER, parent, 0, self.stamp));
                    inner.extend(self.folder(&files, name, first)?);
                    self.fill(first, &inner);
                    (FOLDER, first, 0)
                }
            };
            let short = short(name, number);
            listing.extend(long(name, &short));
            listing.extend(entry(&short, attribute, first, size, self.stamp));
        }
        Ok(listing)
    }
}

/// What is under one name of a folder.
enum Inside<'a> {
    File(&'a [u8]),
    Folder(Vec<(&'a str, &'a [u8])>),
}

fn split<'a>(files: &[(&'a str, &'a [u8])]) -> BTreeMap<&'a str, Inside<'a>> {
    let mut names = BTreeMap::new();
    for (path, bytes) in files {
        match path.split_once('/') {
            None => {
                names.insert(*path, Inside::File(bytes));
            }
            Some((name, rest)) => {
                let folder = names
                    .entry(name)
                    .or_insert_with(|| Inside::Folder(Vec::new()));
                if let Inside::Folder(inner) = folder {
                    inner.push((rest, *bytes));
                }
            }
        }
    }
    names
}

/// Returns the octets of a folder's entries.
fn room_of(files: &[(&str, &[u8])]) -> usize {
    let names = split(files);
    let entries = names
        .keys()
        .map(|name| 1 + name.encode_utf16().count().div_ceil(LETTERS));
    // An empty folder still has one cluster.
    (entries.sum::<usize>() * ENTRY).max(ENTRY)
}

fn padded(text: &str, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = text.bytes().take(length).collect();
    bytes.resize(length, b' ');
    bytes
}

/// Returns a short name no other of the folder has; its long name is the one
/// that is read.
fn short(name: &str, number: usize) -> Vec<u8> {
    let plain = |text: &str, length| {
        let letters = text.to_ascii_uppercase();
        let letters: String = letters
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        padded(&letters, length)
    };
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let fits = stem.len() <= 8 && extension.len() <= 3;
    let mut short = if fits && stem.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        plain(stem, 8)
    } else {
        let tail = format!("~{number}");
        let mut short: Vec<u8> = plain(stem, 8);
        let kept = short.iter().position(|byte| *byte == b' ').unwrap_or(8);
        short.truncate(kept.min(8 - tail.len()));
        short.extend(tail.bytes());
        short.resize(8, b' ');
        short
    };
    short.extend(plain(extension, 3));
    short
}

/// Returns the entries of a long name, the last part first.
fn long(name: &str, short: &[u8]) -> Vec<u8> {
    let sum = sum(short);
    let mut letters: Vec<u16> = name.encode_utf16().collect();
    let parts = letters.len().div_ceil(LETTERS);
    if !letters.len().is_multiple_of(LETTERS) {
        letters.push(0);
        letters.resize(parts * LETTERS, 0xffff);
    }
    let mut bytes = Vec::new();
    for (place, part) in letters.chunks(LETTERS).enumerate().rev() {
        let last = if place + 1 == parts { 0x40 } else { 0 };
        bytes.push((place as u8 + 1) | last);
        let mut part = part.iter().flat_map(|letter| letter.to_le_bytes());
        bytes.extend(part.by_ref().take(10));
        bytes.extend([LONG, 0, sum]);
        bytes.extend(part.by_ref().take(12));
        bytes.extend([0, 0]);
        bytes.extend(part);
    }
    bytes
}

fn sum(short: &[u8]) -> u8 {
    let next = |sum: u8, byte: &u8| sum.rotate_right(1).wrapping_add(*byte);
    short.iter().fold(0, next)
}

fn entry(short: &[u8], attribute: u8, first: u32, size: u32, stamp: [u8; 4]) -> Vec<u8> {
    let [low, high, upper, top] = first.to_le_bytes();
    let [.., day, month] = stamp;
    let mut bytes = short.to_vec();
    bytes.extend([attribute, 0, 0]);
    bytes.extend(stamp);
    bytes.extend([day, month, upper, top]);
    bytes.extend(stamp);
    bytes.extend([low, high]);
    bytes.extend(size.to_le_bytes());
    bytes
}

/// Returns time and date as an entry has them.
fn stamp(seconds: u64) -> [u8; 4] {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let time = ((rest / 3600) << 11) | ((rest / 60 % 60) << 5) | (rest % 60 / 2);
    let date = year.saturating_sub(1980).min(127) << 9 | month << 5 | day;
    let [a, b] = (time as u16).to_le_bytes();
    let [c, d] = (date as u16).to_le_bytes();
    [a, b, c, d]
}

/// Returns year, month and day of a count of days since 1970: years begin in
/// March, so that the odd day is the last of its year.
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

fn head(form: &Form<'_>, sectors: usize, table_sectors: usize, writer: &Writer) -> Vec<u8> {
    let mut boot = vec![0xeb, 0x58, 0x90];
    boot.extend(b"SBC     ");
    boot.extend((SECTOR as u16).to_le_bytes());
    boot.extend([
        PER_CLUSTER as u8,
        RESERVED as u8,
        0,
        2,
        0,
        0,
        0,
        0,
        0xf8,
        0,
        0,
    ]);
    boot.extend([63, 0, 255, 0, 0, 0, 0, 0]);
    boot.extend((sectors as u32).to_le_bytes());
    boot.extend((table_sectors as u32).to_le_bytes());
    boot.extend([0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 6, 0]);
    boot.resize(64, 0);
    boot.extend([0x80, 0, 0x29]);
    boot.extend(form.serial.to_le_bytes());
    boot.extend(padded(form.label, 11));
    boot.extend(b"FAT32   ");
    boot.resize(510, 0);
    boot.extend([0x55, 0xaa]);
    let used = writer.table.len() as u32 - 2;
    let mut info = b"RRaA".to_vec();
    info.resize(484, 0);
    info.extend(b"rrAa");
    info.extend((writer.clusters as u32 - used).to_le_bytes());
    info.extend((used + 2).to_le_bytes());
    info.resize(508, 0);
    info.extend([0, 0, 0x55, 0xaa]);
    let mut bytes = boot.clone();
    bytes.extend(&info);
    bytes.resize(6 * SECTOR, 0);
    bytes.extend(boot);
    bytes.extend(info);
    bytes
}

/// Reads all files back.
///
/// # Errors
/// Where it is not of the form this writer (or a kernel that wrote to it since)
/// leaves.
pub fn read(bytes: &[u8]) -> Result<Files, Unfit> {
    let reader = Reader::new(bytes).ok_or(Unfit::Malformed("its first sector"))?;
    let mut files = Files::new();
    reader.folder(2, "", DEPTH_MAX, &mut files)?;
    Ok(files)
}

struct Reader<'a> {
    table: &'a [u8],
    data: &'a [u8],
    cluster: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let number = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let long = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let fits = number(11)? as usize == SECTOR
            && number(510)? == 0xaa55
            && bytes.get(82..87)? == b"FAT32"
            && long(44)? == 2
            && *bytes.get(16)? == 2;
        let start = number(14)? as usize * SECTOR;
        let length = long(36)? as usize * SECTOR;
        let (one, rest) = bytes.get(start..)?.split_at_checked(length)?;
        let (two, data) = rest.split_at_checked(length)?;
        let cluster = *bytes.get(13)? as usize * SECTOR;
        (fits && cluster > 0 && one == two).then_some(Self {
            table: one,
            data,
            cluster,
        })
    }

    fn chain(&self, first: u32) -> Result<Vec<u8>, Unfit> {
        let mut bytes = Vec::new();
        let mut at = first;
        while (2..0x0fff_fff8).contains(&at) {
            let start = (at as usize - 2) * self.cluster;
            let cluster = self.data.get(start..start + self.cluster);
            bytes.extend(cluster.ok_or(Unfit::Malformed("a chain that leaves it"))?);
            if bytes.len() > self.data.len() {
                return Err(Unfit::Malformed("a chain that goes round"));
            }
            let next = self.table.get(at as usize * 4..at as usize * 4 + 4);
            let next = next
                .and_then(|next| next.try_into().ok())
                .map(u32::from_le_bytes);
            at = next.ok_or(Unfit::Malformed("a chain that leaves its table"))? & LAST;
        }
        Ok(bytes)
    }

    fn folder(&self, first: u32, path: &str, deep: usize, files: &mut Files) -> Result<(), Unfit> {
        let deeper = deep
            .checked_sub(1)
            .ok_or(Unfit::Malformed("folders too deep"))?;
        let listing = self.chain(first)?;
        let mut name: Vec<u16> = Vec::new();
        for entry in listing.chunks_exact(ENTRY) {
            let word = |at: usize| {
                let two = entry.get(at..at + 2).unwrap_or_default();
                two.iter()
                    .rev()
                    .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte))
            };
            let (lead, attribute) = (word(0) & 0xff, (word(11) & 0xff) as u8);
            match (lead, attribute) {
                (0, _) => break,
                (0xe5, _) => name.clear(),
                (_, LONG) => {
                    let places = (1..11)
                        .step_by(2)
                        .chain((14..26).step_by(2))
                        .chain([28, 30]);
                    let part: Vec<u16> = places.map(|at| word(at) as u16).collect();
                    name.splice(0..0, part);
                }
                (_, attribute) if attribute & LABEL != 0 => name.clear(),
                _ => {
                    let letters: Vec<u16> = name.drain(..).take_while(|one| *one != 0).collect();
                    if lead == u32::from(b'.') {
                        continue;
                    }
                    let named = if letters.is_empty() {
                        dotted(entry)
                    } else {
                        String::from_utf16_lossy(&letters)
                    };
                    let whole = format!("{path}{named}");
                    let first = word(20) << 16 | word(26);
                    if attribute & FOLDER != 0 {
                        self.folder(first, &format!("{whole}/"), deeper, files)?;
                    } else {
                        let mut bytes = self.chain(first)?;
                        let size = (word(30) << 16 | word(28)) as usize;
                        if size > bytes.len() {
                            return Err(Unfit::Malformed("a file longer than its chain"));
                        }
                        bytes.truncate(size);
                        files.insert(whole, bytes);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns the name of an entry without a long one.
fn dotted(entry: &[u8]) -> String {
    let text = |part: Option<&[u8]>| {
        let text = String::from_utf8_lossy(part.unwrap_or_default());
        text.trim_end().to_ascii_lowercase()
    };
    let (stem, extension) = (text(entry.get(..8)), text(entry.get(8..11)));
    if extension.is_empty() {
        stem
    } else {
        format!("{stem}.{extension}")
    }
}

#[cfg(test)]
mod tests;
