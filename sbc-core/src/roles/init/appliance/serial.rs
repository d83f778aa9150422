//! The login on the serial console: lines come in, the node is claimed, its
//! configuration is taken, shown and put in force, and it is restarted. It
//! reads no file a line could name and starts no program.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::{data, words};

/// The hash of the one password.
const SECRET: &str = "/data/secrets/admin";
const PASSWORD_MIN: usize = 12;
/// What a terminal may send as one line.
const LINE_MAX: u64 = 4096;
/// Wrong passwords before the first pause; each further one doubles it.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The pause stops doubling here: an hour.
const DOUBLINGS_MAX: u32 = 6;
const HELP: &str = "\
load            take a configuration: paste it, then a line with a single dot
check           say what is wrong with it
commit          put it in force, now and for all boots to come
show            print the configuration in force
show boot       print the lines of this boot
show log        print the last lines of the node
reboot          restart
poweroff        switch off
exit            log out
";

/// Returns whether somebody has chosen the password.
#[must_use]
pub fn is_claimed() -> bool {
    Path::new(SECRET).exists()
}

/// Serves one login, from the first question to its end.
///
/// # Errors
/// When the console is gone.
pub fn run() -> anyhow::Result<()> {
    let _already = rustix::process::setsid();
    let console = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/console")?;
    let mut terminal = Terminal {
        lines: BufReader::new(console.try_clone()?),
        console,
    };
    if !is_claimed() {
        claim(&mut terminal)?;
    }
    let mut wrong = 0;
    while !terminal.is_right("password: ")? {
        wrong += 1;
        terminal.say("wrong password\n")?;
        if let Some(pause) = pause_after(wrong) {
            terminal.say(&format!("wait {} s\n", pause.as_secs()))?;
            std::thread::sleep(pause);
        }
    }
    Session { candidate: None }.serve(&mut terminal)?;
    Ok(())
}

/// Returns how long nobody may try after so many wrong passwords.
fn pause_after(wrong: u32) -> Option<Duration> {
    let over = wrong.checked_sub(TRIES)?;
    Some(FIRST_PAUSE * 2_u32.pow(over.min(DOUBLINGS_MAX)))
}

fn claim(terminal: &mut Terminal) -> anyhow::Result<()> {
    terminal.say("\nThis node has no owner. Choose a password for admin.\n")?;
    loop {
        let one = terminal.secret("new password: ")?;
        if one.chars().count() < PASSWORD_MIN {
            terminal.say(&format!("{PASSWORD_MIN} characters at least\n"))?;
            continue;
        }
        if terminal.secret("again: ")? != one {
            terminal.say("these two differ\n")?;
            continue;
        }
        let hash = hashed(&one)?;
        data::put(Path::new(SECRET), hash.as_bytes())?;
        fs::set_permissions(SECRET, fs::Permissions::from_mode(0o600))?;
        terminal.say("the node is yours\n")?;
        return Ok(());
    }
}

fn hashed(password: &str) -> anyhow::Result<String> {
    let mut salt = [0; 16];
    rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty())?;
    let hash: Result<PasswordHash, _> =
        Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    let hash = hash.map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hash.to_string())
}

fn is_password(hash: &str, password: &str) -> bool {
    Argon2::default()
        .verify_password(password.as_bytes(), hash)
        .is_ok()
}

struct Terminal {
    lines: BufReader<fs::File>,
    console: fs::File,
}

impl Terminal {
    fn say(&mut self, text: &str) -> io::Result<()> {
        self.console.write_all(text.as_bytes())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut octets = Vec::new();
        let mut limited = io::Read::take(&mut self.lines, LINE_MAX);
        if limited.read_until(b'\n', &mut octets)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&octets);
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Reads a line that is not shown.
    fn secret(&mut self, question: &str) -> io::Result<String> {
        let shown = tcgetattr(&self.console)?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // Before the question: who answers at once must not be shown either.
        tcsetattr(&self.console, OptionalActions::Flush, &hidden)?;
        let line = self.say(question).and_then(|()| self.line());
        tcsetattr(&self.console, OptionalActions::Now, &shown)?;
        self.say("\n")?;
        line
    }

