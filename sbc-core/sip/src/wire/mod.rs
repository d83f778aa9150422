//! Bytes in, frames out: bounded framing and indexing (RFC 3261 §7, §18.3).
