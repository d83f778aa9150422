//! The keys of a peer. A trunk, a mediation server and a profile share one raw
//! type; which keys belong to one kind only is said below. Where the defaults
//! of the two kinds differ, they stand as `trunk | mediation`.

use crate::country::Country;
use crate::file::Spanned;
use crate::file::rows::table;
use crate::file::units::{Int, OrOff, OrZero, Rate, Time};
use crate::file::values::Failover;
use crate::file::values::{
    HostName, Mac, OptionalAnswer, PortSpec, RegistrationMode, RegistrationTargets, Remote, Secret,
    SrtpWord, StatusPair, Text, Token,
};
use crate::name::Name;
use crate::network::{Network, Via};
use crate::number::Number;
use crate::pattern::Pattern;
use crate::peer::{
    Asserted, Codec, ComfortNoise, Drain, Dtmf, Early183, EarlyMedia, EmergencyLocation, Forks,
    History, HoldFormat, IdentityHeader, KeepaliveMethod, MediaSource, Prack, Redirect, Refer,
    Refresher, Rtcp,
};

type List<T> = alloc::vec::Vec<Spanned<T>>;

/// Keys that only a trunk has.
pub const TRUNK_ONLY: [&str; 6] = [
    "via",
    "remote",
    "dns",
    "emergency-location",
    "registration",
    "credentials",
];

/// Keys that only a mediation server has.
pub const MEDIATION_ONLY: [&str; 6] = ["interface", "address", "port", "site", "bypass", "mac"];

const TLS: &str = "this image speaks UDP and TCP; leave the table out and write /tcp";
const SRTP: &str = "this image relays plain RTP; leave the key out";
const REGISTER: &str = "this image reaches providers in static mode; leave the table out";

