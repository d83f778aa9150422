//! The text of a Rust file comes in, and is split into code, comments and strings.

/// A comment or a string, and the line it starts on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    pub line: usize,
    pub text: String,
}

/// Returns the code with everything else blanked, the comments, and the strings.
pub fn split(text: &str) -> (String, Vec<Piece>, Vec<Piece>) {
    let mut lexer = Lexer {
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        code: text.as_bytes().to_vec(),
    };
    let mut comments = Vec::new();
    let mut strings = Vec::new();
    while let Some(found) = lexer.next_piece() {
        match found {
            Found::Comment(piece) => comments.push(piece),
            Found::String(piece) => strings.push(piece),
        }
    }
    let code = String::from_utf8(lexer.code).expect("whole characters are blanked");
    (code, comments, strings)
}

enum Found {
    Comment(Piece),
    String(Piece),
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    code: Vec<u8>,
}

impl Lexer<'_> {
    fn next_piece(&mut self) -> Option<Found> {
        loop {
            let rest = self.bytes.get(self.at..)?;
            let first = *rest.first()?;
            if rest.starts_with(b"//") {
                let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                return Some(Found::Comment(self.blank(end)));
            }
            if rest.starts_with(b"/*") {
                return Some(Found::Comment(self.blank(block_comment(rest))));
            }
            let in_name = self.at > 0 && super::is_word(self.bytes[self.at - 1]);
            let quoted = first == b'"' || (!in_name && matches!(first, b'r' | b'b' | b'c'));
            if quoted && let Some(length) = string(rest) {
                return Some(Found::String(self.blank(length)));
            }
            if first == b'\''
                && let Some(length) = character(rest)
            {
                self.blank(length);
                continue;
            }
            self.line += usize::from(first == b'\n');
            self.at += 1;
        }
    }

    /// Blanks the next `length` bytes and steps over them.
    fn blank(&mut self, length: usize) -> Piece {
        let range = self.at..self.at + length;
        let text = String::from_utf8_lossy(&self.bytes[range.clone()]).into_owned();
        let piece = Piece {
            line: self.line,
            text,
        };
        for byte in &mut self.code[range] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        self.line += piece.text.matches('\n').count();
        self.at += length;
        piece
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Returns the length of the string that starts here, with prefix and quotes.
fn string(rest: &[u8]) -> Option<usize> {
    let prefix = rest
        .iter()
        .take(2)
        .take_while(|b| matches!(b, b'r' | b'b' | b'c'))
        .count();
    let raw = rest[..prefix].contains(&b'r');
    let hashes = rest[prefix..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') || (hashes > 0 && !raw) {
        return None;
    }
    let mut at = prefix + hashes + 1;
    if raw {
        let close = [&b"\""[..], &vec![b'#'; hashes]].concat();
        let found = rest[at..].windows(close.len()).position(|w| w == close);
        return Some(found.map_or(rest.len(), |found| at + found + close.len()));
    }
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    Some(rest.len())
}

/// Returns the length of the character that starts here, or `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|&b| b == b'\'')?;
        return Some(close + 4);
    }
    let width = match rest.get(1)? {
        0x00..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}
