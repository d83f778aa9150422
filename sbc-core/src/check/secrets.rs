//! The secret store as a directory: its path comes in, names and lengths of
//! the secrets go out. The values themselves are not read.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

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
                let length = usize::try_from(entry.metadata()?.len()).unwrap_or(usize::MAX);
                found.insert(name, length);
            }
        }
    }
    Ok(found)
}
