//! The network of the machine in the node's hand: configurations go to `netcfg`, and
//! what became of them comes back with the listening sockets. A commit is done when
//! the network is, and fails with it.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sbc_config::Node;
use sbc_config::network::TunnelAuth;
use sbc_netcfg::secrets::Store;
use serde_json::json;
use tokio::time::Instant;

use super::charon::Charon;
use super::child::Letter;
use super::configuration::{Answered, BACK_AGAIN, Pending, checked};
use super::{Listeners, Role, STATE, Settings, Supervisor, UNREADY, sealed};
use crate::ipc::{DESCRIPTORS_MAX, ListenerName, Network, Standing, ToChild, Unfit};
use crate::jail;
use crate::listen;
use crate::roles::signal::{LADDERS, RECORDS};

/// The number of the order that is given at each start of `netcfg`.
const ANEW: u64 = 0;

/// Sockets that were opened and wait for the word that all is well.
const OPENED_MAX: usize = 1024;

/// What `init` knows of the network.
#[derive(Debug)]
pub struct Hand {
    /// How it stands, as `netcfg` told last.
    pub stands: Network,
    pub charon: Charon,
    secrets: Option<Store>,
    /// `pki/` of the state: the names begin so.
    certificates: Option<Store>,
    orders: u64,
    /// What waits for the order that was given last.
    waits: Option<(u64, Pending)>,
    opened: Vec<(ListenerName, OwnedFd)>,
    /// The fence stood once: sockets are there for the signal role.
    stood: bool,
}

impl Hand {
    /// Takes where the node keeps its state; gives roles in jails what they write.
    pub fn new(settings: &Settings) -> Self {
        let state = settings.iter().find(|(name, _)| *name == STATE);
        let state = state.map(|(_, path)| path.as_path());
        give_books(settings);
        let users = settings.iter().any(|(name, _)| *name == jail::USERS);
        let writer = users.then(jail::writer_of_secrets).flatten();
        let store = |folder: &Path| Store::at(folder).written_by(writer);
        Self {
            stands: Network::default(),
            charon: Charon::default(),
            secrets: state.map(|state| store(&state.join("secrets"))),
            certificates: state.map(store),
            orders: ANEW,
            waits: None,
            opened: Vec::new(),
            stood: false,
        }
    }

    /// Returns whether a change is under way.
    pub const fn is_busy(&self) -> bool {
        self.waits.is_some()
    }
}

/// The files that the signal role writes belong to it.
fn give_books(settings: &Settings) {
    let user = jail::of(Role::Signal).map(|cell| cell.user);
    let give = |path: &PathBuf| {
        if let Err(error) = std::os::unix::fs::chown(path, user, user) {
            tracing::error!(path = %path.display(), %error, "cannot be given to the signal role");
        }
    };
    for (name, path) in settings {
        if *name == RECORDS {
            let made = File::options().create(true).append(true).open(path);
            made.is_ok().then(|| give(path));
        } else if *name == LADDERS && !is_for_all(path) {
            let _there = std::fs::create_dir_all(path);
            give(path);
        }
    }
}

/// A folder where anybody may write, such as `/tmp`, is given to nobody.
fn is_for_all(path: &Path) -> bool {
    let about = std::fs::metadata(path);
    about.is_ok_and(|about| {
        std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o1000 != 0
    })
}

/// What the store holds. Names of certificates end in `.pem`, and those of secrets
/// have no dot.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kept {
    Secret,
    Certificates,
}

/// Returns the names that a tunnel's ends know each other by.
fn named(auth: &TunnelAuth) -> Vec<(Kept, &str)> {
    match auth {
        TunnelAuth::Psk { secret } => vec![(Kept::Secret, secret.as_str())],
        TunnelAuth::Certificate { own, authority, .. } => vec![
            (Kept::Secret, own.key.as_str()),
            (Kept::Certificates, own.chain.as_str()),
            (Kept::Certificates, authority.pem.as_str()),
        ],
    }
}

/// Returns the places of the node's sockets, all closed.
pub fn closed(node: &Node) -> Listeners {
    let names = node.listeners().into_iter().map(listen::name);
    let closed = names.map(|name| {
        (
            ListenerName {
                open: false,
                ..name
            },
            None,
        )
    });
    closed.collect()
}

