//! What scenes showed comes in, one file for a browser goes out.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Shown;

/// The report while it grows.
#[derive(Debug, Default)]
pub struct Report {
    scenes: String,
    texts: String,
}

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
padding:0 1rem}table{border-collapse:collapse;width:100%}td{padding:.25rem .6rem;\
border-bottom:1px solid #ddd}td:last-child{text-align:right}.failed{background:#fdd}\
pre{background:#f6f6f6;padding:.8rem;overflow-x:auto;font-size:13px}\
img{max-width:100%;border:1px solid #ddd;margin:.5rem 0}";

impl Report {
    /// Adds a row for a scene.
    pub fn scene(&mut self, name: &str, shown: &Shown, took: Duration) {
        let (class, said) = match shown {
            Ok(said) => ("passed", said),
            Err(said) => ("failed", said),
        };
        let (name, said) = (escaped(name), escaped(said));
        // Writing to a text cannot fail.
        let _ = writeln!(
            self.scenes,
            "<tr class={class}><td>{name}<td>{said}<td>{:.1} s",
            took.as_secs_f64()
        );
    }

    /// Adds a text under a heading.
    pub fn text(&mut self, heading: &str, text: &str) {
        let (heading, text) = (escaped(heading), escaped(text));
        let _ = writeln!(self.texts, "<h2>{heading}</h2>\n<pre>{text}</pre>");
    }

    /// Writes `report.html` into the folder, with each ladder that lies there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, String> {
        let path = folder.join("report.html");
        let mut ladders: Vec<String> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|file| file.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".svg"))
            .collect();
        ladders.sort();
        let ladders: String = ladders
            .iter()
            .map(|name| format!("<img src=\"{0}\" alt=\"{0}\">\n", escaped(name)))
            .collect();
        let page = format!(
            "<!doctype html>\n<meta charset=utf-8>\n<title>sbc: the demo</title>\n\
             <style>{STYLE}</style>\n<h1>What the demo showed</h1>\n<table>\n{}</table>\n{}\
             <h2>Ladders</h2>\n{ladders}",
            self.scenes, self.texts
        );
        std::fs::write(&path, page).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

/// Returns the text with what means something to a browser taken out of it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_peer_said_is_markup_in_the_report() {
        let folder = std::env::temp_dir().join(format!("sbc-report-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut report = Report::default();
        let hostile = Err("<script>\u{1b}[2J".to_owned());
        report.scene("a & b", &hostile, Duration::from_millis(1_500));
        report.text("console", "\"<img onerror=x>\"\r\n");
        let path = report.write(&folder).unwrap();
        let page = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(
            page.contains("<tr class=failed><td>a &amp; b<td>&lt;script&gt;\u{fffd}[2J<td>1.5 s")
        );
        assert!(page.contains("&quot;&lt;img onerror=x&gt;&quot;\u{fffd}\n"));
        assert!(!page.contains("<script"));
    }
}
