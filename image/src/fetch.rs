//! A lock comes in, package files with exactly these hashes go out, fetched by
//! the host's own apt from the host's own mirror, and kept.
//!
//! apt runs with a private state, so nothing of the machine's own package
//! system is touched and no privilege is needed; its proxies and keys are used
//! as they are configured.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::lock::{self, Lock, Package};
use crate::manifest;
use crate::mirror::Mirror;

/// The suite all packages come from.
pub const SUITE: &str = "trixie";
/// The package that names the current kernel's package.
const KERNEL: &str = "linux-image-amd64";

/// What to do when the archive has dropped a version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strictness {
    /// Stop: a release is made of what the lock names.
    Release,
    /// Take the current version, and say so loudly.
    Forward,
}

/// Why packages could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Unfetched {
    /// The machine's sources name no mirror of Debian.
    #[error("no source of Debian packages in this machine's apt configuration")]
    NoMirror,
    /// A file or folder of the cache.
    #[error("{}: {source}", path.display())]
    Cache {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// apt could not be run, or said no.
    #[error("{command}: {said}")]
    Apt { command: String, said: String },
    /// The archive has none of this name.
    #[error("the archive has no package {0}")]
    Absent(String),
    /// A release wants what the archive has dropped.
    #[error("the archive has dropped {0}; run `sbc-image lock` and review the new versions")]
    Dropped(String),
    /// The archive's file is another than the lock says.
    #[error("{name} {version} has hash {found}, and the lock says {locked}")]
    Forged {
        name: String,
        version: String,
        locked: String,
        found: String,
    },
}

/// Packages of a lock that lie on this machine.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// What lies there: the lock, or what replaced parts of it.
    pub lock: Lock,
    /// What differs from the lock, in words; empty when nothing does.
    pub differs: Vec<String>,
}

/// The folder that keeps packages.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Takes the folder; it is made when something is put there.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns where the file of a package lies, once it was fetched.
    #[must_use]
    pub fn file(&self, package: &Package) -> PathBuf {
        self.folder
            .join("debs")
            .join(format!("{}.deb", package.sha256))
    }

    /// Waits until nobody else works in the folder. Ends with the value.
    ///
    /// # Errors
    /// When the folder cannot be made or locked.
    pub fn hold(&self) -> Result<File, Unfetched> {
        make(&self.folder)?;
        let path = self.folder.join("held");
        let held = File::create(&path).and_then(|file| {
            file.lock()?;
            Ok(file)
        });
        held.map_err(|source| Unfetched::Cache { path, source })
    }

    /// Fetches what is not there yet. Without anything missing, nothing is asked
    /// of the network.
    ///
    /// # Errors
    /// When a package cannot be had, or is not what the lock says.
    pub fn fetch(&self, lock: &Lock, strictness: Strictness) -> Result<Fetched, Unfetched> {
        let is_here = |lock: &Lock| lock.packages.iter().all(|one| self.file(one).is_file());
        if is_here(lock) {
            let (lock, differs) = (lock.clone(), Vec::new());
            return Ok(Fetched { lock, differs });
        }
        let forward = self.forward_file(lock);
        if strictness == Strictness::Forward
            && let Some(known) = fs::read_to_string(&forward)
                .ok()
                .and_then(|text| text.parse().ok())
            && is_here(&known)
        {
            let differs = differences(lock, &known);
            return Ok(Fetched {
                lock: known,
                differs,
            });
        }
        let apt = Apt::update(&self.folder)?;
        let mut taken = Lock::default();
        for package in &lock.packages {
            taken.packages.push(if self.file(package).is_file() {
                package.clone()
            } else {
                apt.take(package, strictness)?
            });
        }
        let missing = taken
            .packages
            .iter()
            .filter(|one| !self.file(one).is_file());
        apt.download(&missing.collect::<Vec<_>>(), self)?;
        let differs = differences(lock, &taken);
        if !differs.is_empty() {
            write(&forward, &taken.to_string())?;
        }
        Ok(Fetched {
            lock: taken,
            differs,
        })
    }

    /// Returns a lock with the archive's current version of every package of the
    /// manifest.
    ///
    /// # Errors
    /// When the archive cannot be asked or lacks one.
    pub fn current(&self) -> Result<Lock, Unfetched> {
        let apt = Apt::update(&self.folder)?;
        let mut packages = vec![apt.kernel()?];
        for name in manifest::PACKAGES.iter().chain(manifest::TOOL_PACKAGES) {
            packages.push(apt.newest(name)?);
        }
        packages.sort();
        Ok(Lock { packages })
    }

    fn forward_file(&self, lock: &Lock) -> PathBuf {
        let name = hex(&Sha256::digest(lock.to_string().as_bytes()));
        self.folder.join(format!("forward-{name}.lock"))
    }
}

