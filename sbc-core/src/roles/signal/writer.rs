//! The way out of one connection: messages come in, octets leave in order, those
//! of one turn together. What the peer does not read waits here, bounded.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// Messages that wait for one connection. A peer that does not read its own
/// calls' messages is not worth more memory; it is cut off.
const QUEUE_MAX: usize = 512;

/// Messages of one system call.
const AT_ONCE: usize = 16;

/// The messages of one connection, from before it is up until its end.
#[derive(Debug, Default)]
pub struct Writer {
    socket: RefCell<Option<OwnedWriteHalf>>,
    queue: RefCell<VecDeque<Bytes>>,
    /// Rung when something waits for the peer to read.
    bell: Notify,
    /// It is among those to be written when the turn ends.
    pub fresh: Cell<bool>,
}

impl Writer {
    /// Takes the socket, once the connection is up.
    pub fn begin(&self, socket: OwnedWriteHalf) {
        self.socket.replace(Some(socket));
        self.write_now();
    }

    /// Takes a message. Returns false when too many wait.
    pub fn push(&self, bytes: Bytes) -> bool {
        let mut queue = self.queue.borrow_mut();
        let has_room = queue.len() < QUEUE_MAX;
        if has_room {
            queue.push_back(bytes);
        }
        has_room
    }

    /// Writes what waits, as far as the peer reads; the rest, and an error, is
    /// for [`Self::write_rest`].
    pub fn write_now(&self) {
        if !matches!(self.write(), Ok(true)) {
            self.bell.notify_one();
        }
    }

    /// Writes what was left, whenever there is room. Returns when the connection
    /// has ended.
    pub async fn write_rest(&self) {
        loop {
            self.bell.notified().await;
            while let Some(written) = self.write_when_ready().await {
                match written {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(_) => return,
                }
            }
        }
    }

    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "the socket is put there once, before anybody waits here"
    )]
    async fn write_when_ready(&self) -> Option<io::Result<bool>> {
        let socket = self.socket.borrow();
        let ready = socket.as_ref()?.writable().await;
        Some(ready.and_then(|()| self.write()))
    }

    /// Returns whether nothing is left.
    fn write(&self) -> io::Result<bool> {
        let socket = self.socket.borrow();
        let Some(socket) = socket.as_ref() else {
            return Ok(true);
        };
        let mut queue = self.queue.borrow_mut();
        while !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); AT_ONCE];
            for (slice, bytes) in slices.iter_mut().zip(&*queue) {
                *slice = IoSlice::new(bytes);
            }
            match socket.try_write_vectored(&slices) {
                Ok(length) => advance(&mut queue, length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// Forgets the first `length` octets.
fn advance(queue: &mut VecDeque<Bytes>, mut length: usize) {
    while let Some(first) = queue.front_mut() {
        if length < first.len() {
            first.advance(length);
            return;
        }
        length -= first.len();
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_forgotten_to_the_octet() {
        let mut queue: VecDeque<Bytes> = ["ab", "cde", "f"].map(Bytes::from).into();
        advance(&mut queue, 3);
        assert_eq!(queue, ["de", "f"].map(Bytes::from));
        advance(&mut queue, 3);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_connection_that_is_not_up_keeps_its_messages_up_to_the_bound() {
        let writer = Writer::default();
        for _ in 0..QUEUE_MAX {
            assert!(writer.push(Bytes::from_static(b"x")));
        }
        writer.write_now();
        assert!(!writer.push(Bytes::from_static(b"x")));
    }
}
