//! The terminal of a login: set up, read a line at a time, put back. Nothing is
//! asked of it unless somebody types `resize`.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::termios::{self, InputModes, LocalModes, OptionalActions, Termios};

use super::configure;
use super::editor::{Keys, Typed};
use super::grammar::Mode;
use super::pager::{self, INTERRUPTED};
use super::session::{Outcome, Session};

/// What `monitor` waits between two looks; a full screen takes 0.2 s of a serial
/// line.
const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// Octets of a secret.
const SECRET_MAX: usize = 1024;

/// Ctrl-C, where it is a key.
const CANCEL: u8 = 3;

/// Time a terminal has to tell its size.
const TELLS_WITHIN: Duration = Duration::from_millis(200);

/// The terminal as it was; it is put back at the end.
#[derive(Debug)]
pub struct Kept(Option<Termios>);

impl Kept {
    /// While one word is asked for, Ctrl-C and its kin are keys as any other, and
    /// a BREAK is one that says nothing.
    fn raw() -> Self {
        let Ok(before) = termios::tcgetattr(io::stdin()) else {
            return Self(None);
        };
        let mut own = before.clone();
        own.input_modes -= InputModes::IXON | InputModes::IXOFF | InputModes::BRKINT;
        own.input_modes |= InputModes::IGNBRK;
        own.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        let _told = termios::tcsetattr(io::stdin(), OptionalActions::Now, &own);
        Self(Some(before))
    }

