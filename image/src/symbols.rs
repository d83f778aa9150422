//! The list of what the kernel must have and a kernel's own list come in; what is
//! missing goes out.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

/// Returns the lines `CONFIG_…=y` or `=m` of a list.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with("CONFIG_"))
}

/// Returns the lines of `wanted` that `has` does not hold.
#[must_use]
pub fn missing<'a>(wanted: &'a str, has: &str) -> Vec<&'a str> {
    let has: std::collections::BTreeSet<&str> = lines(has).collect();
    lines(wanted).filter(|line| !has.contains(line)).collect()
}

/// Returns the modules a list names above their symbols: lines that are one word
/// behind `# `.
pub fn modules(wanted: &str) -> impl Iterator<Item = &str> {
    let names = wanted.lines().filter_map(|line| line.strip_prefix("# "));
    names.filter(|name| !name.contains(' '))
}

/// Holds the kernel of an unpacked package against the list.
///
/// # Errors
/// The lines it lacks, or that its own list cannot be read.
pub fn held(wanted: &str, package: &Path, version: &str) -> anyhow::Result<()> {
    let own = package.join(format!("boot/config-{version}"));
    let own = fs::read_to_string(&own).with_context(|| own.display().to_string())?;
    let missing = missing(wanted, &own);
    ensure!(
        missing.is_empty(),
        "the kernel {version} has not: {}",
        missing.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_lacks_or_has_otherwise_is_named() {
        let wanted = "# a\nCONFIG_A=y\n# b and c\nCONFIG_B=m\nCONFIG_C=y\n";
        let has = "CONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n";
        assert_eq!(missing(wanted, has), ["CONFIG_B=m", "CONFIG_C=y"]);
        assert_eq!(modules(wanted).collect::<Vec<_>>(), ["a"]);
    }
}
