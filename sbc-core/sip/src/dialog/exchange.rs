//! One INVITE at a time: INVITEs of either side inside a dialog come in, who
//! may go on and who has to wait goes out (RFC 3261 §14.1, §14.2). The same
//! table serves offers in UPDATE (RFC 3311 §5.1, §5.2).

use core::time::Duration;

/// Whose INVITE is open in a dialog.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Open {
    #[default]
    None,
    /// Ours waits for its final response.
    Ours,
    /// Theirs waits for our final response.
    Theirs,
    /// Theirs has our 2xx, which waits for its ACK.
    Unconfirmed,
}

/// What happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// We want to send one.
    Send,
    /// One came.
    Receive,
    /// The open one has a final response other than our 2xx.
    Done,
    /// Theirs has our 2xx.
    Answered,
    /// The ACK for our 2xx came, or never will.
    Confirmed,
}

/// Whether an INVITE may go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    Proceed,
    /// Ours has to wait until nothing is open.
    Wait,
    /// Answer with 491.
    Glare,
    /// Answer with 500 and a Retry-After of [`busy_secs`].
    Busy,
}

/// Returns where `event` leads from `state`, and what to do on the way.
pub const fn next(state: Open, event: Event) -> (Open, &'static [Action]) {
    use Open::{None, Ours, Theirs, Unconfirmed};
    match (state, event) {
        (None, Event::Send) => (Ours, &[Action::Proceed]),
        (None, Event::Receive) => (Theirs, &[Action::Proceed]),
        (Ours | Theirs | Unconfirmed, Event::Send) => (state, &[Action::Wait]),
        (Ours, Event::Receive) => (Ours, &[Action::Glare]),
        (Theirs, Event::Receive) => (Theirs, &[Action::Busy]),
        // Its ACK was overtaken: the peer has our 2xx, or it would not ask.
        (Unconfirmed, Event::Receive) => (Theirs, &[Action::Proceed]),
        (Ours | Theirs, Event::Done) => (None, &[]),
        (Theirs, Event::Answered) => (Unconfirmed, &[]),
        (Unconfirmed, Event::Confirmed) => (None, &[]),
        (None | Unconfirmed, Event::Done)
        | (None | Ours | Unconfirmed, Event::Answered)
        | (None | Ours | Theirs, Event::Confirmed) => (state, &[]),
    }
}

/// Returns how long to wait after a 491 before asking again, in steps of 10 ms:
/// 2.1 to 4 s for who chose the Call-ID, 0 to 2 s for the other (RFC 3261
/// §14.1).
pub fn after_glare(chose_call_id: bool, random: u32) -> Duration {
    let (first, steps) = if chose_call_id { (210, 191) } else { (0, 201) };
    Duration::from_millis(u64::from(first + random % steps) * 10)
}

/// Returns the Retry-After of a 500 to an INVITE that came too soon: 0 to 10
/// seconds (RFC 3261 §14.2).
pub const fn busy_secs(random: u32) -> u32 {
    random % 11
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    /// RFC 3261 §14.1 and §14.2; RFC 3311 §5.1 and §5.2.
    #[test]
    fn the_whole_table_is_the_one_of_the_rfc() {
        let printed = table::print(
            &[Open::None, Open::Ours, Open::Theirs, Open::Unconfirmed],
            &[
                Event::Send,
                Event::Receive,
                Event::Done,
                Event::Answered,
                Event::Confirmed,
            ],
            next,
        );
        table::assert_same(
            &printed,
            "None Send -> Ours [Proceed]
             None Receive -> Theirs [Proceed]
             None Done -> None []
             None Answered -> None []
             None Confirmed -> None []
             Ours Send -> Ours [Wait]
             Ours Receive -> Ours [Glare]
             Ours Done -> None []
             Ours Answered -> Ours []
             Ours Confirmed -> Ours []
             Theirs Send -> Theirs [Wait]
             Theirs Receive -> Theirs [Busy]
             Theirs Done -> None []
             Theirs Answered -> Unconfirmed []
             Theirs Confirmed -> Theirs []
             Unconfirmed Send -> Unconfirmed [Wait]
             Unconfirmed Receive -> Theirs [Proceed]
             Unconfirmed Done -> Unconfirmed []
             Unconfirmed Answered -> Unconfirmed []
             Unconfirmed Confirmed -> None []",
        );
    }

    /// RFC 3261 §14.1: the two ranges do not meet, so that one side goes first.
    #[test]
    fn the_owner_of_the_call_id_waits_longer_after_glare() {
        for (owner, random, millis) in [
            (true, 0, 2_100),
            (true, 1, 2_110),
            (true, 190, 4_000),
            (true, 191, 2_100),
            (false, 0, 0),
            (false, 1, 10),
            (false, 200, 2_000),
            (false, 201, 0),
        ] {
            assert_eq!(after_glare(owner, random), Duration::from_millis(millis));
        }
        after_glare(true, u32::MAX);
    }

    #[test]
    fn too_soon_means_at_most_ten_seconds() {
        assert_eq!([busy_secs(0), busy_secs(10), busy_secs(11)], [0, 10, 0]);
    }
}
