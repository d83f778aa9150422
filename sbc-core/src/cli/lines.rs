//! A file as lines that survive any terminal: what [`super::capture::as_text`] wrote
//! comes in, as somebody pasted it, and the file goes out if its hash is right.

use sha2::{Digest, Sha256};

/// Returns the file between the two lines that name it; what stands before and
/// behind them, and empty lines, are passed over.
///
/// # Errors
/// What is wrong with it, as a sentence for people.
pub fn file_of(text: &str) -> Result<Vec<u8>, String> {
    let mut lines = text.lines().map(str::trim);
    let begin = lines
        .find_map(|line| line.strip_prefix("begin "))
        .ok_or("no line begins with 'begin'")?;
    let octets = begin.split(' ').nth(1).and_then(|word| word.parse().ok());
    let octets: usize = octets.ok_or("the first line names no length")?;
    let mut file = Vec::new();
    for line in lines {
        if let Some(hash) = line.strip_prefix("end sha256 ") {
            let found = Sha256::digest(&file);
            let found: String = found.iter().map(|octet| format!("{octet:02x}")).collect();
            let whole = file.len() == octets && found == hash;
            return if whole {
                Ok(file)
            } else {
                Err("characters were lost or changed on the way: paste it again".to_owned())
            };
        }
        let part = unbase64(line).ok_or_else(|| format!("not base64: {}", super::clean(line)))?;
        file.extend(part);
    }
    Err("the last line, 'end sha256', is missing".to_owned())
}

/// Reads base64 (RFC 4648 §4), one line of whole groups.
fn unbase64(line: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len() / 4 * 3);
    let padding = line
        .bytes()
        .rev()
        .take_while(|&octet| octet == b'=')
        .count();
    let digits = line.as_bytes().get(..line.len() - padding)?;
    if !line.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for octet in group {
            bits = bits << 6 | u32::from(value(*octet)?);
        }
        bits <<= 6 * (4 - group.len());
        let [_, octets @ ..] = bits.to_be_bytes();
        out.extend_from_slice(octets.get(..group.len() - 1)?);
    }
    Some(out)
}

fn value(octet: u8) -> Option<u8> {
    match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::capture::as_text;
    use super::*;

    /// The forms of RFC 4648 §4: with two, one and no characters of padding.
    #[test]
    fn a_file_of_any_length_comes_back_from_its_lines() {
        for length in 0..200 {
            let file: Vec<u8> = (0..length).map(|at: u8| at.wrapping_mul(37)).collect();
            let text = as_text("node.backup", &file);
            assert_eq!(file_of(&text).as_ref(), Ok(&file), "{text}");
            let pasted = format!("> show it\r\n{}\r\nlab> ", text.replace('\n', "\r\n"));
            assert_eq!(file_of(&pasted), Ok(file));
        }
    }

    #[test]
    fn lines_that_lost_or_changed_a_character_are_refused() {
        let text = as_text("node.backup", &[7; 300]);
        assert!(file_of(&text.replacen("Bwc", "Bwd", 1)).is_err());
        assert!(file_of(&text.replacen("Bwc", "Bw", 1)).is_err());
        let mut lines: Vec<&str> = text.lines().collect();
        lines.remove(2);
        assert!(file_of(&lines.join("\n")).is_err());
        assert!(file_of(&text.replace("end sha256", "end")).is_err());
        assert!(file_of("").is_err());
        assert!(file_of("begin x many octets\nend sha256 0\n").is_err());
        assert!(file_of("begin x 1 octets\n=A==\nend sha256 0\n").is_err());
    }
}
