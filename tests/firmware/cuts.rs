//! The power goes at random moments of a commit and of an update: every boot that
//! follows has the old state or the new one, whole. Each boot judges the last cut and
//! makes the next one; the last of them goes through uncut.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sbc_tests::kit::firmware::{BOOT, Booted, Image, Loader, Port};
use sbc_tests::kit::vswitch::Switch;
use serde_json::{Value, json};

use super::data::{file_of, live, start_by};
use super::esp::{Esp, is_in_order};
use super::moments::{Moments, cuts};
use super::torn::{Lossy, Lost};
use super::update::{Node, ask, next};

/// An update, its restart and its trial take that long beside much else.
const UPDATE: Duration = Duration::from_secs(420);
/// What is waited for is looked for this often.
const LOOK: Duration = Duration::from_millis(2);
/// The versions that take turns, each in the slot that does not run.
const VERSIONS: [&str; 2] = ["0.1.0", "0.2.0"];

/// Returns how many writes and flushes the disk has seen.
fn operations(booted: &Booted) -> u64 {
    let told = booted.machine.monitor("info blockstats").unwrap();
    let line = told.lines().find(|line| line.starts_with("disk"));
    let words = line.unwrap_or_default().split_whitespace();
    let of = |word: &str, key: &str| {
        word.strip_prefix(key)?
            .strip_prefix('=')?
            .parse::<u64>()
            .ok()
    };
    words
        .filter_map(|word| of(word, "wr_operations").or_else(|| of(word, "flush_operations")))
        .sum::<u64>()
}

/// A reader of what the port says, that does not wait.
struct Answers {
    lines: std::sync::mpsc::Receiver<String>,
    answered: bool,
    refused: Option<String>,
}

impl Answers {
    fn of(mut port: Port) -> Self {
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            while let Ok(line) = port.line() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            lines,
            answered: false,
            refused: None,
        }
    }

    fn take(&mut self, line: &str) {
        let read: Value = serde_json::from_str(line).unwrap_or_default();
        if read["id"] == "cut" {
            self.answered |= read.get("ok").is_some();
            if read.get("error").is_some() {
                self.refused = Some(line.to_owned());
            }
        }
    }

    /// Takes what was said so far.
    fn look(&mut self) -> bool {
        while let Ok(line) = self.lines.try_recv() {
            self.take(&line);
        }
        self.answered
    }

    /// Takes all that is still said; the power is off.
    fn end(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(2)) {
            self.take(&line);
        }
    }
}

/// What a commit was when the power went.
#[derive(Debug)]
struct Commit {
    before: u32,
    asked: u32,
    /// The answer was heard, and no write of before it was lost.
    answered: bool,
    words: String,
}

/// Makes one limit live; returns how many writes and flushes it took, and how long.
fn uncut(booted: &Booted, port: &mut Port, limit: u32) -> (u64, Duration) {
    let (_, base) = live(port);
    let (first, since) = (operations(booted), Instant::now());
    let put = json!({"toml": file_of(limit), "base": base, "comment": "uncut"});
    let told = ask(port, "config.put", &put);
    assert!(told.get("ok").is_some(), "{told}");
    let took = since.elapsed();
    (operations(booted) - first, took)
}

/// Returns a node whose disk loses writes, or keeps them all.
fn node_of(name: &str, lossy: bool) -> Option<(Node, Image)> {
    if lossy && !sbc_tests::is_full(name) {
        return None;
    }
    let image = Image::for_test(name).expect("the image")?;
    let mut node = Node::new(name, &image);
    node.lossy = lossy.then(|| Lossy::new(&node.disk));
    Some((node, image))
}

impl Node {
    /// Returns how much of the log of writes is there.
    fn mark(&self) -> u64 {
        self.lossy.as_ref().map_or(0, Lossy::mark)
    }

    /// Loses writes behind `mark`, now that the power is off. Returns what became of
    /// them.
    fn loses(&self, mark: u64, moments: &mut Moments) -> Lost {
        match &self.lossy {
            Some(lossy) => lossy.lose(mark, moments).unwrap(),
            None => Lost::none(),
        }
    }
}

