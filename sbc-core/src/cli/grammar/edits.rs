//! Every command behind `#`, and the whole tree: these rows after those of the other
//! prompt.

use super::super::here::Here;
use super::Mode::Configuration;
use super::Role::Admin;
use super::forms::row;
use super::{Act, Row, absent, table};

const fn edit(syntax: &'static str, here: Here, help: &'static str) -> Row {
    row(Configuration, Admin, syntax, Act::Here(here), "", help)
}

/// Behind `#`.
const EDITS: &[Row] = &[
    edit("set PATH...", Here::Set, "give a key a value"),
    edit("delete PATH...", Here::Delete, "take a key or a table away"),
    edit(
        "rename KIND NAME to OTHERNAME",
        Here::Rename,
        "give a named table another name, also where it is used",
    ),
    edit(
        "copy PATH...",
        Here::Copy,
        "copy KIND NAME to OTHERNAME, or the value of a KEY to another KEY",
    ),
    edit(
        "insert route NAME (before|after) OTHERNAME",
        Here::Insert,
        "put a route before or after another",
    ),
    edit(
        "annotate PATH...",
        Here::Annotate,
        "put a comment above a key or table",
    ),
    edit(
        "activate PATH...",
        Here::Activate,
        "use a named table again",
    ),
    edit(
        "deactivate PATH...",
        Here::Deactivate,
        "set a named table aside",
    ),
    edit("edit PATH...", Here::Edit, "go into a table"),
    edit("up", Here::Up, "go out of a table"),
    edit("top", Here::Top, "go out of all tables"),
    edit("show [PATH...]", Here::ShowCandidate, "the candidate"),
    edit(
        "compare [REVISION]",
        Here::Compare,
        "what the candidate changes, and what that does to calls",
    ),
    edit("run COMMAND...", Here::Run, "an operational command"),
    edit(
        "load (merge|override) terminal",
        Here::Load,
        "take set lines or TOML until Ctrl-D",
    ),
    edit(
        "load patch terminal",
        Here::LoadPatch,
        "take what 'compare' printed, if the candidate has what it begins from",
    ),
    edit("validate", Here::Validate, "check the candidate"),
    edit(
        "commit [comment TEXT...]",
        Here::Commit,
        "make the candidate live, and keep it",
    ),
    edit("commit check", Here::Validate, "check the candidate"),
    edit(
        "commit at TIME [comment TEXT...]",
        Here::CommitAt,
        "make it live at 23:30, or at 2026-12-24T23:30, UTC",
    ),
    edit(
        "commit drain TIME [comment TEXT...]",
        Here::CommitDrain,
        "make it live when no call is left where it cuts, or after 90s, 5m, 2h",
    ),
    edit(
        "commit cancel",
        Here::CommitCancel,
        "take back a commit that waits for its time",
    ),
    edit(
        "commit confirmed [MINUTES] [comment TEXT...]",
        Here::CommitConfirmed,
        "make it live, and go back unless confirm follows",
    ),
    edit("confirm", Here::Confirm, "keep what was committed"),
    edit(
        "rollback [REVISION]",
        Here::Rollback,
        "bring an earlier revision into the candidate",
    ),
    edit(
        "discard",
        Here::Discard,
        "forget the changes of the candidate",
    ),
    edit(
        "status",
        Here::Status,
        "which revision is live, and who edits",
    ),
    edit("explain CODE", Here::Explain, "what a code means"),
    edit(
        "help [TOPIC...]",
        Here::Help,
        "how to use this console, or a command",
    ),
    edit("exit", Here::Leave, "leave the table or the configuration"),
];

/// Behind `>`, with and without something behind it, and behind `#`.
const PARTS: [&[Row]; 3] = [table::ROWS, absent::ROWS, EDITS];

const COUNT: usize = table::ROWS.len() + absent::ROWS.len() + EDITS.len();

/// The tree.
pub const ROWS: &[Row] = &joined();

#[expect(
    clippy::indexing_slicing,
    reason = "both lengths are known where this is computed, when the program is compiled"
)]
const fn joined() -> [Row; COUNT] {
    let mut all = [EDITS[0]; COUNT];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut row = 0;
        while row < PARTS[part].len() {
            all[at] = PARTS[part][row];
            (at, row) = (at + 1, row + 1);
        }
        part += 1;
    }
    all
}
