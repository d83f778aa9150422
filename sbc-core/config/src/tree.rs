//! TOML text comes in, a tree with the place of every key and value goes out.
//! The text is cut at lines that start with `[` and each piece is parsed by
//! itself, so that one slip costs one message: the rest of its table is set
//! aside, all other tables are read.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use toml::Spanned as TomlSpanned;
use toml::de::{DeTable, DeValue};

use crate::codes::{DUPLICATE, SYNTAX};
use crate::report::{Problem, Report, Span};

/// The longest file: a thousand trunks with every key said aloud.
pub const MAX_FILE: usize = 1024 * 1024;

/// The most tables: finding a name among them stays cheap.
pub const MAX_TABLES: usize = 4096;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Item {
    pub span: Span,
    pub value: Value,
}

impl Item {
    /// Returns true for the word `false`.
    pub const fn is_off(&self) -> bool {
        matches!(self.value, Value::Boolean(false))
    }
}

/// What TOML knows.
#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    /// As written; nothing if it does not fit 64 bits.
    Integer(Option<i64>),
    Float(Option<f64>),
    Boolean(bool),
    Datetime,
    List(Vec<Item>),
    Table(Table),
}

impl Value {
    /// Returns the word for this type, with its article.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Float(_) => "a fraction",
            Self::Boolean(_) => "true or false",
            Self::Datetime => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Keys in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub entries: Vec<Entry>,
    /// A syntax error hid part of it: what is missing may well be there.
    pub broken: bool,
}

/// One key of a table.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub item: Item,
}

impl Table {
    /// Returns the value of `key`.
    pub fn get(&self, key: &str) -> Option<&Item> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.item)
    }
}

/// Reads `text`; what cannot be read goes to `report`.
pub fn read(text: &str, report: &mut Report) -> Table {
    let mut root = Table::default();
    if text.len() > MAX_FILE {
        let message = format!("the file has {} octets, the most is {MAX_FILE}", text.len());
        report.add(Problem::new(SYNTAX, &(0..0), message));
        root.broken = true;
        return root;
    }
    let pieces = pieces(text);
    if let Some(beyond) = pieces.get(MAX_TABLES) {
        let span = beyond.start..beyond.start + 1;
        report.add(Problem::new(
            SYNTAX,
            &span,
            format!("more than {MAX_TABLES} tables"),
        ));
    }
    let mut merge = Merge { text, report };
    for piece in pieces.into_iter().take(MAX_TABLES) {
        merge.piece(&mut root, piece);
    }
    root
}

/// Cuts at each line that starts with `[`; the first piece is what stands
/// before any table.
fn pieces(text: &str) -> Vec<Span> {
    let mut cuts: Vec<usize> = Vec::from([0]);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with('[') && at > 0 {
            cuts.push(at);
        }
        at += line.len();
    }
    cuts.push(text.len());
    cuts.windows(2)
        .filter_map(|cut| Some(*cut.first()?..*cut.get(1)?))
        .collect()
}

struct Merge<'t, 'r> {
    text: &'t str,
    report: &'r mut Report,
}

impl Merge<'_, '_> {
    fn piece(&mut self, root: &mut Table, piece: Span) {
        let source = self.text.get(piece.clone()).unwrap_or_default();
        let header = Header::of(source, piece.start);
        let (table, errors) = DeTable::parse_recoverable(source);
        let first = errors
            .iter()
            .min_by_key(|error| error.span().map_or(0, |span| span.start));
        if let Some(error) = first {
            self.syntax(error, piece.start, source.len());
            match header {
                // A header that names nothing leaves nothing to set aside.
                Some(header) if header.path.iter().any(String::is_empty) => {}
                Some(header) => set_aside(root, &header),
                None => root.broken = true,
            }
            return;
        }
        let mut whole = self.table(table.get_ref(), piece.start);
        if let Some(header) = &header {
            mark_header(&mut whole, &header.path, &header.span);
        }
        self.merge(root, whole, header.as_ref().map(|header| &header.span));
    }

