//! RFC 3262, held against its text.

use bytes::BytesMut;

use super::super::table;
use super::*;
use crate::wire::{Received, datagram};

const T: Timings = Timings::DEFAULT;

fn at(millis: u64) -> Instant {
    Duration::from_millis(millis)
}

fn rack(rseq: u32) -> RAck<'static> {
    acknowledging(7, rseq)
}

/// RFC 3262 §3.
#[test]
fn the_whole_table_is_the_one_of_the_rfc() {
    use State::{Final, FinalWaiting, Quiet, Unacknowledged, Waiting};
    let printed = table::print(
        &[Quiet, Waiting, Final, FinalWaiting, Unacknowledged],
        &[
            Event::Send,
            Event::Prack,
            Event::OtherPrack,
            Event::Again,
            Event::End,
            Event::Final,
        ],
        next,
    );
    table::assert_same(
        &printed,
        "Quiet Send -> Waiting [Transmit]
         Quiet Prack -> Quiet [Refuse]
         Quiet OtherPrack -> Quiet [Refuse]
         Quiet Again -> Quiet []
         Quiet End -> Quiet []
         Quiet Final -> Final []
         Waiting Send -> Waiting [Hold]
         Waiting Prack -> Quiet [Stop, Accept]
         Waiting OtherPrack -> Waiting [Refuse]
         Waiting Again -> Waiting [Retransmit]
         Waiting End -> Unacknowledged [Stop, Reject]
         Waiting Final -> FinalWaiting [Stop]
         Final Send -> Final [Hold]
         Final Prack -> Final [Refuse]
         Final OtherPrack -> Final [Refuse]
         Final Again -> Final []
         Final End -> Final []
         Final Final -> Final []
         FinalWaiting Send -> FinalWaiting [Hold]
         FinalWaiting Prack -> Final [Accept]
         FinalWaiting OtherPrack -> FinalWaiting [Refuse]
         FinalWaiting Again -> FinalWaiting []
         FinalWaiting End -> FinalWaiting []
         FinalWaiting Final -> FinalWaiting []
         Unacknowledged Send -> Unacknowledged [Hold]
         Unacknowledged Prack -> Final [Accept]
         Unacknowledged OtherPrack -> Unacknowledged [Refuse]
         Unacknowledged Again -> Unacknowledged []
         Unacknowledged End -> Unacknowledged []
         Unacknowledged Final -> FinalWaiting []",
    );
}

/// RFC 3262 §3 and §7.1: from 1 to 2^31 - 1, whatever the random number.
#[test]
fn the_first_rseq_is_in_range_and_the_next_follow() {
    for (random, first) in [
        (0, 1),
        (41, 42),
        (0x7fff_fffe, 0x7fff_ffff),
        (0x7fff_ffff, 1),
        (u32::MAX, 2),
    ] {
        let mut uas = Uas::new(7, random);
        assert_eq!(uas.send(at(0), &T, false), Ok(first));
        assert!(uas.prack(rack(first)));
        assert_eq!(uas.send(at(0), &T, false), Ok(first + 1));
    }
}

#[test]
fn the_second_waits_for_the_prack_of_the_first() {
    let mut uas = Uas::new(7, 0);
    assert_eq!(uas.send(at(0), &T, false), Ok(1));
    assert_eq!(
        uas.send(at(1), &T, false),
        Err(Held::Unacknowledged { rseq: 1 })
    );
    assert!(uas.prack(rack(1)));
    assert_eq!(uas.next_wakeup(), None);
    assert_eq!(uas.send(at(2), &T, false), Ok(2));
}

/// RFC 3262 §7.2
#[test]
fn only_the_right_prack_is_accepted_and_only_once() {
    let mut uas = Uas::new(7, 0);
    uas.send(at(0), &T, false).unwrap();
    for wrong in [
        RAck {
            response: 2,
            ..rack(1)
        },
        RAck {
            number: 8,
            ..rack(1)
        },
        RAck {
            method: Method::Update,
            ..rack(1)
        },
    ] {
        assert!(!uas.prack(wrong), "{wrong:?}");
    }
    assert!(uas.prack(rack(1)));
    assert!(!uas.prack(rack(1)));
}

