//! A date as an operator types it comes in, a moment goes out.

use crate::{Moment, SECOND};

/// Returns the moment of `2026-11-26T17:30` or `2026-11-26T17:30:15`, in UTC.
#[must_use]
pub fn moment(text: &str) -> Option<Moment> {
    let (date, time) = text.split_once('T')?;
    let mut parts = date.splitn(3, '-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let mut parts = time.splitn(3, ':').map(number);
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = match parts.next() {
        Some(seconds) => seconds?,
        None => 0,
    };
    let fits = (1970..=2200).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hours < 24
        && minutes < 60
        && seconds < 60;
    let of_day = hours * 3600 + minutes * 60 + seconds;
    fits.then(|| (days(year, month, day) * 86_400 + of_day) * SECOND)
}

fn number(text: &str) -> Option<i64> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(before) - leaps(1969);
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_the_moment_that_it_says_or_none() {
        let secs = |text| moment(text).map(|moment| moment / SECOND);
        assert_eq!(secs("1970-01-01T00:00"), Some(0));
        assert_eq!(secs("2000-03-01T00:00:01"), Some(951_868_801));
        assert_eq!(secs("2026-11-01T00:00"), Some(crate::EARLIEST / SECOND));
        assert_eq!(secs("2100-01-01T00:00"), Some(4_102_444_800));
        assert_eq!(secs("2024-02-29T23:59:59"), Some(1_709_251_199));
        for wrong in [
            "",
            "17:30",
            "2026-11-26",
            "2026-02-29T00:00",
            "2026-13-01T00:00",
            "2026-11-26T24:00",
            "2026-11-26T17:30:60",
            "2026-11-26T17:30:00:1",
            "2026-11-26T-1:30",
            "99999-01-01T00:00",
            "2026-11-26T17",
        ] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }
}
