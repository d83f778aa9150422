//! One sitting at the serial port of the booted image, word for word: power-on,
//! a login, a call, and what `tests/console` types on a terminal of the host.
//! What differs from run to run has a name in its place. `UPDATE_GOLDEN=1` writes
//! it anew.

use std::time::Duration;

use sbc_tests::kit::firmware::Line;

use super::console::{PASSWORD, boot, claimed, pastes};

/// A second emulated on a busy machine; whoever waits for an answer waits for four.
const PROMPT: Duration = Duration::from_secs(2);

/// What is looked at before the sitting of the host.
const LOOKS: &str = "\
set cli paging off
show trunks
show mediation
show call 1
show call history
show isolation counters | count
";
const SITTING: &str = include_str!("../console/sitting.txt");

#[test]
fn one_sitting_at_the_serial_port_reads_as_it_is_written_down() {
    let name = "one_sitting_at_the_serial_port_reads_as_it_is_written_down";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = boot(name, true) else {
        return;
    };
    let mut line = claimed(&stage.booted);
    pastes(&mut line);
    stage.neighbours.as_mut().unwrap().call();
    // Its record is written a moment after its end; a peer answers in its time.
    for (look, shows) in [
        ("show call history", "itsp-a"),
        ("show trunks", " up "),
        ("show mediation", " up "),
    ] {
        sees(&mut line, look, shows);
    }
    line.types(b"exit\r").unwrap();
    line.answers("sbc-fra-01 login: ", "admin").unwrap();
    line.answers("Password: ", PASSWORD).unwrap();
    let (mut banner, _) = line.waits("failed since.").unwrap();
    let (more, took) = line.waits("sbc-fra-01> ").unwrap();
    banner.push_str(&more);
    // This line answers nothing: a login that asks it for its size would wait for
    // seconds, and is asked for nothing.
    println!("the prompt {took:?} behind the login");
    assert!(took < PROMPT, "{took:?}");
    assert!(!banner.contains("\x1b[6n"), "{banner:?}");
    let boot = boot_lines(&stage.booted.machine.console());
    let mut told = boot + "login: admin\n" + &plain(&banner, "sbc-fra-01> ");
    let mut configures = false;
    for typed in LOOKS.lines().chain(SITTING.lines()) {
        line.types(format!("{typed}\r").as_bytes()).unwrap();
        line.waits(typed).unwrap();
        let ends = configures && typed == "exit";
        configures = (configures || typed == "conf t") && !ends;
        let last = typed == "exit" && !ends;
        let prompt = match (last, configures) {
            (true, _) => "sbc-fra-01 login: ",
            (_, true) => "sbc-fra-01# ",
            (_, false) => "sbc-fra-01> ",
        };
        let (said, _) = line.waits(prompt).unwrap();
        told.push_str(&format!("> {typed}\n{}", plain(&said, prompt)));
    }
    let told: String = told.lines().map(|line| named(line) + "\n").collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/firmware/transcript.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &told).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), told);
    assert!(told.lines().all(|line| line.len() <= 80 && line.is_ascii()));
}

/// Asks until the answer has these words.
fn sees(line: &mut Line<'_>, look: &str, words: &str) {
    let since = std::time::Instant::now();
    loop {
        line.types(format!("{look}\r").as_bytes()).unwrap();
        line.waits(&format!("{look}\r\n")).unwrap();
        let (said, _) = line.waits("sbc> ").unwrap();
        if said.contains(words) {
            return;
        }
        assert!(since.elapsed() < super::console::PATIENCE, "{said}");
    }
}

/// Returns what the node said of its boot before it asked for anything.
fn boot_lines(console: &str) -> String {
    let lines = console.lines().map(str::trim_end);
    let of_boot = |line: &&str| line.starts_with('[') || line.starts_with("SBC-");
    lines
        .filter(of_boot)
        .map(|line| line.to_owned() + "\n")
        .collect()
}

/// Returns an answer without what steers a terminal, and without the prompt behind.
fn plain(said: &str, prompt: &str) -> String {
    let said = said.strip_suffix(prompt).unwrap_or(said);
    let mut out = String::new();
    let mut chars = said.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {}
            '\x1b' => {
                // `ESC [`, numbers, a letter.
                let _bracket = chars.next_if_eq(&'[');
                while chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
            }
            c => out.push(c),
        }
    }
    // The time that is left stands before the prompt, its seconds are not ours.
    let kept = out.trim_start_matches('\n');
    match kept.rfind('\n') {
        Some(end) => kept[..=end].to_owned(),
        None => String::new(),
    }
}

/// Returns a line with names for what differs from run to run; where one stands, the
/// blanks around it are one.
fn named(line: &str) -> String {
    let mut changed = false;
    let mut words = Vec::new();
    let mut before = "";
    let mut all = line.split_whitespace().peekable();
    while let Some(word) = all.next() {
        let name = name_for(before, word, all.peek().unwrap_or(&""));
        changed |= name.is_some();
        words.push(name.unwrap_or_else(|| word.to_owned()));
        before = word;
    }
    if changed {
        words.join(" ")
    } else {
        line.to_owned()
    }
}

/// Returns the name for a word between two others if it differs from run to run.
fn name_for(before: &str, word: &str, after: &str) -> Option<String> {
    let bare = word.trim_matches(|c: char| "()[],;!=|<>".contains(c));
    let is = |pattern: &str| {
        bare.len() == pattern.len()
            && bare.chars().zip(pattern.chars()).all(|(c, p)| match p {
                '9' => c.is_ascii_digit(),
                'x' => c.is_ascii_hexdigit(),
                p => c == p,
            })
    };
    let is_number = !bare.is_empty() && bare.chars().all(|c| c.is_ascii_digit() || c == '.');
    let follows = |unit: &str| is_number && after.trim_end_matches([',', ')', '.']) == unit;
    let in_ladder = is("9.999") || is("99.999");
    let of_boot = is_number && before == "[" && word.ends_with(']');
    let name = if word.starts_with("boot=") {
        return Some("boot=<s>".to_owned());
    } else if is("9999-99-99") {
        "<date>"
    } else if is("99:99:99") || is("99:99") {
        "<time>"
    } else if before == "id" && is("xxxxxxxxxxxxxxxx") {
        "<id>"
    } else if in_ladder || of_boot {
        "<s>"
    } else if follows("ms") {
        "<ms>"
    } else if follows("packets") || follows("octets") {
        "<count>"
    } else {
        return None;
    };
    Some(word.replacen(bare, name, 1))
}
