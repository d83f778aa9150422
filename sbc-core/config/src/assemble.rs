//! From a draft without errors to a node: every default is put in here.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::checks::cap;
use crate::country::Country;
use crate::draft::{Active, Draft, ETHERNET_MTU, INNER_MTU, PeerDraft, Section};
use crate::file::tables::{
    AlarmsFile, AuthFile, CdrFile, ConsoleFile, EmergencyFile, InterfaceFile, LimitsFile, LogFile,
    ManagementFile, MediaFile, NumbersFile, QosFile, RouteFile, SyslogFile, SystemFile, TunnelFile,
};
use crate::file::units::{OrOff, OrZero, Time};
use crate::file::values::{Charset, Dscp, Initiate, NatTraversal, SyslogTransport, Text};
use crate::file::{Given, NamedTable, Spanned};
use crate::name::{Name, PeerName};
use crate::network::{Authority, Certificate, Interface, Network, Suite, Tunnel, TunnelAuth};
use crate::node::{
    Alarms, Cdr, CollectedBy, Collector, Elin, Emergency, Level, Limits, Log, Management, Media,
    Node, Qos, Quality, Shaper, Site, System, TimeServer,
};
use crate::number::Number;
use crate::peer::{
    Admission, Asserted, Codec, ComfortNoise, Drain, Dtmf, Early183, EarlyMedia, EmergencyLocation,
    Forks, Headers, History, HoldFormat, Identity, IdentityHeader, Keepalive, KeepaliveMethod,
    MediaSource, Mediation, Peer, Prack, Redirect, Refer, Refresher, ResponseMap, Rtcp,
    SessionTimer, Trunk,
};
use crate::route::{Policy, Route};
use crate::rules::{NumberRules, Numbers};

/// RFC 4028 §4 recommends half an hour.
pub const EXPIRES: Duration = Duration::from_secs(1800);
/// RFC 4028 §5: the least that may be asked for.
const MIN_EXPIRES: Duration = Duration::from_secs(90);
/// Three silent targets still end before the ten seconds of a server.
pub const ATTEMPT: Duration = Duration::from_secs(3);
/// Four seconds before the server's ten run out.
const GUARD: Duration = Duration::from_secs(6);
/// Percent of a shaped link that voice may take.
pub const VOICE: u8 = 80;

/// RFC 2474 §4.2.2.2: class selector 3.
const CS3: u8 = 24;
/// RFC 3246 §2.7: expedited forwarding.
const EF: u8 = 46;

/// Returns the node of a draft; nothing if a part of it cannot be told, which
/// a check has said.
pub fn node(draft: &Draft<'_>) -> Option<Node> {
    let file = draft.file;
    let numbers = numbers(draft)?;
    let mut trunks = BTreeMap::new();
    let mut mediation = BTreeMap::new();
    for peer in &draft.peers {
        match &peer.name {
            PeerName::Trunk(name) => trunks
                .insert(name.clone(), trunk(peer, &numbers)?)
                .map(drop),
            PeerName::Mediation(name) => mediation
                .insert(name.clone(), server(peer, &numbers)?)
                .map(drop),
        };
    }
    Some(Node {
        system: system(draft, file.system.value()?)?,
        management: management(draft, &file.management.or(ManagementFile::default())?)?,
        media: media(&file.media.or(MediaFile::default())?)?,
        interfaces: collect(&draft.interfaces, interface)?,
        tunnels: collect(&draft.tunnels, |table| tunnel(draft, table))?,
        sites: collect(&draft.sites, |site| {
            Some(Site {
                max_calls: site.table.max_calls.value()?.u32(),
            })
        })?,
        routes: draft
            .routes()
            .map(|found| route(draft, &found.value))
            .collect::<Option<_>>()?,
        emergency: emergency(draft)?,
        qos: qos(&file.qos.or(QosFile::default())?)?,
        log: log(draft, &file.log.or(LogFile::default())?)?,
        cdr: cdr(&file.cdr.or(CdrFile::default())?)?,
        alarms: alarms(&file.alarms.or(AlarmsFile::default())?)?,
        limits: limits(&file.limits.or(LimitsFile::default())?)?,
        trunks,
        mediation,
        numbers,
    })
}

fn collect<T: Active, N>(
    section: &Section<'_, T>,
    make: impl Fn(&NamedTable<T>) -> Option<N>,
) -> Option<BTreeMap<Name, N>> {
    section
        .active()
        .map(|table| Some((table.name.clone(), make(table)?)))
        .collect()
}