    fn is_right(&mut self, question: &str) -> anyhow::Result<bool> {
        let password = self.secret(question)?;
        Ok(is_password(&fs::read_to_string(SECRET)?, &password))
    }
}

struct Session {
    candidate: Option<String>,
}

impl Session {
    fn serve(&mut self, terminal: &mut Terminal) -> io::Result<()> {
        terminal.say("? lists the commands\n")?;
        loop {
            terminal.say("sbc> ")?;
            let line = terminal.line()?;
            match line.trim() {
                "" => {}
                "exit" => return Ok(()),
                "load" => self.load(terminal)?,
                "check" => {
                    let text = self.candidate.as_deref();
                    terminal.say(&text.map_or_else(|| "load one first\n".into(), check))?;
                }
                "commit" => {
                    let said = self.commit();
                    terminal.say(&said)?;
                }
                "show" | "show configuration" => {
                    terminal.show(data::CONFIG, "no configuration\n")?;
                }
                "show boot" => terminal.show(words::LOG, "nothing was said\n")?,
                "show log" => terminal.show("/run/sbc/node.log", "the node has not run\n")?,
                "reboot" => return end(Signal::INT),
                "poweroff" => return end(Signal::USR2),
                "?" | "help" => terminal.say(HELP)?,
                _ => terminal.say("there is no such command; ? lists them\n")?,
            }
        }
    }

    fn load(&mut self, terminal: &mut Terminal) -> io::Result<()> {
        terminal.say("paste, then a line with a single dot\n")?;
        let mut text = String::new();
        loop {
            let line = terminal.line()?;
            if line == "." {
                break;
            }
            if text.len() + line.len() > sbc_config::MAX_FILE {
                terminal.say("this is longer than any configuration may be\n")?;
                return Ok(());
            }
            text.push_str(&line);
            text.push('\n');
        }
        terminal.say(&check(&text))?;
        self.candidate = Some(text);
        Ok(())
    }

    fn commit(&mut self) -> String {
        let Some(text) = &self.candidate else {
            return "load one first\n".into();
        };
        if sbc_config::check(text).node.is_none() {
            return format!("{}nothing was changed\n", check(text));
        }
        match data::confirm(text) {
            Ok(revision) => {
                let told = tell(Signal::HUP);
                let name = data::short_hash(text);
                self.candidate = None;
                match told {
                    Ok(()) => format!("revision {revision} ({name}) is in force\n"),
                    Err(error) => {
                        format!("revision {revision} is kept for the next boot: {error}\n")
                    }
                }
            }
            Err(error) => format!("it cannot be kept: {error}; nothing was changed\n"),
        }
    }
}

impl Terminal {
    fn show(&mut self, path: &str, instead: &str) -> io::Result<()> {
        let text = fs::read_to_string(path).unwrap_or_else(|_| instead.to_owned());
        self.say(&text)
    }
}

fn check(text: &str) -> String {
    let checked = sbc_config::check(text);
    if checked.problems.is_empty() {
        return "no problems\n".into();
    }
    sbc_config::render::text("pasted", text, &checked.problems)
}

fn tell(signal: Signal) -> io::Result<()> {
    Ok(kill_process(Pid::INIT, signal)?)
}

/// Tells the first process to end the machine, and waits for that.
fn end(signal: Signal) -> io::Result<()> {
    tell(signal)?;
    loop {
        std::thread::sleep(FIRST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let hash = hashed("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(is_password(&hash, "correct horse"));
        assert!(!is_password(&hash, "correct hors"));
        assert!(!is_password("", ""), "no hash is nobody's password");
    }

    #[test]
    fn wrong_passwords_cost_more_and_more_time() {
        let seconds = |wrong| pause_after(wrong).map(|pause| pause.as_secs());
        assert_eq!(
            [seconds(1), seconds(4), seconds(5), seconds(6)],
            [None, None, Some(60), Some(120)]
        );
        assert_eq!(seconds(100), Some(3840), "it stops doubling");
    }
}
