//! A role's row comes in; a process goes out that can do what the row says and
//! nothing else: without privileges, with few files and few system calls. Each
//! step is a gate that opens one way.

mod calls;
pub mod ceilings;
mod cell;
mod doors;
mod files;
mod programs;
mod table;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::thread::{CapabilitySet, CapabilitySets};
use sbc_plan::Users;

use crate::roles::{Role, init};
pub use cell::{of, of_charon};
pub use table::Row;

/// How far calls go ahead of all else: three turns for one.
const AHEAD: i32 = -5;

/// The variable by which `init` tells that each role gets a user of its own.
pub const USERS: &str = "SBC_USERS";

/// Goes into the jail of `role`, before it has read anything or started a
/// thread. There is no way back, and its children are in it as well.
///
/// # Errors
/// When a gate does not close; the role must not run then.
pub fn enter(role: Role) -> anyhow::Result<()> {
    let is_set = |variable| std::env::var_os(variable).is_some();
    let cell = if is_set(USERS) {
        cell::with_folders(role)
    } else if is_set(init::NETWORK) {
        cell::of(role)
    } else {
        None
    };
    let kept = cell.map_or(CapabilitySet::empty(), |cell| cell.capabilities);
    go_ahead(role);
    bound(kept);
    match cell {
        Some(cell) => cell.enter().context("cannot become its user")?,
        None => drop_capabilities().context("capabilities stay")?,
    }
    rustix::thread::set_no_new_privs(true).context("new privileges stay possible")?;
    let Some(row) = Row::of(role) else {
        return Ok(());
    };
    if row.closes_files {
        files::confine(&row).context("the files stay open")?;
    }
    calls::confine(&row).context("the system calls stay open")
}

/// Goes into the jail of charon, with which it ends when its parent does.
///
/// # Errors
/// When a gate does not close.
pub fn enter_charon() -> anyhow::Result<()> {
    let cell = cell::of_charon();
    bound(cell.capabilities);
    cell.enter().context("cannot become its user")?;
    let signal = rustix::process::Signal::KILL;
    // After the change of users, which forgets it.
    rustix::process::set_parent_process_death_signal(Some(signal))
        .context("it would outlive its parent")?;
    filter("charon")
}

/// Closes all system calls but those of the row of this word.
fn filter(word: &str) -> anyhow::Result<()> {
    let row = Row::named(word).context("no row is called so")?;
    calls::confine(&row).context("the system calls stay open")
}

/// Goes into the jail of a login: where each role has a user it has nobody's rights
/// but those of the console's, and packets to look at; everywhere few system calls. It
/// comes before the terminal is opened.
///
/// # Errors
/// When a gate does not close.
pub fn enter_login() -> anyhow::Result<()> {
    if std::env::var_os(USERS).is_some() {
        let cell = cell::of_login();
        bound(cell.capabilities);
        cell.enter().context("cannot become the user of logins")?;
    }
    rustix::thread::set_no_new_privs(true).context("new privileges stay possible")?;
    filter("login")
}

/// Goes into the jail of the port for programs, once that is open.
///
/// # Errors
/// When a gate does not close.
pub fn enter_port() -> anyhow::Result<()> {
    enter_door("port", cell::of_port())
}

/// Goes into the jail of who looks after the firmware.
///
/// # Errors
/// When a gate does not close.
pub fn enter_firmware() -> anyhow::Result<()> {
    enter_door("firmware", cell::of_firmware())
}

fn enter_door(word: &str, cell: cell::Cell) -> anyhow::Result<()> {
    let row = Row::named(word).context("no row is called so")?;
    bound(cell.capabilities);
    cell.enter().context("cannot become its user")?;
    if row.closes_files {
        files::confine(&row).context("the files stay open")?;
    }
    calls::confine(&row).context("the system calls stay open")
}

/// Returns what the kernel says of a process's jail; nothing until its filter of
/// system calls is closed.
#[must_use]
pub fn shown(pid: u32) -> Option<String> {
    shown_of(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn shown_of(status: &str) -> Option<String> {
    /// What the kernel calls a filter (seccomp(2), mode 2).
    const FILTERED: &str = "2";
    let field = |name: &str| {
        let mut lines = status.lines();
        let rest = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        rest.split_whitespace().next()
    };
    field("Seccomp").filter(|mode| *mode == FILTERED)?;
    let each = ["Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"].into_iter();
    let each: Option<Vec<String>> = each
        .map(|name| Some(format!("{name} {}", field(name)?)))
        .collect();
    Some(each?.join(", "))
}

/// Gives a terminal to the user of logins.
///
/// # Errors
/// When it is not there.
pub fn give_to_logins(terminal: &Path) -> io::Result<()> {
    let user = Some(cell::of_login().user);
    std::os::unix::fs::chown(terminal, user, user)
}

/// Returns the user who writes secrets, where each role has one.
#[must_use]
pub fn writer_of_secrets() -> Option<u32> {
    cell::with_folders(Role::Console).map(|cell| cell.user)
}

/// Returns the users that the firewall's rules name. The console's role stays who
/// started the node where its files lie in no folders of their own: then root.
#[must_use]
pub fn users() -> Users {
    let all = Users::default();
    match std::env::var_os(USERS) {
        Some(_) => all,
        None => Users { console: 0, ..all },
    }
}

/// Lets voice and signalling go ahead of all else, side by side, where the processor is
/// short. Who may not ask for it runs with the others.
fn go_ahead(role: Role) {
    if matches!(role, Role::Relay | Role::Signal) {
        let _may_not = rustix::process::setpriority_process(None, AHEAD);
    }
}

/// Takes from the process, and from all it could ever start, what nobody of it
/// needs. Without the right to do so there is nothing to take.
fn bound(kept: CapabilitySet) {
    for capability in CapabilitySet::all().difference(kept).iter() {
        let _unknown_or_not_ours = rustix::thread::remove_capability_from_bounding_set(capability);
    }
}

fn drop_capabilities() -> io::Result<()> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, none)?)
}

/// Makes the folders that roles write to, and gives them to their users, if each
/// role is to have one; `place` is asked for what a variable says.
///
/// # Errors
/// When one cannot be made or given away.
pub fn prepare(place: impl Fn(&str) -> Option<PathBuf>) -> io::Result<()> {
    if place(USERS).is_none() {
        return Ok(());
    }
    for row in Row::all() {
        let user = row.role.and_then(cell::with_folders).map(|cell| cell.user);
        for (folder, _) in row.folders(&place).iter().filter(|(_, writes)| *writes) {
            std::fs::create_dir_all(folder)?;
            std::os::unix::fs::chown(folder, user, user)?;
        }
    }
    // All write the diary, by descriptors from before the jail; the console reads it.
    let diary = place(init::STATE).map(|state| state.join(crate::diary::FILE));
    match diary.filter(|diary| diary.exists()) {
        Some(diary) => std::os::unix::fs::chown(diary, writer_of_secrets(), None),
        None => Ok(()),
    }
}

/// Returns a variable's path.
fn from_environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// Returns the folder of a path; a bare name lies where we are.
fn folder_of(path: &Path) -> PathBuf {
    let parent = path.parent().map(Path::as_os_str).unwrap_or_default();
    PathBuf::from(if parent.is_empty() {
        OsStr::new(".")
    } else {
        parent
    })
}

#[cfg(test)]
mod tests;
