//! Empty folders come in; the filesystems a boot needs are mounted over them.

use std::fs;
use std::io;
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_move};

use crate::jail::ceilings;

const SEALED: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

/// Where the kernel shows itself: mounted in the first stage, moved to the root.
const KERNEL: [(&str, &str, MountFlags); 3] = [
    ("proc", "/proc", SEALED),
    ("sysfs", "/sys", SEALED),
    (
        "devtmpfs",
        "/dev",
        MountFlags::NOSUID.union(MountFlags::NOEXEC),
    ),
];

/// Where roles get their ceilings.
const GROUPS: &str = "cgroup2";

/// Filesystems in memory over the read-only root: place, permissions and size.
/// What is written there is gone after the next boot.
const MEMORY: [(&str, &str); 4] = [
    ("/run", "mode=755,size=32m"),
    ("/tmp", "mode=1777,size=16m"),
    ("/var", "mode=755,size=16m"),
    ("/etc", "mode=755,size=4m"),
];

/// Mounts what the first stage needs.
///
/// # Errors
/// When the kernel refuses one.
pub fn first() -> io::Result<()> {
    for (kind, place, flags) in KERNEL {
        fs::create_dir_all(place)?;
        one(kind, Path::new(place), kind, flags, "")?;
    }
    Ok(())
}

/// Mounts the read-only root of a slot and goes into it. What the first stage
/// had mounted goes along; its own files stay behind and are forgotten.
///
/// # Errors
/// When a step is refused.
pub fn into_root(device: &Path) -> io::Result<()> {
    let root = Path::new("/root");
    let device = device.display().to_string();
    one(
        &device,
        root,
        "erofs",
        MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOSUID,
        "",
    )?;
    for (_, place, _) in KERNEL {
        mount_move(place, root.join(place.trim_start_matches('/')))?;
    }
    std::env::set_current_dir(root)?;
    // The memory of the first stage's files is given back.
    let _stays = fs::remove_file("/init");
    mount_move(".", "/")?;
    rustix::process::chroot(".")?;
    std::env::set_current_dir("/")?;
    Ok(())
}

/// Mounts what the root lacks: filesystems in memory, with `/etc` filled from
/// what the image brings for it, and the groups with the roles' ceilings.
///
/// # Errors
/// When a step is refused.
pub fn second() -> io::Result<()> {
    for (place, settings) in MEMORY {
        one("tmpfs", Path::new(place), "tmpfs", SEALED, settings)?;
    }
    for folder in ["/run/sbc", "/var/log", "/var/lib"] {
        fs::create_dir_all(folder)?;
    }
    one(GROUPS, Path::new(ceilings::PLACE), GROUPS, SEALED, "")?;
    ceilings::prepare(Path::new(ceilings::PLACE))?;
    // A root without files for /etc is whole as well.
    let _nothing = copy(Path::new("/usr/share/sbc/etc"), Path::new("/etc"));
    let release = Path::new("/etc/os-release");
    std::os::unix::fs::symlink("../usr/lib/os-release", release)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&to)?;
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Mounts the data partition: nothing on it is a program or a device.
///
/// # Errors
/// When it is no filesystem the kernel takes.
pub fn data(device: &Path) -> io::Result<()> {
    let device = device.display().to_string();
    let flags = SEALED | MountFlags::NOATIME;
    one(
        &device,
        Path::new("/data"),
        "ext4",
        flags,
        "errors=remount-ro",
    )
}

/// Mounts the boot partition at `place`, which is made.
///
/// # Errors
/// When the kernel refuses it.
pub fn boot(device: &Path, place: &Path) -> io::Result<()> {
    fs::create_dir_all(place)?;
    let device = device.display().to_string();
    // A folder's changes reach the disk in their order; what a cut left behind does
    // not keep the next one from being written.
    let settings = "fmask=0177,dmask=0077,errors=continue";
    one(
        &device,
        place,
        "vfat",
        SEALED | MountFlags::DIRSYNC,
        settings,
    )
}

/// Mounts a foreign volume to read from it.
///
/// # Errors
/// When the kernel refuses it.
pub fn to_read(device: &Path, place: &Path) -> io::Result<()> {
    fs::create_dir_all(place)?;
    let device = device.display().to_string();
    one(&device, place, "vfat", SEALED | MountFlags::RDONLY, "")
}

fn one(from: &str, to: &Path, kind: &str, flags: MountFlags, settings: &str) -> io::Result<()> {
    let settings = std::ffi::CString::new(settings)?;
    match mount(from, to, kind, flags, settings.as_c_str()) {
        // The kernel mounts some before we come.
        Ok(()) | Err(rustix::io::Errno::BUSY) => Ok(()),
        Err(error) => Err(io::Error::other(format!(
            "{} on {}: {error}",
            kind,
            to.display()
        ))),
    }
}
