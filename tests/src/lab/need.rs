//! The machine comes in, the Debian packages it lacks go out, installed if we may.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A program the checks run (or the path of a file they read), the Debian
/// package that brings it, and for what.
#[derive(Clone, Copy)]
struct Need {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

const NEEDS: [Need; 10] = [
    Need {
        program: "cc",
        package: "build-essential",
        why: "links every program",
    },
    Need {
        program: "valgrind",
        package: "valgrind",
        why: "counts instructions, so that growth can be measured on a busy machine",
    },
    Need {
        program: "ip",
        package: "iproute2",
        why: "makes the networks of the scenes",
    },
    Need {
        program: "qemu-system-x86_64",
        package: "qemu-system-x86",
        why: "boots the guests",
    },
    Need {
        program: "/usr/share/OVMF/OVMF_CODE_4M.fd",
        package: "ovmf",
        why: "is the UEFI the image is booted by",
    },
    Need {
        program: "zstd",
        package: "zstd",
        why: "unpacks the image as whoever downloads it does",
    },
    Need {
        program: "sipp",
        package: "sip-tester",
        why: "places and answers calls by the thousand",
    },
    Need {
        program: "nft",
        package: "nftables",
        why: "makes a server's network swallow what is sent to it",
    },
    Need {
        program: "fsck.fat",
        package: "dosfstools",
        why: "looks at boot partitions after power cuts",
    },
    Need {
        program: "openssl",
        package: "openssl",
        why: "makes the certificates of the far end of a tunnel",
    },
];

/// What the demo needs of these.
const DEMO: [Need; 2] = [NEEDS[0], NEEDS[2]];

/// What the demo's second tier needs besides.
const GUESTS: [Need; 1] = [NEEDS[3]];

/// What the elements we measure beside ours need.
const MEASURE: [Need; 5] = [
    NEEDS[0],
    NEEDS[2],
    Need {
        program: "kamailio",
        package: "kamailio",
        why: "is the proxy that signalling is measured beside",
    },
    Need {
        program: "rtpengine",
        package: "rtpengine-daemon",
        why: "is the relay that media is measured beside",
    },
    Need {
        program: "sipp",
        package: "sip-tester",
        why: "places the calls and answers them",
    },
];

/// Returns what to say about the machine, or the one line that would mend it.
pub fn provide() -> Result<String, String> {
    provide_all(&NEEDS, "cargo verify")
}

/// The same for the demo.
pub fn provide_for_demo() -> Result<String, String> {
    provide_all(&DEMO, "cargo demo")
}

/// The same for the demo's second tier.
pub fn provide_for_guests() -> Result<String, String> {
    provide_all(&GUESTS, "cargo demo")
}

/// The same for the measurements.
pub fn provide_for_measure() -> Result<String, String> {
    provide_all(&MEASURE, "cargo measure")
}

fn provide_all(needs: &[Need], errand: &str) -> Result<String, String> {
    let missing = missing(needs, is_installed);
    if missing.is_empty() {
        return Ok("ok".into());
    }
    for need in &missing {
        println!("   {} is missing: {}", need.program, need.why);
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let line = format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    if !is_root() {
        return Err(format!(
            "run this as root, then again `{errand}`:\n  {line}"
        ));
    }
    println!("   {line}");
    // A fresh machine has no package lists, a stale one has dead addresses in them.
    let installed = apt_get(&install(&packages))
        || (apt_get(&["update", "-qq"]) && apt_get(&install(&packages)));
    if installed {
        Ok(format!("installed {}", packages.join(" ")))
    } else {
        Err(format!("this did not work:\n  apt-get update && {line}"))
    }
}

fn missing(needs: &[Need], is_installed: impl Fn(&str) -> bool) -> Vec<&Need> {
    needs
        .iter()
        .filter(|need| !is_installed(need.program))
        .collect()
}

fn is_installed(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Programs for the machine's keeper lie outside a user's path.
    let more = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .any(|folder| folder.join(program).is_file())
}

/// Returns whether we may install: our own process belongs to user 0.
fn is_root() -> bool {
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|entry| entry.uid() == 0)
}

fn install<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    arguments
}

fn apt_get(arguments: &[&str]) -> bool {
    Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_absent_is_asked_for() {
        let found = missing(&NEEDS, |program| program == "cc");
        let packages: Vec<&str> = found.iter().map(|need| need.package).collect();
        assert_eq!(
            packages,
            [
                "valgrind",
                "iproute2",
                "qemu-system-x86",
                "ovmf",
                "zstd",
                "sip-tester",
                "nftables",
                "dosfstools",
                "openssl"
            ]
        );
    }

    #[test]
    fn the_install_line_asks_no_questions() {
        assert_eq!(
            install(&["valgrind"]),
            [
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                "valgrind"
            ]
        );
    }
}