#[test]
fn nobody_acknowledges_and_the_invite_is_rejected_after_64_t1() {
    let mut uas = Uas::new(7, 0);
    uas.send(at(0), &T, true).unwrap();
    for millis in [500, 1_500, 3_500, 7_500, 15_500, 31_500] {
        assert_eq!(uas.next_wakeup(), Some(at(millis)));
        assert_eq!(uas.wakeup(at(millis)), Some(Due::Retransmit));
    }
    assert_eq!(uas.wakeup(at(32_000)), Some(Due::Reject));
    assert_eq!((uas.next_wakeup(), uas.wakeup(at(99_000))), (None, None));
    uas.finish();
    assert!(uas.prack(rack(1)), "a PRACK that crossed the rejection");
}

/// RFC 3262 §3: a description must be acknowledged before a 2xx, and a PRACK
/// after the final response is still legal.
#[test]
fn a_success_waits_for_a_description_and_a_late_prack_is_accepted() {
    let mut uas = Uas::new(7, 0);
    assert!(uas.may_succeed());
    uas.send(at(0), &T, true).unwrap();
    assert!(!uas.may_succeed());
    assert!(uas.prack(rack(1)));
    assert!(uas.may_succeed());
    uas.send(at(9), &T, false).unwrap();
    assert!(uas.may_succeed());
    uas.finish();
    assert_eq!(uas.next_wakeup(), None);
    assert_eq!(uas.send(at(10), &T, false), Err(Held::Final));
    assert!(uas.prack(rack(2)));
    assert!(!uas.prack(rack(2)));
}

/// RFC 3262 §4.
#[test]
fn the_uac_acknowledges_in_order_and_nothing_else() {
    let mut uac = Uac::default();
    for (cseq, rseq, verdict) in [
        (1, 0, Verdict::OutOfOrder),
        (1, 900, Verdict::Acknowledge),
        (1, 900, Verdict::Repeated),
        (1, 899, Verdict::Repeated),
        (1, 902, Verdict::OutOfOrder),
        (1, 901, Verdict::Acknowledge),
        (1, 902, Verdict::Acknowledge),
        (3, 5, Verdict::Acknowledge),
        (1, 903, Verdict::OutOfOrder),
        (3, 6, Verdict::Acknowledge),
        (3, 0, Verdict::OutOfOrder),
    ] {
        assert_eq!(uac.received(cseq, rseq), verdict, "{cseq} {rseq}");
    }
    let mut fork = Uac::default();
    assert_eq!(fork.received(1, 17), Verdict::Acknowledge);
    let mut end = Uac::default();
    assert_eq!(end.received(1, u32::MAX), Verdict::Acknowledge);
    assert_eq!(end.received(1, u32::MAX), Verdict::Repeated);
}

/// RFC 3262 §4: `Require: 100rel` makes it reliable, and never a 100.
#[test]
fn a_response_is_reliable_if_it_says_so() {
    let of = |status: &str, lines: &str| {
        let text = alloc::format!(
            "SIP/2.0 {status} x\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>;tag=2\r\nCall-ID: i\r\nCSeq: 1 INVITE\r\n{lines}\r\n"
        );
        let Ok(Received::Message(frame)) = datagram(BytesMut::from(text.as_bytes())) else {
            panic!("{text}");
        };
        rseq(&Response::read(&frame).unwrap())
    };
    assert_eq!(
        of("183", "Require: timer, 100REL\r\nRSeq: 988789\r\n"),
        Some(988_789)
    );
    assert_eq!(of("183", "Require: 100rel\r\n"), None);
    assert_eq!(of("183", "Supported: 100rel\r\nRSeq: 1\r\n"), None);
    assert_eq!(of("100", "Require: 100rel\r\nRSeq: 1\r\n"), None);
    assert_eq!(of("200", "Require: 100rel\r\nRSeq: 1\r\n"), None);
}
