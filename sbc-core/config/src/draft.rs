//! Between file and node: which tables are active, profiles applied, each peer
//! with its path, targets and networks as far as they can be told. What cannot
//! be told is absent, and checks that need it stay silent.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::country::Country;
use crate::file::peer::PeerFile;
use crate::file::tables::{
    CertificateFile, InterfaceFile, NodeFile, NumbersFile, RouteFile, SiteFile, SyslogFile,
    TrustFile, TunnelFile,
};
use crate::file::values::{Host, NatTraversal, Spoken};
use crate::file::{Given, Named, NamedTable, Spanned};
use crate::name::{Name, PeerName};
use crate::network::{Encapsulation, Network, Path, Via};
use crate::peer::{Socket, Transport};
use crate::report::Span;

/// RFC 3261 §19.1.2: the port of SIP over UDP and TCP where none is written.
const SIP_PORT: u16 = 5060;

/// The MTU of Ethernet, where none is written.
pub const ETHERNET_MTU: u16 = 1500;

/// The MTU inside a tunnel, where none is written: room for GRE, ESP and a
/// line that takes something off for itself.
pub const INNER_MTU: u16 = 1400;

/// Milliseconds of speech in a packet, where none is written.
pub const PTIME: u8 = 20;

/// Tables that can be set aside.
pub trait Active {
    /// Returns false if the file says `active = false`.
    fn active(&self) -> bool;
}

macro_rules! actives {
    ($($table:ty),+) => {$(
        impl Active for $table {
            fn active(&self) -> bool {
                self.active.value() != Some(&false)
            }
        }
    )+};
}
actives!(
    CertificateFile,
    InterfaceFile,
    NumbersFile,
    PeerFile,
    RouteFile,
    SiteFile,
    SyslogFile,
    TrustFile,
    TunnelFile
);

/// What a name stands for.
#[derive(Debug)]
pub enum Found<'f, T> {
    Active(&'f NamedTable<T>),
    Inactive,
    /// Something of that name is there and could not be read.
    Unreadable,
    Undefined,
}

/// Named tables of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Section<'f, T>(&'f Given<Named<T>>);

impl<'f, T: Active> Section<'f, T> {
    /// Returns what `name` stands for.
    pub fn find(&self, name: &Name) -> Found<'f, T> {
        let named = match self.0 {
            Given::Is(named) => &named.value,
            Given::Broken => return Found::Unreadable,
            Given::Absent => return Found::Undefined,
        };
        match named.tables.iter().find(|table| table.name == *name) {
            Some(table) if table.table.active() => Found::Active(table),
            Some(_) => Found::Inactive,
            None if named.unnamed || named.unread.contains(name) => Found::Unreadable,
            None => Found::Undefined,
        }
    }

    /// Returns the active table of that name.
    pub fn get(&self, name: &Name) -> Option<&'f NamedTable<T>> {
        match self.find(name) {
            Found::Active(table) => Some(table),
            _ => None,
        }
    }

    /// Returns every active table in the order of the file.
    pub fn active(&self) -> impl Iterator<Item = &'f NamedTable<T>> + use<'f, T> {
        self.all().filter(|table| table.table.active())
    }

    /// Returns every table, active or not.
    pub fn all(&self) -> impl Iterator<Item = &'f NamedTable<T>> + use<'f, T> {
        self.0
            .value()
            .into_iter()
            .flat_map(|named| named.tables.iter())
    }
}

/// The file with its references followed.
#[derive(Debug)]
pub struct Draft<'f> {
    pub file: &'f NodeFile,
    /// What the secret store has, by name, in octets; nothing if it is not at
    /// hand.
    pub secrets: Option<&'f BTreeMap<String, usize>>,
    pub country: Option<Country>,
    pub interfaces: Section<'f, InterfaceFile>,
    pub tunnels: Section<'f, TunnelFile>,
    pub certificates: Section<'f, CertificateFile>,
    pub trusts: Section<'f, TrustFile>,
    pub profiles: Section<'f, PeerFile>,
    pub trunks: Section<'f, PeerFile>,
    pub mediation: Section<'f, PeerFile>,
    pub sites: Section<'f, SiteFile>,
    pub numbers: Section<'f, NumbersFile>,
    /// Active peers: trunks, then mediation servers, in the order of the file.
    pub peers: Vec<PeerDraft<'f>>,
}

