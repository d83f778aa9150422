//! What crosses from one side's message to the other's beyond what every call has.
//! Each kind has its rule, and nothing else crosses (RFC 7092 §3.2).

pub mod cause;
pub mod history;
pub mod location;

use sbc_config::Peer;
use sbc_config::peer::IdentityHeader;
use sbc_sip::message::{Identity, Writer, each};
use sbc_sip::wire::{Frame, Name};

/// Headers that cross by `headers.pass`, all lines of one message together: more
/// than any provider has of its own, and less than fills a datagram.
const PASSED: usize = 16;

/// Writes the headers of `frame` that the file lets cross between `a` and `b`: those
/// that either of them lists, by the name that stands there.
pub fn pass(writer: &mut Writer<'_>, frame: &Frame, a: &Peer, b: &Peer) {
    let listed = a.headers.pass.iter().chain(&b.headers.pass);
    let mut left = PASSED;
    for (place, name) in listed.enumerate() {
        let again = place >= a.headers.pass.len()
            && a.headers.pass.iter().any(|n| n.eq_ignore_ascii_case(name));
        if again {
            continue;
        }
        let known = Name::of(name);
        let lines = frame.lines().filter(|(line, written, _)| match known {
            Name::Other => written.eq_ignore_ascii_case(name),
            known => *line == known,
        });
        for (_, _, value) in lines.take(left) {
            writer.pass(name, value);
            left -= 1;
        }
    }
}

/// Writes the signed identities of `frame`, byte for byte, where both borders let
/// them pass and the one that sent them may vouch (RFC 8224 §4).
pub fn identity(writer: &mut Writer<'_>, frame: &Frame, from: &Peer, to: &Peer) {
    let passes = |peer: &Peer| peer.identity_header == IdentityHeader::Pass;
    if !(passes(from) && passes(to) && from.identity.trusted) {
        return;
    }
    for identity in each::<Identity<'_>>(frame.all(Name::Identity))
        .flatten()
        .take(PASSED)
    {
        writer.field(&identity);
    }
}
