//! How the network stands, put together from what the guard and charon's keeper
//! tell: words come in, one value for `init` and an operator's diary go out.

use std::collections::BTreeSet;

use sbc_netcfg::guard::Word;
use sbc_netcfg::vpn::{Event, State, says_more};
use sbc_plan::Desired;

use crate::ipc::{NETWORK_MAX, NETWORK_TEXT_MAX, Network, Standing, Tunnel};

/// How an interface's owner is written by the plan.
const INTERFACE: &str = "interface ";

/// The network as it was told last.
#[derive(Debug, Default)]
pub struct Told {
    network: Network,
    /// Kernel names of links whose cable is out.
    away: BTreeSet<String>,
    /// It changed since it was taken.
    changed: bool,
}

impl Told {
    /// Returns the network as it was told last.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Returns the network, if it changed since the last time.
    pub fn take(&mut self) -> Option<Network> {
        std::mem::take(&mut self.changed).then(|| self.network.clone())
    }

    /// Nobody heard it: it is to be told again.
    pub const fn unheard(&mut self) {
        self.changed = true;
    }

    /// The fence stands for another configuration, whose tunnels are these.
    pub fn raised(&mut self, tunnels: Vec<Tunnel>, desired: &Desired) {
        self.network.fence = Standing::Whole;
        self.network.differs.clear();
        for tunnel in &tunnels {
            if !tunnel.why.is_empty() {
                tracing::error!(
                    tunnel = tunnel.name,
                    why = tunnel.why,
                    "tunnel cannot come up"
                );
            }
        }
        let known = std::mem::take(&mut self.network.tunnels);
        self.network.tunnels = tunnels
            .into_iter()
            .take(NETWORK_MAX)
            .map(|new| {
                let old = known.iter().find(|old| old.name == new.name && old.up);
                let until = new.until;
                old.map_or(new, |old| Tunnel {
                    until,
                    ..old.clone()
                })
            })
            .collect();
        self.list_down(desired);
        self.changed = true;
    }

    /// No fence could be raised, and none stands.
    pub fn absent(&mut self, why: &str) {
        self.network.fence = Standing::Absent;
        self.network.differs = vec![cut(why)];
        self.changed = true;
    }

    /// Takes what the guard tells.
    pub fn hear(&mut self, word: Word, desired: &Desired) {
        match word {
            Word::Whole(_) => {
                if self.network.fence != Standing::Whole {
                    tracing::warn!("the fence is whole again: trunks are open");
                    self.network.fence = Standing::Whole;
                    self.network.differs.clear();
                    self.changed = true;
                }
            }
            Word::Broken(drifts) => {
                for drift in drifts.iter().take(NETWORK_MAX) {
                    tracing::error!(%drift, "the network was changed by another hand");
                }
                self.broken(drifts.iter().map(ToString::to_string));
            }
            Word::Beyond(why) => {
                tracing::error!(why, "the fence cannot be mended");
                self.broken([why].into_iter());
            }
            Word::Carrier { link, up } => {
                tracing::warn!(link, up, "carrier");
                if up {
                    self.away.remove(&link);
                } else {
                    self.away.insert(link);
                }
                self.list_down(desired);
                self.changed = true;
            }
        }
    }

    fn broken(&mut self, texts: impl Iterator<Item = String>) {
        self.network.fence = Standing::Broken;
        self.network.differs = texts.take(NETWORK_MAX).map(|text| cut(&text)).collect();
        self.changed = true;
    }

    fn list_down(&mut self, desired: &Desired) {
        let owner = |link: &String| {
            let owner = &desired.link(link)?.owner;
            owner.strip_prefix(INTERFACE).map(str::to_owned)
        };
        let down = self.away.iter().filter_map(owner);
        self.network.down = down.take(NETWORK_MAX).collect();
    }

    /// Takes what charon's keeper tells.
    pub fn note(&mut self, event: Event) {
        match event {
            Event::Loaded => tracing::info!("charon holds every tunnel"),
            Event::Up(name) => self.turn(&name, true, ""),
            Event::Down(name) => self.turn(&name, false, "no security association"),
            Event::Why { tunnel, why } => self.explain(&tunnel, &why),
            Event::State(state) => self.count(&state),
            Event::Away { why, pause } => {
                tracing::debug!(why, ?pause, "charon is away");
            }
        }
    }

    fn turn(&mut self, name: &str, up: bool, why: &str) {
        tracing::warn!(tunnel = name, up, "tunnel");
        let known = self.network.tunnels.iter_mut().find(|one| one.name == name);
        if let Some(tunnel) = known {
            why.clone_into(&mut tunnel.why);
            tunnel.up = up;
            self.changed = true;
        }
    }

    /// Keeps why a tunnel is down; one that is up asks for nothing.
    fn explain(&mut self, name: &str, why: &str) {
        let known = self.network.tunnels.iter_mut().find(|one| one.name == name);
        if let Some(tunnel) = known.filter(|tunnel| !tunnel.up && says_more(&tunnel.why, why)) {
            tracing::error!(tunnel = name, why, "tunnel does not come up");
            tunnel.why = cut(why);
            self.changed = true;
        }
    }

    fn count(&mut self, state: &State) {
        for tunnel in &mut self.network.tunnels {
            let mut sum = Tunnel {
                name: tunnel.name.clone(),
                up: tunnel.up,
                why: tunnel.why.clone(),
                until: tunnel.until,
                ..Tunnel::default()
            };
            for child in state.children(&tunnel.name) {
                sum.octets_in += child.bytes_in;
                sum.octets_out += child.bytes_out;
                sum.packets_in += child.packets_in;
                sum.packets_out += child.packets_out;
            }
            if sum != *tunnel {
                *tunnel = sum;
                self.changed = true;
            }
        }
    }
}

/// Returns as much of a text as a word holds.
pub fn cut(text: &str) -> String {
    let mut end = text.len().min(NETWORK_TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
