//! Peers: what each must have, what its path carries, what would harm it.

use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::checks::{Check, pairs};
use crate::codes::{
    BANDWIDTH, BELOW_RESERVE, HOLD_PASS, LARGE_UDP, MEDIA_FROM, MISSING_KEY, NAME_WITHOUT_ALLOW,
    NEEDLESS_SUBNET, NO_CODEC, NO_GUARD, OUT_OF_RANGE, OVERCOMMITTED, PASS_GENERATED, SAME_PAIR,
    TIMER, UDP_MEDIATION,
};
use crate::draft::{Draft, ETHERNET_MTU, PeerDraft};
use crate::file::peer::PeerFile;
use crate::file::values::{Host, Spoken};
use crate::file::{Given, Spanned, missing_key};
use crate::name::Name;
use crate::network::{Network, Via};
use crate::peer::{Codec, HoldFormat, MediaSource, Transport};
use crate::report::{Problem, Report, Span};

/// The checks of peers.
pub const CHECKS: &[Check] = &[
    missing,
    no_remote,
    name_without_allow,
    udp_mediation,
    no_codec,
    odd_ptime,
    media_from,
    timer,
    no_guard,
    overcommitted,
    bandwidth,
    below_reserve,
    needless_subnet,
    hold_pass,
    pass_generated,
    large_udp,
    same_pair,
];

/// Returns the row of the schema for a key of a peer.
fn row(name: &str) -> Option<&'static crate::file::Key> {
    PeerFile::SCHEMA.keys.iter().find(|key| key.name == name)
}

/// Keys without a default, from the peer or its profile.
fn missing(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let file = &peer.file;
        let wanted: &[(&str, bool)] = if peer.name.is_trunk() {
            &[
                ("via", file.via.is_absent()),
                ("remote", file.remote.is_absent()),
                ("max-simultaneous-calls", file.max_calls.is_absent()),
            ]
        } else {
            &[
                ("interface", file.interface.is_absent()),
                ("address", file.address.is_absent()),
            ]
        };
        for (name, _) in wanted.iter().filter(|(_, absent)| *absent) {
            let Some(row) = row(name) else { continue };
            let mut problem = missing_key(name, row.shape, peer.span);
            problem.message = format!("{}: {name} is missing", peer.title());
            report.add(problem);
        }
    }
}

fn no_remote(draft: &Draft<'_>, report: &mut Report) {
    for trunk in draft.active_trunks() {
        let Some(remote) = trunk.file.remote.get() else {
            continue;
        };
        if remote.value.is_empty() {
            let message = format!("{}: remote is empty", trunk.title());
            let problem = Problem::new(MISSING_KEY, &remote.span, message);
            report.add(problem.help("as in remote = [\"192.0.2.2:5060/tcp\"]"));
        }
    }
}

fn name_without_allow(draft: &Draft<'_>, report: &mut Report) {
    for trunk in draft
        .active_trunks()
        .filter(|trunk| trunk.file.allow.is_absent())
    {
        let remotes = trunk.file.remote.value().into_iter().flatten();
        for remote in remotes {
            let Host::Name(name) = &remote.value.host else {
                continue;
            };
            let message = format!("{}: {name} is a name, and allow is missing", trunk.title());
            let problem = Problem::new(NAME_WITHOUT_ALLOW, &remote.span, message).label("a name");
            report.add(problem.help("list the provider's networks in allow"));
        }
    }
}

fn udp_mediation(draft: &Draft<'_>, report: &mut Report) {
    for server in draft.active_servers() {
        for spec in [&server.file.port, &server.file.listen] {
            let Some(spec) = spec.get().filter(|spec| spec.value.spoken == Spoken::Udp) else {
                continue;
            };
            let message = format!("{}: a Mediation Server does not speak UDP", server.title());
            let problem = Problem::new(UDP_MEDIATION, &spec.span, message).label("UDP");
            report.add(problem.help(format!("write \"{}/tcp\"", spec.value.port)));
        }
    }
}

fn no_codec(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let Some(codecs) = peer.file.codecs.get() else {
            continue;
        };
        if codecs.value.is_empty() {
            let message = format!("{}: no codec is left", peer.title());
            report
                .add(Problem::new(NO_CODEC, &codecs.span, message).help("name PCMA, PCMU or both"));
        }
        let twice = |(one, two): (&Spanned<Codec>, &Spanned<Codec>)| one.value == two.value;
        if let Some((one, two)) =
            pairs(&codecs.value.iter().collect::<Vec<_>>()).find(|pair| twice(*pair))
        {
            let message = format!("{} is written twice", two.value.name());
            let problem = Problem::new(crate::codes::DUPLICATE, &two.span, message).label("again");
            report.add(problem.also(&one.span, "first here"));
        }
    }
}

