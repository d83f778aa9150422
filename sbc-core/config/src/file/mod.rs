//! From the tree to the file as the operator writes it: every key of the
//! schema with its type, nothing else checked. One `table!` gives the raw
//! type, the reader, and the rows that schema, help and documentation print.

pub mod peer;
mod rows;
pub mod tables;
pub mod units;
pub mod values;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codes::{Code, LATER, MISSING_KEY, UNKNOWN_KEY, UNKNOWN_TABLE, WRONG_TYPE};
use crate::report::{Problem, Report, Span};
use crate::tree::{Item, Table, Value};

/// An enum whose variants are words of the file.
pub trait Word: Sized + Copy + 'static {
    /// Every word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

/// What the file says about a key.
#[derive(Clone, Debug, Default)]
pub enum Given<T> {
    /// Nothing: the default holds.
    #[default]
    Absent,
    /// Something that was refused: whoever needs it stays silent.
    Broken,
    Is(Spanned<T>),
}

impl<T> Given<T> {
    /// Returns the value and its place, if there is one.
    pub const fn get(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Is(given) => Some(given),
            Self::Absent | Self::Broken => None,
        }
    }

    /// Returns the value, if there is one.
    pub fn value(&self) -> Option<&T> {
        self.get().map(|given| &given.value)
    }

    /// Returns the place, if there is a value.
    pub fn span(&self) -> Option<&Span> {
        self.get().map(|given| &given.span)
    }

    /// Returns true if the file does not have the key.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Returns the value or, if the key is absent, `default`; nothing if what
    /// was written is broken.
    pub fn or(&self, default: T) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Absent => Some(default),
            Self::Broken => None,
            Self::Is(given) => Some(given.value.clone()),
        }
    }

    /// Returns the value in `Some`, `Some(None)` if the key is absent, nothing
    /// if what was written is broken.
    pub fn optional(&self) -> Option<Option<T>>
    where
        T: Clone,
    {
        match self {
            Self::Absent => Some(None),
            Self::Broken => None,
            Self::Is(given) => Some(Some(given.value.clone())),
        }
    }
}

