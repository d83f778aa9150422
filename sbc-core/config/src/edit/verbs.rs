//! What can be done to a document: each verb takes words and changes it, or says
//! why not and leaves it as it was.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lex::{self, Word};
use super::set::{parsed, uncomment};
use super::walk::{Place, Step, path, walk};
use super::{Document, EditError, Element, Entry, Item, Table, Value};

/// Keys that hold the bare name of another table, and of which kind.
const BARE: [(&str, &str); 8] = [
    ("numbers", "numbers"),
    ("profile", "profile"),
    ("trunks", "trunk"),
    ("interface", "interface"),
    ("underlay", "interface"),
    ("trust", "trust"),
    ("certificate", "certificate"),
    ("site", "site"),
];

impl Document {
    /// Takes the words behind `set`: a path and a value, or the path of a table,
    /// which is made if it is not there.
    ///
    /// # Errors
    /// [`EditError`] says what of the line makes no sense.
    pub fn set(&mut self, line: &str) -> Result<(), EditError> {
        self.set_unsettled(&parsed(line)?)?;
        self.settle();
        Ok(())
    }

    /// Takes the words behind `delete`: a path.
    ///
    /// # Errors
    /// [`EditError::Absent`] if nothing is there.
    pub fn delete(&mut self, line: &str) -> Result<(), EditError> {
        self.delete_words(&parsed(line)?)
    }

    /// Takes the words behind `annotate`: a path and a text, which is put above
    /// it, or behind it after the word `after`. An empty text takes it away.
    ///
    /// # Errors
    /// [`EditError::Absent`] if nothing is there.
    pub fn annotate(&mut self, line: &str) -> Result<(), EditError> {
        self.annotate_words(&parsed(line)?)?;
        self.settle();
        Ok(())
    }

    /// Sets a named table aside, or uses it again.
    ///
    /// # Errors
    /// [`EditError::Absent`] if it is not there.
    pub fn activate(&mut self, line: &str, on: bool) -> Result<(), EditError> {
        let words = parsed(line)?;
        let place = placed(&words)?;
        let said = said(&words);
        let at = self
            .find(&place.steps)
            .ok_or(EditError::Absent { path: said.clone() })?;
        let Found::Table(table) = at else {
            return Err(EditError::Absent { path: said });
        };
        if place
            .schema
            .is_none_or(|schema| schema.keys.iter().all(|key| key.name != "active"))
        {
            let path = format!("{said} active");
            return Err(EditError::Absent { path });
        }
        table.entries.retain(|entry| entry.key != "active");
        if !on {
            let value = Item::Value(Value::Boolean(false));
            let named = usize::from(table.get("name").is_some());
            table.entries.insert(named, Entry::new("active", value));
        }
        Ok(())
    }