fn odd_ptime(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let Some(ptime) = peer.file.ptime.get() else {
            continue;
        };
        if ptime.value.0 % 10 != 0 {
            let problem = Problem::new(OUT_OF_RANGE, &ptime.span, "ptime is 10, 20, 30 or 40");
            report.add(problem.label("out of range"));
        }
    }
}

/// Networks of the node that are not on this peer's own path.
fn elsewhere<'f>(draft: &Draft<'f>, peer: &PeerDraft<'_>) -> Vec<(Network, &'f Span, &'f Name)> {
    let tunnel = match peer.file.via.value() {
        Some(Via::Tunnel(name)) if peer.name.is_trunk() => Some(name),
        _ => None,
    };
    let interface = match peer.file.via.value() {
        Some(Via::Interface(name)) if peer.name.is_trunk() => Some(name),
        _ => peer
            .file
            .interface
            .value()
            .filter(|_| !peer.name.is_trunk()),
    };
    let others = draft
        .interfaces
        .active()
        .filter(|other| Some(&other.name) != interface);
    let others = others.flat_map(|other| {
        let own = other.table.address.value().into_iter().flatten();
        own.map(move |own| (own.value.0, &own.span, &other.name))
    });
    let tunnels = draft
        .tunnels
        .active()
        .filter(|other| Some(&other.name) != tunnel);
    let tunnels = tunnels.filter_map(|other| {
        let own = other.table.address.get()?;
        Some((own.value.0, &own.span, &other.name))
    });
    let mut own = peer.path.map(|path| Network::host(path.local));
    if let Some((link, None)) = draft.link(peer) {
        let addresses = link.table.address.value().into_iter().flatten();
        own = addresses.map(|own| own.value.0).next().or(own);
    }
    // Networks that overlap were told already.
    let apart = |other: &Network| own.is_none_or(|own| !own.overlaps(other));
    others
        .chain(tunnels)
        .filter(|(other, _, _)| apart(other))
        .collect()
}

fn media_from(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let Some(path) = peer.path else { continue };
        let elsewhere = elsewhere(draft, peer);
        let written = [
            ("media-from", &peer.file.media_from),
            ("allow", &peer.file.allow),
            ("bypass", &peer.file.bypass),
        ];
        for (key, networks) in written {
            for network in networks.value().into_iter().flatten() {
                let problem = covers(&elsewhere, peer, path.local, key, network);
                problem.into_iter().for_each(|problem| report.add(problem));
            }
        }
        for target in peer.targets.iter().flatten() {
            let network = Spanned {
                value: Network::host(target.value.address.ip()),
                span: target.span.clone(),
            };
            let problem = covers(&elsewhere, peer, path.local, "remote", &network);
            // Off its VLAN is the better word for a mediation server.
            problem
                .filter(|_| peer.name.is_trunk())
                .into_iter()
                .for_each(|problem| report.add(problem));
        }
    }
}

fn covers(
    elsewhere: &[(Network, &Span, &Name)],
    peer: &PeerDraft<'_>,
    local: IpAddr,
    key: &str,
    network: &Spanned<Network>,
) -> Option<Problem> {
    if network.value == Network::host(local) {
        let message = format!(
            "{}: {key} names {local}, which is the node itself",
            peer.title()
        );
        return Some(Problem::new(MEDIA_FROM, &network.span, message).label("ourselves"));
    }
    let (_, at, name) = elsewhere
        .iter()
        .find(|(other, _, _)| other.overlaps(&network.value))?;
    let (what, label) = match key {
        "remote" => ("is", "elsewhere"),
        _ => ("covers addresses", "too wide"),
    };
    let message = format!("{}: {key} {what} behind {name}", peer.title());
    let problem = Problem::new(MEDIA_FROM, &network.span, message).label(label);
    Some(problem.also(at, format!("the network of {name}")))
}

/// RFC 4028 §5: the interval is never below the least accepted one.
fn timer(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let Some(timer) = peer.file.session_timer.value() else {
            continue;
        };
        let expires = timer
            .expires
            .or(crate::file::units::Time(crate::assemble::EXPIRES));
        let (Some(expires), Some(min)) = (expires, timer.min.get()) else {
            continue;
        };
        if min.value.0 > expires.0 {
            let message = format!("{}: session-timer min is above expires", peer.title());
            let problem = Problem::new(TIMER, &min.span, message).label("above expires");
            report.add(match timer.expires.span() {
                Some(span) => problem.also(span, "expires"),
                None => problem.help("expires is 30m where it is not written"),
            });
        }
    }
}

