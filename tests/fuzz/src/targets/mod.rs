//! Octets from an enemy come in; a promise that does not hold is a panic.

mod digest;
mod framing;
mod values;

pub use digest::challenge;
pub use framing::{datagram, stream};
pub use values::{headers, name_addr, uri, via};

/// A target: it takes any octets and panics when a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by its name, for those who run all of them.
pub const ALL: &[(&str, Target)] = &[
    ("challenge", challenge),
    ("datagram", datagram),
    ("headers", headers),
    ("name_addr", name_addr),
    ("stream", stream),
    ("uri", uri),
    ("via", via),
];