    fn syntax(&mut self, error: &toml::de::Error, offset: usize, length: usize) {
        let span = error.span().unwrap_or(0..0);
        let span = span.start.min(length)..span.end.min(length).max(span.start.min(length));
        let message = error.message().replace('\n', " ");
        // The parser keeps no code, only this sentence.
        let code = if message == "duplicate key" {
            DUPLICATE
        } else {
            SYNTAX
        };
        let problem = Problem::new(code, &shifted(&span, offset), message);
        self.report
            .add(problem.help("the rest of this table is set aside"));
    }

    fn table(&mut self, table: &DeTable<'_>, offset: usize) -> Table {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                key_span: shifted(&key.span(), offset),
                item: self.item(value, offset),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span.start);
        Table {
            entries,
            broken: false,
        }
    }

    fn item(&mut self, value: &TomlSpanned<DeValue<'_>>, offset: usize) -> Item {
        let span = shifted(&value.span(), offset);
        let value = match value.get_ref() {
            DeValue::String(text) => {
                self.one_line(&span);
                Value::Text(text.to_string())
            }
            DeValue::Integer(number) => {
                Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().ok()),
            DeValue::Boolean(truth) => Value::Boolean(*truth),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.item(item, offset)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table, offset)),
        };
        Item { span, value }
    }

    /// Refuses texts over several lines: a cut may fall into one.
    fn one_line(&mut self, span: &Span) {
        let written = self.text.get(span.clone()).unwrap_or_default();
        if written.starts_with("\"\"\"") || written.starts_with("'''") {
            let problem = Problem::new(SYNTAX, span, "a text over several lines is not read");
            self.report
                .add(problem.help("write it in one line, in single or double quotes"));
        }
    }

    /// Adds what one piece holds to what is there.
    fn merge(&mut self, into: &mut Table, from: Table, header: Option<&Span>) {
        into.broken |= from.broken;
        for entry in from.entries {
            let Some(there) = into.entries.iter_mut().find(|there| there.key == entry.key) else {
                into.entries.push(entry);
                continue;
            };
            match (&mut there.item.value, entry.item.value) {
                (Value::List(old), Value::List(new)) if header.is_some() => old.extend(new),
                (Value::Table(old), Value::Table(new)) => {
                    let same_header = header.is_some_and(|header| {
                        entry.item.span == *header && is_header(self.text, &there.item.span)
                    });
                    if same_header && !old.broken {
                        self.twice(
                            &entry.key,
                            header.unwrap_or(&entry.key_span),
                            &there.item.span,
                        );
                    } else {
                        if entry.item.span == *header.unwrap_or(&(0..0)) {
                            there.item.span = entry.item.span;
                        }
                        self.merge(old, new, header);
                    }
                }
                _ => self.twice(&entry.key, &entry.key_span, &there.key_span.clone()),
            }
        }
    }

    fn twice(&mut self, key: &str, span: &Span, first: &Span) {
        let message = format!("{} is written twice", key.escape_debug());
        let problem = Problem::new(DUPLICATE, span, message).label("again");
        self.report.add(
            problem
                .also(first, "first here")
                .help("keep one of the two"),
        );
    }
}

/// The `[a.b]` or `[[a]]` a piece starts with.
struct Header {
    path: Vec<String>,
    span: Span,
    sequence: bool,
}

impl Header {
    /// Reads the header even if a bracket is missing.
    fn of(source: &str, offset: usize) -> Option<Self> {
        let line = source.lines().next().filter(|line| line.starts_with('['))?;
        let sequence = line.starts_with("[[");
        let inner = line.trim_start_matches('[');
        let end = inner.find([']', '#', '=']).unwrap_or(inner.len());
        let inner = inner.get(..end).unwrap_or_default();
        let path = inner
            .split('.')
            .map(|part| part.trim().trim_matches(['"', '\'']).to_string());
        let opening = if sequence { 2 } else { 1 };
        let closing = line.get(opening + end..).unwrap_or_default();
        let closing = closing.bytes().take_while(|octet| *octet == b']').count();
        let length = (opening + end + closing.min(opening)).min(line.trim_end().len());
        Some(Self {
            path: path.take(MAX_DEPTH).collect(),
            span: offset..offset + length,
            sequence,
        })
    }
}

impl Header {
    /// Returns the place between the brackets, which stands for the tables a
    /// header names on its way.
    fn inner(&self) -> Span {
        (self.span.start + 1).min(self.span.end)..self.span.end
    }
}

