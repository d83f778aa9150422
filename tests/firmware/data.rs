//! The data partition: it fills its disk, it may be full, and it can be emptied.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use sbc_image::disk::{Disk, place, table};
use sbc_tests::kit::firmware::{BOOT, Booted, Loader, Port};
use sbc_tests::kit::vswitch::Switch;
use serde_json::{Value, json};

use super::update::{Node, ask};

const SECTOR: u64 = 512;
/// The configuration of the tests, and the number in it that they change.
const FILE: &str = include_str!("../fence/vlans.toml");
const LIMIT: &str = "max-simultaneous-calls = ";

/// Starts a node that was given its configuration from outside.
pub fn start(node: &Node, switch: &mut Switch, cable: &str) -> Booted {
    start_by(Loader::Bios, node, switch, cable)
}

/// The same by another loader.
pub fn start_by(loader: Loader, node: &Node, switch: &mut Switch, cable: &str) -> Booted {
    let file = node.folder.join("config.toml");
    fs::write(&file, FILE).unwrap();
    let cable = switch.trunk(cable, &[]).unwrap();
    node.start_with(loader, |plan| {
        plan.nic("virtio-net-pci", &cable.socket);
        let given = format!("name=opt/sbc/config.toml,file={}", file.display());
        plan.words(["-fw_cfg", &given]);
    })
}

/// Returns the file with another limit.
pub fn file_of(limit: u32) -> String {
    FILE.replace(&format!("{LIMIT}50"), &format!("{LIMIT}{limit}"))
}

/// Returns the limit of the live configuration, and its revision.
pub fn live(port: &mut Port) -> (u32, u64) {
    let told = ask(port, "config.live", &Value::Null);
    let text = told["ok"]["toml"].as_str().unwrap_or_default().to_owned();
    let limit = text.split_once(LIMIT).map(|(_, rest)| rest);
    let limit = limit.and_then(|rest| rest.lines().next()?.trim().parse().ok());
    let revision = told["ok"]["revision"].as_u64();
    let (Some(limit), Some(revision)) = (limit, revision) else {
        panic!("no live configuration: {told}");
    };
    (limit, revision)
}

/// Makes a limit live.
fn commit(port: &mut Port, limit: u32) -> Value {
    let (_, base) = live(port);
    let put = json!({ "toml": file_of(limit), "base": base, "comment": "test" });
    ask(port, "config.put", &put)
}

/// Returns the console's far end to type into; what the node says there is taken,
/// so that it never waits for us.
fn typist(booted: &Booted) -> UnixStream {
    let keyboard = booted.machine.keyboard().unwrap();
    let mut heard = keyboard.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut heard, &mut std::io::sink()));
    keyboard
}

