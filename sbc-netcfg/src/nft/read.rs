//! What `nft -j list ruleset` prints comes in, tables in the plan's normal form go
//! out. What we never make becomes a text that equals nothing of ours: it shows as
//! a drift, and never as nothing.

use std::collections::BTreeMap;

use sbc_plan::firewall::{Family, Hook};
use sbc_plan::observed::{ObservedChain, ObservedRule, ObservedTable};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Counter;
use crate::error::NftError;

#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Object>,
}

/// One object of a listing: exactly one field is there.
#[derive(Deserialize)]
struct Object {
    metainfo: Option<Value>,
    table: Option<TableObject>,
    chain: Option<ChainObject>,
    rule: Option<RuleObject>,
    counter: Option<Named>,
    #[serde(flatten)]
    other: BTreeMap<String, Named>,
}

#[derive(Deserialize)]
struct TableObject {
    family: String,
    name: String,
    #[serde(default)]
    flags: Value,
}

#[derive(Deserialize)]
struct ChainObject {
    family: String,
    table: String,
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    hook: Option<String>,
    prio: Option<i32>,
    policy: Option<String>,
    dev: Option<Value>,
}

#[derive(Deserialize)]
struct RuleObject {
    family: String,
    table: String,
    chain: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    expr: Vec<Value>,
}

#[derive(Deserialize)]
struct Named {
    family: String,
    table: String,
    name: String,
}

/// Returns whether a chain of a netdev table came without its device: releases
/// before 1.1 leave it out of JSON, and only their text says it.
#[must_use]
pub fn lacks_devices(tables: &[ObservedTable]) -> bool {
    let netdev = tables.iter().filter(|table| table.family == Family::Netdev);
    let mut hooks = netdev
        .flat_map(|table| &table.chains)
        .filter_map(|chain| chain.hook.as_ref());
    hooks.any(|hook| hook.device.is_none())
}

/// Fills in the devices from the text of `nft list chains netdev`. A chain whose
/// line cannot be read stays without one, and so differs from any of ours.
pub fn add_devices(tables: &mut [ObservedTable], text: &str) {
    let (mut table, mut chain) = ("", "");
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("table netdev ") {
            table = name.trim_end_matches('{').trim();
        } else if let Some(name) = line.strip_prefix("chain ") {
            chain = name.trim_end_matches('{').trim();
        } else if let Some(device) = device(line) {
            let netdev =
                |one: &&mut ObservedTable| one.family == Family::Netdev && one.name == table;
            let found = tables.iter_mut().find(netdev);
            let mut chains = found.into_iter().flat_map(|one| one.chains.iter_mut());
            let found = chains.find(|one| one.name == chain);
            if let Some(hook) = found.and_then(|one| one.hook.as_mut()) {
                hook.device = Some(device.to_owned());
            }
        }
    }
}

/// Returns the one device of a line `type filter hook ingress device "port" …`.
fn device(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("type ")?.split_once(" device ")?.1;
    rest.strip_prefix('"')?
        .split_once('"')
        .map(|(name, _)| name)
}

/// Returns every table of a listing.
///
/// # Errors
/// When it is not what `nft` prints: never read as "empty".
pub fn tables(listing: &[u8]) -> Result<Vec<ObservedTable>, NftError> {
    let listing: Listing = serde_json::from_slice(listing).map_err(NftError::Unreadable)?;
    let complete = listing.nftables.iter().any(|one| one.metainfo.is_some());
    if !complete {
        let why = serde::de::Error::custom("a listing without its head");
        return Err(NftError::Unreadable(why));
    }
    let mut tables: Vec<ObservedTable> = Vec::new();
    for object in listing.nftables {
        take(&mut tables, object)?;
    }
    Ok(tables)
}

/// Returns the named counters of a listing.
///
/// # Errors
/// When it makes no sense.
pub fn counters(listing: &[u8]) -> Result<Vec<Counter>, NftError> {
    #[derive(Deserialize)]
    struct Counters {
        nftables: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        counter: Option<Counter>,
    }
    let listing: Counters = serde_json::from_slice(listing).map_err(NftError::Unreadable)?;
    let all = listing.nftables.into_iter();
    Ok(all.filter_map(|one| one.counter).collect())
}

