//! The form of an answer in a short notation comes in, its JSON schema goes out
//! (draft 7): `{name:s count:n?}`, `[…]`, `s n f b`, `?` for what may be null.

use serde_json::{Map, Value, json};

/// The version of all forms; a field is only ever added.
pub const VERSION: u32 = 1;

/// Returns the schema of the answer of `operation`.
#[must_use]
pub fn schema(operation: &str, form: &str) -> Value {
    let (mut schema, _) = read(form);
    if let Some(map) = schema.as_object_mut() {
        map.insert(
            "$schema".into(),
            "http://json-schema.org/draft-07/schema#".into(),
        );
        map.insert("$id".into(), format!("sbc:{operation}:{VERSION}").into());
    }
    schema
}

/// Reads one form; returns its schema and the text behind it.
fn read(text: &str) -> (Value, &str) {
    let mut chars = text.chars();
    let first = chars.next();
    let rest = chars.as_str();
    let (schema, rest) = match first {
        Some('{') => object(rest),
        Some('[') => list(rest),
        Some('s') => (json!({"type": "string"}), rest),
        Some('n') => (json!({"type": "integer"}), rest),
        Some('f') => (json!({"type": "number"}), rest),
        Some('b') => (json!({"type": "boolean"}), rest),
        _ => (json!({}), ""),
    };
    match rest.strip_prefix('?') {
        Some(rest) => (json!({"anyOf": [schema, {"type": "null"}]}), rest),
        None => (schema, rest),
    }
}

fn object(text: &str) -> (Value, &str) {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once(':').filter(|_| !rest.starts_with('}')) {
        let (schema, left) = read(after);
        if schema.get("anyOf").is_none() {
            required.push(name.to_owned());
        }
        properties.insert(name.to_owned(), schema);
        rest = left.trim_start();
    }
    let schema = json!({"type": "object", "properties": properties, "required": required});
    (schema, rest.strip_prefix('}').unwrap_or_default())
}

/// One form is that of every item; several are those of a row's columns.
fn list(text: &str) -> (Value, &str) {
    let (mut items, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() && !rest.starts_with(']') {
        let (schema, left) = read(rest);
        items.push(schema);
        rest = left.trim_start();
    }
    let items = match items.as_slice() {
        [one] => one.clone(),
        several => Value::from(several),
    };
    let schema = json!({"type": "array", "items": items});
    (schema, rest.strip_prefix(']').unwrap_or_default())
}

/// Returns what of `value` does not fit `schema`, by place; nothing if it fits.
#[must_use]
pub fn misfits(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    fit(schema, value, "", &mut found);
    found
}

fn fit(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(Value::Array(any)) = schema.get("anyOf") {
        if !any.iter().any(|one| misfits(one, value).is_empty()) {
            found.push(format!("{place}: {value} is none of them"));
        }
        return;
    }
    let right = match schema.get("type").and_then(Value::as_str) {
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => true,
    };
    if !right {
        found.push(format!("{place}: {value} is of another type"));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        let one = match schema.get("items") {
            Some(Value::Array(columns)) => columns.get(at).cloned(),
            other => other.cloned(),
        };
        fit(
            &one.unwrap_or_default(),
            item,
            &format!("{place}/{at}"),
            found,
        );
    }
    for name in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = name.as_str().unwrap_or_default();
        if value.get(name).is_none() {
            found.push(format!("{place}: no {name}"));
        }
    }
    for (name, inner) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(field) = value.get(name) {
            fit(inner, field, &format!("{place}/{name}"), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_a_schema_that_tells_misfits() {
        let schema = schema("calls.list", "[{call:n id:s mos:f? sides:[{rx:n}]}]");
        let good = json!([{"call": 1, "id": "a", "mos": null, "sides": [{"rx": 2}]}]);
        assert_eq!(misfits(&schema, &good), Vec::<String>::new());
        let bad = json!([{"call": "1", "mos": true, "sides": [{}]}]);
        assert_eq!(
            misfits(&schema, &bad).len(),
            4,
            "{:?}",
            misfits(&schema, &bad)
        );
        assert_eq!(schema["$id"], "sbc:calls.list:1");
    }

    #[test]
    fn columns_have_forms_of_their_own() {
        let schema = schema("counters.list", "[[s n]]");
        assert!(misfits(&schema, &json!([["a", 1]])).is_empty());
        assert_eq!(misfits(&schema, &json!([[1, "a"]])).len(), 2);
    }
}
