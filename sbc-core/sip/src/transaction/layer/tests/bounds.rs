//! Full tables: RFC 3261 §21.5.4, and what one peer may do to another.

use super::*;
use crate::transaction::layer::{clients::SIZE as CLIENT, servers::SIZE as SERVER};

const SMALL: Limits = Limits {
    transactions: 10,
    per_peer: 6,
    reserve: 2,
    retry_after_secs: 9,
};

fn invite(number: usize) -> String {
    let branch = format!("z9hG4bK{number}");
    request("INVITE", &branch, None)
}

/// Fills the share of a peer, but for the reserve.
fn fill(side: &mut Side, peer: u32, count: usize) {
    side.peer = Peer(peer);
    for number in 0..count {
        assert_eq!(words(&side.receive(&invite(number))), ["request"]);
    }
}

/// RFC 3261 §20.33, §8.2.7: refused without a transaction, alike each time.
#[test]
fn a_full_share_refuses_new_calls_and_says_when_to_come_again() {
    let mut side = Side::with(Transport::Udp, SMALL);
    fill(&mut side, 1, 4);
    let before = side.layer.len();
    let outputs = side.receive(&invite(99));
    assert_eq!(words(&outputs), ["> 503"]);
    assert!(sent(&outputs).contains("\r\nRetry-After: 9\r\n"));
    assert_eq!(sent(&side.receive(&invite(99))), sent(&outputs));
    assert_eq!(side.layer.len(), before);
    assert_eq!(side.counters().refused_peer, 2);
}

#[test]
fn one_peers_flood_leaves_room_for_the_others() {
    let mut side = Side::with(Transport::Udp, SMALL);
    fill(&mut side, 1, 4);
    fill(&mut side, 2, 4);
    side.peer = Peer(3);
    assert_eq!(words(&side.receive(&invite(0))), ["> 503"]);
    assert_eq!(side.counters().refused_full, 1);
}

/// Calls can be ended, and help can be called.
#[test]
fn the_reserve_is_for_dialogs_and_emergencies() {
    let mut side = Side::with(Transport::Udp, SMALL);
    fill(&mut side, 1, 4);
    let bye = request("BYE", "z9hG4bKbye", Some("t"));
    assert_eq!(words(&side.receive(&bye)), ["request"]);
    assert_eq!(words(&side.receive_urgent(&invite(50), true)), ["request"]);
    assert_eq!(words(&side.receive_urgent(&invite(51), true)), ["> 503"]);
    let bye = request("BYE", "z9hG4bKbye2", Some("t"));
    assert_eq!(words(&side.receive(&bye)), ["> 503"]);
}

/// RFC 3261 §9.2: an answer to a CANCEL needs no room.
#[test]
fn a_full_table_still_cancels_repeats_and_acknowledges() {
    let mut side = Side::with(Transport::Udp, SMALL);
    fill(&mut side, 1, 4);
    for number in 50..52 {
        side.receive_urgent(&invite(number), true);
    }
    let cancel = request("CANCEL", "z9hG4bK0", None);
    assert_eq!(words(&side.receive(&cancel)), ["> 200", "cancelled"]);
    assert_eq!(words(&side.receive(&cancel)), ["> 200"]);
    assert_eq!(side.receive(&invite(1)), []);
    let stray = request("CANCEL", "z9hG4bKx", None);
    assert_eq!(words(&side.receive(&stray)), ["> 481"]);
    assert_eq!(side.layer.len(), 6);
}

#[test]
fn a_full_table_refuses_our_own_requests() {
    let mut side = Side::with(Transport::Udp, SMALL);
    for branch in 0..10 {
        assert_eq!(words(&side.send(Method::Options, branch)), ["> OPTIONS"]);
    }
    assert_eq!(words(&side.send(Method::Options, 10)), ["refused"]);
    assert_eq!(side.counters().refused_clients, 1);
    side.run(100_000);
    side.assert_nothing_left();
}

/// Each cap exceeded tenfold: the table, the queue and the indexes stay within it.
#[test]
fn a_flood_is_held_by_the_bounds_and_leaves_nothing() {
    let limits = Limits {
        transactions: 1000,
        per_peer: 600,
        reserve: 100,
        ..SMALL
    };
    let mut side = Side::with(Transport::Udp, limits);
    for number in 0..10_000 {
        side.receive(&invite(number));
        assert!(side.layer.len() <= 600);
        assert!(side.layer.shared.queue.len() <= side.layer.len());
    }
    assert_eq!(side.counters().refused_peer, 9500);
    for number in 0..500 {
        let cancel = request("CANCEL", &format!("z9hG4bK{number}"), None);
        let outputs = side.receive(&cancel);
        let Some(Output::Cancelled(id)) = outputs.last() else {
            panic!("{outputs:?}");
        };
        side.respond(*id, 487, &invite(number));
    }
    side.run(100_000);
    side.assert_nothing_left();
}

/// What the bound on transactions costs in memory: with the slack of the maps
/// (nodes two thirds full) and an entry in the queue.
#[test]
fn a_lingering_transaction_costs_a_third_of_a_kilobyte() {
    let with_slack = |bytes: usize| bytes * 3 / 2;
    let queue = with_slack(size_of::<(Moment, Slot)>());
    let client = with_slack(CLIENT) + queue;
    let server = with_slack(SERVER) + queue;
    assert!(client <= 260, "{client}");
    assert!(server <= 340, "{server}");
}
