//! The file beside a message comes in, what the message deserves goes out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

/// What a message deserves, over each transport.
///
/// An outcome is `accept`, a status, `drop`, or what is no message: `ping`, `pong`,
/// `nothing`. A stream has one for each message, and after the last `close` if the
/// framing is lost or `waits` if octets are held for a message that is not whole.
#[derive(Debug)]
pub struct Verdict {
    pub datagram: String,
    pub stream: String,
    /// What must be readable, by the names `reads` knows.
    pub reads: BTreeMap<String, Vec<String>>,
}

impl Verdict {
    /// Returns the verdict beside the message `set`/`name`.
    pub fn of(set: &str, name: &str) -> Self {
        let path = folder(set).join(format!("{name}.verdict"));
        let text = std::fs::read_to_string(&path).expect("every message has a verdict beside it");
        let table =
            DeTable::parse(&text).unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display()));
        let table = table.get_ref();
        for known in table.keys() {
            let known = known.get_ref().as_ref();
            assert!(
                ["section", "says", "datagram", "stream", "reads"].contains(&known),
                "{known}"
            );
        }
        let word = |key: &str| words(table[key].get_ref()).join(", ");
        assert!(
            word("section").starts_with("RFC "),
            "{name} does not say which section it follows"
        );
        assert!(!word("says").is_empty(), "{name} does not say why");
        let reads = table
            .get("reads")
            .and_then(|reads| reads.get_ref().as_table());
        let reads = reads.into_iter().flatten();
        Self {
            datagram: word("datagram"),
            stream: word("stream"),
            reads: reads
                .map(|(key, value)| (key.get_ref().to_string(), words(value.get_ref())))
                .collect(),
        }
    }
}

/// Returns the octets of the message `set`/`name`.
pub fn octets(set: &str, name: &str) -> Vec<u8> {
    std::fs::read(folder(set).join(format!("{name}.dat"))).expect("the message is there")
}

/// Returns the names of all messages of `set`.
pub fn names(set: &str) -> Vec<String> {
    let files = std::fs::read_dir(folder(set)).expect("the set is there");
    let mut names: Vec<String> = files
        .map(|file| file.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "dat"))
        .map(|path| {
            path.file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

fn folder(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("torture")
        .join(set)
}

fn words(value: &DeValue<'_>) -> Vec<String> {
    match value {
        DeValue::String(text) => vec![text.to_string()],
        DeValue::Integer(number) => vec![number.as_str().to_owned()],
        DeValue::Array(all) => all.iter().flat_map(|one| words(one.get_ref())).collect(),
        other => panic!("{} has no place in a verdict", other.type_str()),
    }
}
