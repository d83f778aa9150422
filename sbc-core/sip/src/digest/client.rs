//! The client: challenges come in, `Authorization` values go out, or the reason
//! why none does (RFC 7616 §3.4, RFC 8760 §2.4, RFC 3261 §22.1 to §22.4).

use alloc::{boxed::Box, format, string::String, vec::Vec};

use super::{
    algorithm::Hash,
    challenge::{Challenge, Qop, Side, Unusable, read},
    credentials::Credentials,
};
use crate::message::{Authorization, BadField, Field, ProxyAuthorization, Writer};

/// Challenges answered for one request: a kept nonce gone stale, a fresh one
/// gone stale, and the proxy's beside the server's. More is a loop.
const MOST_ROUNDS: u8 = 4;

/// Challenge lines looked at in one response.
const MOST_LINES: usize = 16;

/// Why a challenge gets no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("the challenge comes from another peer or leg than the credentials are for")]
    OtherPeer,
    #[error("the challenge is for another realm than the credentials are for")]
    OtherRealm,
    #[error("no challenge can be answered: {0}")]
    Unusable(Unusable),
    #[error("the response carries no challenge")]
    Missing,
    #[error("the new challenge asks for {asked:?} after {answered:?} was answered")]
    Downgrade { answered: Hash, asked: Hash },
    #[error("the credentials were rejected")]
    Rejected,
    #[error("the request was challenged more than {MOST_ROUNDS} times")]
    TooManyRounds,
}

/// One header line for a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    pub side: Side,
    /// The header's value, from `Digest` on.
    pub value: String,
}

impl Answer {
    /// Writes the header line.
    pub fn write(&self, writer: &mut Writer<'_>) -> Result<(), BadField> {
        match self.side {
            Side::Server => writer.field(&Authorization::parse(&self.value)?),
            Side::Proxy => writer.field(&ProxyAuthorization::parse(&self.value)?),
        };
        Ok(())
    }
}

/// What one request has shown so far. Lives as long as the request is retried.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    rounds: u8,
    shown: Vec<Shown>,
}

/// The nonce one side was answered with.
#[derive(Clone, Debug)]
struct Shown {
    side: Side,
    nonce: Box<str>,
    hash: Hash,
    /// Whether this very request was challenged with it, or it was kept from an
    /// earlier one.
    own: bool,
}

/// Answers challenges of one realm at one peer on one leg, named by `B`.
///
/// Nonces are kept from request to request, so that after the first challenge
/// requests carry their answer at once (RFC 3261 §22.1).
#[derive(Debug)]
pub struct Client<B> {
    credentials: Credentials,
    bound: B,
    kept: Vec<Kept>,
}

/// A nonce in use.
#[derive(Debug)]
struct Kept {
    side: Side,
    challenge: Challenge,
    /// Requests sent with this nonce.
    count: u32,
    /// The client nonce of a session algorithm, which makes its key (RFC 7616
    /// §3.4.2). Keeping it also serves peers that make the key each time.
    cnonce: Option<String>,
}

impl Attempt {
    /// Notes the nonce about to be shown. One that another request was
    /// challenged with counts as kept.
    fn show(&mut self, kept: &Kept) {
        let nonce = &kept.challenge.nonce;
        let same = |shown: &Shown| shown.side == kept.side && shown.nonce == *nonce;
        if !self.shown.iter().any(same) {
            self.shown.retain(|shown| shown.side != kept.side);
            self.shown.push(Shown {
                side: kept.side,
                nonce: nonce.clone(),
                hash: kept.challenge.algorithm.hash,
                own: false,
            });
        }
    }
}

impl<B: Eq> Client<B> {
    /// Takes credentials and the peer and leg they are for.
    pub const fn new(credentials: Credentials, bound: B) -> Self {
        Self {
            credentials,
            bound,
            kept: Vec::new(),
        }
    }

    /// Takes the challenge lines of a 401 or 407 that came `from` a peer and
    /// leg. On success the next [`Client::authorize`] answers them; otherwise
    /// the request has failed.
    pub fn challenged<'a>(
        &mut self,
        attempt: &mut Attempt,
        from: &B,
        side: Side,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Refused> {
        if *from != self.bound {
            return Err(Refused::OtherPeer);
        }
        let challenge = self.choose(lines)?;
        let shown = attempt.shown.iter().find(|shown| shown.side == side);
        let verdict = judge(shown, &challenge);
        self.kept.retain(|kept| kept.side != side);
        verdict?;
        if attempt.rounds >= MOST_ROUNDS {
            return Err(Refused::TooManyRounds);
        }
        attempt.rounds += 1;
        attempt.shown.retain(|shown| shown.side != side);
        attempt.shown.push(Shown {
            side,
            nonce: challenge.nonce.clone(),
            hash: challenge.algorithm.hash,
            own: true,
        });
        self.kept.push(Kept {
            side,
            challenge,
            count: 0,
            cnonce: None,
        });
        Ok(())
    }

