//! Listening sockets: the node's listeners and a fence come in, open sockets that
//! hear only listed sources go out. Without the fence there is no way to open one.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::Context;
use sbc_config::{Node, Socket, Transport};
use sbc_netcfg::listen::{Kind, open_listener};
use sbc_plan::Fence;

use crate::ipc::ListenerName;
use crate::listen;

/// The sockets that are open. `init` and `signal` hold the same.
#[derive(Debug)]
pub struct Sockets(Vec<(ListenerName, OwnedFd)>);

impl Sockets {
    /// Takes those that `init` kept.
    pub const fn kept(open: Vec<(ListenerName, OwnedFd)>) -> Self {
        Self(open)
    }

    /// Opens what `node` wants and is not open, and lets those that stay hear whom
    /// it lists. Returns what was opened; nothing is kept of it before
    /// [`Sockets::keep`].
    ///
    /// # Errors
    /// Names the socket that could not be opened.
    pub fn open(&self, node: &Node, fence: &Fence) -> anyhow::Result<Vec<(ListenerName, OwnedFd)>> {
        let known = |name: &ListenerName| self.0.iter().find(|(known, _)| known == name);
        let mut opened = Vec::new();
        for at in node.listeners() {
            let name = listen::name(at);
            if known(&name).is_none() {
                opened.push((name, open(node, at, fence)?));
            }
        }
        // Whoever may be heard may have changed; last, so that a failure before it
        // changes nothing.
        for at in node.listeners() {
            if let Some((_, socket)) = known(&listen::name(at)) {
                listen::filter_again(node, at, socket)?;
            }
        }
        Ok(opened)
    }

    /// Keeps what was opened for `node`, and closes what it does not want.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn keep(&mut self, node: &Node, opened: &[(ListenerName, OwnedFd)]) -> std::io::Result<()> {
        let wanted: Vec<ListenerName> = node.listeners().into_iter().map(listen::name).collect();
        self.0.retain(|(name, _)| wanted.contains(name));
        for (name, socket) in opened {
            let copy = socket.as_fd().try_clone_to_owned()?;
            self.0.push((name.clone(), copy));
        }
        Ok(())
    }
}

fn open(node: &Node, at: Socket, fence: &Fence) -> anyhow::Result<OwnedFd> {
    let program = listen::program(node, at)?;
    let kind = match at.transport {
        Transport::Tcp => Kind::Tcp,
        Transport::Udp => Kind::Udp,
    };
    let prepare = |socket: &socket2::Socket| socket.attach_filter(&program);
    open_listener(at.address, kind, fence, prepare)
        .with_context(|| format!("cannot listen on {at}"))
}
