//! Words of a path come in, the place they name in the schema goes out.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::EditError;
use crate::file::tables::NodeFile;
use crate::file::{Key, Schema, Shape};

/// One step of a path in the document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// A key of the table.
    Key(String),
    /// The `[[route]]` of that name.
    Named(String),
}

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Place {
    pub steps: Vec<Step>,
    /// What stands there, if it is a value.
    pub shape: Option<&'static Shape>,
    /// The table that stands there, if it is one.
    pub schema: Option<&'static Schema>,
    /// How many words the path took.
    pub taken: usize,
}

/// Follows `words` as far as they are a path. The place is a table, a whole
/// kind of tables, or a key whose value follows.
pub(super) fn walk(words: &[&str]) -> Result<Place, EditError> {
    let mut place = Place {
        steps: Vec::new(),
        shape: None,
        schema: Some(NodeFile::SCHEMA),
        taken: 0,
    };
    let mut rest = words.iter().copied();
    while let (Some(schema), Some(word)) = (place.schema, rest.next()) {
        let Some(key) = schema.keys.iter().find(|key| key.name == word) else {
            return Err(unknown(word, &path(words.get(..place.taken)), schema));
        };
        place.taken += 1;
        place.steps.push(Step::Key(word.to_string()));
        match below(key) {
            Below::Value(shape) => (place.shape, place.schema) = (Some(shape), None),
            Below::Table(inner) => place.schema = Some(inner),
            Below::Named(inner) => {
                // The kind itself, with all its tables.
                place.schema = None;
                if let Some(name) = rest.next() {
                    place.taken += 1;
                    place.steps.push(Step::Key(name.to_string()));
                    place.schema = Some(inner);
                }
            }
            Below::Sequence(inner) => {
                place.schema = None;
                if let Some(name) = rest.next() {
                    place.taken += 1;
                    place.steps.push(Step::Named(name.to_string()));
                    place.schema = Some(inner);
                }
            }
        }
    }
    Ok(place)
}

/// What stands below a key of the schema.
pub(super) enum Below {
    Value(&'static Shape),
    Table(&'static Schema),
    Named(&'static Schema),
    Sequence(&'static Schema),
}

pub(super) fn below(key: &'static Key) -> Below {
    match key.shape {
        Shape::Table(inner) => Below::Table(inner),
        Shape::Named(inner) => Below::Named(inner),
        Shape::Sequence(inner) => Below::Sequence(inner),
        _ => Below::Value(&key.shape),
    }
}

/// Returns the key of that name.
pub(super) fn key(schema: Option<&'static Schema>, name: &str) -> Option<&'static Key> {
    schema?.keys.iter().find(|key| key.name == name)
}

/// Returns the words as one path.
pub(super) fn path(words: Option<&[&str]>) -> String {
    match words {
        None | Some([]) => "the file".into(),
        Some(words) => words.join(" "),
    }
}

fn unknown(word: &str, place: &str, schema: &Schema) -> EditError {
    let names = schema.keys.iter().map(|key| key.name);
    let near = crate::file::nearest(word, names);
    EditError::UnknownKey {
        key: word.into(),
        place: place.into(),
        near: near.map_or_else(String::new, |near| format!("; did you mean {near:?}?")),
    }
}

/// Returns what can follow `words` in a `set` line, each with its help: keys of
/// a table, words of a value, or the form of what is to be typed.
#[must_use]
pub fn help(words: &[&str]) -> Vec<(String, String)> {
    let Ok(place) = walk(words) else {
        return Vec::new();
    };
    if let Some(schema) = place.schema {
        let keys = schema.keys.iter();
        return keys
            .map(|key| (key.name.to_string(), key.about.trim().replace('\n', " ")))
            .collect();
    }
    match place.shape {
        Some(shape) if place.taken == words.len() => forms(shape),
        None => Vec::from([("<name>".into(), "a name: letters, digits and '-'".into())]),
        Some(_) => Vec::new(),
    }
}

fn forms(shape: &Shape) -> Vec<(String, String)> {
    match shape {
        Shape::Boolean => Vec::from([
            ("true".into(), String::new()),
            ("false".into(), String::new()),
        ]),
        Shape::Words(words) => {
            let words = words.words().into_iter();
            words
                .map(|word| (word.to_string(), String::new()))
                .collect()
        }
        Shape::Integer { min, max } if *max < 1_000_000_000 => {
            Vec::from([("<number>".into(), format!("{min} to {max}"))])
        }
        Shape::Integer { min, .. } => Vec::from([("<number>".into(), format!("{min} or more"))]),
        Shape::Fraction { min, max } => Vec::from([("<number>".into(), format!("{min} to {max}"))]),
        Shape::Text { form, example, .. } => {
            Vec::from([("<text>".into(), format!("{form}, as {example}"))])
        }
        Shape::List(inner) | Shape::OneOrMore(inner) => {
            let mut inner = forms(inner);
            inner.insert(0, ("[".into(), "a list: [ one two ]".into()));
            inner
        }
        Shape::Table(_) | Shape::Named(_) | Shape::Sequence(_) => Vec::new(),
    }
}
