//! Countries: an ISO 3166-1 code comes in, the law of its G.711 and its
//! emergency numbers go out (ITU-T G.711 §3; national numbering plans).

use core::fmt;

use crate::peer::Codec;

/// A country by its two letters.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Country([u8; 2]);

/// Countries whose network uses µ-law; all others use A-law.
const MU_LAW: [&str; 6] = ["CA", "HK", "JP", "KR", "TW", "US"];

/// Emergency numbers where they are more than 112, which each list holds too
/// where handsets dial it.
const EMERGENCY: [(&str, &[&str]); 26] = [
    ("AT", &["112", "122", "133", "144"]),
    ("AU", &["000", "112"]),
    ("BE", &["100", "101", "112"]),
    ("BR", &["190", "192", "193"]),
    ("CA", &["911"]),
    ("CH", &["112", "117", "118", "144"]),
    ("CN", &["110", "119", "120"]),
    ("CZ", &["112", "150", "155", "158"]),
    ("DE", &["110", "112"]),
    ("ES", &["061", "062", "080", "091", "112"]),
    ("FR", &["112", "15", "17", "18"]),
    ("GB", &["112", "999"]),
    ("HK", &["112", "999"]),
    ("IE", &["112", "999"]),
    ("IN", &["100", "101", "102", "112"]),
    ("IT", &["112", "113", "115", "118"]),
    ("JP", &["110", "118", "119"]),
    ("KR", &["112", "119"]),
    ("MX", &["911"]),
    ("NO", &["110", "112", "113"]),
    ("NZ", &["111"]),
    ("PL", &["112", "997", "998", "999"]),
    ("SG", &["995", "999"]),
    ("TW", &["110", "112", "119"]),
    ("US", &["911"]),
    ("ZA", &["10111", "10177", "112"]),
];

impl Country {
    /// Takes two capital letters, else returns nothing.
    pub fn new(text: &str) -> Option<Self> {
        let code: [u8; 2] = text.as_bytes().try_into().ok()?;
        code.iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(code))
    }

    /// Returns the two letters.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the law telephones of this country speak.
    pub fn law(&self) -> Codec {
        if MU_LAW.contains(&self.as_str()) {
            Codec::Pcmu
        } else {
            Codec::Pcma
        }
    }

    /// Returns the numbers that call for help here.
    pub fn emergency_numbers(&self) -> &'static [&'static str] {
        let own = EMERGENCY.iter().find(|(code, _)| *code == self.as_str());
        own.map_or(&["112"], |(_, numbers)| numbers)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_a_law_and_emergency_numbers() {
        let germany = Country::new("DE").unwrap();
        assert_eq!(
            (germany.law(), germany.emergency_numbers()),
            (Codec::Pcma, &["110", "112"][..])
        );
        let states = Country::new("US").unwrap();
        assert_eq!(
            (states.law(), states.emergency_numbers()),
            (Codec::Pcmu, &["911"][..])
        );
        assert_eq!(Country::new("LU").unwrap().emergency_numbers(), ["112"]);
        for bad in ["de", "D", "DEU", "D1", ""] {
            assert_eq!(Country::new(bad), None, "{bad}");
        }
    }
}