fn differences(lock: &Lock, taken: &Lock) -> Vec<String> {
    let both = lock.packages.iter().zip(&taken.packages);
    both.filter(|(locked, taken)| locked != taken)
        .map(|(locked, taken)| {
            format!(
                "{} {} -> {} {}",
                locked.name, locked.version, taken.name, taken.version
            )
        })
        .collect()
}

/// apt with a private state that holds one suite of the host's mirror.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn update(cache: &Path) -> Result<Self, Unfetched> {
        let apt = Self {
            folder: cache.join("apt"),
        };
        let mirror = Mirror::of_this_machine().ok_or(Unfetched::NoMirror)?;
        for folder in ["lists/partial", "archives/partial", "new"] {
            make(&apt.folder.join(folder))?;
        }
        write(&apt.folder.join("status"), "")?;
        write(&apt.folder.join("debian.sources"), &mirror.suite(SUITE))?;
        // The host's hooks are about the host's packages.
        let quiet = "#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n\
            #clear Acquire::IndexTargets::deb::DEP-11;\n";
        write(&apt.folder.join("quiet.conf"), quiet)?;
        apt.run("apt-get", &["update".into(), "-qq".into()])?;
        Ok(apt)
    }

    fn run(&self, program: &str, words: &[String]) -> Result<String, Unfetched> {
        let place = |name: &str| self.folder.join(name).display().to_string();
        let output = Command::new(program)
            .arg(format!("-c={}", place("quiet.conf")))
            .args([
                format!("-oDir::State={}", place("")),
                format!("-oDir::State::lists={}", place("lists")),
                format!("-oDir::State::status={}", place("status")),
                format!("-oDir::Cache={}", place("")),
                format!("-oDir::Cache::archives={}", place("archives")),
                format!("-oDir::Etc::sourcelist={}", place("debian.sources")),
                "-oDir::Etc::sourceparts=-".into(),
                "-oAPT::Architecture=amd64".into(),
                "-oAPT::Architectures=amd64".into(),
                "-oAPT::Sandbox::User=root".into(),
                "-oAcquire::Languages=none".into(),
                "-oAcquire::Retries=3".into(),
            ])
            .args(words)
            .current_dir(self.folder.join("new"))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output();
        let command = format!("{program} {}", words.join(" "));
        match output {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(Unfetched::Apt { command, said })
            }
            Err(error) => {
                let said = error.to_string();
                Err(Unfetched::Apt { command, said })
            }
        }
    }

    fn versions(&self, name: &str) -> Vec<(Package, String)> {
        // Words for "none of this name" come as an error; an empty answer says the same.
        let text = self
            .run("apt-cache", &["show".into(), name.into()])
            .unwrap_or_default();
        text.split("\n\n").filter_map(stanza).collect()
    }

    fn newest(&self, name: &str) -> Result<Package, Unfetched> {
        let versions = self.versions(name);
        let newest = versions.into_iter().next().map(|(package, _)| package);
        newest.ok_or_else(|| Unfetched::Absent(name.to_owned()))
    }

    fn kernel(&self) -> Result<Package, Unfetched> {
        let absent = || Unfetched::Absent(KERNEL.to_owned());
        let (_, depends) = self
            .versions(KERNEL)
            .into_iter()
            .next()
            .ok_or_else(absent)?;
        let name = depends.split_whitespace().next().ok_or_else(absent)?;
        self.newest(name)
    }

    fn take(&self, locked: &Package, strictness: Strictness) -> Result<Package, Unfetched> {
        let versions = self.versions(&locked.name);
        let same = versions
            .into_iter()
            .find(|(found, _)| found.version == locked.version);
        match same {
            Some((found, _)) if found == *locked => Ok(found),
            Some((found, _)) => Err(Unfetched::Forged {
                name: found.name,
                version: found.version,
                locked: locked.sha256.clone(),
                found: found.sha256,
            }),
            None if strictness == Strictness::Release => Err(Unfetched::Dropped(format!(
                "{} {}",
                locked.name, locked.version
            ))),
            None if lock::is_kernel(locked) => self.kernel(),
            None => self.newest(&locked.name),
        }
    }

    fn download(&self, packages: &[&Package], cache: &Cache) -> Result<(), Unfetched> {
        if packages.is_empty() {
            return Ok(());
        }
        let mut words = vec!["download".to_owned(), "-qq".to_owned()];
        words.extend(
            packages
                .iter()
                .map(|one| format!("{}={}", one.name, one.version)),
        );
        self.run("apt-get", &words)?;
        make(&cache.folder.join("debs"))?;
        let new = self.folder.join("new");
        let fail = |source| Unfetched::Cache {
            path: new.clone(),
            source,
        };
        for entry in fs::read_dir(&new).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let sha256 = sha256_of(&path).map_err(fail)?;
            let to = cache.folder.join("debs").join(format!("{sha256}.deb"));
            fs::rename(&path, to).map_err(fail)?;
        }
        // What came under another hash is not there under the one that was promised.
        match packages.iter().find(|one| !cache.file(one).is_file()) {
            None => Ok(()),
            Some(one) => Err(Unfetched::Absent(format!(
                "{} with hash {}",
                one.name, one.sha256
            ))),
        }
    }
}

