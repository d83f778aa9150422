//! The manifest of the fuzz targets comes in, the name of each goes out.

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

#[cfg(test)]
mod tests {
    #[test]
    fn only_programs_are_targets() {
        let manifest = "[package]\nname = \"fuzz\"\n[[bin]]\nname = \"wire\"\npath = \"a.rs\"\n[[bin]]\nname = \"uri\"\n";
        assert_eq!(super::targets(manifest), ["wire", "uri"]);
    }
}
