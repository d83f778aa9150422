//! The line editor: keys come in, lines go out. It never asks the terminal
//! anything, and no byte of the wire ends a login.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustyline::completion::Completer;
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{History, MemHistory};
use rustyline::validate::Validator;
use rustyline::{
    Cmd, CompletionType, ConditionalEventHandler, Config, Context, Editor, Event, EventContext,
    EventHandler, Helper, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use sbc_config::edit::Document;

use super::grammar::{Mode, completions, following};
use super::pager;

/// Lines of the history.
const HISTORY: usize = 500;

/// Bad lines in a row after which the speed of the line is doubted.
const NOISE: u32 = 3;

/// Errors in a row after which the terminal is gone.
const GONE: u32 = 20;

/// What the editor knows of the session.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mode: Mutex<Mode>,
    /// The words in front of what is typed, inside `edit`.
    inside: Mutex<String>,
    /// Names of the file by their kind, for completion.
    names: Mutex<BTreeMap<&'static str, Vec<String>>>,
    /// When a key was last pressed, in milliseconds since `began`.
    pressed: AtomicU64,
    began: Instant,
    /// The line was broken, and the login does not know yet.
    broken: AtomicBool,
    /// The password is asked for: another BREAK says nothing.
    locked: AtomicBool,
}

impl Default for Shared {
    fn default() -> Self {
        Self(Arc::new(Inner {
            mode: Mutex::new(Mode::Operational),
            inside: Mutex::default(),
            names: Mutex::default(),
            pressed: AtomicU64::new(0),
            began: Instant::now(),
            broken: AtomicBool::new(false),
            locked: AtomicBool::new(false),
        }))
    }
}

impl Shared {
    /// Notes behind which prompt, and in which table, the next line is typed.
    pub fn stand(&self, mode: Mode, inside: &str) {
        if let Ok(mut own) = self.0.mode.lock() {
            *own = mode;
        }
        if let Ok(mut own) = self.0.inside.lock() {
            inside.clone_into(&mut own);
        }
    }

    /// Notes which names there are.
    pub fn know(&self, document: &Document) {
        let each = NAMED.map(|kind| {
            let mut names = document.names(kind);
            names.truncate(NAMES_MAX);
            (kind, names)
        });
        if let Ok(mut own) = self.0.names.lock() {
            *own = BTreeMap::from(each);
        }
    }

    /// Returns the names that can stand at the end of `line`, each with its kind.
    fn names_at(&self, line: &str) -> Vec<(String, &'static str)> {
        let (mode, inside) = (self.mode(), self.inside());
        let part = last_word(line);
        let kinds: Vec<&str> = match file_path(mode, &inside, line) {
            Some((path, _)) => {
                let words: Vec<&str> = path.split_whitespace().collect();
                let kind = NAMED.into_iter().find(|kind| words == [*kind]);
                kind.into_iter().collect()
            }
            None => following(mode, line)
                .into_iter()
                .flat_map(|(word, _)| match word.as_str() {
                    "<trunk>" => vec!["trunk"],
                    "<mediation>" => vec!["mediation"],
                    "<peer>" => vec!["trunk", "mediation"],
                    "<tunnel>" => vec!["tunnel"],
                    "<user>" => vec!["user"],
                    _ => Vec::new(),
                })
                .collect(),
        };
        let Ok(names) = self.0.names.lock() else {
            return Vec::new();
        };
        let known = names.iter().filter(|(kind, _)| kinds.contains(*kind));
        let each = known.flat_map(|(kind, names)| names.iter().map(move |name| (name, *kind)));
        each.filter(|(name, _)| name.starts_with(part))
            .map(|(name, kind)| (name.clone(), kind))
            .collect()
    }

    /// Notes that somebody is there.
    pub fn touch(&self) {
        let millis = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.pressed.store(millis, Ordering::Relaxed);
    }

    /// Returns how long nobody pressed a key.
    #[must_use]
    pub fn idle(&self) -> Duration {
        let pressed = Duration::from_millis(self.0.pressed.load(Ordering::Relaxed));
        self.0.began.elapsed().saturating_sub(pressed)
    }

    /// Notes that the line was broken.
    pub fn broke(&self) {
        if !self.0.locked.load(Ordering::SeqCst) {
            self.0.broken.store(true, Ordering::SeqCst);
        }
    }

