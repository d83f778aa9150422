//! A tree comes in, a cpio archive of the "newc" form goes out, as the kernel
//! unpacks it at boot (Documentation/driver-api/early-userspace/buffer-format.rst);
//! and back.

use std::io::{self, Write};

use crate::tree::{Content, Entry, Tree};

const MAGIC: &[u8] = b"070701";
const HEAD: usize = 110;
const LAST: &str = "TRAILER!!!";
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const DEVICE: u32 = 0o020_000;

/// Why an archive cannot be read back.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// No head begins here.
    #[error("no entry of a newc archive begins at octet {0}")]
    Head(usize),
    /// The archive ends inside an entry.
    #[error("the archive ends inside the entry at octet {0}")]
    Short(usize),
    /// A mode that this writer never writes.
    #[error("the entry at octet {0} is of a kind this reader does not know: mode {1:o}")]
    Kind(usize, u32),
}

/// Writes `tree` to `out`: user and group 0, time 0, so that the same tree is
/// the same archive. Returns how many octets were written.
///
/// # Errors
/// When a file cannot be read or is too large for the form (4 GiB), or `out`
/// fails.
pub fn write(tree: &Tree, out: &mut impl Write) -> io::Result<u64> {
    let mut written = 0;
    for (number, (path, entry)) in (1..).zip(tree.entries()) {
        let (kind, bytes, device) = match &entry.content {
            Content::Folder => (FOLDER, Vec::new(), (0, 0)),
            Content::Bytes(bytes) => (FILE, bytes.clone(), (0, 0)),
            Content::From(file) => (FILE, std::fs::read(file)?, (0, 0)),
            Content::Link(target) => (LINK, target.clone().into_bytes(), (0, 0)),
            Content::Device(major, minor) => (DEVICE, Vec::new(), (*major, *minor)),
        };
        written += put(out, path, number, kind | entry.mode, device, &bytes)?;
    }
    written += put(out, LAST, 0, 0, (0, 0), &[])?;
    Ok(written)
}

fn put(
    out: &mut impl Write,
    path: &str,
    number: u32,
    mode: u32,
    (major, minor): (u32, u32),
    bytes: &[u8],
) -> io::Result<u64> {
    let too_large = |_| io::Error::other(format!("{path} is too large for a cpio archive"));
    let size = u32::try_from(bytes.len()).map_err(too_large)?;
    let name = u32::try_from(path.len() + 1).map_err(too_large)?;
    let links = if mode & FOLDER == FOLDER { 2 } else { 1 };
    let mut head = MAGIC.to_vec();
    let fields = [
        number, mode, 0, 0, links, 0, size, 0, 0, major, minor, name, 0,
    ];
    for field in fields {
        head.extend(format!("{field:08x}").bytes());
    }
    head.extend(path.bytes());
    head.push(0);
    head.resize(padded(head.len()), 0);
    out.write_all(&head)?;
    out.write_all(bytes)?;
    let padding = padded(bytes.len()) - bytes.len();
    out.write_all([0; 4].get(..padding).unwrap_or_default())?;
    Ok((head.len() + bytes.len() + padding) as u64)
}

const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Reads an archive back. Several archives one behind the other are read as
/// the kernel does: a later entry replaces an earlier one.
///
/// # Errors
/// Where it is not what [`write`] writes.
pub fn read(bytes: &[u8]) -> Result<Tree, Malformed> {
    let mut tree = Tree::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.first() == Some(&0) {
            at += 1;
            continue;
        }
        let (name, entry, next) = read_entry(bytes, at)?;
        if let Some(entry) = entry {
            tree.put(&name, entry.mode, entry.content);
        }
        at = next;
    }
    Ok(tree)
}

fn read_entry(bytes: &[u8], at: usize) -> Result<(String, Option<Entry>, usize), Malformed> {
    let short = Malformed::Short(at);
    let head = bytes.get(at..at + HEAD).ok_or(short)?;
    if !head.starts_with(MAGIC) {
        return Err(Malformed::Head(at));
    }
    let field = |place: usize| {
        let start = MAGIC.len() + place * 8;
        head.get(start..start + 8)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or(Malformed::Head(at))
    };
    let (mode, size, length) = (field(1)?, field(6)? as usize, field(11)? as usize);
    let name_end = at + HEAD + length;
    let name = bytes
        .get(at + HEAD..name_end.saturating_sub(1))
        .ok_or(short)?;
    let name = String::from_utf8_lossy(name).into_owned();
    // The head's own start is aligned, so the name's padding follows from both.
    let start = at + padded(HEAD + length);
    let body = bytes.get(start..start + size).ok_or(short)?;
    let next = start + padded(size);
    if name == LAST {
        return Ok((name, None, next));
    }
    let content = match mode & 0o170_000 {
        FOLDER => Content::Folder,
        FILE => Content::Bytes(body.to_vec()),
        LINK => Content::Link(String::from_utf8_lossy(body).into_owned()),
        DEVICE => Content::Device(field(9)?, field(10)?),
        _ => return Err(Malformed::Kind(at, mode)),
    };
    let entry = Entry {
        mode: mode & 0o7777,
        content,
    };
    Ok((name, Some(entry), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn sample() -> Tree {
        let mut tree = Tree::new();
        tree.merge_usr();
        tree.file("init", 0o755, *b"\x7fELF and more");
        tree.file("etc/empty", 0o600, *b"");
        tree.put("dev/console", 0o600, Content::Device(5, 1));
        tree
    }

    fn written(tree: &Tree) -> Vec<u8> {
        let mut bytes = Vec::new();
        let count = write(tree, &mut bytes).unwrap();
        assert_eq!(count, bytes.len() as u64);
        bytes
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(read(&written(&sample())), Ok(sample()));
    }

    #[test]
    fn a_second_archive_behind_the_first_adds_and_replaces() {
        let mut more = Tree::new();
        more.file("etc/empty", 0o644, *b"full");
        more.file("etc/new", 0o644, *b"new");
        let mut bytes = written(&sample());
        bytes.extend(written(&more));
        let both = read(&bytes).unwrap();
        let content = |path| both.entry(path).map(|entry| entry.content.clone());
        assert_eq!(content("etc/empty"), Some(Content::Bytes(b"full".to_vec())));
        assert_eq!(content("etc/new"), Some(Content::Bytes(b"new".to_vec())));
        assert!(content("init").is_some());
    }

    #[test]
    fn cpio_itself_lists_the_same_names() {
        let started = Command::new("cpio")
            .args(["-t", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        // Without the program there is no second opinion; the reader above has its own test.
        let Ok(mut child) = started else { return };
        let mut input = child.stdin.take().unwrap();
        input.write_all(&written(&sample())).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        let tree = sample();
        let names: Vec<&str> = tree.entries().map(|(path, _)| path).collect();
        assert_eq!(listed.lines().collect::<Vec<_>>(), names);
    }

    #[test]
    fn a_cut_archive_is_refused_where_it_ends() {
        let bytes = written(&sample());
        assert_eq!(read(&bytes[..50]), Err(Malformed::Short(0)));
        let mut bad = bytes;
        bad[0] = b'1';
        assert_eq!(read(&bad), Err(Malformed::Head(0)));
    }
}
