//! The daemon's own settings: which of its parts are loaded and where its control
//! socket lies. The folder is in memory and holds no secret.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where Debian keeps the daemon.
pub const PROGRAM: &str = "/usr/lib/ipsec/charon";

/// The variable that names the daemon's settings.
pub const SETTINGS: &str = "STRONGSWAN_CONF";

/// The parts that are loaded, in this order. Releases 5 and 6 divide the work
/// differently; a part that a release lacks is passed over.
const PARTS: &str = "random nonce openssl gcm curve25519 aes sha2 hmac kdf \
    pem pkcs1 pkcs8 x509 pubkey constraints kernel-netlink socket-default vici";

/// The folder of one daemon: its settings and its socket.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folder, readable by its owner alone, and writes the settings.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn make(at: &Path) -> io::Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(at)?;
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o700))?;
        let folder = Self(at.to_owned());
        std::fs::write(folder.settings(), folder.text())?;
        Ok(folder)
    }

    /// Returns the folder of a daemon that somebody else made.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Returns the file of the settings, for [`SETTINGS`].
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.0.join("strongswan.conf")
    }

    /// Returns the control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.0.join("vici")
    }

    fn text(&self) -> String {
        let socket = self.socket();
        let socket = socket.display();
        format!(
            "charon {{\n\
             \x20 load = {PARTS}\n\
             \x20 install_routes = no\n\
             \x20 install_virtual_ip = no\n\
             \x20 routing_table = 0\n\
             \x20 accept_unencrypted_mainmode_messages = no\n\
             \x20 retransmit_tries = 4\n\
             \x20 retransmit_timeout = 1.0\n\
             \x20 retransmit_base = 1.6\n\
             \x20 half_open_timeout = 10\n\
             \x20 cookie_threshold = 10\n\
             \x20 block_threshold = 5\n\
             \x20 init_limit_half_open = 100\n\
             \x20 threads = 8\n\
             \x20 delete_rekeyed_delay = 5\n\
             \x20 send_vendor_id = no\n\
             \x20 syslog {{\n    daemon {{\n      default = -1\n    }}\n    auth {{\n      default = -1\n    }}\n  }}\n\
             \x20 filelog {{\n    stderr {{\n      default = 1\n      enc = 0\n      net = 0\n      ike_name = yes\n      flush_line = yes\n    }}\n  }}\n\
             \x20 plugins {{\n\
             \x20   vici {{\n      socket = unix://{socket}\n    }}\n\
             \x20   kernel-netlink {{\n      process_rules = no\n      fwmark = \n    }}\n\
             \x20 }}\n\
             }}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::Folder;

    #[test]
    fn the_folder_is_for_one_user_and_the_settings_make_balanced_sections() {
        let at = std::env::temp_dir().join(format!("sbc-charon-{}", std::process::id()));
        let folder = Folder::make(&at).unwrap();
        let mode = std::fs::metadata(&at).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let text = std::fs::read_to_string(folder.settings()).unwrap();
        let count = |c| text.matches(c).count();
        assert_eq!(count('{'), count('}'));
        assert!(text.contains(&format!("socket = unix://{}/vici", at.display())));
        assert!(text.contains("install_routes = no"));
        std::fs::remove_dir_all(at).unwrap();
    }
}
