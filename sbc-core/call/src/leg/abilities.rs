//! What a peer may ask of this node: its request comes in, and what of it is
//! beyond us goes out, with the header that says what we can (RFC 3261 §8.2.1,
//! §8.2.2, §8.2.3).

use alloc::vec::Vec;

use bytes::Bytes;
use sbc_sip::message::tokens::{Allow, Tokens, Unsupported};
use sbc_sip::message::validate::abilities::{Abilities, Unable};
use sbc_sip::message::{Accept, AcceptEncoding, ContentType, Method, Request, Status};

use super::{Asked, compose};

const METHODS: &[Method<'static>] = &[
    Method::Invite,
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Options,
    Method::Prack,
    Method::Update,
];

const BODIES: &[ContentType<'static>] = &[ContentType::SDP, ContentType::new("multipart", "mixed")];

const ABILITIES: Abilities<'static> = Abilities {
    methods: METHODS,
    passed_on: &[Method::Invite],
    schemes: &["sip", "tel", "urn"],
    extensions: &["timer", "100rel"],
    bodies: BODIES,
};

/// Checks a request, inside a dialog or outside.
///
/// # Errors
/// The first thing we are [`Unable`] to do.
pub fn check<'a>(request: &Request<'a>) -> Result<(), Unable<'a, 'static>> {
    match ABILITIES.check(request) {
        // A peer that hangs up is rid of its call, whatever it says about it.
        Err(Unable::Body { .. } | Unable::Encoding) if request.method == Method::Bye => Ok(()),
        checked => checked,
    }
}

impl Asked {
    /// Returns the answer that says what we cannot do, and what we can.
    pub fn unable(&self, tag: &str, unable: &Unable<'_, '_>) -> (Status, Bytes) {
        let status = unable.status();
        let bytes = self.answer(status, Some(tag), None, |writer| match unable {
            Unable::UnknownMethod { .. } | Unable::Method { .. } => {
                writer.field(&Allow(Tokens::of(&compose::METHODS)));
            }
            Unable::Extension(unsupported) => {
                let tags: Vec<&str> = unsupported.tags().collect();
                writer.field(&Unsupported(Tokens::of(&tags)));
            }
            Unable::Body { .. } => {
                writer.field(&Accept(ContentType::SDP));
            }
            Unable::Encoding => {
                writer.field(&AcceptEncoding::new("identity"));
            }
            Unable::Scheme | Unable::Hops | Unable::NotAcceptable => {}
        });
        (status, bytes)
    }
}
