//! TOML text comes in, a document goes out, and back. Comments stay with the key
//! or header they stand above or behind.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use toml_edit::{Decor, DocumentMut};

use super::lex::quoted;
use super::walk::{Below, below, key};
use super::{Document, EditError, Element, Entry, Item, Table, Value};
use crate::file::Schema;
use crate::file::tables::NodeFile;

/// A table on one line is at most this wide.
const COLUMNS: usize = 80;

impl Document {
    /// Takes the text of a file.
    ///
    /// # Errors
    /// [`EditError::Syntax`] with the line of the first slip.
    pub fn from_toml(text: &str) -> Result<Self, EditError> {
        let read: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            EditError::Syntax {
                line: before.matches('\n').count() + 1,
                what: error.message().replace('\n', ", "),
            }
        })?;
        let mut document = Self {
            root: table(read.as_table())?,
            tail: comments(read.trailing().as_str()),
        };
        settle(&mut document.root, Some(NodeFile::SCHEMA), true);
        Ok(document)
    }

    /// Returns the text of the file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        body(&self.root, Some(NodeFile::SCHEMA), "", &mut out);
        write_comments(&self.tail, &mut out);
        out
    }
}

fn table(from: &toml_edit::Table) -> Result<Table, EditError> {
    let mut out = Table::default();
    for (name, item) in from.iter() {
        let decors = from
            .key(name)
            .map(|key| [key.leaf_decor(), key.dotted_decor()]);
        let mut above = Vec::new();
        for decor in decors.into_iter().flatten() {
            above.extend(prefix(decor));
        }
        let mut entry = Entry::new(name, Item::Table(Table::default()));
        match item {
            toml_edit::Item::Value(toml_edit::Value::InlineTable(inner)) => {
                entry.item = Item::Table(inline(inner, &mut above)?);
                entry.after = suffix(inner.decor());
            }
            toml_edit::Item::Value(value) => {
                entry.after = suffix(value.decor());
                entry.item = Item::Value(scalar(value, &mut above)?);
            }
            toml_edit::Item::Table(inner) => {
                above.extend(prefix(inner.decor()));
                entry.after = suffix(inner.decor());
                entry.item = Item::Table(table(inner)?);
            }
            toml_edit::Item::ArrayOfTables(all) => {
                let mut elements = Vec::new();
                for one in all {
                    elements.push(Element {
                        above: prefix(one.decor()),
                        after: suffix(one.decor()),
                        table: table(one)?,
                    });
                }
                entry.item = Item::Sequence(elements);
            }
            toml_edit::Item::None => continue,
        }
        entry.above = above;
        out.entries.push(entry);
    }
    Ok(out)
}

fn inline(from: &toml_edit::InlineTable, above: &mut Vec<String>) -> Result<Table, EditError> {
    let mut out = Table::default();
    for (name, value) in from.iter() {
        let item = match value {
            toml_edit::Value::InlineTable(inner) => Item::Table(inline(inner, above)?),
            value => Item::Value(scalar(value, above)?),
        };
        out.entries.push(Entry::new(name, item));
    }
    Ok(out)
}

/// Reads one value as a file has it behind `=`.
pub(super) fn value_of(text: &str) -> Result<Value, EditError> {
    let read = Document::from_toml(&format!("value = {text}\n"))?;
    match read.root.get("value").map(|entry| &entry.item) {
        Some(Item::Value(value)) if read.root.entries.len() == 1 => Ok(value.clone()),
        _ => Err(EditError::Syntax {
            line: 1,
            what: "this is no value".into(),
        }),
    }
}

