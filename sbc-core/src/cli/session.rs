//! One login: a line comes in, what is to be said about it goes out.

use serde_json::{Map, Value};

use super::ask::{Client, Unanswered};
use super::configure::Candidate;
use super::deeds;
use super::editor::Shared;
use super::foreign;
use super::grammar::{Act, Meant, Mode, ROWS, Role, Row, understand};
use super::here::Here;
use super::pipe::{Pipe, cut};
use super::table;

/// What came of a line.
#[derive(Debug)]
pub enum Outcome {
    Said(String),
    /// The node, or a rule of the console, said no.
    Refused(String),
    /// The line is no command.
    Wrong(String),
    Nothing,
    Leave,
}

/// What a login knows.
#[derive(Debug)]
pub struct Session {
    pub client: Client,
    pub shared: Shared,
    pub role: Role,
    pub user: String,
    /// Where it is typed: `ttyS0`, `ssh`, `local`.
    pub channel: String,
    pub paging: bool,
    /// A person sits there; else a script reads.
    pub interactive: bool,
    /// Somebody is to type the password again.
    pub locked: bool,
    /// Nobody has to press a key for longer than this.
    pub idle: Option<std::time::Duration>,
    pub history: Vec<String>,
    pub candidate: Option<Candidate>,
}

impl Session {
    /// Begins a session over an open conversation: whoever may open the node's
    /// socket may do everything.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            shared: Shared::default(),
            role: Role::Admin,
            user: "local".to_owned(),
            channel: "local".to_owned(),
            paging: true,
            interactive: false,
            locked: false,
            idle: None,
            history: Vec::new(),
            candidate: None,
        }
    }

    /// Returns behind which prompt the session stands.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.candidate {
            Some(_) => Mode::Configuration,
            None => Mode::Operational,
        }
    }

    /// Takes one line, with its pipes.
    pub fn line(&mut self, line: &str) -> Outcome {
        let outcome = self.line_in(self.mode(), line);
        let inside = self.candidate.as_ref().map(|own| own.inside.join(" "));
        self.shared.stand(self.mode(), &inside.unwrap_or_default());
        if let Some(own) = self.candidate.as_ref().filter(|_| self.interactive) {
            self.shared.know(&own.document);
        }
        outcome
    }

    /// Takes one line as if it stood behind that prompt.
    pub fn line_in(&mut self, mode: Mode, line: &str) -> Outcome {
        // What is said to a key of the file may hold any character.
        let plain = mode == Mode::Configuration && !is_piped(line);
        let (command, pipes) = if plain {
            (line.trim(), Vec::new())
        } else {
            cut(line)
        };
        let typed = pipes;
        let pipes: Result<Vec<Pipe>, String> = typed.iter().copied().map(Pipe::of).collect();
        let pipes = match pipes {
            Ok(pipes) => pipes,
            Err(why) => return Outcome::Wrong(why),
        };
        if command.is_empty() {
            return Outcome::Nothing;
        }
        if let Some(ours) = foreign::native(command).filter(|_| mode == self.mode()) {
            return self.translated(command, ours, &with(ours, &typed), mode);
        }
        let meant = match understand(mode, command) {
            Ok(meant) => meant,
            Err(wrong) => return Outcome::Wrong(wrong.say(command)),
        };
        if meant.row.role > self.role {
            let need = meant.row.role.word();
            return Outcome::Refused(format!("SBC-3010: this needs the role {need}"));
        }
        let command = meant.arguments.get("command").and_then(Value::as_str);
        if let (Act::Here(Here::Run), Some(command)) = (meant.row.act, command) {
            return self.line_in(Mode::Operational, &with(command, &typed));
        }
        self.carry_out(&meant, &pipes)
    }

    /// A word of another box is followed, and our own is named.
    fn translated(&mut self, theirs: &str, ours: &str, whole: &str, mode: Mode) -> Outcome {
        let mode = if ours == "commit" {
            Mode::Configuration
        } else {
            mode
        };
        if mode == Mode::Configuration && self.candidate.is_none() {
            return Outcome::Refused(format!("'{theirs}' is 'commit' here, in 'configure'"));
        }
        // A program that reads JSON wants no other word.
        if whole.contains("| json") {
            return self.line_in(mode, whole);
        }
        match self.line_in(mode, whole) {
            Outcome::Said(text) => Outcome::Said(format!("('{theirs}' is '{ours}' here)\n{text}")),
            other => other,
        }
    }

    fn carry_out(&mut self, meant: &Meant, pipes: &[Pipe]) -> Outcome {
        let json = pipes.iter().any(|pipe| matches!(pipe, Pipe::Json));
        let outcome = match meant.row.act {
            Act::Later => return Outcome::Refused(later(meant.row)),
            Act::Ask(operation, show) => match self.ask(operation, &meant.arguments) {
                Ok(value) if json => Outcome::Said(table::raw(&value)),
                Ok(value) => Outcome::Said(show(&value)),
                Err(why) => Outcome::Refused(why.to_string()),
            },
            Act::Here(here) => deeds::here(self, here, &meant.arguments, pipes),
        };
        match outcome {
            Outcome::Said(text) => {
                Outcome::Said(pipes.iter().fold(text, |text, pipe| pipe.pass(&text)))
            }
            other => other,
        }
    }

    /// Asks the node.
    ///
    /// # Errors
    /// Its refusal, or that it is gone.
    pub fn ask(
        &mut self,
        operation: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Value, Unanswered> {
        self.client
            .ask(operation, &Value::Object(arguments.clone()))
    }
}

/// Returns a command with its pipes behind it.
fn with(command: &str, pipes: &[&str]) -> String {
    let pipes = pipes.iter().map(|pipe| format!(" | {pipe}"));
    format!("{command}{}", pipes.collect::<String>())
}

/// Returns whether a line of the configuration mode shows something, so that bars in it
/// are pipes: its first word can mean nothing else.
fn is_piped(line: &str) -> bool {
    const SHOWING: [&str; 5] = ["compare", "run", "show", "status", "validate"];
    let Some(typed) = line.split_whitespace().next() else {
        return false;
    };
    let rows = ROWS.iter().filter(|row| row.mode == Mode::Configuration);
    let words = rows.filter_map(|row| row.syntax.split_whitespace().next());
    let mut meant = words.filter(|word| word.starts_with(typed)).peekable();
    meant.peek().is_some() && meant.all(|word| SHOWING.contains(&word))
}

fn later(row: &Row) -> String {
    let words = row.syntax.split(['[', '(']).next().unwrap_or_default();
    format!(
        "SBC-3009: nothing is behind '{}' in this image",
        words.trim()
    )
}
