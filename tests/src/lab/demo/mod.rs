//! `cargo demo`: a node between two providers and two Mediation Servers, each in
//! a namespace of its own; scenes with real calls and a tone that is measured at
//! the far end. Then the same of the image in QEMU, over VLANs and a tunnel.

mod image;
mod report;
mod scenes;
mod talk;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::need;
use crate::kit::actor::Actor;
use crate::kit::net::{Cable, Net};
use crate::kit::node::Node;
use crate::kit::programs;
pub use image::play as play_image;
pub use report::Report;

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

/// How long nothing is said while something is built.
const HEARTBEAT: Duration = Duration::from_secs(15);

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
    println!("first, the node in network namespaces of this machine");
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
    match tiers(&program, Path::new("demo-out")) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            println!("{error}");
            ExitCode::from(1)
        }
    }
}

/// Plays both tiers and writes the report. Returns how many scenes failed.
fn tiers(program: &Path, folder: &Path) -> Result<usize, String> {
    let since = Instant::now();
    let sbc = patiently("node", "being built, minutes at first", programs::shipped)?;
    step("node", "built", since.elapsed());
    let mut report = Report::default();
    let (mut passed, mut failed) = play(&sbc, program, folder, &mut report)?;
    match need::provide_for_guests() {
        Ok(found) => {
            println!("\nthen, the image in QEMU: VLANs, and a provider behind GRE in ESP");
            step("prerequisites", &found, Duration::ZERO);
            let (more, less) = image::play(&sbc, program, &folder.join("image"), &mut report)?;
            passed += more;
            failed += less;
        }
        Err(line) => println!("the image in QEMU is not shown: {line}"),
    }
    let report = report.write(folder)?;
    println!(
        "{passed} scenes passed, {failed} failed.  Report with plan, matrix and ladders: {}",
        report.display()
    );
    Ok(failed)
}

/// Does what may take minutes; a line tells now and then that it goes on.
fn patiently<T>(name: &str, text: &str, work: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    let (done, over) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while over.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                step(name, text, since.elapsed());
            }
        });
        let result = work();
        drop(done);
        result
    })
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

/// Plays every scene with `binary`, the node's program;
/// what it leaves lies in `folder` and goes into the report. `program` is the lab's
/// own. Returns how many scenes passed and how many failed.
///
/// # Errors
/// When the stage cannot be set.
pub fn play(
    binary: &Path,
    program: &Path,
    folder: &Path,
    report: &mut Report,
) -> Result<(usize, usize), String> {
    let since = Instant::now();
    let mut stage = Stage::set(binary, program, folder)?;
    step("start", "4 roles, 4 networks", since.elapsed());
    let failed = run_all(&scenes::ALL, 0, &mut stage, report);
    if failed > 0 {
        println!("--- the node's log\n{}", stage.node.log());
    }
    stage.show_quality();
    let passed = scenes::ALL.len() - failed;
    println!(
        "{passed} passed, {failed} failed.  Ladders: {}/*.svg, *.txt",
        folder.display()
    );
    Ok((passed, failed))
}

/// A scene and its name.
type Named<S> = (&'static str, fn(&mut S) -> Shown);

/// Plays scenes in their order; without the first `needed` the others show nothing.
/// Returns how many failed.
fn run_all<S>(all: &[Named<S>], needed: usize, stage: &mut S, report: &mut Report) -> usize {
    let mut failed = 0;
    for (place, (name, scene)) in all.iter().enumerate() {
        let since = Instant::now();
        let shown = scene(stage);
        report.scene(name, &shown, since.elapsed());
        match shown {
            Ok(shown) => step(name, &shown, since.elapsed()),
            Err(error) => {
                failed += 1;
                step(name, "FAILED", since.elapsed());
                println!("{error}");
                if place < needed {
                    return all.len() - place;
                }
            }
        }
    }
    failed
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
