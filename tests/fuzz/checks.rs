//! Each fuzz target over its seeds and some ten thousand mutations of them.
#![expect(clippy::panic, reason = "a broken promise is a panic here")]

use std::time::Duration;

use sbc_fuzz::driver::check;
use sbc_fuzz::targets::{self, Target};

/// Long enough to replay the seeds and to try much beside them, short enough to be
/// part of every check.
const TIME: Duration = Duration::from_secs(5);

fn fuzz(name: &str, target: Target) {
    match check(name, target, TIME) {
        Ok(line) => println!("{line}"),
        Err(line) => panic!("{line}"),
    }
}

#[test]
fn no_datagram_breaks_a_promise() {
    fuzz("datagram", targets::datagram);
}

#[test]
fn no_stream_breaks_a_promise_however_it_is_cut() {
    fuzz("stream", targets::stream);
}

#[test]
fn no_challenge_breaks_a_promise() {
    fuzz("challenge", targets::challenge);
}

#[test]
fn no_uri_breaks_a_promise() {
    fuzz("uri", targets::uri);
}

#[test]
fn no_address_breaks_a_promise() {
    fuzz("name_addr", targets::name_addr);
}

#[test]
fn no_via_breaks_a_promise() {
    fuzz("via", targets::via);
}

#[test]
fn no_list_of_headers_breaks_a_promise() {
    fuzz("headers", targets::headers);
}

#[test]
fn no_order_of_events_breaks_a_transaction() {
    fuzz("transaction", targets::transaction);
}

#[test]
fn no_order_of_messages_breaks_a_dialog() {
    fuzz("dialog", targets::dialog);
}

#[test]
fn no_body_of_parts_breaks_a_promise() {
    fuzz("multipart", targets::multipart);
}

#[test]
fn no_configuration_breaks_a_promise() {
    fuzz("config", targets::config);
}

#[test]
fn no_session_description_breaks_a_promise() {
    fuzz("sdp", targets::sdp);
}

#[test]
fn no_packet_of_rtp_breaks_a_promise() {
    fuzz("rtp", targets::rtp);
}

#[test]
fn no_packet_of_rtcp_breaks_a_promise() {
    fuzz("rtcp", targets::rtcp);
}
