//! The rows of the file's tables come in, a JSON schema (draft 7) goes out:
//! what editors complete and check, what the documentation lists.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use crate::file::peer::{MEDIATION_ONLY, TRUNK_ONLY};
use crate::file::tables::NodeFile;
use crate::file::{Key, Need, Schema, Shape, example_of};

/// Returns the schema of the whole file.
pub fn json_schema() -> String {
    let mut root = table(NodeFile::SCHEMA, Kind::Any);
    if let Some(root) = root.as_object_mut() {
        root.insert(
            "$schema".into(),
            "http://json-schema.org/draft-07/schema#".into(),
        );
        root.insert(
            "title".into(),
            "Configuration of a session border controller".into(),
        );
    }
    format!("{root:#}")
}

/// Returns the reference of all keys as Markdown, a section for each table.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Keys of the configuration\n\nWritten by `sbc schema --markdown`; the rows of the file's tables are its source.\n",
    );
    let rows = rows();
    let table = |row: &Row| String::from(row.path.rsplit_once('.').map_or("", |(table, _)| table));
    let mut tables: Vec<String> = Vec::new();
    for row in &rows {
        if !tables.contains(&table(row)) {
            tables.push(table(row));
        }
    }
    for name in tables {
        let title = if name.is_empty() {
            "the file itself"
        } else {
            &name
        };
        out.push_str(&format!(
            "\n## {title}\n\n| key | default | meaning |\n|---|---|---|\n"
        ));
        for row in rows.iter().filter(|row| table(row) == name) {
            out.push_str(&line(row));
        }
    }
    out
}

/// Returns the line of one key in its section.
fn line(row: &Row) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let key = row
        .path
        .rsplit_once('.')
        .map_or(row.path.as_str(), |(_, key)| key);
    let default = if row.required {
        "required"
    } else {
        row.default.as_str()
    };
    let example = row.example.as_deref().unwrap_or_default();
    let later = row.later.map_or_else(String::new, |help| {
        format!(" **Not in this image**: {help}.")
    });
    format!(
        "| `{key}` | {} | {} As in `{}`.{} |\n",
        cell(default),
        cell(row.about),
        cell(example),
        cell(&later)
    )
}

/// A key of the file for those who list or complete keys.
#[derive(Clone, Debug)]
pub struct Row {
    /// `trunk.NAME.keepalive.every`
    pub path: String,
    pub about: &'static str,
    pub default: String,
    pub example: Option<String>,
    pub required: bool,
    /// What works today, if this image cannot do what the key asks.
    pub later: Option<&'static str>,
}

/// Returns every key of the file, in the order of the tables.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    walk(NodeFile::SCHEMA, Kind::Any, "", None, &mut rows);
    rows
}

fn walk(
    schema: &Schema,
    kind: Kind,
    prefix: &str,
    outer: Option<&'static str>,
    rows: &mut Vec<Row>,
) {
    for key in schema.keys.iter().filter(|key| kind.has(key.name)) {
        let path = if prefix.is_empty() {
            key.name.into()
        } else {
            format!("{prefix}.{}", key.name)
        };
        let (inner, path) = match key.shape {
            Shape::Table(inner) => (Some(inner), path),
            Shape::Named(inner) => (Some(inner), format!("{path}.NAME")),
            Shape::Sequence(inner) => (Some(inner), format!("{path}.N")),
            _ => (None, path),
        };
        let later = match key.need {
            Need::Later(help) => Some(help),
            Need::Optional | Need::Required => outer,
        };
        if let Some(inner) = inner {
            walk(inner, Kind::of(key, kind), &path, later, rows);
            continue;
        }
        rows.push(Row {
            path,
            about: key.about.trim(),
            default: kind.default(key),
            example: example_of(&key.shape),
            required: key.need == Need::Required || kind.default(key) == "required",
            later,
        });
    }
}

/// Whose keys of a peer are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Any,
    Trunk,
    Mediation,
}

impl Kind {
    /// Returns the kind of peer below a key of the root.
    fn of(key: &Key, outer: Self) -> Self {
        match key.name {
            "trunk" => Self::Trunk,
            "mediation" => Self::Mediation,
            _ => outer,
        }
    }

    fn has(self, key: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Trunk => !MEDIATION_ONLY.contains(&key),
            Self::Mediation => !TRUNK_ONLY.contains(&key),
        }
    }

    /// Returns the default for this kind: `of a trunk | of a server`.
    fn default(self, key: &Key) -> String {
        match (self, key.default.split_once(" | ")) {
            (Self::Trunk, Some((trunk, _))) => trunk.into(),
            (Self::Mediation, Some((_, server))) => server.into(),
            _ => key.default.into(),
        }
    }
}

fn table(schema: &Schema, kind: Kind) -> Value {
    let keys = schema.keys.iter().filter(|key| kind.has(key.name));
    let properties: Map<String, Value> = keys
        .clone()
        .map(|key| (key.name.into(), property(key, kind)))
        .collect();
    let required: Vec<&str> = keys
        .filter(|key| key.need == Need::Required)
        .map(|key| key.name)
        .collect();
    let mut out = json!({
        "type": "object",
        "description": schema.about.trim(),
        "properties": properties,
        "additionalProperties": false,
    });
    if let (false, Some(out)) = (required.is_empty(), out.as_object_mut()) {
        out.insert("required".into(), required.into());
    }
    out
}

fn property(key: &Key, kind: Kind) -> Value {
    let mut out = value(&key.shape, Kind::of(key, kind));
    let Some(map) = out.as_object_mut() else {
        return out;
    };
    let mut about = String::from(key.about.trim());
    let default = kind.default(key);
    if !default.is_empty() {
        about.push_str(&format!("\nDefault: {default}"));
    }
    if let Need::Later(help) = key.need {
        about.push_str(&format!("\nNot in this image: {help}"));
        map.insert("x-later".into(), true.into());
    }
    map.insert("description".into(), about.into());
    out
}

fn value(shape: &Shape, kind: Kind) -> Value {
    match shape {
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Fraction { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Shape::Text {
            form,
            pattern,
            example,
        } => {
            let mut out = json!({ "type": "string", "title": form, "examples": [example] });
            if let (false, Some(out)) = (pattern.is_empty(), out.as_object_mut()) {
                out.insert("pattern".into(), (*pattern).into());
            }
            out
        }
        Shape::Words(words) => json!({ "type": "string", "enum": words.words() }),
        Shape::List(inner) => json!({ "type": "array", "items": value(inner, kind) }),
        Shape::OneOrMore(inner) => {
            json!({ "anyOf": [value(inner, kind), { "type": "array", "items": value(inner, kind) }] })
        }
        Shape::Table(inner) => table(inner, kind),
        Shape::Named(inner) => json!({
            "type": "object",
            "patternProperties": { "^[a-z][a-z0-9-]{0,30}$": table(inner, kind) },
            "additionalProperties": false,
        }),
        Shape::Sequence(inner) => json!({ "type": "array", "items": table(inner, kind) }),
    }
}
