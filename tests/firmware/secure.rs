//! Secure Boot with keys of one's own: UEFI starts what they signed and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sbc_tests::kit::firmware::{Box, Image, Loader, SNAKEOIL};

use super::folder;

const LIFE: Duration = Duration::from_secs(600);
/// What UEFI says of a program nobody signed.
const REFUSED: &str = "Access Denied";

/// Writes the key without its passphrase.
fn key(folder: &Path) -> String {
    let [key, _, passphrase] = SNAKEOIL;
    let plain = folder.join("db.key").display().to_string();
    let word = format!("pass:{passphrase}");
    let words = ["rsa", "-in", key, "-passin", &word, "-out", &plain];
    let done = Command::new("openssl").args(words).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    plain
}

#[test]
fn with_secure_boot_the_image_starts_when_its_owner_signed_it_and_not_before() {
    let name = "with_secure_boot_the_image_starts_when_its_owner_signed_it_and_not_before";
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let folder = folder(name);
    let signed = folder.join("signed.img");
    image.copy(&signed).unwrap();
    let place = signed.display().to_string();
    let told = image.errand(&["secure", &place, &key(&folder), SNAKEOIL[1]]);
    let told = told.unwrap();
    assert_eq!(told.lines().count(), 2, "both programs of UEFI: {told}");
    image.errand(&["verify", &place]).unwrap();

    let plan = Box::new("unsigned", &folder, &image.path, Loader::Secure, true).unwrap();
    let refused = plan.start(LIFE).unwrap();
    let plan = Box::new("signed", &folder, &signed, Loader::Secure, true).unwrap();
    let booted = plan.start(LIFE).unwrap();
    let took = refused.says(REFUSED).unwrap();
    println!("not signed: refused after {took:?}");
    let took = booted.says("SBC-READY ").unwrap();
    println!("signed: READY after {took:?}");
    booted.says("Secure Boot is on").unwrap();
    let said = refused.machine.console();
    assert!(!said.contains("image verified"), "it was started: {said}");
    fs::remove_file(&signed).unwrap();
}
