//! Cold boots.

use std::time::{Duration, Instant};

use sbc_tests::kit::firmware::{BOOT, Booted, Box, Image, Loader, Port, claim};
use sbc_tests::kit::vswitch::frame::carried;
use sbc_tests::kit::vswitch::{Place, Seen, Switch};

use super::folder;

/// How long a machine lives: its boot and all that is asked of it.
const LIFE: Duration = Duration::from_secs(600);
/// Words the console has written when the node is ready, in their order.
const WORDS: [&str; 6] = [
    "sbc 0.1.0 slot A, image verified",
    "fence: drop all, read back, 0 links up",
    "network cards 2",
    "no configuration: log in on the serial console",
    "SBC-READY version=0.1.0 slot=A boot=",
    " config=none calls=none",
];
/// What each role may have: its word, MiB, and whether it runs without a tunnel.
const CEILINGS: [(&str, u64, bool); 9] = [
    ("signal", 136, true),
    ("relay", 72, true),
    ("netcfg", 40, true),
    ("charon", 32, false),
    ("console", 48, true),
    ("node", 24, true),
    ("login", 16, true),
    ("port", 8, true),
    ("firmware", 40, true),
];
/// Memory in use without calls, as promised.
const MEMORY_KIB: u64 = 128 * 1024;
/// A door, and what the kernel says of its jail.
const JAILS: [(&str, &str); 3] = [
    (
        "the console login",
        "Uid 904, Gid 904, CapEff 0000000000002000, CapBnd 0000000000002000, \
         NoNewPrivs 1, Seccomp 2",
    ),
    (
        "the port for programs",
        "Uid 904, Gid 904, CapEff 0000000000000000, CapBnd 0000000000000000, \
         NoNewPrivs 1, Seccomp 2",
    ),
    (
        "who looks after the firmware",
        "Uid 0, Gid 0, CapEff 0000000000200005, CapBnd 0000000000200005, \
         NoNewPrivs 1, Seccomp 2",
    ),
];
const FENCE: &str = "fence: drop all, read back";

/// A machine with two network cards whose cables end in a switch.
struct Cold {
    switch: Switch,
    cables: [Place; 2],
    booted: Booted,
}

fn cold(test: &str, image: &Image, loader: Loader) -> Cold {
    let folder = folder(test);
    let mut switch = Switch::new(&folder).unwrap();
    let cables = [
        switch.trunk("wan", &[]).unwrap(),
        switch.trunk("lan", &[]).unwrap(),
    ];
    let mut plan = Box::new("node", &folder, &image.path, loader, true).unwrap();
    for cable in &cables {
        plan.plan.nic("virtio-net-pci", &cable.socket);
    }
    let booted = plan.start(LIFE).unwrap();
    Cold {
        switch,
        cables,
        booted,
    }
}

impl Cold {
    /// Returns how many frames left the machine.
    fn left(&self) -> usize {
        let from = |cable| self.switch.seen_from(cable).len();
        self.cables.iter().map(from).sum()
    }

    /// Waits for READY; the cables are joined all the while, and silent.
    fn ready(&self) -> Duration {
        self.booted.says(FENCE).unwrap();
        let joined = self.cables.iter().all(|one| self.switch.is_joined(one));
        assert!(joined, "a cable that ends nowhere carries nothing");
        assert_eq!(self.left(), 0, "frames before the fence was read back");
        let took = self.booted.says("SBC-READY ").unwrap();
        self.booted.says("calls=none").unwrap();
        let text = self.booted.machine.console();
        let mut rest = text.as_str();
        for words in WORDS {
            let Some((_, behind)) = rest.split_once(words) else {
                panic!("no {words:?} where it belongs in:\n{text}");
            };
            rest = behind;
        }
        assert_eq!(text.matches("SBC-READY").count(), 1, "{text}");
        assert!(
            text.contains("\nSBC-READY "),
            "in the middle of a line: {text}"
        );
        assert!(!text.contains("SBC-FAILED"), "{text}");
        took
    }
}

