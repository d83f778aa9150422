//! Runs of packets as networks deliver them, and what is counted.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const PLAYOUT: Duration = Duration::from_millis(60);
const SSRC: u32 = 0x0102_0304;

/// Receives `sequences`, each when it was due.
fn received(sequences: impl IntoIterator<Item = u16>) -> (Reception, Vec<Arrival>) {
    let mut reception = Reception::default();
    let mut how = Vec::new();
    for sequence in sequences {
        how.push(at(&mut reception, sequence, Duration::ZERO));
    }
    (reception, how)
}

/// Receives one packet `delay` after it was sent, 20 ms per sequence number.
fn at(reception: &mut Reception, sequence: u16, delay: Duration) -> Arrival {
    let sent = Duration::from_millis(20) * u32::from(sequence);
    let timestamp = u32::from(sequence) * 160;
    reception.observe(sent + delay, (SSRC, sequence, timestamp), true, PLAYOUT)
}

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn counts(reception: &Reception) -> (u64, u64, u64, u64) {
    (
        reception.packets(),
        reception.lost(),
        reception.reordered(),
        reception.duplicate(),
    )
}

#[test]
fn a_clean_run_counts_packets_and_nothing_else() {
    for first in [0, 1, 7, u16::MAX - 5, u16::MAX] {
        let (reception, _) = received((0..200).map(|n| first.wrapping_add(n)));
        assert_eq!(counts(&reception), (200, 0, 0, 0), "from {first}");
    }
}

/// RFC 3550 A.1, A.3: gaps are lost until the missing packet comes.
#[test]
fn loss_reordering_and_doubles_are_told_apart() {
    let (reception, how) = received([10, 11, 13, 12, 12, 16, 13]);
    use Arrival::{Duplicate, InOrder, Reordered};
    let wanted = [
        InOrder, InOrder, InOrder, Reordered, Duplicate, InOrder, Duplicate,
    ];
    assert_eq!(how, wanted);
    assert_eq!(counts(&reception), (7, 2, 1, 2));
}

#[test]
fn sequence_numbers_wrap_without_loss() {
    let (reception, _) = received([65_534, 65_535, 1, 0, 2]);
    assert_eq!(counts(&reception), (5, 0, 1, 0));
    let (mut reception, _) = received([65_534, 65_535, 0, 1]);
    assert_eq!(reception.interval().unwrap().highest, 0x1_0001);
}

#[test]
fn a_packet_from_before_the_first_was_expected_too() {
    let (reception, how) = received([100, 98]);
    assert_eq!(how, [Arrival::InOrder, Arrival::Reordered]);
    assert_eq!(counts(&reception), (2, 1, 1, 0));
    let (reception, _) = received([0, 65_535]);
    assert_eq!(counts(&reception), (2, 0, 1, 0));
}

/// RFC 3550 A.1: one stray number is no restart, two in a row are.
#[test]
fn a_jump_becomes_a_restart_when_it_is_confirmed() {
    let (reception, how) = received([1, 3, 40_000, 4, 5]);
    assert_eq!(how[2], Arrival::Jump);
    assert_eq!(counts(&reception), (5, 1, 0, 0));
    let (reception, how) = received([1, 3, 40_000, 40_001, 40_003]);
    assert_eq!(how[3], Arrival::InOrder);
    assert_eq!(counts(&reception), (5, 2, 0, 0));
}

#[test]
fn the_largest_gap_is_loss_and_one_more_is_a_jump() {
    let (reception, _) = received([1, 3_000]);
    assert_eq!(reception.lost(), 2_998);
    let (reception, how) = received([1, 3_001]);
    assert_eq!((how[1], reception.lost()), (Arrival::Jump, 0));
    let (_, how) = received([1_000, 900]);
    assert_eq!(how[1], Arrival::Reordered);
    let (_, how) = received([1_000, 899]);
    assert_eq!(how[1], Arrival::Jump);
}

#[test]
fn a_new_source_keeps_what_the_old_one_lost() {
    let (mut reception, _) = received([1, 5]);
    for sequence in [900, 902] {
        reception.observe(ms(0), (77, sequence, 0), true, PLAYOUT);
    }
    assert_eq!(counts(&reception), (4, 4, 0, 0));
    assert_eq!(reception.ssrc(), Some(77));
}

/// RFC 3550 A.8 with a change of 80 ticks each packet: 5, then 9.7, 14.1 …, towards 80.
#[test]
fn jitter_grows_by_a_sixteenth_of_each_change() {
    let mut reception = Reception::default();
    let mut heard = Vec::new();
    for sequence in 0..200 {
        at(
            &mut reception,
            sequence,
            ms(if sequence % 2 == 0 { 0 } else { 10 }),
        );
        heard.push(reception.jitter());
    }
    assert_eq!(heard[..5], [0, 5, 9, 14, 18]);
    assert!((78..=80).contains(&heard[199]), "{}", heard[199]);
    assert_eq!(reception.jitter_max(), heard.into_iter().max().unwrap());
}

