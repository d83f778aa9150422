//! RTCP: a peer's compound packet is read to the reports in it, and our own report is
//! written (RFC 3550 §6). RTCP ends here; nothing of it crosses to the other leg.

use super::NtpTime;
use super::reception::Interval;

/// Packets read of one compound: more reports than two parties ever have to give.
pub const PACKETS: usize = 32;

/// The size of a report of ours: sender report with one block, and the name.
pub const REPORT: usize = 28 + 24 + 8 + 2 + 16 + 2;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// Why a datagram is no compound RTCP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    #[error("rtcp packet is cut short")]
    Short,
    #[error("rtcp version {0} is not 2")]
    Version(u8),
    #[error("rtcp compound begins with packet type {0}, not a report")]
    FirstPacket(u8),
    #[error("rtcp padding in a packet that is not the last, or of a wrong length")]
    Padding,
    #[error("rtcp compound of more than {PACKETS} packets")]
    TooMany,
}

/// What a peer's compound packet says, as far as it concerns us.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Heard {
    /// When its sender report was written, by its clock, in the middle 32 bits.
    pub sender_report: Option<u32>,
    /// What it says of the source we send.
    pub block: Option<Block>,
    /// It says the sender leaves; the call itself ends by signalling alone.
    pub goodbye: bool,
}

/// A report block on a source of ours: RFC 3550 §6.4.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Block {
    pub fraction_lost: u8,
    /// In ticks of the sender's clock.
    pub jitter: u32,
    /// The middle of the sender report of ours it heard last, 0 for none.
    pub last_report: u32,
    /// How long ago that was, in 65536 ths of a second.
    pub delay: u32,
}

impl Heard {
    /// Reads a compound packet (RFC 3550 §6.1, A.2). `source` is the one we send with.
    pub fn parse(bytes: &[u8], source: Option<u32>) -> Result<Self, Malformed> {
        let mut heard = Self::default();
        let mut rest = bytes;
        for number in 0..PACKETS {
            let (packet, after) = split(rest, number == 0)?;
            heard.take(&packet, source);
            if after.is_empty() {
                return Ok(heard);
            }
            rest = after;
        }
        Err(Malformed::TooMany)
    }

    fn take(&mut self, packet: &Packet<'_>, source: Option<u32>) {
        match packet.kind {
            SENDER_REPORT => {
                // SSRC, NTP time of eight bytes, RTP time, two counters; then blocks.
                if let [_, _, _, _, _, _, a, b, c, d, _, _, ..] = packet.body {
                    self.sender_report = Some(u32::from_be_bytes([*a, *b, *c, *d]));
                }
                self.blocks(packet.body.get(24..), packet.count, source);
            }
            RECEIVER_REPORT => self.blocks(packet.body.get(4..), packet.count, source),
            GOODBYE => self.goodbye = true,
            _ => {}
        }
    }

    fn blocks(&mut self, bytes: Option<&[u8]>, count: u8, source: Option<u32>) {
        let (blocks, _) = bytes.unwrap_or_default().as_chunks::<24>();
        for block in blocks.iter().take(count.into()) {
            let (words, _) = block.as_chunks::<4>();
            let [of, lost, _, jitter, last_report, delay] = words else {
                return;
            };
            if Some(u32::from_be_bytes(*of)) == source {
                self.block = Some(Block {
                    fraction_lost: lost[0],
                    jitter: u32::from_be_bytes(*jitter),
                    last_report: u32::from_be_bytes(*last_report),
                    delay: u32::from_be_bytes(*delay),
                });
            }
        }
    }
}

impl Block {
    /// Returns the round trip in 65536 ths of a second, for a block heard when the
    /// clock stood at `now` (RFC 3550 §6.4.1). `None` if it answers no report of ours,
    /// or the sum is negative.
    pub const fn round_trip(&self, now: NtpTime) -> Option<u32> {
        if self.last_report == 0 {
            return None;
        }
        let elapsed = now.middle().wrapping_sub(self.last_report);
        match elapsed.checked_sub(self.delay) {
            // Half the range is nine hours: a clock that ran backwards.
            Some(trip) if trip < u32::MAX / 2 => Some(trip),
            _ => None,
        }
    }
}

struct Packet<'a> {
    kind: u8,
    count: u8,
    body: &'a [u8],
}

/// One packet off the front of a compound, and the rest.
fn split(bytes: &[u8], first: bool) -> Result<(Packet<'_>, &[u8]), Malformed> {
    let [flags, kind, high, low, after @ ..] = bytes else {
        return Err(Malformed::Short);
    };
    if flags >> 6 != 2 {
        return Err(Malformed::Version(flags >> 6));
    }
    if first && !matches!(*kind, SENDER_REPORT | RECEIVER_REPORT) {
        return Err(Malformed::FirstPacket(*kind));
    }
    let length = usize::from(u16::from_be_bytes([*high, *low])) * 4;
    let (body, rest) = after.split_at_checked(length).ok_or(Malformed::Short)?;
    let padding = match (flags & 0x20 != 0, body.last()) {
        (false, _) => 0,
        (true, Some(padding)) if rest.is_empty() => usize::from(*padding),
        (true, _) => return Err(Malformed::Padding),
    };
    let end = body.len().checked_sub(padding).ok_or(Malformed::Padding)?;
    if flags & 0x20 != 0 && (padding == 0 || padding % 4 != 0) {
        return Err(Malformed::Padding);
    }
    let body = body.get(..end).unwrap_or_default();
    Ok((
        Packet {
            kind: *kind,
            count: flags & 0x1f,
            body,
        },
        rest,
    ))
}

