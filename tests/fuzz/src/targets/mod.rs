//! Octets from an enemy come in; a promise that does not hold is a panic.

mod bodies;
mod dialogs;
mod digest;
mod files;
mod framing;
mod media;
mod transactions;
mod values;

pub use bodies::multipart;
pub use dialogs::dialog;
pub use digest::challenge;
pub use files::config;
pub use framing::{datagram, stream};
pub use media::{rtcp, rtp, sdp};
pub use transactions::transaction;
pub use values::{headers, name_addr, uri, via};

/// A target: it takes any octets and panics when a promise is broken.
pub type Target = fn(&[u8]);

/// The targets that octets from the network reach, by their names.
pub const NETWORK: &[(&str, Target)] = &[
    ("challenge", challenge),
    ("datagram", datagram),
    ("dialog", dialog),
    ("headers", headers),
    ("multipart", multipart),
    ("name_addr", name_addr),
    ("rtcp", rtcp),
    ("rtp", rtp),
    ("sdp", sdp),
    ("stream", stream),
    ("transaction", transaction),
    ("uri", uri),
    ("via", via),
];
