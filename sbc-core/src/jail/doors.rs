//! The system calls of the appliance's doors, each with the reason why it is there:
//! the login of people, the port for programs, who looks after the firmware.

use super::table::{Call, INET, INET6, Only, UNIX};

/// `AF_PACKET`.
const PACKET: u64 = 17;
/// `SIGINT`.
const INTERRUPT: u64 = 2;
/// The first process.
const INIT: u64 = 1;

/// A login at a line.
pub const LOGIN: &[Call] = &[
    ("socket", Only::Is(0, UNIX), "the way to the node"),
    (
        "socket",
        Only::Is(0, INET),
        "an echo; a time server that is tried",
    ),
    ("socket", Only::Is(0, INET6), "the same over IPv6"),
    ("socket", Only::Is(0, PACKET), "a capture"),
    ("bind", Only::Any, "the link of a capture"),
    (
        "connect",
        Only::Any,
        "the node; a time server; the fence says which",
    ),
    ("setsid", Only::Any, "the line is its own terminal"),
    ("dup2", Only::Any, "the line in three places"),
    ("dup3", Only::Any, "the same, of other machines"),
    (
        "kill",
        Only::Is(1, INTERRUPT),
        "a BREAK wakes it as Ctrl-C does",
    ),
    ("getdents64", Only::Any, "the names of the network cards"),
    ("geteuid", Only::Any, "where the node is asked for"),
    (
        "ioctl",
        Only::Is(1, 0x5401),
        "TCGETS: how the line is set, as the editor asks",
    ),
    (
        "ioctl",
        Only::Is(1, 0x5402),
        "TCSETS: each key comes at once",
    ),
    (
        "ioctl",
        Only::Is(1, 0x5403),
        "TCSETSW: the same behind what is written",
    ),
    (
        "ioctl",
        Only::Is(1, 0x5404),
        "TCSETSF: the same without what was typed",
    ),
    (
        "ioctl",
        Only::Is(1, 0x802c_542a),
        "TCGETS2: how the line is set, with its speed",
    ),
    ("ioctl", Only::Is(1, 0x402c_542b), "TCSETS2: TCSETS with it"),
    (
        "ioctl",
        Only::Is(1, 0x402c_542c),
        "TCSETSW2: TCSETSW with it",
    ),
    (
        "ioctl",
        Only::Is(1, 0x402c_542d),
        "TCSETSF2: TCSETSF with it",
    ),
    (
        "ioctl",
        Only::Is(1, 0x540b),
        "TCFLSH: Ctrl-C drops what waits to be written",
    ),
    (
        "ioctl",
        Only::Is(1, 0x540e),
        "TIOCSCTTY: the line is its own terminal",
    ),
    ("ioctl", Only::Is(1, 0x5413), "TIOCGWINSZ: its size"),
    (
        "ioctl",
        Only::Is(1, 0x5414),
        "TIOCSWINSZ: its size, as somebody said",
    ),
    (
        "ioctl",
        Only::Is(1, 0x545d),
        "TIOCGICOUNT: how many BREAKs it had",
    ),
    (
        "ioctl",
        Only::Is(1, 0x5421),
        "FIONBIO: a socket that does not block",
    ),
];

/// The port for programs, which is opened before the jail.
pub const PORT: &[Call] = &[
    (
        "socket",
        Only::Is(0, UNIX),
        "the way to the node, and to who looks after the firmware",
    ),
    ("connect", Only::Any, "the same"),
    (
        "getdents64",
        Only::Any,
        "whether somebody owns the node, while it does not run",
    ),
];

/// Who looks after the firmware.
pub const FIRMWARE: &[Call] = &[
    ("socket", Only::Is(0, UNIX), "where it is asked"),
    ("bind", Only::Any, "the same"),
    ("listen", Only::Any, "the same"),
    ("accept4", Only::Any, "a question"),
    (
        "unlink",
        Only::Any,
        "the socket of the one before; a slot's old files",
    ),
    ("unlinkat", Only::Any, "the same, of other C libraries"),
    ("chmod", Only::Any, "the socket is its owner's"),
    ("fchmodat", Only::Any, "the same, of other C libraries"),
    ("chown", Only::Any, "its owner is the user of logins"),
    ("fchownat", Only::Any, "the same, of other C libraries"),
    (
        "getdents64",
        Only::Any,
        "names of disks, keys and a slot's files",
    ),
    ("readlink", Only::Any, "which disk a partition lies on"),
    ("readlinkat", Only::Any, "the same, of other C libraries"),
    ("mkdir", Only::Any, "where a volume is mounted"),
    (
        "mount",
        Only::Any,
        "the boot partition, a volume with an update",
    ),
    (
        "umount2",
        Only::Any,
        "the same, when it was read or written",
    ),
    ("rename", Only::Any, "a file is replaced whole"),
    ("renameat2", Only::Any, "the same, of other C libraries"),
    ("fsync", Only::Any, "what was written outlives a power cut"),
    ("fdatasync", Only::Any, "the same for its content"),
    ("ftruncate", Only::Any, "a file is written anew"),
    (
        "fadvise64",
        Only::Any,
        "what is read back comes from the disk, not from memory",
    ),
    (
        "kill",
        Only::Is(0, INIT),
        "the first process restarts the machine",
    ),
];
