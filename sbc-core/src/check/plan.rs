//! `sbc plan FILE`: a configuration comes in, what its node would do to the
//! network of a machine that was just switched on goes out; or, with `--reach`,
//! everything that the rules leave open.

use std::process::ExitCode;

use sbc_config::{Checked, Node, Severity, check, render};
use sbc_plan::reach::{Breach, breaches, matrix, strays};
use sbc_plan::{Desired, Observed, Ports, Users, desired, plan};
use serde_json::{Value, json};

use super::{ERRORS, WRONG_USAGE, answer, complain, read};

const USAGE: &str = "\
usage: sbc plan FILE [--reach] [--json]

Nothing is asked of this machine. FILE may be - for standard input.
Exit: 0 good, 1 errors of the file, or something open that nobody listed,
64 wrong usage.
";

/// What was asked.
#[derive(Debug, Default)]
struct Asked<'a> {
    file: &'a str,
    reach: bool,
    json: bool,
}

impl<'a> Asked<'a> {
    fn of(words: &[&'a str]) -> Option<Self> {
        let mut asked = Self::default();
        for word in words {
            match *word {
                "--reach" => asked.reach = true,
                "--json" => asked.json = true,
                file if asked.file.is_empty() && (file == "-" || !file.starts_with('-')) => {
                    asked.file = file;
                }
                _ => return None,
            }
        }
        (!asked.file.is_empty()).then_some(asked)
    }
}

/// Takes the words behind `plan`; returns the exit status.
pub(super) fn run(words: &[&str]) -> ExitCode {
    let Some(asked) = Asked::of(words) else {
        eprint!("{USAGE}");
        return ExitCode::from(WRONG_USAGE);
    };
    let text = match read(asked.file) {
        Ok(text) => text,
        Err(error) => return complain(&format!("cannot read {}: {error}", asked.file)),
    };
    let Checked { node, problems } = check(&text);
    let Some(node) = node else {
        let errors: Vec<_> = problems
            .into_iter()
            .filter(|problem| problem.severity() == Severity::Error)
            .collect();
        let told = if asked.json {
            render::json(asked.file, &text, &errors) + "\n"
        } else {
            render::text(asked.file, &text, &errors)
        };
        return answer(&told, ERRORS);
    };
    let users = Users::default();
    let desired = desired(&node, &Ports::new(), &users);
    if asked.reach {
        reach(&node, &desired, &users, asked.json)
    } else {
        steps(&desired, asked.json)
    }
}

fn steps(desired: &Desired, as_json: bool) -> ExitCode {
    let plan = plan(desired, &Observed::bare(desired));
    if !as_json {
        return answer(&plan.to_string(), 0);
    }
    let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    let rules = desired.firewall.rules().map(|(table, chain, rule)| {
        json!({
            "family": table.family.word(),
            "table": table.name,
            "chain": chain.name,
            "rule": rule.to_string(),
            "counter": rule.counter,
            "enforces": rule.sentence,
        })
    });
    let rules: Vec<Value> = rules.collect();
    let whole = json!({ "steps": steps, "rules": rules });
    answer(&format!("{whole}\n"), 0)
}

fn reach(node: &Node, desired: &Desired, users: &Users, as_json: bool) -> ExitCode {
    let open = matrix(desired);
    let mut beyond: Vec<String> = breaches(node, desired, users, &open)
        .iter()
        .map(Breach::to_string)
        .collect();
    let stray = strays(desired);
    beyond.extend(
        stray
            .iter()
            .map(|(link, frame)| format!("{link}: {frame:?} passes")),
    );
    let status = if beyond.is_empty() { 0 } else { ERRORS };
    let told = if as_json {
        let lines: Vec<String> = open.to_string().lines().map(str::to_owned).collect();
        let whole = json!({ "open": lines, "forwards": open.forwards, "breaches": beyond });
        format!("{whole}\n")
    } else if beyond.is_empty() {
        format!("{open}nothing is open but what is listed\n")
    } else {
        format!("{open}OPEN AND NOT LISTED\n  {}\n", beyond.join("\n  "))
    };
    answer(&told, status)
}
