//! What is kept of servers, without any.

use std::net::Ipv4Addr;

use sbc_clock::{Kiss, Unfit};

use super::ask::Silent;
use super::*;

fn place(last: u8) -> TimeServer {
    TimeServer {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
        source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 99)),
    }
}

fn sample(offset: i64) -> Sample {
    Sample {
        offset,
        delay: 1_000_000,
        distance: 10_000_000,
        stratum: 2,
    }
}

fn kiss(kiss: Kiss) -> Asked {
    (Err(Silent::Unfit(Unfit::Kiss(kiss))), 0)
}

/// RFC 5905 §7.4, RFC 4330 §10.
#[test]
fn a_server_that_kissed_is_left_alone_and_nobody_is_asked_twice_within_15_seconds() {
    let now = Instant::now();
    let mut server = Server::new(place(1));
    assert!(server.may_be_asked(now));
    server.asked = Some(now);
    assert!(!server.may_be_asked(now + Duration::from_secs(14)));
    assert!(server.may_be_asked(now + APART));
    server.note(now, kiss(Kiss::Rate));
    assert!(!server.may_be_asked(now + poll::TOO_OFTEN - APART));
    assert!(server.may_be_asked(now + poll::TOO_OFTEN));
    server.note(now, kiss(Kiss::Deny));
    assert!(!server.may_be_asked(now + poll::DENIED - APART));
    assert_eq!(server.shown()["state"], "refuses");
}

/// RFC 5905 §9.2.
#[test]
fn reach_tells_the_latest_eight_questions() {
    let mut server = Server::new(place(1));
    for at in 0..9 {
        let said = if at % 2 == 0 {
            Ok(sample(0))
        } else {
            Err(Silent::Late)
        };
        server.note(Instant::now(), (said, 1));
    }
    let shown = server.shown();
    assert_eq!(
        (&shown["reach"], &shown["strays"]),
        (&json!("125"), &json!(9))
    );
}

#[test]
fn servers_that_agree_are_told_from_the_one_that_differs() {
    let keeper = Keeper::default();
    let offsets = [3_000_000, 90_000_000_000, 5_000_000];
    for (last, offset) in offsets.into_iter().enumerate() {
        let mut server = Server::new(place(last as u8 + 1));
        server.note(Instant::now(), (Ok(sample(offset)), 0));
        keeper.state.borrow_mut().servers.push(server);
    }
    let (choice, agree) = keeper.chosen().unwrap();
    assert!((3_000_000..=5_000_000).contains(&choice.offset));
    assert_eq!(agree, [place(1).address, place(3).address]);
    let shown = keeper.shown();
    assert_eq!(shown["servers"][1]["state"], "differs");
    assert_eq!(shown["servers"][2]["state"], "agrees");
}

#[test]
fn a_clock_that_is_not_set_for_ten_minutes_is_an_alarm_where_it_has_servers() {
    let keeper = Keeper::default();
    let long_ago = Instant::now().checked_sub(UNSET_AFTER);
    let Some(long_ago) = long_ago else {
        // A machine that is up for less cannot have waited.
        return;
    };
    keeper.state.borrow_mut().since = long_ago;
    assert_eq!(keeper.facts(), []);
    keeper
        .state
        .borrow_mut()
        .servers
        .push(Server::new(place(1)));
    assert!(keeper.chosen().is_none());
    let facts = keeper.facts();
    assert_eq!(
        (facts[0].id, facts[0].text.as_str()),
        ("clock", "no server answers")
    );
    keeper.state.borrow_mut().is(true, String::new());
    assert_eq!(keeper.facts(), []);
    assert_eq!(keeper.shown()["state"], "synchronised");
}

#[test]
fn seconds_are_written_with_three_digits() {
    assert_eq!(seconds(-1_234_567_890), "-1.234");
    assert_eq!(seconds(5_000_000), "0.005");
}
