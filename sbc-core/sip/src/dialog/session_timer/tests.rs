//! RFC 4028, held against its text.

use alloc::{format, string::String, vec::Vec};

use bytes::BytesMut;

use super::super::table;
use super::*;
use crate::{
    message::{Request, Uri, Writer},
    wire::{Received, datagram},
};

fn at(secs: u64) -> Instant {
    Duration::from_secs(secs)
}

fn timer(refresher: Party, alone: bool) -> SessionTimer {
    SessionTimer::new(Policy::new(1_800, 90, refresher, alone).unwrap())
}

const fn expires(secs: u32, refresher: Option<Refresher>) -> Option<SessionExpires> {
    Some(SessionExpires { secs, refresher })
}

const UAC: Option<Refresher> = Some(Refresher::Uac);
const UAS: Option<Refresher> = Some(Refresher::Uas);

/// RFC 4028 §7.2, §9, §10.
#[test]
fn the_whole_table_is_the_one_of_the_rfc() {
    use State::{Asking, Off, Ours, Over, Theirs};
    let printed = table::print(
        &[Off, Ours, Asking, Theirs, Over],
        &[
            Event::AgreedOurs,
            Event::AgreedTheirs,
            Event::AgreedNone,
            Event::Half,
            Event::End,
            Event::Refused,
            Event::RefusedAlone,
            Event::Dead,
        ],
        next,
    );
    table::assert_same(
        &printed,
        "Off AgreedOurs -> Ours [StartHalf, StartEnd]
         Off AgreedTheirs -> Theirs [StopHalf, StartEnd]
         Off AgreedNone -> Off [StopHalf, StopEnd]
         Off Half -> Off []
         Off End -> Off []
         Off Refused -> Off []
         Off RefusedAlone -> Off []
         Off Dead -> Off []
         Ours AgreedOurs -> Ours [StartHalf, StartEnd]
         Ours AgreedTheirs -> Theirs [StopHalf, StartEnd]
         Ours AgreedNone -> Off [StopHalf, StopEnd]
         Ours Half -> Asking [StopHalf, Refresh]
         Ours End -> Over [StopHalf, StopEnd, SendBye]
         Ours Refused -> Ours []
         Ours RefusedAlone -> Ours []
         Ours Dead -> Ours []
         Asking AgreedOurs -> Ours [StartHalf, StartEnd]
         Asking AgreedTheirs -> Theirs [StopHalf, StartEnd]
         Asking AgreedNone -> Off [StopHalf, StopEnd]
         Asking Half -> Asking []
         Asking End -> Over [StopHalf, StopEnd, SendBye]
         Asking Refused -> Ours [StartRetry]
         Asking RefusedAlone -> Ours [StartEnd, StartRetry]
         Asking Dead -> Over [StopHalf, StopEnd, SendBye]
         Theirs AgreedOurs -> Ours [StartHalf, StartEnd]
         Theirs AgreedTheirs -> Theirs [StopHalf, StartEnd]
         Theirs AgreedNone -> Off [StopHalf, StopEnd]
         Theirs Half -> Theirs []
         Theirs End -> Over [StopHalf, StopEnd, SendBye]
         Theirs Refused -> Theirs []
         Theirs RefusedAlone -> Theirs []
         Theirs Dead -> Theirs []
         Over AgreedOurs -> Over []
         Over AgreedTheirs -> Over []
         Over AgreedNone -> Over []
         Over Half -> Over []
         Over End -> Over []
         Over Refused -> Over []
         Over RefusedAlone -> Over []
         Over Dead -> Over []",
    );
}

/// RFC 4028 §9, Table 2, with the choice it leaves open made both ways.
#[test]
fn the_uas_names_the_refresher_of_table_2() {
    for (supports, asked, ours, theirs) in [
        (false, None, Refresher::Uas, Refresher::Uas),
        (true, None, Refresher::Uas, Refresher::Uac),
        (true, UAC, Refresher::Uac, Refresher::Uac),
        (true, UAS, Refresher::Uas, Refresher::Uas),
    ] {
        assert_eq!(refresher_of(supports, asked, Party::Us), ours);
        assert_eq!(refresher_of(supports, asked, Party::Peer), theirs);
    }
}

