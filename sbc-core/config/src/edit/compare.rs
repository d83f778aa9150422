//! Two documents come in, what differs goes out, by path; and a third that holds
//! the changes of both, unless they meet.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::toml::written;
use super::walk::Step;
use super::{Document, Element, Entry, Item, Table, Value};

/// One value that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub(super) steps: Vec<Step>,
    pub(super) before: Option<Leaf>,
    pub(super) after: Option<Leaf>,
}

/// What can stand at the end of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leaf {
    Value(Value),
    /// A table without keys.
    Nothing,
    /// The names of a sequence in their order.
    Order(Vec<String>),
}

impl Change {
    /// Returns the words of the path.
    #[must_use]
    pub fn path(&self) -> Vec<&str> {
        self.steps
            .iter()
            .map(|step| match step {
                Step::Key(name) | Step::Named(name) => name.as_str(),
            })
            .collect()
    }

    /// Returns whether a whole key or table came or went.
    #[must_use]
    pub fn comes_or_goes(&self) -> bool {
        self.before.is_none() || self.after.is_none()
    }
}

/// Returns what of `after` is not as in `before`, in the order of the file.
#[must_use]
pub fn changes(before: &Document, after: &Document) -> Vec<Change> {
    let old = leaves(before);
    let new = leaves(after);
    let mut found = Vec::new();
    let index = |all: &'_ [(Vec<Step>, Leaf)]| -> alloc::collections::BTreeMap<String, usize> {
        let named = all.iter().enumerate();
        named.map(|(at, (steps, _))| (spelt(steps), at)).collect()
    };
    let (old_at, new_at) = (index(&old), index(&new));
    for (steps, leaf) in &old {
        let other = new_at.get(&spelt(steps)).and_then(|&at| new.get(at));
        if other.map(|(_, leaf)| leaf) != Some(leaf) {
            found.push(Change {
                steps: steps.clone(),
                before: Some(leaf.clone()),
                after: other.map(|(_, leaf)| leaf.clone()),
            });
        }
    }
    for (steps, leaf) in &new {
        if !old_at.contains_key(&spelt(steps)) {
            found.push(Change {
                steps: steps.clone(),
                before: None,
                after: Some(leaf.clone()),
            });
        }
    }
    found
}

pub(super) fn spelt(steps: &[Step]) -> String {
    let mut out = String::new();
    for step in steps {
        let (Step::Key(name) | Step::Named(name)) = step;
        out.push_str(name);
        out.push('\n');
    }
    out
}

/// Returns the difference as text: a header for each table, lines with `-` and
/// `+`.
#[must_use]
pub fn compared(changes: &[Change]) -> String {
    // Tables in the order in which they are met, each with its lines.
    let mut places = alloc::collections::BTreeMap::new();
    let mut tables: Vec<(String, String)> = Vec::new();
    for change in changes {
        let table = header(&change.steps);
        let at = *places.entry(table.clone()).or_insert(tables.len());
        if at == tables.len() {
            tables.push((table, String::new()));
        }
        if let Some((_, lines)) = tables.get_mut(at) {
            describe(change, lines);
        }
    }
    let mut out = String::new();
    for (table, lines) in tables {
        if !table.is_empty() {
            out.push_str(&format!("[{table}]\n"));
        }
        out.push_str(&lines);
    }
    out
}

fn describe(change: &Change, out: &mut String) {
    let key = tail(&change.steps);
    for (mark, leaf) in [('-', &change.before), ('+', &change.after)] {
        match leaf {
            Some(Leaf::Value(value)) => {
                out.push_str(&format!("{mark} {key} = {}\n", written(value)));
            }
            Some(Leaf::Nothing) => out.push_str(&format!("{mark} {key} = {{}}\n")),
            Some(Leaf::Order(names)) => {
                out.push_str(&format!("{mark} order: {}\n", names.join(", ")));
            }
            None => {}
        }
    }
}

/// How many steps of a path are its header: two for named tables, else one.
fn head(steps: &[Step]) -> usize {
    let one = matches!(steps, [Step::Key(kind), ..] if super::walk::key(
        Some(crate::file::tables::NodeFile::SCHEMA), kind
    ).is_some_and(|key| matches!(super::walk::below(key), super::walk::Below::Table(_))));
    let most = if one { 1 } else { 2 };
    most.min(steps.len().saturating_sub(1))
}

fn header(steps: &[Step]) -> String {
    dotted(steps.get(..head(steps)).unwrap_or_default())
}

