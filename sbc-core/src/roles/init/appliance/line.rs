//! The line of a login comes in before the first one; how it was set is kept, and put
//! back for the next: one that was ended in the middle of a line left it as it was.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::termios::{self, OptionalActions, Termios};

/// A line, and how it is to be set.
#[derive(Debug)]
pub struct Line {
    path: PathBuf,
    set: Termios,
}

impl Line {
    /// Looks at the line at `path`; there is nothing to keep of what is none.
    #[must_use]
    pub fn keep(path: &Path) -> Option<Self> {
        let set = termios::tcgetattr(open(path)?).ok()?;
        Some(Self {
            path: path.to_owned(),
            set,
        })
    }

    /// Sets it again as it was.
    pub fn put_back(&self) {
        if let Some(line) = open(&self.path) {
            let _gone = termios::tcsetattr(line, OptionalActions::Now, &self.set);
        }
    }
}

/// Opens a line without taking it for one's own, or waiting for a modem.
fn open(path: &Path) -> Option<File> {
    let flags = (OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = File::options();
    options.read(true).write(true).custom_flags(flags);
    options.open(path).ok()
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::LocalModes;

    use super::*;

    #[test]
    fn a_line_that_a_login_left_without_an_echo_has_it_again() {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let path = Path::new(name.to_str().unwrap());
        let line = Line::keep(path).unwrap();
        let theirs = open(path).unwrap();
        let mut spoilt = line.set.clone();
        let keys = LocalModes::ECHO | LocalModes::ISIG | LocalModes::ICANON;
        spoilt.local_modes -= keys;
        termios::tcsetattr(&theirs, OptionalActions::Now, &spoilt).unwrap();
        line.put_back();
        assert!(
            termios::tcgetattr(&theirs)
                .unwrap()
                .local_modes
                .contains(keys)
        );
        assert!(Line::keep(Path::new("/dev/null")).is_none());
    }
}