#[test]
fn a_steady_delay_is_no_jitter_and_a_clock_jump_neither() {
    let mut reception = Reception::default();
    for sequence in 0..50 {
        at(&mut reception, sequence, ms(300));
    }
    reception.observe(ms(1_000), (SSRC, 50, 0x9000_0000), true, PLAYOUT);
    assert_eq!((reception.jitter(), reception.late()), (0, 0));
}

#[test]
fn a_packet_later_than_the_playout_buffer_is_late_also_when_it_is_in_order() {
    let mut reception = Reception::default();
    for (sequence, delay) in [(1, 40), (2, 5), (3, 64), (4, 66), (6, 5), (5, 90), (7, 5)] {
        at(&mut reception, sequence, ms(delay));
    }
    assert_eq!((reception.late(), reception.reordered()), (2, 1));
}

#[test]
fn unequal_clocks_do_not_become_late_packets() {
    let mut reception = Reception::default();
    // A sender 100 ppm slow: a tick more delay every 62 packets, for twenty minutes.
    for number in 0..60_000_u32 {
        let arrival = ms(20) * number + Duration::from_micros(2) * number;
        let sequence = u16::try_from(number & 0xffff).unwrap();
        reception.observe(arrival, (SSRC, sequence, number * 160), true, PLAYOUT);
    }
    assert_eq!(counts(&reception), (60_000, 0, 0, 0));
    assert_eq!(reception.late(), 0);
}

/// RFC 4733 §2.5.1.2: all packets of an event carry its first timestamp.
#[test]
fn packets_of_an_event_do_not_count_as_jitter() {
    let mut reception = Reception::default();
    at(&mut reception, 0, ms(0));
    for sequence in 1..40 {
        let now = ms(20) * u32::from(sequence);
        reception.observe(now, (SSRC, sequence, 160), false, PLAYOUT);
    }
    at(&mut reception, 40, ms(0));
    assert_eq!(
        (reception.jitter(), reception.late(), reception.lost()),
        (0, 0, 0)
    );
}

/// RFC 3550 §6.4.1, A.3: the fraction is of the interval, the sum of all.
#[test]
fn a_report_block_tells_the_interval_and_the_whole() {
    let (mut reception, _) = received([0, 1, 2, 3, 4, 5, 7, 8]);
    let first = reception.interval().unwrap();
    assert_eq!((first.fraction_lost, first.lost, first.highest), (28, 1, 8));
    for sequence in [9, 10, 10] {
        at(&mut reception, sequence, ms(0));
    }
    let second = reception.interval().unwrap();
    assert_eq!(
        (second.fraction_lost, second.lost, second.highest),
        (0, 0, 10)
    );
    let third = reception.interval().unwrap();
    assert_eq!((third.fraction_lost, third.ssrc), (0, SSRC));
    assert_eq!(Reception::default().interval(), None);
}

#[test]
fn the_sum_of_a_report_block_stays_in_24_bits() {
    let mut reception = Reception::default();
    at(&mut reception, 1, ms(0));
    for _ in 0..20 {
        at(&mut reception, 1, ms(0));
    }
    assert_eq!(reception.interval().unwrap().lost, -20);
}

proptest! {
    /// Any order of delivery, with losses and doubles inside the window: what was
    /// sent, what came and what is missing add up.
    #[test]
    fn the_counters_add_up(
        first: u16,
        fates in proptest::collection::vec((0..4_u8, 0..40_u8), 1..400),
    ) {
        // Fate 0 loses a packet, 1 doubles it; the shift delays it by as many places.
        let mut sent: Vec<(usize, u16)> = Vec::new();
        for (place, (fate, shift)) in fates.iter().enumerate() {
            let sequence = first.wrapping_add(u16::try_from(place).unwrap());
            let copies = match fate { 0 => 0, 1 => 2, _ => 1 };
            sent.extend((0..copies).map(|copy| (place + usize::from(*shift) + copy, sequence)));
        }
        sent.sort_by_key(|(when, _)| *when);
        let distances: Vec<u16> = sent.iter().map(|(_, sequence)| sequence.wrapping_sub(first)).collect();
        let (reception, _) = received(sent.iter().map(|(_, sequence)| *sequence));
        let (Some(lowest), Some(highest)) = (distances.iter().min(), distances.iter().max()) else {
            return Ok(());
        };
        let mut distinct = distances.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let came = distinct.len() as u64;
        prop_assert_eq!(reception.packets(), distances.len() as u64);
        prop_assert_eq!(reception.duplicate(), distances.len() as u64 - came);
        prop_assert_eq!(reception.lost(), u64::from(highest - lowest) + 1 - came);
    }

    #[test]
    fn nothing_that_arrives_upsets_the_counters(
        packets in proptest::collection::vec((0..3_u32, any::<u16>(), any::<u32>(), any::<u32>(), any::<bool>()), 0..200),
    ) {
        let mut reception = Reception::default();
        for (ssrc, sequence, timestamp, at, timed) in &packets {
            let now = Duration::from_millis((*at).into());
            reception.observe(now, (*ssrc, *sequence, *timestamp), *timed, PLAYOUT);
            let _ = reception.interval();
        }
        prop_assert_eq!(reception.packets(), packets.len() as u64);
    }
}
