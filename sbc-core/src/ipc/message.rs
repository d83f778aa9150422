//! The words of each pair of roles: one enum per direction, `postcard` behind
//! a version byte.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::channel::Broken;

/// The version of all messages. Roles of one node run one binary, so another
/// version means a packet that was never ours.
pub const VERSION: u8 = 1;

/// A packet is at most this long: a stream row or a page of an answer fit many
/// times over.
pub const PACKET_MAX: usize = 64 * 1024;

/// A message that can pass between roles.
pub trait Packet: Serialize + DeserializeOwned {
    /// Appends this message to a packet, which begins with the version.
    /// Returns false, and leaves the packet as it was, when it has no room.
    ///
    /// # Errors
    /// [`Broken::TooLong`] when no packet has room for this message.
    fn append(&self, packet: &mut Vec<u8>) -> Result<bool, Broken> {
        if packet.is_empty() {
            packet.push(VERSION);
        }
        let before = packet.len();
        let written = postcard::to_io(self, &mut *packet).is_ok();
        let length = packet.len() - before;
        if written && packet.len() <= PACKET_MAX {
            return Ok(true);
        }
        packet.truncate(before);
        if !written {
            Err(Broken::Unreadable)
        } else if 1 + length > PACKET_MAX {
            Err(Broken::TooLong(1 + length))
        } else {
            Ok(false)
        }
    }

    /// Returns the messages of a packet: one at least.
    ///
    /// # Errors
    /// [`Broken::Unreadable`] for another version, an unknown word, or bytes
    /// left over.
    fn decode(bytes: &[u8]) -> Result<Vec<Self>, Broken> {
        let Some((&VERSION, mut rest)) = bytes.split_first() else {
            return Err(Broken::Unreadable);
        };
        let mut messages = Vec::new();
        loop {
            let taken = postcard::take_from_bytes(rest);
            let (message, after) = taken.map_err(|_| Broken::Unreadable)?;
            messages.push(message);
            if after.is_empty() {
                return Ok(messages);
            }
            rest = after;
        }
    }
}

/// What `init` says to any child.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ToChild {
    /// The first word. With it: a sealed file with the configuration's text.
    Configuration { revision: u32 },
    /// With it: one socket for each listener, in this order.
    Listeners(Vec<ListenerName>),
    /// With it: one end of a pair with that role. It replaces an older end.
    Neighbour(Neighbour),
    /// With it: the file that holds the records of established calls (`signal`
    /// only).
    Journal,
    /// A page of the answer to a [`FromChild::Order`] (`console` only).
    Answer { id: u64, page: String, last: bool },
    /// Make the network what a configuration asks for, and answer with
    /// [`FromChild::Fitted`] (`netcfg` only). With it: a sealed file with the text,
    /// then one file for each secret, in this order.
    Fit { id: u64, secrets: Vec<String> },
    /// How the network stands (`signal` and `console`).
    Network(Network),
    /// With it: a sealed file with the key of the secrets, unless they are locked for
    /// this reason (`console` only).
    StoreKey { why: String },
    /// The last word of the start: begin.
    Begin,
    /// Are you there? Answer with [`FromChild::Here`].
    There(u32),
    /// End in order.
    Stop,
}

/// A listening socket and what it is for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ListenerName {
    pub address: std::net::SocketAddr,
    pub tcp: bool,
    /// Its socket comes along; one that is closed keeps its place in the list.
    pub open: bool,
}

/// A role that another role talks to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Neighbour {
    Signal,
    Relay,
    Console,
    Netcfg,
}

/// Names of what differs, links and tunnels that one word on the network holds;
/// the rest is cut. A full word stays far below [`PACKET_MAX`].
pub const NETWORK_MAX: usize = 64;

/// Octets of a text in a word on the network.
pub const NETWORK_TEXT_MAX: usize = 256;