fn take(tables: &mut Vec<ObservedTable>, object: Object) -> Result<(), NftError> {
    if let Some(table) = object.table {
        let (family, name) = place(&table.family, table.name);
        let foreign = match table.flags {
            Value::Null => None,
            flags => Some(format!("flags {}", plain(&flags))),
        };
        tables.push(ObservedTable {
            family,
            name,
            foreign,
            counters: Vec::new(),
            chains: Vec::new(),
        });
    }
    if let Some(chain) = object.chain {
        let hook = hook(&chain);
        at(tables, &chain.family, chain.table)?
            .chains
            .push(ObservedChain {
                name: chain.name,
                hook,
                rules: Vec::new(),
            });
    }
    if let Some(rule) = object.rule {
        let table = at(tables, &rule.family, rule.table)?;
        let mut chains = table.chains.iter_mut();
        let chain = chains.find(|chain| chain.name == rule.chain);
        let chain = chain.ok_or_else(|| stray("a rule without its chain"))?;
        chain.rules.push(ObservedRule {
            parts: rule.expr.iter().map(part).collect(),
            comment: rule.comment,
        });
    }
    if let Some(counter) = object.counter {
        let table = at(tables, &counter.family, counter.table)?;
        table.counters.push(counter.name);
    }
    for (kind, named) in object.other {
        let table = at(tables, &named.family, named.table)?;
        table.foreign = Some(format!("{kind} {}", named.name));
    }
    Ok(())
}

fn stray(what: &str) -> NftError {
    NftError::Unreadable(serde::de::Error::custom(what))
}

fn place(family: &str, name: String) -> (Family, String) {
    match family {
        "inet" => (Family::Inet, name),
        "netdev" => (Family::Netdev, name),
        other => (Family::Other, format!("{other} {name}")),
    }
}

fn at<'a>(
    tables: &'a mut [ObservedTable],
    family: &str,
    name: String,
) -> Result<&'a mut ObservedTable, NftError> {
    let (family, name) = place(family, name);
    let mut tables = tables.iter_mut();
    let found = tables.find(|table| table.family == family && table.name == name);
    found.ok_or_else(|| stray("an object without its table"))
}

fn hook(chain: &ChainObject) -> Option<Hook> {
    let point = chain.hook.clone()?;
    let point = match chain.kind.as_deref() {
        Some("filter") => point,
        // Nothing of ours is of another type; its name makes it differ.
        other => format!("{point} of type {}", other.unwrap_or("none")),
    };
    Some(Hook {
        point,
        priority: chain.prio.unwrap_or_default(),
        drops: chain.policy.as_deref() == Some("drop"),
        device: chain.dev.as_ref().map(plain),
    })
}

/// Returns one part of a rule in the normal form.
fn part(expression: &Value) -> String {
    known(expression).unwrap_or_else(|| expression.to_string())
}

fn known(expression: &Value) -> Option<String> {
    let (kind, body) = expression.as_object()?.iter().next()?;
    match kind.as_str() {
        "match" => condition(body.as_object()?),
        "limit" => {
            let unit = body.get("per")?.as_str()?;
            let (rate, burst) = (body.get("rate")?, body.get("burst")?);
            // Anything else that a limit can say changes what it means.
            let said = body.as_object()?.iter();
            let usual = said.filter(|(_, value)| !value.is_null()).count() == 3;
            usual.then(|| format!("limit {rate}/{unit} burst {burst}"))
        }
        "counter" => Some(format!("counter {}", body.as_str()?)),
        "mangle" => {
            let key = left(body.get("key")?)?;
            let value = right(&key, body.get("value")?)?;
            Some(format!("set {key} {value}"))
        }
        "accept" | "drop" if body.is_null() => Some(kind.clone()),
        _ => None,
    }
}

fn condition(body: &Map<String, Value>) -> Option<String> {
    let operator = match body.get("op")?.as_str()? {
        // `in` is how flags are tested for one of several.
        "==" => "==",
        "!=" => "!=",
        _ => return None,
    };
    let left = left(body.get("left")?)?;
    let right = right(&left, body.get("right")?)?;
    Some(format!("{left} {operator} {right}"))
}

