//! Header names as bytes spell them in, one enum out; compact forms and any case
//! (RFC 3261 §7.3.1, §7.3.3, §20).

/// Declares the names once: variant, canonical spelling, compact letter.
macro_rules! names {
    ($($variant:ident $canonical:literal $compact:literal,)*) => {
        /// A header name this node knows, or [`Name::Other`].
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = $canonical] $variant,)*
            /// Any name not in this list; the line still says how it was spelled.
            Other,
        }

        /// Each name with its canonical spelling and its compact form, if it has one.
        const TABLE: &[(Name, &str, &str)] = &[$((Name::$variant, $canonical, $compact),)*];
    };
}

names! {
    Accept "Accept" "",
    AcceptContact "Accept-Contact" "a",
    AcceptEncoding "Accept-Encoding" "",
    AcceptLanguage "Accept-Language" "",
    AlertInfo "Alert-Info" "",
    Allow "Allow" "",
    AllowEvents "Allow-Events" "u",
    AuthenticationInfo "Authentication-Info" "",
    Authorization "Authorization" "",
    CallId "Call-ID" "i",
    CallInfo "Call-Info" "",
    Contact "Contact" "m",
    ContentDisposition "Content-Disposition" "",
    ContentEncoding "Content-Encoding" "e",
    ContentId "Content-ID" "",
    ContentLanguage "Content-Language" "",
    ContentLength "Content-Length" "l",
    ContentTransferEncoding "Content-Transfer-Encoding" "",
    ContentType "Content-Type" "c",
    CSeq "CSeq" "",
    Date "Date" "",
    Diversion "Diversion" "",
    ErrorInfo "Error-Info" "",
    Event "Event" "o",
    Expires "Expires" "",
    FlowTimer "Flow-Timer" "",
    From "From" "f",
    Geolocation "Geolocation" "",
    GeolocationError "Geolocation-Error" "",
    GeolocationRouting "Geolocation-Routing" "",
    HistoryInfo "History-Info" "",
    Identity "Identity" "y",
    IdentityInfo "Identity-Info" "n",
    InReplyTo "In-Reply-To" "",
    InfoPackage "Info-Package" "",
    Join "Join" "",
    MaxBreadth "Max-Breadth" "",
    MaxForwards "Max-Forwards" "",
    MimeVersion "MIME-Version" "",
    MinExpires "Min-Expires" "",
    MinSe "Min-SE" "",
    MsDiagnostics "ms-diagnostics" "",
    MsDiagnosticsPublic "ms-diagnostics-public" "",
    Organization "Organization" "",
    PAccessNetworkInfo "P-Access-Network-Info" "",
    PAssertedIdentity "P-Asserted-Identity" "",
    PAssociatedUri "P-Associated-URI" "",
    PCalledPartyId "P-Called-Party-ID" "",
    PChargingVector "P-Charging-Vector" "",
    PEarlyMedia "P-Early-Media" "",
    PPreferredIdentity "P-Preferred-Identity" "",
    Path "Path" "",
    Priority "Priority" "",
    Privacy "Privacy" "",
    ProxyAuthenticate "Proxy-Authenticate" "",
    ProxyAuthorization "Proxy-Authorization" "",
    ProxyRequire "Proxy-Require" "",
    RAck "RAck" "",
    Reason "Reason" "",
    RecordRoute "Record-Route" "",
    RecvInfo "Recv-Info" "",
    ReferSub "Refer-Sub" "",
    ReferTo "Refer-To" "r",
    ReferredBy "Referred-By" "b",
    RejectContact "Reject-Contact" "j",
    RemotePartyId "Remote-Party-ID" "",
    Replaces "Replaces" "",
    ReplyTo "Reply-To" "",
    RequestDisposition "Request-Disposition" "d",
    Require "Require" "",
    ResourcePriority "Resource-Priority" "",
    RetryAfter "Retry-After" "",
    Route "Route" "",
    RSeq "RSeq" "",
    SecurityClient "Security-Client" "",
    SecurityServer "Security-Server" "",
    SecurityVerify "Security-Verify" "",
    Server "Server" "",
    ServiceRoute "Service-Route" "",
    SessionExpires "Session-Expires" "x",
    SessionId "Session-ID" "",
    SipEtag "SIP-ETag" "",
    SipIfMatch "SIP-If-Match" "",
    Subject "Subject" "s",
    SubscriptionState "Subscription-State" "",
    Supported "Supported" "k",
    TargetDialog "Target-Dialog" "",
    Timestamp "Timestamp" "",
    To "To" "t",
    Unsupported "Unsupported" "",
    UserAgent "User-Agent" "",
    UserToUser "User-to-User" "",
    Via "Via" "v",
    Warning "Warning" "",
    WwwAuthenticate "WWW-Authenticate" "",
}