/// One active peer.
#[derive(Debug)]
pub struct PeerDraft<'f> {
    pub name: PeerName,
    pub span: &'f Span,
    /// As written, and from its profile.
    pub file: PeerFile,
    pub path: Option<Path>,
    pub targets: Option<Vec<Spanned<Socket>>>,
    pub listen: Option<Vec<Socket>>,
    pub allow: Option<Vec<Network>>,
    pub media_from: Option<Vec<Network>>,
    pub country: Option<Country>,
}

impl<'f> Draft<'f> {
    /// Takes the file as written, and what the secret store has.
    pub fn new(file: &'f NodeFile, secrets: Option<&'f BTreeMap<String, usize>>) -> Self {
        let system = file.system.value();
        let mut draft = Self {
            file,
            secrets,
            country: system.and_then(|system| system.country.value().copied()),
            interfaces: Section(&file.interface),
            tunnels: Section(&file.tunnel),
            certificates: Section(&file.certificate),
            trusts: Section(&file.trust),
            profiles: Section(&file.profile),
            trunks: Section(&file.trunk),
            mediation: Section(&file.mediation),
            sites: Section(&file.site),
            numbers: Section(&file.numbers),
            peers: Vec::new(),
        };
        let trunks = draft
            .trunks
            .active()
            .map(|table| (PeerName::Trunk(table.name.clone()), table));
        let servers = draft
            .mediation
            .active()
            .map(|table| (PeerName::Mediation(table.name.clone()), table));
        draft.peers = trunks
            .chain(servers)
            .map(|(name, table)| draft.peer_draft(name, table))
            .collect();
        draft
    }

