//! What this image cannot, by value: a key that exists and asks for more than
//! UDP, TCP, plain RTP and the built-in caps; and the marks of a shaped link.

use alloc::format;
use alloc::vec::Vec;

use crate::checks::Check;
use crate::checks::peers::kilobits;
use crate::codes::{ABOVE_CAP, DSCP_SHAPER, LATER, SHAPER};
use crate::draft::Draft;
use crate::file::tables::LimitsFile;
use crate::file::values::{Dscp, Host, Spoken, SrtpWord};
use crate::file::{Given, Spanned};
use crate::peer::{Dtmf, EmergencyLocation, Forks, Redirect, Refer, Rtcp};
use crate::report::{Problem, Report, Span};

/// The checks of what this image cannot, and of shaped links.
pub const CHECKS: &[Check] = &[
    remote,
    outer,
    ports,
    server_port,
    srtp,
    words,
    elin,
    caps,
    shaper,
    dscp_shaper,
];

/// The built-in caps, each with what it stands for.
pub mod cap {
    /// A Mediation Server opens a handful; 64 leave room for a pool behind one
    /// address, and 64 KiB of message on each still fit a small box.
    pub const CONNECTIONS: u32 = 64;
    /// The framer holds no more (RFC 3261 §18.1.1 asks for 65,535 octets).
    pub const MESSAGE: u32 = 64 * 1024;
    /// New calls a second: above what one core signals.
    pub const SETUP_RATE: u32 = 1000;
    /// Calls at once: 20,000 media ports of two streams each.
    pub const CALLS: u32 = 10_000;
    /// Collectors of the log: two sites with two each. Every one has a queue of its
    /// own in the console role.
    pub const COLLECTORS: u32 = 4;
    /// Servers of the time: with four, one that lies is outvoted while another is
    /// away.
    pub const TIME_SERVERS: u32 = 4;
}

fn later(span: &Span, message: alloc::string::String, help: &str) -> Problem {
    Problem::new(LATER, span, message)
        .label("not yet")
        .help(help)
}

fn remote(draft: &Draft<'_>, report: &mut Report) {
    for trunk in draft.active_trunks() {
        for remote in trunk.file.remote.value().into_iter().flatten() {
            let name = matches!(remote.value.host, Host::Name(_));
            let tls = remote.value.spoken == Spoken::Tls;
            let (what, help) = match (name, tls) {
                (false, false) => continue,
                (true, false) => (
                    "looking up a name is",
                    "write an address, as in \"192.0.2.2:5060/tcp\"",
                ),
                (false, true) => ("TLS is", "write /tcp or /udp"),
                (true, true) => ("a name and TLS are", "write an address with /tcp or /udp"),
            };
            report.add(later(
                &remote.span,
                format!("{}: {what} not in this image", trunk.title()),
                help,
            ));
        }
    }
}

/// The kernel's GRE over IPv6 is another device, which this image does not make.
fn outer(draft: &Draft<'_>, report: &mut Report) {
    for tunnel in draft.tunnels.active() {
        let remote = tunnel.table.remote.get();
        if let Some(remote) = remote.filter(|remote| remote.value.is_ipv6()) {
            let message = format!("tunnel {}: GRE over IPv6 is not in this image", tunnel.name);
            let help = "write the IPv4 address of the far end";
            report.add(later(&remote.span, message, help));
        }
    }
}

fn ports(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        for (spec, key) in [(&peer.file.port, "port"), (&peer.file.listen, "listen")] {
            if let Some(spec) = spec.get().filter(|spec| spec.value.spoken == Spoken::Tls) {
                let message = format!("{}: {key} by TLS is not in this image", peer.title());
                let help = if key == "port" {
                    "write \"5068/tcp\""
                } else {
                    "write \"5066/tcp\""
                };
                report.add(later(&spec.span, message, help));
            }
        }
    }
}

/// The default of a server is TLS; where the file says so elsewhere, that was
/// told already.
fn server_port(draft: &Draft<'_>, report: &mut Report) {
    for server in draft.active_servers() {
        if server.file.port.is_absent() && server.file.tls.is_absent() {
            let message = format!(
                "{}: port is 5067/tls by default, and TLS is not in this image",
                server.title()
            );
            report.add(later(server.span, message, "write port = \"5068/tcp\""));
        }
    }
}

fn srtp(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        if let Some(srtp) = peer
            .file
            .srtp
            .get()
            .filter(|srtp| srtp.value != SrtpWord::Off)
        {
            let message = format!("{}: srtp is not in this image", peer.title());
            report.add(later(
                &srtp.span,
                message,
                "this image relays plain RTP; write \"off\" or leave the key out",
            ));
        }
    }
}

