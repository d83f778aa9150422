//! The tree of commands comes in, `docs/console.md` goes out.

use super::foreign::ALIASES;
use super::grammar::{Act, Mode, ROWS, Row};
use super::pipe::PIPES;

/// Returns the page of all commands.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Commands of the console\n\nWritten by `sbc cli --markdown`; the table of commands is its source. `[a]` may be left\nout, `(a|b)` is a choice, words in capitals are yours. Any word may be shortened as long\nas it is the only one. `?` shows what can follow, the tab key completes.\n",
    );
    let parts = [
        ("Behind `>`: operation", Mode::Operational),
        ("Behind `#`: configuration", Mode::Configuration),
    ];
    for (title, mode) in parts {
        out.push_str(&format!(
            "\n## {title}\n\n| command | role | meaning |\n|---|---|---|\n"
        ));
        for row in ROWS.iter().filter(|row| row.mode == mode) {
            out.push_str(&line(row));
        }
    }
    out.push_str("\n## Behind `|`\n\n| pipe | leaves |\n|---|---|\n");
    for (syntax, help) in PIPES {
        out.push_str(&format!("| `{syntax}` | {help} |\n"));
    }
    out.push_str("\n## Words of other boxes\n\n| there | here |\n|---|---|\n");
    for (there, here) in ALIASES {
        out.push_str(&format!("| `{there}` | `{here}` |\n"));
    }
    out
}

fn line(row: &Row) -> String {
    let syntax = row.syntax.replace('|', "\\|");
    let later = match row.act {
        Act::Later => " **Nothing is behind it in this image.**",
        _ => "",
    };
    format!(
        "| `{syntax}` | {} | {}.{later} |\n",
        row.role.word(),
        row.help
    )
}
