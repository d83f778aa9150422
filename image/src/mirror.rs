//! The host's own apt sources come in, one source for another suite of the same
//! mirror goes out: no mirror is named in this repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Suites whose mirror also has the suite we take packages from.
const SUITES: [&str; 6] = ["bookworm", "trixie", "forky", "sid", "stable", "oldstable"];

/// One mirror of Debian's archive as this machine knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mirror {
    uri: String,
    /// Options as deb822 fields, whole lines.
    options: Vec<String>,
}

impl Mirror {
    /// Returns the mirror this machine installs Debian from, if it has one.
    #[must_use]
    pub fn of_this_machine() -> Option<Self> {
        let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
        let parts = fs::read_dir("/etc/apt/sources.list.d")
            .into_iter()
            .flatten();
        let mut parts: Vec<PathBuf> = parts.flatten().map(|entry| entry.path()).collect();
        parts.sort();
        files.extend(parts);
        files
            .iter()
            .filter_map(|file| Some((file, fs::read_to_string(file).ok()?)))
            .find_map(|(file, text)| Self::of_file(file, &text))
    }

    /// Returns the first mirror in a file of sources: one line for each in a
    /// `.list`, one stanza for each in a `.sources` (`sources.list(5)`).
    #[must_use]
    pub fn of_file(file: &Path, text: &str) -> Option<Self> {
        match file.extension().and_then(|end| end.to_str()) {
            Some("list") => text.lines().find_map(of_line),
            Some("sources") => of_stanzas(text),
            _ => None,
        }
    }

    /// Returns a `.sources` file with this suite of the mirror and nothing else.
    #[must_use]
    pub fn suite(&self, suite: &str) -> String {
        let mut text = format!(
            "Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\n",
            self.uri
        );
        for option in &self.options {
            text.push_str(option);
            text.push('\n');
        }
        text
    }
}

fn of_line(line: &str) -> Option<Mirror> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    if !SUITES.contains(&suite) || !words.any(|word| word == "main") {
        return None;
    }
    let options = options.split_whitespace().filter_map(|option| {
        let (key, value) = option.split_once('=')?;
        let field = match key {
            "signed-by" => "Signed-By",
            "trusted" => "Trusted",
            _ => return None,
        };
        Some(format!("{field}: {}", value.replace(',', " ")))
    });
    Some(Mirror {
        uri: uri.to_owned(),
        options: options.collect(),
    })
}

fn of_stanzas(text: &str) -> Option<Mirror> {
    let kept: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    kept.split("\n\n").find_map(of_stanza)
}

fn of_stanza(stanza: &str) -> Option<Mirror> {
    let words = |field: &str| -> Vec<String> {
        let lines = field_lines(stanza, field);
        let joined = lines.join(" ");
        let values = joined.split_once(':').map(|(_, values)| values);
        let values = values.unwrap_or_default().split_whitespace();
        values.map(str::to_owned).collect()
    };
    let fits = words("types").iter().any(|word| word == "deb")
        && words("components").iter().any(|word| word == "main")
        && words("enabled").iter().all(|word| word == "yes")
        && words("suites")
            .iter()
            .any(|word| SUITES.contains(&word.as_str()));
    let uri = words("uris").into_iter().next().filter(|_| fits)?;
    let options = ["signed-by", "trusted"]
        .into_iter()
        .flat_map(|field| field_lines(stanza, field))
        .map(str::to_owned)
        .collect();
    Some(Mirror { uri, options })
}

/// Returns a field's line and the lines that continue it.
fn field_lines<'a>(stanza: &'a str, field: &str) -> Vec<&'a str> {
    let starts = |line: &str| {
        line.split_once(':')
            .is_some_and(|(key, _)| key.eq_ignore_ascii_case(field))
    };
    let mut lines = stanza.lines().skip_while(|line| !starts(line));
    let first = lines.next();
    let more = lines.take_while(|line| line.starts_with([' ', '\t']));
    first.into_iter().chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANZAS: &str = "# first, somebody else's
Types: deb
URIs: https://other.example/apt
Suites: nodistro
Components: main

Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
";

    #[test]
    fn a_stanza_keeps_its_mirror_and_key_and_changes_its_suite() {
        let mirror = Mirror::of_file(Path::new("debian.sources"), STANZAS).unwrap();
        assert_eq!(
            mirror.suite("trixie"),
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n\
             Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n AAAA\n"
        );
    }

    #[test]
    fn a_line_keeps_its_mirror_and_key_and_changes_its_suite() {
        let text = "deb http://s.example/debian-security bookworm-security main\n\
            deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n";
        let mirror = Mirror::of_file(Path::new("sources.list"), text).unwrap();
        assert_eq!(
            mirror.suite("trixie"),
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n\
             Signed-By: /k.gpg\n"
        );
    }

    #[test]
    fn sources_of_others_are_no_mirror() {
        let text =
            "deb https://other.example/apt cloud-sdk-bookworm main\n# deb http://a bookworm main\n";
        assert_eq!(Mirror::of_file(Path::new("other.list"), text), None);
        let off = STANZAS.replace("Components: main contrib", "Enabled: no\nComponents: main");
        assert_eq!(Mirror::of_file(Path::new("debian.sources"), &off), None);
        assert_eq!(Mirror::of_file(Path::new("notes.txt"), STANZAS), None);
    }
}
