//! Unpacked packages come in; programs that make filesystems run from them,
//! with their own loader and libraries, so that what they write does not depend
//! on the machine that builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::closure::Roots;
use crate::deb;
use crate::fetch::{Cache, hex};
use crate::lay::lay;
use crate::lock::Lock;
use crate::tree::Tree;

/// The programs.
const PROGRAMS: [&str; 5] = [
    "usr/bin/grub-mkimage",
    "usr/bin/mkfs.erofs",
    "usr/bin/fsck.erofs",
    "usr/bin/zstd",
    "usr/sbin/mke2fs",
];
const LOADER: &str = "usr/lib64/ld-linux-x86-64.so.2";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// Programs in a folder, and a folder for what they write.
#[derive(Debug)]
pub struct Tools {
    folder: PathBuf,
    scratch: PathBuf,
    /// What all writers give as the time, seconds since 1970.
    pub time: u64,
}

impl Tools {
    /// Lays the programs below the cache, unless they are there; `scratch` is
    /// made and emptied.
    ///
    /// # Errors
    /// When a package lacks what it should have.
    pub fn new(cache: &Cache, lock: &Lock, scratch: PathBuf, time: u64) -> anyhow::Result<Self> {
        let name = hex(&Sha256::digest(format!("{lock}{PROGRAMS:?}").as_bytes()));
        let name = name.get(..16).unwrap_or_default();
        let folder = cache.folder().join(format!("tools-{name}"));
        if !folder.is_dir() {
            let half = folder.with_extension(std::process::id().to_string());
            let unpacked = lock.packages.iter().map(|one| deb::unpack(cache, one));
            let roots = Roots::new(unpacked.collect::<Result<_, _>>()?);
            let mut tree = Tree::new();
            for program in PROGRAMS {
                roots.close(program, &mut tree)?;
            }
            lay(&tree, &half)?;
            fs::rename(&half, &folder)?;
        }
        if scratch.exists() {
            fs::remove_dir_all(&scratch).with_context(|| scratch.display().to_string())?;
        }
        fs::create_dir_all(&scratch)?;
        Ok(Self {
            folder,
            scratch,
            time,
        })
    }

    /// Returns a path for something that is thrown away.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Runs a program to its end; `settings` go into its environment.
    ///
    /// # Errors
    /// When it does not end well; the message has what it said.
    pub fn run(
        &self,
        program: &str,
        words: &[&str],
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Vec<u8>> {
        let output = Command::new(self.folder.join(LOADER))
            .arg("--library-path")
            .arg(self.folder.join(LIBRARIES))
            .arg(self.folder.join(program))
            .args(words)
            .env_clear()
            .env("LC_ALL", "C")
            .env("SOURCE_DATE_EPOCH", self.time.to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .output()
            .with_context(|| program.to_owned())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{program}: {}: {}", output.status, said.trim());
        }
        Ok(output.stdout)
    }

    /// Returns `bytes` compressed as hard as the kernel can unpack.
    ///
    /// # Errors
    /// When the program fails.
    pub fn compress(&self, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (from, to) = (self.scratch("plain"), self.scratch("plain.zst"));
        fs::write(&from, bytes)?;
        self.compress_file(&from, &to, "-19")?;
        Ok(fs::read(to)?)
    }

    /// Compresses one file into another; one thread, so that the result is
    /// always the same.
    ///
    /// # Errors
    /// When the program fails.
    pub fn compress_file(&self, from: &Path, to: &Path, level: &str) -> anyhow::Result<()> {
        let (from, to) = (from.display().to_string(), to.display().to_string());
        let words = ["-q", "-f", level, "--single-thread", &from, "-o", &to];
        self.run("usr/bin/zstd", &words, &[]).map(drop)
    }
}
