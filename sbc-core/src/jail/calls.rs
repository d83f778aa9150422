//! The system calls of a row come in; all others end the process from here on
//! (seccomp, mode filter).

use anyhow::Context;
use seccompiler::TargetArch;
use serde_json::{Value, json};

use super::Row;
use super::table::Only;

/// Closes all system calls but the row's.
///
/// # Errors
/// When a name is unknown to this kind of machine, or the kernel refuses.
pub fn confine(row: &Row) -> anyhow::Result<()> {
    // The last one closes the door through which filters come.
    for filter in [without_clone3(row), filter(row)] {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let text = filter.to_string();
        let made = seccompiler::compile_from_json(text.as_bytes(), arch)?;
        let program = made.get(row.word).context("no filter was made")?;
        seccompiler::apply_filter(program)?;
    }
    Ok(())
}

/// The flags of `clone3` lie in memory, where no filter looks: it is not there
/// (`ENOSYS`), and the C library takes `clone`, whose flags are looked at.
fn without_clone3(row: &Row) -> Value {
    const NOT_THERE: u32 = 38;
    json!({ row.word: {
        "mismatch_action": "allow",
        "match_action": { "errno": NOT_THERE },
        "filter": [{ "syscall": "clone3" }],
    }})
}

fn filter(row: &Row) -> Value {
    let rules: Vec<Value> = row
        .calls()
        .map(|(name, only, _)| rule(name, only))
        .collect();
    json!({ row.word: {
        "mismatch_action": "kill_process",
        "match_action": "allow",
        "filter": rules,
    }})
}

fn rule(name: &str, only: Only) -> Value {
    let argument = |index: u8, operation: Value, value: u64| {
        json!({ "syscall": name, "args": [
            { "index": index, "type": "dword", "op": operation, "val": value },
        ]})
    };
    match only {
        Only::Any => json!({ "syscall": name }),
        Only::Is(index, value) => argument(index, json!("eq"), value),
        Only::Without(index, bits) => argument(index, json!({ "masked_eq": bits }), 0),
    }
}
