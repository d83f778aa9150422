//! The operator's file: TOML text comes in, a [`Node`] that makes sense goes
//! out, or every problem of the file at once. No SIP grammar, no kernel.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod assemble;
mod checks;
pub mod codes;
pub mod country;
mod draft;
pub mod edit;
pub mod file;
mod language;
pub mod name;
pub mod network;
pub mod node;
pub mod number;
pub mod pattern;
pub mod peer;
pub mod render;
pub mod report;
pub mod route;
pub mod rules;
pub mod schema;
pub mod tree;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use codes::Code;
pub use country::Country;
pub use name::{Name, PeerName};
pub use network::{Network, Path, Zone};
pub use node::Node;
pub use number::Number;
pub use pattern::Pattern;
pub use peer::{Admission, Mediation, Peer, Socket, Transport, Trunk};
pub use report::{Problem, Severity};
pub use route::Route;
pub use rules::{NumberRules, Numbers};
pub use tree::MAX_FILE;

use file::tables::{NodeFile, VERSION};
use report::Report;

/// What became of a file.
#[derive(Debug)]
pub struct Checked {
    /// The node, if no problem is an error.
    pub node: Option<Node>,
    /// All problems, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Takes the text of a configuration; returns the node it describes and
/// everything that is wrong with it. Nothing outside the text is asked.
pub fn check(text: &str) -> Checked {
    check_with(text, None)
}

/// Does the same, and asks the secret store too: `secrets` says what it has, by
/// name, and how many octets each has.
pub fn check_with(text: &str, secrets: Option<&BTreeMap<String, usize>>) -> Checked {
    let mut report = Report::default();
    let root = tree::read(text, &mut report);
    let mut node = None;
    if let Some(problem) = too_new(&root) {
        report = Report::default();
        report.add(problem);
    } else {
        let file = NodeFile::read_table(&root, &(0..0), true, &mut report);
        checks::misplaced(&root, &mut report);
        let draft = draft::Draft::new(&file, secrets);
        checks::run(&draft, &mut report);
        if !report.has_errors() {
            node = assemble::node(&draft);
        }
    }
    let mut problems = report.into_problems();
    for problem in &mut problems {
        problem.path = tree::path_of(&root, &problem.span);
    }
    Checked { node, problems }
}

/// A file of a later version says things this image cannot judge.
fn too_new(root: &tree::Table) -> Option<Problem> {
    let version = root.get("config-version")?;
    let tree::Value::Integer(Some(number)) = version.value else {
        return None;
    };
    (number > VERSION).then(|| {
        let message = alloc::format!("config-version {number} is newer than this image reads");
        let problem = Problem::new(codes::TOO_NEW, &version.span, message).label("too new");
        problem.help(alloc::format!(
            "this image reads config-version = {VERSION}"
        ))
    })
}
