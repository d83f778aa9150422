//! Inputs of growing size come in; their cost must double when they double.
//!
//! Time says little on a busy machine, so instructions are counted: each run
//! is this same test once more, alone, under valgrind.

use std::hint::black_box;
use std::process::{Command, Stdio};

use bytes::BytesMut;
use sbc_sip::message::field::list;
use sbc_sip::message::name_addr::NameAddr;
use sbc_sip::message::uri::Uri;
use sbc_sip::wire::{Stream, datagram, limits};

/// Says to the child which size to run.
pub const SIZE: &str = "SBC_GROWTH_SIZE";
/// Doubling the size may not cost more than this many times as much. Straight
/// growth is 2.0, and what is refused at a limit 1.0; a square would be 4.0.
const RATIO: f64 = 2.2;
/// Differences below this are the noise of the harness: threads and hash seeds.
const NOISE: u64 = 20_000;

/// Runs `work` at a size, twice and four times it, and compares the steps.
/// What does not depend on the size falls out of the differences. Cheap work
/// is repeated to stand out of the noise.
fn assert_straight(test: &str, size: usize, repeats: usize, work: impl Fn(usize)) {
    if let Ok(size) = std::env::var(SIZE) {
        let size = size.parse().unwrap();
        (0..repeats).for_each(|_| work(size));
        return;
    }
    let mut counts = [0; 3];
    for (count, factor) in counts.iter_mut().zip([1, 2, 4]) {
        match instructions(&format!("growth::{test}"), size * factor) {
            Ok(instructions) => *count = instructions,
            Err(why) => return sbc_tests::skip(test, &why),
        }
    }
    let first = counts[1].saturating_sub(counts[0]);
    let second = counts[2].saturating_sub(counts[1]);
    println!("{test}: {counts:?} instructions, steps {first} and {second}");
    let allowed = (first.max(NOISE) as f64 * RATIO) as u64;
    assert!(
        second <= allowed,
        "{test} at {size}, twice, four times: {counts:?} instructions"
    );
}

/// Returns how many instructions a run of one test at one size takes.
pub fn instructions(test: &str, size: usize) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--test-threads=1"])
        .env(SIZE, size.to_string())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(
        output.status.success() && ran,
        "the run under valgrind failed: {said}"
    );
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let count = collected.and_then(|(_, count)| count.trim().parse().ok());
    count.ok_or_else(|| format!("valgrind gave no count: {said}"))
}

fn options(headers: &str) -> BytesMut {
    let text = format!(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nFrom: <sip:d@e>;tag=1\r\n\
         To: <sip:a@b>\r\nCall-ID: f\r\nCSeq: 1 OPTIONS\r\n{headers}Content-Length: 0\r\n\r\n"
    );
    BytesMut::from(text.as_bytes())
}

fn push_one_by_one(octets: &[u8]) {
    let mut stream = Stream::new();
    for octet in octets {
        stream.push(core::time::Duration::ZERO, &[*octet]);
        let _ = black_box(stream.take());
    }
}

/// RFC 3261 §21.5.7 lets us refuse what is too long; refusing must be cheap.
#[test]
fn thousands_of_header_lines() {
    assert_straight("thousands_of_header_lines", 1_000, 2, |lines| {
        let _ = black_box(datagram(options(&"a: b\r\n".repeat(lines))));
    });
}

#[test]
fn thousands_of_header_lines_octet_by_octet() {
    assert_straight(
        "thousands_of_header_lines_octet_by_octet",
        1_000,
        1,
        |lines| {
            push_one_by_one(&options(&"a: b\r\n".repeat(lines)));
        },
    );
}

#[test]
fn thousands_of_uri_parameters() {
    assert_straight("thousands_of_uri_parameters", 4_000, 10, |count| {
        let _ = black_box(Uri::parse(&format!("sip:a@b{}", ";p=1".repeat(count))).is_ok());
    });
}

#[test]
fn thousands_of_uri_headers() {
    assert_straight("thousands_of_uri_headers", 1_000, 100, |count| {
        let _ = black_box(Uri::parse(&format!("sip:a@b?{}", "p=%41&".repeat(count))).is_ok());
    });
}

/// RFC 3261 §7.3.1
#[test]
fn kibibytes_of_folding() {
    assert_straight("kibibytes_of_folding", 4_096, 2, |folds| {
        let folded = format!("Subject: x{}\r\n", "\r\n ".repeat(folds));
        let _ = black_box(datagram(options(&folded)));
    });
}

#[test]
fn kibibytes_of_folding_octet_by_octet() {
    assert_straight("kibibytes_of_folding_octet_by_octet", 4_096, 1, |folds| {
        push_one_by_one(&options(&format!(
            "Subject: x{}\r\n",
            "\r\n ".repeat(folds)
        )));
    });
}

/// RFC 3261 §7.3.1
#[test]
fn lists_of_thousands() {
    assert_straight("lists_of_thousands", 1_000, 1, |count| {
        let value = "<sip:a@b>;q=\"\\\",\",".repeat(count);
        black_box(
            list(&value)
                .filter(|element| NameAddr::parse(element).is_ok())
                .count(),
        );
    });
}

#[test]
fn brackets_and_quotes_that_never_close() {
    assert_straight("brackets_and_quotes_that_never_close", 2_000, 1, |count| {
        for open in ["<", "\"", "\\\"", "(", ",", "<,", "\",<"] {
            let value = open.repeat(count);
            black_box(
                list(&value)
                    .filter(|element| NameAddr::parse(element).is_ok())
                    .count(),
            );
        }
    });
}

#[test]
fn messages_full_of_keep_alives() {
    assert_straight("messages_full_of_keep_alives", 4_000, 2, |count| {
        let mut stream = Stream::new();
        stream.push(core::time::Duration::ZERO, "\r\n".repeat(count).as_bytes());
        while let Ok(Some(received)) = stream.take() {
            black_box(received);
        }
    });
}

#[test]
fn pipelines_of_messages() {
    let one = options("");
    assert_straight(
        "pipelines_of_messages",
        limits::READ_AHEAD / one.len() / 4,
        2,
        |count| {
            let mut stream = Stream::new();
            stream.push(core::time::Duration::ZERO, &one.repeat(count));
            while let Ok(Some(received)) = stream.take() {
                black_box(received);
            }
        },
    );
}
