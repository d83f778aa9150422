//! One message for a collector: what happened comes in, the octets of RFC 5424 §6
//! go out. All of it is printable ASCII, which is its own UTF-8 (§6.4), so that
//! nothing a peer sent can steer whoever reads it.

use sbc_call::ladder::printable;

/// Octets of a message: what every receiver should take (RFC 5424 §6.1).
pub const MESSAGE_MAX: usize = 2048;

/// Octets of a message in a datagram: no path of IP cuts it into fragments (RFC
/// 5426 §3.2; RFC 8200 §5: 1280 octets, less the headers of IPv6 and UDP).
pub const DATAGRAM_MAX: usize = 1232;

/// Octets of structured data, so that a datagram holds all of it.
const DATA_MAX: usize = 800;

/// RFC 5424 §6.2.4: octets of a host's name.
const HOST_MAX: usize = 255;

/// RFC 5424 §6.3.2 and §6.3.3: octets of a name.
const NAME_MAX: usize = 32;

/// RFC 5612 §2: the number for documentation, until there is one of our own.
const ENTERPRISE: &str = "32473";

/// RFC 5424 §6.2.1, table 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Facility {
    Daemon = 3,
    Audit = 13,
    Alert = 14,
}

/// RFC 5424 §6.2.1, table 2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    Alert = 1,
    Critical = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Informational = 6,
    Debug = 7,
}

impl Severity {
    /// Returns the severity of a level of the diary.
    pub fn of_level(level: &str) -> Self {
        match level {
            "ERROR" => Self::Error,
            "WARN" => Self::Warning,
            "DEBUG" | "TRACE" => Self::Debug,
            _ => Self::Informational,
        }
    }

    /// Returns the severity of an alarm: RFC 5674 §2, table 1.
    pub fn of_alarm(severity: &str) -> Self {
        match severity {
            "critical" => Self::Alert,
            "major" => Self::Critical,
            "minor" => Self::Error,
            "warning" => Self::Warning,
            _ => Self::Notice,
        }
    }
}

/// What a collector is told.
#[derive(Clone, Debug)]
pub struct Message {
    pub facility: Facility,
    pub severity: Severity,
    /// As RFC 5424 §6.2.3 writes it; empty if it is not known.
    pub time: String,
    /// What kind of message: `LOG`, `AUDIT`, `ALARM`.
    pub kind: &'static str,
    /// The name of the structured data, before its `@`.
    pub element: &'static str,
    pub fields: Vec<(String, String)>,
    pub text: String,
}

impl Message {
    /// Returns its octets, [`MESSAGE_MAX`] at most.
    pub fn octets(&self, host: &str) -> Vec<u8> {
        let priority = self.facility as u8 * 8 + self.severity as u8;
        let time = if is_time(&self.time) { &self.time } else { "-" };
        let mut line = format!(
            "<{priority}>1 {time} {} sbc - {} {} ",
            host_name(host),
            self.kind,
            self.data()
        );
        line.push_str(&printable(&self.text));
        if line.len() > MESSAGE_MAX {
            line.truncate(MESSAGE_MAX - 1);
            line.push('~');
        }
        line.into_bytes()
    }

    fn data(&self) -> String {
        let mut data = format!("[{}@{ENTERPRISE}", self.element);
        let mut left_out = 0;
        for (name, value) in &self.fields {
            let one = format!(" {}=\"{}\"", field_name(name), field_value(value));
            if data.len() + one.len() > DATA_MAX {
                left_out += 1;
            } else {
                data.push_str(&one);
            }
        }
        if left_out > 0 {
            data.push_str(&format!(" leftOut=\"{left_out}\""));
        }
        data.push(']');
        if self.fields.is_empty() {
            "-".to_owned()
        } else {
            data
        }
    }
}

/// `2026-11-25T14:06:24.923412Z`, with six places of a second at most.
fn is_time(text: &str) -> bool {
    let form = text.strip_suffix('Z').and_then(|rest| rest.split_once('T'));
    let digits = |text: &str, sign: char, lengths: &[usize]| {
        let parts: Vec<&str> = text.split(sign).collect();
        let fits = |(part, length): (&&str, &usize)| {
            part.len() == *length && part.bytes().all(|octet| octet.is_ascii_digit())
        };
        parts.len() == lengths.len() && parts.iter().zip(lengths).all(fits)
    };
    form.is_some_and(|(date, clock)| {
        let (clock, rest) = clock.split_once('.').unwrap_or((clock, "0"));
        let places = (1..=6).contains(&rest.len());
        digits(date, '-', &[4, 2, 2])
            && digits(clock, ':', &[2, 2, 2])
            && places
            && rest.bytes().all(|octet| octet.is_ascii_digit())
    })
}

