//! Every table of the file but the peers.

use core::net::IpAddr;

use crate::country::Country;
use crate::file::peer::PeerFile;
use crate::file::rows::table;
use crate::file::units::{Hundredths, Int, PerSecond, Percent, Rate, Size, Time};
use crate::file::values::{
    CdrFormat, Charset, Device, Dialled, Dscp, FileName, HostName, HostPort, Identity, Initiate,
    NatTraversal, NumberTest, Own, PeerRef, PortRange, Role, Secret, SyslogTransport, Text,
    TimeZone, TlsVersion,
};
use crate::file::{Named, OneOrMore, Sequence, Spanned};
use crate::name::Name;
use crate::network::{Network, Suite, Zone};
use crate::node::Level;
use crate::number::Number;
use crate::pattern::Pattern;
use crate::route::{From, Policy};
use crate::rules::NumberRule;

type List<T> = alloc::vec::Vec<Spanned<T>>;

/// The one version of the file this image reads.
pub const VERSION: i64 = 1;

const TLS: &str = "this image speaks UDP and TCP; leave the table out";
const KEYS: &str = "this image has logins with a password; leave the key out";

table! {
    /// The configuration of a node.
    NodeFile {
        /// The version of this form.
        "config-version" config_version: Int<1, { i64::MAX }> = "required", Required;
        /// What the node is called and where it stands.
        "system" system: SystemFile = "", Required;
        /// Who may reach the node's own services.
        "management" management: ManagementFile = "", Optional;
        /// Logins.
        "user" user: Named<UserFile> = "", Optional;
        /// Our certificates.
        "certificate" certificate: Named<CertificateFile> = "", Optional;
        /// Authorities we trust.
        "trust" trust: Named<TrustFile> = "", Optional;
        /// TLS for all peers.
        "tls" tls: TlsFile = "", Later(TLS);
        /// SRTP for all peers.
        "srtp" srtp: SrtpFile = "", Later("this image relays plain RTP; leave the table out");
        /// Media of all calls.
        "media" media: MediaFile = "", Optional;
        /// Ports of the machine and VLANs on them.
        "interface" interface: Named<InterfaceFile> = "", Optional;
        /// GRE inside IPsec ESP, always both.
        "tunnel" tunnel: Named<TunnelFile> = "", Optional;
        /// Keys that peers adopt by name.
        "profile" profile: Named<PeerFile> = "", Optional;
        /// Providers.
        "trunk" trunk: Named<PeerFile> = "", Optional;
        /// Mediation Servers.
        "mediation" mediation: Named<PeerFile> = "", Optional;
        /// Limits of places.
        "site" site: Named<SiteFile> = "", Optional;
        /// How numbers are written.
        "numbers" numbers: Named<NumbersFile> = "", Optional;
        /// Calls for help.
        "emergency" emergency: EmergencyFile = "", Optional;
        /// Where calls go, the first that matches.
        "route" route: Sequence<RouteFile> = "", Optional;
        /// Marks and shaping of packets.
        "qos" qos: QosFile = "", Optional;
        /// What the log holds.
        "log" log: LogFile = "", Optional;
        /// Records of calls.
        "cdr" cdr: CdrFile = "", Optional;
        /// A capture server.
        "hep" hep: HepFile = "", Later("this image sends no HEP; leave the table out");
        /// When an alarm is raised.
        "alarms" alarms: AlarmsFile = "", Optional;
        /// Built-in caps, which a key may lower.
        "limits" limits: LimitsFile = "", Optional;
        /// A second node.
        "ha" ha: HaFile = "", Later("this image runs alone; leave the table out");
    }
}

table! {
    /// What the node is called and where it stands.
    SystemFile {
        /// The name of the node.
        "hostname" hostname: HostName = "required", Required;
        /// The country its telephones are in (ISO 3166).
        "country" country: Country = "required", Required;
        /// The zone its clock shows.
        "timezone" timezone: TimeZone = "UTC", Optional;
        /// Time servers (SNTP, RFC 4330), asked by management alone; four at most.
        "ntp" ntp: List<IpAddr> = "[]", Optional;
        /// Name servers.
        "dns" dns: List<IpAddr> = "[]", Optional;
    }
}