    /// Gives a table of `kind` another name, and every reference to it.
    ///
    /// # Errors
    /// If there is no such table, or one of the new name.
    pub fn rename(&mut self, kind: &str, old: &str, new: &str) -> Result<(), EditError> {
        self.free(kind, old, new)?;
        match self.root.get_mut(kind).map(|entry| &mut entry.item) {
            Some(Item::Table(table)) => {
                if let Some(entry) = table.get_mut(old) {
                    entry.key = new.into();
                }
            }
            Some(Item::Sequence(all)) => {
                for one in all.iter_mut().filter(|one| one.name() == Some(old)) {
                    if let Some(entry) = one.table.get_mut("name") {
                        entry.item = Item::Value(Value::Text(new.into()));
                    }
                }
            }
            _ => {}
        }
        refer(&mut self.root, &|key, text| {
            let bare = BARE.iter().any(|&(known, of)| known == key && of == kind);
            let full = text
                .strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix(':'));
            if bare && text == old {
                Some(new.into())
            } else {
                full.filter(|name| *name == old)
                    .map(|_| format!("{kind}:{new}"))
            }
        });
        Ok(())
    }

    /// Makes another table like one of `kind`, right behind it.
    ///
    /// # Errors
    /// If there is no such table, or one of the new name.
    pub fn copy(&mut self, kind: &str, old: &str, new: &str) -> Result<(), EditError> {
        self.free(kind, old, new)?;
        match self.root.get_mut(kind).map(|entry| &mut entry.item) {
            Some(Item::Table(table)) => {
                if let Some(at) = table.entries.iter().position(|entry| entry.key == old)
                    && let Some(mut entry) = table.entries.get(at).cloned()
                {
                    entry.key = new.into();
                    table.entries.insert(at + 1, entry);
                }
            }
            Some(Item::Sequence(all)) => {
                if let Some(at) = all.iter().position(|one| one.name() == Some(old))
                    && let Some(mut one) = all.get(at).cloned()
                {
                    if let Some(entry) = one.table.get_mut("name") {
                        entry.item = Item::Value(Value::Text(new.into()));
                    }
                    all.insert(at + 1, one);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes the words behind `copy`: `KIND NAME to OTHERNAME` makes another table,
    /// `PATH to PATH` gives a key the value of another.
    ///
    /// # Errors
    /// If nothing is there, or the two are of different kinds.
    pub fn copy_to(&mut self, line: &str) -> Result<(), EditError> {
        let words = parsed(line)?;
        let to = words.iter().rposition(|word| word.text() == "to");
        let (from, to) = match to {
            Some(at) => (words.get(..at), words.get(at + 1..)),
            None => (Some(words.as_slice()), None),
        };
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        match (from, to) {
            (_, []) => Err(EditError::NoValue {
                path: format!("copy {line} to"),
            }),
            ([kind, old], [new]) => self.copy(kind.text(), old.text(), new.text()),
            _ => self.copy_value(from, to),
        }
    }

    fn copy_value(&mut self, from: &[Word], to: &[Word]) -> Result<(), EditError> {
        let (source, target) = (placed(from)?, placed(to)?);
        for (place, words) in [(&source, from), (&target, to)] {
            if place.shape.is_none() {
                let path = said(words);
                return Err(EditError::NotAKey { path });
            }
        }
        let absent = || EditError::Absent { path: said(from) };
        let (Step::Key(last), tables) = source.steps.split_last().ok_or_else(absent)? else {
            return Err(absent());
        };
        let Some(Found::Table(table)) = self.find(tables) else {
            return Err(absent());
        };
        let Some(Item::Value(value)) = table.get(last).map(|entry| &entry.item) else {
            return Err(absent());
        };
        let value = value.clone();
        let path = said(to);
        self.put(&target.steps, value)
            .ok_or(EditError::NotAValue { path })?;
        self.settle();
        Ok(())
    }

    /// Moves the route `name` before or after `other`; a route that is not there
    /// is made there.
    ///
    /// # Errors
    /// If `other` is not there.
    pub fn insert_route(&mut self, name: &str, before: bool, other: &str) -> Result<(), EditError> {
        let absent = || EditError::Absent {
            path: format!("route {other}"),
        };
        let entry = self.root.get_mut("route").ok_or_else(absent)?;
        let Item::Sequence(all) = &mut entry.item else {
            return Err(absent());
        };
        if name == other || !all.iter().any(|one| one.name() == Some(other)) {
            return Err(absent());
        }
        let own = all.iter().position(|one| one.name() == Some(name));
        let moved = own.map_or_else(|| Element::named(name), |at| all.remove(at));
        let at = all
            .iter()
            .position(|one| one.name() == Some(other))
            .unwrap_or(all.len());
        all.insert(at + usize::from(!before), moved);
        Ok(())
    }

    /// Returns the part of the document at a path, in the same order.
    ///
    /// # Errors
    /// If the path is none or nothing is there.
    pub fn part(&self, line: &str) -> Result<Self, EditError> {
        let words = parsed(line)?;
        let place = placed(&words)?;
        let mut part = self.clone();
        part.tail.clear();
        let kept = keep(&mut part.root, &place.steps);
        if !kept {
            return Err(EditError::Absent { path: said(&words) });
        }
        Ok(part)
    }

    fn free(&self, kind: &str, old: &str, new: &str) -> Result<(), EditError> {
        let names = self.names(kind);
        let path = |name: &str| format!("{kind} {name}");
        if !names.iter().any(|name| name == old) {
            return Err(EditError::Absent { path: path(old) });
        }
        if names.iter().any(|name| name == new) {
            return Err(EditError::Present { path: path(new) });
        }
        Ok(())
    }

    pub(super) fn set_unsettled(&mut self, words: &[Word]) -> Result<(), EditError> {
        let texts: Vec<&str> = words.iter().map(Word::text).collect();
        let place = walk(&texts)?;
        let value = words.get(place.taken..).unwrap_or_default();
        let said = path(texts.get(..place.taken));
        let Some(shape) = place.shape else {
            if !value.is_empty() {
                return Err(EditError::NotAValue { path: said });
            }
            return self
                .make(&place.steps)
                .map(|_| ())
                .ok_or(EditError::NotAValue { path: said });
        };
        let value =
            lex::value(Some(shape), value).ok_or(EditError::NoValue { path: said.clone() })?;
        self.put(&place.steps, value)
            .ok_or(EditError::NotAValue { path: said })
    }

    /// Puts a value at a place; the tables on the way are made.
    pub(super) fn put(&mut self, steps: &[Step], value: Value) -> Option<()> {
        let (Step::Key(last), tables) = steps.split_last()? else {
            return None;
        };
        let table = self.make(tables)?;
        let entry = table.entry(last, || Item::Value(Value::Boolean(false)));
        entry.item = Item::Value(value);
        Some(())
    }

    fn make(&mut self, steps: &[Step]) -> Option<&mut Table> {
        let mut here = &mut self.root;
        let mut steps = steps.iter().peekable();
        while let Some(Step::Key(name)) = steps.next() {
            let sequence = matches!(steps.peek(), Some(Step::Named(_)));
            let entry = here.entry(name, || {
                if sequence {
                    Item::Sequence(Vec::new())
                } else {
                    Item::Table(Table::default())
                }
            });
            match (&mut entry.item, sequence) {
                (Item::Table(inner), false) => here = inner,
                (Item::Sequence(all), true) => {
                    let Some(Step::Named(name)) = steps.next() else {
                        return None;
                    };
                    let at = all.iter().position(|one| one.name() == Some(name));
                    let at = at.unwrap_or_else(|| {
                        all.push(Element::named(name));
                        all.len() - 1
                    });
                    here = &mut all.get_mut(at)?.table;
                }
                _ => return None,
            }
        }
        Some(here)
    }

    pub(super) fn delete_words(&mut self, words: &[Word]) -> Result<(), EditError> {
        let place = placed(words)?;
        if self.remove(&place.steps) {
            Ok(())
        } else {
            Err(EditError::Absent { path: said(words) })
        }
    }

    /// Takes away what stands at a place; a short table that it leaves empty goes
    /// too. Returns whether something was there.
    pub(super) fn remove(&mut self, steps: &[Step]) -> bool {
        remove(&mut self.root, steps, true)
    }

    pub(super) fn annotate_words(&mut self, words: &[Word]) -> Result<(), EditError> {
        let Some((Word::Quoted(text), words)) = words.split_last() else {
            let path = said(words);
            return Err(EditError::NoValue { path });
        };
        let (words, after) = match words.split_last() {
            Some((Word::Bare(last), rest)) if last == "after" => (rest, true),
            _ => (words, false),
        };
        let lines = uncomment(text);
        if words.is_empty() {
            self.tail = lines;
            return Ok(());
        }
        let place = placed(words)?;
        let absent = || EditError::Absent { path: said(words) };
        let (above, behind) = self.decor(&place.steps).ok_or_else(absent)?;
        if after {
            *behind = lines.into_iter().next();
        } else {
            *above = lines;
        }
        Ok(())
    }

    /// Returns the comments of what stands at a place.
    fn decor(&mut self, steps: &[Step]) -> Option<(&mut Vec<String>, &mut Option<String>)> {
        let (last, tables) = steps.split_last()?;
        match last {
            Step::Key(name) => {
                let Found::Table(table) = self.find(tables)? else {
                    return None;
                };
                let entry = table.get_mut(name)?;
                Some((&mut entry.above, &mut entry.after))
            }
            Step::Named(name) => {
                let Found::Sequence(all) = self.find(tables)? else {
                    return None;
                };
                let one = all.iter_mut().find(|one| one.name() == Some(name))?;
                Some((&mut one.above, &mut one.after))
            }
        }
    }

    fn find(&mut self, steps: &[Step]) -> Option<Found<'_>> {
        let mut here = Found::Table(&mut self.root);
        for step in steps {
            here = match (here, step) {
                (Found::Table(table), Step::Key(name)) => match &mut table.get_mut(name)?.item {
                    Item::Table(inner) => Found::Table(inner),
                    Item::Sequence(all) => Found::Sequence(all),
                    Item::Value(_) => return None,
                },
                (Found::Sequence(all), Step::Named(name)) => {
                    let one = all.iter_mut().find(|one| one.name() == Some(name))?;
                    Found::Table(&mut one.table)
                }
                _ => return None,
            };
        }
        Some(here)
    }
}

enum Found<'d> {
    Table(&'d mut Table),
    Sequence(&'d mut Vec<Element>),
}

fn said(words: &[Word]) -> String {
    let texts: Vec<&str> = words.iter().map(Word::text).collect();
    texts.join(" ")
}

/// Returns the place that all of `words` name.
fn placed(words: &[Word]) -> Result<Place, EditError> {
    let texts: Vec<&str> = words.iter().map(Word::text).collect();
    let place = walk(&texts)?;
    if place.taken < texts.len() || place.taken == 0 {
        return Err(EditError::Absent { path: said(words) });
    }
    Ok(place)
}

fn remove(table: &mut Table, steps: &[Step], top: bool) -> bool {
    let Some((Step::Key(name), rest)) = steps.split_first() else {
        return false;
    };
    let Some(entry) = table.get_mut(name) else {
        return false;
    };
    let (done, empty) = match (&mut entry.item, rest) {
        (_, []) => (true, true),
        (Item::Table(inner), rest) => {
            let done = remove(inner, rest, false);
            // `[trunk]` without a trunk says nothing; `[system]` may stay empty.
            (done, inner.entries.is_empty() && (!top || rest.len() == 1))
        }
        (Item::Sequence(all), [Step::Named(name)]) => {
            let before = all.len();
            all.retain(|one| one.name() != Some(name));
            (all.len() < before, all.is_empty())
        }
        (Item::Sequence(all), [Step::Named(name), rest @ ..]) => {
            let one = all.iter_mut().find(|one| one.name() == Some(name));
            (
                one.is_some_and(|one| remove(&mut one.table, rest, false)),
                false,
            )
        }
        _ => (false, false),
    };
    // A named table may stay empty; its owner says so.
    let named = matches!(rest, [_, ..]) && top && rest.len() > 1;
    if done && empty && !named {
        table.entries.retain(|entry| entry.key != *name);
    }
    done
}

/// Keeps of a table only what the steps lead to. Returns whether it is there.
fn keep(table: &mut Table, steps: &[Step]) -> bool {
    let Some((Step::Key(name), rest)) = steps.split_first() else {
        return true;
    };
    table.entries.retain(|entry| entry.key == *name);
    let Some(entry) = table.entries.first_mut() else {
        return false;
    };
    match (&mut entry.item, rest) {
        (_, []) => true,
        (Item::Table(inner), rest) => keep(inner, rest),
        (Item::Sequence(all), [Step::Named(name), rest @ ..]) => {
            all.retain(|one| one.name() == Some(name));
            all.first_mut().is_some_and(|one| {
                let named = one.table.get("name").cloned();
                let kept = keep(&mut one.table, rest);
                if !rest.is_empty() {
                    one.table.entries.splice(0..0, named);
                }
                kept
            })
        }
        _ => false,
    }
}

/// Looks at every text of a table and below, and changes those that `change`
/// returns something for.
fn refer(table: &mut Table, change: &impl Fn(&str, &str) -> Option<String>) {
    for entry in &mut table.entries {
        let key = entry.key.to_string();
        match &mut entry.item {
            Item::Value(Value::List(items)) => {
                for item in items {
                    refer_one(&key, item, change);
                }
            }
            Item::Value(value) => refer_one(&key, value, change),
            Item::Table(inner) => refer(inner, change),
            Item::Sequence(all) => {
                for one in all {
                    refer(&mut one.table, change);
                }
            }
        }
    }
}

fn refer_one(key: &str, value: &mut Value, change: &impl Fn(&str, &str) -> Option<String>) {
    if let Value::Text(text) = value
        && let Some(new) = change(key, text)
    {
        *text = new;
    }
}
