//! Updates: a bundle on a volume is installed into the other slot, booted on
//! trial and kept, or the old slot returns and says why; what is not signed, not
//! whole or too old is refused before anything is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sbc_image::fat::{Files, Form};
use sbc_tests::kit::firmware::{BOOT, Booted, Box, Image, Loader, Port, keys};
use sbc_tests::kit::guest::machine::Plan;
use serde_json::{Value, json};

use super::folder;
use super::torn::Lossy;

/// How long a machine lives: two boots and what is between them.
const LIFE: Duration = Duration::from_secs(900);
const TIME: u64 = 1_795_564_800;

/// A machine with a disk of its own and a volume that may bring an update.
pub struct Node {
    pub folder: PathBuf,
    pub disk: PathBuf,
    pub volume: PathBuf,
    /// Its disk loses writes when the power goes.
    pub lossy: Option<Lossy>,
}

impl Node {
    pub fn new(test: &str, image: &Image) -> Self {
        let folder = folder(test);
        let (disk, volume) = (folder.join("sbc.img"), folder.join("volume"));
        image.copy(&disk).unwrap();
        let node = Self {
            folder,
            disk,
            volume,
            lossy: None,
        };
        node.bring(b"nothing yet");
        node
    }

    /// The same for a long test, unless it was skipped.
    pub fn for_long_test(test: &str) -> Option<Self> {
        if !sbc_tests::is_full(test) {
            return None;
        }
        let image = Image::for_test(test).expect("the image")?;
        Some(Self::new(test, &image))
    }

    /// Puts a bundle on the volume.
    pub fn bring(&self, bundle: &[u8]) {
        let form = Form {
            size: 96 << 20,
            label: "SBCUPDATE",
            serial: 9,
            time: TIME,
        };
        let files = Files::from([("update.sbcfw".to_owned(), bundle.to_vec())]);
        let mut bytes = sbc_image::fat::write(&form, &files).unwrap();
        bytes.resize(form.size, 0);
        fs::write(&self.volume, bytes).unwrap();
    }

    pub fn start(&self, loader: Loader) -> Booted {
        self.start_with(loader, |_| {})
    }

    /// The same, with more in the machine.
    pub fn start_with(&self, loader: Loader, more: impl FnOnce(&mut Plan)) -> Booted {
        let plan = match &self.lossy {
            None => Box::new("node", &self.folder, &self.disk, loader, false),
            Some(lossy) => {
                lossy.begin().unwrap();
                let place = (&*lossy.disk, &*lossy.log);
                Box::logging("node", &self.folder, place, loader)
            }
        };
        let mut plan = plan.unwrap();
        let drive = format!("if=none,id=given,format=raw,file={}", self.volume.display());
        plan.plan.words(["-drive", &drive]);
        plan.plan.words(["-device", "virtio-blk-pci,drive=given"]);
        plan.plan.may_restart();
        more(&mut plan.plan);
        plan.start(LIFE).unwrap()
    }
}

/// Asks over the port, and passes everything by that is no answer to it.
pub fn ask(port: &mut Port, operation: &str, arguments: &Value) -> Value {
    let question = json!({"id": operation, "op": operation, "args": arguments});
    port.say(&question.to_string()).unwrap();
    loop {
        let line = port.line().unwrap();
        let read: Value = serde_json::from_str(&line).unwrap_or_default();
        if read["id"] == operation {
            return read;
        }
    }
}