table! {
    /// Who may reach the node's own services.
    ManagementFile {
        /// An interface of zone management.
        "interface" interface: Name = "", Optional;
        /// Who may come.
        "allow" allow: List<Network> = "the network of the interface", Optional;
        /// Logins over SSH.
        "ssh" ssh: SshFile = "", Later("this image has the local console; leave the key out");
        /// The read-only page.
        "web" web: WebFile = "", Later("this image has the local console; leave the key out");
        /// Counters for collectors.
        "metrics" metrics: MetricsFile = "", Later("ask `sbc cli` for the counters; leave the key out");
        /// The serial console.
        "console" console: ConsoleFile = "", Optional;
    }
}

table! {
    /// Logins over SSH.
    SshFile {
        /// The port.
        "port" port: Int<1, 65_535> = "22", Optional;
        /// Idle time after which a login ends.
        "idle-timeout" idle_timeout: Time<60_000, 86_400_000> = "15m", Optional;
    }
}

table! {
    /// The read-only page.
    WebFile {
        /// The port.
        "port" port: Int<1, 65_535> = "8443", Optional;
        /// Our certificate.
        "certificate" certificate: Name = "node", Optional;
        /// The authority of those who come.
        "trust" trust: Name = "", Optional;
    }
}

table! {
    /// Counters for collectors.
    MetricsFile {
        /// The port.
        "port" port: Int<1, 65_535> = "9464", Optional;
    }
}

table! {
    /// The serial console.
    ConsoleFile {
        /// Idle time after which a login ends.
        "idle-timeout" idle_timeout: Time<60_000, 86_400_000> = "10m", Optional;
        /// What lines are drawn with.
        "charset" charset: Charset = "ascii", Optional;
        /// Whether an overview is shown when nobody types.
        "dashboard" dashboard: bool = "false", Later("type `show calls`; leave the key out or write false");
    }
}

table! {
    /// A login.
    UserFile {
        /// False sets the login aside without deleting it.
        "active" active: bool = "true", Optional;
        /// How much it may do.
        "role" role: Role = "required", Required;
        /// Its password, by its name in the secret store.
        "password" password: Secret = "", Optional;
        /// Its SSH keys.
        "ssh-keys" ssh_keys: List<Text> = "[]", Later(KEYS);
    }
}

table! {
    /// One of our certificates.
    CertificateFile {
        /// False sets it aside.
        "active" active: bool = "true", Optional;
        /// The file of the certificate and what signs it.
        "chain" chain: FileName = "required", Required;
        /// Its key, by its name in the secret store.
        "key" key: Secret = "required", Required;
    }
}

table! {
    /// An authority we trust.
    TrustFile {
        /// False sets it aside.
        "active" active: bool = "true", Optional;
        /// The file of its certificate.
        "pem" pem: FileName = "required", Required;
    }
}

table! {
    /// TLS for all peers.
    TlsFile {
        /// The least version.
        "min-version" min_version: TlsVersion = "1.2", Optional;
    }
}

table! {
    /// SRTP for all peers.
    SrtpFile {
        /// Suites in order of preference (RFC 4568).
        "suites" suites: List<Text> = "AES_CM_128_HMAC_SHA1_80", Optional;
    }
}

table! {
    /// Media of all calls.
    MediaFile {
        /// Our ports, pairs of RTP and RTCP.
        "ports" ports: PortRange = "16384-32767", Optional;
        /// Neither RTP nor RTCP for this long ends the call.
        "timeout" timeout: Time<10_000, 3_600_000> = "60s", Optional;
        /// What comes later is lost.
        "playout" playout: Time<10, 1_000> = "60ms", Optional;
    }
}

table! {
    /// A port of the machine, or one VLAN on it.
    InterfaceFile {
        /// False sets it aside.
        "active" active: bool = "true", Optional;
        /// A line of text.
        "description" description: Text = "", Optional;
        /// What lies behind it. The isolation rules follow from it.
        "zone" zone: Zone = "none", Optional;
        /// The device: kernel name, MAC address or bus path.
        "device" device: Device = "required", Required;
        /// The 802.1Q tag.
        "vlan" vlan: Int<{ i64::MIN }, { i64::MAX }> = "untagged", Optional;
        /// Our addresses with their networks.
        "address" address: List<Own> = "required", Required;
        /// The way out of its network.
        "gateway" gateway: IpAddr = "", Optional;
        /// Octets of an IP packet.
        "mtu" mtu: Int<576, 9_216> = "1500", Optional;
    }
}