impl<T: Field> Given<T> {
    /// Takes from `base` what is absent here.
    pub fn inherit(&mut self, base: &Self) {
        match (&mut *self, base) {
            (Self::Is(own), Self::Is(base)) => own.value.inherit(&base.value),
            (Self::Absent, _) => *self = base.clone(),
            _ => {}
        }
    }
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Boolean,
    Integer {
        min: i64,
        max: i64,
    },
    Fraction {
        min: f64,
        max: f64,
    },
    /// A text of a form: its name, a regular expression for editors, an example.
    Text {
        form: &'static str,
        pattern: &'static str,
        example: &'static str,
    },
    Words(&'static dyn Words),
    List(&'static Shape),
    /// One value, or a list of them.
    OneOrMore(&'static Shape),
    Table(&'static Schema),
    /// `[kind.NAME]`
    Named(&'static Schema),
    /// `[[kind]]`
    Sequence(&'static Schema),
}

/// The words of an enum, for those who only print them.
pub trait Words: core::fmt::Debug + Sync {
    /// Returns the words in order.
    fn words(&self) -> Vec<&'static str>;
}

/// The words of one enum.
#[derive(Debug)]
pub struct WordList<W>(core::marker::PhantomData<fn() -> W>);

impl<W> WordList<W> {
    /// The list.
    pub const NEW: Self = Self(core::marker::PhantomData);
}

impl<W: Word + core::fmt::Debug> Words for WordList<W> {
    fn words(&self) -> Vec<&'static str> {
        W::WORDS.iter().map(|(word, _)| *word).collect()
    }
}

/// One table: what it is about and its keys.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    pub about: &'static str,
    pub keys: &'static [Key],
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub about: &'static str,
    pub shape: Shape,
    /// What holds when the key is absent, in words of the file.
    pub default: &'static str,
    pub need: Need,
}

/// Whether a key must, may or cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    Optional,
    Required,
    /// A capability this image lacks, and what works without it.
    Later(&'static str),
}

/// What can be read from a value of the tree.
pub trait Field: Clone {
    /// What the schema says of it.
    const SHAPE: Shape;

    /// Returns the value, or reports why there is none.
    fn read(item: &Item, report: &mut Report) -> Option<Self>;

    /// Takes from `base`, a profile, what is absent here. Only tables have
    /// parts that can be absent.
    fn inherit(&mut self, _base: &Self) {}
}

/// Why a text is not what it should be.
#[derive(Clone, Debug)]
pub struct Fault {
    pub code: Code,
    pub message: String,
    pub help: &'static str,
}

/// A value written as a text of a form.
pub trait FromText: Clone {
    const FORM: &'static str;
    const PATTERN: &'static str = "";
    const EXAMPLE: &'static str;

    /// Returns the value, or why the text is none.
    fn from_text(text: &str) -> Result<Self, Fault>;
}

/// Reads a text by its form.
pub fn read_text<T: FromText>(item: &Item, report: &mut Report) -> Option<T> {
    let Value::Text(text) = &item.value else {
        wrong_type(item, T::FORM, T::EXAMPLE, report);
        return None;
    };
    match T::from_text(text) {
        Ok(value) => Some(value),
        Err(fault) => {
            let problem = Problem::new(fault.code, &item.span, fault.message);
            let help = if fault.help.is_empty() {
                format!("write {}, as in \"{}\"", T::FORM, T::EXAMPLE)
            } else {
                String::from(fault.help)
            };
            report.add(problem.help(help));
            None
        }
    }
}

/// Reports a value of the wrong type.
pub fn wrong_type(item: &Item, form: &str, example: &str, report: &mut Report) {
    let message = format!("this is {}, and {form} belongs here", item.value.kind());
    let problem = Problem::new(WRONG_TYPE, &item.span, message).label("wrong type");
    report.add(if example.is_empty() {
        problem
    } else {
        problem.help(format!("as in {}", quoted(example)))
    });
}

fn quoted(example: &str) -> String {
    let plain = example.starts_with(['[', '{', '\'']) || example.parse::<f64>().is_ok();
    if plain {
        String::from(example)
    } else {
        format!("\"{example}\"")
    }
}

impl<T: Field> Field for Vec<Spanned<T>> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        let Value::List(items) = &item.value else {
            wrong_type(item, "a list", "", report);
            return None;
        };
        read_all(items, report)
    }
}

/// Reads every item, so that each bad one is named; one bad item breaks all.
fn read_all<T: Field>(items: &[Item], report: &mut Report) -> Option<Vec<Spanned<T>>> {
    let mut whole = true;
    let mut values = Vec::new();
    for item in items {
        match T::read(item, report) {
            Some(value) => values.push(Spanned {
                value,
                span: item.span.clone(),
            }),
            None => whole = false,
        }
    }
    whole.then_some(values)
}

/// One value or a list of them.
#[derive(Clone, Debug)]
pub struct OneOrMore<T>(pub Vec<Spanned<T>>);

impl<T: Field> Field for OneOrMore<T> {
    const SHAPE: Shape = Shape::OneOrMore(&T::SHAPE);

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        let items = match &item.value {
            Value::List(items) => items.as_slice(),
            _ => core::slice::from_ref(item),
        };
        read_all(items, report).map(Self)
    }
}

/// `[kind.NAME]`: tables by name, in the order of the file.
#[derive(Clone, Debug)]
pub struct Named<T> {
    pub tables: Vec<NamedTable<T>>,
    /// Names whose value was no table: known, and nothing more.
    pub unread: Vec<crate::name::Name>,
    /// A table has a name that is none: which one was meant is unknown.
    pub unnamed: bool,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct NamedTable<T> {
    pub name: crate::name::Name,
    /// The header, or the key of an inline table.
    pub span: Span,
    pub table: T,
}

impl<T: Field> Field for Named<T> {
    const SHAPE: Shape = Shape::Named(match T::SHAPE {
        Shape::Table(schema) => schema,
        _ => &Schema {
            about: "",
            keys: &[],
        },
    });

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        let Value::Table(table) = &item.value else {
            wrong_type(item, "a table of named tables", "", report);
            return None;
        };
        let mut named = Self {
            tables: Vec::new(),
            unread: Vec::new(),
            unnamed: false,
        };
        for entry in &table.entries {
            let Some(name) = crate::name::Name::new(&entry.key) else {
                let fault = values::not_a_name(&entry.key);
                report
                    .add(Problem::new(fault.code, &entry.key_span, fault.message).help(fault.help));
                named.unnamed = true;
                continue;
            };
            match read_named(&entry.item, report) {
                Some(table) => {
                    let span = entry.item.span.clone();
                    named.tables.push(NamedTable { name, span, table });
                }
                None => named.unread.push(name),
            }
        }
        Some(named)
    }
}

/// Reads a table that may be set aside: then it may ask for what a later image
/// brings.
fn read_named<T: Field>(item: &Item, report: &mut Report) -> Option<T> {
    let aside = match &item.value {
        Value::Table(table) => table.get("active").is_some_and(Item::is_off),
        _ => false,
    };
    if !aside {
        return T::read(item, report);
    }
    let mut inner = Report::default();
    let table = T::read(item, &mut inner);
    let told = inner.into_problems().into_iter();
    told.filter(|problem| problem.code != LATER)
        .for_each(|problem| report.add(problem));
    table
}

/// `[[kind]]`: tables in order.
#[derive(Clone, Debug)]
pub struct Sequence<T>(pub Vec<Spanned<T>>);

impl<T: Field> Field for Sequence<T> {
    const SHAPE: Shape = Shape::Sequence(match T::SHAPE {
        Shape::Table(schema) => schema,
        _ => &Schema {
            about: "",
            keys: &[],
        },
    });

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        let Value::List(items) = &item.value else {
            wrong_type(item, "a list of tables, [[route]],", "", report);
            return None;
        };
        let mut all = Vec::new();
        for item in items {
            if let Some(value) = T::read(item, report) {
                all.push(Spanned {
                    value,
                    span: item.span.clone(),
                });
            }
        }
        Some(Self(all))
    }
}

