//! A configuration that takes effect while calls are up: a new node comes in,
//! and whatever did not change goes on as if nothing had happened. Peers and
//! sockets keep their places, which calls and transactions know them by; what is
//! gone keeps its place too, and takes no new call.

use core::net::IpAddr;

use alloc::sync::Arc;
use alloc::vec::Vec;

use sbc_config::Node;
use sbc_config::peer::KeepaliveMethod;

use super::Engine;
use super::desk::ports;
use super::peers::{Peers, limits, neighbour};
use crate::leg::media::policy;
use crate::random::Random;

impl Engine {
    /// Takes the sockets of the node as the driver numbers them.
    pub fn number_sockets(&mut self, sockets: Vec<sbc_config::Socket>) {
        self.desk.sockets = sockets;
    }

    /// Takes a new configuration. The sockets it names get the next numbers.
    pub(crate) fn reconfigure(&mut self, node: Node) {
        for socket in node.listeners() {
            if !self.desk.sockets.contains(&socket) {
                self.desk.sockets.push(socket);
            }
        }
        for (address, fresh) in ports(&node) {
            let kept = self.desk.ports.get(&address);
            // A range in use stays until the last of its ports came back.
            if kept.is_none_or(|kept| kept.taken() == 0) {
                self.desk.ports.insert(address, fresh);
            }
        }
        let desk = &mut self.desk;
        desk.peers.reconfigure(&node, &mut desk.random);
        desk.node = node;
    }
}

impl Peers {
    fn reconfigure(&mut self, node: &Node, random: &mut Random) {
        let now = self.now();
        let own: Vec<IpAddr> = node.listeners().iter().map(|at| at.address.ip()).collect();
        for known in &mut self.all {
            if node.peer(&known.name).is_none() {
                (known.gone, known.watched, known.asked) = (true, false, None);
            }
        }
        for peer in node.peers() {
            let first = now + core::time::Duration::from_millis(u64::from(random.below(1000)));
            let fresh = neighbour(node, peer, &own, now, first);
            let Some(place) = self.place(&peer.name) else {
                self.all.push(fresh);
                continue;
            };
            let Some(known) = self.get_mut(place) else {
                continue;
            };
            known.limits = limits(node, peer);
            known.site = fresh.site;
            known.ways = fresh.ways;
            if *known.config == *peer && !known.gone {
                continue;
            }
            let elsewhere = known.config.targets != peer.targets
                || known.config.keepalive != peer.keepalive
                || known.gone;
            if elsewhere {
                known.health = fresh.health;
                (known.asked, known.round_trip) = (None, None);
                (known.asks, known.first) = (0, 0);
            }
            known.gone = false;
            known.watched = peer.keepalive.method == KeepaliveMethod::Options;
            known.media = policy(peer, &own);
            known.config = Arc::new(peer.clone());
        }
        self.cut_again();
    }
}
