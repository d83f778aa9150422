//! A stub, a kernel, its initial memory disk and its command line come in; one
//! program that UEFI starts goes out (Unified Kernel Image: the sections of the
//! UAPI group's specification in a PE file, Microsoft's PE format §2 to §4);
//! and back. Nothing in it depends on when it was made.

/// Octets of a section's head.
const HEAD: usize = 40;
/// Readable, initialised data.
const FLAGS: u32 = 0x4000_0040;
/// Sections at most: what a stub leaves room for.
const SECTIONS_MAX: usize = 32;

/// Why a file cannot take sections.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// Not a PE32+ program.
    #[error("not a program for 64-bit UEFI: {0}")]
    Form(&'static str),
    /// The stub leaves no room for more heads.
    #[error("no room for the head of another section")]
    Room,
    /// A section is longer than the form can say.
    #[error("a section is too long")]
    Length,
}

/// One section: its name with at most eight letters, and what is in it.
pub type Section<'a> = (&'a str, &'a [u8]);

/// Where a program's fields lie.
pub(crate) struct Head {
    /// Of the PE signature.
    pub(crate) at: usize,
    /// Of the first section's head.
    sections_at: usize,
    sections: usize,
    /// Octets of all heads, padding included.
    pub(crate) room: usize,
    file_alignment: usize,
    memory_alignment: u32,
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Returns the number of four octets at a place.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Writes octets over those at a place.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<(), Malformed> {
    let room = bytes.get_mut(at..at + value.len());
    room.ok_or(Malformed::Form("it ends early"))?
        .copy_from_slice(value);
    Ok(())
}

impl Head {
    /// Reads it.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::parse(bytes).ok_or(Malformed::Form("its head"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let at = word(bytes, 0x3c)? as usize;
        let known = bytes.starts_with(b"MZ")
            && bytes.get(at..at + 4)? == b"PE\0\0"
            && half(bytes, at + 4)? == 0x8664
            && half(bytes, at + 24)? == 0x20b;
        let sections = half(bytes, at + 6)? as usize;
        let head = Self {
            at,
            sections_at: at + 24 + half(bytes, at + 20)? as usize,
            sections,
            room: word(bytes, at + 24 + 60)? as usize,
            file_alignment: word(bytes, at + 24 + 36)? as usize,
            memory_alignment: word(bytes, at + 24 + 32)?,
        };
        let sound = head.file_alignment.is_power_of_two()
            && head.memory_alignment.is_power_of_two()
            && sections <= SECTIONS_MAX
            && head.sections_at + sections * HEAD <= head.room
            && head.room <= bytes.len();
        (known && sound).then_some(head)
    }

    /// Returns where each section's content lies in the file, and how long it is.
    pub(crate) fn places(&self, bytes: &[u8]) -> Result<Vec<(usize, usize)>, Malformed> {
        let place = |number| {
            let at = self.section(number);
            let both = word(bytes, at + 20).zip(word(bytes, at + 16));
            both.map(|(at, length)| (at as usize, length as usize))
        };
        let places: Option<Vec<_>> = (0..self.sections).map(place).collect();
        places.ok_or(Malformed::Form("its sections"))
    }

    fn section(&self, place: usize) -> usize {
        self.sections_at + place * HEAD
    }
}

/// Returns whether UEFI takes a file of this path for a program.
#[must_use]
pub fn is_program(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(".efi")
}

/// Returns the stub with the sections behind its own.
///
/// # Errors
/// When the stub is none, or has no room.
pub fn write(stub: &[u8], sections: &[Section<'_>]) -> Result<Vec<u8>, Malformed> {
    let head = Head::of(stub)?;
    if head.section(head.sections + sections.len()) > head.room {
        return Err(Malformed::Room);
    }
    let mut bytes = stub.to_vec();
    let mut address = next_address(&bytes, &head)?;
    let mut added = 0_u32;
    for (number, (name, content)) in (head.sections..).zip(sections) {
        let size = u32::try_from(content.len()).map_err(|_| Malformed::Length)?;
        bytes.resize(bytes.len().next_multiple_of(head.file_alignment), 0);
        let at = u32::try_from(bytes.len()).map_err(|_| Malformed::Length)?;
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(head.file_alignment), 0);
        let raw = bytes.len() as u32 - at;
        let mut row: Vec<u8> = name.bytes().take(8).collect();
        row.resize(8, 0);
        for value in [size, address, raw, at, 0, 0, 0, FLAGS] {
            row.extend(value.to_le_bytes());
        }
        put(&mut bytes, head.section(number), &row)?;
        added = added.checked_add(raw).ok_or(Malformed::Length)?;
        address = address
            .checked_add(size)
            .and_then(|end| end.checked_next_multiple_of(head.memory_alignment))
            .ok_or(Malformed::Length)?;
    }
    let count = (head.sections + sections.len()) as u16;
    put(&mut bytes, head.at + 6, &count.to_le_bytes())?;
    put(&mut bytes, head.at + 8, &[0; 4])?; // the time
    let data = word(&bytes, head.at + 24 + 8).unwrap_or_default();
    let data = data.checked_add(added).ok_or(Malformed::Length)?;
    put(&mut bytes, head.at + 24 + 8, &data.to_le_bytes())?;
    put(&mut bytes, head.at + 24 + 56, &address.to_le_bytes())?;
    put(&mut bytes, head.at + 24 + 64, &[0; 4])?; // the sum: UEFI asks for none
    Ok(bytes)
}