    /// Returns the header lines for a request `to` a peer and leg: none before
    /// the first challenge, and none ever for anyone but whom the credentials
    /// are bound to. `uri` is the Request-URI as it will be sent; `random` must
    /// be new for each request. An ACK repeats the lines of its INVITE, a CANCEL
    /// has none (RFC 3261 §22.1).
    pub fn authorize(
        &mut self,
        attempt: &mut Attempt,
        to: &B,
        method: &str,
        uri: &str,
        random: u64,
    ) -> Vec<Answer> {
        if *to != self.bound {
            return Vec::new();
        }
        // A count that ran out would repeat: such a nonce is given up.
        self.kept.retain(|kept| kept.count < u32::MAX);
        let mut answers = Vec::with_capacity(self.kept.len());
        for kept in &mut self.kept {
            let side = kept.side;
            attempt.show(kept);
            let value = kept.answer(&self.credentials, method, uri, random);
            answers.push(Answer { side, value });
        }
        answers
    }

    /// Returns the strongest challenge for our realm, the first among equals.
    fn choose<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Result<Challenge, Refused> {
        let mut best: Option<Challenge> = None;
        let mut other_realm = false;
        let mut unusable = None;
        for found in lines.into_iter().take(MOST_LINES).flat_map(read) {
            match found {
                Err(reason) => unusable = Some(reason),
                Ok(challenge) if *challenge.realm != *self.credentials.realm() => {
                    other_realm = true;
                }
                Ok(challenge) => {
                    let hash = challenge.algorithm.hash;
                    if best.as_ref().is_none_or(|best| best.algorithm.hash < hash) {
                        best = Some(challenge);
                    }
                }
            }
        }
        match (best, other_realm, unusable) {
            (Some(best), ..) => Ok(best),
            (None, true, _) => Err(Refused::OtherRealm),
            (None, false, Some(reason)) => Err(Refused::Unusable(reason)),
            (None, false, None) => Err(Refused::Missing),
        }
    }
}

/// Returns whether a challenge may be answered after what was `shown` to its
/// side: a nonce kept from an earlier request may have expired unannounced, one
/// given for this request only with `stale` (RFC 3261 §22.1, RFC 7616 §3.3).
fn judge(shown: Option<&Shown>, challenge: &Challenge) -> Result<(), Refused> {
    let Some(shown) = shown else {
        return Ok(());
    };
    let (answered, asked) = (shown.hash, challenge.algorithm.hash);
    let renewed = shown.nonce != challenge.nonce && (challenge.stale || !shown.own);
    match renewed {
        false => Err(Refused::Rejected),
        true if asked < answered => Err(Refused::Downgrade { answered, asked }),
        true => Ok(()),
    }
}

impl Kept {
    fn answer(
        &mut self,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        random: u64,
    ) -> String {
        self.count += 1;
        let fresh = format!("{random:016x}");
        let cnonce = if self.challenge.algorithm.session {
            self.cnonce.get_or_insert(fresh).clone()
        } else {
            fresh
        };
        let proof = Proof {
            credentials,
            challenge: &self.challenge,
            method,
            uri,
            count: self.count,
            cnonce: &cnonce,
        };
        proof.value()
    }
}

/// All that one answer is computed from.
pub(super) struct Proof<'a> {
    pub credentials: &'a Credentials,
    pub challenge: &'a Challenge,
    pub method: &'a str,
    pub uri: &'a str,
    pub count: u32,
    pub cnonce: &'a str,
}

impl Proof<'_> {
    /// Returns `response` (RFC 7616 §3.4.1; without qop RFC 2617 §3.2.2.1).
    pub(super) fn response(&self) -> String {
        let hash = self.challenge.algorithm.hash;
        let nonce = &*self.challenge.nonce;
        let user = self.credentials.user();
        let mut a1 = hash.hex(&[user, &self.challenge.realm, self.credentials.password()]);
        if self.challenge.algorithm.session {
            a1 = hash.hex(&[&a1, nonce, self.cnonce]);
        }
        let a2 = hash.hex(&[self.method, self.uri]);
        match self.challenge.qop {
            Qop::Absent => hash.hex(&[&a1, nonce, &a2]),
            Qop::Auth => {
                let count = format!("{:08x}", self.count);
                hash.hex(&[&a1, nonce, &count, self.cnonce, "auth", &a2])
            }
        }
    }

    /// Returns the header's value; which parts are quoted is RFC 7616 §3.4's.
    pub(super) fn value(&self) -> String {
        let mut out = String::from("Digest ");
        quote(&mut out, "username", self.credentials.user());
        quote(&mut out, ", realm", &self.challenge.realm);
        quote(&mut out, ", nonce", &self.challenge.nonce);
        quote(&mut out, ", uri", self.uri);
        quote(&mut out, ", response", &self.response());
        if self.challenge.algorithm_named {
            out.push_str(", algorithm=");
            out.push_str(self.challenge.algorithm.token());
        }
        if self.challenge.qop == Qop::Auth {
            quote(&mut out, ", cnonce", self.cnonce);
            out.push_str(&format!(", qop=auth, nc={:08x}", self.count));
        }
        if let Some(opaque) = &self.challenge.opaque {
            quote(&mut out, ", opaque", opaque);
        }
        out
    }
}

/// Writes `name="value"`, the two letters a quoted string cannot hold escaped.
fn quote(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    for letter in value.chars() {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
