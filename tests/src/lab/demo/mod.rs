//! `cargo demo`: a node between two providers and two Mediation Servers, each in
//! a namespace of its own; scenes with real calls and a tone that is measured at
//! the far end.

mod scenes;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use super::need;
use crate::kit::actor::Actor;
use crate::kit::net::{Cable, Net};
use crate::kit::node::Node;
use crate::kit::programs::built;

const EXAMPLE: &str = include_str!("example.toml");

const CABLES: [Cable; 4] = [
    Cable {
        neighbour: "itsp",
        device: "a0",
        ours: "172.20.31.2/29",
        theirs: "172.20.31.1/29",
    },
    Cable {
        neighbour: "itsp",
        device: "b0",
        ours: "172.20.32.2/29",
        theirs: "172.20.32.1/29",
    },
    Cable {
        neighbour: "med1",
        device: "m1",
        ours: "10.20.120.1/29",
        theirs: "10.20.120.2/29",
    },
    Cable {
        neighbour: "med2",
        device: "m2",
        ours: "10.20.121.1/29",
        theirs: "10.20.121.2/29",
    },
];

/// The one who plays: all that a scene can use.
struct Stage {
    node: Node,
    net: Net,
    program: PathBuf,
    carrier: Actor,
    carrier_tcp: Actor,
    server: Actor,
    server_2: Option<Actor>,
}

/// What a scene shows: a line for people.
type Shown = Result<String, String>;

/// Runs every scene. Returns 0 when all passed, 1 when one did not, 2 when the
/// machine lacks something.
pub fn run() -> ExitCode {
    if !may_make_namespaces() {
        return again_inside();
    }
    println!("tier: namespaces on this machine. VLAN tags, GRE and ESP need guests and are");
    println!("      not shown here; everything else is the product as it is.");
    match need::provide_for_demo() {
        Ok(found) => step("prerequisites", &found, Duration::ZERO),
        Err(line) => {
            println!("{line}");
            return ExitCode::from(2);
        }
    }
    let Ok(program) = std::env::current_exe() else {
        return ExitCode::from(2);
    };
    match play("release", &program, Path::new("demo-out")) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            println!("{error}");
            ExitCode::from(1)
        }
    }
}

fn step(name: &str, text: &str, took: Duration) {
    println!(" {name:<26} {text:<40} {:>6.1} s", took.as_secs_f64());
}

/// Returns whether namespaces can be made here: as root, or in a user namespace.
#[must_use]
pub fn may_make_namespaces() -> bool {
    Net::make(&[]).is_ok()
}

/// Without root, the same runs as root of a user namespace of its own.
fn again_inside() -> ExitCode {
    if std::env::var_os("SBC_DEMO_INSIDE").is_some() {
        println!("this machine lets nobody make network namespaces: run cargo demo as root");
        return ExitCode::from(2);
    }
    let Ok(program) = std::env::current_exe() else {
        return ExitCode::from(2);
    };
    println!("not root: the demo runs in a user namespace of its own");
    let status = Command::new("unshare")
        .args(["-Urnm", "sh", "-c"])
        .arg("mount -t tmpfs none /run && exec \"$0\" demo")
        .arg(program)
        .env("SBC_DEMO_INSIDE", "1")
        .stdin(Stdio::null())
        .status();
    let code = status.ok().and_then(|status| status.code()).unwrap_or(2);
    ExitCode::from(u8::try_from(code).unwrap_or(2))
}

