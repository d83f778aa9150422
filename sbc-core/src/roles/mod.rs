//! The roles of the one binary: each is a process of its own, started and
//! watched by `init`, and knows only what it is told over its pair.

mod briefing;
pub mod console;
mod heap;
pub mod init;
mod journal;
mod netcfg;
mod pages;
pub mod relay;
pub mod signal;

use crate::ipc::Neighbour;
use crate::jail;

/// What a child process does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// SIP: sockets around the call engine.
    Signal,
    /// RTP and RTCP: the stream table.
    Relay,
    /// The local API socket.
    Console,
    /// The hands in the kernel: the fence, tunnels, listening sockets.
    Netcfg,
}

/// One row for each role: whom it talks to besides `init`.
pub const TABLE: [(Role, &str, &[Role]); 4] = [
    (Role::Netcfg, "netcfg", &[Role::Console]),
    (Role::Signal, "signal", &[Role::Relay, Role::Console]),
    (Role::Relay, "relay", &[Role::Signal]),
    (Role::Console, "console", &[Role::Signal, Role::Netcfg]),
];

impl Role {
    /// Returns the word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Relay => "relay",
            Self::Console => "console",
            Self::Netcfg => "netcfg",
        }
    }

    /// Returns the role of a word, if it is one.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let row = TABLE.iter().find(|(_, name, _)| *name == word);
        row.map(|(role, _, _)| *role)
    }

    /// Returns the roles it talks to.
    #[must_use]
    pub fn neighbours(self) -> &'static [Self] {
        let row = TABLE.iter().find(|(role, _, _)| *role == self);
        row.map_or(&[], |(_, _, neighbours)| neighbours)
    }

    /// Returns the role as a message names it.
    #[must_use]
    pub const fn neighbour(self) -> Neighbour {
        match self {
            Self::Signal => Neighbour::Signal,
            Self::Relay => Neighbour::Relay,
            Self::Console => Neighbour::Console,
            Self::Netcfg => Neighbour::Netcfg,
        }
    }
}

/// Runs the role that `init` started this process for.
///
/// # Errors
/// What ended it.
pub fn run(role: Role) -> anyhow::Result<()> {
    jail::enter(role)?;
    match role {
        Role::Signal => signal::run(),
        Role::Relay => relay::run(),
        Role::Console => console::run(),
        Role::Netcfg => netcfg::run(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Role, TABLE};

    #[test]
    fn whoever_a_role_talks_to_talks_back() {
        for (role, word, neighbours) in TABLE {
            assert_eq!(Role::of(word), Some(role));
            for other in neighbours {
                assert!(other.neighbours().contains(&role), "{role:?} and {other:?}");
            }
        }
        assert_eq!(Role::of("init"), None);
    }
}