fn values<T: Clone>(given: &Given<Vec<Spanned<T>>>) -> Option<Vec<T>> {
    let items = given.or(Vec::new())?;
    Some(items.into_iter().map(|item| item.value).collect())
}

fn system(draft: &Draft<'_>, file: &SystemFile) -> Option<System> {
    let timezone = file
        .timezone
        .optional()?
        .map_or_else(|| String::from("UTC"), |zone| zone.0);
    let servers = values(&file.ntp)?.into_iter();
    let ntp = servers.map(|address| {
        let source = draft.management_towards(address)?;
        Some(TimeServer { address, source })
    });
    Some(System {
        hostname: file.hostname.value()?.0.clone(),
        country: *file.country.value()?,
        timezone,
        ntp: ntp.collect::<Option<_>>()?,
        dns: values(&file.dns)?,
    })
}

fn management(draft: &Draft<'_>, file: &ManagementFile) -> Option<Management> {
    let console = file.console.or(ConsoleFile::default())?;
    let interface = file.interface.optional()?;
    let link = interface
        .as_ref()
        .and_then(|name| draft.interfaces.get(name));
    let own = link
        .into_iter()
        .flat_map(|link| link.table.address.value())
        .flatten();
    let local = own
        .filter_map(|own| Network::new(own.value.0.first(), own.value.0.length()))
        .collect();
    Some(Management {
        interface,
        allow: if file.allow.is_absent() {
            local
        } else {
            values(&file.allow)?
        },
        console_idle: console.idle_timeout.or(Time(Duration::from_secs(600)))?.0,
        ascii: console.charset.or(Charset::Ascii)? == Charset::Ascii,
    })
}

fn media(file: &MediaFile) -> Option<Media> {
    Some(Media {
        ports: file
            .ports
            .optional()?
            .map_or(16_384..=32_767, |ports| ports.0),
        timeout: file.timeout.or(Time(Duration::from_secs(60)))?.0,
        playout: file.playout.or(Time(Duration::from_millis(60)))?.0,
    })
}

fn interface(table: &NamedTable<InterfaceFile>) -> Option<Interface> {
    let file = &table.table;
    Some(Interface {
        name: table.name.clone(),
        zone: *file.zone.value()?,
        device: file.device.value()?.0.clone(),
        vlan: file.vlan.optional()?.map(super::file::units::Int::u16),
        addresses: file
            .address
            .value()?
            .iter()
            .map(|own| own.value.0)
            .collect(),
        gateway: file.gateway.optional()?,
        mtu: file
            .mtu
            .optional()?
            .map_or(ETHERNET_MTU, super::file::units::Int::u16),
    })
}

fn tunnel(draft: &Draft<'_>, table: &NamedTable<TunnelFile>) -> Option<Tunnel> {
    let file = &table.table;
    Some(Tunnel {
        name: table.name.clone(),
        underlay: file.underlay.value()?.clone(),
        remote: *file.remote.value()?,
        address: file.address.value()?.0,
        auth: auth(draft, file.auth.value()?)?,
        suite: file.suite.or(Suite::Aes256Gcm16Prfsha256X25519)?,
        mtu: file
            .mtu
            .optional()?
            .map_or(INNER_MTU, super::file::units::Int::u16),
        dead_peer: file.dead_peer.or(Time(Duration::from_secs(10)))?.0,
        nat_traversal: file.nat_traversal.or(NatTraversal::Off)? == NatTraversal::Auto,
        key: file.key.optional()?.map(super::file::units::Int::u32),
        initiates: file.initiate.or(Initiate::Node)? == Initiate::Node,
    })
}

fn auth(draft: &Draft<'_>, file: &AuthFile) -> Option<TunnelAuth> {
    if let Some(psk) = file.psk.optional()? {
        return Some(TunnelAuth::Psk { secret: psk.0 });
    }
    let own = draft.certificates.get(file.certificate.value()?)?;
    Some(TunnelAuth::Certificate {
        own: Box::new(Certificate {
            name: own.name.clone(),
            chain: own.table.chain.value()?.0.clone(),
            key: own.table.key.value()?.0.clone(),
        }),
        authority: authority(draft, file.trust.value()?)?,
        remote_id: file.remote_id.value()?.0.clone(),
    })
}

fn authority(draft: &Draft<'_>, name: &Name) -> Option<Box<Authority>> {
    let trust = draft.trusts.get(name)?;
    Some(Box::new(Authority {
        name: trust.name.clone(),
        pem: trust.table.pem.value()?.0.clone(),
    }))
}

