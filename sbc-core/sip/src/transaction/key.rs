//! Requests come in, the keys that say which transaction they belong to go
//! out: RFC 3261 §17.2.3, §9.2, §8.2.2.2, with the fallback for RFC 2543.

use core::fmt;

use sha2::{Digest, Sha256};

use super::destination::Peer;
use crate::message::{Host, MAGIC_COOKIE as COOKIE, Method, list};

/// The parts of a request the matching rules compare.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    pub method: Method<'a>,
    /// The Request-URI as written.
    pub uri: &'a str,
    /// The first Via line as written.
    pub via: &'a str,
    pub branch: Option<&'a str>,
    /// The host and the port of the top Via's sent-by.
    pub sent_by: (Host<'a>, Option<u16>),
    pub from_tag: Option<&'a str>,
    pub to_tag: Option<&'a str>,
    pub call_id: &'a str,
    /// The number of the CSeq.
    pub cseq: u32,
}

/// The name of a server transaction, or of something else derived from a
/// request: 128 bits of a hash that nobody without the secret can compute. So
/// it takes the same room for a branch of 60 KB as for one of ten bytes, and
/// no peer can make two that are equal.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Key([u8; 16]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:032x})", u128::from_be_bytes(self.0))
    }
}

/// How a request is found again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestKey {
    /// What its own repetitions, and a CANCEL for it, have in common.
    pub key: Key,
    /// For a request without the cookie: what it has in common with its ACK,
    /// but for the To tag. See [`Secret::legacy`].
    pub base: Option<Key>,
}

/// What keys and tags are derived with.
#[derive(Clone)]
pub struct Secret([u8; 16]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a hash is of, so that one kind of key is never equal to another.
#[derive(Clone, Copy)]
enum Kind {
    Branch = 1,
    LegacyBase,
    Legacy,
    Merged,
    Tag,
}

impl Secret {
    /// Takes 128 bits from the kernel's generator.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// Returns how `parts` is found, as a request with the method `method`
    /// (RFC 3261 §17.2.3): an ACK is looked up as the INVITE it acknowledges,
    /// a CANCEL also as the INVITE it cancels (§9.2).
    pub fn request(&self, peer: Peer, parts: &Parts<'_>, method: Method<'_>) -> RequestKey {
        let method = match method {
            Method::Ack => Method::Invite,
            other => other,
        };
        match parts.branch {
            Some(branch) if branch.len() > COOKIE.len() && branch.starts_with(COOKIE) => {
                let key = self
                    .hash(Kind::Branch, peer)
                    .text(method.as_str())
                    .text(branch)
                    .host(&parts.sent_by.0)
                    .port(parts.sent_by.1)
                    .key();
                RequestKey { key, base: None }
            }
            _ => self.without_cookie(peer, parts, method),
        }
    }

    /// Returns the key of a request without the cookie: `base` with the To tag
    /// of the request, or, for the ACK of a response, with that of the response.
    pub fn legacy(&self, base: Key, to_tag: Option<&str>) -> Key {
        let hash = self.hash(Kind::Legacy, Peer(0)).bytes(&base.0);
        hash.option(to_tag).key()
    }

    /// Returns what a request has in common with the same request on another
    /// path, if it is outside a dialog (RFC 3261 §8.2.2.2).
    pub fn merged(&self, peer: Peer, parts: &Parts<'_>) -> Option<Key> {
        if parts.to_tag.is_some() {
            return None;
        }
        let hash = self
            .hash(Kind::Merged, peer)
            .text(parts.method.as_str())
            .option(parts.from_tag)
            .text(parts.call_id)
            .bytes(&parts.cseq.to_be_bytes());
        Some(hash.key())
    }

    /// Returns the To tag for the answers to the request with this key: the
    /// same for each repetition (RFC 3261 §8.2.7), and not to be guessed (§19.3).
    pub fn tag(&self, key: Key) -> Tag {
        let Key(hash) = self.hash(Kind::Tag, Peer(0)).bytes(&key.0).key();
        let mut text = [0; 16];
        for (pair, byte) in text.chunks_exact_mut(2).zip(hash) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        Tag(text)
    }

    fn without_cookie(&self, peer: Peer, parts: &Parts<'_>, method: Method<'_>) -> RequestKey {
        let base = self
            .hash(Kind::LegacyBase, peer)
            .text(method.as_str())
            .text(parts.uri)
            .option(parts.from_tag)
            .text(parts.call_id)
            .bytes(&parts.cseq.to_be_bytes())
            .text(list(parts.via).next().unwrap_or_default())
            .key();
        RequestKey {
            key: self.legacy(base, parts.to_tag),
            base: Some(base),
        }
    }

    fn hash(&self, kind: Kind, peer: Peer) -> Hash {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update([kind as u8]);
        hash.update(peer.0.to_be_bytes());
        Hash(hash)
    }
}

/// A To tag of 64 bits, as text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tag([u8; 16]);

impl Tag {
    /// Returns the text of the tag.
    pub fn as_str(&self) -> &str {
        // Hexadecimal digits are text.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

const fn digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

/// A hash of fields, each preceded by its length, so that no two lists of
/// fields run together to the same bytes.
struct Hash(Sha256);

impl Hash {
    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn option(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.bytes(&[1]).text(text),
            None => self.bytes(&[0]),
        }
    }

    fn port(self, port: Option<u16>) -> Self {
        match port {
            Some(port) => self.bytes(&port.to_be_bytes()),
            None => self.bytes(&[]),
        }
    }

    /// Names are the same in any case (RFC 3261 §19.1.4).
    fn host(mut self, host: &Host<'_>) -> Self {
        match host {
            Host::Name(name) => {
                self = self.bytes(&[0, 0]);
                self.0.update((name.len() as u64).to_be_bytes());
                for byte in name.bytes() {
                    self.0.update([byte.to_ascii_lowercase()]);
                }
                self
            }
            Host::V4(address) => self.bytes(&address.octets()),
            Host::V6(address) => self.bytes(&address.octets()),
        }
    }

    fn key(self) -> Key {
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(self.0.finalize()) {
            *to = from;
        }
        Key(key)
    }
}

#[cfg(test)]
mod tests;
