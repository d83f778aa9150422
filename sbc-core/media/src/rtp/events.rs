//! Telephone-event payloads (RFC 4733 §2.3): read, told apart, and written.

/// One event packet's payload: RFC 4733 §2.3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// 0 to 9, then star, pound, A to D, and 16 for the flash.
    pub code: u8,
    pub end: bool,
    /// Below the reference level, in dBm0.
    pub volume: u8,
    /// How long the event lasts so far, in ticks.
    pub duration: u16,
}

impl Event {
    /// Reads the first event of a payload.
    pub const fn parse(payload: &[u8]) -> Option<Self> {
        match payload {
            [code, flags, high, low, ..] => Some(Self {
                code: *code,
                end: *flags & 0x80 != 0,
                volume: *flags & 0x3f,
                duration: u16::from_be_bytes([*high, *low]),
            }),
            _ => None,
        }
    }

    /// Returns the payload.
    pub const fn bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        let end = if self.end { 0x80 } else { 0 };
        [self.code, end | (self.volume & 0x3f), high, low]
    }

    /// Returns what a keypad shows for the event.
    pub const fn key(self) -> Option<char> {
        match self.code {
            0..=9 => Some((b'0' + self.code) as char),
            10 => Some('*'),
            11 => Some('#'),
            12..=15 => Some((b'A' + self.code - 12) as char),
            _ => None,
        }
    }
}

/// Tells events apart: all packets of one carry its first timestamp (RFC 4733 §2.5.1.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracker {
    current: Option<(u32, u8)>,
}

impl Tracker {
    /// Takes one packet. Returns the event if it is the first heard of it, be it even
    /// one of the three last; the others repeat or prolong it.
    pub fn begins(&mut self, timestamp: u32, payload: &[u8]) -> Option<Event> {
        let event = Event::parse(payload)?;
        let seen = self.current.replace((timestamp, event.code));
        (seen != Some((timestamp, event.code))).then_some(event)
    }
}

/// How often the end of an event is sent (RFC 4733 §2.5.1.4).
pub const ENDS: u8 = 3;

/// Returns the packets of one event, one each `step` ticks: marker and payload. The
/// first has the marker, the end comes three times (RFC 4733 §2.5.1.2, §2.5.1.4).
pub fn packets(code: u8, lasting: u16, step: u16) -> impl Iterator<Item = (bool, Event)> {
    let step = step.max(1);
    let going = lasting.saturating_sub(1) / step;
    let total = u32::from(going) + u32::from(ENDS);
    (0..total).map(move |number| {
        let so_far = u32::from(step).saturating_mul(number + 1);
        let duration = u16::try_from(so_far).unwrap_or(u16::MAX).min(lasting);
        let end = number >= u32::from(going);
        (
            number == 0,
            Event {
                code,
                end,
                volume: 10,
                duration,
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    /// RFC 4733 §2.3
    #[test]
    fn a_payload_reads_as_it_was_written() {
        let event = Event {
            code: 11,
            end: true,
            volume: 10,
            duration: 800,
        };
        assert_eq!(event.bytes(), [11, 0x8a, 3, 0x20]);
        assert_eq!(Event::parse(&event.bytes()), Some(event));
        assert_eq!(Event::parse(&[1, 2, 3]), None);
    }

    #[test]
    fn the_keypad_has_sixteen_keys() {
        let key = |code| {
            Event {
                code,
                end: false,
                volume: 0,
                duration: 0,
            }
            .key()
        };
        assert_eq!(
            (0..20).filter_map(key).collect::<String>(),
            "0123456789*#ABCD"
        );
    }

    /// RFC 4733 §2.5.1.2, §2.5.1.4: one marker, a growing duration, the end thrice.
    #[test]
    fn a_digit_of_100_ms_is_sent_in_seven_packets() {
        let sent: Vec<_> = packets(5, 800, 160)
            .map(|(marker, event)| (marker, event.end, event.duration))
            .collect();
        let wanted = [
            (true, false, 160),
            (false, false, 320),
            (false, false, 480),
            (false, false, 640),
            (false, true, 800),
            (false, true, 800),
            (false, true, 800),
        ];
        assert_eq!(sent, wanted);
    }

    #[test]
    fn repeated_ends_are_one_event_and_a_new_timestamp_is_the_next() {
        let mut tracker = Tracker::default();
        let begun = |tracker: &mut Tracker, timestamp| {
            packets(5, 800, 160)
                .filter_map(|(_, event)| tracker.begins(timestamp, &event.bytes()))
                .count()
        };
        assert_eq!(begun(&mut tracker, 1_000), 1);
        assert_eq!(begun(&mut tracker, 3_000), 1);
        let late = Event {
            code: 5,
            end: true,
            volume: 0,
            duration: 800,
        };
        assert_eq!(tracker.begins(5_000, &late.bytes()), Some(late));
        assert_eq!(tracker.begins(5_000, &late.bytes()), None);
        assert_eq!(tracker.begins(6_000, &[]), None);
    }
}
