//! The secret store as a directory: its path comes in, names and lengths of
//! the secrets go out. Of a file only its beginning is read: a sealed one is longer
//! than its value.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::{fs, io};

use sbc_core::seal::{ADDED, is_sealed};

/// The most secrets looked at: two for each trunk of the largest file.
const MOST: usize = 8192;

/// Names are `kind/name`, and never deeper than this.
const DEPTH: usize = 4;

/// Returns the name of each file below `directory`, and how many octets it has.
pub fn lengths(directory: &str) -> io::Result<BTreeMap<String, usize>> {
    let mut found = BTreeMap::new();
    let mut open = vec![(Path::new(directory).to_path_buf(), String::new(), 0)];
    while let Some((path, prefix, depth)) = open.pop() {
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let name = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() && depth < DEPTH {
                open.push((entry.path(), format!("{name}/"), depth + 1));
            } else if kind.is_file() && found.len() < MOST {
                found.insert(name, length(&entry.path())?);
            }
        }
    }
    Ok(found)
}

/// Returns how long a value is, sealed or not.
fn length(path: &Path) -> io::Result<usize> {
    let mut file = fs::File::open(path)?;
    let mut head = Vec::new();
    let most = u64::try_from(ADDED).unwrap_or(u64::MAX);
    (&mut file).take(most).read_to_end(&mut head)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let added = if is_sealed(&head) { ADDED } else { 0 };
    Ok(length.saturating_sub(added))
}
