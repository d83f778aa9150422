//! Switches of the kernel under `/proc/sys`: a key with dots comes in, its value
//! is read or written. A key that leads elsewhere does not pass.

use std::io;
use std::path::PathBuf;

use crate::error::KernelError;

/// The longest value any switch we know of has.
const VALUE_MAX: usize = 4096;

/// Returns the value of a switch such as `net/ipv4/ip_forward`, without its end
/// of line. Parts are divided by `/`, so a device's name may hold dots.
///
/// # Errors
/// When there is no such switch or it cannot be read.
pub fn read(key: &str) -> Result<String, KernelError> {
    let value = place(key).and_then(std::fs::read_to_string);
    let mut value = value.map_err(|why| fault(key, "read", why))?;
    value.truncate(value.trim_end().len());
    Ok(value)
}

/// Sets a switch. Returns the value it had, which undoes the change.
///
/// # Errors
/// When there is no such switch or it cannot be written.
pub fn write(key: &str, value: &str) -> Result<String, KernelError> {
    let before = read(key)?;
    if value.len() > VALUE_MAX {
        let why = io::ErrorKind::InvalidInput.into();
        return Err(fault(key, "written", why));
    }
    let written = place(key).and_then(|path| std::fs::write(path, value));
    written.map_err(|why| fault(key, "written", why))?;
    Ok(before)
}

fn place(key: &str) -> io::Result<PathBuf> {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    if key.split('/').all(plain) {
        Ok(PathBuf::from("/proc/sys").join(key))
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

fn fault(key: &str, verb: &'static str, why: io::Error) -> KernelError {
    KernelError::Sysctl {
        path: key.to_owned(),
        verb,
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_switch_that_everybody_has_can_be_read() {
        assert!(!read("kernel/ostype").unwrap().is_empty());
    }

    #[test]
    fn a_key_leads_nowhere_but_to_a_switch() {
        for key in ["../../etc/passwd", "net//x", "/etc/passwd", ".", ""] {
            assert!(read(key).is_err(), "{key}");
        }
    }
}
