//! The caps on every dimension of a message, each with its reason (RFC 3261 §18.1.1, §21.5.7).

/// Octets of a whole message, head and body. The largest UDP datagram stays below it,
/// and RFC 3261 §18.1.1 asks for 65,535 to be readable.
pub const MESSAGE: usize = 65_536;

/// Octets of a head, start line to empty line. Sixteen kibibytes are left for a body,
/// and every offset in a head fits sixteen bits.
pub const HEAD: usize = 49_152;

/// Header lines of a message. The longest seen from a carrier has about forty; a
/// message through thirty proxies, each a Via and a Record-Route, still fits.
pub const HEADERS: usize = 96;

/// Octets a stream takes beyond one whole message before they are framed: one read of
/// a driver. With it a connection holds at most 128 KiB.
pub const READ_AHEAD: usize = 65_536;
