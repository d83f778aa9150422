//! Certificates of our own: a key is made here, a request for a certificate goes
//! out (PKCS #10, RFC 2986), and what comes back is held against the key before
//! anybody uses it (RFC 5280 §4.1).

mod about;
mod arrival;
mod key;
mod request;
mod signature;

pub use about::{About, read};
pub use arrival::{Arrived, Fault, LENGTH_MAX, authorities, own};
pub use key::{Key, NoKey, public_of};
pub use request::{NAMES_MAX, NoRequest, SUBJECT_MAX, Wish};

#[cfg(test)]
mod tests;