fn numbers(draft: &Draft<'_>) -> Option<BTreeMap<Name, Numbers>> {
    collect(&draft.numbers, |table| {
        let file: &NumbersFile = &table.table;
        Some(Numbers {
            country: file.country.optional()?.or(draft.country),
            to_trunk: NumberRules(values(&file.to_trunk)?),
            from_trunk: NumberRules(values(&file.from_trunk)?),
        })
    })
}

fn trunk(draft: &PeerDraft<'_>, numbers: &BTreeMap<Name, Numbers>) -> Option<Trunk> {
    draft.file.max_calls.value()?;
    Some(Trunk {
        peer: peer(draft, numbers)?,
        via: draft.file.via.value()?.clone(),
        emergency_location: draft.file.emergency_location.or(EmergencyLocation::Pass)?,
    })
}

fn server(draft: &PeerDraft<'_>, numbers: &BTreeMap<Name, Numbers>) -> Option<Mediation> {
    let bypass: Vec<Network> = values(&draft.file.bypass)?;
    let mut peer = peer(draft, numbers)?;
    // The media of a client that passes by the server is the server's.
    peer.media_from.extend(&bypass);
    Some(Mediation {
        peer,
        interface: draft.file.interface.value()?.clone(),
        site: draft.file.site.optional()?,
        bypass,
        mac: draft.file.mac.optional()?.map(|mac| mac.0),
    })
}

/// What a trunk and a mediation server have in common; where their defaults
/// differ, `either(trunk, server)` chooses.
fn peer(draft: &PeerDraft<'_>, numbers: &BTreeMap<Name, Numbers>) -> Option<Peer> {
    let file = &draft.file;
    let trunk = draft.name.is_trunk();
    let path = draft.path?;
    let targets: Vec<_> = draft
        .targets
        .as_ref()?
        .iter()
        .map(|target| target.value)
        .collect();
    let guard = if trunk { None } else { Some(GUARD) };
    let retry = Some(Duration::from_secs(5));
    Some(Peer {
        name: draft.name.clone(),
        description: file.description.or(Text(String::new()))?.0,
        targets: (!targets.is_empty()).then_some(targets)?,
        listen: draft.listen.clone()?,
        path,
        allow: draft.allow.clone()?,
        media_from: draft.media_from.clone()?,
        media_source: file.media_source.or(MediaSource::Signalled)?,
        codecs: codecs(draft)?,
        ptime: path.ptime,
        dtmf: file.dtmf.or(Dtmf::Rfc4733)?,
        comfort_noise: file.comfort_noise.or(ComfortNoise::Pass)?,
        keepalive: keepalive(draft)?,
        attempt_timeout: file.attempt_timeout.or(Time(ATTEMPT))?.0,
        progress_guard: file.progress_guard.or(OrOff(guard))?.0,
        session_timer: session_timer(draft)?,
        rtcp: file.rtcp.or(Rtcp::Originate)?,
        rtcp_interval: file.rtcp_interval.or(Time(Duration::from_secs(5)))?.0,
        hold_format: file.hold_format.or(either(
            trunk,
            HoldFormat::Sendonly,
            HoldFormat::Inactive,
        ))?,
        prack: file.prack.or(Prack::Supported)?,
        early_media: file.early_media.or(EarlyMedia::Normalise)?,
        early_183: file.early_183.or(Early183::Off)?,
        max_early_dialogs: file
            .max_early_dialogs
            .optional()?
            .map_or(20, super::file::units::Int::u8),
        forks: file.forks.or(Forks::Merge)?,
        refer: file.refer.or(Refer::Refuse)?,
        redirect: file.redirect.or(Redirect::Follow)?,
        history: file
            .history
            .or(either(trunk, History::Diversion, History::HistoryInfo))?,
        identity: identity(draft)?,
        identity_header: file.identity_header.or(IdentityHeader::Strip)?,
        headers: headers(draft)?,
        responses: responses(draft)?,
        retry_after: file.retry_after.or(OrZero(retry))?.0,
        drain: file
            .drain
            .or(either(trunk, Drain::Unavailable, Drain::Silent))?,
        admission: admission(draft)?,
        numbers: match file.numbers.optional()? {
            Some(name) => numbers.get(&name)?.clone(),
            None => Numbers::default(),
        },
        own_numbers: values(&file.own_numbers)?,
        pilot_number: file.pilot_number.optional()?,
        country: draft.country,
    })
}

fn either<T>(trunk: bool, of_trunk: T, of_server: T) -> T {
    if trunk { of_trunk } else { of_server }
}

