//! Times: Date, Expires and Retry-After come in as values, go out as numbers
//! (RFC 3261 §20.17, §20.19, §20.23, §20.33).

use super::basic::number;
use super::field::{BadField, Field, Why};
use super::out::Out;
use super::params::Params;
use super::scan::{self, Cursor};
use crate::wire::Name;

number! {
    /// A lifetime in seconds (RFC 3261 §20.19).
    Expires(u32)
}
number! {
    /// The shortest lifetime that is accepted, in seconds (RFC 3261 §20.23).
    MinExpires(u32)
}

impl Expires {
    /// What stands in for a lifetime outside the grammar (RFC 3261 §20.19).
    pub const DEFAULT: Self = Self(3_600);
}

/// When to try again (RFC 3261 §20.33). Comments are passed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetryAfter {
    pub secs: u32,
    /// How long the other side expects to be reachable then.
    pub duration_secs: Option<u32>,
}

impl<'a> Field<'a> for RetryAfter {
    const NAME: Name = Name::RetryAfter;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        retry_after(value).map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.number(self.secs);
        if let Some(duration) = self.duration_secs {
            out.text(";duration=").number(duration);
        }
    }
}

fn retry_after(value: &str) -> Result<RetryAfter, Why> {
    let mut cursor = Cursor::new(value);
    cursor.space();
    let secs = seconds(cursor.number(u32::MAX.into())?)?;
    cursor.space();
    comment(&mut cursor)?;
    let params = Params::parse(&mut cursor)?;
    let duration = params.get("duration").map(|digits| {
        let number = scan::number(digits, u32::MAX.into()).ok_or(Why::Number)?;
        seconds(number)
    });
    Ok(RetryAfter {
        secs,
        duration_secs: duration.transpose()?,
    })
}

fn seconds(number: u64) -> Result<u32, Why> {
    u32::try_from(number).map_err(|_| Why::Range)
}

/// Passes a comment in parentheses, which may nest (RFC 3261 §25.1).
fn comment(cursor: &mut Cursor<'_>) -> Result<(), Why> {
    let mut depth = 0_usize;
    while cursor.peek() == Some(b'(') || depth > 0 {
        cursor.until(|byte| matches!(byte, b'(' | b')' | b'\\'));
        if cursor.eat(b'(') {
            depth += 1;
        } else if cursor.eat(b')') {
            depth -= 1;
        } else if cursor.eat(b'\\') {
            cursor.pass_char();
        } else {
            return Err(Why::Quote);
        }
    }
    Ok(())
}

/// A moment, in whole seconds since 1970-01-01 00:00:00 GMT (RFC 3261 §20.17).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Date {
    pub unix_secs: i64,
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY_SECS: i64 = 86_400;
/// The last second of the year 9999: years have four digits.
const LAST: i64 = 253_402_300_799;
/// The first second of the year 0.
const FIRST: i64 = -62_167_219_200;

impl<'a> Field<'a> for Date {
    const NAME: Name = Name::Date;

    /// Takes only GMT, and compares with case (RFC 3261 §20.17). The name of the
    /// weekday has to be one; the date counts.
    fn parse(value: &'a str) -> Result<Self, BadField> {
        date(value).map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        let secs = self.unix_secs.clamp(FIRST, LAST);
        let (days, rest) = (secs.div_euclid(DAY_SECS), secs.rem_euclid(DAY_SECS));
        let (year, month, day) = civil(days);
        let named = |names: &[&'static str], at: i64| {
            usize::try_from(at)
                .ok()
                .and_then(|at| names.get(at).copied())
                .unwrap_or_default()
        };
        let (weekday, month) = (named(&DAYS, days.rem_euclid(7)), named(&MONTHS, month - 1));
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        out.display(format_args!(
            "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
        ));
    }
}

fn date(value: &str) -> Result<Date, Why> {
    let mut cursor = Cursor::new(value);
    cursor.space();
    if !DAYS.contains(&cursor.token()?) || !cursor.eat(b',') {
        return Err(Why::Value);
    }
    let day = spaced(&mut cursor, 2)?;
    if !cursor.space() {
        return Err(Why::Value);
    }
    let month = cursor.token()?;
    let month = MONTHS
        .iter()
        .position(|name| *name == month)
        .ok_or(Why::Value)?;
    let month = i64::try_from(month).map_err(|_| Why::Value)? + 1;
    let year = spaced(&mut cursor, 4)?;
    let hour = spaced(&mut cursor, 2)?;
    let minute = colon(&mut cursor)?;
    let second = colon(&mut cursor)?;
    if !cursor.space() || cursor.token()? != "GMT" {
        return Err(Why::Value);
    }
    cursor.end()?;
    let days = days(year, month, day);
    if civil(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return Err(Why::Range);
    }
    let unix_secs = days * DAY_SECS + hour * 3_600 + minute * 60 + second;
    Ok(Date { unix_secs })
}