fn commits(name: &str, loader: Loader, lossy: bool) {
    let Some((node, _)) = node_of(name, lossy) else {
        return;
    };
    let cuts = cuts(lossy);
    let mut moments = Moments::new(loader);
    let seed = moments.seed;
    let (mut old, mut new) = (0, 0);
    let mut last: Option<Commit> = None;
    for cut in 0..=cuts {
        let mut switch = Switch::new(&node.folder).unwrap();
        let booted = start_by(loader, &node, &mut switch, "node");
        let mut port = booted.port().unwrap();
        let context = format!("SBC_SEED={seed}, {loader:?}, cut {cut}, the last: {last:?}");
        let ready = booted.says("calls=accepting");
        let text = booted.machine.console();
        assert!(
            ready.is_ok() && !text.contains("SBC-FAILED"),
            "{context}: {text}"
        );
        let (limit, _) = live(&mut port);
        if let Some(last) = last.take() {
            let is_new = limit == last.asked;
            assert!(
                is_new || limit == last.before,
                "{context}: limit {limit}; {text}"
            );
            assert!(
                is_new || !last.answered,
                "{context}: what was answered is gone; {text}"
            );
            (old, new) = (old + u32::from(!is_new), new + u32::from(is_new));
            println!(
                "{loader:?} commit {}: {}",
                if is_new { "new" } else { "old" },
                last.words
            );
        }
        // How many writes one has, and how long it takes, on this boot.
        let (writes, took) = uncut(&booted, &mut port, 1000 + cut);
        if cut < cuts {
            let mark = node.mark();
            let limits = (1000 + cut, 2000 + cut);
            let mut was = cut_commit(&booted, port, limits, (writes, took), &mut moments);
            let lost = node.loses(mark, &mut moments);
            was.answered &= lost.at_end;
            was.words += &lost.words();
            last = Some(was);
        }
    }
    println!("power cuts during a commit, {loader:?}: {old} left the old state, {new} the new one");
    assert_eq!(old + new, cuts);
    fs::remove_dir_all(&node.folder).unwrap();
}

/// Begins a commit and cuts the power before, between or after its writes.
fn cut_commit(
    booted: &Booted,
    mut port: Port,
    (before, asked): (u32, u32),
    (writes, took): (u64, Duration),
    moments: &mut Moments,
) -> Commit {
    let (_, base) = live(&mut port);
    let first = operations(booted);
    // 0: at any moment before the first; one more than there are: after the answer.
    let after = moments.below(writes as usize + 2) as u64;
    let more = moments.share();
    let put = json!({"id": "cut", "op": "config.put",
        "args": {"toml": file_of(asked), "base": base, "comment": "cut"}});
    port.say(&put.to_string()).unwrap();
    let since = Instant::now();
    let mut answers = Answers::of(port);
    if after == 0 {
        std::thread::sleep(took.mul_f64(more));
    }
    while operations(booted) < first + after && !answers.look() {
        assert!(since.elapsed() < BOOT, "{}", booted.machine.console());
    }
    if after > writes {
        while !answers.look() {
            assert!(since.elapsed() < BOOT, "{}", booted.machine.console());
            std::thread::sleep(LOOK);
        }
        std::thread::sleep(took.mul_f64(more));
    }
    let seen = operations(booted) - first;
    let moment = since.elapsed();
    booted.machine.cut_power();
    answers.end();
    let answered = answers.answered;
    let phase = match (seen, answered) {
        (_, true) => "behind the answer",
        (0, false) => "before the first write",
        (_, false) => "between its writes",
    };
    let words = format!("cut {moment:.2?} behind the order, {phase} ({seen} of {writes})");
    Commit {
        before,
        asked,
        answered,
        words,
    }
}

/// How far an update was.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Phase {
    Look,
    WriteSlot,
    WriteLoader,
    ReadBack,
    Switch,
    Restart,
    Trial,
    Bless,
    After,
}

/// The phases, and how long each takes at most, about: a cut comes within that.
const PHASES: [(Phase, Duration); 9] = [
    (Phase::Look, Duration::from_millis(1500)),
    (Phase::WriteSlot, Duration::from_millis(1500)),
    (Phase::WriteLoader, Duration::from_millis(800)),
    (Phase::ReadBack, Duration::from_millis(1500)),
    (Phase::Switch, Duration::from_millis(60)),
    (Phase::Restart, Duration::from_millis(7000)),
    (Phase::Trial, Duration::from_millis(8000)),
    (Phase::Bless, Duration::from_millis(60)),
    (Phase::After, Duration::from_millis(500)),
];