/// RFC 4028 §9: 422 only to who understands it; lowered, never raised, never
/// below the path's Min-SE; `Require: timer` only for who supports it.
#[test]
fn the_uas_answers_each_kind_of_request() {
    let timed = |secs, refresher, require| Answer::Timed {
        expires: SessionExpires { secs, refresher },
        require,
    };
    let asked = |timer, expires, min_secs| Asked {
        timer,
        expires,
        min_secs,
    };
    for (alone, asked, answer) in [
        (false, asked(false, None, None), Answer::Untimed),
        (true, asked(false, None, None), timed(1_800, UAS, false)),
        (false, asked(true, None, None), timed(1_800, UAS, true)),
        (
            false,
            asked(true, None, Some(3_600)),
            timed(3_600, UAS, true),
        ),
        (
            false,
            asked(true, expires(600, None), None),
            timed(600, UAS, true),
        ),
        (
            false,
            asked(true, expires(600, UAC), None),
            timed(600, UAC, true),
        ),
        (
            false,
            asked(true, expires(7_200, UAS), None),
            timed(1_800, UAS, true),
        ),
        (
            false,
            asked(true, expires(7_200, UAS), Some(3_600)),
            timed(3_600, UAS, true),
        ),
        (
            false,
            asked(true, expires(90, UAC), Some(90)),
            timed(90, UAC, true),
        ),
        (
            false,
            asked(true, expires(89, UAC), None),
            Answer::TooSmall { min_secs: 90 },
        ),
        (
            false,
            asked(false, expires(89, None), None),
            timed(89, UAS, false),
        ),
        (
            false,
            asked(false, expires(600, None), None),
            timed(600, UAS, false),
        ),
    ] {
        assert_eq!(
            timer(Party::Us, alone).answer(asked),
            answer,
            "{alone} {asked:?}"
        );
    }
}

/// RFC 4028 §7.1 and §5.
#[test]
fn the_first_offer_is_what_the_operator_wants() {
    for (party, refresher) in [(Party::Us, UAC), (Party::Peer, UAS)] {
        let offer = timer(party, false).offer();
        assert_eq!(Some(offer.expires), expires(1_800, refresher));
        assert_eq!(offer.min_secs, None);
    }
    let strict = SessionTimer::new(Policy::new(600, 300, Party::Us, false).unwrap());
    assert_eq!(strict.offer().min_secs, Some(300));
}

/// RFC 4028 §7.3 and §6.
#[test]
fn a_422_raises_the_offer_until_it_makes_no_sense() {
    let mut timer = timer(Party::Us, false);
    assert_eq!(timer.too_small(None), Err(GiveUp::NoMinimum));
    let same = GiveUp::NotMore {
        min_secs: 1_800,
        offered_secs: 1_800,
    };
    assert_eq!(timer.too_small(Some(1_800)), Err(same));
    assert_eq!(timer.too_small(Some(3_600)), Ok(()));
    let offer = timer.offer();
    assert_eq!((offer.expires.secs, offer.min_secs), (3_600, Some(3_600)));
    let day = GiveUp::TooMuch { min_secs: 86_401 };
    assert_eq!(timer.too_small(Some(86_401)), Err(day));
    for min_secs in 3_601..3_605 {
        assert_eq!(timer.too_small(Some(min_secs)), Ok(()));
    }
    assert_eq!(timer.too_small(Some(9_000)), Err(GiveUp::TooOften));
    timer.accepted(at(0), expires(3_604, UAC));
    assert_eq!(
        timer.offer().min_secs,
        Some(3_604),
        "kept for the whole dialog"
    );
    assert_eq!(timer.too_small(Some(9_000)), Ok(()), "another request");
}