/// Asks until the slots are as they should be.
pub fn await_slots(port: &mut Port, wanted: [(&str, &str); 2]) {
    let since = Instant::now();
    loop {
        let told = ask(port, "image.list", &Value::Null);
        let slots = told["ok"]["slots"].as_array().cloned().unwrap_or_default();
        let of = |slot: &Value| {
            let version = slot["version"].as_str().unwrap_or("-").to_owned();
            (version, slot["state"].as_str().unwrap_or("-").to_owned())
        };
        let found: Vec<_> = slots.iter().map(of).collect();
        let wanted = wanted.map(|(version, state)| (version.to_owned(), state.to_owned()));
        if found == wanted {
            return;
        }
        assert!(since.elapsed() < BOOT, "{told} instead of {wanted:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Returns the bundle of another version, signed by one of the tests' keys.
pub fn next(image: &Image, version: &str, overlay: Option<&Path>, key: &str) -> Vec<u8> {
    let keys = keys().unwrap();
    let folder = keys.with_file_name(format!("firmware-{version}"));
    let (out, place) = (folder.display().to_string(), keys.display().to_string());
    let mut words = vec![
        "build",
        "--version",
        version,
        "--out",
        &out,
        "--keys",
        &place,
    ];
    let over = overlay.map(|overlay| overlay.display().to_string());
    if let Some(over) = &over {
        words.extend(["--overlay", over]);
    }
    let made = image.errand(&words).unwrap();
    let key = keys.join(format!("{key}.key")).display().to_string();
    let bundle = image.errand(&["bundle", made.trim(), &key]).unwrap();
    fs::read(bundle.trim()).unwrap()
}

/// Returns a private key of the tests.
fn private(name: &str) -> ed25519_dalek::SigningKey {
    let text = fs::read_to_string(keys().unwrap().join(format!("{name}.key"))).unwrap();
    let octet = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    ed25519_dalek::SigningKey::from_bytes(&std::array::from_fn(octet))
}

#[test]
fn a_bundle_that_is_unsigned_too_old_or_changed_is_refused_and_nothing_is_written() {
    let name = "a_bundle_that_is_unsigned_too_old_or_changed_is_refused_and_nothing_is_written";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let node = Node::new(name, &image);
    let booted = node.start(Loader::Bios);
    let mut port = booted.port().unwrap();
    booted.says("SBC-READY version=0.1.0 slot=A").unwrap();
    await_slots(&mut port, [("0.1.0", "good"), ("-", "empty")]);

    let parts = [vec![1; 70_000], vec![2; 70_000], vec![3; 9000]];
    let parts: [&[u8]; 3] = std::array::from_fn(|part| parts[part].as_slice());
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let own = private("test-2");
    let sign = |key, version| sbc_image::bundle::write(key, version, "0.0.1", parts);
    let good = sign(&own, "0.2.0");
    let mut changed = good.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let cases = [
        (b"no bundle".to_vec(), "SBC-2111"),
        (sign(&stranger, "0.2.0"), "SBC-2112"),
        (sign(&own, "0.0.9"), "SBC-2114"),
        (sign(&own, "0.1.0"), "SBC-2114"),
        (changed, "SBC-2115"),
        (good[..good.len() - 1].to_vec(), "SBC-2111"),
        // Signed and whole, and its program is none.
        (good, "SBC-2111"),
    ];
    for (bundle, code) in cases {
        node.bring(&bundle);
        for version in ["0.2.0", "0.0.9", "0.1.0"] {
            let told = ask(&mut port, "image.activate", &json!({ "version": version }));
            let found = told["error"]["code"].as_str().unwrap_or_default();
            let is_word = found == "SBC-3002" && version != "0.2.0";
            assert!(found == code || is_word, "{told} instead of {code}");
        }
    }
    fs::remove_file(&node.volume).unwrap();
    await_slots(&mut port, [("0.1.0", "good"), ("-", "empty")]);
    let text = booted.machine.console();
    assert_eq!(text.matches("SBC-READY").count(), 1, "{text}");
    fs::remove_dir_all(&node.folder).unwrap();
}

/// Updates a fresh node from A to B, and returns it running.
pub fn updated(name: &str, image: &Image, loader: Loader) -> (Node, Booted, Port) {
    let node = Node::new(name, image);
    node.bring(&next(image, "0.2.0", None, "test-1"));
    let booted = node.start(loader);
    let mut port = booted.port().unwrap();
    let took = booted.says("SBC-READY version=0.1.0 slot=A").unwrap();
    println!("power-on to READY: {took:?}");
    await_slots(&mut port, [("0.1.0", "good"), ("-", "empty")]);
    let other = ask(&mut port, "image.activate", &json!({ "version": "0.1.9" }));
    assert_eq!(other["error"]["code"], "SBC-3002", "{other}");
    let since = Instant::now();
    let told = ask(&mut port, "image.activate", &json!({ "version": "0.2.0" }));
    assert_eq!(told["ok"]["slot"], "B", "{told}");
    assert_eq!(told["ok"]["key"], "test-1", "{told}");
    println!("looked at, written and read back: {:?}", since.elapsed());
    booted.says("slot B is on trial").unwrap();
    booted.says("SBC-READY version=0.2.0 slot=B").unwrap();
    println!("from the order to READY: {:?}", since.elapsed());
    await_slots(&mut port, [("0.1.0", "good"), ("0.2.0", "good")]);
    (node, booted, port)
}

#[test]
fn an_update_is_booted_cold_on_trial_and_kept_once_it_is_ready() {
    let name = "an_update_is_booted_cold_on_trial_and_kept_once_it_is_ready";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    for loader in [Loader::Bios, Loader::Uefi] {
        let (node, booted, mut port) = updated(name, &image, loader);
        booted.machine.cut_power();
        drop(booted);
        // It is kept: a cold boot comes to it, and it is no trial any more.
        let booted = node.start(loader);
        port = booted.port().unwrap_or(port);
        booted.says("SBC-READY version=0.2.0 slot=B").unwrap();
        let text = booted.machine.console();
        assert!(!text.contains("on trial"), "{text}");
        await_slots(&mut port, [("0.1.0", "good"), ("0.2.0", "good")]);
        // And the operator may go back.
        let told = ask(&mut port, "image.rollback", &Value::Null);
        assert_eq!(told["ok"]["slot"], "A", "{told}");
        booted.says("SBC-READY version=0.1.0 slot=A").unwrap();
        await_slots(&mut port, [("0.1.0", "good"), ("0.2.0", "good")]);
        fs::remove_dir_all(&node.folder).unwrap();
    }
}

#[test]
fn a_version_that_does_not_become_ready_gives_way_to_the_old_one_which_says_why() {
    let name = "a_version_that_does_not_become_ready_gives_way_to_the_old_one_which_says_why";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let overlay = folder("overlay-without-rules");
    fs::create_dir_all(overlay.join("usr/sbin")).unwrap();
    fs::write(overlay.join("usr/sbin/nft"), "this is no program").unwrap();
    let bundle = next(&image, "0.2.1", Some(&overlay), "test-2");
    for loader in [Loader::Bios, Loader::Uefi] {
        let node = Node::new(name, &image);
        node.bring(&bundle);
        let booted = node.start(loader);
        let mut port = booted.port().unwrap();
        booted.says("SBC-READY version=0.1.0 slot=A").unwrap();
        await_slots(&mut port, [("0.1.0", "good"), ("-", "empty")]);
        let told = ask(&mut port, "image.activate", &json!({ "version": "0.2.1" }));
        assert_eq!(told["ok"]["slot"], "B", "{told}");
        booted.says("SBC-FAILED stage=trial code=SBC-2118").unwrap();
        booted.says("slot B 0.2.1 gave up: stage fence").unwrap();
        let since = Instant::now();
        while booted.machine.console().matches("SBC-READY").count() < 2 {
            assert!(since.elapsed() < BOOT, "{}", booted.machine.console());
            std::thread::sleep(Duration::from_millis(50));
        }
        await_slots(
            &mut port,
            [("0.1.0", "good"), ("0.2.1", "not to be booted")],
        );
        let lines = ask(&mut port, "image.previous", &Value::Null);
        println!("kept of the boot before: {lines}");
        fs::remove_dir_all(&node.folder).unwrap();
    }
}
