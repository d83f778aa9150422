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
        ToChild::Journal {
            key: 9,
            record: vec![1, 2, 3],
        },
        ToChild::Begin,
        ToChild::There(1),
        ToChild::Stop,
    ]
}

#[test]
fn every_word_arrives_as_it_was_sent() {
    let (parent, child) = ends();
    let mut scratch = Vec::new();
    for word in words() {
        parent.send(&word, &[]).unwrap();
        let received = child.receive(&mut scratch).unwrap().unwrap();
        assert_eq!(received.message, word);
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
fn a_word_over_the_bound_is_not_sent() {
    let (parent, child) = ends();
    let long = ToChild::Journal {
        key: 1,
        record: vec![0; PACKET_MAX],
    };
    assert!(matches!(parent.send(&long, &[]), Err(Broken::TooLong(_))));
    assert!(child.receive(&mut Vec::new()).unwrap().is_none());
}

#[test]
fn a_reader_that_does_not_read_fills_the_pair_and_nothing_blocks() {
    let (parent, _child) = ends();
    let word = ToChild::Journal {
        key: 1,
        record: vec![0; 2048],
    };
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
    let whole = ToChild::There(7).encode().unwrap();
    assert_eq!(ToChild::decode(&whole).unwrap(), ToChild::There(7));
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