/// Reports a key the table does not have, with the nearest it has.
pub fn unknown(entry: &crate::tree::Entry, schema: &Schema, top: bool, report: &mut Report) {
    let is_table = matches!(entry.item.value, Value::Table(_));
    let (code, what) = if top && is_table {
        (UNKNOWN_TABLE, "table")
    } else {
        (UNKNOWN_KEY, "key")
    };
    let shown = entry.key.escape_debug();
    let problem = Problem::new(
        code,
        &entry.key_span,
        format!("there is no {what} {shown} here"),
    );
    let problem = problem.label("unknown");
    let names = schema.keys.iter().map(|key| key.name);
    let other = OTHER_NAMES
        .iter()
        .find(|(other, _)| *other == entry.key && !top);
    report.add(match (other, nearest(&entry.key, names)) {
        (Some((_, ours)), _) => problem.help(format!("this is written {ours}")),
        (None, Some(near)) => problem.help(format!("did you mean {near}?")),
        (None, None) => problem,
    });
}

/// What other boxes and older papers call a key of a peer.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("480-means-full", "responses = [\"480 -> 503\"]"),
    ("cac-retry-after-secs", "retry-after = \"5s\""),
    ("jurisdiction", "country = \"DE\""),
    ("latch", "media-source = \"subnet\""),
    ("media", "srtp = \"off\""),
    ("on-foreign-from", "identity.foreign = \"did\""),
    ("options-every", "keepalive.every = \"30s\""),
    ("transport", "remote = [\"192.0.2.2:5060/tcp\"]"),
];

/// Returns the nearest of `names` to what was written, if one is near.
pub fn nearest<'n>(written: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // A longer text is no slip of the finger, and the measure is quadratic.
    if written.len() > 64 {
        return None;
    }
    let mut best: Option<(f64, &str)> = None;
    for name in names {
        let nearness = strsim::jaro_winkler(written, name);
        if nearness > 0.8 && best.is_none_or(|(most, _)| nearness > most) {
            best = Some((nearness, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Reads the value of one key into its field.
pub fn read_key<T: Field>(entry: &crate::tree::Entry, key: &Key, report: &mut Report) -> Given<T> {
    let read = T::read(&entry.item, report);
    // What is switched off asks for nothing.
    if let (Need::Later(help), false) = (key.need, entry.item.is_off()) {
        let message = format!("{} is not in this image", key.name);
        report.add(
            Problem::new(LATER, later_span(entry), message)
                .label("not yet")
                .help(help),
        );
        return Given::Broken;
    }
    match read {
        Some(value) => Given::Is(Spanned {
            value,
            span: entry.item.span.clone(),
        }),
        None => Given::Broken,
    }
}

/// Returns the place to mark: the header of a table, else the key.
const fn later_span(entry: &crate::tree::Entry) -> &Span {
    &entry.key_span
}

/// Reports required keys that are absent.
pub fn missing(schema: &Schema, table: &Table, span: &Span, report: &mut Report) {
    for key in schema.keys {
        if key.need == Need::Required && table.get(key.name).is_none() {
            report.add(missing_key(key.name, key.shape, span));
        }
    }
}

/// Returns the problem of an absent key.
pub fn missing_key(name: &str, shape: Shape, span: &Span) -> Problem {
    let problem = Problem::new(MISSING_KEY, span, format!("{name} is missing"));
    match example_of(&shape) {
        Some(example) => problem.help(format!("as in {name} = {example}")),
        None => problem.help(format!("add a table {name}")),
    }
}

/// Returns a value of this shape, as the file writes it.
pub fn example_of(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Boolean => Some("true".into()),
        Shape::Integer {
            min: 1,
            max: i64::MAX,
        } => Some(String::from("1")),
        Shape::Integer { min, max } => Some(format!("{}", 10.clamp(*min, *max))),
        Shape::Text { example, .. } if example.starts_with('\\') => Some(format!("'{example}'")),
        Shape::Text { example, .. } => Some(format!("\"{example}\"")),
        Shape::Words(words) => words.words().first().map(|word| format!("\"{word}\"")),
        Shape::List(inner) => example_of(inner).map(|one| format!("[{one}]")),
        Shape::OneOrMore(inner) => example_of(inner),
        Shape::Fraction { min, .. } => Some(format!("{min:.1}")),
        Shape::Table(_) | Shape::Named(_) | Shape::Sequence(_) => None,
    }
}