/// The law of the country first, so that nothing is converted there.
fn codecs(draft: &PeerDraft<'_>) -> Option<Vec<Codec>> {
    if let Some(codecs) = draft.file.codecs.optional()? {
        return (!codecs.is_empty()).then(|| codecs.into_iter().map(|codec| codec.value).collect());
    }
    Some(match draft.country.as_ref().map(Country::law) {
        Some(Codec::Pcmu) => Vec::from([Codec::Pcmu, Codec::Pcma]),
        _ => Vec::from([Codec::Pcma, Codec::Pcmu]),
    })
}

fn keepalive(draft: &PeerDraft<'_>) -> Option<Keepalive> {
    let file = draft
        .file
        .keepalive
        .or(crate::file::peer::KeepaliveFile::default())?;
    Some(Keepalive {
        method: file.method.or(KeepaliveMethod::Options)?,
        every: file.every.or(Time(Duration::from_secs(30)))?.0,
        down_after: file
            .down_after
            .optional()?
            .map_or(3, super::file::units::Int::u8),
        up_after: file
            .up_after
            .optional()?
            .map_or(2, super::file::units::Int::u8),
    })
}

fn session_timer(draft: &PeerDraft<'_>) -> Option<SessionTimer> {
    let file = draft
        .file
        .session_timer
        .or(crate::file::peer::SessionTimerFile::default())?;
    Some(SessionTimer {
        expires: file.expires.or(Time(EXPIRES))?.0,
        min: file.min.or(Time(MIN_EXPIRES))?.0,
        refresher: file.refresher.or(Refresher::Node)?,
    })
}

fn identity(draft: &PeerDraft<'_>) -> Option<Identity> {
    let trunk = draft.name.is_trunk();
    let file = draft
        .file
        .identity
        .or(crate::file::peer::IdentityFile::default())?;
    Some(Identity {
        from: file.from.or(Asserted::Original)?,
        pai: file.pai.or(Asserted::Original)?,
        ppi: file
            .ppi
            .or(either(trunk, Asserted::None, Asserted::Original))?,
        foreign: file
            .foreign
            .or(either(trunk, Asserted::Did, Asserted::Original))?,
        trusted: file.trusted.or(true)?,
    })
}

fn headers(draft: &PeerDraft<'_>) -> Option<Headers> {
    let file = draft
        .file
        .headers
        .or(crate::file::peer::HeadersFile::default())?;
    Some(Headers {
        domain: file.domain.optional()?.map(|domain| domain.0),
        user_phone: file.user_phone.or(true)?,
        reason: file.reason.or(true)?,
        pass: values(&file.pass)?
            .into_iter()
            .map(|token| token.0)
            .collect(),
    })
}

fn responses(draft: &PeerDraft<'_>) -> Option<ResponseMap> {
    let pairs = values(&draft.file.responses)?;
    Some(ResponseMap(
        pairs.into_iter().map(|pair| (pair.0, pair.1)).collect(),
    ))
}

fn admission(draft: &PeerDraft<'_>) -> Option<Admission> {
    let file = &draft.file;
    Some(Admission {
        max_calls: file
            .max_calls
            .optional()?
            .and_then(|calls| NonZeroU32::new(calls.u32())),
        max_calls_per_second: file
            .max_calls_per_second
            .optional()?
            .and_then(|calls| NonZeroU32::new(calls.u32())),
        bandwidth: file.bandwidth.optional()?.map(|rate| rate.0),
        cost_bits_per_call: draft.path?.cost_bits_per_call(),
    })
}

/// Peers that are set aside are left out of `to`.
fn route(draft: &Draft<'_>, file: &RouteFile) -> Option<Route> {
    let to: Vec<PeerName> = file
        .to
        .value()?
        .0
        .iter()
        .map(|to| to.value.clone())
        .collect();
    let to: Vec<PeerName> = to
        .into_iter()
        .filter(|to| draft.peer(to).is_some())
        .collect();
    Some(Route {
        name: file.name.value()?.clone(),
        from: file
            .from
            .value()?
            .0
            .iter()
            .map(|from| from.value.clone())
            .collect(),
        number: file.number.value()?.clone(),
        to: (!to.is_empty()).then_some(to)?,
        policy: file.policy.or(Policy::Ordered)?,
        cross_border: file.cross_border.or(false)?,
    })
}

