//! Values with a unit: `"30s"`, `"6 Mbit/s"`, `"64 KiB"`, `"80%"`, `"50/s"`.
//! Every type carries its range, so that schema and reader cannot differ.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::codes::{BAD_UNIT, OUT_OF_RANGE, WRONG_TYPE};
use crate::file::{Fault, Field, FromText, Shape, read_text, wrong_type};
use crate::report::{Problem, Report};
use crate::tree::{Item, Value};

impl Field for bool {
    const SHAPE: Shape = Shape::Boolean;

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        if let Value::Boolean(truth) = item.value {
            return Some(truth);
        }
        wrong_type(item, "true or false", "", report);
        None
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Int<const MIN: i64, const MAX: i64>(pub i64);

impl<const MIN: i64, const MAX: i64> Int<MIN, MAX> {
    /// Returns the number; the range of the type makes it fit.
    pub fn u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// Returns the number; the range of the type makes it fit.
    pub fn u16(self) -> u16 {
        u16::try_from(self.0).unwrap_or(u16::MAX)
    }

    /// Returns the number; the range of the type makes it fit.
    pub fn u8(self) -> u8 {
        u8::try_from(self.0).unwrap_or(u8::MAX)
    }
}

impl<const MIN: i64, const MAX: i64> Field for Int<MIN, MAX> {
    const SHAPE: Shape = Shape::Integer { min: MIN, max: MAX };

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        let Value::Integer(number) = item.value else {
            wrong_type(
                item,
                "a whole number",
                &format!("{}", 10.clamp(MIN, MAX)),
                report,
            );
            return None;
        };
        match number {
            Some(number) if (MIN..=MAX).contains(&number) => Some(Self(number)),
            _ => {
                out_of_range(item, &format!("{MIN}"), &format!("{MAX}"), report);
                None
            }
        }
    }
}

fn out_of_range(item: &Item, least: &str, most: &str, report: &mut Report) {
    let problem = Problem::new(OUT_OF_RANGE, &item.span, "this is out of range");
    report.add(
        problem
            .label("out of range")
            .help(format!("from {least} to {most}")),
    );
}

/// A fraction in hundredths, from `MIN` to `MAX` hundredths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hundredths<const MIN: i64, const MAX: i64>(pub u16);

impl<const MIN: i64, const MAX: i64> Field for Hundredths<MIN, MAX> {
    #[expect(clippy::cast_precision_loss, reason = "ranges of the schema are small")]
    const SHAPE: Shape = Shape::Fraction {
        min: MIN as f64 / 100.0,
        max: MAX as f64 / 100.0,
    };

    #[expect(clippy::cast_precision_loss, reason = "ranges of the schema are small")]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        let (least, most) = (MIN as f64 / 100.0, MAX as f64 / 100.0);
        let number = match item.value {
            Value::Float(number) => number,
            Value::Integer(number) => number.map(|number| number as f64),
            _ => {
                wrong_type(item, "a number", "3.6", report);
                return None;
            }
        };
        match number {
            Some(number) if number >= least && number <= most => {
                Some(Self((number * 100.0 + 0.5) as u16))
            }
            _ => {
                out_of_range(item, &format!("{least}"), &format!("{most}"), report);
                None
            }
        }
    }
}

/// Splits `"30s"` or `"6 Mbit/s"` into the number and the unit.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start_matches(' ')))
}

/// Reads a number with one of `units`, each with its factor.
fn with_unit(text: &str, units: &[(&str, u64)], form: &str) -> Result<u64, Fault> {
    let bad = |message: String| Fault {
        code: BAD_UNIT,
        message,
        help: "",
    };
    let shown = text.escape_debug();
    let Some((number, unit)) = number_and_unit(text) else {
        return Err(bad(format!("'{shown}' is not {form}")));
    };
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(bad(if unit.is_empty() {
            format!("'{shown}' has no unit")
        } else {
            format!("'{}' is not a unit of {form}", unit.escape_debug())
        }));
    };
    number
        .checked_mul(*factor)
        .ok_or_else(|| bad(format!("'{shown}' is too large")))
}

/// Reads a bare number as one that lacks its unit, all else as text.
fn read_unit<T: FromText>(item: &Item, report: &mut Report) -> Option<T> {
    if matches!(item.value, Value::Integer(_) | Value::Float(_)) {
        let problem = Problem::new(BAD_UNIT, &item.span, "this number has no unit");
        report.add(problem.help(format!("write {}, as in \"{}\"", T::FORM, T::EXAMPLE)));
        return None;
    }
    read_text(item, report)
}

/// The shape of a text with a unit.
const fn unit_shape<T: FromText>() -> Shape {
    Shape::Text {
        form: T::FORM,
        pattern: T::PATTERN,
        example: T::EXAMPLE,
    }
}

/// A time from `MIN` to `MAX` milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Time<const MIN: u64, const MAX: u64>(pub Duration);

const TIMES: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Returns a time as the file writes it, in the largest unit without a rest.
pub fn written(milliseconds: u64) -> String {
    let mut units = TIMES.iter().rev();
    let unit =
        units.find(|(_, factor)| milliseconds.is_multiple_of(*factor) && milliseconds >= *factor);
    let (name, factor) = unit.copied().unwrap_or(("s", 1000));
    format!("{}{name}", milliseconds / factor)
}