impl Supervisor {
    /// Returns the roles that start with the node: `signal` waits for its sockets.
    pub fn first(&self) -> Vec<Role> {
        let in_hand = self.network.is_some();
        let waits = if in_hand { Role::Signal } else { Role::Netcfg };
        let all = super::TABLE.iter().map(|(role, _, _)| *role);
        all.filter(|role| *role != waits).collect()
    }

    /// Returns whether the signal role is to be started: its sockets came.
    pub fn may_signal(&self) -> bool {
        let stood = self.network.as_ref().is_some_and(|hand| hand.stood);
        let signal = self.children.get(&Role::Signal);
        stood && signal.is_none_or(|kept| kept.generation == 0)
    }

    /// Orders what is live: `netcfg` was started.
    pub fn fit_anew(&mut self) {
        if let Ok(node) = checked(self.configured.revisions.live_text()) {
            let configuration = Arc::clone(&self.configuration);
            self.order_fit(ANEW, &node, configuration);
        }
    }

    /// Lets the tunnels take what the store holds.
    pub fn anew(&mut self) -> Answered {
        let busy = self.network.as_ref().map(Hand::is_busy);
        if busy == Some(true) {
            return Err(("SBC-3013", "another change is under way".to_owned()));
        }
        self.fit_anew();
        Ok(json!({ "told": busy.is_some() }))
    }

    /// Orders the network that `text` asks for; `pending` is done when it is.
    ///
    /// # Errors
    /// When it cannot be ordered.
    pub fn fit(
        &mut self,
        text: &str,
        node: &Node,
        pending: Pending,
    ) -> Result<(), (&'static str, String)> {
        let away = || ("SBC-3007", "the network role is away".to_owned());
        if self.running(Role::Netcfg).is_none() {
            return Err(away());
        }
        let file = sealed(text.as_bytes()).map_err(|error| ("SBC-3016", error.to_string()))?;
        let hand = self.network.as_mut().ok_or_else(away)?;
        hand.orders += 1;
        let id = hand.orders;
        hand.waits = Some((id, pending));
        self.order_fit(id, node, Arc::new(file));
        Ok(())
    }

    fn order_fit(&self, id: u64, node: &Node, configuration: Arc<OwnedFd>) {
        let (Some(hand), Some(netcfg)) = (&self.network, self.running(Role::Netcfg)) else {
            return;
        };
        let mut secrets = Vec::new();
        let mut descriptors = vec![configuration];
        let named = node.tunnels.values().flat_map(|tunnel| named(&tunnel.auth));
        let named: BTreeSet<(Kept, &str)> = named.collect();
        for (kind, name) in named {
            let store = match kind {
                Kept::Secret => &hand.secrets,
                Kept::Certificates => &hand.certificates,
            };
            let Some(store) = store else {
                tracing::error!(name, "a secret is asked for, and the node keeps no state");
                continue;
            };
            let file = match store.open(name) {
                Ok(_) if descriptors.len() >= DESCRIPTORS_MAX => {
                    tracing::error!(name, "more secrets than one order takes");
                    continue;
                }
                Ok(file) => self.vault.opened(name, file),
                Err(error) => Err(std::io::Error::other(error)),
            };
            match file {
                Ok(file) => {
                    secrets.push(name.to_owned());
                    descriptors.push(Arc::new(file));
                }
                Err(error) => tracing::error!(name, %error, "a secret cannot be had"),
            }
        }
        netcfg.send(Letter {
            message: ToChild::Fit { id, secrets },
            descriptors,
        });
    }

    /// Takes sockets that `netcfg` opened; they count once it says that all is well.
    pub fn take_opened(&mut self, names: Vec<ListenerName>, along: Vec<OwnedFd>) {
        if let Some(hand) = &mut self.network {
            hand.opened.extend(names.into_iter().zip(along));
            hand.opened.truncate(OPENED_MAX);
        }
    }