table! {
    /// GRE inside IPsec ESP, always both.
    TunnelFile {
        /// False sets it aside.
        "active" active: bool = "true", Optional;
        /// A line of text.
        "description" description: Text = "", Optional;
        /// The interface the encrypted packets leave by.
        "underlay" underlay: Name = "required", Required;
        /// The outer address of the far end.
        "remote" remote: IpAddr = "required", Required;
        /// Our inner address with its network.
        "address" address: Own = "required", Required;
        /// How the two ends know each other.
        "auth" auth: AuthFile = "none", Optional;
        /// The one proposal that is made.
        "suite" suite: Suite = "aes256gcm16-prfsha256-x25519", Optional;
        /// Octets of an inner IP packet.
        "mtu" mtu: Int<576, 9_000> = "1400", Optional;
        /// Silence after which the tunnel is made anew.
        "dead-peer" dead_peer: Time<1_000, 600_000> = "10s", Optional;
        /// ESP in UDP where a translator lies between (RFC 3948).
        "nat-traversal" nat_traversal: NatTraversal = "off", Optional;
        /// The GRE key (RFC 2890).
        "key" key: Int<0, 4_294_967_295> = "none", Optional;
        /// Who opens the tunnel.
        "initiate" initiate: Initiate = "node", Optional;
    }
}

table! {
    /// How the two ends of a tunnel know each other: a shared secret, or
    /// certificates.
    AuthFile {
        /// The shared secret, by its name in the secret store.
        "psk" psk: Secret = "", Optional;
        /// Our certificate.
        "certificate" certificate: Name = "", Optional;
        /// The authority that signs the far end's certificate.
        "trust" trust: Name = "", Optional;
        /// What the far end calls itself, and its certificate must say.
        "remote-id" remote_id: Identity = "", Optional;
    }
}

table! {
    /// Limits of a place.
    SiteFile {
        /// False sets it aside.
        "active" active: bool = "true", Optional;
        /// A line of text.
        "description" description: Text = "", Optional;
        /// Calls at once.
        "max-simultaneous-calls" max_calls: Int<1, 100_000> = "required", Required;
    }
}

table! {
    /// How a peer writes numbers. The first rule that matches the whole
    /// number makes the result; without one it passes unchanged.
    NumbersFile {
        /// False sets it aside.
        "active" active: bool = "true", Optional;
        /// A line of text.
        "description" description: Text = "", Optional;
        /// The country of the rules.
        "country" country: Country = "system.country", Optional;
        /// From E.164 to what the peer wants.
        "to-trunk" to_trunk: List<NumberRule> = "[]", Optional;
        /// From what the peer sends to E.164.
        "from-trunk" from_trunk: List<NumberRule> = "[]", Optional;
        /// What the rules must make of these numbers.
        "tests" tests: List<NumberTest> = "[]", Optional;
    }
}

table! {
    /// Calls for help. They pass admission, blocking and drain.
    EmergencyFile {
        /// What is dialled for help.
        "numbers" numbers: List<Dialled> = "those of system.country", Optional;
        /// Trunks in the order to try.
        "trunks" trunks: List<Name> = "all, in the order of the file", Optional;
        /// Calls kept free on each of them.
        "reserve" reserve: Int<0, 1_000> = "1", Optional;
        /// The number help calls back.
        "callback" callback: Number = "", Optional;
        /// Numbers lent to callers, so that help can call back.
        "elin" elin: ElinFile = "", Optional;
    }
}

table! {
    /// Numbers lent to emergency callers.
    ElinFile {
        /// The numbers.
        "numbers" numbers: List<Number> = "required", Required;
        /// How long after the call a number stays lent.
        "hold" hold: Time<60_000, 86_400_000> = "30m", Optional;
    }
}

table! {
    /// One rule of the ordered list; the first that matches decides.
    RouteFile {
        /// The name of the route.
        "name" name: Name = "required", Required;
        /// False sets it aside.
        "active" active: bool = "true", Optional;
        /// A line of text.
        "description" description: Text = "", Optional;
        /// Whose calls it takes.
        "from" from: OneOrMore<From> = "required", Required;
        /// A pattern over the called number in E.164 form.
        "match" number: Pattern = "required", Required;
        /// The peers to try.
        "to" to: OneOrMore<PeerRef> = "required", Required;
        /// In which order.
        "policy" policy: Policy = "ordered", Optional;
        /// Whether calls may leave their country.
        "cross-border" cross_border: bool = "false", Optional;
    }
}