    /// Returns the active peer of that name.
    pub fn peer(&self, name: &PeerName) -> Option<&PeerDraft<'f>> {
        self.peers.iter().find(|peer| peer.name == *name)
    }

    /// Returns the active trunks.
    pub fn active_trunks(&self) -> impl Iterator<Item = &PeerDraft<'f>> {
        self.peers.iter().filter(|peer| peer.name.is_trunk())
    }

    /// Returns the active mediation servers.
    pub fn active_servers(&self) -> impl Iterator<Item = &PeerDraft<'f>> {
        self.peers.iter().filter(|peer| !peer.name.is_trunk())
    }

    /// Returns the active routes in order, each with its place.
    pub fn routes(&self) -> impl Iterator<Item = &'f Spanned<RouteFile>> + use<'f> {
        let routes = self
            .file
            .route
            .value()
            .into_iter()
            .flat_map(|routes| routes.0.iter());
        routes.filter(|route| route.value.active())
    }

    /// Returns our address of management in the family of `other`.
    pub fn management_towards(&self, other: IpAddr) -> Option<IpAddr> {
        let management = self.file.management.value()?;
        let interface = self.interfaces.get(management.interface.value()?)?;
        let own = interface.table.address.value()?.iter();
        let mut own = own.map(|own| own.value.0.address());
        own.find(|own| own.is_ipv4() == other.is_ipv4())
    }

    /// Returns the active collectors of the log.
    pub fn collectors(&self) -> impl Iterator<Item = &'f NamedTable<SyslogFile>> + use<'f> {
        let log = self.file.log.value();
        let given = log.and_then(|log| log.syslog.value()).into_iter();
        given
            .flat_map(|named| named.tables.iter())
            .filter(|table| table.table.active())
    }

    /// Returns true if a route could not be read whole: what it would have
    /// said is unknown.
    pub fn routes_are_uncertain(&self) -> bool {
        let unreadable = |route: &Spanned<RouteFile>| {
            let route = &route.value;
            let broken = matches!(route.from, Given::Broken) || matches!(route.to, Given::Broken);
            broken || matches!(route.number, Given::Broken)
        };
        matches!(self.file.route, Given::Broken) || self.routes().any(unreadable)
    }

    fn peer_draft(&self, name: PeerName, table: &'f NamedTable<PeerFile>) -> PeerDraft<'f> {
        let mut file = table.table.clone();
        self.adopt(&mut file);
        let mut draft = PeerDraft {
            country: file.country.optional().and_then(|own| own.or(self.country)),
            targets: targets(&name, &file),
            name,
            span: &table.span,
            file,
            path: None,
            listen: None,
            allow: None,
            media_from: None,
        };
        draft.path = self.path(&draft);
        draft.listen = draft.listens();
        draft.allow = draft.allows();
        draft.media_from = draft.media_networks();
        draft
    }

    /// Takes what is absent in `file` from its profile, and the profile's.
    fn adopt(&self, file: &mut PeerFile) {
        // A chain longer than all profiles is a circle.
        let mut steps = self.profiles.all().count();
        let mut next = file.profile.clone();
        while !next.is_absent() {
            let base = next.value().and_then(|name| self.profiles.get(name));
            let Some(base) = base.filter(|_| steps > 0) else {
                crate::file::Field::inherit(file, &PeerFile::unreadable());
                return;
            };
            steps -= 1;
            next = base.table.profile.clone();
            crate::file::Field::inherit(file, &base.table);
        }
    }

    /// Returns the interface a peer's packets leave by, and the tunnel if any.
    pub fn link(
        &self,
        peer: &PeerDraft<'_>,
    ) -> Option<(
        &'f NamedTable<InterfaceFile>,
        Option<&'f NamedTable<TunnelFile>>,
    )> {
        if !peer.name.is_trunk() {
            return Some((self.interfaces.get(peer.file.interface.value()?)?, None));
        }
        match peer.file.via.value()? {
            Via::Interface(name) => Some((self.interfaces.get(name)?, None)),
            Via::Tunnel(name) => {
                let tunnel = self.tunnels.get(name)?;
                let underlay = self.interfaces.get(tunnel.table.underlay.value()?)?;
                Some((underlay, Some(tunnel)))
            }
        }
    }

    fn path(&self, peer: &PeerDraft<'_>) -> Option<Path> {
        let (interface, tunnel) = self.link(peer)?;
        let zone = *interface.table.zone.value()?;
        let tagged = interface.table.vlan.optional()?.is_some();
        let ptime = peer
            .file
            .ptime
            .optional()?
            .map_or(PTIME, crate::file::units::Int::u8);
        let towards = peer.targets.as_ref()?.first()?.value.address.ip();
        let Some(tunnel) = tunnel else {
            let local = own_address(&interface.table, towards)?;
            let mtu = interface
                .table
                .mtu
                .optional()?
                .map_or(ETHERNET_MTU, super::file::units::Int::u16);
            return Some(Path {
                zone,
                local,
                tagged,
                tunnel: None,
                mtu,
                ptime,
            });
        };
        let local = tunnel.table.address.value()?.0.address();
        let encapsulation = encapsulation(&tunnel.table)?;
        let mtu = tunnel
            .table
            .mtu
            .optional()?
            .map_or(INNER_MTU, super::file::units::Int::u16);
        let same_family = local.is_ipv4() == towards.is_ipv4();
        same_family.then_some(Path {
            zone,
            local,
            tagged,
            tunnel: Some(encapsulation),
            mtu,
            ptime,
        })
    }
}

/// Returns our address on an interface in the family of `towards`.
pub fn own_address(interface: &InterfaceFile, towards: IpAddr) -> Option<IpAddr> {
    let own = interface
        .address
        .value()?
        .iter()
        .map(|own| own.value.0.address());
    own.into_iter()
        .find(|own| own.is_ipv4() == towards.is_ipv4())
}