    /// Takes what became of an order.
    pub fn fitted(&mut self, id: u64, unfit: Option<Unfit>) {
        let Some(hand) = &mut self.network else {
            return;
        };
        let opened = std::mem::take(&mut hand.opened);
        let pending = hand.waits.take_if(|(known, _)| *known == id);
        let unfit = unfit.map(|unfit| match unfit {
            Unfit::Network(why) => ("SBC-3019", why),
            Unfit::Socket(why) => ("SBC-3015", why),
        });
        match (pending, unfit) {
            (None, None) if id == ANEW => self.stands_anew(opened),
            // Who failed tries again.
            (None, Some((code, why))) if id == ANEW => {
                let why: String = why
                    .chars()
                    .map(|one| if one.is_control() { ' ' } else { one })
                    .collect();
                super::say(&format!("{UNREADY}{code}: {why}"));
            }
            (None, _) => {}
            (Some((_, pending)), Some(why)) => self.undone(&pending, why),
            (Some((_, pending)), None) => {
                let text = pending.text().to_owned();
                match checked(&text) {
                    Ok(node) => {
                        let listeners = self.merged(&node, opened);
                        self.charon_for(&node);
                        self.done(pending, listeners);
                    }
                    Err(why) => self.undone(&pending, why),
                }
            }
        }
    }

    /// The live configuration is in force: at the start, or again.
    fn stands_anew(&mut self, opened: Vec<(ListenerName, OwnedFd)>) {
        let Ok(node) = checked(self.configured.revisions.live_text()) else {
            return;
        };
        let news = !opened.is_empty();
        self.listeners = self.merged(&node, opened);
        self.charon_for(&node);
        if let Some(hand) = &mut self.network {
            hand.stood = true;
        }
        if news && let Some(signal) = self.running(Role::Signal) {
            let revision = self.configured.revisions.live();
            signal.send(Letter {
                message: ToChild::Configuration { revision },
                descriptors: vec![Arc::clone(&self.configuration)],
            });
            self.hand_over_listeners(signal);
        }
    }

    fn charon_for(&mut self, node: &Node) {
        if let Some(hand) = &mut self.network {
            hand.charon.fit(!node.tunnels.is_empty());
        }
    }

    /// Returns the sockets of `node`: those that are open, and those that were
    /// opened. Each keeps its place; one that goes leaves its place empty.
    fn merged(&self, node: &Node, opened: Vec<(ListenerName, OwnedFd)>) -> Listeners {
        let mut all = self.listeners.clone();
        let mut opened: Vec<_> = opened
            .into_iter()
            .map(|(name, socket)| (name, Some(Arc::new(socket))))
            .collect();
        let same = |one: &ListenerName, other: &ListenerName| {
            one.address == other.address && one.tcp == other.tcp
        };
        let wanted: Vec<ListenerName> = node.listeners().into_iter().map(listen::name).collect();
        for (name, socket) in &mut all {
            if !wanted.iter().any(|one| same(one, name)) {
                *socket = None;
            } else if let Some(at) = opened.iter().position(|(one, _)| same(one, name)) {
                *socket = opened.swap_remove(at).1;
            }
        }
        all.append(&mut opened);
        all
    }

    /// Tells who must know how the network stands.
    pub fn stands(&mut self, stands: Network) {
        for role in [Role::Signal, Role::Console] {
            if let Some(running) = self.running(role) {
                running.send(ToChild::Network(stands.clone()));
            }
        }
        if let Some(hand) = &mut self.network {
            hand.stands = stands;
        }
    }

    /// `netcfg` ended: the rules stay in the kernel, and nobody looks at them.
    pub fn unwatched(&mut self) {
        let Some(hand) = &mut self.network else {
            return;
        };
        hand.opened.clear();
        let waits = hand.waits.take();
        let mut stands = hand.stands.clone();
        if stands.fence == Standing::Whole {
            stands.fence = Standing::Unwatched;
        }
        self.stands(stands);
        if let Some((_, pending)) = waits {
            let why = (
                "SBC-3007",
                "the network role ended before it was done".to_owned(),
            );
            self.undone(&pending, why);
        }
    }

    /// When a step back of the configuration is tried again.
    pub fn back_again(&mut self) {
        self.configured.back_at = Some(Instant::now() + BACK_AGAIN);
    }
}