impl Name {
    /// Returns the name `written` spells, in full or compact form and any case
    /// (RFC 3261 §7.3.1, §7.3.3).
    pub fn of(written: &str) -> Self {
        if written.is_empty() {
            return Self::Other;
        }
        let mut slot = slot_of(written.as_bytes());
        while let Some(&row) = SLOTS.get(slot) {
            let Some(&(name, canonical, compact)) = TABLE.get(usize::from(row)) else {
                break;
            };
            if written.eq_ignore_ascii_case(canonical) || written.eq_ignore_ascii_case(compact) {
                return name;
            }
            slot = (slot + 1) % SLOT_COUNT;
        }
        Self::Other
    }

    /// Returns the spelling of the standard that defines the name; nothing for [`Name::Other`].
    pub const fn canonical(self) -> &'static str {
        match self.row() {
            Some((_, canonical, _)) => canonical,
            None => "",
        }
    }

    /// Returns the compact form, if the name has one (RFC 3261 §7.3.3).
    pub const fn compact(self) -> Option<char> {
        match self.row() {
            Some((_, _, compact)) => match compact.as_bytes().first() {
                Some(letter) => Some(*letter as char),
                None => None,
            },
            None => None,
        }
    }

    /// Returns every known name, in the order of the alphabet.
    pub fn every() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|&(name, ..)| name)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "compared with the length one line up"
    )]
    const fn row(self) -> Option<(Self, &'static str, &'static str)> {
        if (self as usize) < TABLE.len() {
            Some(TABLE[self as usize])
        } else {
            None
        }
    }
}

/// Slots of the look-up table, about twice the spellings, so that a miss ends soon.
const SLOT_COUNT: usize = 256;

/// What an empty slot holds.
const EMPTY: u8 = u8::MAX;

/// An open-addressed table made by the compiler: a peer cannot add to it, so the
/// longest run of taken slots is known and short.
static SLOTS: [u8; SLOT_COUNT] = slots();

#[expect(
    clippy::indexing_slicing,
    reason = "slot is reduced by SLOT_COUNT, row is below the length"
)]
const fn slots() -> [u8; SLOT_COUNT] {
    let mut slots = [EMPTY; SLOT_COUNT];
    let mut row = 0;
    while row < TABLE.len() {
        let (_, canonical, compact) = TABLE[row];
        let spellings = [canonical, compact];
        let mut which = 0;
        while which < spellings.len() {
            if !spellings[which].is_empty() {
                let mut slot = slot_of(spellings[which].as_bytes());
                while slots[slot] != EMPTY {
                    slot = (slot + 1) % SLOT_COUNT;
                }
                slots[slot] = row as u8;
            }
            which += 1;
        }
        row += 1;
    }
    slots
}

/// Returns where to start looking: from the length and three letters, in lower case.
#[expect(
    clippy::indexing_slicing,
    reason = "the length is known not to be zero"
)]
const fn slot_of(name: &[u8]) -> usize {
    let length = name.len();
    if length == 0 {
        return 0;
    }
    let first = (name[0] | 0x20) as usize;
    let middle = (name[length / 2] | 0x20) as usize;
    let last = (name[length - 1] | 0x20) as usize;
    (length * 7 + first * 31 + middle * 5 + last * 57) % SLOT_COUNT
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// RFC 3261 §7.3.1: names are case-insensitive.
    #[test]
    fn every_name_is_found_in_any_case() {
        for name in Name::every() {
            let canonical = name.canonical();
            assert_eq!(Name::of(canonical), name);
            assert_eq!(Name::of(&canonical.to_uppercase()), name);
            assert_eq!(Name::of(&canonical.to_lowercase()), name);
        }
    }

    /// RFC 3261 §7.3.3, and the compact forms registered since.
    #[test]
    fn compact_letters_stand_for_their_names() {
        let mut letters = 0;
        for name in Name::every() {
            if let Some(letter) = name.compact() {
                letters += 1;
                assert_eq!(Name::of(&letter.to_string()), name);
                assert_eq!(Name::of(&letter.to_uppercase().to_string()), name);
            }
        }
        assert_eq!(letters, 20);
        assert_eq!(Name::of("v"), Name::Via);
        assert_eq!(Name::of("L"), Name::ContentLength);
        assert_eq!(Name::of("X"), Name::SessionExpires);
    }

    #[test]
    fn anything_else_is_other() {
        for written in ["", "g", "Via ", "Viaa", "Call_ID", "X-Call-ID", "To:"] {
            assert_eq!(Name::of(written), Name::Other, "{written}");
        }
        assert_eq!(Name::Other.canonical(), "");
        assert_eq!(Name::Other.compact(), None);
    }

    #[test]
    fn a_miss_ends_within_a_few_slots() {
        let mut run = 0;
        let mut longest = 0;
        for slot in 0..2 * SLOT_COUNT {
            run = if SLOTS[slot % SLOT_COUNT] == EMPTY {
                0
            } else {
                run + 1
            };
            longest = longest.max(run);
        }
        assert!(longest < 24, "a run of {longest} taken slots");
    }
}
