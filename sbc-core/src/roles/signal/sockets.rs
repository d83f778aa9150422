//! The node's sockets while it runs: those that `init` hands over come in, each
//! is read by a task of its own. A socket keeps its number for as long as the
//! node lives; one that was closed leaves its place empty.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use sbc_config::{Socket, Transport};
use tokio::task::AbortHandle;

use super::desk::Desk;
use super::tcp;
use super::udp::{self, Udp};
use crate::ipc::ListenerName;

/// One socket of the node.
#[derive(Debug)]
pub struct Listener {
    pub at: Socket,
    /// Where it is UDP and open: the socket itself.
    pub udp: RefCell<Option<Rc<Udp>>>,
    /// Whoever reads it.
    reader: RefCell<Option<AbortHandle>>,
}

/// Returns what a word between roles names.
pub fn socket(name: &ListenerName) -> Socket {
    Socket {
        address: name.address,
        transport: if name.tcp {
            Transport::Tcp
        } else {
            Transport::Udp
        },
    }
}

/// Takes sockets for the places from `first` on: opens what is new, closes what
/// is gone, leaves alone what is the same.
pub fn take(desk: &Rc<Desk>, first: usize, handed: Vec<(ListenerName, Option<OwnedFd>)>) {
    for (index, (name, open)) in (first..).zip(handed) {
        let known = desk.listeners.borrow().get(index).cloned();
        let listener = known.unwrap_or_else(|| {
            let new = Rc::new(Listener {
                at: socket(&name),
                udp: RefCell::new(None),
                reader: RefCell::new(None),
            });
            desk.listeners.borrow_mut().push(Rc::clone(&new));
            new
        });
        let is_open = listener.reader.borrow().is_some();
        match open {
            Some(socket) if !is_open => {
                if let Err(error) = listener.open(desk, index, socket) {
                    tracing::error!(at = %listener.at, %error, "a socket cannot be read");
                }
            }
            None => listener.close(),
            Some(_) => {}
        }
    }
}

impl Listener {
    fn open(&self, desk: &Rc<Desk>, index: usize, socket: OwnedFd) -> std::io::Result<()> {
        let desk = Rc::clone(desk);
        let task = if self.at.transport == Transport::Udp {
            let udp = Rc::new(Udp::new(socket)?);
            self.udp.replace(Some(Rc::clone(&udp)));
            tokio::task::spawn_local(udp::read(desk, index, self.at, udp)).abort_handle()
        } else {
            let accept = async move {
                // It ends only if this was no listener.
                let _never = tcp::accept(desk, index, socket).await;
            };
            tokio::task::spawn_local(accept).abort_handle()
        };
        self.reader.replace(Some(task));
        Ok(())
    }

    fn close(&self) {
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
        self.udp.replace(None);
    }
}