#[test]
fn we_refresh_at_half_the_interval_by_update_if_we_may() {
    for (update, method) in [(true, Method::Update), (false, Method::Invite)] {
        let mut timer = timer(Party::Us, false);
        timer.peer_allows_update(update);
        timer.accepted(at(100), expires(1_800, UAC));
        assert_eq!(timer.next_wakeup(), Some(at(1_000)));
        assert_eq!(timer.wakeup(at(999)), None);
        assert_eq!(timer.wakeup(at(1_000)), Some(Due::Refresh(method)));
        assert_eq!(timer.wakeup(at(1_001)), None);
        assert_eq!(timer.offer().expires.refresher, UAC);
        timer.accepted(at(1_001), expires(1_800, UAC));
        assert_eq!(timer.next_wakeup(), Some(at(1_901)));
    }
}

/// RFC 4028 §10: the smaller of 32 s and a third before the end.
#[test]
fn a_peer_that_does_not_refresh_is_hung_up_on_shortly_before_the_end() {
    for (secs, bye) in [(1_800, 1_768), (96, 64), (90, 60), (30, 60), (0, 60)] {
        let mut timer = timer(Party::Us, false);
        timer.accepted(at(0), expires(secs, UAS));
        assert_eq!(timer.next_wakeup(), Some(at(bye)), "{secs}");
        assert_eq!(timer.wakeup(at(bye)), Some(Due::Bye));
        assert_eq!((timer.next_wakeup(), timer.wakeup(at(9_999))), (None, None));
    }
}

#[test]
fn a_refresh_moves_the_end_and_may_switch_the_refresher() {
    let mut timer = timer(Party::Us, false);
    timer.accepted(at(0), expires(1_800, UAS));
    assert_eq!(timer.running(), Some((Party::Peer, 1_800)));
    assert_eq!(
        timer.offer().expires.refresher,
        UAS,
        "our hold keeps the roles"
    );
    let asked = Asked {
        timer: true,
        expires: expires(1_200, UAS),
        min_secs: Some(100),
    };
    let answer = timer.answer(asked);
    assert_eq!(
        timer.running(),
        Some((Party::Peer, 1_800)),
        "nothing before the 2xx"
    );
    timer.answered(at(900), asked, answer);
    assert_eq!(timer.running(), Some((Party::Us, 1_200)));
    assert_eq!(timer.next_wakeup(), Some(at(1_500)));
    assert_eq!(timer.offer().min_secs, Some(100));
    let again = Asked {
        expires: expires(1_200, UAC),
        ..asked
    };
    timer.answered(at(1_000), again, timer.answer(again));
    assert_eq!(timer.running(), Some((Party::Peer, 1_200)));
    assert_eq!(timer.next_wakeup(), Some(at(2_168)));
    let plain = Asked::default();
    timer.answered(at(1_100), plain, timer.answer(plain));
    assert_eq!((timer.running(), timer.next_wakeup()), (None, None));
}

/// RFC 4028 §7.2: without Session-Expires there is no timer, unless the
/// operator wants the session watched all the same.
#[test]
fn a_peer_without_support_is_left_alone_or_watched() {
    let mut untimed = timer(Party::Us, false);
    untimed.accepted(at(0), None);
    assert_eq!(untimed.next_wakeup(), None);
    let mut watched = timer(Party::Us, true);
    watched.accepted(at(0), None);
    assert_eq!(watched.wakeup(at(900)), Some(Due::Refresh(Method::Invite)));
    watched.accepted(at(901), None);
    assert_eq!(watched.next_wakeup(), Some(at(1_801)));
    let mut sloppy = timer(Party::Us, false);
    sloppy.accepted(at(0), expires(600, None));
    assert_eq!(sloppy.running(), Some((Party::Us, 600)));
}

