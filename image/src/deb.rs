//! A package file comes in, a folder with its files goes out, unpacked once.
//!
//! `dpkg-deb` unpacks: it is on every machine that has apt, knows each
//! compression an archive may use, and takes 2 s for the kernel.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fetch::Cache;
use crate::lock::Package;

/// Why a package could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Packed {
    /// A file or folder of the cache.
    #[error("{}: {source}", path.display())]
    Cache {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// `dpkg-deb` said no.
    #[error("dpkg-deb cannot unpack {name}: {said}")]
    Broken { name: String, said: String },
}

/// Returns the folder with the files of a fetched package.
///
/// # Errors
/// When it cannot be unpacked.
pub fn unpack(cache: &Cache, package: &Package) -> Result<PathBuf, Packed> {
    let folder = cache.folder().join("unpacked");
    let whole = folder.join(&package.sha256);
    if whole.is_dir() {
        return Ok(whole);
    }
    let half = folder.join(format!("{}.{}", package.sha256, std::process::id()));
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| Packed::Cache { path, source }
    };
    fs::create_dir_all(&half).map_err(fail(&half))?;
    let output = Command::new("dpkg-deb")
        .arg("-x")
        .arg(cache.file(package))
        .arg(&half)
        .stdin(Stdio::null())
        .output()
        .map_err(fail(Path::new("dpkg-deb")))?;
    if !output.status.success() {
        // The half-unpacked folder is ours; a rest of it harms nobody.
        let _rest = fs::remove_dir_all(&half);
        return Err(Packed::Broken {
            name: package.name.clone(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    // A folder appears under its name only when it is whole.
    fs::rename(&half, &whole).map_err(fail(&whole))?;
    Ok(whole)
}
