//! One row for each role: its user, its files, its system calls, each with the
//! reason why it is there.

use std::path::PathBuf;

use super::{doors, folder_of, programs};
use crate::roles::init::appliance;
use crate::roles::{Role, console, init, signal};

/// Which uses of a system call are allowed: argument and value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Only {
    Any,
    /// This argument must have this value.
    Is(u8, u64),
    /// This argument must have none of these bits.
    Without(u8, u64),
}

/// A system call, which uses of it, and why.
pub type Call = (&'static str, Only, &'static str);

/// A folder, and whether the role writes to it.
pub type Folder = (PathBuf, bool);

/// What a role may do.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its word.
    pub word: &'static str,
    /// Whose row it is; charon and the doors of the appliance are no roles that
    /// `init` talks with.
    pub role: Option<Role>,
    /// Whether Landlock closes all other files.
    pub closes_files: bool,
    /// Variables that name what it writes to: files, unless they end in a folder.
    places: &'static [(&'static str, Kind)],
    /// Files of the kernel that it reads, single ones or all below a folder.
    pub reads: &'static [&'static str],
    /// Folders of which it reads the names, and no file.
    pub lists: &'static [&'static str],
    /// What it calls beside what all call.
    own: &'static [&'static [Call]],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// A file is written, and others beside it.
    Beside,
    /// The folder itself is written to.
    Within,
    /// A file is read.
    Read,
}

const EXECUTABLE: u64 = 4;
/// `PR_SET_PDEATHSIG`, `PR_SET_NAME`, `PR_SET_VMA`.
const DEATH_SIGNAL: u64 = 1;
const THREAD_NAME: u64 = 15;
const MEMORY_NAME: u64 = 0x5356_4d41;
/// `PR_GET_AUXV`.
const AUXILIARY: u64 = 0x4155_5856;
/// Families of sockets.
pub(super) const UNIX: u64 = 1;
pub(super) const INET: u64 = 2;
pub(super) const INET6: u64 = 10;

/// What every role calls.
const COMMON: &[Call] = &[
    ("brk", Only::Any, "the heap grows and shrinks"),
    (
        "mmap",
        Only::Without(2, EXECUTABLE),
        "memory that holds no program",
    ),
    (
        "mprotect",
        Only::Without(2, EXECUTABLE),
        "a stack becomes writable",
    ),
    ("mremap", Only::Any, "a large piece of memory grows"),
    ("munmap", Only::Any, "memory is given back"),
    ("madvise", Only::Any, "unused memory is given back"),
    ("futex", Only::Any, "threads wait for each other"),
    ("getrandom", Only::Any, "tags, ports and seeds of maps"),
    (
        "clock_gettime",
        Only::Any,
        "the time, where the vDSO has none",
    ),
    ("clock_nanosleep", Only::Any, "a thread waits"),
    ("sched_yield", Only::Any, "a lock that is held for a moment"),
    (
        "sched_getaffinity",
        Only::Any,
        "how many threads make sense",
    ),
    ("getpid", Only::Any, "an abort names its process"),
    ("gettid", Only::Any, "an abort names its thread"),
    ("tgkill", Only::Any, "an abort ends its own process"),
    ("rt_sigaction", Only::Any, "signals are taken"),
    (
        "rt_sigprocmask",
        Only::Any,
        "signals wait while a thread starts",
    ),
    ("rt_sigreturn", Only::Any, "a signal was taken"),
    (
        "sigaltstack",
        Only::Any,
        "a stack for an overflow's last words",
    ),
    ("restart_syscall", Only::Any, "a wait goes on after a stop"),
    (
        "prctl",
        Only::Is(0, DEATH_SIGNAL),
        "it ends with its parent",
    ),
    (
        "prctl",
        Only::Is(0, MEMORY_NAME),
        "the C library names its memory",
    ),
    (
        "prctl",
        Only::Is(0, AUXILIARY),
        "the size of a page, and where the vDSO is",
    ),
    ("exit", Only::Any, "a thread ends"),
    ("exit_group", Only::Any, "the process ends"),
    ("read", Only::Any, "what comes in"),
    ("readv", Only::Any, "what comes in, in pieces"),
    (
        "pread64",
        Only::Any,
        "the configuration, which others read as well",
    ),
    ("write", Only::Any, "what goes out, and the diary"),
    ("writev", Only::Any, "what goes out, in pieces"),
    ("close", Only::Any, "what is over"),
    (
        "fcntl",
        Only::Any,
        "descriptors that do not block, and copies of them",
    ),
    ("fstat", Only::Any, "the length of a file"),
    ("newfstatat", Only::Any, "the same, of other C libraries"),
    ("statx", Only::Any, "the same, as the standard library asks"),
    ("openat", Only::Any, "files; Landlock says which"),
    ("lseek", Only::Any, "a file's end"),
    ("poll", Only::Any, "waits for words"),
    ("ppoll", Only::Any, "the same, of other C libraries"),
    (
        "recvmsg",
        Only::Any,
        "words with descriptors, datagrams with addresses",
    ),
    (
        "sendmsg",
        Only::Any,
        "words with descriptors, datagrams with addresses",
    ),
    ("recvfrom", Only::Any, "datagrams and streams"),
    ("sendto", Only::Any, "datagrams and streams"),
    ("getsockopt", Only::Any, "why a connection failed"),
    ("setsockopt", Only::Any, "marks, buffers, waiting times"),
    ("getsockname", Only::Any, "where a socket is"),
    ("getpeername", Only::Any, "who is at the other end"),
    ("shutdown", Only::Any, "one direction is over"),
];

