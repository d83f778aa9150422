//! Commands that are promised and have nothing behind them in this image: whoever types
//! one hears that by code, and not that the word is unknown.

use super::Act::Later;
use super::Mode::Operational;
use super::Role::{Admin, Monitor, Operator};
use super::Row;
use super::forms::row;

const fn see(syntax: &'static str, help: &'static str) -> Row {
    row(Operational, Monitor, syntax, Later, "", help)
}

const fn run(syntax: &'static str, help: &'static str) -> Row {
    row(Operational, Operator, syntax, Later, "", help)
}

const fn own(syntax: &'static str, help: &'static str) -> Row {
    row(Operational, Admin, syntax, Later, "", help)
}

/// Behind `>`.
pub(super) const ROWS: &[Row] = &[
    see(
        "show numbers test",
        "what the number rules make of a number",
    ),
    see("show arp", "neighbours"),
    see("show ip-routes", "routes of each zone"),
    see("show stats (sip|rtp)", "counters over time"),
    see("show call CALL log", "lines of the diary about a call"),
    see(
        "show call CALL trace",
        "how a call was routed, step by step",
    ),
    see("show emergency", "how emergency calls would leave"),
    see("show vlans", "VLANs alone; 'show interfaces' has them"),
    see("show dns", "names that were looked up"),
    see(
        "show qos",
        "classes of the shapers; 'show bandwidth' has the calls",
    ),
    see("show codecs", "codecs of each peer"),
    see("show tls", "connections by TLS"),
    see("show srtp", "streams that are encrypted"),
    see("monitor interfaces", "interfaces, again and again"),
    see("monitor call CALL", "one call, again and again"),
    run(
        "test call from MEDIATION to NUMBER",
        "place a call without a caller",
    ),
    run(
        "test tunnel TUNNEL",
        "what a tunnel needs of the firewalls on its way",
    ),
    run("test dns NAME", "look a name up"),
    run("test tls PEER", "greet a peer by TLS"),
    run("test emergency", "where an emergency call would go"),
    run(
        "test headers PEER",
        "a message before and after the rules of a peer",
    ),
    run(
        "test conformance PEER",
        "play the flows of Mediation Servers with a peer",
    ),
    run(
        "capture stop NAME",
        "end a recording; Ctrl-C ends it where it was begun",
    ),
    run("clear counters", "zero the counters"),
    run(
        "trunk TRUNK block",
        "take no call of a provider; 'drain' sends it none",
    ),
    run(
        "mediation MEDIATION block",
        "take no call of a Mediation Server; 'drain' sends it none",
    ),
    own(
        "request secret rotate SECRET",
        "another value for a secret on both sides",
    ),
    own(
        "request image add",
        "take a bundle from somewhere else than a volume",
    ),
];
