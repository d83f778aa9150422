//! The manifest of the fuzz targets comes in, the name of each goes out;
//! so does what it said.

/// Returns the names in the `[[bin]]` tables of a manifest.
pub fn targets(manifest: &str) -> Vec<String> {
    let mut in_bin = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            in_bin = line == "[[bin]]";
        }
        if let Some(name) = line.strip_prefix("name = \"").filter(|_| in_bin) {
            names.push(name.trim_end_matches('"').to_owned());
        }
    }
    names
}

/// Returns the count in the line a target ends with, as in
/// `wire: 1200 runs from 14 seeds, …`.
pub fn runs(said: &str) -> Option<String> {
    let (_, counts) = said.lines().last()?.split_once(": ")?;
    let (runs, _) = counts.split_once(" runs")?;
    Some(format!("{runs} runs"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_target_tells_how_often_it_ran() {
        let said = "wire: 1200 runs from 14 seeds, slowest 3ms\n";
        assert_eq!(super::runs(said).as_deref(), Some("1200 runs"));
        assert_eq!(super::runs("something else"), None);
    }

    #[test]
    fn only_programs_are_targets() {
        let manifest = "[package]\nname = \"fuzz\"\n[[bin]]\nname = \"wire\"\npath = \"a.rs\"\n[[bin]]\nname = \"uri\"\n";
        assert_eq!(super::targets(manifest), ["wire", "uri"]);
    }
}
