//! What charon writes when an association does not come up: its line comes in, a
//! code and words an operator can act on go out.

/// Beginnings of what is told: who the far end is, what it says, that it says nothing,
/// and a key of ours.
const FAR_UNKNOWN: &str = "SBC-2206";
const FAR_REFUSES: &str = "SBC-2207";
const FAR_SILENT: &str = "SBC-2208";
const CERTIFICATE_KEY: &str = "SBC-2203";

const VAGUE: &str = "the far end showed no certificate of the authority with its name";

/// A piece of charon's line, the code, and what it means.
const WORDS: [(&str, &str, &str); 14] = [
    (
        "received AUTHENTICATION_FAILED",
        FAR_REFUSES,
        "the far end does not take our certificate or secret",
    ),
    (
        "received NO_PROPOSAL_CHOSEN",
        FAR_REFUSES,
        "the far end does not take our suite",
    ),
    (
        "received TS_UNACCEPTABLE",
        FAR_REFUSES,
        "the far end does not take GRE alone in transport mode",
    ),
    (
        "received INVALID_KE_PAYLOAD",
        FAR_REFUSES,
        "the far end wants another group than our suite has",
    ),
    (
        "MAC mismatched",
        FAR_UNKNOWN,
        "the far end has another secret",
    ),
    (
        "subject certificate invalid",
        FAR_UNKNOWN,
        "the far end's certificate is outside its time",
    ),
    (
        "issuer certificate invalid",
        FAR_UNKNOWN,
        "who signed the far end's certificate is outside its time",
    ),
    (
        "no issuer certificate found",
        FAR_UNKNOWN,
        "no authority of trust signed the far end's certificate",
    ),
    ("no trusted", FAR_UNKNOWN, VAGUE),
    (
        "constraint check failed",
        FAR_UNKNOWN,
        "the far end is not who remote-id and trust say",
    ),
    (
        "no matching peer config found",
        FAR_UNKNOWN,
        "the far end calls itself otherwise",
    ),
    (
        "no private key found",
        CERTIFICATE_KEY,
        "the key in the store does not fit our certificate",
    ),
    ("giving up after", FAR_SILENT, "the far end does not answer"),
    (
        "establishing connection failed",
        FAR_SILENT,
        "the far end cannot be reached",
    ),
];

/// Returns what a line of charon's diary means for its tunnel, if it tells why one
/// is down.
#[must_use]
pub fn meaning(line: &str) -> Option<String> {
    let row = WORDS.iter().find(|(piece, ..)| line.contains(piece));
    row.map(|(_, code, words)| format!("{code}: {words}"))
}

/// Returns whether `why` says more than what is known of a tunnel. Charon ends each
/// failure over a certificate by the same line, whatever came before.
#[must_use]
pub fn says_more(known: &str, why: &str) -> bool {
    let vague = why.ends_with(VAGUE);
    known != why && !(vague && known.starts_with(FAR_UNKNOWN))
}

#[cfg(test)]
mod tests {
    use super::{meaning, says_more};

    #[test]
    fn the_last_line_of_a_failure_does_not_hide_what_came_before() {
        let first = meaning("no issuer certificate found for \"O=Lab\"").unwrap();
        let last = meaning("no trusted ECDSA public key found for 'x'").unwrap();
        assert!(says_more("", &last) && says_more(&last, &first));
        assert!(!says_more(&first, &last) && !says_more(&first, &first));
        assert!(says_more("SBC-2208: the far end does not answer", &last));
    }

    #[test]
    fn what_charon_writes_of_a_failure_becomes_a_code_and_words() {
        let lines = [
            (
                "no trusted ECDSA public key found for 'vpn.carrier.example'",
                "SBC-2206: the far end showed no certificate of the authority with its name",
            ),
            (
                "received AUTHENTICATION_FAILED notify error",
                "SBC-2207: the far end does not take our certificate or secret",
            ),
            (
                "tried 1 shared key for 'a' - 'b', but MAC mismatched",
                "SBC-2206: the far end has another secret",
            ),
            (
                "giving up after 4 retransmits",
                "SBC-2208: the far end does not answer",
            ),
        ];
        for (line, wanted) in lines {
            assert_eq!(meaning(line).as_deref(), Some(wanted));
        }
        assert_eq!(meaning("sending packet: from a to b"), None);
    }
}
