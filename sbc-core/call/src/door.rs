//! The door of the engine: what may come in and what goes out.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use sbc_config::Socket;
use sbc_media::stream::{MediaEvent, StreamKey, StreamRow};
use sbc_sip::transaction::Destination;
use sbc_sip::wire::{Frame, Malformed};

use crate::Side;
use crate::story::Story;

/// What the engine can be told.
#[derive(Debug)]
pub enum Input {
    /// A message, and where it came from and to.
    Received {
        from: Destination,
        at: Socket,
        frame: Frame,
    },
    /// Bytes that were no message.
    Malformed {
        from: Destination,
        at: Socket,
        what: Malformed,
    },
    /// A message could not be sent there, no connection could be made, or the
    /// connection ended.
    Unreachable { to: Destination },
    /// The relay noticed something.
    Media(MediaEvent),
    /// The relay was started anew and knows no stream.
    RelayIsNew,
    /// The moment that [`crate::Engine::next_wakeup`] named has come.
    Wakeup,
    /// A call that was up before a restart: its key and its record.
    Restore { key: u32, record: Vec<u8> },
    /// An operator's wish.
    Operator(Wish),
    /// How the network stands; calls that are up go on.
    Network(Network),
    /// Another configuration; calls that it does not touch do not notice.
    Configure(Box<sbc_config::Node>),
}

/// What of the network matters to calls.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Network {
    /// The isolation rules are not known to be whole: no new calls but emergency
    /// calls.
    pub closed: bool,
    /// What carries nothing at the moment.
    pub down: Vec<sbc_config::network::Via>,
}

/// What an operator may ask of a running engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wish {
    /// Ends a call on both sides.
    Clear { call: u32 },
    /// Asks this peer for its options, without waiting for their turn.
    Ask { peer: sbc_config::PeerName },
    /// No new calls to or from this peer until further notice.
    Drain {
        peer: sbc_config::PeerName,
        on: bool,
    },
}

/// A message to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// Its `connection` is that of a received message, or the place of a socket
    /// among the node's listeners: the datagram leaves by it, the connection is
    /// one of ours from its address, made if there is none.
    pub to: Destination,
    pub bytes: Bytes,
}

/// What the relay is to do.
#[derive(Clone, Debug)]
pub enum RelayCommand {
    Program(Box<StreamRow>),
    Withdraw(StreamKey),
}

/// What the journal is to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum JournalCommand {
    Keep { key: u32, record: Vec<u8> },
    Forget { key: u32 },
}

/// One message of a call, for its ladder.
#[derive(Clone, Debug)]
pub struct Step {
    pub call: u32,
    pub side: Side,
    /// The node sent it.
    pub ours: bool,
    /// The message as it came, if the peer sent it.
    pub frame: Option<Frame>,
    /// The message as it left, if the node sent it.
    pub bytes: Bytes,
}

/// What follows from an input. The caller owns it, empties it, hands it back.
#[derive(Debug, Default)]
pub struct Outbox {
    /// In the order in which they must leave.
    pub transmits: Vec<Transmit>,
    pub relay: Vec<RelayCommand>,
    pub journal: Vec<JournalCommand>,
    /// Calls that ended.
    pub stories: Vec<Story>,
    pub steps: Vec<Step>,
}

impl Outbox {
    /// Empties it and keeps its room.
    pub fn clear(&mut self) {
        self.transmits.clear();
        self.relay.clear();
        self.journal.clear();
        self.stories.clear();
        self.steps.clear();
    }
}
