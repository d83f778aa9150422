//! What a change does to calls: its path comes in, its class goes out.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Change, Document};

/// What becomes of calls when a key changes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// The next call; established ones go on.
    Value,
    /// The node's own services; no call.
    Node,
    /// The sockets of that peer are opened anew; dialogs go on over the new ones.
    Peer,
    /// The way of calls: those on it may be cut.
    Path,
}

impl Class {
    /// Returns the word people read.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Node => "node",
            Self::Peer => "peer",
            Self::Path => "path",
        }
    }
}

/// Keys of a peer behind which its sockets stand.
const SOCKETS: [&str; 9] = [
    "remote",
    "address",
    "port",
    "listen",
    "allow",
    "tls",
    "registration",
    "credentials",
    "active",
];

/// Returns the class of a path, in words.
#[must_use]
pub fn class(path: &[&str]) -> Class {
    match path {
        ["system" | "management", ..] => Class::Node,
        ["interface" | "tunnel", ..] => Class::Path,
        ["trunk" | "mediation" | "profile", _, key, ..] if ["via", "interface"].contains(key) => {
            Class::Path
        }
        ["trunk" | "mediation" | "profile", _, key, ..] if SOCKETS.contains(key) => Class::Peer,
        ["trunk" | "mediation", _] | ["tls" | "certificate" | "trust", ..] => Class::Peer,
        _ => Class::Value,
    }
}

/// Returns the peers whose calls run over what the changes of class `peer` or
/// `path` touch, as `(kind, name)`.
#[must_use]
pub fn peers_on(document: &Document, changes: &[Change], wanted: Class) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for change in changes {
        let path = change.path();
        if class(&path) != wanted {
            continue;
        }
        for kind in ["trunk", "mediation"] {
            for name in document.names(kind) {
                let touched = match path.as_slice() {
                    [changed, peer, ..] if *changed == kind => *peer == name,
                    ["interface", way, ..] => {
                        document.text_at(&[kind, &name, "interface"]) == Some(way)
                            || goes_over(document, kind, &name, "interface:", way)
                            || over_tunnel(document, kind, &name, way)
                    }
                    ["tunnel", way, ..] => goes_over(document, kind, &name, "tunnel:", way),
                    ["profile", profile, ..] => {
                        document.text_at(&[kind, &name, "profile"]) == Some(profile)
                    }
                    _ => false,
                };
                let peer = (kind.to_string(), name);
                if touched && !found.contains(&peer) {
                    found.push(peer);
                }
            }
        }
    }
    found
}

fn goes_over(document: &Document, kind: &str, name: &str, prefix: &str, way: &str) -> bool {
    let via = document.text_at(&[kind, name, "via"]);
    via.and_then(|via| via.strip_prefix(prefix)) == Some(way)
}

/// A trunk in a tunnel runs over the tunnel's interface too.
fn over_tunnel(document: &Document, kind: &str, name: &str, interface: &str) -> bool {
    let via = document.text_at(&[kind, name, "via"]);
    let tunnel = via.and_then(|via| via.strip_prefix("tunnel:"));
    tunnel
        .is_some_and(|tunnel| document.text_at(&["tunnel", tunnel, "underlay"]) == Some(interface))
}
