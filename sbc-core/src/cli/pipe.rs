//! What stands behind `|`: text or JSON comes in, what is wanted of it goes out.

use regex::Regex;

/// One pipe.
#[derive(Debug)]
pub enum Pipe {
    Match(Regex),
    Except(Regex),
    Begin(Regex),
    Count,
    Json,
    Set,
    Toml,
    NoMore,
}

/// Every pipe with its help.
pub const PIPES: [(&str, &str); 8] = [
    ("match RE", "lines that match"),
    ("except RE", "lines that do not match"),
    ("begin RE", "from the first line that matches"),
    ("count", "how many lines"),
    ("json", "the answer as JSON"),
    ("set", "the configuration as set lines"),
    ("toml", "the configuration as TOML"),
    ("no-more", "without stopping at each screen"),
];

/// The compiled form of an expression is at most this big, so that no
/// expression costs more than a screen full of text does.
const EXPRESSION_MAX: usize = 256 * 1024;

/// Splits a line at its bars, outside quotes.
#[must_use]
pub fn cut(line: &str) -> (&str, Vec<&str>) {
    let mut quote = None;
    let mut bars = Vec::new();
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(mark), _) if c == mark => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            // A bar inside a word belongs to an expression.
            (None, '|')
                if line
                    .get(..at)
                    .is_some_and(|l| l.ends_with(char::is_whitespace)) =>
            {
                bars.push(at);
            }
            _ => {}
        }
    }
    let mut parts = Vec::new();
    let mut end = line.len();
    for &bar in bars.iter().rev() {
        parts.push(line.get(bar + 1..end).unwrap_or_default().trim());
        end = bar;
    }
    parts.reverse();
    (line.get(..end).unwrap_or_default().trim(), parts)
}

impl Pipe {
    /// Takes the words behind a bar.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn of(text: &str) -> Result<Self, String> {
        let words = super::grammar::split(text);
        let mut words = words.iter().map(|word| word.text.as_str());
        let (name, argument) = (words.next().unwrap_or_default(), words.next());
        let known = PIPES
            .iter()
            .filter_map(|(syntax, _)| syntax.split(' ').next())
            .filter(|known| !name.is_empty() && known.starts_with(name));
        let known: Vec<&str> = known.collect();
        let expression = || {
            let text = argument.ok_or("what is to match?")?;
            let built = regex::RegexBuilder::new(text)
                .size_limit(EXPRESSION_MAX)
                .build();
            built.map_err(|_| "this is no regular expression")
        };
        let pipe = match known.as_slice() {
            ["match"] => Self::Match(expression()?),
            ["except"] => Self::Except(expression()?),
            ["begin"] => Self::Begin(expression()?),
            ["count"] => Self::Count,
            ["json"] => Self::Json,
            ["set"] => Self::Set,
            ["toml"] => Self::Toml,
            ["no-more"] => Self::NoMore,
            _ => {
                return Err(format!(
                    "unknown pipe {:?}; there is {}",
                    super::clean(name),
                    names()
                ));
            }
        };
        Ok(pipe)
    }

    /// Returns what is left of `text`.
    #[must_use]
    pub fn pass(&self, text: &str) -> String {
        let with_ends = text.lines().map(|line| format!("{line}\n"));
        match self {
            Self::Match(wanted) => with_ends
                .filter(|line| wanted.is_match(line.trim_end()))
                .collect(),
            Self::Except(unwanted) => with_ends
                .filter(|line| !unwanted.is_match(line.trim_end()))
                .collect(),
            Self::Begin(first) => with_ends
                .skip_while(|line| !first.is_match(line.trim_end()))
                .collect(),
            Self::Count => format!("{} lines\n", text.lines().count()),
            Self::Json | Self::Set | Self::Toml | Self::NoMore => text.to_owned(),
        }
    }
}

fn names() -> String {
    let names = PIPES
        .iter()
        .filter_map(|(syntax, _)| syntax.split(' ').next());
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piped(text: &str, pipe: &str) -> String {
        Pipe::of(pipe).unwrap().pass(text)
    }

    #[test]
    fn each_pipe_leaves_what_it_says() {
        let text = "a 1\nb 2\na 3\n";
        assert_eq!(piped(text, "match ^a"), "a 1\na 3\n");
        assert_eq!(piped(text, "except ^a"), "b 2\n");
        assert_eq!(piped(text, "begin b"), "b 2\na 3\n");
        assert_eq!(piped(text, "count"), "3 lines\n");
        assert_eq!(piped(text, "no-more"), text);
        assert_eq!(piped(text, "m 'a|2'"), text);
    }

    #[test]
    fn a_bar_in_quotes_or_in_an_expression_cuts_nothing() {
        let (command, pipes) = cut("show log | match 'a | b' | except c|d");
        assert_eq!(command, "show log");
        assert_eq!(pipes, ["match 'a | b'", "except c|d"]);
    }

    #[test]
    fn an_expression_that_is_none_is_refused() {
        assert!(Pipe::of("match (").is_err());
        assert!(Pipe::of("match").is_err());
        assert!(Pipe::of("match (a{1000}){1000}").is_err());
        assert!(Pipe::of("sort").unwrap_err().contains("no-more"));
    }
}