#[test]
fn a_cold_boot_by_bios_is_ready_behind_a_closed_fence_and_answers_programs() {
    let name = "a_cold_boot_by_bios_is_ready_behind_a_closed_fence_and_answers_programs";
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let cold = cold(name, &image, Loader::Bios);
    let mut port = cold.booted.port().unwrap();
    // Nobody answers for the node before it runs.
    port.say(r#"{"id":2,"op":"calls.list"}"#).unwrap();
    let took = cold.ready();
    println!(
        "the image: {:?}; power-on by BIOS to READY: {took:?}",
        image.took
    );

    // Whoever listens from the start hears how the boot goes.
    let read = |line: String| -> serde_json::Value {
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    let hello = read(port.line().unwrap());
    assert_eq!(hello["hello"]["api"], 1, "{hello}");
    assert_eq!(hello["hello"]["version"], "0.1.0", "{hello}");
    let answer_of = read(port.line().unwrap());
    assert_eq!(answer_of["id"], 2, "{answer_of}");
    assert_eq!(answer_of["error"]["code"], "SBC-2106", "{answer_of}");
    let event = read(port.line().unwrap());
    assert_eq!(event["event"], "ready", "{event}");
    assert_eq!(event["slot"], "A", "{event}");
    assert!(
        event["boot"].as_f64().is_some_and(|boot| boot > 0.0),
        "{event}"
    );
    let memory = event["memory_kib"].as_u64().expect("KiB in use");
    println!("memory in use at READY: {memory} KiB");
    assert!((1..=MEMORY_KIB).contains(&memory), "{memory} KiB");
    port.say(r#"{"id":3,"op":"calls.list"}"#).unwrap();
    let answer_of = read(port.line().unwrap());
    assert_eq!(
        answer_of,
        serde_json::json!({"id": 3, "ok": []}),
        "{answer_of}"
    );

    // A moment later the kernel is sealed.
    let since = Instant::now();
    let mut id = 100;
    loop {
        id += 1;
        port.say(&format!(r#"{{"id":{id},"op":"boot.show"}}"#))
            .unwrap();
        let told = port.line().unwrap();
        if told.contains("sealed: the kernel takes no module and no other kernel") {
            println!("sealed {:?} after READY", since.elapsed());
            break;
        }
        assert!(since.elapsed() < BOOT, "not sealed: {told}");
        std::thread::sleep(Duration::from_millis(200));
    }
    port.say(r#"{"id":4,"op":"limits.list"}"#).unwrap();
    ceilings(&read(port.line().unwrap())["ok"]);
    jails(&mut port);

    // The serial console claims the node; nothing is let in without that.
    let password = "correct horse battery";
    let mut line = cold.booted.line().unwrap();
    claim(&mut line, password).unwrap();
    // Whoever does not want the questions leaves them.
    line.waits("1/8 host name [sbc]: ").unwrap();
    line.types(b"\x03").unwrap();
    line.waits("sbc> ").unwrap();
    line.types(b"show boot\r").unwrap();
    line.waits("fence: drop all, read back, 0 links up")
        .unwrap();
    // Whoever leaves is followed by the next, who needs the password.
    line.types(b"exit\r").unwrap();
    line.waits("sbc login: ").unwrap();
    let text = cold.booted.machine.console();
    assert!(!text.contains(password), "a password is never shown");
    assert_eq!(cold.left(), 0, "frames of a node without a configuration");
}

/// What `/proc/PID/status` said of each door, as the first process read it
/// (`CAP_NET_RAW` is bit 13, `CAP_CHOWN`
/// 0, `CAP_DAC_READ_SEARCH` 2, `CAP_SYS_ADMIN` 21).
fn jails(port: &mut Port) {
    for (door, jail) in JAILS {
        let wanted = format!("{door} is in its jail: {jail}");
        let since = Instant::now();
        loop {
            port.say(r#"{"id":5,"op":"boot.show"}"#).unwrap();
            let told = port.line().unwrap();
            if told.contains(&wanted) {
                println!("{wanted}");
                break;
            }
            assert!(since.elapsed() < BOOT, "not {wanted}: {told}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Every role is in its group, and the kernel says its ceiling.
fn ceilings(limits: &serde_json::Value) {
    let row = |name: &str| {
        let rows = limits.as_array().into_iter().flatten();
        let found = rows.into_iter().find(|row| row["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {limits}"));
        let number = |key: &str| found[key].as_u64().expect("a number");
        (number("used"), number("limit"), number("hits"))
    };
    let mut all = 0;
    for (role, mib, runs) in CEILINGS {
        let (used, limit, hits) = row(&format!("memory of {role} in KiB"));
        println!("{role}: {used} of {limit} KiB");
        assert_eq!((limit, hits), (mib * 1024, 0), "{role}");
        assert!(used < limit, "{role}");
        let (tasks, most, hits) = row(&format!("tasks of {role}"));
        assert_eq!((tasks > 0, hits), (runs, 0), "{role}: {tasks} of {most}");
        assert!(tasks * 2 <= most, "{role}: {tasks} of {most}");
        all += limit;
    }
    assert!(all <= 416 * 1024, "{all} KiB of a machine of 512 MiB");
}

#[test]
fn a_cold_boot_by_uefi_is_ready_behind_a_closed_fence() {
    let name = "a_cold_boot_by_uefi_is_ready_behind_a_closed_fence";
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let cold = cold(name, &image, Loader::Uefi);
    let took = cold.ready();
    println!("power-on by UEFI to READY: {took:?}");
    assert_eq!(cold.left(), 0, "frames of a node without a configuration");
}

/// The configuration of a machine whose owner gives it from outside; nobody has
/// claimed it.
#[test]
fn a_configuration_from_fw_cfg_brings_its_vlans_up_and_not_a_frame_elsewhere() {
    let name = "a_configuration_from_fw_cfg_brings_its_vlans_up_and_not_a_frame_elsewhere";
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let folder = folder(name);
    let file = folder.join("config.toml");
    std::fs::write(&file, include_str!("../fence/vlans.toml")).unwrap();
    let mut switch = Switch::new(&folder).unwrap();
    let cable = switch.trunk("node", &[]).unwrap();
    let mut plan = Box::new("node", &folder, &image.path, Loader::Bios, true).unwrap();
    plan.plan.nic("virtio-net-pci", &cable.socket);
    let given = format!("name=opt/sbc/config.toml,file={}", file.display());
    plan.plan.words(["-fw_cfg", &given]);
    let booted = plan.start(LIFE).unwrap();
    let mut port = booted.port().unwrap();
    let took = booted.says("calls=accepting").unwrap();
    println!("power-on by BIOS to READY with a configuration: {took:?}");
    let text = booted.machine.console();
    assert!(text.contains("from fw_cfg, 0 problems"), "{text}");
    assert!(
        text.contains("\nSBC-READY "),
        "in the middle of a line: {text}"
    );
    assert_eq!(text.matches("SBC-READY").count(), 1, "{text}");
    assert!(!text.contains("SBC-FAILED"), "{text}");

    // Programs ask the node itself.
    let mut heard = Vec::new();
    while !heard.iter().any(|line: &String| line.contains("\"ready\"")) {
        heard.push(port.line().unwrap());
    }
    port.say(r#"{"id":4,"op":"version"}"#).unwrap();
    let answer = port.line().unwrap();
    assert!(
        answer.contains("\"id\":4") && answer.contains("\"ok\""),
        "{answer}"
    );

    // The trunk and the server are looked for, each on its VLAN.
    for vlan in [310, 120] {
        let asked = |frames: &[Seen]| frames.iter().any(|seen| carried(&seen.frame).is_arp());
        switch.until(vlan, BOOT, asked).unwrap();
        switch
            .only(vlan, |seen| carried(&seen.frame).is_arp())
            .unwrap();
    }
    let others = switch.seen_from(&cable);
    let others: Vec<&Seen> = others
        .iter()
        .filter(|seen| ![310, 120].contains(&seen.vlan))
        .collect();
    assert_eq!(others, Vec::<&Seen>::new(), "frames on other VLANs");
}

#[test]
fn a_configuration_from_a_volume_is_taken_by_a_machine_nobody_has_claimed() {
    let name = "a_configuration_from_a_volume_is_taken_by_a_machine_nobody_has_claimed";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let folder = folder(name);
    let form = sbc_image::fat::Form {
        size: 96 << 20,
        label: "SBCCFG",
        serial: 7,
        time: 1_795_564_800,
    };
    let text = include_str!("../fence/vlans.toml").as_bytes().to_vec();
    let files = sbc_image::fat::Files::from([("config.toml".to_owned(), text)]);
    let mut bytes = sbc_image::fat::write(&form, &files).unwrap();
    bytes.resize(form.size, 0);
    let volume = folder.join("volume");
    std::fs::write(&volume, bytes).unwrap();
    let mut switch = Switch::new(&folder).unwrap();
    let cable = switch.trunk("node", &[]).unwrap();
    let mut plan = Box::new("node", &folder, &image.path, Loader::Bios, true).unwrap();
    plan.plan.nic("virtio-net-pci", &cable.socket);
    let drive = format!("if=none,id=given,format=raw,file={}", volume.display());
    plan.plan.words(["-drive", &drive]);
    plan.plan.words(["-device", "virtio-blk-pci,drive=given"]);
    let booted = plan.start(LIFE).unwrap();
    let took = booted.says("calls=accepting").unwrap();
    println!("power-on to READY with a configuration from a volume: {took:?}");
    let text = booted.machine.console();
    assert!(text.contains("from volume SBCCFG, 0 problems"), "{text}");
    std::fs::remove_file(volume).unwrap();
}
