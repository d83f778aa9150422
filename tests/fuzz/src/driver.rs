//! The driver that needs nothing but a stable compiler: a corpus and a number of
//! seconds come in, a count of runs or the input that broke a promise goes out.
//!
//! `BIN [--seconds N] [--seed N] [FILE…]`: given files, it runs those and stops.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::mutate::{Random, mutate};
use crate::targets::Target;

/// No input of less than [`crate::mutate`]'s limit may take as long as this, loaded
/// machines included: what does grows faster than its input.
const SLOW: Duration = Duration::from_secs(5);

struct Options {
    seconds: u64,
    seed: u64,
    files: Vec<PathBuf>,
}

/// Runs the target as the words of the command line ask; a line says how it went.
pub fn run(name: &str, target: Target) -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}\nusage: {name} [--seconds N] [--seed N] [FILE…]");
            return ExitCode::from(2);
        }
    };
    let corpus = if options.files.is_empty() {
        corpus(name)
    } else {
        read(&options.files)
    };
    let time = Duration::from_secs(options.seconds);
    match trial((name, target), &corpus, time, options.seed) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(line) => {
            eprintln!("{line}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the target over its committed seeds and over mutations of them for `time`;
/// returns a line that says how often.
///
/// # Errors
/// Which input broke a promise, and where it is kept.
pub fn check(name: &str, target: Target, time: Duration) -> Result<String, String> {
    trial((name, target), &corpus(name), time, 1)
}

fn trial(
    what: (&str, Target),
    corpus: &[Vec<u8>],
    time: Duration,
    seed: u64,
) -> Result<String, String> {
    let mut worst = Duration::ZERO;
    for input in corpus {
        hold(what, input, &mut worst)?;
    }
    let end = Instant::now() + time;
    let mut random = Random::new(seed);
    let mut runs = corpus.len() as u64;
    let mut input = Vec::new();
    while Instant::now() < end {
        mutate(&mut random, corpus, &mut input);
        hold(what, &input, &mut worst)?;
        runs += 1;
    }
    let (name, seeds) = (what.0, corpus.len());
    Ok(format!(
        "{name}: {runs} runs from {seeds} seeds, slowest {worst:?}"
    ))
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        seconds: 5,
        seed: 1,
        files: Vec::new(),
    };
    let mut seconds = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().unwrap_or_default();
            text.parse()
                .map_err(|_| format!("{word} takes a number, not \"{text}\""))
        };
        match word.as_str() {
            "--seconds" => seconds = Some(number()?),
            "--seed" => options.seed = number()?,
            _ => options.files.push(word.into()),
        }
    }
    options.seconds = seconds.unwrap_or(if options.files.is_empty() { 5 } else { 0 });
    Ok(options)
}

/// Targets that take whole messages: the torture sets are their seeds.
const MESSAGES: &[&str] = &["datagram", "dialog", "stream"];

/// Returns the committed seeds of a target, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sets = ["rfc4475", "rfc5118", "own"].map(|set| here.join("../torture").join(set));
    let mut folders = vec![here.join("corpora").join(name)];
    if MESSAGES.contains(&name) {
        folders.extend(sets);
    }
    let files = folders
        .into_iter()
        .flat_map(std::fs::read_dir)
        .flatten()
        .flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_none_or(|extension| extension == "dat"));
    files.sort();
    read(&files)
}

fn read(files: &[PathBuf]) -> Vec<Vec<u8>> {
    files
        .iter()
        .map(|file| std::fs::read(file).expect("the input can be read"))
        .collect()
}

/// Holds the target to its promises with one input; keeps the input if they break.
fn hold((name, target): (&str, Target), input: &[u8], worst: &mut Duration) -> Result<(), String> {
    let start = Instant::now();
    let outcome = std::panic::catch_unwind(|| target(input));
    let took = start.elapsed();
    *worst = took.max(*worst);
    if outcome.is_ok() && took < SLOW {
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    let sum = input.iter().fold(0xCBF2_9CE4_8422_2325_u64, |sum, octet| {
        (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01B3)
    });
    let file = folder.join(format!("{name}-{sum:016x}"));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, input));
    Err(format!(
        "{name}: {} octets took {took:?}, kept in {} ({kept:?})",
        input.len(),
        file.display()
    ))
}