/// RFC 4028 §10: who agreed to no timer is watched, and any answer says that it is
/// there.
#[test]
fn a_refusal_of_a_peer_that_agreed_to_no_timer_ends_nothing() {
    let mut timer = timer(Party::Us, true);
    timer.accepted(at(0), None);
    for refusal in 0..50 {
        let due = timer.next_wakeup().unwrap();
        assert_eq!(timer.wakeup(due), Some(Due::Refresh(Method::Invite)));
        let status = [403, 488, 491, 500][refusal % 4];
        assert_eq!(timer.refused(due, status), None);
        assert_eq!(timer.next_wakeup(), Some(due + Duration::from_secs(884)));
    }
    let due = timer.next_wakeup().unwrap();
    timer.wakeup(due);
    assert_eq!(timer.refused(due, 481), Some(Due::Bye));
}

#[test]
fn a_refusal_of_a_peer_that_asked_for_a_timer_is_one_of_a_peer_that_agreed() {
    for (asked, ends) in [
        (Asked::default(), false),
        (
            Asked {
                timer: true,
                ..Asked::default()
            },
            true,
        ),
        (
            Asked {
                expires: expires(1_800, None),
                ..Asked::default()
            },
            true,
        ),
    ] {
        let mut timer = timer(Party::Us, true);
        timer.answered(at(0), asked, timer.answer(asked));
        timer.wakeup(at(900));
        let policy = Policy::new(1_800, 90, Party::Us, true).unwrap();
        let mut timer = SessionTimer::resume(policy, at(900), &timer.record(at(900)));
        timer.wakeup(at(900));
        timer.refused(at(900), 488);
        timer.wakeup(at(1_334));
        timer.refused(at(1_760), 488);
        let over = timer.wakeup(at(1_768));
        assert_eq!(over == Some(Due::Bye), ends, "{asked:?}");
    }
}

/// What could not be sent was not refused.
#[test]
fn a_refresh_without_an_answer_says_nothing_of_the_peer() {
    let mut timer = timer(Party::Us, true);
    timer.accepted(at(0), None);
    timer.wakeup(at(900));
    assert_eq!(timer.unanswered(at(900), 503), None);
    timer.wakeup(at(1_334));
    assert_eq!(timer.unanswered(at(1_334), 408), Some(Due::Bye));
    timer = self::timer(Party::Us, true);
    timer.accepted(at(0), None);
    timer.wakeup(at(900));
    assert_eq!(timer.unanswered(at(1_760), 503), None);
    assert_eq!(timer.wakeup(at(1_768)), Some(Due::Bye));
}

/// RFC 4028 §10.
#[test]
fn a_dead_dialog_is_ended_and_a_refusal_is_tried_again_before_the_end() {
    for status in [408, 481] {
        let mut timer = timer(Party::Us, false);
        timer.accepted(at(0), expires(1_800, UAC));
        timer.wakeup(at(900));
        assert_eq!(timer.refused(at(932), status), Some(Due::Bye));
        assert_eq!(timer.next_wakeup(), None);
    }
    let mut timer = timer(Party::Us, false);
    timer.accepted(at(0), expires(1_800, UAC));
    timer.wakeup(at(900));
    assert_eq!(timer.refused(at(900), 491), None);
    assert_eq!(timer.next_wakeup(), Some(at(1_334)));
    timer.wakeup(at(1_334));
    assert_eq!(timer.refused(at(1_760), 500), None);
    assert_eq!(
        timer.next_wakeup(),
        Some(at(1_768)),
        "the end comes before the next try"
    );
    assert_eq!(timer.wakeup(at(1_768)), Some(Due::Bye));
}

#[test]
fn an_update_that_is_not_there_becomes_an_invite_at_once() {
    for status in [405, 501] {
        let mut timer = timer(Party::Us, false);
        timer.peer_allows_update(true);
        timer.accepted(at(0), expires(1_800, UAC));
        assert_eq!(timer.wakeup(at(900)), Some(Due::Refresh(Method::Update)));
        assert_eq!(
            timer.refused(at(901), status),
            Some(Due::Refresh(Method::Invite))
        );
        assert_eq!(timer.refused(at(902), status), None);
        assert_eq!(timer.next_wakeup(), Some(at(1_335)));
    }
}

#[test]
fn a_tiny_interval_makes_no_storm_of_refreshes() {
    let mut timer = timer(Party::Us, false);
    timer.accepted(at(0), expires(1, UAC));
    assert_eq!(timer.next_wakeup(), Some(at(15)));
}

