//! The second tier of `cargo demo`: the image as it is flashed, booted in QEMU
//! between VLANs, with a provider behind GRE in ESP and a router of its own.

mod scenes;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::report::Report;
use super::{Shown, patiently, phone, run_all, step};
use crate::kit::actor::Actor;
use crate::kit::firmware::{BOOT, Booted, Box as Machine, Image, Loader};
use crate::kit::guest::Tools;
use crate::kit::net::Net;
use crate::kit::router::{INTERNET, PROVIDERS, Router, SECRET};
use crate::kit::vswitch::{Place, Switch};

const FILE: &str = include_str!("image.toml");

/// How long the machines live.
const LIFE: Duration = Duration::from_secs(1_200);

/// The port for programs sees within this time that one listener went; the next may
/// come then.
const CHANGES_HANDS: Duration = Duration::from_millis(400);

/// Hosts on the VLANs: name, VLAN, address.
const HOSTS: [(&str, u16, &str); 5] = [
    ("udp", PROVIDERS, "10.30.0.2/24"),
    ("tcp", PROVIDERS, "10.30.0.3/24"),
    ("line", 310, "172.20.31.1/29"),
    ("med1", 120, "10.20.120.2/29"),
    ("med2", 121, "10.20.121.2/29"),
];

/// Telephones: where, transport, own address, the node's, hertz.
type Telephone = (&'static str, [&'static str; 4]);
const UDP: Telephone = ("udp", ["udp", "10.30.0.2:5060", "192.0.2.1:5060", "440"]);
const TCP: Telephone = ("tcp", ["tcp", "10.30.0.3:5060", "192.0.2.1:5060", "440"]);
const LINE: Telephone = (
    "line",
    ["udp", "172.20.31.1:5060", "172.20.31.2:5060", "440"],
);
const MED1: Telephone = (
    "med1",
    ["tcp", "10.20.120.2:5068", "10.20.120.1:5066", "880"],
);
const MED2: Telephone = (
    "med2",
    ["tcp", "10.20.121.2:5068", "10.20.121.1:5066", "880"],
);

/// All that a scene can use.
pub struct Stage {
    booted: Booted,
    router: Router,
    switch: Switch,
    /// The cables of the node: with tags, and to the Internet.
    trunk: Place,
    outer: Place,
    mac: [u8; 6],
    net: Net,
    /// The node's program for this machine, and the lab's own.
    sbc: PathBuf,
    lab: PathBuf,
    udp: Actor,
    tcp: Actor,
    line: Actor,
    med1: Actor,
    med2: Actor,
}

/// Plays the scenes; `sbc` is the node's program for this machine, `lab` our own.
/// What it leaves goes to `folder` and into the report. Returns how many scenes
/// passed and how many failed.
///
/// # Errors
/// When the stage cannot be set.
pub fn play(
    sbc: &Path,
    lab: &Path,
    folder: &Path,
    report: &mut Report,
) -> Result<(usize, usize), String> {
    let tools = patiently("guests", "being made", || Tools::make(lab))?;
    let tools = tools.map_err(|lacking| format!("no guests: {lacking}"))?;
    let since = Instant::now();
    let image = patiently("image", "being built", Image::keyed)?;
    let image = image.map_err(|lacking| format!("no image: {lacking}"))?;
    step("image", &size(&image.path)?, since.elapsed());
    let since = Instant::now();
    let volume = patiently("update", "being built", || image.update(scenes::NEXT))?;
    step("update", "built and signed, on a volume", since.elapsed());
    plan(sbc, folder, report)?;
    let disks = [image.path.as_path(), &volume];
    let mut stage = Stage::set(sbc, lab, folder, (&tools, disks))?;
    let failed = run_all(&scenes::ALL, scenes::NEEDED, &mut stage, report);
    stage.show(report);
    stage.switch.flush()?;
    if failed > 0 {
        println!("--- the console\n{}", stage.booted.machine.console());
        println!("--- the node's log\n{}", stage.ask("show log"));
        println!("--- the router\n{}", stage.router.log());
    }
    Ok((scenes::ALL.len() - failed, failed))
}

fn size(image: &Path) -> Shown {
    let length = std::fs::metadata(image).map_err(|error| error.to_string())?;
    let mib = length.len() >> 20;
    Ok(format!("built, a disk of {mib} MiB"))
}

/// Prints what the network will be, and who can reach whom, from the file alone.
fn plan(sbc: &Path, folder: &Path, report: &mut Report) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let file = folder.join("image.toml");
    std::fs::write(&file, FILE).map_err(|error| error.to_string())?;
    let say = |words: &[&str]| {
        let output = Command::new(sbc)
            .arg("plan")
            .args(words)
            .arg(&file)
            .output();
        let output = output.map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (steps, matrix) = (say(&[])?, say(&["--reach"])?);
    println!(
        "\n$ sbc plan image.toml        {} lines, in report.html",
        steps.lines().count()
    );
    println!("$ sbc plan --reach image.toml\n{matrix}");
    report.text("The plan of the network", &steps);
    report.text(
        "Who can reach whom, computed from the configuration",
        &matrix,
    );
    Ok(())
}

