//! One association as charon is told of it (vici, `load-conn`): one proposal,
//! transport mode, protocol 47 alone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sbc_config::network::Suite;
use serde::{Serialize, Serializer};

use super::pki::Chain;
use crate::secrets::Secret;

/// GRE's number among IP protocols (RFC 2784 §3). Numbers need no
/// `/etc/protocols`.
const GRE_ONLY: &str = "dynamic[47]";

/// The name of the child of each connection.
pub(super) const CHILD: &str = "gre";

/// A key carries a day of IKE and an hour of data (RFC 7296 §2.8 leaves it to
/// us); the hour of 64-bit counters of RFC 4106 is far away.
const REKEY_IKE: Duration = Duration::from_secs(24 * 3600);
const REKEY_CHILD: Duration = Duration::from_secs(3600);

/// Packets that may overtake each other and still be let in (RFC 4303 §3.4.3).
const REPLAY_WINDOW: u32 = 128;

/// How the two ends know each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Auth {
    /// Both hold one secret (RFC 7296 §2.15); each is known by its address.
    Psk,
    /// Each shows a certificate. Ours, and the authorities and the name that theirs
    /// must have.
    Certificate {
        own: Chain,
        authority: Chain,
        remote_id: String,
    },
}

/// Everything about one association but its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Association {
    /// The tunnel's name.
    pub name: String,
    pub local: IpAddr,
    pub remote: IpAddr,
    pub auth: Auth,
    pub suite: Suite,
    /// Silence after which the far end is asked whether it lives, and after as
    /// much again without an answer counts as dead.
    pub dead_peer: Duration,
    /// Wrap ESP in UDP always (RFC 3948), as behind a translator.
    pub nat_traversal: bool,
    /// The mark of IKE's own packets (RFC 2474 §3).
    pub dscp: u8,
    pub initiates: bool,
    /// Another life of the keys, for tests and for peers that ask for it.
    pub rekey_child: Option<Duration>,
}

/// What the two ends prove themselves with.
#[derive(Clone, Debug)]
pub enum Credential {
    Psk(Secret),
    /// A private key in PEM.
    Key(Secret),
}

#[derive(Serialize)]
pub(super) struct Connection {
    version: u32,
    local_addrs: Vec<String>,
    remote_addrs: Vec<String>,
    proposals: Vec<String>,
    dpd_delay: String,
    encap: bool,
    dscp: String,
    mobike: bool,
    unique: &'static str,
    keyingtries: u32,
    rekey_time: String,
    reauth_time: String,
    fragmentation: bool,
    send_certreq: bool,
    local: End,
    remote: End,
    children: BTreeMap<&'static str, Child>,
}

#[derive(Serialize)]
struct End {
    auth: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cacerts: Vec<String>,
}

#[derive(Serialize)]
struct Child {
    mode: &'static str,
    local_ts: Vec<&'static str>,
    remote_ts: Vec<&'static str>,
    esp_proposals: Vec<String>,
    rekey_time: String,
    dpd_action: &'static str,
    start_action: &'static str,
    close_action: &'static str,
    replay_window: u32,
}

/// A packet that finds no keys asks for them, at both ends. Charon starts nothing of
/// itself: an association it has started it ends when another certificate is loaded, and
/// one that closed it would start again with the old. Ours to open are asked for by
/// [`keep`](super::keep).
const TRAP: &str = "trap";

impl Association {
    /// Returns the messages' name of this connection.
    #[must_use]
    pub(super) fn connection_name(&self) -> &str {
        &self.name
    }

    pub(super) fn to_message(&self) -> BTreeMap<String, Connection> {
        let (local, remote) = self.ends();
        let ike = self.suite.proposal().to_owned();
        let connection = Connection {
            version: 2,
            local_addrs: vec![self.local.to_string()],
            remote_addrs: vec![self.remote.to_string()],
            proposals: vec![ike],
            dpd_delay: seconds(self.dead_peer),
            encap: self.nat_traversal,
            dscp: format!("{:06b}", self.dscp),
            // Addresses of a tunnel are fixed: nobody may move it (RFC 4555).
            mobike: false,
            unique: "replace",
            keyingtries: 0,
            rekey_time: seconds(REKEY_IKE),
            reauth_time: "0s".to_owned(),
            fragmentation: true,
            send_certreq: true,
            local,
            remote,
            children: BTreeMap::from([(CHILD, self.child())]),
        };
        BTreeMap::from([(self.name.clone(), connection)])
    }

    fn ends(&self) -> (End, End) {
        let end = |auth, id, certs, cacerts| End {
            auth,
            id,
            certs,
            cacerts,
        };
        match &self.auth {
            Auth::Psk => (
                end("psk", Some(self.local.to_string()), Vec::new(), Vec::new()),
                end("psk", Some(self.remote.to_string()), Vec::new(), Vec::new()),
            ),
            Auth::Certificate {
                own,
                authority,
                remote_id,
            } => {
                // Without a name for a host an end is known by the subject of its
                // certificate.
                let first = own.pem.iter().take(1).cloned().collect();
                let ours = end("pubkey", own.host.clone(), first, Vec::new());
                let theirs = authority.pem.clone();
                let id = Some(remote_id.clone());
                (ours, end("pubkey", id, Vec::new(), theirs))
            }
        }
    }