/// Reads one stanza of `apt-cache show`: the package, and on what it depends.
fn stanza(text: &str) -> Option<(Package, String)> {
    let field = |key: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
    };
    let package = Package {
        name: field("Package")?.to_owned(),
        version: field("Version")?.to_owned(),
        sha256: field("SHA256")?.to_owned(),
    };
    Some((package, field("Depends").unwrap_or_default().to_owned()))
}

/// Returns the SHA-256 of a file in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(buffer.get(..count).unwrap_or_default());
    }
}

/// Returns bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn make(folder: &Path) -> Result<(), Unfetched> {
    fs::create_dir_all(folder).map_err(|source| Unfetched::Cache {
        path: folder.to_owned(),
        source,
    })
}

fn write(path: &Path, text: &str) -> Result<(), Unfetched> {
    fs::write(path, text).map_err(|source| Unfetched::Cache {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(text: &str) -> Lock {
        text.parse().unwrap()
    }

    fn line(name: &str, version: &str) -> String {
        format!("{name} {version} {}\n", "ab".repeat(32))
    }

    #[test]
    fn what_lies_in_the_cache_is_not_asked_for() {
        let folder = std::env::temp_dir().join(format!("sbc-fetch-{}", std::process::id()));
        let cache = Cache::new(folder.clone());
        let lock = lock(&line("nothing-of-this-name", "1"));
        fs::create_dir_all(folder.join("debs")).unwrap();
        fs::write(cache.file(&lock.packages[0]), "x").unwrap();
        let fetched = cache.fetch(&lock, Strictness::Release).unwrap();
        assert_eq!((fetched.lock, fetched.differs.len()), (lock, 0));
        assert!(!folder.join("apt").exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_stanza_of_the_archive_is_read() {
        let text = "Package: linux-image-amd64\nVersion: 6.12.1-1\n\
            Depends: linux-image-6.12.1+deb13-amd64 (= 6.12.1-1)\nSHA256: aa\n";
        let (package, depends) = stanza(text).unwrap();
        assert_eq!(package.version, "6.12.1-1");
        assert!(depends.starts_with("linux-image-6.12.1+deb13-amd64 "));
        assert_eq!(stanza("Package: x\n"), None);
    }

    #[test]
    fn differences_name_both_versions() {
        let before = lock(&(line("a", "1") + &line("b", "1")));
        let after = lock(&(line("a", "1") + &line("b", "2")));
        assert_eq!(differences(&before, &after), ["b 1 -> b 2"]);
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn a_file_is_hashed() {
        let path = std::env::temp_dir().join(format!("sbc-hash-{}", std::process::id()));
        fs::write(&path, "abc").unwrap();
        let hash = sha256_of(&path).unwrap();
        fs::remove_file(&path).unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            hash,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
