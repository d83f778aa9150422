//! News of the kernel's network tables: each change of a device, address, route
//! or rule comes in as it happens; carriers that come and go and a hint to look
//! again go out.

use futures_util::StreamExt;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::MulticastGroup;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::hint::Hints;
use super::link::{self, LinkRow};
use crate::error::KernelError;

/// News that wait to be read. Over it they are dropped and one says so: the
/// reader then looks at everything.
const NEWS_MAX: usize = 256;

/// What is told of: everything the fence is made of, as far as netlink tells.
const GROUPS: [MulticastGroup; 9] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Tc,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv6Rule,
];

/// One change of the kernel's tables.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum News {
    /// A device is as this row says.
    Device(LinkRow),
    /// A device is gone.
    Gone(LinkRow),
    /// Something else changed: look.
    Changed,
}

/// A subscription to the kernel's news; it ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    news: mpsc::Receiver<News>,
    driver: JoinHandle<()>,
    reader: JoinHandle<()>,
    hints: JoinHandle<()>,
}

impl Watch {
    /// Subscribes. Needs a running tokio runtime.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn open() -> Result<Self, KernelError> {
        let (connection, _, mut messages) =
            rtnetlink::new_multicast_connection(&GROUPS).map_err(KernelError::Unreachable)?;
        let driver = tokio::spawn(connection);
        let hints = Hints::open().map_err(KernelError::Unreachable)?;
        let (tell, news) = mpsc::channel(NEWS_MAX);
        let hints = tokio::spawn(hints.pass_on(tell.clone()));
        let reader = tokio::spawn(async move {
            while let Some((message, _)) = messages.next().await {
                let one = match message.payload {
                    NetlinkPayload::InnerMessage(message) => read(&message),
                    // An overrun or a fault: something was missed.
                    _ => News::Changed,
                };
                // A full queue holds a hint to look already.
                let _full = tell.try_send(one);
            }
        });
        Ok(Self {
            news,
            driver,
            reader,
            hints,
        })
    }

    /// Returns the next change, or nothing when the kernel's socket ended.
    pub async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.driver.abort();
        self.reader.abort();
        self.hints.abort();
    }
}

fn read(message: &RouteNetlinkMessage) -> News {
    match (message, link::row(message)) {
        (RouteNetlinkMessage::DelLink(_), Some(row)) => News::Gone(row),
        (_, Some(row)) => News::Device(row),
        _ => News::Changed,
    }
}
