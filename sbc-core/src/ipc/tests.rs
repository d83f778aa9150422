//! Messages go through a real pair and come back; what is none of ours is
//! refused and harms nothing.

use std::os::fd::AsFd;

use super::message::{PACKET_MAX, Packet, VERSION};
use super::{Broken, Channel, FromChild, ListenerName, Neighbour, ToChild, pair};

type Parent = Channel<ToChild, FromChild>;
type Child = Channel<FromChild, ToChild>;

fn ends() -> (Parent, Child) {
    let (a, b) = pair().unwrap();
    (Parent::new(a).unwrap(), Child::new(b).unwrap())
}

fn words() -> Vec<ToChild> {
    vec![
        ToChild::Configuration { revision: 7 },
        ToChild::Listeners(vec![ListenerName {
            address: "[2001:db8::1]:5060".parse().unwrap(),
            tcp: true,
            open: true,
        }]),
        ToChild::Neighbour(Neighbour::Relay),
        ToChild::Journal,
        ToChild::Begin,
        ToChild::There(1),
        ToChild::Stop,
    ]
}

fn page(id: u64, octets: usize) -> ToChild {
    ToChild::Answer {
        id,
        page: "7".repeat(octets),
        last: true,
    }
}

#[test]
fn every_word_arrives_as_it_was_sent() {
    let (parent, child) = ends();
    let mut scratch = Vec::new();
    for word in words() {
        parent.send(&word, &[]).unwrap();
        let received = child.receive(&mut scratch).unwrap().unwrap();
        assert_eq!(received.messages, [word]);
    }
    assert!(child.receive(&mut scratch).unwrap().is_none());
}

#[test]
fn a_descriptor_travels_with_its_word() {
    let (parent, child) = ends();
    let file = std::fs::File::open("/dev/null").unwrap();
    let word = ToChild::Configuration { revision: 1 };
    parent.send(&word, &[file.as_fd()]).unwrap();
    let received = child.receive(&mut Vec::new()).unwrap().unwrap();
    assert_eq!(received.descriptors.len(), 1);
}

#[test]
fn words_that_wait_leave_many_to_a_packet_and_arrive_in_order() {
    let (parent, child) = ends();
    let sent: Vec<ToChild> = (0..1000).map(ToChild::There).collect();
    let mut waiting = sent.clone().into();
    parent.send_all(&mut waiting, &mut Vec::new()).unwrap();
    assert!(waiting.is_empty());
    let first = child.receive(&mut Vec::new()).unwrap().unwrap();
    assert_eq!(first.messages, sent);
}

#[test]
fn words_for_more_than_one_packet_leave_in_several() {
    let (parent, child) = ends();
    let sent: Vec<ToChild> = (0..7).map(|id| page(id, PACKET_MAX / 3)).collect();
    let mut waiting = std::collections::VecDeque::from(sent.clone());
    let mut heard = Vec::new();
    while !waiting.is_empty() {
        // The pair itself may be full; then what is read makes room.
        let _full = parent.send_all(&mut waiting, &mut Vec::new());
        while let Some(received) = child.receive(&mut Vec::new()).unwrap() {
            assert!(received.messages.len() <= 2);
            heard.extend(received.messages);
        }
    }
    assert_eq!(heard, sent);
}

#[test]
fn a_word_no_packet_holds_is_dropped_and_the_others_pass() {
    let (parent, child) = ends();
    let long = page(1, PACKET_MAX);
    let mut waiting = [ToChild::There(1), long, ToChild::There(2)].into();
    let first = parent.send_all(&mut waiting, &mut Vec::new());
    assert!(matches!(first, Err(Broken::TooLong(_))), "{first:?}");
    parent.send_all(&mut waiting, &mut Vec::new()).unwrap();
    for number in [1, 2] {
        let received = child.receive(&mut Vec::new()).unwrap().unwrap();
        assert_eq!(received.messages, [ToChild::There(number)]);
    }
}

#[test]
fn a_word_over_the_bound_is_not_sent() {
    let (parent, child) = ends();
    let name = ListenerName {
        address: "192.0.2.1:5060".parse().unwrap(),
        tcp: true,
        open: true,
    };
    let long = ToChild::Listeners(vec![name; PACKET_MAX]);
    assert!(matches!(parent.send(&long, &[]), Err(Broken::TooLong(_))));
    assert!(child.receive(&mut Vec::new()).unwrap().is_none());
}

#[test]
fn a_reader_that_does_not_read_fills_the_pair_and_nothing_blocks() {
    let (parent, _child) = ends();
    let word = ToChild::Configuration { revision: 1 };
    let full = (0..100_000).find_map(|_| parent.send(&word, &[]).err());
    assert!(matches!(full, Some(Broken::Full)));
}

#[test]
fn the_end_of_the_other_role_is_noticed() {
    let (parent, child) = ends();
    drop(child);
    assert!(matches!(parent.receive(&mut Vec::new()), Err(Broken::Gone)));
    assert!(matches!(
        parent.send(&ToChild::Stop, &[]),
        Err(Broken::Gone)
    ));
}

#[test]
fn bytes_of_another_version_or_shape_are_refused() {
    let mut whole = Vec::new();
    ToChild::There(7).append(&mut whole).unwrap();
    assert_eq!(ToChild::decode(&whole).unwrap(), [ToChild::There(7)]);
    let mut other = whole.clone();
    other[0] = VERSION + 1;
    let mut longer = whole.clone();
    longer.push(0);
    let unknown = [VERSION, 200];
    for bad in [&other[..], &longer, &unknown, &[], &[VERSION], &whole[..1]] {
        assert!(ToChild::decode(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn no_bytes_make_a_reader_panic() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..200_000 {
        let length = (next() % 64) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| next() as u8).collect();
        if let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        let _either = (ToChild::decode(&bytes), FromChild::decode(&bytes));
    }
}
