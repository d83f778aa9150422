//! The code map: what one side answered comes in, what the other side hears
//! goes out. One table, so that a reviewer can read the whole policy at once.

/// What to do with a final answer of the called side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The called peer cannot serve: try the next target, and answer 503 when
    /// there is none left.
    NextTarget,
    /// The call is over: the caller hears this status.
    Tell(u16),
    /// Settled between the node and the peer that answered.
    OnThisLeg,
}

/// Returns what follows from final status `code` of an attempt to reach a peer.
///
/// A busy or unknown user ends the call; a peer that cannot serve is a reason
/// to try another one (RFC 3261 §21.5.4), and the caller is never told 408 or
/// 480 for it, since some callers would stop hunting.
#[must_use]
pub const fn verdict(code: u16) -> Verdict {
    match code {
        408 | 430 | 500..=599 => Verdict::NextTarget,
        401 | 407 => Verdict::Tell(503),
        422 | 487 | 491 => Verdict::OnThisLeg,
        606 => Verdict::Tell(488),
        607 | 608 => Verdict::Tell(603),
        300..=399 => Verdict::Tell(480),
        400..=699 => Verdict::Tell(code),
        _ => Verdict::Tell(500),
    }
}

/// Returns the Q.850 cause that goes with `status` (RFC 3398 §8.2.6.1, RFC 6432).
#[must_use]
pub const fn q850(status: u16) -> u8 {
    match status {
        400 | 403 | 405 | 406 | 415 | 416 | 420 | 421 | 482 | 483 | 493 => 127,
        404 | 485 | 604 => 1,
        408 | 480 => 18,
        410 => 22,
        413 | 414 | 488 | 505 | 513 | 606 => 79,
        484 => 28,
        486 | 600 => 17,
        603 | 607 | 608 => 21,
        487 => 16,
        500 => 41,
        502 => 38,
        503 => 34,
        504 => 102,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, q850, verdict};

    /// RFC 3261 §21.5.4, and the table of the manual.
    #[test]
    fn the_code_map_is_the_documented_one() {
        let unchanged = [404, 484, 604, 486, 600, 603, 480, 403, 488];
        for code in unchanged {
            assert_eq!(verdict(code), Verdict::Tell(code), "{code}");
        }
        for code in [408, 500, 502, 503, 504, 580] {
            assert_eq!(verdict(code), Verdict::NextTarget, "{code}");
        }
        for code in [422, 487, 491] {
            assert_eq!(verdict(code), Verdict::OnThisLeg, "{code}");
        }
        assert_eq!(verdict(401), Verdict::Tell(503));
        assert_eq!(verdict(407), Verdict::Tell(503));
        assert_eq!(verdict(606), Verdict::Tell(488));
        assert_eq!(verdict(607), Verdict::Tell(603));
        assert_eq!(verdict(302), Verdict::Tell(480));
    }

    /// RFC 3398 §8.2.6.1.
    #[test]
    fn the_causes_of_busy_unknown_and_no_answer_are_the_ones_of_isup() {
        assert_eq!([486, 404, 480, 503].map(q850), [17, 1, 18, 34]);
    }
}