    /// Between two lines nothing is echoed and nothing waits for a line's end,
    /// so that a paste loses nothing; Ctrl-S stops nothing.
    pub fn set_up() -> Self {
        let Ok(before) = termios::tcgetattr(io::stdin()) else {
            return Self(None);
        };
        let mut own = before.clone();
        own.input_modes -= InputModes::IXON | InputModes::IXOFF;
        // A BREAK is read as NUL, which locks.
        own.input_modes -= InputModes::IGNBRK | InputModes::BRKINT | InputModes::PARMRK;
        own.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        let _told = termios::tcsetattr(io::stdin(), OptionalActions::Now, &own);
        Self(Some(before))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _told = termios::tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}

/// Talks until somebody leaves or the terminal is gone.
pub fn talk(session: &mut Session) -> ExitCode {
    if !io::stdin().is_terminal() {
        return script(session);
    }
    session.interactive = true;
    let kept = Kept::set_up();
    listen_for_interrupts();
    let shared = session.shared.clone();
    watch_over(session, &kept);
    super::breaks::watch(shared.clone());
    let mut keys = match Keys::open(&shared) {
        Ok(keys) => keys,
        Err(error) => {
            eprintln!("no terminal: {error}");
            return ExitCode::from(1);
        }
    };
    print!("{}", super::banner::text(session));
    if let Ok(live) = configure::live(session) {
        shared.know(&live.document);
    }
    loop {
        if std::mem::take(&mut session.locked) || shared.is_broken() {
            shared.lock(true);
            if !super::login::unlock(session) {
                return ExitCode::SUCCESS;
            }
            shared.lock(false);
        }
        if session.client.is_gone() && !super::login::rejoin(session) {
            return ExitCode::SUCCESS;
        }
        INTERRUPTED.store(false, Ordering::Relaxed);
        let prompt = prompt(session);
        match keys.line(&prompt) {
            Typed::Lock => session.locked = true,
            Typed::Line(line) => {
                keys.remember(&line);
                session.history = keys.history();
                let there = !session.client.is_gone() || super::login::rejoin(session);
                if !there || !say(session, &line) {
                    return ExitCode::SUCCESS;
                }
            }
            Typed::Nothing => {}
            Typed::End if session.candidate.is_some() => {
                let _said = say(session, "exit");
            }
            Typed::End | Typed::Gone => return ExitCode::SUCCESS,
        }
    }
}

/// Ends the login when nobody pressed a key for as long as it allows, from now on; the
/// terminal is put back as it was before. Asked again it does nothing.
pub fn watch_over(session: &mut Session, kept: &Kept) {
    let Some(limit) = session.idle.take() else {
        return;
    };
    let (shared, before) = (session.shared.clone(), kept.0.clone());
    shared.touch();
    std::thread::spawn(move || {
        let idle = || pager::idle().map_or(shared.idle(), |idle| idle.min(shared.idle()));
        while idle() < limit {
            std::thread::sleep((limit - idle().min(limit)).max(Duration::from_millis(100)));
        }
        println!(
            "\r\nlogged out: nobody pressed a key for {} s\r",
            limit.as_secs()
        );
        if let Some(before) = &before {
            let _told = termios::tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
        std::process::exit(0);
    });
}

/// Follows lines of a file or a pipe. Returns 1 if one was refused.
fn script(session: &mut Session) -> ExitCode {
    session.paging = false;
    let mut status = ExitCode::SUCCESS;
    let mut line = Vec::new();
    loop {
        line.clear();
        // Read octet by octet, so that a paste behind `load` is left to it.
        match io::stdin().lock().read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return status,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        match session.line(text.trim()) {
            Outcome::Said(text) => pager::show(&text, false),
            Outcome::Refused(why) | Outcome::Wrong(why) => {
                eprintln!("{why}");
                status = ExitCode::from(1);
            }
            Outcome::Leave => return status,
            Outcome::Nothing => {}
        }
    }
}

/// Says what came of a line. Returns false when the login ends.
fn say(session: &mut Session, line: &str) -> bool {
    match session.line(line) {
        Outcome::Said(text) => pager::show(&text, session.paging && !line.contains("no-more")),
        Outcome::Refused(why) | Outcome::Wrong(why) => pager::show(&format!("{why}\n"), false),
        Outcome::Leave => return false,
        Outcome::Nothing => {}
    }
    true
}

fn prompt(session: &mut Session) -> String {
    let host = session
        .client
        .hello
        .get("node")
        .and_then(serde_json::Value::as_str);
    let host = super::clean(host.unwrap_or("sbc"));
    let Some(candidate) = &session.candidate else {
        return format!("{host}> ");
    };
    let inside = candidate.inside.join(" ");
    if !inside.is_empty() {
        println!("[edit {}]", super::clean(&inside));
    }
    let back = configure::back_in(session).map_or_else(String::new, |secs| {
        format!("[{}:{:02}] ", secs / 60, secs % 60)
    });
    format!("{back}{host}# ")
}

/// Ctrl-C is heard by a thread of its own: it drops what waits to be written at
/// once. Ctrl-Z and Ctrl-\ do nothing. Returns when it listens: the editor puts
/// back what it found, so it must find this.
fn listen_for_interrupts() {
    let (listens, ready) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        use tokio::signal::unix::{Signal, SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let open = |kind| -> Option<Signal> { signal(kind).ok() };
            let (Some(mut interrupt), Some(_quit), Some(_stop)) = (
                open(SignalKind::interrupt()),
                open(SignalKind::quit()),
                open(SignalKind::from_raw(20)),
            ) else {
                return;
            };
            let _gone = listens.send(());
            while interrupt.recv().await.is_some() {
                // What waited was dropped by the kernel, so that a writer goes on;
                // the writer drops what it wrote since. This thread may be late:
                // were it to drop anything, it could be the next prompt.
                INTERRUPTED.store(true, Ordering::SeqCst);
            }
        });
    });
    // Without a thread its end of the channel is gone, and nobody waits.
    let _nobody = ready.recv();
}