/// What a runtime for many sockets calls.
const EVENTS: &[Call] = &[
    ("epoll_create1", Only::Any, "waits for many sockets"),
    ("epoll_ctl", Only::Any, "one more, one less"),
    ("epoll_wait", Only::Any, "the wait"),
    ("epoll_pwait", Only::Any, "the same, of other C libraries"),
    ("epoll_pwait2", Only::Any, "the same with nanoseconds"),
    ("eventfd2", Only::Any, "a thread wakes another"),
    ("timerfd_create", Only::Any, "a wait that is exact"),
    ("timerfd_settime", Only::Any, "the same"),
    ("socketpair", Only::Is(0, UNIX), "signals arrive as octets"),
];

/// What threads need.
const THREADS: &[Call] = &[
    (
        "clone",
        Only::Without(0, 0x7e02_0000),
        "a thread; no namespace with it",
    ),
    (
        "clone3",
        Only::Any,
        "a thread, as newer C libraries start one",
    ),
    ("set_robust_list", Only::Any, "locks of a thread that ends"),
    ("rseq", Only::Any, "which processor a thread is on"),
    ("set_tid_address", Only::Any, "who waits for a thread's end"),
    ("prctl", Only::Is(0, THREAD_NAME), "a thread has a name"),
];

const SIGNAL: &[Call] = &[
    (
        "pwrite64",
        Only::Any,
        "the journal of calls, in a file in memory",
    ),
    ("socket", Only::Is(0, INET), "a connection to a peer"),
    ("socket", Only::Is(0, INET6), "the same over IPv6"),
    ("bind", Only::Any, "it comes from our own address"),
    ("connect", Only::Any, "a connection to a peer"),
    ("accept4", Only::Any, "a peer's connection"),
    (
        "ioctl",
        Only::Is(1, 0x5421),
        "FIONBIO: a socket that does not block",
    ),
    ("mkdir", Only::Any, "the folder of ladders"),
    ("ftruncate", Only::Any, "a ladder is written anew"),
];

const RELAY: &[Call] = &[
    ("socket", Only::Is(0, INET), "a media port"),
    ("socket", Only::Is(0, INET6), "the same over IPv6"),
    ("bind", Only::Any, "a media port"),
    ("recvmmsg", Only::Any, "many packets at once"),
    ("sendmmsg", Only::Any, "many packets at once"),
    (
        "ioctl",
        Only::Is(1, 0x5421),
        "FIONBIO: a socket that does not block",
    ),
];

