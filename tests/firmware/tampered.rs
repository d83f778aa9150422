//! One octet of an image is changed, in each place that matters: the builder's
//! look at it says where, and a machine does not boot a damaged root.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use sbc_image::disk::{Disk, place};
use sbc_image::verify::verify;
use sbc_tests::kit::firmware::{Box, Image, Loader};

use super::folder;
use super::update::{await_slots, updated};

const SECTOR: u64 = 512;

/// Changes one octet; done twice, it is as it was.
fn spoil(disk: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(disk).unwrap();
    let mut octet = [0];
    file.read_exact_at(&mut octet, at).unwrap();
    file.write_all_at(&[octet[0] ^ 0x10], at).unwrap();
}

/// Returns the octet where a partition begins.
fn start(name: &str) -> u64 {
    place(name).unwrap().0 * SECTOR
}

/// Returns an octet in the middle of a file of the boot partition.
fn within(disk: &Path, path: &str) -> u64 {
    let esp = Disk::open(disk).unwrap().partition("esp").unwrap();
    let files = sbc_image::fat::read(&esp).unwrap();
    let found = files.iter().find(|(name, _)| name.starts_with(path));
    let (_, bytes) = found.unwrap_or_else(|| panic!("no {path}"));
    let piece = &bytes[bytes.len() / 2..][..32.min(bytes.len() / 2)];
    // A file begins with a cluster; what is looked for lies at the same distance.
    let from = bytes.len() / 2 % SECTOR as usize;
    let mut places = (from..esp.len() - piece.len()).step_by(SECTOR as usize);
    let at = places.find(|at| &esp[*at..*at + piece.len()] == piece);
    start("esp") + at.expect("the file on the disk") as u64
}

#[test]
fn an_image_is_whole_and_one_octet_anywhere_is_named() {
    let name = "an_image_is_whole_and_one_octet_anywhere_is_named";
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let disk = folder(name).join("sbc.img");
    image.copy(&disk).unwrap();
    let whole = verify(&disk).expect("an image as it was built");
    let told = image.errand(&["verify", &disk.display().to_string()]);
    assert!(told.unwrap().contains(&whole.disk));
    let length = disk.metadata().unwrap().len();
    let (fat, data) = (start("esp") + 32 * SECTOR, start("data"));
    let places: [(u64, &str); 17] = [
        (10, "@code"),
        (SECTOR + 20, ""),
        (length - 100, "the sectors of the table's copy"),
        (100 * SECTOR, "outside the partitions"),
        (start("bios") + 1000, "@bios"),
        (
            within(&disk, "EFI/BOOT/BOOTX64.EFI"),
            "EFI/BOOT/BOOTX64.EFI is not",
        ),
        (within(&disk, "EFI/Linux/sbc-a_"), "EFI/Linux/sbc-a_"),
        (within(&disk, "grub/grub.cfg"), "grub/grub.cfg is not"),
        (within(&disk, "grub/slot-a.linux"), "two kernels"),
        (within(&disk, "grub/slot-a.cfg"), "two command lines"),
        (within(&disk, "sbc.sums"), "sbc.sums"),
        (fat + 40, "the boot partition"),
        (start("root-a") + 5_000_000, "slot A: block"),
        (start("hash-a") + 5000, "slot A: block"),
        (start("root-b") + 77, "root-b is not empty"),
        (data + 4096, "@data"),
        (data + (64 << 20) + 600, "outside the partitions"),
    ];
    for (at, words) in places {
        spoil(&disk, at);
        let faults = verify(&disk).expect_err(words).join("; ");
        println!("octet {at}: {faults}");
        assert!(
            faults.contains(words),
            "octet {at}: no {words:?} in {faults}"
        );
        spoil(&disk, at);
    }
    assert_eq!(verify(&disk), Ok(whole), "it is as it was");
    std::fs::remove_file(disk).unwrap();
}

#[test]
fn a_damaged_root_is_named_on_the_console_and_is_not_booted() {
    let name = "a_damaged_root_is_named_on_the_console_and_is_not_booted";
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let folder = folder(name);
    let disk = folder.join("sbc.img");
    image.copy(&disk).unwrap();
    spoil(&disk, start("root-a") + 5_000_000);
    let plan = Box::new("node", &folder, &disk, Loader::Bios, false).unwrap();
    let booted = plan.start(Duration::from_secs(600)).unwrap();
    booted.says("SBC-FAILED stage=image code=SBC-2101").unwrap();
    booted.says("slot A is marked").unwrap();
    let text = booted.machine.console();
    assert!(text.contains("slot A: it is damaged"), "{text}");
    assert!(!text.contains("SBC-READY"), "{text}");
    drop(booted);
    // The loader was told, durably: it does not try again.
    let esp = Disk::open(&disk).unwrap().partition("esp").unwrap();
    let variables = sbc_image::fat::read(&esp).unwrap();
    let variables = String::from_utf8_lossy(&variables["grub/grubenv"]).into_owned();
    assert!(variables.contains("left_a=0\n"), "{variables}");
    std::fs::remove_file(disk).unwrap();
}

#[test]
fn a_good_slot_that_is_damaged_gives_way_to_the_other_which_says_why() {
    let name = "a_good_slot_that_is_damaged_gives_way_to_the_other_which_says_why";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    for loader in [Loader::Bios, Loader::Uefi] {
        let (node, booted, _) = updated(name, &image, loader);
        booted.machine.cut_power();
        drop(booted);
        let whole = node.folder.join("whole");
        std::fs::copy(&node.disk, &whole).unwrap();
        let places = [
            (start("root-b") + 5_000_000, "damaged: "),
            (start("hash-b") + 9000, "damaged: "),
            (start("hash-b") + 5000, "its hash tree is damaged"),
            (start("hash-b") + 2, "its hash tree is damaged"),
        ];
        for (at, why) in places {
            std::fs::copy(&whole, &node.disk).unwrap();
            spoil(&node.disk, at);
            let booted = node.start(loader);
            booted
                .says("slot B is marked, the other one is next")
                .unwrap();
            booted.says("SBC-READY version=0.1.0 slot=A").unwrap();
            let text = booted.machine.console();
            let (_, after) = text.split_once("slot B is marked").unwrap();
            let said = after.lines().find(|line| line.contains("slot B gave up: "));
            println!("{loader:?}, octet {at}: {said:?}");
            assert!(said.is_some_and(|said| said.contains(why)), "{text}");
            let mut port = booted.port().unwrap();
            await_slots(
                &mut port,
                [("0.1.0", "good"), ("0.2.0", "not to be booted")],
            );
        }
        std::fs::remove_dir_all(&node.folder).unwrap();
    }
}
