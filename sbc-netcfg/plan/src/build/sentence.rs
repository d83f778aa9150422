//! The sentences rules enforce, each at most 127 octets as the kernel keeps them.
//! Those that begin with `seed:` are of the document this product implements,
//! those with `SR-` of its security requirements.

pub const VLAN: &str =
    "seed: set up a virtual LAN (VLAN) for each connection between the two VPN routers";
pub const SERVER_VLAN: &str =
    "seed: Set up a virtual LAN (VLAN) between the Mediation Server and the VPN router";
pub const NO_BROADCAST: &str = "seed: Do not allow broadcast or multicast packets to be transferred from the router to the VLAN";
pub const ONLY_SERVER: &str = "seed: Block any routing rules that route traffic from the router to anywhere but the Mediation Server";
pub const ENCRYPT: &str =
    "seed: Encrypt data on the VPN - GRE goes inside an IPsec association or nowhere";
pub const VPN_PORTS: &str = "seed: all firewalls between the VPN routers have ports open to allow the VPN routers to communicate";
pub const SIP: &str = "seed: connections between the enterprise and the service provider consist of plain TCP connections for SIP";
pub const MEDIA: &str = "seed: plain real-time transport protocol (RTP) over UDP";
pub const PRIORITY: &str = "seed: VoIP traffic is given priority over excessive IP traffic";
pub const ARP: &str = "the only broadcast let through is ARP for our own and the peer's addresses";
pub const DISCOVERY: &str = "a configured IPv6 zone finds its listed neighbours and nobody else";
pub const DENY: &str =
    "SR-03: default deny in, out and forward; nothing is ever forwarded between zones";
pub const USERS: &str = "SR-03: egress by sending user and peer set";
pub const MANAGEMENT: &str = "SR-22: management unreachable from trunks and Mediation Servers";
pub const SPOOFED: &str = "a source of ours or of another zone is forged";
pub const NO_IPV6: &str = "IPv6 is off in a zone unless configured";
pub const OPTIONS: &str = "a packet with IP options or extension headers is none of a peer's";
pub const FRAGMENTS: &str = "fragments come only where a peer sends SIP over UDP";
pub const SILENT: &str = "unsolicited answers (ICMP unreachable, resets) never leave";
pub const OTHER_HOST: &str = "a frame for another station is not ours";
pub const MTU: &str = "segments fit the tunnel in both directions";