/// Returns how far an update into `slot` is, by what the disk has and what the console
/// said since the order.
fn phase(esp: &Esp, said: &str, slot: char) -> Phase {
    let upper = slot.to_ascii_uppercase();
    if said.contains("SBC-READY") {
        return Phase::After;
    }
    let programs = esp.programs(slot);
    let is_blessed = programs
        .iter()
        .any(|name| name.ends_with(".efi") && !name.contains('+'));
    if said.contains(&format!("slot {upper} is on trial")) {
        let is_good = is_blessed || esp.variable(&format!("left_{slot}")) == "good";
        return if is_good { Phase::Bless } else { Phase::Trial };
    }
    let has_try = programs
        .iter()
        .any(|name| name.contains("+1") || name.contains("+0-1"));
    let is_first = esp.variable("order").starts_with(slot);
    let has_trial = esp.files.contains_key("sbc.trial");
    if said.contains("image verified") || has_trial && has_try && is_first {
        return Phase::Restart;
    }
    let is_whole = programs.iter().any(|name| name.contains("+0-3.efi"));
    if has_trial || esp.files.contains_key("sbc.trial.half") || is_whole && !is_blessed && is_first
    {
        return Phase::Switch;
    }
    let is_new = |end: &str| esp.files.keys().any(|name| name.ends_with(end));
    if is_new(&format!("slot-{slot}.initrd")) && programs.iter().any(|name| name.ends_with(".new"))
    {
        return Phase::ReadBack;
    }
    if programs.iter().any(|name| name.ends_with(".new")) {
        return Phase::WriteLoader;
    }
    let is_empty = programs.is_empty() && esp.variable(&format!("left_{slot}")) == "0";
    if is_empty && !esp.is_blank(slot) {
        Phase::WriteSlot
    } else {
        Phase::Look
    }
}

/// What an update was when the power went.
#[derive(Debug)]
struct Update {
    phase: Phase,
    words: String,
    /// No write of before the cut was lost, so that the phase says what must be there.
    at_end: bool,
}

/// Returns a volume for each of the versions, made once.
fn volumes(image: &Image) -> &'static [PathBuf; 2] {
    static MADE: OnceLock<[PathBuf; 2]> = OnceLock::new();
    MADE.get_or_init(|| {
        let key = sbc_tests::kit::firmware::keys().unwrap().join("test-1.key");
        let place = image.path.display().to_string();
        let bundle = image
            .errand(&["bundle", &place, &key.display().to_string()])
            .unwrap();
        let bundles = [
            fs::read(bundle.trim()).unwrap(),
            next(image, VERSIONS[1], None, "test-1"),
        ];
        let folder = super::folder("bundles-for-cuts");
        let made = VERSIONS.map(|version| folder.join(version));
        for (bundle, place) in bundles.iter().zip(&made) {
            fs::write(place, sbc_image::bundle::volume(bundle).unwrap()).unwrap();
        }
        made
    })
}

/// Waits until the slot that runs is proven; returns its number.
fn proven(booted: &Booted, port: &mut Port) -> usize {
    let since = Instant::now();
    loop {
        let told = ask(port, "image.list", &Value::Null);
        let slots = &told["ok"]["slots"];
        let runs = (0..2).find(|at| slots[at]["running"] == true);
        if let Some(runs) = runs.filter(|runs| slots[runs]["state"] == "good") {
            return runs;
        }
        assert!(
            since.elapsed() < BOOT,
            "{told}: {}",
            booted.machine.console()
        );
    }
}

fn updates(name: &str, loader: Loader, lossy: bool) {
    let Some((node, image)) = node_of(name, lossy) else {
        return;
    };
    let volumes = volumes(&image);
    let cuts = cuts(lossy);
    let mut moments = Moments::new(loader);
    let seed = moments.seed;
    let plan = moments.spread(cuts, PHASES.len());
    let (mut old, mut new) = (0, 0);
    let mut runs = 0;
    let mut last: Option<Update> = None;
    for cut in 0..=cuts {
        let lost = Esp::read(&node.disk).lost() / 1024;
        println!("{lost} KiB of the boot partition to be freed");
        let booted = node.start(loader);
        let context = format!("SBC_SEED={seed}, {loader:?}, cut {cut}, the last: {last:?}");
        let ready = booted
            .says("SBC-READY ")
            .and_then(|_| booted.says("calls="));
        let text = booted.machine.console();
        assert!(
            ready.is_ok() && !text.contains("SBC-FAILED"),
            "{context}: {text}"
        );
        let is = |at: usize| {
            text.contains(&format!(
                "SBC-READY version={} slot={}",
                VERSIONS[at],
                ["A", "B"][at]
            ))
        };
        let now = usize::from(is(1));
        assert!(is(0) != is(1), "{context}: {text}");
        if let Some(last) = last.take() {
            let is_new = now != runs;
            assert!(
                is_new || last.phase < Phase::After || !last.at_end,
                "{context}: it was blessed; {text}"
            );
            assert!(
                !is_new || last.phase >= Phase::Switch,
                "{context}: it was not whole; {text}"
            );
            (old, new) = (old + u32::from(!is_new), new + u32::from(is_new));
            println!(
                "{loader:?} update {}: {}",
                if is_new { "new" } else { "old" },
                last.words
            );
        }
        let mut port = booted.port().unwrap();
        runs = now;
        // The volume is plugged in; it brings the version that does not run.
        fs::copy(&volumes[1 - runs], &node.volume).unwrap();
        assert_eq!(proven(&booted, &mut port), runs, "{context}");
        is_in_order(&node.disk, &context);
        let aim = plan.get(cut as usize).map(|at| PHASES[*at]);
        last = update(&booted, &node, port, 1 - runs, aim, &mut moments);
    }
    println!(
        "power cuts during an update, {loader:?}: {old} left the old version, {new} the new one"
    );
    assert_eq!(old + new, cuts);
    fs::remove_dir_all(&node.folder).unwrap();
}

