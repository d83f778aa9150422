//! A file and its octets come in; after a power cut at any moment there is the old
//! one or the new one, never a mix.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file that others may read.
///
/// # Errors
/// When it cannot be written; the old one is then there.
pub fn write(path: &Path, octets: &[u8]) -> io::Result<()> {
    write_as(path, octets, 0o644)
}

/// Writes a file for its owner's eyes alone.
///
/// # Errors
/// As [`write`].
pub fn write_private(path: &Path, octets: &[u8]) -> io::Result<()> {
    write_as(path, octets, 0o600)
}

fn write_as(path: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let mut half = path.as_os_str().to_owned();
    half.push(".half");
    let half = Path::new(&half);
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(mode);
    // A folder may belong to somebody with fewer rights: no link of theirs is followed.
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    let mut file = options.open(half)?;
    file.write_all(octets)?;
    file.sync_all()?;
    fs::rename(half, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_written_through_a_link() {
        let folder = std::env::temp_dir().join(format!("sbc-whole-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("one");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(!path.with_extension("half").exists());
        let other = folder.join("other");
        symlink(&other, path.with_extension("half")).unwrap();
        assert!(write_private(&path, b"quiet").is_err());
        assert!(!other.exists());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        fs::remove_file(path.with_extension("half")).unwrap();
        write_private(&path, b"quiet").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::remove_dir_all(folder).unwrap();
    }
}