const CONSOLE: &[Call] = &[
    ("socket", Only::Is(0, UNIX), "the local API"),
    (
        "socket",
        Only::Is(0, INET),
        "a collector of the log, a time server",
    ),
    ("socket", Only::Is(0, INET6), "the same over IPv6"),
    (
        "connect",
        Only::Any,
        "a collector or time server; the fence says which",
    ),
    (
        "bind",
        Only::Any,
        "the local API, and where the log comes from",
    ),
    ("listen", Only::Any, "the local API"),
    ("accept4", Only::Any, "a login"),
    (
        "ioctl",
        Only::Is(1, 0x5421),
        "FIONBIO: a socket that does not block",
    ),
    ("chmod", Only::Any, "the API's socket is its owner's"),
    ("fchmod", Only::Any, "a secret is its owner's"),
    ("fchmodat", Only::Any, "the same, of other C libraries"),
    ("mkdir", Only::Any, "the folder of secrets"),
    ("unlink", Only::Any, "a secret is removed"),
    ("unlinkat", Only::Any, "the same, of other C libraries"),
    ("rename", Only::Any, "a file is replaced whole"),
    ("renameat2", Only::Any, "the same, of other C libraries"),
    ("fsync", Only::Any, "a file outlives a power cut"),
    ("fdatasync", Only::Any, "the same for its content"),
    ("ftruncate", Only::Any, "a file is written anew"),
    ("getdents64", Only::Any, "the names of the secrets"),
    (
        "memfd_create",
        Only::Any,
        "a key that a passphrase gave back goes to init",
    ),
    ("statfs", Only::Any, "how full the disk is"),
    ("fstatfs", Only::Any, "the same"),
    ("geteuid", Only::Any, "whose a file of a trust must be"),
    ("uname", Only::Any, "the kernel's version for a report"),
    ("sysinfo", Only::Any, "memory for a report"),
];

const ROWS: [Row; 8] = [
    Row {
        word: "signal",
        role: Some(Role::Signal),
        closes_files: true,
        places: &[
            (signal::RECORDS, Kind::Beside),
            (signal::LADDERS, Kind::Within),
        ],
        reads: &[],
        lists: &[],
        own: &[SIGNAL],
    },
    Row {
        word: "relay",
        role: Some(Role::Relay),
        closes_files: true,
        places: &[],
        reads: &[],
        lists: &[],
        own: &[RELAY],
    },
    Row {
        word: "console",
        role: Some(Role::Console),
        closes_files: true,
        places: &[
            (console::API, Kind::Beside),
            (init::STATE, Kind::Within),
            (signal::RECORDS, Kind::Read),
        ],
        // Whether memory runs out is an alarm; how the machine booted is shown.
        // So are the ceilings of all roles.
        reads: &["/proc/meminfo", crate::diary::BOOT, super::ceilings::PLACE],
        lists: &[],
        own: &[CONSOLE],
    },
    // It writes switches of the kernel, and nft has libraries.
    Row {
        word: "netcfg",
        role: Some(Role::Netcfg),
        closes_files: false,
        places: &[],
        reads: &[],
        lists: &[],
        own: &[programs::PROGRAM, programs::NETCFG],
    },
    Row {
        word: "charon",
        role: None,
        closes_files: false,
        places: &[],
        reads: &[],
        lists: &[],
        own: &[programs::PROGRAM, programs::CHARON],
    },
    Row {
        word: "login",
        role: None,
        closes_files: false,
        places: &[],
        reads: &[],
        lists: &[],
        own: &[doors::LOGIN],
    },
    Row {
        word: "port",
        role: None,
        closes_files: true,
        places: &[],
        // How the boot goes, and what is installed.
        reads: &["/run/sbc", appliance::RELEASE],
        lists: &[appliance::STATE],
        own: &[doors::PORT],
    },
    // Whom Landlock keeps from a file mounts nothing at all.
    Row {
        word: "firmware",
        role: None,
        closes_files: false,
        places: &[],
        reads: &[],
        lists: &[],
        own: &[doors::FIRMWARE],
    },
];

impl Row {
    /// Returns the row of a role.
    #[must_use]
    pub fn of(role: Role) -> Option<Self> {
        Self::all().find(|row| row.role == Some(role))
    }

    /// Returns the row of a word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::all().find(|row| row.word == word)
    }

    /// Returns all rows.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.into_iter()
    }

    /// Returns every system call of the role.
    pub fn calls(&self) -> impl Iterator<Item = Call> {
        let own = self.own.iter().copied().flatten();
        // What a row allows whole is not allowed in part as well.
        let is_own = move |call: &Call| own.clone().any(|(name, _, _)| *name == call.0);
        let all = [COMMON, EVENTS, THREADS].into_iter().flatten();
        let all = all.filter(move |call| call.0 == "prctl" || !is_own(call));
        all.chain(self.own.iter().copied().flatten()).copied()
    }

    /// Returns the folders of the role; `place` is asked for what a variable says.
    pub fn folders(&self, place: &impl Fn(&str) -> Option<PathBuf>) -> Vec<Folder> {
        let found = self.places.iter().filter_map(|(variable, kind)| {
            let path = place(variable)?;
            Some(match kind {
                Kind::Beside => (folder_of(&path), true),
                Kind::Within => (path, true),
                Kind::Read => (folder_of(&path), false),
            })
        });
        found.collect()
    }
}
