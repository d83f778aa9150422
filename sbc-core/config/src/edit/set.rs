//! A document as `set` and `annotate` lines, and such lines as a document.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lex::{Word, quoted, spoken, words};
use super::toml::settle;
use super::walk::{Below, below, key};
use super::{Document, EditError, Item, Table};
use crate::file::tables::NodeFile;
use crate::file::{Schema, Shape};

impl Document {
    /// Returns the document as `set` lines.
    ///
    /// # Errors
    /// [`EditError::Unspeakable`] for what the schema does not know: a file with
    /// unknown keys has no such lines.
    pub fn to_set(&self) -> Result<String, EditError> {
        let mut out = String::new();
        table(&self.root, Some(NodeFile::SCHEMA), "", &mut out)?;
        if !self.tail.is_empty() {
            out.push_str(&format!("annotate {}\n", comment(&self.tail)));
        }
        Ok(out)
    }

    /// Takes `set`, `delete` and `annotate` lines for an empty document.
    ///
    /// # Errors
    /// The first line that cannot be followed.
    pub fn from_set(text: &str) -> Result<Self, EditError> {
        let mut document = Self::default();
        document.follow(text)?;
        Ok(document)
    }

    /// Follows `set`, `delete` and `annotate` lines, one after the other. Empty
    /// lines and lines that start with `#` or `!` say nothing.
    ///
    /// # Errors
    /// The first line that cannot be followed; those before it are.
    pub fn follow(&mut self, text: &str) -> Result<(), EditError> {
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let placed = |what: EditError| EditError::Syntax {
                line: number,
                what: what.to_string(),
            };
            self.follow_one(line).map_err(placed)?;
        }
        self.settle();
        Ok(())
    }

    fn follow_one(&mut self, line: &str) -> Result<(), EditError> {
        let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match verb {
            "set" => self.set_unsettled(&parsed(rest)?),
            "delete" => self.delete_words(&parsed(rest)?),
            "annotate" => self.annotate_words(&parsed(rest)?),
            other => Err(EditError::NoVerb { word: other.into() }),
        }
    }

    /// Puts everything into its normal order.
    pub(super) fn settle(&mut self) {
        settle(&mut self.root, Some(NodeFile::SCHEMA), true);
    }
}

/// Reads the words of a line.
pub(super) fn parsed(text: &str) -> Result<Vec<Word>, EditError> {
    words(text).map_err(|what| EditError::Syntax { line: 1, what })
}

fn table(
    table: &Table,
    schema: Option<&'static Schema>,
    path: &str,
    out: &mut String,
) -> Result<(), EditError> {
    for entry in &table.entries {
        let here = format!("{path} {}", entry.key);
        let unspeakable = || EditError::Unspeakable {
            path: here.trim().into(),
        };
        let known = key(schema, &entry.key).ok_or_else(unspeakable)?;
        match (&entry.item, below(known)) {
            (Item::Value(value), Below::Value(shape)) => {
                let words = spoken(Some(shape as &Shape), value).ok_or_else(unspeakable)?;
                out.push_str(&format!("set{here} {words}\n"));
            }
            (Item::Table(inner), Below::Table(schema)) => {
                if inner.entries.is_empty() {
                    out.push_str(&format!("set{here}\n"));
                }
                self::table(inner, Some(schema), &here, out)?;
            }
            (Item::Table(kind), Below::Named(schema)) => named(kind, schema, &here, out)?,
            (Item::Sequence(all), Below::Sequence(schema)) => {
                for one in all {
                    let name = one.name().ok_or_else(unspeakable)?;
                    let here = format!("{here} {}", word(name));
                    out.push_str(&format!("set{here}\n"));
                    let mut rest = one.table.clone();
                    rest.entries.retain(|entry| entry.key != "name");
                    self::table(&rest, Some(schema), &here, out)?;
                    if let Some(entry) = one.table.get("name") {
                        let path = format!("{here} name");
                        annotations(&path, &entry.above, entry.after.as_ref(), out);
                    }
                    annotations(&here, &one.above, one.after.as_ref(), out);
                }
            }
            _ => return Err(unspeakable()),
        }
        annotations(&here, &entry.above, entry.after.as_ref(), out);
    }
    Ok(())
}

fn named(
    kind: &Table,
    schema: &'static Schema,
    path: &str,
    out: &mut String,
) -> Result<(), EditError> {
    if kind.entries.is_empty() {
        out.push_str(&format!("set{path}\n"));
    }
    for one in &kind.entries {
        let here = format!("{path} {}", word(&one.key));
        let Item::Table(inner) = &one.item else {
            let path = here.trim().into();
            return Err(EditError::Unspeakable { path });
        };
        if inner.entries.is_empty() {
            out.push_str(&format!("set{here}\n"));
        }
        table(inner, Some(schema), &here, out)?;
        annotations(&here, &one.above, one.after.as_ref(), out);
    }
    Ok(())
}

fn annotations(path: &str, above: &[String], after: Option<&String>, out: &mut String) {
    if !above.is_empty() {
        out.push_str(&format!("annotate{path} {}\n", comment(above)));
    }
    if let Some(after) = after {
        let text = comment(core::slice::from_ref(after));
        out.push_str(&format!("annotate{path} after {text}\n"));
    }
}

/// Returns a name as a word.
fn word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        name.into()
    } else {
        quoted(name)
    }
}

/// Returns comments as one quoted word. The space behind `#` is not said; a line
/// without it, or whose text starts with `#`, says its `#`.
pub(super) fn comment(lines: &[String]) -> String {
    let said: Vec<String> = lines.iter().map(|line| say_line(line)).collect();
    quoted(&said.join("\n"))
}

/// Returns one comment as people type it.
pub(super) fn say_line(line: &str) -> String {
    match line.strip_prefix(' ') {
        Some(text) if !text.starts_with('#') => text.into(),
        _ => format!("#{line}"),
    }
}

/// Returns the comments that a word stands for; none if it is empty.
pub(super) fn uncomment(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let lines = text.split('\n').map(|line| match line.strip_prefix('#') {
        Some(rest) => rest.trim_end().to_string(),
        None => format!(" {}", line.trim_end()),
    });
    lines.collect()
}
