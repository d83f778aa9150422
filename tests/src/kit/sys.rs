//! The few calls of the kernel that the kit needs and the standard library does
//! not have; errors come out as the kernel gave them. No crate is used for them,
//! so that the tool everything starts with needs none.

#![expect(
    unsafe_code,
    reason = "the kernel is asked by its own calls, each with its reason"
)]

use std::ffi::{CString, c_char, c_int, c_long, c_short, c_uint, c_ulong, c_void};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::path::Path;

// SAFETY: the C library is linked already; these are its own declarations.
unsafe extern "C" {
    fn mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn reboot(how: c_int) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn setns(fd: c_int, kind: c_int) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn poll(fds: *mut Poll, count: c_ulong, millis: c_int) -> c_int;
    fn prctl(option: c_int, ...) -> c_int;
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn setfsuid(user: c_uint) -> c_int;
    fn bind(fd: c_int, address: *const c_void, length: c_uint) -> c_int;
}

/// `struct pollfd` (`poll(2)`).
#[repr(C)]
struct Poll {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

/// `finit_module` on x86-64.
const FINIT_MODULE: c_long = 313;
/// The module's file is compressed, and the kernel unpacks it.
const COMPRESSED: c_int = 4;
const EEXIST: i32 = 17;
const RESTART: c_int = 0x0123_4567;
const CLONE_NEWNET: c_int = 0x4000_0000;
/// `_IOW('T', 202, int)`.
const TUNSETIFF: c_ulong = 0x4004_54ca;
const IFF_TAP: c_short = 0x0002;
const IFF_NO_PI: c_short = 0x1000;
const POLLIN: c_short = 1;
const AF_INET: c_int = 2;
const SOCK_RAW_CLOEXEC: c_int = 0x0008_0003;
const IPPROTO_RAW: c_int = 255;
const PR_SET_PDEATHSIG: c_int = 1;

fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn text(words: &str) -> io::Result<CString> {
    CString::new(words).map_err(io::Error::other)
}

/// Mounts a filesystem of the kernel's at `target`.
///
/// # Errors
/// What the kernel said.
pub fn mount_kind(kind: &str, target: &str) -> io::Result<()> {
    let (kind, target) = (text(kind)?, text(target)?);
    // SAFETY: three strings that end in zero and outlive the call; no data.
    let result = unsafe {
        mount(
            kind.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            0,
            std::ptr::null(),
        )
    };
    checked(result).map(drop)
}

/// Loads the compressed module in `file`. One that is there already is fine.
///
/// # Errors
/// What the kernel said.
pub fn load_module(file: &File) -> io::Result<()> {
    // SAFETY: the file is open, the parameters are an empty string.
    let result = unsafe { syscall(FINIT_MODULE, file.as_raw_fd(), c"".as_ptr(), COMPRESSED) };
    match io::Error::last_os_error() {
        error if result < 0 && error.raw_os_error() != Some(EEXIST) => Err(error),
        _ => Ok(()),
    }
}

/// Restarts the machine at once.
pub fn restart() {
    // SAFETY: no memory is passed.
    let _refused = unsafe { reboot(RESTART) };
}

/// Waits for any child to end, and forgets how it ended. Returns whether there
/// was one.
#[must_use]
pub fn reap() -> bool {
    // SAFETY: the kernel takes a null pointer for "do not tell".
    unsafe { waitpid(-1, std::ptr::null_mut(), 0) > 0 }
}

/// Sends a signal to one process.
///
/// # Errors
/// What the kernel said.
pub fn signal(pid: u32, number: c_int) -> io::Result<()> {
    let pid = c_int::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: no memory is passed.
    checked(unsafe { kill(pid, number) }).map(drop)
}

/// Moves the calling thread into a named network namespace.
///
/// # Errors
/// When there is none of that name, or it may not be entered.
pub fn enter_namespace(name: &str) -> io::Result<()> {
    let file = File::open(Path::new("/run/netns").join(name))?;
    // SAFETY: the file is open; no memory is passed.
    checked(unsafe { setns(file.as_raw_fd(), CLONE_NEWNET) }).map(drop)
}

/// Makes the TAP device `name` in the calling thread's network namespace. It
/// lives as long as the file.
///
/// # Errors
/// When the name is too long or the kernel says no.
pub fn open_tap(name: &str) -> io::Result<File> {
    /// `struct ifreq`, as far as this request reads it, in its whole size.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: c_short,
        rest: [u8; 22],
    }
    let mut request = Request {
        name: [0; 16],
        flags: IFF_TAP | IFF_NO_PI,
        rest: [0; 22],
    };
    let place = request.name.get_mut(..name.len().min(15));
    match place {
        Some(place) if place.len() == name.len() => place.copy_from_slice(name.as_bytes()),
        _ => return Err(io::Error::other("the device's name is too long")),
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: the request is as large as the kernel's and outlives the call.
    checked(unsafe { ioctl(file.as_raw_fd(), TUNSETIFF, &raw mut request) })?;
    Ok(file)
}

/// Waits until `fd` can be read, at most `millis`. Returns whether it can.
#[must_use]
pub fn readable(fd: RawFd, millis: c_uint) -> bool {
    let mut wanted = Poll {
        fd,
        events: POLLIN,
        revents: 0,
    };
    let millis = c_int::try_from(millis).unwrap_or(c_int::MAX);
    // SAFETY: one row that outlives the call.
    unsafe { poll(&raw mut wanted, 1, millis) > 0 }
}

/// Asks the kernel to end the calling process when the thread that started it
/// ends.
///
/// # Errors
/// What the kernel said.
pub fn end_with_parent() -> io::Result<()> {
    // SAFETY: no memory is passed; 9 is SIGKILL.
    checked(unsafe { prctl(PR_SET_PDEATHSIG, 9 as c_ulong, 0, 0, 0) }).map(drop)
}

/// Returns a socket of `user` for whole IPv4 packets between two addresses, headers
/// and all; it hears nothing. Sockets of this thread are that user's from here on.
///
/// # Errors
/// What the kernel said.
pub fn raw_socket(user: u32, from: Ipv4Addr, to: Ipv4Addr) -> io::Result<UdpSocket> {
    /// `struct sockaddr_in` (`ip(7)`).
    #[repr(C)]
    struct Address {
        family: u16,
        port: [u8; 2],
        host: [u8; 4],
        rest: [u8; 8],
    }
    let address = Address {
        family: 2,
        port: [0; 2],
        host: from.octets(),
        rest: [0; 8],
    };
    // SAFETY: no memory is passed. It answers with the user before, never a failure.
    unsafe { setfsuid(user) };
    // SAFETY: no memory is passed.
    let fd = checked(unsafe { socket(AF_INET, SOCK_RAW_CLOEXEC, IPPROTO_RAW) })?;
    // SAFETY: the kernel just gave it to us, and nobody else has it.
    let socket = unsafe { UdpSocket::from_raw_fd(fd) };
    let length = c_uint::try_from(size_of::<Address>()).unwrap_or_default();
    // SAFETY: the address is as long as is said, and outlives the call.
    checked(unsafe { bind(fd, (&raw const address).cast(), length) })?;
    socket.connect((to, 0))?;
    Ok(socket)
}
