//! A channel in a task that may wait: words go out once they pass, packets come in
//! once they are there.

use std::os::fd::BorrowedFd;

use tokio::io::unix::AsyncFd;

use super::message::Packet;
use super::{Broken, Channel, Received};

/// Waits for the next packet. Those nobody can read are passed over.
///
/// # Errors
/// When the other role is gone.
pub async fn next<Out: Packet, In: Packet>(
    from: &AsyncFd<Channel<Out, In>>,
    scratch: &mut Vec<u8>,
) -> Result<Received<In>, Broken> {
    loop {
        let mut ready = from.readable().await.map_err(Broken::Kernel)?;
        match from.get_ref().receive(scratch) {
            Ok(None) => ready.clear_ready(),
            Ok(Some(received)) => return Ok(received),
            Err(Broken::Unreadable) => {}
            Err(broken) => return Err(broken),
        }
    }
}

/// Says something, and waits until it passes.
///
/// # Errors
/// When the other role is gone, or it is no packet.
pub async fn say<Out: Packet, In: Packet>(
    to: &AsyncFd<Channel<Out, In>>,
    word: &Out,
    along: &[BorrowedFd<'_>],
) -> Result<(), Broken> {
    loop {
        let mut ready = to.writable().await.map_err(Broken::Kernel)?;
        match to.get_ref().send(word, along) {
            Err(Broken::Full) => ready.clear_ready(),
            other => return other,
        }
    }
}