table! {
    /// A SIP neighbour: where it is, how much it takes, and its habits.
    PeerFile {
        /// False sets the peer aside without deleting it.
        "active" active: bool = "true", Optional;
        /// A line of text about the peer.
        "description" description: Text = "", Optional;
        /// The profile whose keys hold where this table is silent.
        "profile" profile: Name = "", Optional;

        /// What carries the trunk: an interface of zone private, or a tunnel.
        "via" via: Via = "required", Optional;
        /// Where the provider is, in the order to try.
        "remote" remote: List<Remote> = "required", Optional;
        /// The interface the server's VLAN is on.
        "interface" interface: Name = "required", Optional;
        /// The server's address, on the network of its interface.
        "address" address: core::net::IpAddr = "required", Optional;
        /// Where the server listens.
        "port" port: PortSpec = "5067/tls", Optional;
        /// Where the peer finds us: our half of the pair.
        "listen" listen: PortSpec = "as remote | 5067/tls, or 5066/tcp for a server on TCP", Optional;
        /// Who may signal as this peer.
        "allow" allow: List<Network> = "the addresses of remote | its address", Optional;
        /// Where media may come from and go to.
        "media-from" media_from: List<Network> = "as allow", Optional;
        /// A fixed neighbour entry: no ARP is needed.
        "mac" mac: Mac = "", Optional;
        /// How a name is looked up (RFC 3263).
        "dns" dns: DnsFile = "", Later("this image looks no name up; write an address in remote");

        /// Certificates of this peer.
        "tls" tls: TlsPeerFile = "", Later(TLS);
        /// Whether media is encrypted.
        "srtp" srtp: SrtpWord = "off", Optional;
        /// How an optional offer of encryption is answered.
        "optional-srtp-answer" optional_srtp_answer: OptionalAnswer = "as-offered | savp", Later(SRTP);
        /// Whether the answer names the chosen configuration (RFC 5939).
        "acfg" acfg: bool = "true", Later(SRTP);

        /// G.711 in order of preference.
        "codecs" codecs: List<Codec> = "the law of the country first, then the other", Optional;
        /// Milliseconds of speech in a packet that the peer is asked for.
        "ptime" ptime: Int<10, 40> = "20", Optional;
        /// How digits travel.
        "dtmf" dtmf: Dtmf = "rfc4733", Optional;
        /// What becomes of comfort noise packets.
        "comfort-noise" comfort_noise: ComfortNoise = "pass", Optional;
        /// Where a stream may come from.
        "media-source" media_source: MediaSource = "signalled", Optional;
        /// Whether RTCP is ours.
        "rtcp" rtcp: Rtcp = "originate", Optional;
        /// How often our RTCP goes out.
        "rtcp-interval" rtcp_interval: Time<1_000, 20_000> = "5s", Optional;

        /// How the peer's health is asked.
        "keepalive" keepalive: KeepaliveFile = "", Optional;
        /// Silence, not even a 100, after which the next target is tried.
        "attempt-timeout" attempt_timeout: Time<500, 32_000> = "3s", Optional;
        /// When a 183 of ours goes out before the server's ten seconds end.
        "progress-guard" progress_guard: OrOff<4_000, 8_000> = "off | 6s", Optional;
        /// How long a session lives unrefreshed (RFC 4028).
        "session-timer" session_timer: SessionTimerFile = "", Optional;

        /// What the peer is told when the other side holds.
        "hold-format" hold_format: HoldFormat = "sendonly | inactive", Optional;
        /// Reliable provisional responses (RFC 3262).
        "prack" prack: Prack = "supported", Optional;
        /// What this peer is told of media before the answer.
        "early-media" early_media: EarlyMedia = "normalise", Optional;
        /// Whether a 183 goes out at once.
        "early-183" early_183: Early183 = "off", Optional;
        /// Early dialogs kept of one call.
        "max-early-dialogs" max_early_dialogs: Int<1, 20> = "20", Optional;
        /// Whether many early dialogs become one.
        "forks" forks: Forks = "merge", Optional;
        /// What is done with REFER. This image refuses it.
        "refer" refer: Refer = "refuse", Optional;
        /// What is done with a redirection.
        "redirect" redirect: Redirect = "follow", Optional;
        /// How a diverted call is told (RFC 7544).
        "history" history: History = "diversion | history-info", Optional;
        /// Who a caller is said to be.
        "identity" identity: IdentityFile = "", Optional;
        /// What becomes of a signed identity (RFC 8224): both sides must pass it.
        "identity-header" identity_header: IdentityHeader = "strip", Optional;
        /// What is written besides the generated headers.
        "headers" headers: HeadersFile = "", Optional;
        /// Failure codes this peer uses in a sense of its own.
        "responses" responses: List<StatusPair> = "[]", Optional;
        /// The Retry-After of our 503; 0 leaves it out.
        "retry-after" retry_after: OrZero<1_000, 3_600_000> = "5s", Optional;
        /// How a drained peer is told.
        "drain" drain: Drain = "503 | silent", Optional;
        /// What becomes of the caller's location in an emergency call.
        "emergency-location" emergency_location: EmergencyLocation = "pass", Optional;

        /// Calls at once, required for a trunk.
        "max-simultaneous-calls" max_calls: Int<1, 100_000> = "required | no limit", Optional;
        /// New calls a second.
        "max-calls-per-second" max_calls_per_second: Int<1, 10_000> = "no limit", Optional;
        /// Bandwidth for calls, counted on the wire of the path, one direction.
        "bandwidth" bandwidth: Rate = "no limit", Optional;

        /// The number rules of this peer.
        "numbers" numbers: Name = "numbers pass unchanged", Optional;
        /// Patterns of the numbers that belong to this peer.
        "own-numbers" own_numbers: List<Pattern> = "[]", Optional;
        /// The main number of this peer.
        "pilot-number" pilot_number: Number = "", Optional;
        /// The country its calls stay in.
        "country" country: Country = "system.country", Optional;

        /// Registration with the provider.
        "registration" registration: RegistrationFile = "", Later(REGISTER);
        /// What the provider's challenges are answered with.
        "credentials" credentials: CredentialsFile = "", Later(REGISTER);

        /// The site whose calls this server carries.
        "site" site: Name = "", Optional;
        /// Client networks whose media passes by the server.
        "bypass" bypass: List<Network> = "[]", Optional;
    }
}

