//! A program for UEFI comes in (a Unified Kernel Image in a PE file, Microsoft's
//! PE format §2 to §4); what is in its sections goes out. GRUB boots the same
//! kernel, memory disk and command line, so they are taken from it.

use super::bundle::{Refusal, unhex};
use super::version::Version;

/// Octets of a section's head.
const HEAD: usize = 40;
/// Sections at most: what a stub leaves room for.
const SECTIONS_MAX: u16 = 32;

/// What both loaders boot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Program<'a> {
    pub kernel: &'a [u8],
    pub initrd: &'a [u8],
    /// It boots the root of one hash and no other.
    pub cmdline: &'a str,
    pub root: [u8; 32],
}

impl<'a> Program<'a> {
    /// Takes the program of this version apart.
    ///
    /// # Errors
    /// When it is none, or of another version.
    pub fn of(octets: &'a [u8], version: Version) -> Result<Self, Refusal> {
        Self::parse(octets, version).ok_or(Refusal::Malformed("its program for UEFI"))
    }

    fn parse(octets: &'a [u8], version: Version) -> Option<Self> {
        let text = |name| std::str::from_utf8(section(octets, name)?).ok();
        let cmdline = text(".cmdline")?.trim_end_matches(['\0', '\n']);
        // It stands between quotes in GRUB's file.
        let plain = |letter: u8| (b' '..=b'~').contains(&letter) && !b"\"$\\`".contains(&letter);
        let mut words = cmdline.split(' ');
        let root = words.find_map(|word| word.strip_prefix("sbc.root="))?;
        let named = format!("IMAGE_VERSION={version}");
        let is_named = text(".osrel")?.lines().any(|line| line == named);
        (is_named && cmdline.bytes().all(plain)).then_some(Self {
            kernel: section(octets, ".linux")?,
            initrd: section(octets, ".initrd")?,
            cmdline,
            root: unhex(root)?,
        })
    }
}

/// Returns what is in a section.
fn section<'a>(octets: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let half = |at: usize| Some(u16::from_le_bytes(octets.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| {
        let four = octets.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(four)).ok()
    };
    let at = word(0x3c)?;
    let is_program = octets.starts_with(b"MZ") && octets.get(at..)?.starts_with(b"PE\0\0");
    let count = half(at + 6).filter(|count| is_program && *count <= SECTIONS_MAX)?;
    let first = at + 24 + usize::from(half(at + 20)?);
    (0..usize::from(count)).find_map(|place| {
        let at = first + place * HEAD;
        let name = octets.get(at..at + 8)?.split(|octet| *octet == 0).next()?;
        if name != wanted.as_bytes() {
            return None;
        }
        let size = word(at + 8)?.min(word(at + 16)?);
        let from = word(at + 20)?;
        octets.get(from..from.checked_add(size)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a file with these sections, each behind the other.
    fn file(sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut octets = vec![0; 0x80];
        octets[..2].copy_from_slice(b"MZ");
        octets[0x3c] = 0x40;
        octets[0x40..0x44].copy_from_slice(b"PE\0\0");
        octets[0x46] = sections.len() as u8;
        octets[0x54] = 0x28;
        let mut from = 0x80 + HEAD * sections.len();
        for (name, content) in sections {
            let mut head: Vec<u8> = name.bytes().collect();
            head.resize(8, 0);
            let size = content.len() as u32;
            for value in [size, 0, size, from as u32, 0, 0, 0, 0] {
                head.extend(value.to_le_bytes());
            }
            octets.extend(head);
            from += content.len();
        }
        sections
            .iter()
            .for_each(|(_, content)| octets.extend(*content));
        octets
    }

    #[test]
    fn kernel_memory_disk_and_command_line_are_found() {
        let hash = "0f".repeat(32);
        let line = format!("console=ttyS0 sbc.root={hash}");
        let osrel = b"ID=sbc\nIMAGE_VERSION=0.2.0\n";
        let sections: [(&str, &[u8]); 4] = [
            (".osrel", osrel),
            (".cmdline", line.as_bytes()),
            (".linux", b"kernel"),
            (".initrd", b"disk"),
        ];
        let octets = file(&sections);
        let version = Version::parse("0.2.0").unwrap();
        let program = Program::of(&octets, version).unwrap();
        assert_eq!(
            (program.kernel, program.initrd),
            (&b"kernel"[..], &b"disk"[..])
        );
        assert_eq!((program.cmdline, program.root), (&*line, [15; 32]));
        let other = Version::parse("0.2.1").unwrap();
        assert!(Program::of(&octets, other).is_err(), "another version");
        for length in 0..octets.len() {
            assert!(Program::of(&octets[..length], version).is_err(), "{length}");
        }
        let quoted = line.replace(' ', "\" ");
        let sections = [
            sections[0],
            (".cmdline", quoted.as_bytes()),
            sections[2],
            sections[3],
        ];
        assert!(Program::of(&file(&sections), version).is_err(), "a quote");
    }
}