fn no_guard(draft: &Draft<'_>, report: &mut Report) {
    for server in draft.active_servers() {
        let Some(guard) = server.file.progress_guard.get() else {
            continue;
        };
        if guard.value.0.is_none() {
            let message = format!(
                "{}: the server drops calls that are silent for 10 s",
                server.title()
            );
            let problem = Problem::new(NO_GUARD, &guard.span, message).label("no progress guard");
            report.add(problem.help("leave the key out, or write 4s to 8s"));
        }
    }
}

fn max_calls(peer: &PeerDraft<'_>) -> Option<u32> {
    peer.file.max_calls.value().map(|calls| calls.u32())
}

/// Silent while one of the numbers is unknown: a server without a limit takes
/// what comes.
fn overcommitted(draft: &Draft<'_>, report: &mut Report) {
    let sum = |peers: Vec<&PeerDraft<'_>>| {
        let calls: Option<Vec<u32>> = peers.iter().map(|peer| max_calls(peer)).collect();
        calls.map(|calls| {
            calls
                .iter()
                .fold(0_u32, |sum, calls| sum.saturating_add(*calls))
        })
    };
    let servers: Vec<&PeerDraft<'_>> = draft.active_servers().collect();
    let Some(first) = servers
        .first()
        .and_then(|server| server.file.max_calls.span())
    else {
        return;
    };
    let (Some(inside), Some(outside)) = (sum(servers), sum(draft.active_trunks().collect())) else {
        return;
    };
    if outside > inside {
        let message = format!("trunks take {outside} calls, mediation servers {inside}");
        let problem = Problem::new(OVERCOMMITTED, first, message).label("mediation limits");
        let limits = draft
            .active_trunks()
            .filter_map(|trunk| Some((trunk, trunk.file.max_calls.span()?)));
        report.add(limits.fold(problem, |problem, (trunk, span)| {
            problem.also(span, trunk.title())
        }));
    }
}

fn bandwidth(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let (Some(path), Some(bandwidth)) = (peer.path, peer.file.bandwidth.get()) else {
            continue;
        };
        let Some(calls) = peer.file.max_calls.get() else {
            continue;
        };
        let most = path.calls_that_fit(bandwidth.value.0);
        if calls.value.u32() <= most {
            continue;
        }
        let message = format!(
            "{}: {} calls take {}, the path has {}",
            peer.title(),
            calls.value.0,
            kilobits(
                path.cost_bits_per_call()
                    .saturating_mul(u64::from(calls.value.u32()))
            ),
            kilobits(bandwidth.value.0)
        );
        let problem = Problem::new(BANDWIDTH, &calls.span, message).label(format!("{most} fit"));
        report.add(problem.also(&bandwidth.span, "on the wire").help(format!(
            "at most {most}: a call takes {} on the wire of this path ({} by the formula of 20 octets a packet)",
            kilobits(path.cost_bits_per_call()),
            kilobits(path.cost_by_formula())
        )));
    }
}

/// Returns a rate in kbit/s with one decimal.
pub fn kilobits(bits: u64) -> alloc::string::String {
    format!("{}.{} kbit/s", bits / 1000, bits % 1000 / 100)
}

/// Returns true if calls for help may go by this trunk.
pub fn for_emergencies(draft: &Draft<'_>, trunk: &PeerDraft<'_>) -> Option<bool> {
    match &draft.file.emergency {
        Given::Absent => Some(true),
        Given::Broken => None,
        Given::Is(emergency) => match emergency.value.trunks.optional()? {
            Some(listed) => Some(listed.iter().any(|name| name.value == *trunk.name.name())),
            None => Some(true),
        },
    }
}

fn below_reserve(draft: &Draft<'_>, report: &mut Report) {
    let reserve = match &draft.file.emergency {
        Given::Absent => return,
        Given::Broken => return,
        Given::Is(emergency) => emergency.value.reserve.get(),
    };
    let Some(reserve) = reserve else { return };
    for trunk in draft.active_trunks() {
        let Some(calls) = trunk.file.max_calls.get() else {
            continue;
        };
        if for_emergencies(draft, trunk) == Some(true) && calls.value.0 <= reserve.value.0 {
            let message = format!(
                "{}: {} calls leave none beside the {} kept free for emergencies",
                trunk.title(),
                calls.value.0,
                reserve.value.0
            );
            let problem = Problem::new(BELOW_RESERVE, &calls.span, message).label("too few");
            report.add(problem.also(&reserve.span, "kept free on each emergency trunk"));
        }
    }
}

fn needless_subnet(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let Some(source) = peer.file.media_source.get() else {
            continue;
        };
        let Some(networks) = &peer.media_from else {
            continue;
        };
        let single = networks
            .iter()
            .all(|network| *network == Network::host(network.address()));
        let signals = |network: &Network| {
            peer.targets
                .iter()
                .flatten()
                .any(|target| target.value.address.ip() == network.address())
        };
        if source.value == MediaSource::Subnet && single && networks.iter().all(signals) {
            let message = format!(
                "{}: media comes from where signalling comes from",
                peer.title()
            );
            let problem = Problem::new(NEEDLESS_SUBNET, &source.span, message).label("needless");
            report.add(problem.help("leave the key out, or name the media networks in media-from"));
        }
    }
}