fn left(side: &Value) -> Option<String> {
    let (kind, body) = side.as_object()?.iter().next()?;
    match kind.as_str() {
        "meta" | "rt" => Some(format!("{kind} {}", body.get("key")?.as_str()?)),
        "payload" => {
            let (protocol, field) = (body.get("protocol")?, body.get("field")?);
            Some(format!("{} {}", protocol.as_str()?, field.as_str()?))
        }
        "tcp option" => {
            let (name, field) = (body.get("name")?, body.get("field")?);
            Some(format!("tcp option {} {}", name.as_str()?, field.as_str()?))
        }
        "&" => {
            let [field, mask] = body.as_array()?.as_slice() else {
                return None;
            };
            Some(format!("{} & {}", left(field)?, flags(mask)?))
        }
        _ => None,
    }
}

/// Flags come as an array, or as one `|` of two or more.
fn flags(mask: &Value) -> Option<String> {
    let many = match mask {
        Value::Array(many) => many,
        Value::Object(object) => object.get("|")?.as_array()?,
        one => return Some(plain(one)),
    };
    let texts: Option<Vec<String>> = many.iter().map(flags).collect();
    Some(texts?.join("|"))
}

fn right(left: &str, side: &Value) -> Option<String> {
    let set = side.get("set").or(side.is_array().then_some(side));
    let Some(set) = set else {
        return element(left, side);
    };
    if left.contains('&') {
        return flags(side);
    }
    let set = match set {
        Value::Array(elements) => elements.as_slice(),
        one => std::slice::from_ref(one),
    };
    let texts: Option<Vec<String>> = set.iter().map(|one| element(left, one)).collect();
    let mut texts = texts?;
    texts.sort();
    match texts.as_slice() {
        [one] => Some(one.clone()),
        many => Some(format!("{{{}}}", many.join(", "))),
    }
}

fn element(left: &str, element: &Value) -> Option<String> {
    if let Some(prefix) = element.get("prefix") {
        let address = prefix.get("addr")?.as_str()?;
        return Some(format!("{address}/{}", prefix.get("len")?));
    }
    if let Some(range) = element.get("range") {
        let [first, last] = range.as_array()?.as_slice() else {
            return None;
        };
        return Some(format!("{}-{}", plain(first), plain(last)));
    }
    if element.is_object() {
        return flags(element);
    }
    Some(spelt(left, plain(element), element))
}

/// Releases of `nft` print the same value as a number or as a word.
fn spelt(left: &str, text: String, value: &Value) -> String {
    match left {
        "meta ipsec" | "rt ipsec" => match value {
            Value::Bool(true) => "exists".into(),
            Value::Bool(false) => "missing".into(),
            _ => text,
        },
        "meta l4proto" | "ip6 nexthdr" => {
            let known = PROTOCOLS.iter().find(|(word, _)| *word == text);
            known.map_or(text, |(_, number)| (*number).into())
        }
        "ip dscp" | "ip6 dscp" => value.as_u64().map_or(text, mark),
        "meta priority" => text.trim_start_matches("0x").to_owned(),
        _ => text,
    }
}

const PROTOCOLS: [(&str, &str); 7] = [
    ("icmp", "1"),
    ("tcp", "6"),
    ("udp", "17"),
    ("gre", "47"),
    ("esp", "50"),
    ("ipv6-icmp", "58"),
    ("icmpv6", "58"),
];

/// The names of marks (RFC 2474 §4.2.2, RFC 2597 §6, RFC 3246 §2.7).
fn mark(dscp: u64) -> String {
    let (class, low) = (dscp / 8, dscp % 8);
    match (dscp, class, low) {
        (46, ..) => "ef".into(),
        (0..64, _, 0) => format!("cs{class}"),
        (_, 1..=4, 2 | 4 | 6) => format!("af{class}{}", low / 2),
        _ => format!("0x{dscp:02x}"),
    }
}

