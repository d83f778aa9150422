//! Digest client: challenges in, credentials out (RFC 7616, RFC 8760).