impl<const MIN: u64, const MAX: u64> FromText for Time<MIN, MAX> {
    const FORM: &'static str = "a time";
    const PATTERN: &'static str = "^\\d+ *(ms|s|m|h|d)$";
    const EXAMPLE: &'static str = "30s";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let milliseconds = with_unit(text, &TIMES, Self::FORM)?;
        if (MIN..=MAX).contains(&milliseconds) {
            return Ok(Self(Duration::from_millis(milliseconds)));
        }
        let (least, most) = (written(MIN), written(MAX));
        let message = format!("{text} is out of range: {least} to {most}");
        Err(Fault {
            code: OUT_OF_RANGE,
            message,
            help: "choose a time within the range",
        })
    }
}

impl<const MIN: u64, const MAX: u64> Field for Time<MIN, MAX> {
    const SHAPE: Shape = unit_shape::<Self>();

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        read_unit(item, report)
    }
}

/// A time, or `"off"`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OrOff<const MIN: u64, const MAX: u64>(pub Option<Duration>);

impl<const MIN: u64, const MAX: u64> FromText for OrOff<MIN, MAX> {
    const FORM: &'static str = "a time or \"off\"";
    const PATTERN: &'static str = "^(off|\\d+ *(ms|s|m|h|d))$";
    const EXAMPLE: &'static str = "6s";

    fn from_text(text: &str) -> Result<Self, Fault> {
        if text == "off" {
            return Ok(Self(None));
        }
        Time::<MIN, MAX>::from_text(text).map(|time| Self(Some(time.0)))
    }
}

impl<const MIN: u64, const MAX: u64> Field for OrOff<MIN, MAX> {
    const SHAPE: Shape = unit_shape::<Self>();

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        read_unit(item, report)
    }
}

/// A bit rate, in bit/s.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate(pub u64);

/// The least and the most of a rate: one call does not fit below, no port we
/// know is faster than the upper end.
const RATES: (u64, u64) = (64_000, 400_000_000_000);

impl FromText for Rate {
    const FORM: &'static str = "a rate";
    const PATTERN: &'static str = "^\\d+ *(bit/s|kbit/s|Mbit/s|Gbit/s)$";
    const EXAMPLE: &'static str = "6 Mbit/s";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let units = [
            ("bit/s", 1),
            ("kbit/s", 1000),
            ("Mbit/s", 1_000_000),
            ("Gbit/s", 1_000_000_000),
        ];
        let rate = with_unit(text, &units, Self::FORM)?;
        if (RATES.0..=RATES.1).contains(&rate) {
            return Ok(Self(rate));
        }
        let message = format!("{text} is out of range: 64 kbit/s to 400 Gbit/s");
        Err(Fault {
            code: OUT_OF_RANGE,
            message,
            help: "choose a rate within the range",
        })
    }
}

/// Octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Size(pub u32);

impl FromText for Size {
    const FORM: &'static str = "a size";
    const PATTERN: &'static str = "^\\d+ *(B|KiB|MiB)$";
    const EXAMPLE: &'static str = "64 KiB";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let octets = with_unit(
            text,
            &[("B", 1), ("KiB", 1024), ("MiB", 1_048_576)],
            Self::FORM,
        )?;
        let size = u32::try_from(octets).ok().filter(|size| *size > 0);
        size.map(Self).ok_or_else(|| Fault {
            code: OUT_OF_RANGE,
            message: format!("{text} is out of range: 1 B to 4095 MiB"),
            help: "choose a size within the range",
        })
    }
}

/// Percent, 1 to 100.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Percent(pub u8);

impl FromText for Percent {
    const FORM: &'static str = "a share";
    const PATTERN: &'static str = "^\\d+ *%$";
    const EXAMPLE: &'static str = "80%";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let share = with_unit(text, &[("%", 1)], Self::FORM)?;
        let share = u8::try_from(share)
            .ok()
            .filter(|share| (1..=100).contains(share));
        share.map(Self).ok_or_else(|| Fault {
            code: OUT_OF_RANGE,
            message: format!("{text} is out of range: 1% to 100%"),
            help: "choose a share within the range",
        })
    }
}

/// Events a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PerSecond(pub u32);

impl FromText for PerSecond {
    const FORM: &'static str = "a number a second";
    const PATTERN: &'static str = "^\\d+ */s$";
    const EXAMPLE: &'static str = "50/s";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let rate = with_unit(text, &[("/s", 1)], Self::FORM)?;
        let rate = u32::try_from(rate).ok().filter(|rate| *rate > 0);
        rate.map(Self).ok_or_else(|| Fault {
            code: OUT_OF_RANGE,
            message: format!("{text} is out of range: 1/s to 4294967295/s"),
            help: "choose a number within the range",
        })
    }
}

macro_rules! unit_fields {
    ($($unit:ty),+) => {$(
        impl Field for $unit {
            const SHAPE: Shape = unit_shape::<Self>();

            fn read(item: &Item, report: &mut Report) -> Option<Self> {
                read_unit(item, report)
            }
        }
    )+};
}
unit_fields!(Rate, Size, Percent, PerSecond);

/// A time, or the number 0 for none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OrZero<const MIN: u64, const MAX: u64>(pub Option<Duration>);

impl<const MIN: u64, const MAX: u64> Field for OrZero<MIN, MAX> {
    const SHAPE: Shape = Shape::Text {
        form: "a time",
        pattern: "^(0|\\d+ *(ms|s|m|h|d))$",
        example: "5s",
    };

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        match &item.value {
            Value::Integer(Some(0)) => Some(Self(None)),
            Value::Text(text) if text == "0" || text == "0s" => Some(Self(None)),
            _ => Time::<MIN, MAX>::read(item, report).map(|time| Self(Some(time.0))),
        }
    }
}

/// Returns the fault of a text that is no value of its form.
pub fn not_a(form: &str, text: &str) -> Fault {
    let shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    Fault {
        code: WRONG_TYPE,
        message: format!("'{shown}' is not {form}"),
        help: "",
    }
}