fn hold_pass(draft: &Draft<'_>, report: &mut Report) {
    for server in draft.active_servers() {
        let Some(format) = server.file.hold_format.get() else {
            continue;
        };
        if format.value == HoldFormat::Pass {
            let message = format!("{}: hold is told as the provider writes it", server.title());
            let problem = Problem::new(HOLD_PASS, &format.span, message).label("pass");
            report.add(problem.help("leave the key out; the server then hears inactive"));
        }
    }
}

/// Headers the node writes itself, or that would betray the other side.
const GENERATED: [&str; 70] = [
    "accept",
    "accept-contact",
    "accept-encoding",
    "accept-language",
    "alert-info",
    "allow",
    "allow-events",
    "authentication-info",
    "authorization",
    "c",
    "call-id",
    "contact",
    "content-disposition",
    "content-encoding",
    "content-id",
    "content-language",
    "content-length",
    "content-transfer-encoding",
    "content-type",
    "cseq",
    "date",
    "diversion",
    "e",
    "event",
    "expires",
    "f",
    "from",
    "geolocation",
    "geolocation-routing",
    "history-info",
    "i",
    "identity",
    "k",
    "l",
    "m",
    "max-forwards",
    "mime-version",
    "min-se",
    "o",
    "p-asserted-identity",
    "p-early-media",
    "p-preferred-identity",
    "path",
    "priority",
    "privacy",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-require",
    "rack",
    "reason",
    "record-route",
    "refer-to",
    "referred-by",
    "remote-party-id",
    "replaces",
    "require",
    "retry-after",
    "route",
    "rseq",
    "s",
    "server",
    "session-expires",
    "session-id",
    "supported",
    "t",
    "to",
    "v",
    "via",
    "x",
    "y",
];

fn pass_generated(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let pass = peer
            .file
            .headers
            .value()
            .and_then(|headers| headers.pass.value());
        for header in pass.into_iter().flatten() {
            let lower = header.value.0.to_ascii_lowercase();
            if !GENERATED.contains(&lower.as_str()) {
                continue;
            }
            let message = format!(
                "{}: {} is a header we write ourselves",
                peer.title(),
                header.value.0
            );
            let problem = Problem::new(PASS_GENERATED, &header.span, message).label("generated");
            report.add(problem.help("take it out of the list"));
        }
    }
}

/// RFC 3261 §18.1.1: beyond the MTU less 200 octets a request goes by TCP.
fn large_udp(draft: &Draft<'_>, report: &mut Report) {
    for trunk in draft.active_trunks() {
        let Some(path) = trunk.path.filter(|path| path.mtu < ETHERNET_MTU) else {
            continue;
        };
        let mut targets = trunk.targets.iter().flatten();
        let Some(udp) = targets.find(|target| target.value.transport == Transport::Udp) else {
            continue;
        };
        let message = format!(
            "{}: an INVITE over {} octets does not fit this path by UDP",
            trunk.title(),
            path.mtu.saturating_sub(200)
        );
        let problem = Problem::new(LARGE_UDP, &udp.span, message).label("UDP");
        report.add(problem.help(format!(
            "use /tcp: packets on this path hold {} octets",
            path.mtu
        )));
    }
}

fn same_pair(draft: &Draft<'_>, report: &mut Report) {
    let peers: Vec<&PeerDraft<'_>> = draft.peers.iter().collect();
    for (one, two) in pairs(&peers) {
        let (Some(here), Some(there)) = (&one.listen, &two.listen) else {
            continue;
        };
        let Some(socket) = here.iter().find(|socket| there.contains(socket)) else {
            continue;
        };
        let (Some(first), Some(second)) = (&one.allow, &two.allow) else {
            continue;
        };
        let Some(shared) = second
            .iter()
            .find(|net| first.iter().any(|other| other.overlaps(net)))
        else {
            continue;
        };
        let message = format!(
            "{} and {} both come from {shared} to {socket}",
            one.title(),
            two.title()
        );
        let problem = Problem::new(SAME_PAIR, place(two), message).label("whose call is it?");
        let problem = problem.also(place(one), one.title());
        report.add(problem.help("give one of them another listen port, or narrow allow"));
    }
}

fn place<'p>(peer: &'p PeerDraft<'_>) -> &'p Span {
    let written = peer
        .file
        .listen
        .span()
        .or(peer.file.remote.span())
        .or(peer.file.address.span());
    written.unwrap_or(peer.span)
}
