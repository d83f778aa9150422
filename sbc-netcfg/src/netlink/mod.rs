//! The way to the kernel's network tables: typed requests go out as rtnetlink
//! messages (RFC 3549 §2), answers come back whole or as an error.

mod address;
mod hint;
mod link;
mod neighbour;
mod qdisc;
mod route;
mod rule;
pub mod watch;

pub use address::AddressRow;
pub use link::{Counted, Counts, Gre, Kind, LinkRow};
pub use neighbour::NeighbourRow;
pub use qdisc::{Class, QdiscRow};
pub use route::RouteRow;
pub use rule::RuleRow;

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::KernelError;

/// The kernel answers within microseconds; a loaded machine gets a while.
const WITHIN: Duration = Duration::from_secs(10);

/// A table that changes under each of so many readings is not read.
const TRIES: u32 = 16;

/// One connection to the tables of the namespace it was opened in.
#[derive(Debug)]
pub struct Netlink {
    handle: Handle,
    driver: JoinHandle<()>,
}

impl Netlink {
    /// Opens the connection. Needs a running tokio runtime.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn open() -> Result<Self, KernelError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(KernelError::Unreachable)?;
        let driver = tokio::spawn(connection);
        Ok(Self { handle, driver })
    }

    /// Sends a request that changes something, and waits for the kernel's word.
    async fn act(
        &self,
        what: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), KernelError> {
        let flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        self.converse(what, message, flags).await.map(drop)
    }

    /// Returns every row of a table. A reading that the kernel marks as mixed
    /// from two states is thrown away and made again.
    async fn dump(
        &self,
        what: &str,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, KernelError> {
        for _ in 0..TRIES {
            let flags = NLM_F_REQUEST | NLM_F_DUMP;
            let (rows, mixed) = self.converse(what, message.clone(), flags).await?;
            if !mixed {
                return Ok(rows);
            }
        }
        Err(KernelError::Unsteady {
            what: what.to_owned(),
            tries: TRIES,
        })
    }

    async fn converse(
        &self,
        what: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(Vec<RouteNetlinkMessage>, bool), KernelError> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        let (mut rows, mut mixed) = (Vec::new(), false);
        let ended = || KernelError::Ended {
            what: what.to_owned(),
        };
        let mut answers = self.handle.clone().request(request).map_err(|_| ended())?;
        let listen = async {
            while let Some(answer) = answers.next().await {
                mixed |= answer.header.flags & NLM_F_DUMP_INTR != 0;
                match answer.payload {
                    NetlinkPayload::InnerMessage(row) => rows.push(row),
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(KernelError::Refused {
                            what: what.to_owned(),
                            why: error.to_io(),
                        });
                    }
                    NetlinkPayload::Overrun(_) => {
                        let why = io::ErrorKind::OutOfMemory.into();
                        let what = what.to_owned();
                        return Err(KernelError::Refused { what, why });
                    }
                    _ => {}
                }
            }
            Ok(())
        };
        let heard = timeout(WITHIN, listen).await;
        heard.map_err(|_| KernelError::Silent {
            what: what.to_owned(),
            within: WITHIN,
        })??;
        if self.driver.is_finished() {
            return Err(ended());
        }
        Ok((rows, mixed))
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

const fn family(is_v4: bool) -> AddressFamily {
    if is_v4 {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// Whether a change adds or removes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    Add,
    Remove,
}