/// Waits until the console has said this so many times.
pub fn says_times(booted: &Booted, words: &str, count: usize) {
    let since = Instant::now();
    while booted.machine.console().matches(words).count() < count {
        assert!(since.elapsed() < BOOT, "{}", booted.machine.console());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn the_data_partition_fills_a_larger_disk_which_gets_a_name_of_its_own() {
    let name = "the_data_partition_fills_a_larger_disk_which_gets_a_name_of_its_own";
    let Some(node) = Node::for_long_test(name) else {
        return;
    };
    let length: u64 = 4 << 30;
    let disk = File::options().write(true).open(&node.disk).unwrap();
    disk.set_len(length).unwrap();
    for boot in ["the first", "the second"] {
        let booted = node.start(Loader::Bios);
        booted.says("SBC-READY").unwrap();
        let text = booted.machine.console();
        let grew = text.contains("data: the disk leaves ");
        assert_eq!(grew, boot == "the first", "{boot}: {text}");
        assert!(!text.contains("does not grow"), "{text}");
    }
    let found = Disk::open(&node.disk)
        .expect("the table at both ends")
        .table;
    let data = found.partitions.last().unwrap();
    assert_eq!(found.sectors, length / SECTOR);
    assert!(data.first + data.sectors > found.sectors - 4096);
    assert_ne!(found.disk, table().disk, "a disk has a name of its own");
    // What ext4 says of itself (its superblock, 1024 octets in).
    let mut blocks = [0; 4];
    let at = data.first * SECTOR + 1024 + 4;
    let disk = File::open(&node.disk).unwrap();
    disk.read_exact_at(&mut blocks, at).unwrap();
    assert_eq!(u64::from(u32::from_le_bytes(blocks)), data.sectors / 8);
    fs::remove_dir_all(&node.folder).unwrap();
}

#[test]
fn a_full_data_partition_stops_no_node_and_a_commit_is_refused_clearly() {
    let name = "a_full_data_partition_stops_no_node_and_a_commit_is_refused_clearly";
    let Some(node) = Node::for_long_test(name) else {
        return;
    };
    let mut switch = Switch::new(&node.folder).unwrap();
    let booted = start(&node, &mut switch, "first");
    let mut port = booted.port().unwrap();
    booted.says("calls=accepting").unwrap();
    let told = commit(&mut port, 51);
    assert_eq!(told["ok"]["revision"], 2, "{told}");
    booted.machine.cut_power();
    drop(booted);
    fill(&node);
    let booted = start(&node, &mut switch, "second");
    let mut port = booted.port().unwrap();
    booted.says("calls=accepting").unwrap();
    assert_eq!(live(&mut port).0, 51, "what was kept is kept");
    let told = commit(&mut port, 52);
    println!("a commit on a full disk: {told}");
    assert!(told["error"]["code"].is_string(), "{told}");
    assert_eq!(live(&mut port).0, 51, "nothing was changed");
    fs::remove_dir_all(&node.folder).unwrap();
}

#[test]
fn a_power_cut_before_a_confirm_boots_the_last_confirmed_revision() {
    let name = "a_power_cut_before_a_confirm_boots_the_last_confirmed_revision";
    let Some(node) = Node::for_long_test(name) else {
        return;
    };
    let mut switch = Switch::new(&node.folder).unwrap();
    let booted = start(&node, &mut switch, "first");
    let mut port = booted.port().unwrap();
    booted.says("calls=accepting").unwrap();
    assert_eq!(commit(&mut port, 51)["ok"]["revision"], 2);
    let put = json!({ "toml": file_of(52), "base": 2, "confirm": 600 });
    let told = ask(&mut port, "config.put", &put);
    assert_eq!(told["ok"]["revision"], 3, "{told}");
    assert_eq!(live(&mut port), (52, 3), "it is live until then");
    booted.machine.cut_power();
    drop(booted);

    let booted = start(&node, &mut switch, "second");
    let mut port = booted.port().unwrap();
    booted.says("calls=accepting").unwrap();
    let text = booted.machine.console();
    assert!(text.contains("config=2:"), "{text}");
    assert!(!text.contains("SBC-FAILED"), "{text}");
    assert_eq!(live(&mut port), (51, 2));
    // Nothing waits for a confirmation any more.
    let told = ask(&mut port, "config.confirm", &Value::Null);
    assert_eq!(told["error"]["code"], "SBC-3017", "{told}");
    fs::remove_dir_all(&node.folder).unwrap();
}

/// Fills the data partition.
fn fill(node: &Node) {
    let large = node.folder.join("large");
    for (size, count) in [(1_usize << 20, 70), (4096, 400)] {
        fs::write(&large, vec![7; size]).unwrap();
        let orders: String = (0..count)
            .map(|number| format!("write {} /filler-{size}-{number}\n", large.display()))
            .collect();
        alters(node, &orders);
    }
}

/// Alters the data partition by orders to the filesystem's own program.
pub fn alters(node: &Node, orders: &str) {
    let (first, sectors) = place("data").unwrap();
    let disk = File::options()
        .read(true)
        .write(true)
        .open(&node.disk)
        .unwrap();
    let mut octets = vec![0; (sectors * SECTOR) as usize];
    disk.read_exact_at(&mut octets, first * SECTOR).unwrap();
    let part = node.folder.join("data");
    fs::write(&part, &octets).unwrap();
    // The journal is played first, as a mount would.
    repairs(&part);
    let list = node.folder.join("orders");
    fs::write(&list, orders).unwrap();
    let done = Command::new("debugfs")
        .args(["-w", "-f"])
        .arg(&list)
        .arg(&part)
        .output();
    assert!(done.unwrap().status.success());
    repairs(&part);
    disk.write_all_at(&fs::read(&part).unwrap(), first * SECTOR)
        .unwrap();
}

fn repairs(part: &Path) {
    let mut command = Command::new("e2fsck");
    let repaired = command.arg("-fy").arg(part).output().unwrap();
    let code = repaired.status.code();
    assert!(code.is_some_and(|code| code <= 1), "{repaired:?}");
}

#[test]
fn a_factory_reset_and_the_key_r_want_the_serial_number_and_leave_the_firmware() {
    let name = "a_factory_reset_and_the_key_r_want_the_serial_number_and_leave_the_firmware";
    let Some(node) = Node::for_long_test(name) else {
        return;
    };
    let mut switch = Switch::new(&node.folder).unwrap();
    let booted = start(&node, &mut switch, "first");
    let mut port = booted.port().unwrap();
    booted.says("calls=accepting").unwrap();
    assert_eq!(commit(&mut port, 51)["ok"]["revision"], 2);
    let told = ask(&mut port, "factory.reset", &json!({ "serial": "guess" }));
    assert_eq!(told["error"]["code"], "SBC-3002", "{told}");
    let why = told["error"]["message"].as_str().unwrap().to_owned();
    let serial = why.rsplit(' ').next().unwrap().to_owned();
    let told = ask(&mut port, "factory.reset", &json!({ "serial": serial }));
    assert_eq!(told["ok"]["serial"], serial.as_str(), "{told}");
    booted.says("factory reset: ").unwrap();
    says_times(&booted, "calls=accepting", 2);
    assert_eq!(live(&mut port), (50, 1), "nothing is remembered");
    assert_eq!(commit(&mut port, 51)["ok"]["revision"], 2);
    booted.machine.cut_power();
    drop(booted);

    // Whoever lost the password has the key.
    let booted = start(&node, &mut switch, "second");
    let mut keyboard = typist(&booted);
    booted.says("key r = recovery").unwrap();
    keyboard.write_all(b"r").unwrap();
    booted
        .says("type the serial number of this machine,")
        .unwrap();
    booted.says("Enter alone boots on: ").unwrap();
    let text = booted.machine.console();
    let (_, rest) = text.split_once("of this machine,").unwrap();
    let other = rest.trim_start().split('.').next().unwrap().to_owned();
    assert_ne!(other, serial, "a reset gives the machine another name");
    keyboard.write_all(b"no\r").unwrap();
    booted.says("nothing was erased").unwrap();
    booted.says("calls=accepting").unwrap();
    let mut port = booted.port().unwrap();
    assert_eq!(live(&mut port).0, 51);
    booted.machine.cut_power();
    drop(booted);

    let booted = start(&node, &mut switch, "third");
    let mut keyboard = typist(&booted);
    booted.says("key r = recovery").unwrap();
    keyboard.write_all(b"r").unwrap();
    booted.says("Enter alone boots on: ").unwrap();
    keyboard.write_all(format!("{other}\r").as_bytes()).unwrap();
    booted.says("factory reset: ").unwrap();
    booted.says("calls=accepting").unwrap();
    let mut port = booted.port().unwrap();
    assert_eq!(live(&mut port), (50, 1), "nothing is remembered");
    fs::remove_dir_all(&node.folder).unwrap();
}
