//! The system calls of roles that start programs of others, and of those programs;
//! each with the reason why it is there.

use super::table::{Call, INET, INET6, Only, UNIX};

/// `AF_NETLINK`.
const NETLINK: u64 = 16;
/// `PR_CAPBSET_READ`.
const CAPABILITY_THERE: u64 = 23;

/// What a program does before its first line, with its libraries.
pub const PROGRAM: &[Call] = &[
    ("execve", Only::Any, "the program itself"),
    ("mmap", Only::Any, "its libraries are programs as well"),
    ("arch_prctl", Only::Any, "where a thread keeps its own"),
    ("access", Only::Any, "whether a library is wanted first"),
    ("faccessat", Only::Any, "the same, of other C libraries"),
    ("faccessat2", Only::Any, "the same, of other C libraries"),
    ("prlimit64", Only::Is(0, 0), "the size of its own stack"),
    ("readlink", Only::Any, "where it lies itself"),
    ("readlinkat", Only::Any, "the same, of other C libraries"),
    ("getcwd", Only::Any, "where it was started"),
    ("getuid", Only::Any, "whether it lends rights"),
    ("geteuid", Only::Any, "the same"),
    ("getgid", Only::Any, "the same for its group"),
    ("getegid", Only::Any, "the same"),
    ("uname", Only::Any, "which kernel it meets"),
    ("sysinfo", Only::Any, "how much memory sorting may take"),
    ("getdents64", Only::Any, "the names in a folder"),
    ("socket", Only::Is(0, NETLINK), "the kernel's own language"),
    ("bind", Only::Any, "an address in it"),
    ("connect", Only::Any, "the same; the control socket"),
    ("select", Only::Any, "waits for words"),
    ("pselect6", Only::Any, "the same, of other C libraries"),
    ("pipe2", Only::Any, "words between parent and child"),
];

/// `netcfg`, and the `nft` it starts.
pub const NETCFG: &[Call] = &[
    ("vfork", Only::Any, "nft is started"),
    ("wait4", Only::Any, "nft's end"),
    ("waitid", Only::Any, "the same"),
    ("pidfd_open", Only::Any, "waits for that end with all else"),
    ("pidfd_send_signal", Only::Any, "nft took too long"),
    ("kill", Only::Any, "the same"),
    ("dup2", Only::Any, "nft's words go through pipes"),
    ("dup3", Only::Any, "the same"),
    ("socket", Only::Is(0, INET), "a listening socket"),
    ("socket", Only::Is(0, INET6), "the same over IPv6"),
    ("socket", Only::Is(0, UNIX), "the way to charon"),
    ("listen", Only::Any, "a listening socket"),
    (
        "ioctl",
        Only::Is(1, 0x5421),
        "FIONBIO: a socket that does not block",
    ),
    (
        "ioctl",
        Only::Is(1, 0x5401),
        "TCGETS: nft asks whether it speaks to a person",
    ),
    ("ioctl", Only::Is(1, 0x5413), "TIOCGWINSZ: the same"),
];

/// strongSwan's charon.
pub const CHARON: &[Call] = &[
    ("socket", Only::Is(0, INET), "the ports of IKE"),
    ("socket", Only::Is(0, INET6), "the same over IPv6"),
    ("socket", Only::Is(0, UNIX), "its control socket"),
    ("socketpair", Only::Is(0, UNIX), "a thread wakes another"),
    ("listen", Only::Any, "its control socket"),
    ("accept", Only::Any, "netcfg comes to its control socket"),
    ("accept4", Only::Any, "the same"),
    ("eventfd2", Only::Any, "a thread wakes another"),
    ("pipe", Only::Any, "the same, in older releases"),
    ("unlink", Only::Any, "the control socket of the one before"),
    ("umask", Only::Any, "who may open the control socket"),
    ("chown", Only::Any, "the same"),
    ("fchown", Only::Any, "its pid file is its own"),
    ("chmod", Only::Any, "who may open the control socket"),
    ("fchmod", Only::Any, "the same"),
    ("getppid", Only::Any, "who started it"),
    (
        "kill",
        Only::Any,
        "whether another charon runs; its own end",
    ),
    (
        "rt_sigtimedwait",
        Only::Any,
        "its first thread waits for signals",
    ),
    ("rt_sigsuspend", Only::Any, "the same"),
    ("rt_sigpending", Only::Any, "the same"),
    ("sched_getparam", Only::Any, "the importance of its threads"),
    ("sched_getscheduler", Only::Any, "the same"),
    ("sched_setscheduler", Only::Any, "the same"),
    ("sched_get_priority_min", Only::Any, "the same"),
    ("sched_get_priority_max", Only::Any, "the same"),
    ("capget", Only::Any, "which rights it has"),
    ("capset", Only::Any, "it gives up what it does not need"),
    (
        "prctl",
        Only::Is(0, CAPABILITY_THERE),
        "which rights the kernel knows",
    ),
    ("mlock", Only::Any, "keys do not leave memory"),
    ("munlock", Only::Any, "the same, given back"),
    ("getrusage", Only::Any, "what it tells of itself"),
    ("times", Only::Any, "the same"),
    (
        "ioctl",
        Only::Is(1, 0x5401),
        "TCGETS: whether it speaks to a person",
    ),
    ("ioctl", Only::Is(1, 0x541b), "FIONREAD: how much waits"),
    (
        "ioctl",
        Only::Is(1, 0x5421),
        "FIONBIO: a socket that does not block",
    ),
    (
        "ioctl",
        Only::Is(1, 0x8946),
        "SIOCETHTOOL: whether a link takes associations into hardware",
    ),
    (
        "ioctl",
        Only::Is(1, 0x8910),
        "SIOCGIFNAME: what a link is called",
    ),
    ("ioctl", Only::Is(1, 0x8933), "SIOCGIFINDEX: its number"),
];