/// What a report of ours tells.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The source we send with, or speak of ourselves by.
    pub ssrc: u32,
    /// Present if media was sent since the report before the last (RFC 3550 §6.4).
    pub sent: Option<Sent>,
    /// On the source heard last.
    pub heard: Option<(Interval, Echo)>,
    /// Sixteen characters that name this end of the call and nothing else (RFC 7022).
    pub name: &'a [u8; 16],
}

/// The sender's part of a report: RFC 3550 §6.4.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sent {
    pub now: NtpTime,
    /// The moment `now`, by the clock of the media.
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// Which report of the peer came last, and how long ago in 65536 ths of a second.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Echo {
    pub last_report: u32,
    pub delay: u32,
}

impl Report<'_> {
    /// Returns the compound packet: a report and the name (RFC 3550 §6.1).
    pub fn bytes(&self) -> heapless::Vec<u8, REPORT> {
        let mut out = heapless::Vec::new();
        let blocks = u8::from(self.heard.is_some());
        let kind = if self.sent.is_some() {
            SENDER_REPORT
        } else {
            RECEIVER_REPORT
        };
        let words = 1 + if self.sent.is_some() { 5 } else { 0 } + 6 * u16::from(blocks);
        put(&mut out, &[0x80 | blocks, kind]);
        put(&mut out, &words.to_be_bytes());
        put(&mut out, &self.ssrc.to_be_bytes());
        if let Some(sent) = &self.sent {
            put(&mut out, &sent.now.0.to_be_bytes());
            for word in [sent.timestamp, sent.packets, sent.octets] {
                put(&mut out, &word.to_be_bytes());
            }
        }
        if let Some((interval, echo)) = &self.heard {
            block(&mut out, interval, echo);
        }
        self.name(&mut out);
        out
    }

    /// RFC 3550 §6.5.1: the chunk ends with zeroes up to a whole word.
    fn name(&self, out: &mut heapless::Vec<u8, REPORT>) {
        const CNAME: u8 = 1;
        put(out, &[0x81, SOURCE_DESCRIPTION, 0, 6]);
        put(out, &self.ssrc.to_be_bytes());
        put(out, &[CNAME, 16]);
        put(out, self.name);
        put(out, &[0, 0]);
    }
}

fn block(out: &mut heapless::Vec<u8, REPORT>, interval: &Interval, echo: &Echo) {
    let [_, lost @ ..] = interval.lost.to_be_bytes();
    put(out, &interval.ssrc.to_be_bytes());
    put(out, &[interval.fraction_lost]);
    put(out, &lost);
    for word in [
        interval.highest,
        interval.jitter,
        echo.last_report,
        echo.delay,
    ] {
        put(out, &word.to_be_bytes());
    }
}