/// Returns the first free address behind all sections.
fn next_address(bytes: &[u8], head: &Head) -> Result<u32, Malformed> {
    let mut end = 0;
    for place in 0..head.sections {
        let at = head.section(place);
        let both = word(bytes, at + 8).zip(word(bytes, at + 12));
        let (size, address) = both.ok_or(Malformed::Form("its sections"))?;
        end = end.max(address.checked_add(size).ok_or(Malformed::Length)?);
    }
    end.checked_next_multiple_of(head.memory_alignment)
        .ok_or(Malformed::Length)
}

/// Returns every section of a program, in its order.
///
/// # Errors
/// When it is none.
pub fn read(bytes: &[u8]) -> Result<Vec<(String, &[u8])>, Malformed> {
    let head = Head::of(bytes)?;
    let mut sections = Vec::new();
    for place in 0..head.sections {
        let at = head.section(place);
        let parts = || {
            let name = bytes.get(at..at + 8)?.split(|byte| *byte == 0).next()?;
            let size = word(bytes, at + 8)?.min(word(bytes, at + 16)?) as usize;
            let from = word(bytes, at + 20)? as usize;
            let content = bytes.get(from..from.checked_add(size)?)?;
            Some((String::from_utf8_lossy(name).into_owned(), content))
        };
        sections.push(parts().ok_or(Malformed::Form("its sections"))?);
    }
    Ok(sections)
}

/// Returns one section's content.
///
/// # Errors
/// When the program is none, or lacks the section.
pub fn section<'a>(bytes: &'a [u8], name: &str) -> Result<&'a [u8], Malformed> {
    let sections = read(bytes)?;
    let found = sections.into_iter().find(|(found, _)| found == name);
    found
        .map(|(_, content)| content)
        .ok_or(Malformed::Form("a section is missing"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a program with one section `.text` of 100 octets at 0x1000.
    pub(crate) fn stub() -> Vec<u8> {
        let mut bytes = vec![0; 0x400];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x80;
        let put = |bytes: &mut Vec<u8>, at: usize, value: u32| {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        };
        bytes[0x80..0x84].copy_from_slice(b"PE\0\0");
        put(&mut bytes, 0x84, 0x0001_8664);
        put(&mut bytes, 0x88, 0x6543_2100);
        put(&mut bytes, 0x94, 0x0022_00f0);
        put(&mut bytes, 0x98, 0x0000_020b);
        put(&mut bytes, 0x98 + 32, 0x1000);
        put(&mut bytes, 0x98 + 36, 0x200);
        put(&mut bytes, 0x98 + 60, 0x400);
        put(&mut bytes, 0x98 + 108, 16);
        let at = 0x98 + 0xf0;
        bytes[at..at + 5].copy_from_slice(b".text");
        for (place, value) in [100, 0x1000, 0x200, 0x400].into_iter().enumerate() {
            put(&mut bytes, at + 8 + 4 * place, value);
        }
        bytes.extend([0x90; 0x200]);
        bytes
    }

    const ADDED: [Section<'static>; 2] = [(".cmdline", b"panic=10"), (".linux", &[5; 5000])];

    #[test]
    fn sections_are_read_back_behind_the_stubs_own() {
        let image = write(&stub(), &ADDED).unwrap();
        let read = read(&image).unwrap();
        let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [".text", ".cmdline", ".linux"]);
        assert_eq!(section(&image, ".linux"), Ok(&[5; 5000][..]));
        assert_eq!(section(&image, ".text").unwrap(), [0x90; 100]);
        assert!(section(&image, ".none").is_err());
    }

    #[test]
    fn addresses_do_not_overlap_and_time_is_gone() {
        let image = write(&stub(), &ADDED).unwrap();
        let at = 0x98 + 0xf0;
        assert_eq!(word(&image, at + 40 + 12), Some(0x2000));
        assert_eq!(word(&image, at + 80 + 12), Some(0x3000));
        assert_eq!(word(&image, 0x98 + 56), Some(0x5000), "size in memory");
        assert_eq!(word(&image, 0x88), Some(0), "time");
        assert_eq!(image.len() % 0x200, 0);
    }

    #[test]
    fn a_stub_without_room_and_a_file_that_is_none_are_refused() {
        let many = [(".x", &b"y"[..]); 20];
        assert!(matches!(write(&stub(), &many), Err(Malformed::Room)));
        assert!(matches!(write(b"MZ", &ADDED), Err(Malformed::Form(_))));
        let mut cut = write(&stub(), &ADDED).unwrap();
        cut.truncate(0x700);
        assert!(matches!(read(&cut), Err(Malformed::Form(_))));
    }
}