fn host_name(host: &str) -> String {
    let mut name: String = host.chars().filter(char::is_ascii_graphic).collect();
    name.truncate(HOST_MAX);
    if name.is_empty() {
        name.push('-');
    }
    name
}

/// RFC 5424 §6.3.3: graphic ASCII without `=`, `]` and `"`.
fn field_name(name: &str) -> String {
    let fits = |c: &char| c.is_ascii_graphic() && !['=', ']', '"'].contains(c);
    let mut name: String = name.chars().filter(fits).collect();
    name.truncate(NAME_MAX);
    if name.is_empty() {
        name.push('-');
    }
    name
}

/// RFC 5424 §6.3.3: `"`, `\` and `]` are escaped.
fn field_value(value: &str) -> String {
    let mut escaped = String::new();
    for c in printable(value).chars() {
        if ['"', '\\', ']'].contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(&str, &str)], text: &str) -> Message {
        let fields = fields.iter();
        Message {
            facility: Facility::Daemon,
            severity: Severity::Warning,
            time: "2026-11-25T14:06:24.923412Z".to_owned(),
            kind: "LOG",
            element: "call",
            fields: fields
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            text: text.to_owned(),
        }
    }

    fn line(message: &Message) -> String {
        String::from_utf8(message.octets("sbc-1")).unwrap()
    }

    /// RFC 5424 §6 and §6.4, RFC 5612 §2: header, structured data, text, each behind one space.
    #[test]
    fn a_message_is_laid_out_as_the_rfc_says() {
        let told = line(&message(&[("id", "7f3a"), ("trunk", "itsp-a")], "it ended"));
        let wanted = "<28>1 2026-11-25T14:06:24.923412Z sbc-1 sbc - LOG \
                      [call@32473 id=\"7f3a\" trunk=\"itsp-a\"] it ended";
        assert_eq!(told, wanted);
        assert!(line(&message(&[], "bare")).ends_with(" LOG - bare"));
    }

    /// RFC 5424 §6.3.2, §6.3.3: what would end a value is escaped, what is no name is left
    /// out of one.
    #[test]
    fn nothing_of_a_peer_can_end_a_field_or_the_message() {
        let hostile = "a\"] <9>1 \\ \u{1b}[2J\n\u{9b}x";
        let told = line(&message(&[("us er]=\"x", hostile)], hostile));
        assert!(
            told.contains("[call@32473 userx=\"a\\\"\\] <9>1 \\\\ \\\\x1b[2J"),
            "{told}"
        );
        assert!(told.bytes().all(|octet| (0x20..0x7f).contains(&octet)));
    }

    /// RFC 5424 §6.1, RFC 5426 §3.2, RFC 8200 §5: whole structured data in every datagram.
    #[test]
    fn a_long_message_is_cut_in_its_text_alone() {
        let long = "x".repeat(600);
        let told = line(&message(&[("a", &long), ("b", &long), ("c", "d")], &long));
        assert!(told.contains(" c=\"d\" leftOut=\"1\"] xxx"), "{told}");
        assert!(told.find("] ").unwrap() < DATAGRAM_MAX);
        let longer = message(&[("a", &long)], &"y".repeat(4000)).octets(&"h".repeat(400));
        assert_eq!(longer.len(), MESSAGE_MAX);
        assert_eq!(longer.last(), Some(&b'~'));
    }

    /// RFC 5424 §6.2.3, §6.2.4: a time that is none is no time.
    #[test]
    fn a_time_in_another_form_is_left_out() {
        for wrong in [
            "",
            "now",
            "2026-11-25 14:06:24Z",
            "2026-11-25T14:06:24.1234567Z",
        ] {
            let mut message = message(&[], "x");
            wrong.clone_into(&mut message.time);
            assert!(line(&message).starts_with("<28>1 - sbc-1 "), "{wrong}");
        }
    }

    /// RFC 5424 §6.2.1 and RFC 5674 §2.
    #[test]
    fn levels_and_alarms_have_their_severities() {
        assert_eq!(Severity::of_level("ERROR"), Severity::Error);
        assert_eq!(Severity::of_level("TRACE"), Severity::Debug);
        assert_eq!(Severity::of_alarm("critical"), Severity::Alert);
        assert_eq!(Severity::of_alarm("major"), Severity::Critical);
        assert_eq!(Severity::of_alarm("notice"), Severity::Notice);
    }
}
