//! The text of a version comes in; something that can be compared goes out.

use std::fmt;

/// A version of the firmware: three numbers.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version([u32; 3]);

impl Version {
    /// Takes `0.2.0`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = [0; 3];
        let mut parts = text.split('.');
        for number in &mut numbers {
            let part = parts.next()?;
            let plain = part.bytes().all(|octet| octet.is_ascii_digit());
            *number = part.parse().ok().filter(|_| plain)?;
        }
        parts.next().is_none().then_some(Self(numbers))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.0;
        write!(out, "{first}.{second}.{third}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("0.10.0") > version("0.9.9"));
        assert_eq!(version("0.2.0").to_string(), "0.2.0");
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.x",
            "1.2.+3",
            "1.2.99999999999",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