/// Builds the node with `profile` (`release` or `dev`) and plays every scene;
/// what it leaves lies in `folder`. `program` is the lab's own. Returns how many
/// scenes failed.
///
/// # Errors
/// When the stage cannot be set.
pub fn play(profile: &str, program: &Path, folder: &Path) -> Result<usize, String> {
    let since = Instant::now();
    let binary = build(profile, program)?;
    step("node", "built", since.elapsed());
    let since = Instant::now();
    let mut stage = Stage::set(&binary, program, folder)?;
    step("start", "4 roles, 4 networks", since.elapsed());
    let mut failed = 0;
    for (place, (name, scene)) in scenes::ALL.into_iter().enumerate() {
        if place + 1 == scenes::ALL.len() {
            // The last scene takes the memory of all before it.
            stage.show();
        }
        let since = Instant::now();
        match scene(&mut stage) {
            Ok(shown) => step(name, &shown, since.elapsed()),
            Err(error) => {
                failed += 1;
                step(name, "FAILED", since.elapsed());
                println!("{error}");
            }
        }
    }
    if failed > 0 {
        println!("--- the node's log\n{}", stage.node.log());
    }
    stage.show_quality();
    let passed = scenes::ALL.len() - failed;
    println!(
        "{passed} scenes passed, {failed} failed.  Ladders: {}/*.svg, *.txt",
        folder.display()
    );
    Ok(failed)
}

/// Builds the program with `profile` beside `program`, the lab's own; cargo shows
/// its own progress. Returns where it is.
///
/// # Errors
/// When it does not build.
pub fn build(profile: &str, program: &Path) -> Result<PathBuf, String> {
    if let Some(path) = built("sbc").filter(|_| profile == "dev") {
        return Ok(path);
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile])
        .args(["--package", "sbc-core", "--bin", "sbc"])
        .stdin(Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("the node does not build".into());
    }
    let folder = program.parent().ok_or("a program without a folder")?;
    Ok(folder.join("sbc"))
}

impl Stage {
    fn set(binary: &Path, program: &Path, folder: &Path) -> Result<Self, String> {
        if folder.exists() {
            let say = |error| format!("{}: {error}", folder.display());
            std::fs::remove_dir_all(folder).map_err(say)?;
        }
        let net = Net::make(&CABLES)?;
        let phone = |place: &str, words: [&str; 4]| phone(&net, program, place, words);
        let carrier = phone(
            "itsp",
            ["udp", "172.20.31.1:5060", "172.20.31.2:5060", "440"],
        )?;
        let carrier_tcp = phone(
            "itsp",
            ["tcp", "172.20.32.1:5060", "172.20.32.2:5060", "440"],
        )?;
        let server = phone(
            "med1",
            ["tcp", "10.20.120.2:5068", "10.20.120.1:5066", "880"],
        )?;
        let server_2 = phone(
            "med2",
            ["tcp", "10.20.121.2:5068", "10.20.121.1:5066", "880"],
        )?;
        let node = Node::start(&net, binary, folder, EXAMPLE)?;
        Ok(Self {
            node,
            net,
            program: program.to_owned(),
            carrier,
            carrier_tcp,
            server,
            server_2: Some(server_2),
        })
    }

    /// Prints what the node knows after all scenes.
    fn show(&self) {
        println!(
            "\n$ sbc cli -c 'show trunks'\n{}",
            self.node.ask("show trunks")
        );
        println!(
            "$ sbc cli -c 'show mediation'\n{}",
            self.node.ask("show mediation")
        );
        println!(
            "$ sbc cli -c 'show call 1'\n{}",
            self.node.ask("show call 1")
        );
        let counters = self.node.ask("show counters");
        let moved = counters.lines().filter(|line| !line.ends_with(" 0"));
        println!("$ sbc cli -c 'show counters'");
        for line in moved {
            println!("{line}");
        }
        println!();
    }

    fn show_quality(&self) {
        println!("\n what each side sent, as the node heard it");
        for record in self.node.records() {
            if let Some(line) = scenes::quality(&record) {
                println!("{line}");
            }
        }
        println!();
    }
}

fn phone(net: &Net, program: &Path, place: &str, words: [&str; 4]) -> Result<Actor, String> {
    let program = program.to_str().ok_or("a path that is no text")?;
    let mut command = net.command(place, program);
    command.arg("phone").args(words);
    let mut actor = Actor::start(place, &mut command)?;
    actor.hear("ready", crate::kit::phone::READY_WITHIN)?;
    Ok(actor)
}