/// Takes a value; comments inside a list move above its key.
fn scalar(from: &toml_edit::Value, above: &mut Vec<String>) -> Result<Value, EditError> {
    use toml_edit::Value as Read;
    Ok(match from {
        Read::String(text) => Value::Text(text.value().clone()),
        Read::Integer(number) => Value::Integer(*number.value()),
        Read::Float(number) => Value::Fraction(*number.value()),
        Read::Boolean(truth) => Value::Boolean(*truth.value()),
        Read::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                above.extend(prefix(item.decor()));
                above.extend(suffix(item.decor()));
                list.push(scalar(item, above)?);
            }
            above.extend(comments(items.trailing().as_str()));
            Value::List(list)
        }
        Read::Datetime(_) | Read::InlineTable(_) => {
            return Err(EditError::Syntax {
                line: 0,
                what: "a date, or a table in a list, is no value of this file".into(),
            });
        }
    })
}

fn prefix(decor: &Decor) -> Vec<String> {
    comments(decor.prefix().and_then(|text| text.as_str()))
}

fn suffix(decor: &Decor) -> Option<String> {
    let found = comments(decor.suffix().and_then(|text| text.as_str()));
    found.into_iter().next()
}

/// Returns the comments of white space between things, without their `#`.
fn comments(text: Option<&str>) -> Vec<String> {
    let lines = text.unwrap_or_default().lines();
    lines
        .filter_map(|line| line.trim_start().strip_prefix('#'))
        .map(|line| line.trim_end().to_string())
        .collect()
}

/// Puts a table into its normal order: values, then tables with headers of their
/// own; the name of a `[[route]]` first. A comment of a kind without a header
/// goes to its first table.
pub(super) fn settle(table: &mut Table, schema: Option<&'static Schema>, top: bool) {
    for entry in &mut table.entries {
        let known = key(schema, &entry.key);
        let (inner, named) = match known.map(below) {
            Some(Below::Table(inner)) => (Some(inner), false),
            Some(Below::Named(inner)) => (Some(inner), true),
            Some(Below::Sequence(inner)) => (Some(inner), false),
            _ => (None, false),
        };
        let above = &mut entry.above;
        match &mut entry.item {
            Item::Table(kind) if named => {
                for one in &mut kind.entries {
                    if let Item::Table(body) = &mut one.item {
                        settle(body, inner, false);
                    }
                }
                if let Some(first) = kind.entries.first_mut()
                    && matches!(first.item, Item::Table(_))
                {
                    above.append(&mut first.above);
                    first.above = core::mem::take(above);
                    let after = entry.after.take();
                    first.above.extend(after);
                }
            }
            Item::Table(body) => {
                // A table without a header has no line that a comment could keep.
                if let Some(first) = body.entries.first_mut().filter(|_| !top) {
                    above.extend(entry.after.take());
                    above.append(&mut first.above);
                    first.above = core::mem::take(above);
                }
                settle(body, inner, false);
            }
            Item::Sequence(all) => {
                for one in all.iter_mut() {
                    settle(&mut one.table, inner, false);
                    one.table.entries.sort_by_key(|entry| entry.key != "name");
                }
                if let Some(first) = all.first_mut() {
                    above.append(&mut first.above);
                    first.above = core::mem::take(above);
                }
            }
            Item::Value(_) => {}
        }
    }
    table
        .entries
        .sort_by_key(|entry| is_headed(entry, schema, top));
}

/// Returns whether an entry is written below a header of its own.
fn is_headed(entry: &Entry, schema: Option<&'static Schema>, top: bool) -> bool {
    let named = matches!(key(schema, &entry.key).map(below), Some(Below::Named(_)));
    match entry.item {
        Item::Value(_) => false,
        Item::Table(_) => top || named,
        Item::Sequence(_) => true,
    }
}

