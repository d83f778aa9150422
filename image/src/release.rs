//! What a version of the firmware says of itself, everywhere it says it.

use crate::uuid::Uuid;

/// The time all writers give, unless `SOURCE_DATE_EPOCH` says another: the day
/// of the release, seconds since 1970.
pub const TIME: u64 = 1_795_564_800;
/// What kind of machine an image is for; an update for another is refused.
pub const HARDWARE: &str = "x86_64-generic";
/// The lowest version a node may go back to once it runs this one: raised when a
/// version is known to be unsafe.
pub const FLOOR: &str = "0.1.0";
/// The kernel's command line, the same for both loaders. The last console is
/// the one programs write to.
const CMDLINE: &str = "console=tty0 console=ttyS0,115200 quiet loglevel=3 panic=10 gpt \
    lockdown=integrity module.sig_enforce=1 net.ifnames=0 random.trust_cpu=on \
    cryptomgr.notests";

/// One version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Release {
    /// As `0.1.0`.
    pub version: String,
    /// Seconds since 1970.
    pub time: u64,
}

impl Release {
    /// Returns the file `os-release` (os-release(5)).
    #[must_use]
    pub fn os_release(&self) -> Vec<u8> {
        let Self { version, .. } = self;
        format!(
            "ID=sbc\nNAME=\"Session border controller\"\nPRETTY_NAME=\"sbc {version}\"\n\
             IMAGE_ID=sbc\nIMAGE_VERSION={version}\nVERSION_ID={version}\n"
        )
        .into_bytes()
    }

    /// Returns the file by which the node knows what it is.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        format!(
            "version={}\ntime={}\nhardware={HARDWARE}\nfloor={FLOOR}\n",
            self.version, self.time
        )
        .into_bytes()
    }

    /// Returns the command line that boots the root with this hash, and no other.
    #[must_use]
    pub fn cmdline(&self, root_hash: &[u8]) -> String {
        format!("{CMDLINE} sbc.root={}", crate::fetch::hex(root_hash))
    }

    /// Returns the name of one of its things.
    #[must_use]
    pub fn uuid(&self, what: &str) -> Uuid {
        Uuid::of(what, self.version.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_ends_with_the_hash_it_boots() {
        let release = Release {
            version: "0.1.0".into(),
            time: TIME,
        };
        let line = release.cmdline(&[0xab, 0x01]);
        assert!(line.ends_with(" sbc.root=ab01"), "{line}");
        assert!(line.contains("panic=10"), "a hung kernel must come back");
    }
}