table! {
    /// Marks and shaping of packets.
    QosFile {
        /// Marks by name (RFC 4594).
        "dscp" dscp: DscpFile = "", Optional;
        /// A link slower than its port.
        "shape" shape: ShapeFile = "", Optional;
    }
}

table! {
    /// Marks by name (RFC 4594).
    DscpFile {
        /// Of SIP.
        "signalling" signalling: Dscp = "CS3", Optional;
        /// Of RTP and RTCP.
        "media" media: Dscp = "EF", Optional;
    }
}

table! {
    /// A link slower than its port.
    ShapeFile {
        /// The interface of the link.
        "interface" interface: Name = "required", Required;
        /// The rate of the link.
        "rate" rate: Rate = "required", Required;
        /// What of it voice may take.
        "voice" voice: Percent = "80%", Optional;
    }
}

table! {
    /// What the log holds.
    LogFile {
        /// The least level.
        "level" level: Level = "info", Optional;
        /// Collectors.
        "syslog" syslog: Named<SyslogFile> = "", Optional;
    }
}

table! {
    /// A log collector (RFC 5424).
    SyslogFile {
        /// False sets it aside.
        "active" active: bool = "true", Optional;
        /// Where it listens.
        "target" target: HostPort = "required", Required;
        /// How it is reached.
        "transport" transport: SyslogTransport = "udp", Optional;
        /// The authority of its certificate, for TLS.
        "trust" trust: Name = "", Optional;
        /// What its certificate must say: a name or an address.
        "remote-id" remote_id: HostName = "the address of target", Optional;
    }
}

table! {
    /// Records of calls.
    CdrFile {
        /// Records on the node's own disk.
        "file" file: CdrFileFile = "", Optional;
        /// Whether collectors get them too.
        "syslog" syslog: bool = "false", Later("records go to the file; leave the key out");
    }
}

table! {
    /// Records on the node's own disk.
    CdrFileFile {
        /// How they are written.
        "format" format: CdrFormat = "jsonl", Optional;
        /// How long they are kept.
        "keep" keep: Time<3_600_000, 315_360_000_000> = "30d", Optional;
    }
}

table! {
    /// A capture server.
    HepFile {
        /// Where it listens.
        "target" target: HostPort = "required", Required;
        /// What this node is called there.
        "node-id" node_id: Int<0, 4_294_967_295> = "required", Required;
    }
}

table! {
    /// When an alarm is raised.
    AlarmsFile {
        /// How long a peer is silent.
        "trunk-down" trunk_down: Time<1_000, 3_600_000> = "30s", Optional;
        /// When calls of a peer are poor.
        "quality" quality: QualityFile = "", Optional;
        /// How long before a certificate ends.
        "cert-expiry" cert_expiry: Time<86_400_000, 31_536_000_000> = "30d", Optional;
    }
}

table! {
    /// When calls of a peer are poor.
    QualityFile {
        /// The mean opinion score (ITU-T P.800) below which a call is poor.
        "mos-below" mos_below: Hundredths<100, 500> = "3.6", Optional;
        /// Over what time.
        "window" window: Time<60_000, 3_600_000> = "5m", Optional;
        /// How many calls.
        "calls" calls: Int<1, 1_000> = "3", Optional;
    }
}

table! {
    /// Built-in caps, which a key may lower.
    LimitsFile {
        /// Connections of one peer.
        "connections-per-peer" connections_per_peer: Int<1, { i64::MAX }> = "64", Optional;
        /// A SIP message.
        "message-size" message_size: Size = "64 KiB", Optional;
        /// New calls a second over all peers.
        "setup-rate" setup_rate: PerSecond = "1000/s", Optional;
        /// Calls at once over all peers.
        "calls" calls: Int<1, { i64::MAX }> = "10000", Optional;
    }
}

table! {
    /// A second node.
    HaFile {
        /// The interface between the two.
        "interface" interface: Name = "required", Optional;
        /// The other's address.
        "peer" peer: IpAddr = "required", Optional;
        /// Who leads.
        "priority" priority: Int<1, 255> = "100", Optional;
        /// What they know each other by.
        "key" key: Secret = "required", Optional;
    }
}