/// Writes the keys of a table, then the tables below it. `path` is its header.
fn body(table: &Table, schema: Option<&'static Schema>, path: &str, out: &mut String) {
    let top = path.is_empty();
    let plain = table
        .entries
        .iter()
        .filter(|entry| !is_headed(entry, schema, top));
    for entry in plain {
        write_comments(&entry.above, out);
        write_entry(entry, "", out);
    }
    for entry in table
        .entries
        .iter()
        .filter(|entry| is_headed(entry, schema, top))
    {
        let path = if top {
            bare(&entry.key)
        } else {
            format!("{path}.{}", bare(&entry.key))
        };
        let known = key(schema, &entry.key).map(below);
        match (&entry.item, known) {
            (Item::Table(kind), Some(Below::Named(inner))) => {
                let is_table = |one: &&Entry| matches!(one.item, Item::Table(_));
                if kind.entries.is_empty() || !kind.entries.iter().all(|one| is_table(&one)) {
                    header(
                        &entry.above,
                        entry.after.as_ref(),
                        &format!("[{path}]"),
                        out,
                    );
                    for one in kind.entries.iter().filter(|one| !is_table(one)) {
                        write_comments(&one.above, out);
                        write_entry(one, "", out);
                    }
                }
                for one in kind.entries.iter().filter(is_table) {
                    let Item::Table(inside) = &one.item else {
                        continue;
                    };
                    let path = format!("{path}.{}", bare(&one.key));
                    header(&one.above, one.after.as_ref(), &format!("[{path}]"), out);
                    body(inside, Some(inner), &path, out);
                }
            }
            (Item::Table(inside), known) => {
                let inner = match known {
                    Some(Below::Table(inner)) => Some(inner),
                    _ => None,
                };
                header(
                    &entry.above,
                    entry.after.as_ref(),
                    &format!("[{path}]"),
                    out,
                );
                body(inside, inner, &path, out);
            }
            (Item::Sequence(all), known) => {
                let inner = match known {
                    Some(Below::Sequence(inner)) => Some(inner),
                    _ => None,
                };
                for one in all {
                    header(&one.above, one.after.as_ref(), &format!("[[{path}]]"), out);
                    body(&one.table, inner, &path, out);
                }
            }
            (Item::Value(_), _) => {}
        }
    }
}

fn header(above: &[String], after: Option<&String>, header: &str, out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
    write_comments(above, out);
    out.push_str(header);
    end_line(after, out);
}

/// Writes `key = value`; a table on one line if it fits and has no comments,
/// else as dotted keys.
fn write_entry(entry: &Entry, prefix: &str, out: &mut String) {
    let name = format!("{prefix}{}", bare(&entry.key));
    match &entry.item {
        Item::Value(value) => {
            out.push_str(&format!("{name} = {}", written(value)));
            end_line(entry.after.as_ref(), out);
        }
        Item::Table(inner) => {
            let line = format!("{name} = {}", one_line(inner));
            let plain = !inner.entries.iter().any(Entry::has_comments);
            if inner.entries.is_empty() || (plain && line.chars().count() <= COLUMNS) {
                out.push_str(&line);
                end_line(entry.after.as_ref(), out);
                return;
            }
            for one in &inner.entries {
                write_comments(&one.above, out);
                write_entry(one, &format!("{name}."), out);
            }
        }
        Item::Sequence(_) => {}
    }
}

fn one_line(table: &Table) -> String {
    if table.entries.is_empty() {
        return "{}".into();
    }
    let parts = table.entries.iter().map(|entry| {
        let value = match &entry.item {
            Item::Value(value) => written(value),
            Item::Table(inner) => one_line(inner),
            Item::Sequence(_) => "[]".into(),
        };
        format!("{} = {value}", bare(&entry.key))
    });
    format!("{{ {} }}", parts.collect::<Vec<_>>().join(", "))
}

/// Returns a value as TOML.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Fraction(number) => format!("{number:?}"),
        Value::Text(text) => quoted(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// Returns a key, in quotes where TOML wants them.
fn bare(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(plain) {
        key.into()
    } else {
        quoted(key)
    }
}

fn write_comments(lines: &[String], out: &mut String) {
    for line in lines {
        out.push_str(&format!("#{line}\n"));
    }
}

fn end_line(after: Option<&String>, out: &mut String) {
    if let Some(after) = after {
        out.push_str(&format!(" #{after}"));
    }
    out.push('\n');
}
