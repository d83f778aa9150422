//! Digest access authentication, the client's side: challenges of a 401 or 407
//! come in, `Authorization` values go out (RFC 7616, RFC 8760, RFC 3261 §22;
//! challenges without `qop` as in RFC 2617).
//!
//! Credentials belong to one peer, one leg and one realm together. A challenge
//! from anywhere else, or for any other realm, gets a typed refusal and not one
//! octet derived from the password.

mod algorithm;
mod challenge;
mod client;
mod credentials;

pub use algorithm::{Algorithm, Hash};
pub use challenge::{Challenge, Qop, Side, Unusable, read};
pub use client::{Answer, Attempt, Client, Refused};
pub use credentials::{BadCredentials, Credentials};
