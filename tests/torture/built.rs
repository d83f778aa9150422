//! Messages too large to keep as files, built here: each limit is met, then passed by one.

use sbc_sip::wire::limits;

use crate::chain::{of_datagram, of_stream};
use crate::judge::PROBE;

/// Returns an INVITE with `extra` header lines and `body` octets of body.
fn invite(extra: &str, body: usize) -> Vec<u8> {
    let head = format!(
        "INVITE sip:user@example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKbuilt\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:caller@example.net>;tag=a1\r\n\
         To: <sip:user@example.com>\r\n\
         Call-ID: built@192.0.2.1\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:caller@192.0.2.1>\r\n\
         {extra}\
         Content-Type: application/sdp\r\n\
         Content-Length: {body}\r\n\r\n"
    );
    let mut octets = head.into_bytes();
    octets.resize(octets.len() + body, b'x');
    octets
}

/// Header lines `invite` writes without extra ones.
const LINES: usize = 9;

fn datagram(octets: &[u8]) -> String {
    of_datagram(octets).word
}

fn stream(octets: &[u8]) -> String {
    of_stream(octets, 1_460).word
}

/// RFC 3261 §18.3
#[test]
fn an_invite_cut_anywhere_is_one_invite() {
    let octets = invite("", 40);
    for cut in 0..=octets.len() {
        let mut run = of_stream(&octets[..cut], octets.len());
        let rest = run.then(&octets[cut..]);
        let heard = if cut == octets.len() {
            run.word.clone()
        } else {
            rest.join(", ")
        };
        assert_eq!(heard, "accept", "cut at {cut}");
        assert_eq!(run.stream.held(), 0, "cut at {cut}");
    }
}

#[test]
fn a_hundred_messages_in_one_segment_are_a_hundred() {
    let mut octets = invite("", 10).repeat(100);
    octets.truncate(limits::READ_AHEAD);
    let whole = octets.len() / invite("", 10).len();
    let run = of_stream(&octets[..whole * invite("", 10).len()], octets.len());
    assert_eq!(run.frames.len(), whole);
    assert_eq!(run.word, vec!["accept"; whole].join(", "));
}

/// RFC 3261 §21.5.7: what is too large is told so.
#[test]
fn header_lines_are_taken_up_to_the_limit_and_refused_beyond() {
    let fill = |lines: usize| invite(&"Extra: y\r\n".repeat(lines - LINES), 0);
    assert_eq!(datagram(&fill(limits::HEADERS)), "accept");
    assert_eq!(stream(&fill(limits::HEADERS)), "accept");
    for lines in [limits::HEADERS + 1, 200, 4_000] {
        assert_eq!(datagram(&fill(lines)), "513", "{lines} lines");
        assert_eq!(
            stream(&fill(lines)),
            "513",
            "{lines} lines: the next message is found"
        );
    }
}

/// RFC 3261 §7.3.1
#[test]
fn folding_is_taken_up_to_the_limit_of_a_head_and_refused_beyond() {
    let folds = |count: usize| invite(&format!("Subject: a{}\r\n", "\r\n b".repeat(count)), 0);
    assert_eq!(datagram(&folds(8_000)), "accept");
    assert_eq!(stream(&folds(8_000)), "accept");
    let beyond = folds(65_536 / 4);
    assert_eq!(datagram(&beyond), "513");
    assert_eq!(stream(&beyond), "513 close");
}

#[test]
fn white_space_is_no_way_round_the_limit_of_a_head() {
    let spaces = invite(
        &format!("Subject:{}\r\n", " \t".repeat(limits::HEAD / 2)),
        0,
    );
    assert_eq!(datagram(&spaces), "513");
    assert_eq!(stream(&spaces), "513 close");
}

/// RFC 3261 §18.1.1
#[test]
fn a_message_of_the_largest_size_is_taken_and_one_octet_more_is_refused() {
    let empty = invite("", 10_000).len() - 10_000;
    let largest = invite("", limits::MESSAGE - empty);
    assert_eq!(largest.len(), limits::MESSAGE);
    assert_eq!(stream(&largest), "accept");
    assert_eq!(datagram(&largest), "accept");
    let beyond = invite("", limits::MESSAGE - empty + 1);
    assert_eq!(stream(&beyond), "513 close");
    assert_eq!(datagram(&beyond), "513");
}

#[test]
fn a_start_line_without_end_is_refused_before_memory_is() {
    let endless = [b"INVITE sip:".to_vec(), vec![b'a'; 70_000]].concat();
    assert_eq!(datagram(&endless), "drop");
    let run = of_stream(&endless, 1_460);
    assert_eq!(run.word, "drop close");
    assert_eq!(run.stream.held(), 0, "nothing of it is kept");
}

/// RFC 3261 §19.1.1: thousands of parameters are refused for their number, not parsed
/// for their cost.
#[test]
fn thousands_of_uri_parameters_are_refused() {
    let parameters: String = (0..4_000).map(|n| format!(";p{n}=v")).collect();
    let octets = String::from_utf8(invite("", 0)).expect("it is text");
    let octets = octets.replace(
        "sip:user@example.com SIP",
        &format!("sip:user@example.com{parameters} SIP"),
    );
    assert_eq!(datagram(octets.as_bytes()), "400");
    assert_eq!(stream(octets.as_bytes()), "400");
}

/// A peer that never finishes is known by the age of what it began (RFC 3261 §18.3).
#[test]
fn one_octet_at_a_time_grows_no_further_than_a_message() {
    let octets = invite("", 60_000);
    let run = of_stream(&octets[..octets.len() - 1], 1);
    assert_eq!(run.word, "waits");
    assert_eq!(run.stream.held(), octets.len() - 1);
}

#[test]
fn a_refused_message_takes_its_body_with_it() {
    let mut octets = invite("Bad Name: x\r\n", 5_000);
    octets.extend_from_slice(PROBE);
    assert_eq!(stream(&octets), "400, accept");
}
