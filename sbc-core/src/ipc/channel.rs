//! One end of a pair: a message and its descriptors go out as one packet, and
//! come in whole or not at all (unix(7), `SCM_RIGHTS`).

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use tokio::io::unix::AsyncFd;

use super::message::{PACKET_MAX, Packet};

/// A packet carries this many descriptors at most.
pub const DESCRIPTORS_MAX: usize = 64;

/// Why a packet could not pass. None of these says anything about the next
/// packet but `Gone`.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the other role has gone")]
    Gone,
    #[error("the other role does not read: its queue is full")]
    Full,
    #[error("a packet of {0} bytes is over the bound")]
    TooLong(usize),
    #[error("a packet of another version or shape")]
    Unreadable,
    #[error("the kernel refused the packet")]
    Kernel(#[source] io::Error),
}

impl From<Errno> for Broken {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::AGAIN => Self::Full,
            Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => Self::Gone,
            other => Self::Kernel(other.into()),
        }
    }
}

/// What one packet held.
#[derive(Debug)]
pub struct Received<In> {
    /// One at least. A packet with descriptors holds one, theirs.
    pub messages: Vec<In>,
    pub descriptors: Vec<OwnedFd>,
}

impl<In> Received<In> {
    /// Returns the first message with the descriptors that came with it, for
    /// channels on which each packet holds one.
    #[must_use]
    pub fn first(self) -> Option<(In, Vec<OwnedFd>)> {
        let first = self.messages.into_iter().next()?;
        Some((first, self.descriptors))
    }
}

/// One end of a pair of roles: says `Out`, hears `In`. It never blocks.
#[derive(Debug)]
pub struct Channel<Out, In> {
    socket: OwnedFd,
    words: PhantomData<fn(Out) -> In>,
}

/// Returns both ends of a new pair, to be handed to two roles.
///
/// # Errors
/// When the kernel has no more descriptors.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

impl<Out: Packet, In: Packet> Channel<Out, In> {
    /// Takes one end of a pair.
    ///
    /// # Errors
    /// When the descriptor cannot be made non-blocking.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self {
            socket,
            words: PhantomData,
        })
    }

    /// Returns this end for use in a task that waits for it.
    ///
    /// # Errors
    /// When the runtime has no room for another descriptor.
    #[expect(unsafe_code, reason = "the runtime asks for a promise, see below")]
    pub fn registered(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the channel owns its descriptor, always names the same one, and
        // closes it only when it is dropped, which is after its registration ends.
        unsafe { AsyncFd::register(self) }.map_err(Into::into)
    }

    /// Sends one message with `descriptors`, as one packet.
    ///
    /// # Errors
    /// [`Broken::Full`] when the other side does not read; nothing was sent.
    pub fn send(&self, message: &Out, descriptors: &[BorrowedFd<'_>]) -> Result<(), Broken> {
        let mut bytes = Vec::new();
        message.append(&mut bytes)?;
        self.pass(&bytes, descriptors)
    }

    /// Sends all of `waiting`, many to a packet, and takes from it what was
    /// sent. `packet` is room to write in.
    ///
    /// # Errors
    /// [`Broken::Full`] when the other side does not read; the rest still waits.
    /// Any other error drops the messages it concerns, and `waiting` is empty or
    /// shorter.
    pub fn send_all(
        &self,
        waiting: &mut VecDeque<Out>,
        packet: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        while !waiting.is_empty() {
            packet.clear();
            let mut count = 0;
            for message in &*waiting {
                match message.append(packet) {
                    Ok(true) => count += 1,
                    Ok(false) => break,
                    // It goes alone, and is dropped with its error below.
                    Err(_) => break,
                }
            }
            if count == 0 {
                waiting.pop_front();
                return Err(Broken::TooLong(PACKET_MAX + 1));
            }
            match self.pass(packet, &[]) {
                Err(Broken::Full) => return Err(Broken::Full),
                passed => {
                    waiting.drain(..count);
                    passed?;
                }
            }
        }
        Ok(())
    }

    fn pass(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Broken> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Broken::TooLong(descriptors.len()));
        }
        sendmsg(
            &self.socket,
            &[IoSlice::new(bytes)],
            &mut control,
            SendFlags::NOSIGNAL,
        )?;
        Ok(())
    }

    /// Takes the next packet, or `None` when there is none yet.
    ///
    /// # Errors
    /// [`Broken::Gone`] when the other role ended; [`Broken::Unreadable`] for a
    /// packet that is not one of ours, which is then forgotten.
    pub fn receive(&self, scratch: &mut Vec<u8>) -> Result<Option<Received<In>>, Broken> {
        scratch.resize(PACKET_MAX, 0);
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = match recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(scratch)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            other => other?,
        };
        let descriptors = taken(&mut control);
        if got.bytes == 0 && descriptors.is_empty() {
            return Err(Broken::Gone);
        }
        if got
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
        {
            return Err(Broken::Unreadable);
        }
        let messages = In::decode(scratch.get(..got.bytes).unwrap_or_default())?;
        Ok(Some(Received {
            messages,
            descriptors,
        }))
    }
}

impl<Out, In> AsFd for Channel<Out, In> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<Out, In> std::os::fd::AsRawFd for Channel<Out, In> {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

fn taken(control: &mut RecvAncillaryBuffer<'_>) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    descriptors
}
