//! A document as JSON, and back. A comment stands as a member of its own before
//! its key: `"#key"` for the lines above, `"key#"` for the one behind, `"#"` for
//! those at the end of the file.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Plain;

use super::set::{say_line, uncomment};
use super::{Document, EditError, Element, Entry, Item, Table, Value};

/// JSON that keeps the order of its members.
#[derive(Debug)]
enum Json {
    Null,
    Boolean(bool),
    Integer(i64),
    Fraction(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Document {
    /// Returns the document as JSON, two spaces an indent.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        table(&self.root, &self.tail, 0, &mut out);
        out.push('\n');
        out
    }

    /// Takes a document as JSON.
    ///
    /// # Errors
    /// [`EditError::Syntax`] for what is no JSON, or JSON that is no document.
    pub fn from_json(text: &str) -> Result<Self, EditError> {
        let read: Json = serde_json::from_str(text).map_err(|error| EditError::Syntax {
            line: error.line(),
            what: error.to_string(),
        })?;
        let Json::Object(members) = read else {
            return Err(odd("the file"));
        };
        let mut tail = Vec::new();
        let root = taken(members, &mut tail)?;
        let mut document = Self { root, tail };
        document.settle();
        Ok(document)
    }
}

fn odd(path: &str) -> EditError {
    EditError::Syntax {
        line: 0,
        what: format!("{path} is nothing a configuration holds"),
    }
}

fn indent(depth: usize, out: &mut String) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("  ");
    }
}

fn text(text: &str) -> String {
    Plain::from(text).to_string()
}

fn comment(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| say_line(line)).collect();
    text(&lines.join("\n"))
}

fn table(table: &Table, tail: &[String], depth: usize, out: &mut String) {
    out.push('{');
    let mut first = true;
    let mut member = |name: &str, out: &mut String| {
        if !core::mem::replace(&mut first, false) {
            out.push(',');
        }
        indent(depth + 1, out);
        out.push_str(&text(name));
        out.push_str(": ");
    };
    for entry in &table.entries {
        if !entry.above.is_empty() {
            member(&format!("#{}", entry.key), out);
            out.push_str(&comment(&entry.above));
        }
        if let Some(after) = &entry.after {
            member(&format!("{}#", entry.key), out);
            out.push_str(&comment(core::slice::from_ref(after)));
        }
        member(&entry.key, out);
        match &entry.item {
            Item::Value(one) => value(one, out),
            Item::Table(inner) => self::table(inner, &[], depth + 1, out),
            Item::Sequence(all) => sequence(all, depth + 1, out),
        }
    }
    if !tail.is_empty() {
        member("#", out);
        out.push_str(&comment(tail));
    }
    if !first {
        indent(depth, out);
    }
    out.push('}');
}

/// The comments of a `[[route]]` are members of it.
fn sequence(all: &[Element], depth: usize, out: &mut String) {
    out.push('[');
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        indent(depth + 1, out);
        let mut whole = String::new();
        table(&one.table, &one.above, depth + 1, &mut whole);
        if let Some(after) = &one.after {
            let said = comment(core::slice::from_ref(after));
            whole = whole.replacen('{', &format!("{{\"##\": {said},"), 1);
        }
        out.push_str(&whole);
    }
    indent(depth, out);
    out.push(']');
}

fn value(value: &Value, out: &mut String) {
    match value {
        Value::Boolean(truth) => out.push_str(&truth.to_string()),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Fraction(number) => out.push_str(&format!("{number:?}")),
        Value::Text(said) => out.push_str(&text(said)),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                self::value(item, out);
            }
            out.push(']');
        }
    }
}

fn taken(members: Vec<(String, Json)>, tail: &mut Vec<String>) -> Result<Table, EditError> {
    let mut out = Table::default();
    let mut above: Vec<(String, Vec<String>)> = Vec::new();
    let mut after: Vec<(String, Option<String>)> = Vec::new();
    for (name, member) in members {
        match (&member, name.strip_prefix('#'), name.strip_suffix('#')) {
            (Json::Text(text), Some(""), _) => *tail = uncomment(text),
            (Json::Text(text), Some(key), _) => above.push((key.to_owned(), uncomment(text))),
            (Json::Text(text), _, Some(key)) => {
                after.push((key.to_owned(), uncomment(text).into_iter().next()));
            }
            _ if out.get(&name).is_some() => return Err(EditError::Present { path: name }),
            _ => {
                let item = item(&name, member)?;
                out.entries.push(Entry::new(&name, item));
            }
        }
    }
    for (key, lines) in above {
        if let Some(entry) = out.get_mut(&key) {
            entry.above = lines;
        }
    }
    for (key, line) in after {
        if let Some(entry) = out.get_mut(&key) {
            entry.after = line;
        }
    }
    Ok(out)
}

fn item(name: &str, json: Json) -> Result<Item, EditError> {
    Ok(match json {
        Json::Object(members) => Item::Table(taken(members, &mut Vec::new())?),
        Json::List(all) if all.iter().any(|one| matches!(one, Json::Object(_))) => {
            let mut elements = Vec::new();
            for one in all {
                let Json::Object(mut members) = one else {
                    return Err(odd(name));
                };
                let behind = members.iter().position(|(key, _)| key == "##");
                let behind = behind.map(|at| members.remove(at).1);
                let mut above = Vec::new();
                let table = taken(members, &mut above)?;
                let after = match behind {
                    Some(Json::Text(text)) => uncomment(&text).into_iter().next(),
                    _ => None,
                };
                elements.push(Element {
                    above,
                    after,
                    table,
                });
            }
            Item::Sequence(elements)
        }
        other => Item::Value(plain(name, other)?),
    })
}

fn plain(name: &str, json: Json) -> Result<Value, EditError> {
    Ok(match json {
        Json::Boolean(truth) => Value::Boolean(truth),
        Json::Integer(number) => Value::Integer(number),
        Json::Fraction(number) => Value::Fraction(number),
        Json::Text(text) => Value::Text(text),
        Json::List(items) => {
            let items: Result<Vec<Value>, EditError> =
                items.into_iter().map(|item| plain(name, item)).collect();
            Value::List(items?)
        }
        Json::Null | Json::Object(_) => return Err(odd(name)),
    })
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Json, E> {
        let number = i64::try_from(number);
        number
            .map(Json::Integer)
            .map_err(|_| E::custom("a number is too large"))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Fraction(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_entry()? {
            list.push(member);
        }
        Ok(Json::Object(list))
    }
}