/// Begins an update into a slot and cuts the power within a phase; without one it goes
/// through.
fn update(
    booted: &Booted,
    node: &Node,
    mut port: Port,
    to: usize,
    aim: Option<(Phase, Duration)>,
    moments: &mut Moments,
) -> Option<Update> {
    let slot = ['a', 'b'][to];
    let heard = booted.machine.console().len();
    let mark = node.mark();
    let order = json!({"id": "cut", "op": "image.activate", "args": {"version": VERSIONS[to]}});
    port.say(&order.to_string()).unwrap();
    let since = Instant::now();
    let mut answers = Answers::of(port);
    let now = || {
        let text = booted.machine.console();
        phase(
            &Esp::read(&node.disk),
            text.get(heard..).unwrap_or_default(),
            slot,
        )
    };
    let (until, span) = aim.unwrap_or((Phase::After, Duration::ZERO));
    while now() < until {
        answers.look();
        let text = booted.machine.console();
        assert!(answers.refused.is_none(), "{:?}: {text}", answers.refused);
        assert!(
            since.elapsed() < UPDATE && !text.contains("SBC-FAILED"),
            "{aim:?}: {text}"
        );
        std::thread::sleep(LOOK);
    }
    aim?;
    std::thread::sleep(span.mul_f64(moments.share()));
    let moment = since.elapsed();
    booted.machine.cut_power();
    answers.end();
    let phase = now();
    let lost = node.loses(mark, moments);
    let words = format!(
        "cut {moment:.2?} behind the order in {phase:?}, aimed at {until:?}, slot {slot}{}",
        lost.words()
    );
    let at_end = lost.at_end;
    Some(Update {
        phase,
        words,
        at_end,
    })
}

#[test]
fn a_power_cut_during_a_commit_leaves_the_old_configuration_or_the_new_one_by_bios() {
    commits(
        "a_power_cut_during_a_commit_leaves_the_old_configuration_or_the_new_one_by_bios",
        Loader::Bios,
        false,
    );
}

#[test]
fn a_power_cut_during_a_commit_leaves_the_old_configuration_or_the_new_one_by_uefi() {
    commits(
        "a_power_cut_during_a_commit_leaves_the_old_configuration_or_the_new_one_by_uefi",
        Loader::Uefi,
        false,
    );
}

#[test]
fn a_power_cut_during_an_update_leaves_the_old_version_or_the_new_one_by_bios() {
    updates(
        "a_power_cut_during_an_update_leaves_the_old_version_or_the_new_one_by_bios",
        Loader::Bios,
        false,
    );
}

#[test]
fn a_power_cut_during_an_update_leaves_the_old_version_or_the_new_one_by_uefi() {
    updates(
        "a_power_cut_during_an_update_leaves_the_old_version_or_the_new_one_by_uefi",
        Loader::Uefi,
        false,
    );
}

#[test]
fn a_power_cut_that_loses_writes_during_a_commit_leaves_the_old_configuration_or_the_new_one_by_bios()
 {
    commits(
        "a_power_cut_that_loses_writes_during_a_commit_leaves_the_old_configuration_or_the_new_one_by_bios",
        Loader::Bios,
        true,
    );
}

#[test]
fn a_power_cut_that_loses_writes_during_a_commit_leaves_the_old_configuration_or_the_new_one_by_uefi()
 {
    commits(
        "a_power_cut_that_loses_writes_during_a_commit_leaves_the_old_configuration_or_the_new_one_by_uefi",
        Loader::Uefi,
        true,
    );
}

#[test]
fn a_power_cut_that_loses_writes_during_an_update_leaves_the_old_version_or_the_new_one_by_bios() {
    updates(
        "a_power_cut_that_loses_writes_during_an_update_leaves_the_old_version_or_the_new_one_by_bios",
        Loader::Bios,
        true,
    );
}

#[test]
fn a_power_cut_that_loses_writes_during_an_update_leaves_the_old_version_or_the_new_one_by_uefi() {
    updates(
        "a_power_cut_that_loses_writes_during_an_update_leaves_the_old_version_or_the_new_one_by_uefi",
        Loader::Uefi,
        true,
    );
}
