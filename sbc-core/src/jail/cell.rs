//! What a role may do: its user and capabilities come in, and from there on the
//! process has nothing else (capabilities(7)). Entered before any thread is
//! started: the kernel keeps these rights by thread.

use std::io;

use rustix::fs::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities,
    set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};
use sbc_plan::Users;

use crate::roles::Role;

/// The rights of one process.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// User, and group of the same number.
    pub user: u32,
    /// Another group it is in.
    pub guest_of: Option<u32>,
    /// What it and its children keep.
    pub capabilities: CapabilitySet,
}

/// Returns the cell of a role on a node that has its network in hand; without one
/// a role stays what `init` is.
#[must_use]
pub fn of(role: Role) -> Option<Cell> {
    let users = Users::default();
    let plain = |user| Cell {
        user,
        guest_of: None,
        capabilities: CapabilitySet::empty(),
    };
    match role {
        Role::Signal => Some(plain(users.signal)),
        Role::Relay => Some(plain(users.relay)),
        Role::Netcfg => Some(Cell {
            user: users.netcfg,
            // Charon's control socket belongs to charon's group.
            guest_of: Some(users.charon),
            capabilities: CapabilitySet::NET_ADMIN,
        }),
        // It writes what `init` keeps: secrets, the audit log.
        Role::Console => None,
    }
}

/// Returns the cell of a role where each has folders of its own to write to.
#[must_use]
pub fn with_folders(role: Role) -> Option<Cell> {
    of(role).or(Some(Cell {
        user: Users::default().console,
        // It shows records of calls.
        guest_of: Some(Users::default().signal),
        capabilities: CapabilitySet::empty(),
    }))
}

/// Returns the cell of a login: whoever may open the console's socket, and its
/// captures and echoes need packets as they are.
#[must_use]
pub fn of_login() -> Cell {
    Cell {
        user: Users::default().console,
        guest_of: None,
        capabilities: CapabilitySet::NET_RAW,
    }
}

/// Returns the cell of the port for programs: whoever may open the console's socket.
#[must_use]
pub fn of_port() -> Cell {
    Cell {
        capabilities: CapabilitySet::empty(),
        ..of_login()
    }
}

/// Returns the cell of who looks after the firmware: the owner of disks, without the
/// rights of one but to mount them, to read what the configuration is, and to give its
/// socket to logins.
#[must_use]
pub fn of_firmware() -> Cell {
    Cell {
        user: 0,
        guest_of: None,
        capabilities: CapabilitySet::SYS_ADMIN
            .union(CapabilitySet::DAC_READ_SEARCH)
            .union(CapabilitySet::CHOWN),
    }
}

/// Returns the cell of charon: it makes associations in the kernel and opens the
/// port of IKE.
#[must_use]
pub fn of_charon() -> Cell {
    Cell {
        user: Users::default().charon,
        guest_of: None,
        capabilities: CapabilitySet::NET_ADMIN.union(CapabilitySet::NET_BIND_SERVICE),
    }
}

impl Cell {
    /// Gives up all else. There is no way back.
    ///
    /// # Errors
    /// When the kernel refuses it: the process was not root.
    pub fn enter(self) -> io::Result<()> {
        let user = Uid::from_raw(self.user);
        let group = Gid::from_raw(self.user);
        let guest_of: Vec<Gid> = self.guest_of.map(Gid::from_raw).into_iter().collect();
        set_keep_capabilities(true)?;
        set_thread_groups(&guest_of)?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
        let kept = CapabilitySets {
            effective: self.capabilities,
            permitted: self.capabilities,
            inheritable: self.capabilities,
        };
        set_capabilities(None, kept)?;
        for one in self.capabilities.iter() {
            configure_capability_in_ambient_set(one, true)?;
        }
        set_no_new_privs(true)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CapabilitySet, Role, of, of_charon, of_firmware, of_login, of_port, with_folders};
    use crate::roles::TABLE;

    #[test]
    fn only_netcfg_and_charon_may_change_the_network() {
        for (role, _, _) in TABLE {
            let holds = of(role).is_some_and(|cell| !cell.capabilities.is_empty());
            assert_eq!(holds, role == Role::Netcfg, "{role:?}");
        }
        let cell = of_charon();
        assert!(!cell.capabilities.contains(CapabilitySet::SYS_ADMIN));
        assert_ne!(cell.user, 0);
    }

    #[test]
    fn a_login_is_the_consoles_user_and_may_look_at_packets_and_nothing_else() {
        let (login, console) = (of_login(), with_folders(Role::Console).unwrap());
        assert_eq!(login.user, console.user);
        assert_eq!(login.capabilities, CapabilitySet::NET_RAW);
        assert_ne!(login.user, 0);
        assert_eq!(of_port().user, login.user);
        assert!(of_port().capabilities.is_empty());
    }

    #[test]
    fn who_looks_after_the_firmware_mounts_and_changes_no_network_or_kernel() {
        let held = of_firmware().capabilities;
        assert!(held.contains(CapabilitySet::SYS_ADMIN));
        for never in [
            CapabilitySet::SYS_MODULE,
            CapabilitySet::SYS_BOOT,
            CapabilitySet::SYS_PTRACE,
            CapabilitySet::NET_ADMIN,
            CapabilitySet::NET_RAW,
            CapabilitySet::SETUID,
            CapabilitySet::DAC_OVERRIDE,
        ] {
            assert!(!held.intersects(never), "{never:?}");
        }
    }

    #[test]
    fn no_two_roles_share_a_user() {
        let cells = TABLE.iter().filter_map(|(role, _, _)| with_folders(*role));
        let mut users: Vec<u32> = cells.chain([of_charon()]).map(|cell| cell.user).collect();
        let count = users.len();
        users.sort_unstable();
        users.dedup();
        assert_eq!(users.len(), count);
    }
}