/// Returns what a tunnel puts around each packet.
pub fn encapsulation(tunnel: &TunnelFile) -> Option<Encapsulation> {
    Some(Encapsulation {
        outer_v6: tunnel.remote.value()?.is_ipv6(),
        key: tunnel.key.optional()?.is_some(),
        nat_traversal: tunnel.nat_traversal.or(NatTraversal::Off)? == NatTraversal::Auto,
    })
}

/// Returns what this image can speak of what a file may name.
pub const fn transport(spoken: Spoken) -> Option<Transport> {
    match spoken {
        Spoken::Udp => Some(Transport::Udp),
        Spoken::Tcp => Some(Transport::Tcp),
        Spoken::Tls => None,
    }
}

/// Returns where calls to a peer go; nothing if one of them cannot be told.
fn targets(name: &PeerName, file: &PeerFile) -> Option<Vec<Spanned<Socket>>> {
    if name.is_trunk() {
        let remotes = file.remote.value()?.iter();
        return remotes
            .map(|remote| {
                let Host::Address(address) = remote.value.host else {
                    return None;
                };
                let transport = transport(remote.value.spoken)?;
                let port = remote.value.port.unwrap_or(SIP_PORT);
                let value = Socket {
                    address: SocketAddr::new(address, port),
                    transport,
                };
                Some(Spanned {
                    value,
                    span: remote.span.clone(),
                })
            })
            .collect();
    }
    let address = file.address.get()?;
    let port = file.port.value()?;
    let transport = transport(port.spoken)?;
    let value = Socket {
        address: SocketAddr::new(address.value, port.port),
        transport,
    };
    Some(Vec::from([Spanned {
        value,
        span: address.span.clone(),
    }]))
}

/// What RTCC expects of a gateway on TCP where nothing else is agreed.
const SERVER_FINDS_US: u16 = 5066;

impl PeerDraft<'_> {
    /// Returns `trunk itsp-a` or `mediation med-1`, for sentences.
    pub fn title(&self) -> String {
        alloc::format!("{} {}", self.name.kind(), self.name.name())
    }

    fn listens(&self) -> Option<Vec<Socket>> {
        let local = self.path?.local;
        let here = |port, transport| Socket {
            address: SocketAddr::new(local, port),
            transport,
        };
        if let Some(listen) = self.file.listen.optional()? {
            return Some(Vec::from([here(listen.port, transport(listen.spoken)?)]));
        }
        let targets = self.targets.as_ref()?;
        if !self.name.is_trunk() {
            return Some(Vec::from([here(
                SERVER_FINDS_US,
                targets.first()?.value.transport,
            )]));
        }
        let mut sockets: Vec<Socket> = Vec::new();
        for target in targets {
            let socket = here(target.value.address.port(), target.value.transport);
            if !sockets.contains(&socket) {
                sockets.push(socket);
            }
        }
        Some(sockets)
    }

    /// Returns who may signal: what is written, and where we send.
    fn allows(&self) -> Option<Vec<Network>> {
        let written = self.file.allow.optional()?.unwrap_or_default();
        let mut networks: Vec<Network> = written.iter().map(|network| network.value).collect();
        for target in self.targets.as_ref()? {
            let ip = target.value.address.ip();
            if !networks.iter().any(|network| network.contains(ip)) {
                networks.push(Network::host(ip));
            }
        }
        Some(networks)
    }

    fn media_networks(&self) -> Option<Vec<Network>> {
        let mut networks: Vec<Network> = match self.file.media_from.optional()? {
            Some(written) => written.iter().map(|network| network.value).collect(),
            None => self.allow.clone()?,
        };
        let bypass = self.file.bypass.optional()?.unwrap_or_default();
        networks.extend(bypass.iter().map(|network| network.value));
        Some(networks)
    }
}
