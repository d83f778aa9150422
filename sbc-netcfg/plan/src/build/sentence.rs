//! The sentences rules enforce, each at most 127 octets as the kernel keeps them.
//! Those that begin with `seed:` are of the document this product implements,
//! those with `SR-` of its security requirements.

pub(crate) const VLAN: &str =
    "seed: set up a virtual LAN (VLAN) for each connection between the two VPN routers";
pub(crate) const SERVER_VLAN: &str =
    "seed: Set up a virtual LAN (VLAN) between the Mediation Server and the VPN router";
pub(crate) const NO_BROADCAST: &str = "seed: Do not allow broadcast or multicast packets to be transferred from the router to the VLAN";
pub(crate) const ONLY_SERVER: &str = "seed: Block any routing rules that route traffic from the router to anywhere but the Mediation Server";
pub(crate) const ENCRYPT: &str =
    "seed: Encrypt data on the VPN - GRE goes inside an IPsec association or nowhere";
pub(crate) const VPN_PORTS: &str = "seed: all firewalls between the VPN routers have ports open to allow the VPN routers to communicate";
pub(crate) const SIP: &str = "seed: connections between the enterprise and the service provider consist of plain TCP connections for SIP";
pub(crate) const MEDIA: &str = "seed: plain real-time transport protocol (RTP) over UDP";
pub(crate) const PRIORITY: &str = "seed: VoIP traffic is given priority over excessive IP traffic";
pub(crate) const ARP: &str =
    "the only broadcast let through is ARP for our own and the peer's addresses";
pub(crate) const DISCOVERY: &str =
    "a configured IPv6 zone finds its listed neighbours and nobody else";
pub(crate) const DENY: &str =
    "SR-03: default deny in, out and forward; nothing is ever forwarded between zones";
pub(crate) const USERS: &str = "SR-03: egress by sending user and peer set";
pub(crate) const MANAGEMENT: &str =
    "SR-22: management unreachable from trunks and Mediation Servers";
pub(crate) const COLLECTORS: &str =
    "SR-13: the log leaves by management, under the console's user, for its collectors alone";
pub(crate) const CLOCKS: &str =
    "SR-14: the time is asked by management, under the console's user, of the listed servers alone";
pub(crate) const SPOOFED: &str = "a source of ours or of another zone is forged";
pub(crate) const NO_IPV6: &str = "IPv6 is off in a zone unless configured";
pub(crate) const OPTIONS: &str =
    "a packet with IP options or extension headers is none of a peer's";
pub(crate) const FRAGMENTS: &str = "fragments come only where a peer sends SIP over UDP";
pub(crate) const SILENT: &str = "unsolicited answers (ICMP unreachable, resets) never leave";
pub(crate) const OTHER_HOST: &str = "a frame for another station is not ours";
pub(crate) const MTU: &str = "segments fit the tunnel in both directions";