    /// Returns whether the line was broken and nobody took note.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::SeqCst)
    }

    /// Notes that the login is locked, or open again; what was broken is known.
    pub fn lock(&self, locked: bool) {
        self.0.locked.store(locked, Ordering::SeqCst);
        self.0.broken.store(false, Ordering::SeqCst);
    }

    fn mode(&self) -> Mode {
        self.0.mode.lock().map_or(Mode::Operational, |mode| *mode)
    }

    fn inside(&self) -> String {
        self.0
            .inside
            .lock()
            .map_or_else(|_| String::new(), |text| text.clone())
    }
}

/// The kinds of tables that have names.
const NAMED: [&str; 11] = [
    "certificate",
    "interface",
    "mediation",
    "numbers",
    "profile",
    "route",
    "site",
    "trunk",
    "trust",
    "tunnel",
    "user",
];

/// Names of one kind that are offered; more fill no screen usefully.
const NAMES_MAX: usize = 200;

fn last_word(line: &str) -> &str {
    line.rsplit(char::is_whitespace).next().unwrap_or_default()
}

/// Returns what can follow `line`, with help: words of the tree, and keys of the
/// file behind a verb of the configuration.
#[must_use]
pub fn help_for(mode: Mode, inside: &str, line: &str) -> Vec<(String, String)> {
    let (command, pipes) = super::pipe::cut(line);
    if !pipes.is_empty() {
        let pipes = super::pipe::PIPES.into_iter();
        return pipes
            .map(|(word, help)| (word.to_owned(), help.to_owned()))
            .collect();
    }
    // The blank behind the last word says that it is whole.
    let line = if command.is_empty() {
        command
    } else {
        line.trim_start()
    };
    let mut found = following(mode, line);
    if let Some((path, part)) = file_path(mode, inside, line) {
        let words: Vec<&str> = path.split_whitespace().collect();
        let keys = sbc_config::edit::help(&words).into_iter();
        found = keys
            .filter(|(word, _)| word.starts_with('<') || word.starts_with(part))
            .collect();
    }
    found
}

/// Returns the path of the file that is being typed, and its last, unfinished
/// word.
fn file_path<'l>(mode: Mode, inside: &str, line: &'l str) -> Option<(String, &'l str)> {
    const VERBS: [&str; 7] = [
        "set",
        "delete",
        "edit",
        "annotate",
        "activate",
        "deactivate",
        "show",
    ];
    let (verb, rest) = line.split_once(' ')?;
    if mode != Mode::Configuration || !VERBS.contains(&verb) {
        return None;
    }
    let (whole, part) = rest.rsplit_once(' ').unwrap_or(("", rest));
    Some((format!("{inside} {whole}"), part))
}

#[derive(Debug)]
struct Hand(Shared);

impl Helper for Hand {}
impl Validator for Hand {}

impl Highlighter for Hand {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Borrowed(hint)
    }
}

impl Hinter for Hand {
    type Hint = String;

    /// Asked at every key: that is how the editor knows that somebody is there.
    fn hint(&self, _line: &str, _pos: usize, _: &Context<'_>) -> Option<String> {
        self.0.touch();
        None
    }
}

impl Completer for Hand {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let line = line.get(..pos).unwrap_or_default();
        let mode = self.0.mode();
        if let Some((path, part)) = file_path(mode, &self.0.inside(), line) {
            let words: Vec<&str> = path.split_whitespace().collect();
            let keys = sbc_config::edit::help(&words)
                .into_iter()
                .map(|(word, _)| word);
            let fits = |word: &String| !word.starts_with('<') && word.starts_with(part);
            let mut found: Vec<String> = keys.filter(fits).collect();
            found.extend(self.0.names_at(line).into_iter().map(|(name, _)| name));
            return Ok((pos - part.len(), spaced(found)));
        }
        let (start, mut found) = completions(mode, line);
        found.extend(self.0.names_at(line).into_iter().map(|(name, _)| name));
        Ok((start, spaced(found)))
    }
}

/// A word that is the only one is followed by a blank.
fn spaced(mut words: Vec<String>) -> Vec<String> {
    if let [one] = words.as_mut_slice() {
        one.push(' ');
    }
    words
}

/// `?` prints help, unless it stands in quotes.
struct Question(Shared);

