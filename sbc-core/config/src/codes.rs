//! The register of problems: a number that is never used again for anything
//! else, how bad it is, its title, and what `explain` prints.

use core::fmt;

use crate::report::Severity;

/// A kind of problem. Prints as `SBC-0105`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Code(u16);

impl Code {
    /// Returns the code of that number, if the register has it.
    pub fn new(number: u16) -> Option<Self> {
        ROWS.iter()
            .find(|row| row.number == number)
            .map(|row| Self(row.number))
    }

    /// Takes `SBC-0105`, `sbc-105` or `105`; returns the code if the register
    /// has it.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text
            .get(..4)
            .filter(|start| start.eq_ignore_ascii_case("SBC-"));
        let digits = if bare.is_some() { text.get(4..)? } else { text };
        Self::new(digits.parse().ok()?)
    }

    /// Returns the number alone.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Returns how bad it is.
    pub fn severity(self) -> Severity {
        self.row().map_or(Severity::Error, |row| row.severity)
    }

    /// Returns the few words of the register.
    pub fn title(self) -> &'static str {
        self.row().map_or("", |row| row.title)
    }

    /// Returns what it is, how to see it, how to fix it.
    pub fn explanation(self) -> &'static str {
        self.row().map_or("", |row| row.explanation)
    }

    /// Returns every code of the register.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| Self(row.number))
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.number == self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SBC-{:04}", self.0)
    }
}

struct Row {
    number: u16,
    severity: Severity,
    title: &'static str,
    explanation: &'static str,
}

macro_rules! register {
    ($($name:ident $number:literal $file:literal $severity:ident $title:literal;)+) => {
        $(
            #[doc = $title]
            pub const $name: Code = Code($number);
        )+

        const ROWS: &[Row] = &[$(Row {
            number: $number,
            severity: Severity::$severity,
            title: $title,
            explanation: include_str!(concat!("../explain/", $file, ".txt")),
        }),+];
    };
}