#[test]
fn a_record_goes_on_where_it_stopped() {
    let policy = Policy::new(1_800, 90, Party::Us, false).unwrap();
    let mut before = SessionTimer::new(policy);
    before.peer_allows_update(true);
    before.accepted(at(100), expires(1_800, UAC));
    let mut after = SessionTimer::resume(policy, at(5), &before.record(at(300)));
    assert_eq!(after.next_wakeup(), Some(at(705)));
    assert_eq!(after.wakeup(at(705)), Some(Due::Refresh(Method::Update)));
    let mut asking = SessionTimer::resume(policy, at(9), &after.record(at(706)));
    assert_eq!(asking.wakeup(at(9)), Some(Due::Refresh(Method::Update)));
    assert_eq!(asking.next_wakeup(), Some(at(9 + 867)));
    let off = SessionTimer::resume(policy, at(9), &SessionTimer::new(policy).record(at(9)));
    assert_eq!((off.running(), off.next_wakeup()), (None, None));
}

#[test]
fn a_policy_below_the_protocol_is_refused() {
    assert_eq!(
        Policy::new(1_800, 89, Party::Us, false),
        Err(BadPolicy::MinTooSmall { min_secs: 89 })
    );
    for expires_secs in [99, 86_401] {
        let refusal = BadPolicy::Expires {
            expires_secs,
            min_secs: 100,
        };
        assert_eq!(
            Policy::new(expires_secs, 100, Party::Us, false),
            Err(refusal)
        );
    }
}

fn update(lines: &str) -> Frame {
    let text = format!(
        "UPDATE sip:us@node SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:us@node>;tag=2\r\nCall-ID: i\r\nCSeq: 2 UPDATE\r\n\
         Contact: <sip:a@b>\r\n{lines}\r\n"
    );
    match datagram(BytesMut::from(text.as_bytes())) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

/// RFC 4028 §4 and §5
#[test]
fn the_headers_of_a_request_are_what_it_asks() {
    for (lines, timer, expires, min_secs) in [
        ("", false, None, None),
        (
            "k: 100rel, timer\r\nx: 1800;refresher=uas\r\nMin-SE: 120\r\n",
            true,
            expires(1_800, UAS),
            Some(120),
        ),
        (
            "Require: timer\r\nSession-Expires: 90\r\n",
            true,
            expires(90, None),
            None,
        ),
        (
            "Supported: timers\r\nSession-Expires: soon\r\nMin-SE: -1\r\n",
            false,
            None,
            None,
        ),
    ] {
        let frame = update(lines);
        let asked = Asked::received(&Request::read(&frame).unwrap());
        assert_eq!(
            asked,
            Asked {
                timer,
                expires,
                min_secs
            },
            "{lines}"
        );
    }
}

#[test]
fn the_latest_allow_decides_between_update_and_invite() {
    let mut timer = timer(Party::Us, false);
    for (lines, method) in [
        ("", Method::Invite),
        ("Allow: INVITE, ACK\r\nAllow: UPDATE\r\n", Method::Update),
        ("Supported: timer\r\n", Method::Update),
        ("Allow: INVITE, update\r\n", Method::Invite),
    ] {
        timer.heard(&update(lines));
        timer.accepted(at(0), expires(1_800, UAC));
        assert_eq!(timer.wakeup(at(900)), Some(Due::Refresh(method)), "{lines}");
    }
}

#[test]
fn an_offer_is_written_as_headers() {
    let strict = SessionTimer::new(Policy::new(600, 300, Party::Us, false).unwrap());
    let mut bytes = Vec::new();
    let uri = Uri::parse("sip:a@b").unwrap();
    let mut writer = Writer::request(&mut bytes, Method::Update, &uri);
    strict.offer().write(&mut writer);
    writer.finish(None);
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        text.contains("\r\nSession-Expires: 600;refresher=uac\r\nMin-SE: 300\r\n"),
        "{text}"
    );
}
