//! `cargo measure`: our node, and other elements of the same trade, in turn in
//! one run; ratios come out. Rounds are short and take turns, so that a busy
//! machine is as hard on one as on the other, and it is processor time that
//! counts, not the clock on the wall.

mod figure;
mod media;
mod memory;
mod rtp;
mod signalling;
mod sipp;
mod stage;
mod usage;

pub use rtp::run as streams;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use super::need;
use crate::kit::programs;
use figure::Figure;
use sipp::Outcome;
use stage::{Element, Stage};

/// Parts that can be asked for by name.
const PARTS: [&str; 3] = ["signalling", "memory", "media"];

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Who {
    Ours,
    Kamailio,
    Anchored,
    Holding,
}

/// The elements and what was found.
struct Bench {
    ours: Stage,
    kamailio: Stage,
    anchored: Stage,
    holding: Stage,
    /// This program, which also plays both ends of media.
    program: PathBuf,
    figures: Vec<Figure>,
    faults: Vec<(Who, Outcome)>,
    /// Messages of ours that came where another was due.
    misplaced: u32,
    since: Instant,
}

/// Runs everything, or the parts that `parts` names. Returns 0 when all bounds
/// were kept, 1 when one was missed, 2 when the machine lacks something.
pub fn run(parts: &[&str]) -> ExitCode {
    if parts.iter().any(|part| !PARTS.contains(part)) {
        println!("usage: cargo measure [{}]", PARTS.join("] ["));
        return ExitCode::from(2);
    }
    match need::provide_for_measure() {
        Ok(found) => println!(" prerequisites: {found}"),
        Err(line) => {
            println!("{line}");
            return ExitCode::from(2);
        }
    }
    let Ok(program) = std::env::current_exe() else {
        return ExitCode::from(2);
    };
    let wanted = |part| parts.is_empty() || parts.contains(&part);
    match measure(&program, Path::new("measure-out"), wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            println!("{error}");
            ExitCode::from(1)
        }
    }
}

fn measure(
    program: &Path,
    folder: &Path,
    wanted: impl Fn(&'static str) -> bool,
) -> Result<bool, String> {
    let since = Instant::now();
    let binary = programs::shipped()?;
    if folder.exists() {
        let say = |error| format!("{}: {error}", folder.display());
        std::fs::remove_dir_all(folder).map_err(say)?;
    }
    let start = |element| Stage::start(element, &binary, folder);
    let mut bench = Bench {
        ours: start(Element::Ours)?,
        kamailio: start(Element::Kamailio)?,
        anchored: start(Element::Anchored)?,
        holding: start(Element::Holding)?,
        program: program.to_owned(),
        figures: Vec::new(),
        faults: Vec::new(),
        misplaced: 0,
        since,
    };
    let called = |stage: &Stage| sipp::called(stage, "called");
    let _called = [
        called(&bench.kamailio)?,
        called(&bench.ours)?,
        called(&bench.anchored)?,
        called(&bench.holding)?,
    ];
    bench.say("four elements stand, each in networks of its own");
    if wanted("signalling") {
        signalling::measure(&mut bench)?;
    }
    if wanted("media") {
        media::measure(&mut bench)?;
    }
    if wanted("memory") {
        memory::measure(&mut bench)?;
    }
    Ok(bench.report())
}

impl Bench {
    fn say(&self, text: &str) {
        println!(" {:>6.1} s  {text}", self.since.elapsed().as_secs_f64());
    }

    /// Keeps how the calls of a run went.
    fn note(&mut self, who: Who, outcome: Outcome) {
        if who == Who::Ours {
            self.misplaced += outcome.misplaced;
        }
        if outcome.failed > 0 {
            self.faults.push((who, outcome));
        }
    }

    fn stage(&self, who: Who) -> &Stage {
        match who {
            Who::Ours => &self.ours,
            Who::Kamailio => &self.kamailio,
            Who::Anchored => &self.anchored,
            Who::Holding => &self.holding,
        }
    }

    /// Prints all figures; returns whether every bound was kept.
    fn report(&self) -> bool {
        println!("\n{}", figure::head());
        for figure in &self.figures {
            println!("{}", figure.line());
        }
        for (who, outcome) in &self.faults {
            println!(" {who:?}: {outcome:?}");
        }
        self.figures.iter().all(Figure::kept)
    }
}

/// Whether a process of this name moves media.
fn moves_media(name: &str) -> bool {
    name == "sbc-relay" || name.contains("rtpengine")
}

fn figure(
    what: &'static str,
    (must, goal): (f64, f64),
    unit: &'static str,
    rounds: Vec<(f64, Option<f64>)>,
) -> Figure {
    Figure {
        what,
        must,
        goal,
        unit,
        rounds,
    }
}