/// How the network stands.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Network {
    pub fence: Standing,
    /// What differs from what must be, or why nothing could be done.
    pub differs: Vec<String>,
    /// Interfaces of the file whose cable is out.
    pub down: Vec<String>,
    pub tunnels: Vec<Tunnel>,
}

/// Whether the fence stands.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Standing {
    /// It was not raised yet.
    #[default]
    Absent,
    /// It was read back from the kernel and is whole.
    Whole,
    /// It differs from what it must be.
    Broken,
    /// It stood when it was looked at last; nobody looks.
    Unwatched,
}

/// One tunnel of the file.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tunnel {
    pub name: String,
    /// Data can pass.
    pub up: bool,
    /// Why it is not, where that is known.
    pub why: String,
    /// When its first certificate ends, in seconds since 1970; 0 without any.
    pub until: u64,
    pub octets_in: u64,
    pub octets_out: u64,
    pub packets_in: u64,
    pub packets_out: u64,
}

/// Why the network was not made what a configuration asks for. It is then what it
/// was before.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Unfit {
    /// The kernel does not hold what it must.
    Network(String),
    /// A listening socket could not be opened.
    Socket(String),
}

/// What a child says to `init`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum FromChild {
    /// It runs.
    Ready,
    Here(u32),
    /// A part of the text that the next order is about (`console` only).
    Page(String),
    /// What is to be done with the configuration (`console` only).
    Order {
        id: u64,
        order: ConfigOrder,
    },
    /// With it: a sealed file with the key of the secrets, which a passphrase gave
    /// back (`console` only).
    StoreKey,
    /// Listening sockets that were opened behind the fence (`netcfg` only). With it:
    /// one socket for each, in this order.
    Listeners(Vec<ListenerName>),
    /// What became of [`ToChild::Fit`] (`netcfg` only).
    Fitted {
        id: u64,
        unfit: Option<Unfit>,
    },
    /// How the network stands (`netcfg` only).
    Network(Network),
}

/// What the console may ask of `init`: the configuration, and the machine's end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ConfigOrder {
    /// The live text and its number.
    Live,
    /// The same without the text: a prompt asks for it again and again.
    Status,
    /// Makes the pages before it live, if `base` still is. Without a
    /// confirmation within `confirm_secs` it goes back.
    Put {
        base: u32,
        confirm_secs: Option<u32>,
        author: String,
        channel: String,
        comment: String,
    },
    Confirm,
    /// Goes back at once if this revision is live and waits for a confirmation.
    GoBack(u32),
    Revisions,
    Revision(u32),
    /// The machine is to start again, or to be switched off.
    Machine(Ending),
    /// The tunnels take the store's secrets and certificates anew.
    Anew,
    /// What the clock lacks; 292 years each way are more than any clock.
    Clock {
        offset_nanos: i64,
        by: ClockBy,
    },
}

/// Whose word an offset of the clock is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ClockBy {
    Servers,
    Operator,
}

/// What is to become of the machine, where it is the node's.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Ending {
    Restart,
    PowerOff,
}

impl Ending {
    /// Returns the word for it, as whoever started the node hears it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::PowerOff => "power off",
        }
    }
}

/// What `signal` says to `relay`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum ToRelay {
    Program(Box<sbc_media::stream::StreamRow>),
    Withdraw(sbc_media::stream::StreamKey),
    /// A new `signal` has told every row there is: any other is over.
    All,
}

/// What `signal` says to `console`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ToConsole {
    /// A page of the answer to a question.
    Answer { id: u64, page: String, last: bool },
}

/// What `relay` and `console` say to `signal`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum ToSignal {
    Media(sbc_media::stream::MediaEvent),
    /// A question of the console: an operation with its arguments as JSON.
    Ask {
        id: u64,
        operation: String,
        arguments: String,
    },
}

impl Packet for ToChild {}
impl Packet for FromChild {}
impl Packet for ToConsole {}
impl Packet for ToRelay {}
impl Packet for ToSignal {}
