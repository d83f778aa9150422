//! Answers of ours: a request of the peer and a status come in, bytes go out
//! (RFC 3261 §8.2.6, §12.1.1).

use alloc::vec::Vec;

use bytes::Bytes;
use sbc_sip::message::{Echo, Status, Writer};
use sbc_sip::transaction::made;
use sbc_sip::wire::Name;

use super::Asked;
use super::compose;

impl Asked {
    /// Returns the answer `status` with our `tag` and what `write` adds.
    pub fn answer(
        &self,
        status: Status,
        tag: Option<&str>,
        sdp: Option<&str>,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Bytes {
        let mut bytes = Vec::with_capacity(compose::USUAL);
        let mut writer = made::response(&mut bytes, &self.frame, &self.source, status, tag);
        self.session.write(&mut writer);
        write(&mut writer);
        compose::finish(writer, sdp);
        Bytes::from(bytes)
    }

    /// Writes the Record-Route of the request back, as an answer that makes a
    /// dialog must (RFC 3261 §12.1.1).
    pub fn record_route(&self, writer: &mut Writer<'_>) {
        for route in self.frame.all(Name::RecordRoute) {
            writer.raw_echo(Name::RecordRoute, Echo::of(route));
        }
    }
}
