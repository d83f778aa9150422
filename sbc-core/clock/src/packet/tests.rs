//! Packets written by hand from the figure of RFC 4330 §4.

use super::*;

const COOKIE: u64 = 0x0123_4567_89ab_cdef;

/// A good answer of stratum 2.
fn good() -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = 0x24;
    packet[1] = 2;
    packet[4..8].copy_from_slice(&0x0000_8000_u32.to_be_bytes());
    packet[8..12].copy_from_slice(&0x0000_4000_u32.to_be_bytes());
    packet[24..32].copy_from_slice(&COOKIE.to_be_bytes());
    packet[32..40].copy_from_slice(&0xef00_0000_8000_0000_u64.to_be_bytes());
    packet[40..48].copy_from_slice(&0xef00_0001_0000_0000_u64.to_be_bytes());
    packet
}

fn with(change: impl FnOnce(&mut [u8; LENGTH])) -> Result<Answer, Unfit> {
    let mut packet = good();
    change(&mut packet);
    Answer::read(&packet, COOKIE)
}

/// RFC 4330 §5: version and mode, and what the answer must show; all else is zero.
#[test]
fn a_question_tells_nothing_but_its_cookie() {
    let packet = question(COOKIE);
    assert_eq!(packet[0], 0x23);
    assert_eq!(packet[40..], COOKIE.to_be_bytes());
    assert!(packet[1..40].iter().all(|octet| *octet == 0));
}

/// RFC 4330 §5, RFC 5905 §7.3, RFC 5905 §8 and RFC 5905 §11.1.
#[test]
fn only_a_set_server_that_knew_the_question_is_believed() {
    let answer = with(|_| ()).unwrap();
    assert_eq!(answer.stratum, 2);
    assert_eq!(answer.root_distance, Duration::from_millis(500));
    let version3 = with(|packet| packet[0] = 0x1c);
    assert!(version3.is_ok());
    assert_eq!(Answer::read(&good()[..47], COOKIE), Err(Unfit::Length(47)));
    assert_eq!(with(|packet| packet[0] = 0x3c), Err(Unfit::Version(7)));
    for mode in [0, 1, 2, 3, 5, 6, 7] {
        let read = with(|packet| packet[0] = 0x20 | mode);
        assert_eq!(read, Err(Unfit::Mode(mode)));
    }
    assert_eq!(with(|packet| packet[31] ^= 1), Err(Unfit::Origin));
    assert_eq!(with(|packet| packet[0] = 0xe4), Err(Unfit::Unsynchronised));
    assert_eq!(with(|packet| packet[1] = 16), Err(Unfit::Stratum(16)));
    assert!(with(|packet| packet[1] = 15).is_ok());
    assert_eq!(with(|packet| packet[9] = 2), Err(Unfit::Distance));
    assert_eq!(with(|packet| packet[40..].fill(0)), Err(Unfit::Times));
}

/// RFC 5905 §7.4. One that shows another cookie is no kiss: anybody could send it.
#[test]
fn a_kiss_counts_only_if_it_knew_the_question() {
    let kiss = |code: &[u8; 4]| {
        with(|packet| {
            packet[1] = 0;
            packet[12..16].copy_from_slice(code);
        })
    };
    assert_eq!(kiss(b"DENY"), Err(Unfit::Kiss(Kiss::Deny)));
    assert_eq!(kiss(b"RSTR"), Err(Unfit::Kiss(Kiss::Deny)));
    assert_eq!(kiss(b"RATE"), Err(Unfit::Kiss(Kiss::Rate)));
    assert_eq!(kiss(b"INIT"), Err(Unfit::Kiss(Kiss::Other)));
    let forged = with(|packet| {
        packet[1] = 0;
        packet[12..16].copy_from_slice(b"DENY");
        packet[24] ^= 0x80;
    });
    assert_eq!(forged, Err(Unfit::Origin));
    assert!(!Unfit::Origin.knew_the_question());
    assert!(Unfit::Kiss(Kiss::Deny).knew_the_question());
}

/// RFC 4330 §3: the first era ends in February 2036.
#[test]
fn a_time_lies_in_the_era_that_is_near() {
    let answer = with(|_| ()).unwrap();
    let (received, transmitted) = answer.times(EARLIEST);
    assert_eq!(received, (0xef00_0000 - TO_1970) * SECOND + SECOND / 2);
    assert_eq!(transmitted - received, SECOND / 2);
    // A clock that was never set is no reason to think of another era.
    assert_eq!(answer.times(0), (received, transmitted));
    let early = with(|packet| packet[32..36].copy_from_slice(&[0, 0, 0, 9])).unwrap();
    let (received, _) = early.times(EARLIEST);
    assert_eq!(received / SECOND, ERA - TO_1970 + 9);
}

proptest::proptest! {
    /// Whatever comes, it is an answer or none.
    #[test]
    fn no_octets_are_too_strange(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..96), cookie: u64) {
        let read = Answer::read(&octets, cookie);
        if let Ok(answer) = read {
            let _any = answer.times(i64::MAX);
            let _any = answer.times(i64::MIN);
        }
    }

    /// The same where the beginning is right.
    #[test]
    fn no_numbers_of_an_answer_are_too_strange(rest in proptest::collection::vec(proptest::num::u8::ANY, 40), near: i64) {
        let mut packet = good();
        packet[4..24].copy_from_slice(&rest[..20]);
        packet[32..48].copy_from_slice(&rest[20..36]);
        if let Ok(answer) = Answer::read(&packet, COOKIE) {
            let _any = answer.times(near);
        }
    }
}
