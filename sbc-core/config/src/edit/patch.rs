//! A difference as `compare` prints it comes in and is made in another document, if
//! that has what the difference begins from.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::compare::{Leaf, leaves, spelt, take};
use super::toml::value_of;
use super::walk::{Step, walk};
use super::{Change, Document, EditError};

/// The one kind whose tables have an order.
const ORDERED: &str = "route";

impl Document {
    /// Makes the changes of a text that `compare` printed: what a line with `-` says
    /// must stand here, what only has a `+` must not.
    ///
    /// # Errors
    /// The first line that cannot be read, or the first place where something else
    /// stands; nothing is changed then.
    pub fn patch(&mut self, text: &str) -> Result<(), EditError> {
        let changes = read(text)?;
        let held = leaves(self);
        for change in &changes {
            let place = spelt(&change.steps);
            let found = held.iter().find(|(steps, _)| spelt(steps) == place);
            if found.map(|(_, leaf)| leaf) != change.before.as_ref() {
                let path = change.path().join(" ");
                return Err(EditError::Unmet { path });
            }
        }
        let mut next = self.clone();
        for change in &changes {
            take(&mut next, change);
        }
        next.settle();
        *self = next;
        Ok(())
    }
}

fn read(text: &str) -> Result<Vec<Change>, EditError> {
    let mut changes: Vec<Change> = Vec::new();
    let mut header: Vec<String> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let unread = |what: &str| EditError::Syntax {
            line: number,
            what: what.into(),
        };
        let placed = |what: EditError| unread(&what.to_string());
        if line.is_empty() || line.starts_with('#') || line.starts_with("impact:") {
            continue;
        }
        if let Some(table) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            header = table.split('.').map(String::from).collect();
            continue;
        }
        let marked = line
            .split_once(' ')
            .filter(|(mark, _)| ["-", "+"].contains(mark));
        let (mark, rest) = marked.ok_or_else(|| unread("a line begins with -, + or ["))?;
        let (steps, leaf) = said(&header, rest).map_err(placed)?;
        let last = changes.last_mut().filter(|last| last.steps == steps);
        match (mark, last) {
            ("+", Some(last)) if last.after.is_none() => last.after = Some(leaf),
            (_, Some(_)) => return Err(unread("this place was changed above")),
            ("-", None) => changes.push(Change {
                steps,
                before: Some(leaf),
                after: None,
            }),
            (_, None) => changes.push(Change {
                steps,
                before: None,
                after: Some(leaf),
            }),
        }
    }
    Ok(changes)
}

/// Reads `key = value`, or the order of the routes.
fn said(header: &[String], rest: &str) -> Result<(Vec<Step>, Leaf), EditError> {
    if let Some(names) = rest.strip_prefix("order:") {
        let names = names.split(',').map(|name| name.trim().to_string());
        let names = names.filter(|name| !name.is_empty()).collect();
        return Ok((Vec::from([Step::Key(ORDERED.into())]), Leaf::Order(names)));
    }
    let (key, value) = rest.split_once(" = ").ok_or_else(|| EditError::NoValue {
        path: rest.to_string(),
    })?;
    let words = header.iter().map(String::as_str).chain(key.split('.'));
    let words: Vec<&str> = words.collect();
    let place = walk(&words)?;
    if place.taken < words.len() {
        let path = words.join(" ");
        return Err(EditError::Absent { path });
    }
    let value = value.trim();
    match (place.shape, value) {
        (None, "{}") => Ok((place.steps, Leaf::Nothing)),
        (Some(_), value) => Ok((place.steps, Leaf::Value(value_of(value)?))),
        (None, _) => Err(EditError::NotAValue {
            path: format!("{} {key}", header.join(" ")),
        }),
    }
}