impl Stage {
    fn set(
        sbc: &Path,
        lab: &Path,
        folder: &Path,
        (tools, disks): (&Tools, [&Path; 2]),
    ) -> Result<Self, String> {
        let since = Instant::now();
        let mut net = Net::make(&[])?;
        let mut switch = Switch::new(folder)?;
        let trunk = switch.trunk("node", &[])?;
        let outer = switch.access("outer", INTERNET)?;
        for (name, vlan, address) in HOSTS {
            net.add(name)?;
            switch.tap(name, &net.name(name), "eth0", vlan, Some(address))?;
        }
        for place in ["udp", "tcp"] {
            net.ip(place, &["route", "add", "192.0.2.0/30", "via", "10.30.0.1"])?;
        }
        let router = Router::boot(&mut switch, tools, folder)?;
        step("router", "strongSwan, by hand, in a guest", since.elapsed());
        let (booted, mac) = power_on(folder, disks, [&trunk, &outer])?;
        let telephone = |(place, words)| phone(&net, lab, place, words);
        let (udp, tcp, line) = (telephone(UDP)?, telephone(TCP)?, telephone(LINE)?);
        let (med1, med2) = (telephone(MED1)?, telephone(MED2)?);
        Ok(Self {
            booted,
            router,
            switch,
            trunk,
            outer,
            mac,
            net,
            sbc: sbc.to_owned(),
            lab: lab.to_owned(),
            udp,
            tcp,
            line,
            med1,
            med2,
        })
    }

    /// Returns what the node answers to a command, over its port for programs.
    fn ask(&self, command: &str) -> String {
        let mut said = String::new();
        for _ in 0..5 {
            std::thread::sleep(CHANGES_HANDS);
            let mut asked = Command::new(&self.sbc);
            asked.arg("cli").arg("--api").arg(self.booted.port_path());
            let output = asked.args(["-c", command]).stdin(Stdio::null()).output();
            match output {
                Ok(output) if output.status.success() => {
                    return String::from_utf8_lossy(&output.stdout).into_owned();
                }
                Ok(output) => said = String::from_utf8_lossy(&output.stderr).into_owned(),
                Err(error) => said = error.to_string(),
            }
        }
        said
    }

    /// Waits until the node's answer to `command` satisfies `holds`.
    fn until(&self, command: &str, holds: impl Fn(&str) -> bool) -> Result<Duration, String> {
        let since = Instant::now();
        loop {
            let said = self.ask(command);
            if holds(&said) {
                return Ok(since.elapsed());
            }
            if since.elapsed() > BOOT {
                return Err(format!("{command}:\n{said}"));
            }
        }
    }

    /// Starts a telephone that ended.
    fn telephone(&self, (place, words): Telephone) -> Result<Actor, String> {
        phone(&self.net, &self.lab, place, words)
    }

    /// Asks the node's port for programs for one operation; returns its answer.
    fn operation(&self, operation: &str, arguments: &str) -> Result<String, String> {
        std::thread::sleep(CHANGES_HANDS);
        let mut port = self.booted.port()?;
        port.say(&format!(
            "{{\"id\":77,\"op\":\"{operation}\",\"args\":{arguments}}}"
        ))?;
        loop {
            let line = port.line()?;
            if line.contains("\"id\":77") {
                return Ok(line);
            }
        }
    }

    /// Prints what the node knows after all scenes.
    fn show(&self, report: &mut Report) {
        for command in [
            "show trunks",
            "show mediation",
            "show tunnels",
            "show isolation counters",
            "show call 1",
            "show counters",
        ] {
            let said = self.ask(command);
            let moved: String = if command.ends_with("counters") {
                let lines = said.lines().filter(|line| !line.ends_with(" 0"));
                lines.map(|line| format!("{line}\n")).collect()
            } else {
                said
            };
            println!("\n> {command}\n{moved}");
            report.text(command, &moved);
        }
        report.text(
            "The serial console, from power-on",
            &self.booted.machine.console(),
        );
    }
}

/// Switches the image on, with a configuration and a secret given from outside and a
/// second disk plugged in; its card with tags, then the one without.
fn power_on(
    folder: &Path,
    [disk, volume]: [&Path; 2],
    cables: [&Place; 2],
) -> Result<(Booted, [u8; 6]), String> {
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).map_err(|error| error.to_string())?;
    let mut machine = Machine::new("image", folder, disk, Loader::Bios, true)?;
    let drive = "if=none,id=given,format=raw,readonly=on,file=".to_owned();
    machine
        .plan
        .words(["-drive", &(drive + &volume.display().to_string())]);
    machine
        .plan
        .words(["-device", "virtio-blk-pci,drive=given"]);
    machine.plan.may_restart();
    let [mac, _] = cables.map(|cable| machine.plan.nic("virtio-net-pci", &cable.socket));
    for (item, file) in [
        ("config.toml", folder.join("image.toml")),
        ("secrets/vpn/itsp", secret),
    ] {
        let given = format!("name=opt/sbc/{item},file={}", file.display());
        machine.plan.words(["-fw_cfg", &given]);
    }
    let booted = machine.start(LIFE)?;
    Ok((booted, mac))
}