/// Shows a command again and again until Ctrl-C.
pub fn monitor(session: &mut Session, command: &str) -> Outcome {
    if !session.interactive {
        return session.line_in(Mode::Operational, command);
    }
    loop {
        match session.line_in(Mode::Operational, command) {
            Outcome::Said(text) => pager::show(&format!("{text}\n"), false),
            Outcome::Refused(_) if INTERRUPTED.load(Ordering::Relaxed) => return Outcome::Nothing,
            other => return other,
        }
        // Somebody who watches is there.
        session.shared.touch();
        wait(LOOKS_EVERY);
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Outcome::Nothing;
        }
    }
}

/// Shows lines of the diary as they come, until Ctrl-C.
pub fn monitor_log(session: &mut Session) -> Outcome {
    /// Of what was there before, a few lines say where one is.
    const FEW: usize = 5;
    if !session.interactive {
        return session.line_in(Mode::Operational, "show log");
    }
    let mut asked = serde_json::json!({ "count": FEW });
    while !INTERRUPTED.load(Ordering::Relaxed) {
        let answer = match session.client.ask("log.list", &asked) {
            Ok(answer) => answer,
            Err(super::ask::Unanswered::Cancelled) => break,
            Err(why) => return Outcome::Refused(why.to_string()),
        };
        pager::show(&super::table::log(&answer), false);
        asked = serde_json::json!({ "from": answer.get("next"), "count": 200 });
        session.shared.touch();
        wait(Duration::from_millis(500));
    }
    Outcome::Nothing
}

/// Waits, but not longer than until Ctrl-C.
pub fn wait(time: Duration) {
    let until = std::time::Instant::now() + time;
    while std::time::Instant::now() < until && !INTERRUPTED.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Reads text until Ctrl-D at the start of a line, or the end of the input.
///
/// # Errors
/// When it cannot be read, is too long, or is no text.
pub fn paste(what: &str, most: u64) -> io::Result<String> {
    let mut octets = Vec::new();
    let _kept = Kept::raw();
    if io::stdin().is_terminal() {
        println!("paste {what}, then Ctrl-D on a line of its own");
    }
    while let Some(byte) = next_byte()? {
        if byte == CANCEL && io::stdin().is_terminal() {
            return Err(io::Error::other("nothing was taken"));
        }
        octets.push(if byte == b'\r' { b'\n' } else { byte });
        if octets.len() as u64 > most {
            return Err(io::Error::other(format!("more than {most} octets")));
        }
    }
    String::from_utf8(octets).map_err(|_| io::Error::other("that is no UTF-8"))
}

/// Returns the next octet, or nothing at Ctrl-D or the end. Of a terminal no
/// more is read than that: what follows belongs to the editor.
fn next_byte() -> io::Result<Option<u8>> {
    let mut byte = [0];
    let read = if io::stdin().is_terminal() {
        rustix::io::read(io::stdin(), &mut byte)?
    } else {
        io::stdin().lock().read(&mut byte)?
    };
    let [byte] = byte;
    pager::pressed();
    Ok((read == 1 && byte != 4).then_some(byte))
}

/// What came of a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Word {
    Said(String),
    /// Ctrl-C.
    Cancelled,
    /// Ctrl-D, or there is no terminal any more.
    End,
}

/// Reads one line without showing it; empty at Ctrl-C, nothing at the end of the
/// input.
///
/// # Errors
/// When the terminal cannot be read.
pub fn secret(question: &str) -> io::Result<Option<String>> {
    typed(question, false).map(Word::said)
}

/// Reads one line and shows it; empty at Ctrl-C, nothing at the end of the input.
///
/// # Errors
/// When the terminal cannot be read.
pub fn ask(question: &str) -> io::Result<Option<String>> {
    typed(question, true).map(Word::said)
}

/// Reads one line, shows it, and tells Ctrl-C from an empty one.
///
/// # Errors
/// When the terminal cannot be read.
pub fn word(question: &str) -> io::Result<Word> {
    typed(question, true)
}

impl Word {
    fn said(self) -> Option<String> {
        match self {
            Self::Said(text) => Some(text),
            Self::Cancelled => Some(String::new()),
            Self::End => None,
        }
    }
}