table! {
    /// OPTIONS to a peer, and what is made of the answers.
    KeepaliveFile {
        /// How the peer is asked.
        "method" method: KeepaliveMethod = "options", Optional;
        /// How often.
        "every" every: Time<5_000, 600_000> = "30s", Optional;
        /// Misses in a row after which the peer is down.
        "down-after" down_after: Int<1, 10> = "3", Optional;
        /// Answers in a row after which it is up again.
        "up-after" up_after: Int<1, 10> = "2", Optional;
    }
}

table! {
    /// Session timers of one leg (RFC 4028).
    SessionTimerFile {
        /// How long a session lives unrefreshed.
        "expires" expires: Time<90_000, 86_400_000> = "30m", Optional;
        /// The least we accept, never below 90 s (RFC 4028 §4).
        "min" min: Time<90_000, 86_400_000> = "90s", Optional;
        /// Who refreshes.
        "refresher" refresher: Refresher = "node", Optional;
    }
}

table! {
    /// Who a caller is said to be to this peer.
    IdentityFile {
        /// The number in From.
        "from" from: Asserted = "original", Optional;
        /// The number in P-Asserted-Identity (RFC 3325).
        "pai" pai: Asserted = "original", Optional;
        /// The number in P-Preferred-Identity (RFC 3325).
        "ppi" ppi: Asserted = "none | original", Optional;
        /// What a caller outside the own numbers is asserted as.
        "foreign" foreign: Asserted = "did | original", Optional;
        /// The peer is inside our trust domain.
        "trusted" trusted: bool = "true", Optional;
    }
}

table! {
    /// What is written besides the generated headers.
    HeadersFile {
        /// The host part of our addresses.
        "domain" domain: HostName = "our address", Optional;
        /// Whether our numbers say user=phone.
        "user-phone" user_phone: bool = "true", Optional;
        /// Whether Reason carries a Q.850 cause (RFC 3326).
        "reason" reason: bool = "true", Optional;
        /// The only headers that cross, to this peer and from it.
        "pass" pass: List<Token> = "[]", Optional;
    }
}

table! {
    /// How a provider's name is looked up (RFC 3263).
    DnsFile {
        /// REGISTER, OPTIONS and INVITE share a target.
        "pin" pin: bool = "true", Optional;
        /// The order of targets.
        "failover" failover: Failover = "ordered", Optional;
        /// How long an answer is kept at most.
        "max-age" max_age: Time<1_000, 86_400_000> = "5m", Optional;
    }
}

table! {
    /// Certificates of one peer.
    TlsPeerFile {
        /// The authority that signs the peer's certificate.
        "trust" trust: Name = "required", Optional;
        /// The name its certificate must carry.
        "verify-name" verify_name: HostName = "the address", Optional;
        /// Our certificate.
        "certificate" certificate: Name = "node", Optional;
    }
}

table! {
    /// Registration with a provider.
    RegistrationFile {
        /// One address for all, or RFC 6140.
        "mode" mode: RegistrationMode = "required", Required;
        /// How long a binding is asked for.
        "expires" expires: Time<60_000, 86_400_000> = "1h", Optional;
        /// Which targets are registered with.
        "targets" targets: RegistrationTargets = "first", Optional;
    }
}

table! {
    /// What a provider's challenges are answered with.
    CredentialsFile {
        /// The realm they are bound to.
        "realm" realm: Text = "required", Required;
        /// The user name.
        "user" user: Text = "required", Required;
        /// The password, by its name in the secret store.
        "password" password: Secret = "required", Required;
    }
}
