//! A transcript of one sitting, word for word. `UPDATE_GOLDEN=1` writes it anew.

use super::node::Node;

/// What is typed; the booted image hears the same at its serial port.
const TYPED: &str = include_str!("sitting.txt");

#[test]
fn one_sitting_reads_as_it_is_written_down() {
    let node = Node::start("transcript", 18);
    let told = node.follows_each(TYPED);
    let told = masked(&told);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/console/transcript.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &told).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), told);
    assert!(told.lines().all(|line| line.len() <= 80 && line.is_ascii()));
}

/// Times differ from run to run.
fn masked(text: &str) -> String {
    let words = text.split_inclusive(' ');
    let mut out = String::new();
    for word in words {
        let digits = word.trim_start_matches('(').trim_end();
        if word.starts_with('(') && digits.parse::<u32>().is_ok() {
            out.push_str("(N ");
        } else {
            out.push_str(word);
        }
    }
    out
}
