//! What each side can learn of the other: every message of both sides is kept,
//! and nothing that names one side is found in the messages of the other
//! (RFC 7092 §3.1, RFC 3261 §8.1.1, RFC 4566 §5.2).

use std::collections::BTreeSet;
use std::path::Path;

use super::stage::{CARRIER, PATIENCE, SERVER, Stage, TO_CARRIER, TO_CARRIER_TCP, TO_SERVER};
use super::volume::places;
use sbc_tests::kit::scenarios::{Caller, Kind};
use sbc_tests::kit::sipp::Sipp;

/// Calls of each kind.
const CALLS: u32 = 4;

/// Tokens shorter than this are found by chance.
const TELLING: usize = 6;

const KINDS: [Kind; 6] = [
    Kind::Answered(50),
    Kind::EndedByCallee,
    Kind::Busy,
    Kind::Cancelled,
    Kind::Unassigned,
    Kind::Held,
];

/// Every value of one side that the other must never see.
fn names(messages: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in messages.lines().map(str::trim) {
        let (name, value) = line.split_once(':').unwrap_or(("", ""));
        match name.to_ascii_lowercase().as_str() {
            "call-id" => drop(found.insert(value.trim().to_owned())),
            "via" => found.extend(parameter(value, "branch=")),
            "from" | "to" => {
                found.extend(parameter(value, "tag="));
                found.extend(host(value));
            }
            "contact" => found.extend(host(value)),
            "user-agent" | "server" => drop(found.insert(value.trim().to_owned())),
            _ => {}
        }
        if let Some(origin) = line.strip_prefix("o=") {
            // User, session, version, then the address, which is found below.
            found.extend(origin.split(' ').take(2).map(str::to_owned));
        }
        found.extend(addresses(line));
    }
    // What the node calls itself is no secret of one side.
    found.retain(|name| name.len() >= TELLING && !name.starts_with("sbc"));
    found
}

/// Returns the host part of an address.
fn host(value: &str) -> Option<String> {
    let (_, rest) = value.split_once('@')?;
    let end = rest.find([':', ';', '>']).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

fn parameter(value: &str, name: &str) -> Option<String> {
    let (_, rest) = value.split_once(name)?;
    let end = rest.find([';', '>', ' ']).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// Returns everything in a line that looks like an IPv4 address.
fn addresses(line: &str) -> impl Iterator<Item = String> + '_ {
    let words = line.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words
        .filter(|word| word.parse::<std::net::Ipv4Addr>().is_ok())
        .map(str::to_owned)
}

/// Reads what a SIPp wrote down: messages, without its own remarks.
fn messages(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("messages")).expect("messages");
    let remark = |line: &&str| {
        line.starts_with("----------")
            || line.contains("message sent (")
            || line.contains("message received [")
    };
    let lines: Vec<&str> = text.lines().filter(|line| !remark(line)).collect();
    lines.join("\n")
}

#[test]
fn no_message_of_one_side_names_anything_of_the_other() {
    let Some(stage) = Stage::set("no_message_of_one_side_names_anything_of_the_other") else {
        return;
    };
    let trace = ["-trace_msg", "-message_file", "messages"];
    let server = Sipp::answers(stage.hall(), "med1", (SERVER, true), &trace).unwrap();
    let carrier = Sipp::answers(stage.hall(), "itsp", (CARRIER, false), &trace).unwrap();
    let mut sides = [
        vec![carrier.folder().to_owned()],
        vec![server.folder().to_owned()],
    ];
    let mut running = Vec::new();
    let callers = [
        ("itsp", "172.20.31.1", TO_CARRIER, false, "+496912310"),
        (
            "itsp-tcp",
            "172.20.32.1",
            TO_CARRIER_TCP,
            true,
            "+494012310",
        ),
        ("med1", "10.20.120.2", TO_SERVER, true, "+49305552"),
    ];
    for (place, address, node, tcp, prefix) in callers {
        for (number, kind) in KINDS.into_iter().enumerate() {
            if tcp && kind == Kind::EndedByCallee {
                // A BYE to a caller on TCP goes to a port where SIPp takes none.
                continue;
            }
            let face = format!("{address}:{}", 5070 + 2 * number);
            let media = (7000 + 100 * number).to_string();
            let who = Caller {
                face: &face,
                node,
                tcp,
                prefix,
            };
            let more = [&trace[..], &["-mp", &media]].concat();
            let name = format!("caller-{number}");
            let sipp = places(&stage, place, &name, (who, kind), (CALLS, 10), &more);
            sides[usize::from(place == "med1")].push(sipp.folder().to_owned());
            running.push((sipp, kind));
        }
    }
    for (sipp, kind) in &mut running {
        let outcome = sipp.finish(PATIENCE).unwrap();
        assert_eq!(
            outcome.succeeded,
            u64::from(CALLS),
            "{kind:?}: {}",
            sipp.errors()
        );
    }
    drop((server, carrier));

    let said = sides.map(|folders| {
        let each: Vec<String> = folders.iter().map(|folder| messages(folder)).collect();
        each.join("\n")
    });
    let [of_carriers, of_servers] = [names(&said[0]), names(&said[1])];
    // Something was learnt of each side, or the search would prove nothing.
    for (names, own) in [(&of_carriers, "172.20.31.1"), (&of_servers, "10.20.120.2")] {
        assert!(names.len() > 200, "{names:?}");
        assert!(names.contains(own), "{names:?}");
        let host = format!("host-{own}.example");
        assert!(names.contains(&host), "no {host} in {names:?}");
    }
    let mut leaks = Vec::new();
    for (names, others) in [(&of_carriers, &said[1]), (&of_servers, &said[0])] {
        leaks.extend(names.iter().filter(|name| others.contains(name.as_str())));
    }
    println!(
        "{} names of the carriers, {} of the server, {} octets of messages",
        of_carriers.len(),
        of_servers.len(),
        said[0].len() + said[1].len()
    );
    assert!(leaks.is_empty(), "seen on the other side: {leaks:?}");
}
