//! Octets of a growing buffer in, the end of a head out; each octet is looked at once
//! however the buffer grew (RFC 3261 §7, §7.5).

/// How far the search for the empty line has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// Everything before was searched.
    searched: usize,
    /// Where the line under search begins.
    line: usize,
}

impl Scan {
    /// Returns where the head ends, after its empty line, once that line is in `bytes`.
    /// `bytes` is what it was at the last call and any octets that came since.
    ///
    /// A lone LF ends a line here too: the head is refused for it, and a peer that sends
    /// nothing else is refused at once and not when its time is over.
    pub fn end_of_head(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(rest) = bytes.get(self.searched..) {
            let Some(ahead) = memchr::memchr(b'\n', rest) else {
                break;
            };
            let feed = self.searched + ahead;
            let line = bytes.get(self.line..feed).unwrap_or_default();
            self.searched = feed + 1;
            self.line = feed + 1;
            if matches!(line, [] | [b'\r']) {
                return Some(feed + 1);
            }
        }
        self.searched = bytes.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"A b SIP/2.0\r\nc: d\r\n e\r\n \r\n\r\n\r\nbody\r\n\r\n";

    #[test]
    fn the_first_empty_line_ends_the_head_however_it_is_cut() {
        for cut in 0..HEAD.len() {
            let mut scan = Scan::default();
            let early = scan.end_of_head(&HEAD[..cut]);
            assert_eq!(early, (cut >= 28).then_some(28), "cut at {cut}");
            if early.is_none() {
                assert_eq!(scan.end_of_head(HEAD), Some(28), "cut at {cut}");
            }
        }
    }

    #[test]
    fn lone_line_feeds_end_a_head_too() {
        assert_eq!(Scan::default().end_of_head(b"a\nb\n\nc"), Some(5));
        assert_eq!(Scan::default().end_of_head(b"a\r\n\nc"), Some(4));
        assert_eq!(Scan::default().end_of_head(b"a\n\r\nc"), Some(4));
    }
}
