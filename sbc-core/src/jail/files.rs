//! The folders of a row come in; Landlock closes all others. A kernel without
//! Landlock leaves this gate open: the others hold.

use landlock::{
    ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
};

use super::{Row, from_environment};

/// The newest rules we know; an older kernel keeps those it knows.
const RULES: ABI = ABI::V5;

/// Closes all files but those below the row's folders, for ever.
///
/// # Errors
/// When the kernel has Landlock and refuses.
pub fn confine(row: &Row) -> anyhow::Result<()> {
    let all = AccessFs::from_all(RULES);
    let mut rules = Ruleset::default().handle_access(all)?.create()?;
    for (folder, writes) in row.folders(&from_environment) {
        // A folder that is not there needs no rule.
        let Ok(place) = PathFd::new(&folder) else {
            continue;
        };
        let access = if writes {
            all & !AccessFs::Execute
        } else {
            AccessFs::ReadFile | AccessFs::ReadDir
        };
        rules = rules.add_rule(PathBeneath::new(place, access))?;
    }
    for file in row.reads {
        if let Ok(place) = PathFd::new(file) {
            rules = rules.add_rule(PathBeneath::new(place, AccessFs::ReadFile))?;
        }
    }
    for folder in row.lists {
        if let Ok(place) = PathFd::new(folder) {
            rules = rules.add_rule(PathBeneath::new(place, AccessFs::ReadDir))?;
        }
    }
    rules.restrict_self()?;
    Ok(())
}
