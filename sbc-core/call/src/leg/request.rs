//! Requests of ours inside a dialog: BYE, ACK, PRACK, re-INVITE, UPDATE
//! (RFC 3261 §12.2.1, §15.1.1, RFC 3262 §7.2, RFC 3311 §5.1).

use alloc::vec::Vec;

use bytes::Bytes;
use sbc_sip::dialog::Dialog;
use sbc_sip::dialog::life::State;
use sbc_sip::message::session::RAck;
use sbc_sip::message::{Method, NameAddr, Param, Params, Uri, Writer};
use sbc_sip::transaction::branch::Branch;

use super::compose::{self, Head};
use super::{Asking, Errand, Leg};
use crate::across::cause::Cause;
use crate::engine::{Desk, Owner};

/// How many hops a request inside a dialog may travel (RFC 3261 §8.1.1.6).
const HOPS: u8 = 70;

/// What a request inside a dialog is made from.
struct Draft<'a> {
    method: Method<'a>,
    cseq: u32,
    branch: Branch,
}

impl Leg {
    /// Ends the dialog with a BYE, if there is one to end.
    pub fn bye(&mut self, desk: &mut Desk, owner: Owner, cause: Option<Cause>) {
        self.farewell(desk, owner, cause, Errand::Bye);
    }

    /// Sends the BYE of a dialog that ends once more, by the way its peer has left.
    /// Returns false if there is no such dialog.
    pub fn bye_again(&mut self, desk: &mut Desk, owner: Owner, cause: Option<Cause>) -> bool {
        let state = self.dialog.as_ref().map(Dialog::state);
        state == Some(State::Ending) && self.farewell(desk, owner, cause, Errand::LastBye)
    }

    fn farewell(
        &mut self,
        desk: &mut Desk,
        owner: Owner,
        cause: Option<Cause>,
        what: Errand,
    ) -> bool {
        let cause = cause.filter(|_| desk.peer(self.peer).is_some_and(|p| p.headers.reason));
        let write = |writer: &mut Writer<'_>, _: &Self| {
            if let Some(cause) = cause {
                cause.write(writer);
            }
        };
        self.ask(desk, owner, Method::Bye, what, None, write)
    }

    /// Acknowledges a reliable provisional response (RFC 3262 §7.2).
    pub fn prack(&mut self, desk: &mut Desk, owner: Owner, rseq: u32, cseq: u32) {
        let rack = RAck {
            response: rseq,
            number: cseq,
            method: Method::Invite,
        };
        let write = |writer: &mut Writer<'_>, _: &Self| {
            writer.field(&rack);
        };
        self.ask(desk, owner, Method::Prack, Errand::Aside, None, write);
    }

    /// Offers the peer a changed session, or the same one as a refresh. Returns
    /// false if something of either side is under way: ask again later.
    pub fn change(
        &mut self,
        desk: &mut Desk,
        owner: Owner,
        method: Method<'static>,
        errand: Errand,
        sdp: Option<&str>,
    ) -> bool {
        let Some(dialog) = &mut self.dialog else {
            return false;
        };
        if method == Method::Invite && !dialog.may_invite() {
            return false;
        }
        let peer = self.peer;
        let config = desk.peer(peer).cloned();
        let write = |writer: &mut Writer<'_>, leg: &Self| {
            compose::contact(writer, leg.local);
            if let Some(config) = &config {
                compose::abilities(writer, config);
            }
            if let Some(timer) = &leg.timer {
                let offer = timer.offer();
                compose::session_expires(
                    writer,
                    &offer.expires,
                    offer.min_secs.map(sbc_sip::message::MinSe),
                );
            }
        };
        self.ask(desk, owner, method, errand, sdp, write)
    }

    /// Writes one request of the dialog, sends it, and remembers it. Returns
    /// false if there is no dialog or its numbers ran out.
    fn ask(
        &mut self,
        desk: &mut Desk,
        owner: Owner,
        method: Method<'static>,
        what: Errand,
        sdp: Option<&str>,
        write: impl FnOnce(&mut Writer<'_>, &Self),
    ) -> bool {
        let branch = desk.branch(owner.key());
        let random = desk.random.below(u32::MAX);
        let Some(cseq) = self.dialog.as_mut().and_then(|d| d.next_cseq(random)) else {
            return false;
        };
        let draft = Draft {
            method,
            cseq,
            branch,
        };
        let Some(bytes) = self.write(&draft, sdp, write) else {
            return false;
        };
        self.asking.push(Asking {
            branch,
            what,
            cseq,
            until: None,
        });
        let to = desk.next_hop(self);
        desk.send(owner, branch, method, to, bytes);
        true
    }

    /// Acknowledges a 2xx to an INVITE of ours (RFC 3261 §13.2.2.4). The ACK is
    /// returned, to be sent again for each copy of the 2xx.
    pub fn ack(&mut self, desk: &mut Desk, owner: Owner, cseq: u32, sdp: Option<&str>) -> Bytes {
        let draft = Draft {
            method: Method::Ack,
            cseq,
            branch: desk.branch(owner.key()),
        };
        let bytes = self.write(&draft, sdp, |_, _| {}).unwrap_or_default();
        let bytes = Bytes::from(bytes);
        if !bytes.is_empty() {
            desk.send_ack(owner, desk.next_hop(self), bytes.clone());
        }
        bytes
    }

    fn write(
        &self,
        draft: &Draft<'_>,
        sdp: Option<&str>,
        write: impl FnOnce(&mut Writer<'_>, &Self),
    ) -> Option<Vec<u8>> {
        let dialog = self.dialog.as_ref()?;
        Some(write_in(dialog, self, draft, sdp, write))
    }
}

fn write_in(
    dialog: &Dialog,
    leg: &Leg,
    draft: &Draft<'_>,
    sdp: Option<&str>,
    write: impl FnOnce(&mut Writer<'_>, &Leg),
) -> Vec<u8> {
    let local: [Param<'_>; 1] = [("tag", Some(dialog.local_tag()))];
    let remote: [Param<'_>; 1] = [("tag", dialog.remote_tag())];
    let to = match dialog.remote_tag() {
        Some(_) => dialog.remote().with(&remote),
        None => dialog.remote(),
    };
    let routes: Vec<Uri<'_>> = dialog.routes().collect();
    let branch = draft.branch.text();
    let head = Head {
        uri: dialog.request_uri(),
        routes: &routes,
        from: NameAddr {
            params: Params::of(&local),
            ..dialog.local()
        },
        to,
        call_id: dialog.call_id(),
        cseq: draft.cseq,
        max_forwards: HOPS,
        branch: &branch,
    };
    let mut bytes = Vec::with_capacity(compose::USUAL);
    let mut writer = compose::start(&mut bytes, leg.local, draft.method, &head);
    leg.session.write(&mut writer);
    write(&mut writer, leg);
    compose::finish(writer, sdp);
    bytes
}