fn typed(question: &str, shown: bool) -> io::Result<Word> {
    let kept = Kept::raw();
    print!("{question}");
    io::stdout().flush()?;
    let mut octets = Vec::new();
    loop {
        let Some(byte) = next_byte()? else {
            return Ok(Word::End);
        };
        match byte {
            b'\r' | b'\n' => break,
            0x7f | 0x08 if octets.pop().is_some() && shown => print!("\x08 \x08"),
            0x7f | 0x08 => {}
            0x15 => {
                if shown {
                    print!("{}", "\x08 \x08".repeat(octets.len()));
                }
                octets.clear();
            }
            CANCEL => {
                println!("^C");
                return Ok(Word::Cancelled);
            }
            // Control characters of a line's noise are no part of a name.
            0..=0x1f => {}
            byte if octets.len() < SECRET_MAX => {
                octets.push(byte);
                if shown {
                    let c = char::from(byte);
                    print!("{}", if (' '..='~').contains(&c) { c } else { '?' });
                }
            }
            _ => {}
        }
        io::stdout().flush()?;
    }
    drop(kept);
    println!();
    // Noise is a wrong word, not the end of the login.
    Ok(Word::Said(String::from_utf8_lossy(&octets).into_owned()))
}

/// Sets the width that a terminal does not tell.
///
/// # Errors
/// A sentence for people.
pub fn set_width(columns: Option<u64>) -> Result<String, String> {
    let columns = columns.and_then(|columns| u16::try_from(columns).ok());
    let columns = columns.filter(|columns| (40..=500).contains(columns));
    let columns = columns.ok_or("a width is 40 to 500")?;
    let (_, lines) = pager::size();
    keep_size(columns, u16::try_from(lines).unwrap_or(24))
}

fn keep_size(columns: u16, lines: u16) -> Result<String, String> {
    let size = termios::Winsize {
        ws_row: lines,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let told = termios::tcsetwinsize(io::stdout(), size);
    told.map_err(|error| error.to_string())?;
    Ok(format!("{columns} by {lines}\n"))
}

/// Asks the terminal for its size, once; 80 by 24 if it says nothing in time.
///
/// # Errors
/// A sentence for people.
pub fn probe() -> Result<String, String> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    if !io::stdin().is_terminal() {
        return Err("this is no terminal".to_owned());
    }
    print!("\x1b7\x1b[r\x1b[999;999H\x1b[6n\x1b8");
    io::stdout().flush().map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    let until = std::time::Instant::now() + TELLS_WITHIN;
    while !answer.ends_with(b"R") && answer.len() < 32 {
        let left = until.saturating_duration_since(std::time::Instant::now());
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: left.subsec_nanos().into(),
        };
        let stdin = io::stdin();
        let ready = poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&wait));
        if left.is_zero() || ready != Ok(1) {
            break;
        }
        let mut byte = [0];
        if rustix::io::read(&stdin, &mut byte) != Ok(1) {
            break;
        }
        answer.push(byte[0]);
    }
    let told = size_of(&answer).ok_or("the terminal does not tell its size; 'set cli width N'")?;
    keep_size(told.0, told.1)
}

/// Reads `ESC [ lines ; columns R`.
fn size_of(answer: &[u8]) -> Option<(u16, u16)> {
    let text = std::str::from_utf8(answer).ok()?;
    let (lines, columns) = text
        .strip_prefix("\x1b[")?
        .strip_suffix('R')?
        .split_once(';')?;
    Some((columns.parse().ok()?, lines.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::size_of;

    #[test]
    fn the_answer_of_a_terminal_is_its_size() {
        assert_eq!(size_of(b"\x1b[50;132R"), Some((132, 50)));
        assert_eq!(size_of(b"\x1b[50R"), None);
        assert_eq!(size_of(b""), None);
    }
}