/// Deeper than any table of the schema.
const MAX_DEPTH: usize = 8;

/// Gives the table a header names the place of that header.
fn mark_header(table: &mut Table, path: &[String], span: &Span) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let Some(entry) = table.entries.iter_mut().find(|entry| entry.key == *first) else {
        return;
    };
    if rest.is_empty() {
        entry.item.span = span.clone();
    }
    match &mut entry.item.value {
        Value::Table(inner) => mark_header(inner, rest, span),
        Value::List(items) => {
            for item in items {
                item.span = span.clone();
            }
        }
        _ => {}
    }
}

/// Leaves a broken table where the piece would have put its own.
fn set_aside(root: &mut Table, header: &Header) {
    let mut here = root;
    let last = header.path.len().saturating_sub(1);
    for (depth, key) in header.path.iter().enumerate() {
        let at = here.entries.iter().position(|entry| entry.key == *key);
        let at = at.unwrap_or_else(|| {
            let value = if header.sequence && depth == last {
                Value::List(Vec::new())
            } else {
                Value::Table(Table::default())
            };
            let span = if depth == last {
                header.span.clone()
            } else {
                header.inner()
            };
            let item = Item {
                span: span.clone(),
                value,
            };
            let key_span = span;
            here.entries.push(Entry {
                key: key.clone(),
                key_span,
                item,
            });
            here.entries.len() - 1
        });
        let Some(entry) = here.entries.get_mut(at) else {
            return;
        };
        match &mut entry.item.value {
            Value::Table(inner) => here = inner,
            Value::List(items) => {
                let value = Value::Table(Table {
                    entries: Vec::new(),
                    broken: true,
                });
                items.push(Item {
                    span: header.span.clone(),
                    value,
                });
                return;
            }
            _ => return,
        }
    }
    here.broken = true;
}

fn is_header(text: &str, span: &Span) -> bool {
    let before = text.get(..span.start).unwrap_or_default();
    (before.is_empty() || before.ends_with('\n'))
        && text
            .get(span.clone())
            .is_some_and(|written| written.starts_with('['))
}

const fn shifted(span: &Span, by: usize) -> Span {
    span.start + by..span.end + by
}

/// Returns the path of the innermost key that holds `span`: `trunk.a.remote`.
pub fn path_of(root: &Table, span: &Span) -> String {
    let mut path = Vec::new();
    descend(root, span, &mut path);
    path.join(".")
}

fn descend(table: &Table, span: &Span, path: &mut Vec<String>) {
    let inside = |outer: &Span| outer.start <= span.start && span.end <= outer.end;
    for entry in &table.entries {
        let deeper = match &entry.item.value {
            Value::Table(inner) => holds(inner, span).then_some(Step::Table(inner)),
            Value::List(items) => list_step(items, span),
            _ => None,
        };
        let here = inside(&entry.item.span) || inside(&entry.key_span);
        if deeper.is_some() || here {
            path.push(entry.key.clone());
            if let Some(Step::Named(name, inner)) = deeper {
                path.extend(name);
                descend(inner, span, path);
            } else if let Some(Step::Table(inner)) = deeper {
                descend(inner, span, path);
            }
            return;
        }
    }
}

enum Step<'t> {
    Table(&'t Table),
    Named(Option<String>, &'t Table),
}

fn list_step<'t>(items: &'t [Item], span: &Span) -> Option<Step<'t>> {
    items.iter().find_map(|item| match &item.value {
        Value::Table(inner) if holds(inner, span) || item.span == *span => {
            let name = inner.get("name").and_then(|name| match &name.value {
                Value::Text(name) => Some(name.clone()),
                _ => None,
            });
            Some(Step::Named(name, inner))
        }
        _ => None,
    })
}

/// Returns true if a key or value of `table`, at any depth, holds `span`.
fn holds(table: &Table, span: &Span) -> bool {
    let inside = |outer: &Span| outer.start <= span.start && span.end <= outer.end;
    table.entries.iter().any(|entry| {
        inside(&entry.key_span)
            || inside(&entry.item.span)
            || match &entry.item.value {
                Value::Table(inner) => holds(inner, span),
                Value::List(items) => list_step(items, span).is_some(),
                _ => false,
            }
    })
}

#[cfg(test)]
mod tests;