/// Passes white space and exactly `count` digits.
fn spaced(cursor: &mut Cursor<'_>, count: usize) -> Result<i64, Why> {
    match cursor.space() {
        true => digits(cursor, count),
        false => Err(Why::Value),
    }
}

fn colon(cursor: &mut Cursor<'_>) -> Result<i64, Why> {
    match cursor.eat(b':') {
        true => digits(cursor, 2),
        false => Err(Why::Value),
    }
}

fn digits(cursor: &mut Cursor<'_>, count: usize) -> Result<i64, Why> {
    let digits = cursor.run(super::chars::DIGIT);
    if digits.len() != count {
        return Err(Why::Number);
    }
    let number = scan::number(digits, 9_999).ok_or(Why::Number)?;
    i64::try_from(number).map_err(|_| Why::Range)
}

/// Days since 1970-01-01 of a date in the Gregorian calendar. A year is taken to
/// begin in March, so that the leap day is its last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day, the inverse of [`days`].
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    fn written<'a>(field: &impl Field<'a>) -> String {
        let mut bytes = Vec::new();
        field.emit(&mut Out::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    /// RFC 3261 §20.17
    #[test]
    fn dates_are_read_and_written() {
        for (text, unix_secs) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sat, 13 Nov 2010 23:29:00 GMT", 1_289_690_940),
            ("Thu, 29 Feb 2024 12:00:01 GMT", 1_709_208_001),
            ("Fri, 31 Dec 9999 23:59:59 GMT", LAST),
            ("Sat, 01 Jan 0000 00:00:00 GMT", FIRST),
        ] {
            assert_eq!(Date::parse(text), Ok(Date { unix_secs }), "{text}");
            assert_eq!(written(&Date { unix_secs }), text);
        }
        assert_eq!(
            written(&Date {
                unix_secs: i64::MAX
            }),
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
    }

    /// RFC 3261 §20.17, RFC 4475 §3.1.2.12 (baddate)
    #[test]
    fn dates_that_are_none_are_refused() {
        for text in [
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Fri, 01 Jan 2010 16:00:00",
            "fri, 01 Jan 2010 16:00:00 GMT",
            "Fri, 1 Jan 2010 16:00:00 GMT",
            "Fri, 30 Feb 2010 16:00:00 GMT",
            "Fri, 29 Feb 2100 16:00:00 GMT",
            "Fri, 01 Jan 2010 24:00:00 GMT",
            "Fri, 01 Jan 10 16:00:00 GMT",
            "Fri 01 Jan 2010 16:00:00 GMT",
            "1262361600",
            "",
        ] {
            assert!(Date::parse(text).is_err(), "{text}");
        }
    }

    /// RFC 3261 §25.1, §20.33; RFC 4475 §3.1.2.5 (scalarlg)
    #[test]
    fn retry_after_has_a_comment_and_a_duration() {
        let value = "18000 (in a (bad) \\) meeting) ;duration=3600";
        let wanted = RetryAfter {
            secs: 18_000,
            duration_secs: Some(3_600),
        };
        assert_eq!(RetryAfter::parse(value), Ok(wanted));
        assert_eq!(written(&wanted), "18000;duration=3600");
        for value in [
            "",
            "949302838503028349304023988",
            "5 (open",
            "5)",
            "5;duration=x",
            "-5",
        ] {
            assert!(RetryAfter::parse(value).is_err(), "{value}");
        }
    }

    /// RFC 3261 §20.19, §20.23
    #[test]
    fn lifetimes_are_seconds() {
        assert_eq!(Expires::parse("4294967295"), Ok(Expires(u32::MAX)));
        assert_eq!(
            Expires::parse("4294967296").unwrap_or(Expires::DEFAULT),
            Expires(3_600)
        );
        assert_eq!(MinExpires::parse(" 60"), Ok(MinExpires(60)));
    }
}