/// Values of keys that this image knows and does not act by.
fn words(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let file = &peer.file;
        let title = peer.title();
        let mut found = Vec::new();
        // A value, what it would be, and what to write instead.
        if let Some(given) = file.refer.get().filter(|it| it.value != Refer::Refuse) {
            let help = "this image answers REFER with 405; write \"refuse\" or leave the key out";
            found.push((&given.span, "refer", given.value.word(), help));
        }
        if let Some(given) = file.dtmf.get().filter(|it| it.value == Dtmf::Info) {
            let help = "this image passes RFC 4733 events; write \"rfc4733\" or leave the key out";
            found.push((&given.span, "dtmf", given.value.word(), help));
        }
        if let Some(given) = file.rtcp.get().filter(|it| it.value == Rtcp::Relay) {
            let help = "this image writes its own RTCP; write \"originate\" or \"off\"";
            found.push((&given.span, "rtcp", given.value.word(), help));
        }
        if let Some(given) = file.forks.get().filter(|it| it.value == Forks::Pass) {
            let help = "this image makes one early dialog of many; write \"merge\"";
            found.push((&given.span, "forks", given.value.word(), help));
        }
        if let Some(given) = file.redirect.get().filter(|it| it.value == Redirect::Pass) {
            let help =
                "a Contact of one side means nothing to the other; write \"follow\" or \"refuse\"";
            found.push((&given.span, "redirect", given.value.word(), help));
        }
        let location = file.emergency_location.get();
        if let Some(given) = location.filter(|it| it.value == EmergencyLocation::Elin) {
            let help = "this image lends no number for a location; write \"pass\" or \"strip\"";
            found.push((&given.span, "emergency-location", given.value.word(), help));
        }
        for (span, key, word, help) in found {
            let message = format!("{title}: {key} = \"{word}\" is not in this image");
            report.add(later(span, message, help));
        }
    }
}

fn elin(draft: &Draft<'_>, report: &mut Report) {
    let emergency = draft.file.emergency.value();
    if let Some(elin) = emergency.and_then(|emergency| emergency.elin.get()) {
        let message = "emergency: elin is not in this image".into();
        let help = "this image lends no number for a location; leave the key out";
        report.add(later(&elin.span, message, help));
    }
}

fn caps(draft: &Draft<'_>, report: &mut Report) {
    let Some(limits) = draft.file.limits.value() else {
        return;
    };
    let LimitsFile {
        connections_per_peer,
        message_size,
        setup_rate,
        calls,
        ..
    } = limits;
    let mut cap = |value: Option<(i64, &Span)>, most: u32, unit: &str| {
        let Some((_, span)) = value.filter(|(value, _)| *value > i64::from(most)) else {
            return;
        };
        let problem =
            Problem::new(ABOVE_CAP, span, "this is above the built-in cap").label("too much");
        report.add(problem.help(format!(
            "at most {most}{unit}; a limit may be lowered, never raised"
        )));
    };
    cap(
        connections_per_peer.get().map(|n| (n.value.0, &n.span)),
        cap::CONNECTIONS,
        "",
    );
    cap(
        message_size.get().map(|n| (i64::from(n.value.0), &n.span)),
        cap::MESSAGE,
        " B",
    );
    cap(
        setup_rate.get().map(|n| (i64::from(n.value.0), &n.span)),
        cap::SETUP_RATE,
        "/s",
    );
    cap(calls.get().map(|n| (n.value.0, &n.span)), cap::CALLS, "");
}

/// The calls that trunks may carry over a shaped link fit its share for voice.
fn shaper(draft: &Draft<'_>, report: &mut Report) {
    let Some(shape) = draft.file.qos.value().and_then(|qos| qos.shape.get()) else {
        return;
    };
    let (Some(name), Some(rate)) = (shape.value.interface.value(), shape.value.rate.get()) else {
        return;
    };
    let Some(voice) = shape
        .value
        .voice
        .or(crate::file::units::Percent(crate::assemble::VOICE))
    else {
        return;
    };
    let share = rate.value.0 / 100 * u64::from(voice.0);
    let mut needed: u64 = 0;
    for trunk in draft.active_trunks() {
        if draft
            .link(trunk)
            .is_none_or(|(interface, _)| interface.name != *name)
        {
            continue;
        }
        let (Some(path), Some(calls)) = (trunk.path, trunk.file.max_calls.value()) else {
            return;
        };
        let calls = u64::from(calls.u32());
        needed = needed.saturating_add(path.cost_bits_per_call().saturating_mul(calls));
    }
    if needed > share {
        let message = format!(
            "trunks over {name} may take {}, voice has {}",
            kilobits(needed),
            kilobits(share)
        );
        let problem = Problem::new(SHAPER, &rate.span, message).label("too little");
        report.add(problem.help("raise rate or voice, or lower the limits of the trunks"));
    }
}

/// Media waits behind everything unless its mark says voice: RFC 4594 §4.1,
/// RFC 5865 §2.3.
fn dscp_shaper(draft: &Draft<'_>, report: &mut Report) {
    let Some(qos) = draft.file.qos.value() else {
        return;
    };
    let Given::Is(shape) = &qos.shape else { return };
    let media: Option<&Spanned<Dscp>> = qos.dscp.value().and_then(|dscp| dscp.media.get());
    let voice: Vec<u8> = Vec::from([46, 44]);
    if let Some(media) = media.filter(|media| !voice.contains(&media.value.0)) {
        let problem = Problem::new(
            DSCP_SHAPER,
            &media.span,
            "the shaper knows voice by EF, and media is not marked so",
        );
        report.add(
            problem
                .label("not voice")
                .also(&shape.span, "the shaper")
                .help("write media = \"EF\""),
        );
    }
}
