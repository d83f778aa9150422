//! The configuration as a document that can be edited: text in one of three
//! spellings comes in (TOML, `set` lines, JSON), the same document goes out in
//! any of them, with its comments and its order.
//!
//! What is written is a normal form: values before tables, a short nested table
//! on one line, an empty line before a header. Blank lines and alignment of the
//! text that was read are not kept.

mod compare;
mod impact;
mod json;
mod lex;
mod patch;
mod set;
mod toml;
mod verbs;
mod walk;

use alloc::string::String;
use alloc::vec::Vec;

pub use compare::{Change, changes, compared, merge};
pub use impact::{Class, class, peers_on};
pub use walk::help;

/// A configuration, in whatever spelling it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    pub(crate) root: Table,
    /// Comments behind everything.
    pub(crate) tail: Vec<String>,
}

/// Keys in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    pub entries: Vec<Entry>,
}

/// A key, what it holds, and the comments that belong to it, without their `#`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub above: Vec<String>,
    pub after: Option<String>,
    pub item: Item,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Value(Value),
    Table(Table),
    /// `[[route]]`: each with the comments above and behind its header.
    Sequence(Vec<Element>),
}

/// One `[[route]]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Element {
    pub above: Vec<String>,
    pub after: Option<String>,
    pub table: Table,
}

/// A value that is no table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Boolean(bool),
    Integer(i64),
    Fraction(f64),
    Text(String),
    List(Vec<Value>),
}

/// Why an edit or a reading did not happen.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EditError {
    #[error("line {line}: {what}")]
    Syntax { line: usize, what: String },
    #[error("unknown key {key:?} in {place}{near}")]
    UnknownKey {
        key: String,
        place: String,
        near: String,
    },
    #[error("{path} takes a value")]
    NoValue { path: String },
    #[error("{path} is a table and takes no value")]
    NotAValue { path: String },
    #[error("{path} is no key with a value: copy takes two of these, or two names of one kind")]
    NotAKey { path: String },
    #[error("there is no {path}")]
    Absent { path: String },
    #[error("{path} is there already")]
    Present { path: String },
    #[error("{path} is not what the patch begins from")]
    Unmet { path: String },
    #[error("{path} has no form as a set line")]
    Unspeakable { path: String },
    #[error("{word:?} is no command of a configuration; there is set, delete, annotate")]
    NoVerb { word: String },
}

impl Document {
    /// Returns whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.entries.is_empty()
    }

    /// Returns the names below a kind, as `trunk` or `route`, in order.
    #[must_use]
    pub fn names(&self, kind: &str) -> Vec<String> {
        match self.root.get(kind).map(|entry| &entry.item) {
            Some(Item::Table(table)) => {
                let keys = table.entries.iter();
                keys.map(|entry| entry.key.clone()).collect()
            }
            Some(Item::Sequence(all)) => all
                .iter()
                .filter_map(|one| one.name())
                .map(String::from)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the text at a path of keys, as `system hostname`.
    #[must_use]
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        match self.value_at(path)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the flag at a path of keys, as `user alice active`.
    #[must_use]
    pub fn flag_at(&self, path: &[&str]) -> Option<bool> {
        match self.value_at(path)? {
            Value::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }

    fn value_at(&self, path: &[&str]) -> Option<&Value> {
        let (last, tables) = path.split_last()?;
        let mut here = &self.root;
        for key in tables {
            match &here.get(key)?.item {
                Item::Table(inner) => here = inner,
                _ => return None,
            }
        }
        match &here.get(last)?.item {
            Item::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl Table {
    /// Returns the entry of that key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Returns the entry of that key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    /// Returns the entry of that key, made if it is not there.
    pub fn entry(&mut self, key: &str, item: impl FnOnce() -> Item) -> &mut Entry {
        let at = self.entries.iter().position(|entry| entry.key == key);
        let at = at.unwrap_or_else(|| {
            self.entries.push(Entry::new(key, item()));
            self.entries.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.entries[at]
    }
}

impl Entry {
    /// Returns an entry without comments.
    pub fn new(key: &str, item: Item) -> Self {
        Self {
            key: key.into(),
            above: Vec::new(),
            after: None,
            item,
        }
    }

    fn has_comments(&self) -> bool {
        let inner = match &self.item {
            Item::Table(table) => table.entries.iter().any(Self::has_comments),
            _ => false,
        };
        inner || !self.above.is_empty() || self.after.is_some()
    }
}

impl Element {
    /// Returns the value of its `name`.
    pub fn name(&self) -> Option<&str> {
        match &self.table.get("name")?.item {
            Item::Value(Value::Text(name)) => Some(name),
            _ => None,
        }
    }

    /// Returns one that has a name and nothing else.
    pub fn named(name: &str) -> Self {
        let mut one = Self::default();
        let value = Item::Value(Value::Text(name.into()));
        one.table.entries.push(Entry::new("name", value));
        one
    }
}

#[cfg(test)]
mod tests;