impl ConditionalEventHandler for Question {
    fn handle(
        &self,
        _: &Event,
        _: RepeatCount,
        _: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        let line = context.line().get(..context.pos()).unwrap_or_default();
        let quotes = line.chars().filter(|c| *c == '"' || *c == '\'').count();
        if quotes % 2 == 1 {
            return None;
        }
        let mut text = String::from("?\n");
        for (word, help) in help_for(self.0.mode(), &self.0.inside(), line) {
            text.push_str(&super::two_columns(&word, &help));
        }
        for (name, kind) in self.0.names_at(line) {
            text.push_str(&super::two_columns(&name, &format!("a {kind} of the file")));
        }
        print!("{text}");
        let _closed = std::io::Write::flush(&mut std::io::stdout());
        Some(Cmd::Repaint)
    }
}

/// A BREAK of the line, which reads as NUL, locks the login.
struct Break(Shared);

impl ConditionalEventHandler for Break {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.broke();
        Some(Cmd::Interrupt)
    }
}

/// What came of one line.
#[derive(Debug, Eq, PartialEq)]
pub enum Typed {
    Line(String),
    /// Ctrl-C, or noise: nothing was said.
    Nothing,
    /// A BREAK: somebody wants the line locked.
    Lock,
    /// Ctrl-D on an empty line.
    End,
    /// There is no terminal any more.
    Gone,
}

/// The editor of one login.
pub struct Keys {
    editor: Editor<Hand, MemHistory>,
    shared: Shared,
    noise: u32,
    errors: u32,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Keys")
            .field("noise", &self.noise)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Opens the editor on standard input and output.
    ///
    /// # Errors
    /// When there is no terminal.
    pub fn open(shared: &Shared) -> rustyline::Result<Self> {
        let mut config = Config::builder()
            .completion_type(CompletionType::List)
            .bracketed_paste(false)
            .auto_add_history(false)
            .max_history_size(HISTORY)?;
        config.enable_synchronized_output(false);
        let config = config.build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history)?;
        editor.set_helper(Some(Hand(shared.clone())));
        let question = EventHandler::Conditional(Box::new(Question(shared.clone())));
        editor.bind_sequence(KeyEvent::from('?'), question);
        // A stray Ctrl-Z or Ctrl-\ stops nothing.
        for key in ['Z', '\\'] {
            editor.bind_sequence(KeyEvent::ctrl(key), EventHandler::Simple(Cmd::Noop));
        }
        for key in [
            KeyEvent(KeyCode::Null, Modifiers::NONE),
            KeyEvent::ctrl('@'),
            KeyEvent::ctrl(' '),
        ] {
            let broken = EventHandler::Conditional(Box::new(Break(shared.clone())));
            editor.bind_sequence(key, broken);
        }
        shared.touch();
        Ok(Self {
            editor,
            shared: shared.clone(),
            noise: 0,
            errors: 0,
        })
    }

    /// Reads one line behind `prompt`.
    pub fn line(&mut self, prompt: &str) -> Typed {
        pager::INTERRUPTED.store(false, Ordering::Relaxed);
        match self.editor.readline(prompt) {
            Ok(line) => {
                (self.noise, self.errors) = (0, 0);
                Typed::Line(line)
            }
            Err(ReadlineError::Interrupted) if self.shared.is_broken() => Typed::Lock,
            Err(ReadlineError::Interrupted) => Typed::Nothing,
            Err(ReadlineError::Eof) => Typed::End,
            Err(error) => self.stumble(&error),
        }
    }

    /// A byte that is no text is noise: the line is empty, the login stays.
    fn stumble(&mut self, error: &ReadlineError) -> Typed {
        self.errors += 1;
        let gone = matches!(error, ReadlineError::Io(error)
            if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()));
        if gone || self.errors > GONE {
            return Typed::Gone;
        }
        self.noise += 1;
        println!("?");
        if self.noise >= NOISE {
            println!("line noise? expected 115200 8N1");
            self.noise = 0;
        }
        Typed::Nothing
    }

    /// Adds a line to the history; one that could hold a secret is not added.
    pub fn remember(&mut self, line: &str) {
        if !line.trim().is_empty() && !line.contains("secret") && !line.contains("password") {
            let _full = self.editor.history_mut().add(line);
        }
    }

    /// Returns the lines of the history.
    pub fn history(&self) -> Vec<String> {
        let history = self.editor.history();
        let lines = (0..history.len()).filter_map(|at| {
            let found = history
                .get(at, rustyline::history::SearchDirection::Forward)
                .ok()?;
            Some(found?.entry.into_owned())
        });
        lines.collect()
    }
}
