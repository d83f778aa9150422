//! The lock of packages, read and written: a line for each package with name,
//! version and SHA-256, in the order of names.

use core::fmt;
use core::str::FromStr;

/// One package of Debian's archive.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Package {
    /// Its name in the archive.
    pub name: String,
    /// Its version, with epoch and revision.
    pub version: String,
    /// The SHA-256 of its file, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// All packages of the image and of the lab.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lock {
    /// In the order of names.
    pub packages: Vec<Package>,
}

/// Why a lock cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line} of the lock is not `name version sha256`: {text}")]
pub struct Malformed {
    line: usize,
    text: String,
}

impl FromStr for Lock {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut packages = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = text.split_whitespace().collect();
            let (&[name, version, sha256], true) = (
                words.as_slice(),
                words.last().is_some_and(|word| is_sha256(word)),
            ) else {
                let text = text.to_owned();
                return Err(Malformed { line, text });
            };
            packages.push(Package {
                name: name.to_owned(),
                version: version.to_owned(),
                sha256: sha256.to_owned(),
            });
        }
        packages.sort();
        Ok(Self { packages })
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "# Debian 13 packages: name, version, SHA-256. Written by `sbc-image lock`."
        )?;
        for package in &self.packages {
            let Package {
                name,
                version,
                sha256,
            } = package;
            writeln!(out, "{name} {version} {sha256}")?;
        }
        Ok(())
    }
}

impl Lock {
    /// Returns the kernel's package: the one whose name carries a version.
    #[must_use]
    pub fn kernel(&self) -> Option<&Package> {
        self.packages.iter().find(|package| is_kernel(package))
    }
}

/// Returns whether this package holds a kernel.
#[must_use]
pub fn is_kernel(package: &Package) -> bool {
    package
        .name
        .strip_prefix("linux-image-")
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

fn is_sha256(word: &str) -> bool {
    word.len() == 64
        && word
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Lock {
        let package = |name: &str, version: &str| Package {
            name: name.into(),
            version: version.into(),
            sha256: "0123456789abcdef".repeat(4),
        };
        Lock {
            packages: vec![
                package("libc6", "2.41-12"),
                package("linux-image-6.12.1+deb13-amd64", "6.12.1-1"),
                package("nftables", "1:1.1.3~rc-1+b3"),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(sample().to_string().parse(), Ok(sample()));
    }

    #[test]
    fn the_kernel_is_found_by_its_name() {
        assert_eq!(sample().kernel(), sample().packages.get(1));
    }

    #[test]
    fn a_line_that_lacks_its_hash_is_named() {
        let error = "# a\nnft 1.0\n".parse::<Lock>().unwrap_err();
        assert_eq!((error.line, error.text.as_str()), (2, "nft 1.0"));
        let short = format!("nft 1.0 {}", "a".repeat(63));
        assert!(short.parse::<Lock>().is_err());
    }
}