fn tail(steps: &[Step]) -> String {
    dotted(steps.get(head(steps)..).unwrap_or_default())
}

fn dotted(steps: &[Step]) -> String {
    let names = steps.iter().map(|step| match step {
        Step::Key(name) | Step::Named(name) => name.as_str(),
    });
    names.collect::<Vec<_>>().join(".")
}

pub(super) fn leaves(document: &Document) -> Vec<(Vec<Step>, Leaf)> {
    let mut out = Vec::new();
    collect(&document.root, &mut Vec::new(), &mut out);
    out
}

fn collect(table: &Table, path: &mut Vec<Step>, out: &mut Vec<(Vec<Step>, Leaf)>) {
    if table.entries.is_empty() && !path.is_empty() {
        out.push((path.clone(), Leaf::Nothing));
    }
    for Entry { key, item, .. } in &table.entries {
        path.push(Step::Key(key.clone()));
        match item {
            Item::Value(value) => out.push((path.clone(), Leaf::Value(value.clone()))),
            Item::Table(inner) => collect(inner, path, out),
            Item::Sequence(all) => {
                let names = all
                    .iter()
                    .map(|one| one.name().unwrap_or_default().to_string());
                out.push((path.clone(), Leaf::Order(names.collect())));
                for one in all {
                    path.push(Step::Named(one.name().unwrap_or_default().to_string()));
                    collect(&one.table, path, out);
                    path.pop();
                }
            }
        }
        path.pop();
    }
}

/// Returns `live` with what `mine` changed of `base`.
///
/// # Errors
/// The paths that both changed, each in its own way.
pub fn merge(base: &Document, mine: &Document, live: &Document) -> Result<Document, Vec<String>> {
    let ours = changes(base, mine);
    let theirs = changes(base, live);
    let conflicts: Vec<String> = ours
        .iter()
        .filter(|change| theirs.iter().any(|other| meet(change, other)))
        .map(|change| change.path().join(" "))
        .collect();
    if !conflicts.is_empty() {
        return Err(conflicts);
    }
    if theirs.is_empty() {
        // Comments and order are mine as well.
        return Ok(mine.clone());
    }
    let mut merged = live.clone();
    for change in &ours {
        take(&mut merged, change);
    }
    merged.settle();
    Ok(merged)
}

/// Makes a change in another document.
pub(super) fn take(document: &mut Document, change: &Change) {
    match &change.after {
        Some(Leaf::Value(value)) => {
            let _made = document.put(&change.steps, value.clone());
        }
        Some(Leaf::Nothing) => {
            let words: Vec<String> = change.path().iter().map(ToString::to_string).collect();
            let _made = document.set(&words.join(" "));
        }
        Some(Leaf::Order(names)) => reorder(document, &change.steps, names),
        None => {
            document.remove(&change.steps);
        }
    }
}

/// Two changes meet if one lies on the way of the other and they differ.
fn meet(one: &Change, other: &Change) -> bool {
    let inside = |a: &[Step], b: &[Step]| b.starts_with(a);
    let order = |change: &Change| {
        matches!(change.after, Some(Leaf::Order(_)))
            || matches!(change.before, Some(Leaf::Order(_)))
    };
    let same_place = one.steps == other.steps;
    let nested = !order(one)
        && !order(other)
        && (inside(&one.steps, &other.steps) || inside(&other.steps, &one.steps));
    let gone = |a: &Change, b: &Change| {
        // One takes away a table in which the other changes something.
        a.after.is_none() && b.after.is_some() && a.steps.len() > 1 && {
            let table = a.steps.len().min(2);
            b.steps.get(..table) == a.steps.get(..table) && b.before.is_some() != b.after.is_some()
        }
    };
    ((same_place || nested) && one.after != other.after) || gone(one, other) || gone(other, one)
}

fn reorder(document: &mut Document, steps: &[Step], names: &[String]) {
    let [Step::Key(kind)] = steps else { return };
    let entry = document.root.entry(kind, || Item::Sequence(Vec::new()));
    let Item::Sequence(all) = &mut entry.item else {
        return;
    };
    let place = |one: &Element| {
        let name = one.name().unwrap_or_default();
        names
            .iter()
            .position(|known| known == name)
            .unwrap_or(names.len())
    };
    all.retain(|one| place(one) < names.len());
    for name in names {
        if !all.iter().any(|one| one.name() == Some(name)) {
            all.push(Element::named(name));
        }
    }
    all.sort_by_key(place);
}
