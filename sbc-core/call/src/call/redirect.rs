//! A redirection: a 3xx of the called side comes in, the places it names are tried
//! next, the one it likes best first (RFC 3261 §8.1.3.4, §21.3).

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use sbc_config::Peer;
use sbc_config::peer::Redirect;
use sbc_sip::message::{Contact, Response, Uri, each};
use sbc_sip::wire::Name;

use super::Call;
use crate::engine::Desk;
use crate::parties;
use crate::route::{TARGETS_MAX, Target};

/// A call follows this many redirections.
const REDIRECTS_MAX: u8 = 5;

impl Call {
    /// A 3xx to the INVITE of leg `at` is followed to peers of the file only, and not
    /// for ever: each of its Contacts that is a target of a peer, and was not called
    /// before with that number, is tried next. It is the peer's last word, but for a call
    /// for help, whose other trunks are tried then.
    pub(super) fn redirected(&mut self, desk: &mut Desk, at: usize, answer: &Response<'_>) {
        let peer = self.legs.get(at).and_then(|leg| desk.peer(leg.peer));
        let follows = self.redirects < REDIRECTS_MAX;
        let found = match peer.filter(|peer| follows && peer.redirect == Redirect::Follow) {
            Some(peer) => self.named(desk, peer, answer),
            None => Vec::new(),
        };
        self.redirects = self.redirects.saturating_add(1);
        if found.is_empty() {
            self.attempt_failed(desk, answer.status.code(), answer.reason);
            return;
        }
        let next = self.hunt.next.min(self.hunt.targets.len());
        let rest = self.hunt.targets.split_off(next);
        self.hunt.targets.extend(found);
        if self.emergency {
            self.hunt.targets.extend(rest);
        }
        // 0 is no answer of a callee: the hunt goes on.
        self.attempt_failed(desk, 0, answer.reason);
    }

    /// Returns the places that a 3xx of `peer` names and that were not tried, in the
    /// order of its preference.
    fn named(&self, desk: &Desk, peer: &Peer, answer: &Response<'_>) -> Vec<Target> {
        let contacts = each::<Contact<'_>>(answer.frame.all(Name::Contact));
        let mut contacts: Vec<Contact<'_>> = contacts.flatten().collect();
        contacts.sort_by_key(|contact| Reverse(contact.preference()));
        let mut found = Vec::new();
        for contact in &contacts {
            let Some(target) = self.target_of(desk, peer, contact) else {
                continue;
            };
            if found.len() < TARGETS_MAX && !self.tried(&target) && !found.contains(&target) {
                found.push(target);
            }
        }
        found
    }

    fn tried(&self, target: &Target) -> bool {
        let before = self.hunt.targets.get(..self.hunt.next).unwrap_or_default();
        before.contains(target)
    }

    /// Returns the target of the file that a Contact of `peer` names, if it names one.
    fn target_of(&self, desk: &Desk, peer: &Peer, contact: &Contact<'_>) -> Option<Target> {
        let uri = &contact.address()?.uri;
        let number = self.number_of(peer, uri);
        let Uri::Sip(uri) = uri else {
            return None;
        };
        let (ip, port) = (uri.host.ip()?, uri.port.unwrap_or(5060));
        desk.node.peers().find_map(|peer| {
            let mut sockets = peer.targets.iter();
            let socket = *sockets
                .find(|socket| socket.address.ip() == ip && socket.address.port() == port)?;
            Some(Target {
                peer: peer.name.clone(),
                socket,
                number: number.clone(),
            })
        })
    }

    /// Returns the number that a Contact of `peer` has in the place of the one that was
    /// called; none if it has no user, or the same.
    fn number_of(&self, peer: &Peer, uri: &Uri<'_>) -> Option<String> {
        let named = parties::number(uri)?;
        let number = if self.emergency {
            named
        } else {
            peer.numbers.inward(&named)
        };
        (number != self.number).then_some(number)
    }
}