fn emergency(draft: &Draft<'_>) -> Option<Emergency> {
    let file = draft.file.emergency.or(EmergencyFile::default())?;
    let country = draft.country?;
    let of_country = || {
        let numbers = country.emergency_numbers().iter();
        numbers
            .filter_map(|number| Number::dialled(number))
            .collect()
    };
    let numbers = file.numbers.optional()?;
    let numbers = numbers.map(|all| all.into_iter().map(|number| number.value.0).collect());
    let at_home = |trunk: &&PeerDraft<'_>| trunk.country == Some(country);
    let all = || {
        draft
            .active_trunks()
            .filter(at_home)
            .map(|trunk| trunk.name.name().clone())
            .collect()
    };
    let trunks = file.trunks.optional()?;
    let trunks = trunks.map(|listed| listed.into_iter().map(|trunk| trunk.value).collect());
    let elin = match file.elin.optional()? {
        Some(elin) => Some(Elin {
            numbers: values(&elin.numbers)?,
            hold: elin.hold.or(Time(Duration::from_secs(1800)))?.0,
        }),
        None => None,
    };
    Some(Emergency {
        numbers: numbers.unwrap_or_else(of_country),
        trunks: trunks.unwrap_or_else(all),
        reserve: file
            .reserve
            .optional()?
            .map_or(1, super::file::units::Int::u32),
        callback: file.callback.optional()?,
        elin,
    })
}

fn qos(file: &QosFile) -> Option<Qos> {
    let dscp = file.dscp.or(crate::file::tables::DscpFile::default())?;
    let shape = match file.shape.optional()? {
        Some(shape) => Some(Shaper {
            interface: shape.interface.value()?.clone(),
            rate: shape.rate.value()?.0,
            voice: shape.voice.optional()?.map_or(VOICE, |voice| voice.0),
        }),
        None => None,
    };
    Some(Qos {
        signalling: dscp.signalling.or(Dscp(CS3))?.0,
        media: dscp.media.or(Dscp(EF))?.0,
        shape,
    })
}

fn log(draft: &Draft<'_>, file: &LogFile) -> Option<Log> {
    let collectors = draft.collectors();
    let collectors = collectors.map(|table| Some((table.name.clone(), collector(draft, table)?)));
    Some(Log {
        level: file.level.or(Level::Info)?,
        collectors: collectors.collect::<Option<_>>()?,
    })
}

fn collector(draft: &Draft<'_>, table: &NamedTable<SyslogFile>) -> Option<Collector> {
    let target = table.table.target.value()?.0;
    Some(Collector {
        target,
        by: match table.table.transport.or(SyslogTransport::Udp)? {
            SyslogTransport::Udp => CollectedBy::Udp,
            SyslogTransport::Tcp => CollectedBy::Tcp,
            SyslogTransport::Tls => CollectedBy::Tls {
                authority: authority(draft, table.table.trust.value()?)?,
                name: match table.table.remote_id.optional()? {
                    Some(name) => name.0,
                    None => target.ip().to_string(),
                },
            },
        },
        source: draft.management_towards(target.ip())?,
    })
}

fn cdr(file: &CdrFile) -> Option<Cdr> {
    let records = file.file.or(crate::file::tables::CdrFileFile::default())?;
    Some(Cdr {
        keep: records.keep.or(Time(Duration::from_secs(30 * 86_400)))?.0,
    })
}

fn alarms(file: &AlarmsFile) -> Option<Alarms> {
    let quality = file
        .quality
        .or(crate::file::tables::QualityFile::default())?;
    Some(Alarms {
        trunk_down: file.trunk_down.or(Time(Duration::from_secs(30)))?.0,
        quality: Quality {
            mos_below: quality.mos_below.optional()?.map_or(360, |mos| mos.0),
            window: quality.window.or(Time(Duration::from_secs(300)))?.0,
            calls: quality
                .calls
                .optional()?
                .map_or(3, super::file::units::Int::u32),
        },
        cert_expiry: file
            .cert_expiry
            .or(Time(Duration::from_secs(30 * 86_400)))?
            .0,
    })
}

fn limits(file: &LimitsFile) -> Option<Limits> {
    Some(Limits {
        connections_per_peer: file
            .connections_per_peer
            .optional()?
            .map_or(cap::CONNECTIONS, super::file::units::Int::u32),
        message_size: file
            .message_size
            .optional()?
            .map_or(cap::MESSAGE, |size| size.0),
        setup_rate: file
            .setup_rate
            .optional()?
            .map_or(cap::SETUP_RATE, |rate| rate.0),
        calls: file
            .calls
            .optional()?
            .map_or(cap::CALLS, super::file::units::Int::u32),
    })
}
