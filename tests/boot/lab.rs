//! The lab's own guest, before anything of the product is in it.

use std::path::{Path, PathBuf};

use sbc_tests::kit::guest::{Guest, Tools};

/// Returns what guests are made with, or nothing when `test` was skipped.
pub fn tools(test: &str) -> Result<Option<Tools>, String> {
    Tools::for_test(test, Path::new(env!("CARGO_BIN_EXE_lab")))
}

/// Returns the folder for what a test leaves.
pub fn folder(test: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(test)
}

#[test]
fn a_guest_boots_and_does_what_it_is_asked() {
    let name = "a_guest_boots_and_does_what_it_is_asked";
    let Some(tools) = tools(name).expect("tools for guests") else {
        return;
    };
    let planned = Guest::plan(&tools, "alone", &folder(name)).unwrap();
    let mut guest = planned.boot().unwrap();
    println!("power-on to the first word: {:?}", guest.took());
    assert!(guest.kernel().starts_with("6."), "{}", guest.kernel());
    assert_eq!(guest.ok("uname -r").unwrap().trim(), guest.kernel());

    guest.put("/tmp/deep/file", 0o600, "words").unwrap();
    assert_eq!(guest.get("/tmp/deep/file").unwrap(), b"words");
    assert_eq!(guest.ok("stat -c %a /tmp/deep/file").unwrap().trim(), "600");

    let failed = guest
        .run(&["sh", "-c", "cat; echo no >&2; exit 7"])
        .unwrap();
    assert_eq!((failed.how.as_str(), failed.errors.as_str()), ("7", "no\n"));
    let late = guest
        .run_for(std::time::Duration::from_millis(100), "", &["sleep", "60"])
        .unwrap();
    assert_eq!(late.how, "late");
    assert!(guest.run(&["no-such-program"]).is_err());

    let pid = guest.spawn("sleeper", &["sleep", "600"]).unwrap();
    guest.signal(pid, 15).unwrap();
    let ended = guest.wait(pid, std::time::Duration::from_secs(10)).unwrap();
    assert_eq!(ended.as_deref(), Some("signal 15"));
}

#[test]
fn the_kernel_gets_modules_when_it_asks_for_them() {
    let name = "the_kernel_gets_modules_when_it_asks_for_them";
    let Some(tools) = tools(name).expect("tools for guests") else {
        return;
    };
    let planned = Guest::plan(&tools, "modules", &folder(name)).unwrap();
    let mut guest = planned.boot().unwrap();
    // By name, from the test.
    guest.load(&["8021q", "ip_gre", "esp4"]).unwrap();
    let loaded = guest.ok("lsmod").unwrap();
    for module in ["8021q", "ip_gre", "esp4"] {
        assert!(loaded.contains(module), "{module} in:\n{loaded}");
    }
    assert!(guest.load(&["no_such_module"]).is_err());
    // By need, from the kernel, which calls modprobe.
    assert!(!loaded.contains("nf_tables") && !loaded.contains("dummy"));
    guest.ok("ip link add d0 type dummy").unwrap();
    guest
        .shell("nft add table inet t && nft 'add chain inet t c { type filter hook input priority 0; policy drop; }' && nft 'add rule inet t c ct state established limit rate 5/second accept'")
        .unwrap();
    let rules = guest.ok("nft -j list ruleset").unwrap();
    assert!(rules.contains("\"policy\": \"drop\""), "{rules}");
    let loaded = guest.ok("lsmod").unwrap();
    for module in ["nf_tables", "dummy", "nft_ct", "nft_limit"] {
        assert!(loaded.contains(module), "{module} in:\n{loaded}");
    }
}
