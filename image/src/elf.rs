//! A 64-bit little-endian ELF file comes in; the libraries it asks for, its
//! loader and its named sections go out (System V ABI, chapters 4 and 5).

/// Why a file is not the ELF it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// The magic number, the class or the byte order is another.
    #[error("not a 64-bit little-endian ELF file")]
    Foreign,
    /// A table or a string lies outside the file.
    #[error("the ELF file ends before what it points at: offset {0}")]
    Short(u64),
    /// A name is not text.
    #[error("a name in the ELF file is not text")]
    Text,
}

/// What an executable or a shared library asks of the dynamic loader.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wants {
    /// The loader itself, an absolute path.
    pub loader: Option<String>,
    /// The names of libraries, as they stand.
    pub needed: Vec<String>,
    /// Folders to look in first, from RUNPATH or RPATH.
    pub folders: Vec<String>,
}

const MAGIC: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
/// More segments or sections than any file of ours has.
const MAX_TABLE: u64 = 4096;

/// One row of the table of segments.
#[derive(Clone, Copy)]
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

/// Returns whether the bytes begin as such a file does.
#[must_use]
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Returns what the file wants. A static file wants nothing.
///
/// # Errors
/// When it is no ELF file or is cut short.
pub fn wants(bytes: &[u8]) -> Result<Wants, Malformed> {
    if !is_elf(bytes) {
        return Err(Malformed::Foreign);
    }
    let segments = segments(bytes)?;
    let mut wants = Wants::default();
    if let Some(row) = segments.iter().find(|row| row.kind == PT_INTERP) {
        wants.loader = Some(text(bytes, row.offset)?);
    }
    let Some(dynamic) = segments.iter().find(|row| row.kind == PT_DYNAMIC) else {
        return Ok(wants);
    };
    let rows = dynamic_rows(bytes, dynamic)?;
    let Some(&(_, names)) = rows.iter().find(|(tag, _)| *tag == DT_STRTAB) else {
        return Ok(wants);
    };
    let names = offset_of(&segments, names).ok_or(Malformed::Short(names))?;
    for (tag, value) in rows {
        let at = names.saturating_add(value);
        match tag {
            DT_NEEDED => wants.needed.push(text(bytes, at)?),
            DT_RPATH | DT_RUNPATH => {
                let folders = text(bytes, at)?;
                wants.folders.extend(folders.split(':').map(str::to_owned));
            }
            _ => {}
        }
    }
    Ok(wants)
}

/// Returns the bytes of the section `name`, if there is one.
///
/// # Errors
/// When the file is no ELF file or is cut short.
pub fn section<'a>(bytes: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, Malformed> {
    if !is_elf(bytes) {
        return Err(Malformed::Foreign);
    }
    let table = u64_at(bytes, 0x28)?;
    let (size, count) = (u64::from(u16_at(bytes, 0x3a)?), u16_at(bytes, 0x3c)?);
    let names_row = u64::from(u16_at(bytes, 0x3e)?);
    let row = |place: u64| table.saturating_add(place.saturating_mul(size));
    let names = u64_at(bytes, row(names_row).saturating_add(0x18))?;
    for place in 0..u64::from(count).min(MAX_TABLE) {
        let at = row(place);
        let label = names.saturating_add(u64::from(u32_at(bytes, at)?));
        if text(bytes, label)? == name {
            let offset = u64_at(bytes, at.saturating_add(0x18))?;
            let length = u64_at(bytes, at.saturating_add(0x20))?;
            return piece(bytes, offset, length).map(Some);
        }
    }
    Ok(None)
}

fn segments(bytes: &[u8]) -> Result<Vec<Segment>, Malformed> {
    let table = u64_at(bytes, 0x20)?;
    let (size, count) = (u64::from(u16_at(bytes, 0x36)?), u16_at(bytes, 0x38)?);
    (0..u64::from(count).min(MAX_TABLE))
        .map(|place| {
            let at = table.saturating_add(place.saturating_mul(size));
            Ok(Segment {
                kind: u32_at(bytes, at)?,
                offset: u64_at(bytes, at.saturating_add(0x08))?,
                address: u64_at(bytes, at.saturating_add(0x10))?,
                size: u64_at(bytes, at.saturating_add(0x20))?,
            })
        })
        .collect()
}

fn dynamic_rows(bytes: &[u8], dynamic: &Segment) -> Result<Vec<(u64, u64)>, Malformed> {
    let mut rows = Vec::new();
    for place in 0..(dynamic.size / 16).min(MAX_TABLE) {
        let at = dynamic.offset.saturating_add(place * 16);
        let tag = u64_at(bytes, at)?;
        if tag == 0 {
            break;
        }
        rows.push((tag, u64_at(bytes, at.saturating_add(8))?));
    }
    Ok(rows)
}

/// Returns where in the file an address of memory lies.
fn offset_of(segments: &[Segment], address: u64) -> Option<u64> {
    segments.iter().find_map(|row| {
        let inside = address.checked_sub(row.address)?;
        (row.kind == PT_LOAD && inside < row.size).then(|| row.offset.saturating_add(inside))
    })
}

fn piece(bytes: &[u8], at: u64, length: u64) -> Result<&[u8], Malformed> {
    let short = Malformed::Short(at);
    let start = usize::try_from(at).map_err(|_| short)?;
    let length = usize::try_from(length).map_err(|_| short)?;
    let end = start.checked_add(length).ok_or(short)?;
    bytes.get(start..end).ok_or(short)
}

fn fixed<const N: usize>(bytes: &[u8], at: u64) -> Result<[u8; N], Malformed> {
    let found = piece(bytes, at, N as u64)?;
    found.try_into().map_err(|_| Malformed::Short(at))
}

fn u16_at(bytes: &[u8], at: u64) -> Result<u16, Malformed> {
    fixed(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: u64) -> Result<u32, Malformed> {
    fixed(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: u64) -> Result<u64, Malformed> {
    fixed(bytes, at).map(u64::from_le_bytes)
}

fn text(bytes: &[u8], at: u64) -> Result<String, Malformed> {
    let short = Malformed::Short(at);
    let start = usize::try_from(at).map_err(|_| short)?;
    let rest = bytes.get(start..).ok_or(short)?;
    let end = rest.iter().position(|byte| *byte == 0).ok_or(short)?;
    let name = rest.get(..end).ok_or(short)?;
    String::from_utf8(name.to_vec()).map_err(|_| Malformed::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test's own program is an ELF file that the linker just made.
    fn myself() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_linked_program_names_its_loader_and_the_c_library() {
        let wants = wants(&myself()).unwrap();
        assert_eq!(wants.loader.as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));
        assert!(wants.needed.contains(&"libc.so.6".to_owned()), "{wants:?}");
        assert!(wants.needed.contains(&"libgcc_s.so.1".to_owned()));
    }

    #[test]
    fn a_section_is_found_by_its_name() {
        let bytes = myself();
        let loader = section(&bytes, ".interp").unwrap().unwrap();
        assert_eq!(loader, b"/lib64/ld-linux-x86-64.so.2\0");
        assert_eq!(section(&bytes, ".absent").unwrap(), None);
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_or_read_and_never_more() {
        let bytes = myself();
        // The table of sections is the file's end; a row has 64 octets.
        for length in (0..4096).chain([bytes.len() / 2, bytes.len() - 64]) {
            let cut = &bytes[..length];
            let _refused = wants(cut);
            assert!(section(cut, ".absent").is_err(), "{length}");
        }
        assert_eq!(wants(b"#!/bin/sh\n"), Err(Malformed::Foreign));
    }
}