/// `REPORT` is the sum of all that is ever put.
fn put(out: &mut heapless::Vec<u8, REPORT>, bytes: &[u8]) {
    let _ = out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use proptest::prelude::*;
    use rtcp_types::{Compound, Packet as Theirs, SdesItem};

    use super::*;

    const NAME: &[u8; 16] = b"abcdefghijklmnop";
    const OURS: u32 = 0x0a0b_0c0d;

    fn interval() -> Interval {
        Interval {
            ssrc: 77,
            fraction_lost: 12,
            lost: -3,
            highest: 0x1_0005,
            jitter: 40,
        }
    }

    fn sent() -> Sent {
        Sent {
            now: NtpTime(0xb44d_b705_2000_0000),
            timestamp: 1_600,
            packets: 10,
            octets: 1_600,
        }
    }

    fn report(sent: Option<Sent>, heard: bool) -> Report<'static> {
        let echo = Echo {
            last_report: 5,
            delay: 6,
        };
        Report {
            ssrc: OURS,
            sent,
            heard: heard.then_some((interval(), echo)),
            name: NAME,
        }
    }

    /// RFC 3550 §6.1, §6.4.1, §6.4.2, §6.5.1: another library reads every form.
    #[test]
    fn our_reports_read_the_same_elsewhere() {
        for (sent, heard) in [
            (None, false),
            (None, true),
            (Some(sent()), false),
            (Some(sent()), true),
        ] {
            let bytes = report(sent, heard).bytes();
            let mut blocks = 0;
            for packet in Compound::parse(&bytes).unwrap() {
                match packet.unwrap() {
                    Theirs::Sr(report) => {
                        let sent = sent.unwrap();
                        assert_eq!((report.ssrc(), report.ntp_timestamp()), (OURS, sent.now.0));
                        assert_eq!(report.rtp_timestamp(), sent.timestamp);
                        assert_eq!((report.packet_count(), report.octet_count()), (10, 1_600));
                        blocks += report.report_blocks().count();
                    }
                    Theirs::Rr(report) => {
                        assert_eq!((report.ssrc(), sent), (OURS, None));
                        blocks += report.report_blocks().inspect(check_block).count();
                    }
                    Theirs::Sdes(description) => {
                        let chunk = description.chunks().next().unwrap();
                        let item = chunk.items().next().unwrap();
                        assert_eq!(
                            (chunk.ssrc(), item.type_(), item.value()),
                            (OURS, SdesItem::CNAME, &NAME[..])
                        );
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(blocks, usize::from(heard));
        }
        assert_eq!(report(Some(sent()), true).bytes().len(), REPORT);
    }

    fn check_block(block: &rtcp_types::ReportBlock<'_>) {
        assert_eq!((block.ssrc(), block.fraction_lost()), (77, 12));
        assert_eq!(block.cumulative_lost(), 0xff_fffd);
        assert_eq!(block.extended_sequence_number(), 0x1_0005);
        assert_eq!(
            (
                block.interarrival_jitter(),
                block.last_sender_report_timestamp()
            ),
            (40, 5)
        );
        assert_eq!(block.delay_since_last_sender_report_timestamp(), 6);
    }

    #[test]
    fn what_we_write_we_read() {
        let bytes = report(Some(sent()), true).bytes();
        let heard = Heard::parse(&bytes, Some(77)).unwrap();
        assert_eq!(heard.sender_report, Some(0xb705_2000));
        let block = Block {
            fraction_lost: 12,
            jitter: 40,
            last_report: 5,
            delay: 6,
        };
        assert_eq!((heard.block, heard.goodbye), (Some(block), false));
        assert_eq!(Heard::parse(&bytes, Some(78)).unwrap().block, None);
        assert_eq!(Heard::parse(&bytes, None).unwrap().block, None);
    }

    /// RFC 3550 §6.6: a goodbye, with extension packets before it (RFC 3611).
    #[test]
    fn a_goodbye_is_heard_behind_packets_of_other_kinds() {
        let mut bytes = alloc::vec::Vec::from(&report(None, false).bytes()[..]);
        bytes.extend([0x80, 207, 0, 1, 0, 0, 0, 9, 0x81, 203, 0, 1, 0, 0, 0, 9]);
        assert!(Heard::parse(&bytes, None).unwrap().goodbye);
    }

    /// RFC 3550 A.2: a report first, version 2, padding in the last alone, whole words.
    #[test]
    fn a_compound_that_breaks_the_rules_is_refused() {
        let rr = [0x80, 201, 0, 1, 0, 0, 0, 9];
        let with = |place: usize, byte: u8| {
            let mut bytes = rr;
            bytes[place] = byte;
            Heard::parse(&bytes, None)
        };
        assert_eq!(with(0, 0x40), Err(Malformed::Version(1)));
        assert_eq!(with(1, 202), Err(Malformed::FirstPacket(202)));
        assert_eq!(with(3, 2), Err(Malformed::Short));
        assert_eq!(with(0, 0xa0), Err(Malformed::Padding));
        assert_eq!(Heard::parse(&rr[..3], None), Err(Malformed::Short));
        assert_eq!(Heard::parse(&[], None), Err(Malformed::Short));
        let padded = [0xa0, 201, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4];
        assert!(Heard::parse(&padded, None).is_ok());
        assert_eq!(
            Heard::parse(&[padded, padded].concat(), None),
            Err(Malformed::Padding)
        );
        assert!(Heard::parse(&rr.repeat(PACKETS), None).is_ok());
        assert_eq!(
            Heard::parse(&rr.repeat(PACKETS + 1), None),
            Err(Malformed::TooMany)
        );
    }

    /// RFC 3550 §6.4.1, Figure 2: arrival b710:8000, report b705:2000, delay 5.25 s;
    /// the round trip is 6.125 s.
    #[test]
    fn the_round_trip_of_the_standards_figure_comes_out() {
        let block = |last_report, delay| Block {
            fraction_lost: 0,
            jitter: 0,
            last_report,
            delay,
        };
        let now = NtpTime(0xb44d_b710_8000_0000);
        assert_eq!(
            block(0xb705_2000, 0x0005_4000).round_trip(now),
            Some(0x0006_2000)
        );
        assert_eq!(block(0, 0x0005_4000).round_trip(now), None);
        assert_eq!(block(0xb705_2000, 0x0010_0000).round_trip(now), None);
        let soon = NtpTime::from_unix(Duration::from_secs(1));
        assert_eq!(block(soon.middle() + 9, 0).round_trip(soon), None);
    }

    proptest! {
        #[test]
        fn no_bytes_upset_the_reader(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), first in 0..4_u8) {
            if let [flags, kind, high, ..] = bytes.as_mut_slice() {
                (*flags, *kind, *high) = (0x80 | (*flags & 0x3f), 200 + first, 0);
            }
            let _ = Heard::parse(&bytes, Some(1));
        }
    }
}