    fn child(&self) -> Child {
        Child {
            mode: "transport",
            local_ts: vec![GRE_ONLY],
            remote_ts: vec![GRE_ONLY],
            esp_proposals: vec![esp(self.suite).to_owned()],
            rekey_time: seconds(self.rekey_child.unwrap_or(REKEY_CHILD)),
            dpd_action: TRAP,
            start_action: TRAP,
            close_action: TRAP,
            replay_window: REPLAY_WINDOW,
        }
    }
}

/// The proposal for data: the same cipher and group, so that each new key is
/// agreed afresh (RFC 7296 §2.12).
const fn esp(suite: Suite) -> &'static str {
    match suite {
        Suite::Aes256Gcm16Prfsha256X25519 => "aes256gcm16-x25519",
        Suite::Aes256Gcm16Prfsha384Ecp384 => "aes256gcm16-ecp384",
    }
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}

/// `load-shared`: a secret and who it is for.
#[derive(Serialize)]
pub(super) struct Shared<'a> {
    pub id: &'a str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub data: Octets<'a>,
    pub owners: Vec<String>,
}

/// `load-key`.
#[derive(Serialize)]
pub(super) struct Key<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub data: Octets<'a>,
}

/// `load-cert`: one that signs ours, for the far end to see; it is no authority of
/// ours.
#[derive(Serialize)]
pub(super) struct Between<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub flag: &'static str,
    pub data: &'a str,
}

/// Octets as they are.
pub(super) struct Octets<'a>(pub &'a [u8]);

impl Serialize for Octets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sbc_config::network::Suite;
    use serde_json::{Value, json};

    use super::{Association, Auth, Chain};

    fn association(auth: Auth, initiates: bool) -> Association {
        Association {
            name: "itsp-a".to_owned(),
            local: "203.0.113.10".parse().unwrap(),
            remote: "198.51.100.20".parse().unwrap(),
            auth,
            suite: Suite::Aes256Gcm16Prfsha256X25519,
            dead_peer: Duration::from_secs(10),
            nat_traversal: false,
            dscp: 24,
            initiates,
            rekey_child: None,
        }
    }

    fn chain(pem: &str) -> Chain {
        Chain {
            pem: vec![pem.to_owned()],
            der: Vec::new(),
            host: Some("own.example".to_owned()),
            until: Duration::ZERO,
        }
    }

    fn message(association: &Association) -> Value {
        serde_json::to_value(association.to_message()).unwrap()["itsp-a"].clone()
    }

    /// GRE alone passes (RFC 2784 §3), in transport mode; nobody may move the ends
    /// (RFC 4555); late packets have a window (RFC 4303 §3.4.3); IKE is marked as
    /// signalling is (RFC 2474 §3).
    #[test]
    fn charon_is_told_of_gre_alone_in_transport_mode_between_two_fixed_ends() {
        let message = message(&association(Auth::Psk, true));
        let child = &message["children"]["gre"];
        assert_eq!(child["mode"], "transport");
        assert_eq!(child["local_ts"], json!(["dynamic[47]"]));
        assert_eq!(child["remote_ts"], json!(["dynamic[47]"]));
        assert_eq!(child["replay_window"], 128);
        assert_eq!(message["mobike"], false);
        assert_eq!(message["dscp"], "011000");
        assert_eq!(message["local_addrs"], json!(["203.0.113.10"]));
        assert_eq!(message["remote_addrs"], json!(["198.51.100.20"]));
    }

    /// One proposal for IKE and one for data with a group of its own, so that keys
    /// are agreed afresh (RFC 7296 §2.12) in time (RFC 7296 §2.8).
    #[test]
    fn exactly_one_proposal_is_made_for_each_and_keys_are_renewed() {
        let mut one = association(Auth::Psk, true);
        let told = message(&one);
        assert_eq!(told["proposals"], json!(["aes256gcm16-prfsha256-x25519"]));
        let child = &told["children"]["gre"];
        assert_eq!(child["esp_proposals"], json!(["aes256gcm16-x25519"]));
        assert_eq!(child["rekey_time"], "3600s");
        assert_eq!(told["version"], 2);
        one.suite = Suite::Aes256Gcm16Prfsha384Ecp384;
        one.rekey_child = Some(Duration::from_secs(30));
        let told = message(&one);
        assert_eq!(told["proposals"], json!(["aes256gcm16-prfsha384-ecp384"]));
        let child = &told["children"]["gre"];
        assert_eq!(child["esp_proposals"], json!(["aes256gcm16-ecp384"]));
        assert_eq!(child["rekey_time"], "30s");
    }

    #[test]
    fn both_ends_wait_with_a_trap_and_charon_starts_nothing_of_itself() {
        for initiates in [true, false] {
            let told = message(&association(Auth::Psk, initiates));
            for action in ["start_action", "dpd_action", "close_action"] {
                assert_eq!(told["children"]["gre"][action], "trap", "{action}");
            }
            assert_eq!(told["unique"], "replace");
        }
    }

    /// Each end says who it is, and the other holds it to that (RFC 7296 §3.5).
    #[test]
    fn with_certificates_the_far_end_must_show_its_name_under_one_authority() {
        let message = message(&association(
            Auth::Certificate {
                own: chain("OWN"),
                authority: chain("CA"),
                remote_id: "itsp.example".to_owned(),
            },
            true,
        ));
        assert_eq!(message["local"]["certs"], json!(["OWN"]));
        assert_eq!(message["local"]["id"], "own.example");
        assert_eq!(message["remote"]["id"], "itsp.example");
        assert_eq!(message["remote"]["cacerts"], json!(["CA"]));
        assert_eq!(message["remote"]["auth"], "pubkey");
    }
}
