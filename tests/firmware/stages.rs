//! A stage of the boot is made to fail: the console names it and its code.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use sbc_image::disk::place;
use sbc_tests::kit::firmware::{Box, Image, Loader};
use sbc_tests::kit::vswitch::Switch;

use super::data::{alters, start};
use super::folder;
use super::update::Node;

const LIFE: Duration = Duration::from_secs(600);
const SECTOR: u64 = 512;

#[test]
fn a_configuration_that_cannot_be_used_is_named_and_the_console_is_there() {
    let name = "a_configuration_that_cannot_be_used_is_named_and_the_console_is_there";
    let Some(node) = Node::for_long_test(name) else {
        return;
    };
    let file = node.folder.join("config.toml");
    fs::write(&file, "config-version = 1\n[trunk.itsp-a]\nvia = 7\n").unwrap();
    let booted = node.start_with(Loader::Bios, |plan| {
        let given = format!("name=opt/sbc/config.toml,file={}", file.display());
        plan.words(["-fw_cfg", &given]);
    });
    booted
        .says("SBC-FAILED stage=configuration code=SBC-2104")
        .unwrap();
    booted.says("New password: ").unwrap();
    assert!(!booted.machine.console().contains("SBC-READY"));
    fs::remove_dir_all(&node.folder).unwrap();
}

/// A kernel that loads no packet filter: no link comes up, and the console does.
#[test]
fn a_fence_that_cannot_be_closed_is_named_and_no_link_comes_up() {
    let name = "a_fence_that_cannot_be_closed_is_named_and_no_link_comes_up";
    let Some(node) = Node::for_long_test(name) else {
        return;
    };
    let (from, to) = (
        "net.ifnames=0 random.trust_cpu=on",
        "module_blacklist=nf_tables       ",
    );
    assert!(replaces(&node, from, to) > 0);
    let mut switch = Switch::new(&node.folder).unwrap();
    let cable = switch.trunk("cable", &[]).unwrap();
    let booted = node.start_with(Loader::Bios, |plan| {
        plan.nic("virtio-net-pci", &cable.socket);
    });
    booted.says("SBC-FAILED stage=fence code=SBC-2103").unwrap();
    booted.says("New password: ").unwrap();
    let text = booted.machine.console();
    assert!(!text.contains("SBC-READY") && !text.contains("network cards"));
    assert_eq!(
        switch.counters(&cable).received,
        0,
        "nothing left the machine"
    );
    fs::remove_dir_all(&node.folder).unwrap();
}

/// Writes other words of the same length into the boot partition, which a BIOS takes
/// as it is; returns how often.
fn replaces(node: &Node, from: &str, to: &str) -> usize {
    assert_eq!(from.len(), to.len());
    let (first, sectors) = place("esp").unwrap();
    let mut options = File::options();
    let disk = options.read(true).write(true).open(&node.disk).unwrap();
    let mut octets = vec![0; (sectors * SECTOR) as usize];
    disk.read_exact_at(&mut octets, first * SECTOR).unwrap();
    let parts = octets.windows(from.len()).enumerate();
    let found: Vec<usize> = parts
        .filter(|(_, part)| *part == from.as_bytes())
        .map(|(at, _)| at)
        .collect();
    for at in &found {
        let at = first * SECTOR + *at as u64;
        disk.write_all_at(to.as_bytes(), at).unwrap();
    }
    found.len()
}

#[test]
fn a_node_that_ends_again_and_again_is_named() {
    let name = "a_node_that_ends_again_and_again_is_named";
    let Some(node) = Node::for_long_test(name) else {
        return;
    };
    let mut switch = Switch::new(&node.folder).unwrap();
    let booted = start(&node, &mut switch, "first");
    booted.says("calls=accepting").unwrap();
    booted.machine.cut_power();
    drop(booted);
    // Another hand put a folder in the place of the list of revisions.
    let list = "/state/config/revisions.json";
    alters(&node, &format!("rm {list}\nmkdir {list}\n"));
    let booted = start(&node, &mut switch, "second");
    booted.says("SBC-FAILED stage=node code=SBC-2105").unwrap();
    let text = booted.machine.console();
    assert!(text.contains("the node ended: "), "{text}");
    assert!(!text.contains("SBC-READY"), "{text}");
    fs::remove_dir_all(&node.folder).unwrap();
}

#[test]
fn a_network_card_that_is_not_there_is_named_and_after_90_s_the_boot_has_failed() {
    let name = "a_network_card_that_is_not_there_is_named_and_after_90_s_the_boot_has_failed";
    let Some(node) = Node::for_long_test(name) else {
        return;
    };
    let file = node.folder.join("config.toml");
    fs::write(&file, include_str!("../fence/vlans.toml")).unwrap();
    let booted = node.start_with(Loader::Bios, |plan| {
        let given = format!("name=opt/sbc/config.toml,file={}", file.display());
        plan.words(["-fw_cfg", &given]);
    });
    booted.says("no network yet: SBC-3019: ").unwrap();
    booted.says("New password: ").unwrap();
    booted.says("SBC-FAILED stage=node code=SBC-2108").unwrap();
    let text = booted.machine.console();
    println!("{text}");
    assert!(text.contains("eth0"), "{text}");
    assert_eq!(text.matches("SBC-FAILED").count(), 1, "{text}");
    assert!(!text.contains("SBC-READY"), "{text}");
    fs::remove_dir_all(&node.folder).unwrap();
}

/// An image whose own files are in the way of what a boot lays there.
#[test]
fn a_root_that_cannot_be_set_up_is_named() {
    let name = "a_root_that_cannot_be_set_up_is_named";
    if !sbc_tests::is_full(name) {
        return;
    }
    let folder = folder(name);
    let over = folder.join("over/usr/share/sbc/etc");
    fs::create_dir_all(&over).unwrap();
    fs::write(over.join("os-release"), "in the way\n").unwrap();
    let over = folder.join("over").display().to_string();
    let out = folder.join("out").display().to_string();
    let built = Image::build(&["build", "--overlay", &over, "--out", &out]).unwrap();
    let image = match built {
        Ok(image) => image,
        Err(reason) => return sbc_tests::skip(name, &reason),
    };
    let plan = Box::new("node", &folder, &image.path, Loader::Bios, true).unwrap();
    let booted = plan.start(LIFE).unwrap();
    booted
        .says("SBC-FAILED stage=mounts code=SBC-2102")
        .unwrap();
    assert!(!booted.machine.console().contains("SBC-READY"));
    fs::remove_dir_all(&folder).unwrap();
}