/// A word without quotes, a number, or whatever it is as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(many) => many.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{add_devices, lacks_devices, tables};
    use crate::error::NftError;

    const HEAD: &str = r#"{"metainfo":{"version":"1.0.6","json_schema_version":1}}"#;

    fn listing(objects: &[&str]) -> Vec<u8> {
        let all: Vec<&str> = std::iter::once(HEAD)
            .chain(objects.iter().copied())
            .collect();
        format!("{{\"nftables\":[{}]}}", all.join(",")).into_bytes()
    }

    const TABLE: &str = r#"{"table":{"family":"inet","name":"sbc","handle":1}}"#;
    const CHAIN: &str = r#"{"chain":{"family":"inet","table":"sbc","name":"input","handle":1,
        "type":"filter","hook":"input","prio":0,"policy":"drop"}}"#;

    fn rule(expr: &str) -> String {
        format!(
            r#"{{"rule":{{"family":"inet","table":"sbc","chain":"input","handle":9,
            "comment":"why","expr":[{expr}]}}}}"#
        )
    }

    fn parts(expr: &str) -> Vec<String> {
        let read = tables(&listing(&[TABLE, CHAIN, &rule(expr)])).unwrap();
        read[0].chains[0].rules[0].parts.clone()
    }

    /// Marks have names (RFC 2474 §4.2.2, RFC 2597 §6, RFC 3246 §2.7).
    #[test]
    fn the_parts_of_a_rule_become_the_normal_form() {
        let sets = r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},
            "right":{"set":["10.0.0.9",{"prefix":{"addr":"10.0.0.0","len":30}}]}}}"#;
        assert_eq!(parts(sets), ["ip saddr == {10.0.0.0/30, 10.0.0.9}"]);
        let more = r#"{"match":{"op":"!=","left":{"meta":{"key":"l4proto"}},"right":"gre"}},
            {"match":{"op":"==","left":{"rt":{"key":"ipsec"}},"right":false}},
            {"match":{"op":"==","left":{"&":[{"payload":{"protocol":"tcp","field":"flags"}},
              ["syn","rst"]]},"right":"syn"}},
            {"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},
              "right":{"range":[16384,32767]}}},
            {"limit":{"rate":10,"burst":5,"per":"second"}},{"counter":"seen"},
            {"mangle":{"key":{"payload":{"protocol":"ip","field":"dscp"}},"value":46}},
            {"drop":null}"#;
        let wanted = [
            "meta l4proto != 47",
            "rt ipsec == missing",
            "tcp flags & syn|rst == syn",
            "udp dport == 16384-32767",
            "limit 10/second burst 5",
            "counter seen",
            "set ip dscp ef",
            "drop",
        ];
        assert_eq!(parts(more), wanted);
    }

    #[test]
    fn what_we_never_make_is_kept_as_it_is_and_equals_nothing_of_ours() {
        let foreign = r#"{"counter":{"packets":1,"bytes":4294967297}},{"jump":{"target":"x"}}"#;
        let parts = parts(foreign);
        assert!(parts[0].contains("4294967297") && parts[1].contains("jump"));
        let owned = r#"{"table":{"family":"inet","name":"x","handle":1,"flags":"dormant"}}"#;
        let set = r#"{"set":{"family":"inet","table":"sbc","name":"s","type":"ipv4_addr"}}"#;
        let nat = r#"{"table":{"family":"ip","name":"nat","handle":2}}"#;
        let read = tables(&listing(&[TABLE, owned, set, nat])).unwrap();
        assert_eq!(read[0].foreign.as_deref(), Some("set s"));
        assert_eq!(read[1].foreign.as_deref(), Some("flags dormant"));
        assert_eq!(read[2].name, "ip nat");
    }

    #[test]
    fn the_device_of_a_chain_comes_from_the_text_where_json_lacks_it() {
        let table = r#"{"table":{"family":"netdev","name":"t","handle":1}}"#;
        let chain = r#"{"chain":{"family":"netdev","table":"t","name":"i","handle":1,
            "type":"filter","hook":"ingress","prio":0,"policy":"drop"}}"#;
        let mut read = tables(&listing(&[table, chain])).unwrap();
        assert!(lacks_devices(&read));
        let text = "table netdev u {\n\tchain i {\n\t\ttype filter hook ingress device \"x\" \
            priority 0; policy drop;\n\t}\n}\ntable netdev t {\n\tchain i {\n\t\ttype filter \
            hook ingress device \"port.20\" priority filter; policy drop;\n\t}\n}\n";
        add_devices(&mut read, text);
        let hook = read[0].chains[0].hook.as_ref().unwrap();
        assert_eq!(hook.device.as_deref(), Some("port.20"));
        assert!(!lacks_devices(&read));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_never_an_empty_rule_set() {
        let bad: [&[u8]; 5] = [
            b"",
            b"{}",
            b"null",
            br#"{"nftables":[]}"#,
            b"{\"nftables\":",
        ];
        for bad in bad {
            assert!(matches!(tables(bad), Err(NftError::Unreadable(_))));
        }
        let stray = rule(r#"{"drop":null}"#);
        assert!(tables(&listing(&[TABLE, &stray])).is_err());
        assert!(tables(&listing(&[])).unwrap().is_empty());
    }
}