register! {
    SYNTAX 1 "SBC-0001" Error "syntax";
    UNKNOWN_TABLE 2 "SBC-0002" Error "unknown table";
    UNKNOWN_KEY 3 "SBC-0003" Error "unknown key";
    MISSING_KEY 4 "SBC-0004" Error "missing key";
    WRONG_TYPE 5 "SBC-0005" Error "wrong type";
    OUT_OF_RANGE 6 "SBC-0006" Error "out of range";
    BAD_UNIT 7 "SBC-0007" Error "bad unit";
    DUPLICATE 8 "SBC-0008" Error "name used twice";
    TOO_NEW 9 "SBC-0009" Error "config-version too new";
    LINK_TWICE 101 "SBC-0101" Error "device and VLAN used twice";
    OVERLAP 102 "SBC-0102" Error "subnets overlap";
    BAD_VLAN 103 "SBC-0103" Error "VLAN not 1 to 4094";
    GATEWAY 104 "SBC-0104" Error "gateway outside its network";
    OFF_VLAN 105 "SBC-0105" Error "mediation server off its VLAN";
    ZONE 106 "SBC-0106" Error "no zone, or used against it";
    SHARED_VLAN 107 "SBC-0107" Warning "two mediation servers in one VLAN";
    MANAGEMENT_UNTAGGED 108 "SBC-0108" Error "management untagged on a shared device";
    TUNNEL_MTU 109 "SBC-0109" Error "MTU too small for the tunnel";
    NO_ROUTE 201 "SBC-0201" Warning "peer in no route";
    UNDEFINED 202 "SBC-0202" Error "name not defined";
    HIDDEN_ROUTE 203 "SBC-0203" Error "route hidden by an earlier one";
    DEAD_PATTERN 204 "SBC-0204" Error "pattern matches nothing, or the empty number";
    NUMBER_TEST 205 "SBC-0205" Error "number test fails";
    DEAD_RULE 206 "SBC-0206" Warning "rule never reached";
    SHARED_NUMBER 207 "SBC-0207" Error "own number in two trunks";
    NOT_E164 208 "SBC-0208" Error "not E.164";
    EMPTY_TO 209 "SBC-0209" Error "empty to";
    ROUTE_BACK 210 "SBC-0210" Error "route back to its source";
    UNROUTED_NUMBER 211 "SBC-0211" Warning "own number without route";
    PROFILE_CIRCLE 212 "SBC-0212" Error "profile circular";
    CROSS_BORDER 213 "SBC-0213" Error "leaves the country";
    SLOW_ATTEMPTS 214 "SBC-0214" Warning "attempts outlast the server's 10 s";
    CLEAR_INTERNET 301 "SBC-0301" Error "Internet trunk without tunnel";
    UNDERLAY 302 "SBC-0302" Error "underlay of a wrong zone";
    TUNNEL_IN_ITSELF 303 "SBC-0303" Error "remote inside the tunnel";
    PRIVATE_OUTER 304 "SBC-0304" Error "private outer address without NAT traversal";
    WEAK_SUITE 305 "SBC-0305" Error "suite below RFC 8221 and RFC 8247";
    NO_AUTH 306 "SBC-0306" Error "neither PSK nor certificate";
    SHORT_PSK 307 "SBC-0307" Warning "short PSK";
    TWO_AUTHS 308 "SBC-0308" Error "PSK and certificate both";
    NAME_WITHOUT_ALLOW 401 "SBC-0401" Error "name without allow";
    UDP_MEDIATION 402 "SBC-0402" Error "UDP to a mediation server";
    NO_CODEC 403 "SBC-0403" Error "no codec left";
    MEDIA_FROM 405 "SBC-0405" Error "media-from covers another zone or ourselves";
    TIMER 406 "SBC-0406" Error "timer min above expires";
    NO_GUARD 407 "SBC-0407" Warning "no progress guard";
    OVERCOMMITTED 411 "SBC-0411" Warning "trunks exceed the mediation limit";
    BANDWIDTH 412 "SBC-0412" Error "calls do not fit the path";
    BELOW_RESERVE 413 "SBC-0413" Error "limit below emergency reserve";
    NEEDLESS_SUBNET 414 "SBC-0414" Warning "needless subnet";
    HOLD_PASS 415 "SBC-0415" Warning "hold pass to a mediation server";
    PASS_GENERATED 416 "SBC-0416" Error "pass names a header we generate";
    LARGE_UDP 417 "SBC-0417" Warning "large INVITE over UDP and this MTU";
    SAME_PAIR 418 "SBC-0418" Error "same remote and listen twice";
    SECRET_MISSING 601 "SBC-0601" Error "secret missing";
    SECRET_IN_CLEAR 602 "SBC-0602" Error "secret in clear in the file";
    NO_EMERGENCY_TRUNK 701 "SBC-0701" Error "emergency number no trunk accepts";
    EMERGENCY_TRUNK 702 "SBC-0702" Error "emergency trunk missing or inactive";
    CALLBACK 703 "SBC-0703" Error "callback not ours";
    FOREIGN_ELIN 704 "SBC-0704" Error "ELIN not ours";
    NO_ELIN 705 "SBC-0705" Error "elin without ELINs";
    ONE_EMERGENCY_TRUNK 706 "SBC-0706" Warning "only one emergency trunk";
    NO_ADMIN 801 "SBC-0801" Error "no admin left";
    NO_WAY_IN 802 "SBC-0802" Error "user with neither password nor key";
    LATER 901 "SBC-0901" Error "not in this image";
    ABOVE_CAP 902 "SBC-0902" Error "above the built-in cap";
    UNKNOWN_ZONE 903 "SBC-0903" Error "unknown time zone";
    SHAPER 904 "SBC-0904" Error "shaper below its voice share";
    DSCP_SHAPER 905 "SBC-0905" Error "DSCP and shaper disagree";
    NO_CALL_ROUTE 1001 "SBC-1001" Error "no route for the number";
    CALL_BORDER 1002 "SBC-1002" Error "the route leads out of the country";
    ALL_DOWN 1003 "SBC-1003" Error "no peer of the route is up";
    FULL_HERE 1004 "SBC-1004" Error "a limit of the caller's side is reached";
    FULL_THERE 1005 "SBC-1005" Error "a limit of the called side is reached";
    CALL_REFUSED 1006 "SBC-1006" Error "the called side refused";
    CALL_NO_ANSWER 1007 "SBC-1007" Error "the called side did not answer in time";
    CALL_UNREACHABLE 1008 "SBC-1008" Error "no target could be reached";
    CALL_MEDIA 1009 "SBC-1009" Error "the session description was not acceptable";
    MEDIA_TIMEOUT 1010 "SBC-1010" Error "no media came any more";
    SESSION_TIMER 1011 "SBC-1011" Error "a session timer ran out";
    NO_ACK 1012 "SBC-1012" Error "an answer was not acknowledged";
    TRANSPORT_LOST 1013 "SBC-1013" Error "the way to a peer was lost";
    CALL_LOOP 1014 "SBC-1014" Error "a loop was found";
    OPERATOR 1015 "SBC-1015" Error "an operator ended it";
    NO_PORT 1016 "SBC-1016" Error "no media port was free";
    NODE_FULL 1017 "SBC-1017" Error "the node holds as many calls as it can";
    CALL_FORBIDDEN 1018 "SBC-1018" Error "the call number is not allowed here";
    IMAGE 2101 "SBC-2101" Error "the image is damaged, or no slot holds it";
    ROOT 2102 "SBC-2102" Error "the root cannot be set up";
    FENCE 2103 "SBC-2103" Error "the fence cannot be closed";
    BOOT_CONFIGURATION 2104 "SBC-2104" Error "the configuration of this boot cannot be used";
    NODE_ENDS 2105 "SBC-2105" Error "the node ends again and again";
    NO_NODE 2106 "SBC-2106" Error "no node is running";
    UNSEALED 2107 "SBC-2107" Error "the kernel cannot be sealed";
    UNREADY 2108 "SBC-2108" Error "the node is not ready in time";
    NO_UPDATE 2110 "SBC-2110" Error "no volume brings an update";
    NO_BUNDLE 2111 "SBC-2111" Error "the file is no bundle of ours";
    UNSIGNED 2112 "SBC-2112" Error "no key of this image has signed the bundle";
    OTHER_HARDWARE 2113 "SBC-2113" Error "the bundle is for another machine";
    TOO_OLD 2114 "SBC-2114" Error "the version is below the floor, or runs already";
    CHANGED_PART 2115 "SBC-2115" Error "a part of the bundle is not what was signed";
    SLOT 2116 "SBC-2116" Error "a slot or the boot partition cannot be written";
    NO_WAY_BACK 2117 "SBC-2117" Error "the other slot holds nothing that came up before";
    TRIAL 2118 "SBC-2118" Error "a slot on trial gave up";
    UPDATE_BUSY 2119 "SBC-2119" Error "an update is on its way, or on trial";
    CERTIFICATE_TIME 2201 "SBC-2201" Error "a certificate is outside its time";
    CERTIFICATE_FILE 2202 "SBC-2202" Error "certificates are missing or cannot be read";
    CERTIFICATE_KEY 2203 "SBC-2203" Error "a key does not fit its certificate";
    NO_AUTHORITY 2204 "SBC-2204" Error "a trust file holds no authority";
    TUNNEL_SECRET 2205 "SBC-2205" Error "a secret of a tunnel cannot be had";
    FAR_UNKNOWN 2206 "SBC-2206" Error "the far end of a tunnel is not who it must be";
    FAR_REFUSES 2207 "SBC-2207" Error "the far end of a tunnel refuses us";
    FAR_SILENT 2208 "SBC-2208" Error "the far end of a tunnel does not answer";
    COLLECTOR_AWAY 2220 "SBC-2220" Error "a collector of the log is not reached";
    COLLECTOR_UNKNOWN 2221 "SBC-2221" Error "a collector of the log is not who it must be";
    COLLECTOR_TRUST 2222 "SBC-2222" Error "the trust of a collector cannot be used";
    CERTIFICATE_CHAIN 2209 "SBC-2209" Error "certificates do not sign each other in this order";
    CERTIFICATE_USE 2210 "SBC-2210" Error "a certificate is for another use";
    NO_OPERATION 3001 "SBC-3001" Error "no such operation";
    ARGUMENT 3002 "SBC-3002" Error "an argument is missing or wrong";
    NOT_FOUND 3003 "SBC-3003" Error "nothing of that name is there";
    TOO_LONG 3004 "SBC-3004" Error "a line or text is too long";
    NO_QUESTION 3005 "SBC-3005" Error "a line is no question";
    CUT 3006 "SBC-3006" Error "an answer is too long";
    AWAY 3007 "SBC-3007" Error "a role is away";
    NOTHING_BEHIND 3009 "SBC-3009" Error "nothing is behind the command in this image";
    ROLE 3010 "SBC-3010" Error "the role does not allow it";
    LOCKED 3011 "SBC-3011" Error "somebody else has locked the configuration";
    NOT_APPLIED 3012 "SBC-3012" Error "the configuration cannot be used";
    MOVED 3013 "SBC-3013" Error "another revision became live meanwhile";
    CONFLICT 3014 "SBC-3014" Error "two people changed the same";
    NO_SOCKET 3015 "SBC-3015" Error "a listening socket cannot be opened";
    NOT_WRITTEN 3016 "SBC-3016" Error "something could not be written";
    NOTHING_WAITS 3017 "SBC-3017" Error "nothing waits for a confirmation";
    NO_STATE 3018 "SBC-3018" Error "the node keeps no state";
    NO_NETWORK 3019 "SBC-3019" Error "the network cannot be set up";
    WRONG_PASSWORD 3020 "SBC-3020" Error "wrong user or password";
    LINE_LOCKED 3021 "SBC-3021" Error "the line is locked";
    NOT_IN_HAND 3024 "SBC-3024" Error "the network is not in the node's hands";
    CLAIMED 3022 "SBC-3022" Error "the node has an owner";
    LOCKED_SECRETS 3025 "SBC-3025" Error "the secrets are locked";
    WRONG_PASSPHRASE 3026 "SBC-3026" Error "the passphrase does not open it";
    FOREIGN_MACHINE 3023 "SBC-3023" Error "the machine is not the node's own";
}
