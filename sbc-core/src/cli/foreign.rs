//! Words of other boxes: a line as it is typed there comes in, the line of ours
//! that means the same goes out.

/// What is typed elsewhere, and what it is here. A `*` takes over what follows.
pub const ALIASES: [(&str, &str); 12] = [
    ("show call active voice brief", "show calls"),
    ("show call active voice", "show calls"),
    ("show voip calls active", "show calls"),
    ("show sipd invite", "show counters"),
    ("show running-config", "show configuration"),
    ("sngrep", "show calls"),
    ("conf t", "configure"),
    ("configure terminal", "configure"),
    ("wr mem", "commit"),
    ("write memory", "commit"),
    ("save-config", "commit"),
    ("activate-config", "commit"),
];

/// Returns our line for a line of another box.
#[must_use]
pub fn native(line: &str) -> Option<&'static str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let typed = words.join(" ");
    let row = ALIASES.iter().find(|(foreign, _)| *foreign == typed);
    row.map(|(_, ours)| *ours)
}
