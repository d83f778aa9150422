//! Which way media flows, seen from the side whose SDP says it, and how hold is said
//! to the other leg (RFC 3264 §5.1, §6.1, §8.4; RFC 6337 §5.3).

use serde::{Deserialize, Serialize};

/// `a=sendrecv` and its relatives, as the side that writes them means it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Direction {
    Inactive,
    RecvOnly,
    SendOnly,
    #[default]
    SendRecv,
}

impl Direction {
    /// Returns the direction an attribute names, if it names one.
    pub fn named(attribute: &str) -> Option<Self> {
        [
            Self::Inactive,
            Self::RecvOnly,
            Self::SendOnly,
            Self::SendRecv,
        ]
        .into_iter()
        .find(|direction| direction.name() == attribute)
    }

    /// Returns the name of the attribute (RFC 8866 §6.7).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::RecvOnly => "recvonly",
            Self::SendOnly => "sendonly",
            Self::SendRecv => "sendrecv",
        }
    }

    /// Returns the direction that sends and receives as told.
    pub const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (false, false) => Self::Inactive,
            (false, true) => Self::RecvOnly,
            (true, false) => Self::SendOnly,
            (true, true) => Self::SendRecv,
        }
    }

    /// Returns whether the side that says this sends media.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendOnly | Self::SendRecv)
    }

    /// Returns whether the side that says this takes media.
    pub const fn receives(self) -> bool {
        matches!(self, Self::RecvOnly | Self::SendRecv)
    }

    /// Returns whether this puts the other side on hold: it shall not be heard
    /// (RFC 3264 §8.4).
    pub const fn holds(self) -> bool {
        !self.receives()
    }

    /// Returns the same state as the other end of the stream would say it.
    pub const fn mirror(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// Returns what both allow.
    pub const fn limit(self, other: Self) -> Self {
        let sends = self.sends() && other.sends();
        Self::of(sends, self.receives() && other.receives())
    }

    /// Returns our answer to an offer of `self`, when the far leg's peer says `far`
    /// of itself: what the offer allows (RFC 3264 §6.1), as far as that peer speaks
    /// and listens.
    pub const fn answer(self, far: Self) -> Self {
        self.mirror().limit(far)
    }
}

/// How hold is said to a peer that did not start it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum HoldFormat {
    /// It hears nothing of it; its media is dropped meanwhile.
    Absorb,
    /// `a=inactive`, whatever was heard.
    Inactive,
    /// As heard on the other leg.
    #[default]
    Pass,
    /// `a=sendonly`, whatever was heard.
    SendOnly,
    /// `c=0.0.0.0` besides the attribute, for a peer that knows RFC 2543 alone.
    ZeroAddress,
}

impl HoldFormat {
    /// Returns the direction to offer a peer when the other leg's peer says `heard`
    /// (`zero` if by a zero address), and whether by a zero address. `None` when the
    /// hold is kept from it.
    pub const fn say(self, heard: Direction, zero: bool) -> Option<(Direction, bool)> {
        if !heard.holds() {
            return Some((heard, false));
        }
        match self {
            Self::Absorb => None,
            Self::Inactive => Some((Direction::Inactive, false)),
            Self::Pass => Some((heard, zero)),
            Self::SendOnly => Some((Direction::SendOnly, false)),
            Self::ZeroAddress => Some((heard, true)),
        }
    }

    /// Returns the answer to a peer that offered `offered`, when the far peer, told
    /// in this format, answered `far`. A hold that was said differently to the far
    /// peer is answered by its mirror: what the far peer says answers something else.
    pub const fn answer(self, offered: Direction, far: Direction) -> Direction {
        match self {
            Self::Pass | Self::ZeroAddress => offered.answer(far),
            _ if offered.holds() => offered.mirror(),
            _ => offered.answer(far),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    use super::*;

    const ALL: [Direction; 4] = [Inactive, RecvOnly, SendOnly, SendRecv];

    /// RFC 3264 §6.1: a sendonly offer is answered recvonly or inactive, recvonly by
    /// sendonly or inactive, inactive by inactive, sendrecv by anything.
    #[test]
    fn the_answer_table_is_that_of_the_standard() {
        let mut table = String::new();
        for offered in ALL {
            for far in ALL {
                let answer = offered.answer(far).name();
                table += &format!("{} {} {answer}\n", offered.name(), far.name());
            }
        }
        let wanted = "inactive inactive inactive
inactive recvonly inactive
inactive sendonly inactive
inactive sendrecv inactive
recvonly inactive inactive
recvonly recvonly inactive
recvonly sendonly sendonly
recvonly sendrecv sendonly
sendonly inactive inactive
sendonly recvonly recvonly
sendonly sendonly inactive
sendonly sendrecv recvonly
sendrecv inactive inactive
sendrecv recvonly recvonly
sendrecv sendonly sendonly
sendrecv sendrecv sendrecv
";
        assert_eq!(table, wanted);
    }

    /// RFC 3264 §5.1: the attribute is the offerer's own view.
    #[test]
    fn names_and_bits_agree_for_every_direction() {
        for direction in ALL {
            assert_eq!(Direction::named(direction.name()), Some(direction));
            assert_eq!(
                Direction::of(direction.sends(), direction.receives()),
                direction
            );
            assert_eq!(direction.mirror().mirror(), direction);
        }
        assert_eq!(Direction::named("SendRecv"), None);
        assert_eq!(SendOnly.mirror(), RecvOnly);
    }

    /// RFC 3264 §8.4, RFC 6337 §5.3: every form of hold becomes the peer's own form,
    /// and whoever is not on hold is told what was heard.
    #[test]
    fn every_hold_format_says_every_hold() {
        use HoldFormat::{Absorb, Pass, ZeroAddress};
        for format in [
            Absorb,
            HoldFormat::Inactive,
            Pass,
            HoldFormat::SendOnly,
            ZeroAddress,
        ] {
            assert_eq!(format.say(SendRecv, false), Some((SendRecv, false)));
            assert_eq!(format.say(RecvOnly, false), Some((RecvOnly, false)));
        }
        for (heard, zero) in [(SendOnly, false), (Inactive, false), (SendOnly, true)] {
            assert_eq!(Absorb.say(heard, zero), None);
            assert_eq!(
                HoldFormat::Inactive.say(heard, zero),
                Some((Inactive, false))
            );
            assert_eq!(
                HoldFormat::SendOnly.say(heard, zero),
                Some((SendOnly, false))
            );
            assert_eq!(Pass.say(heard, zero), Some((heard, zero)));
            assert_eq!(ZeroAddress.say(heard, zero), Some((heard, true)));
        }
    }

    #[test]
    fn a_hold_said_differently_to_the_far_side_is_answered_by_its_mirror() {
        assert_eq!(HoldFormat::Inactive.answer(SendOnly, Inactive), RecvOnly);
        assert_eq!(HoldFormat::SendOnly.answer(Inactive, RecvOnly), Inactive);
        assert_eq!(HoldFormat::Absorb.answer(SendOnly, SendRecv), RecvOnly);
        assert_eq!(HoldFormat::Pass.answer(SendOnly, Inactive), Inactive);
        assert_eq!(HoldFormat::Inactive.answer(SendRecv, SendOnly), SendOnly);
    }
}
