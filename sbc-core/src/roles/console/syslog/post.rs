//! The post of one collector: messages wait in a queue with a bound, a task of its
//! own carries them, and whoever hands one over never waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sbc_config::node::{CollectedBy, Collector};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::message::DATAGRAM_MAX;
use super::tls::{self, Identity};

/// Messages that wait for one collector: ten seconds of a node at its limit, and at
/// most 8 MiB, shared by all collectors. The oldest is cut for a new one.
pub const QUEUE_MAX: usize = 4096;

/// A collector that does not answer is away.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);

/// A collector that does not read for so long is left, and asked again.
const WRITES_WITHIN: Duration = Duration::from_secs(10);

/// The first wait before it is asked again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// And the longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A message as it is sent.
pub type Octets = Rc<[u8]>;

/// What waits for one collector, and how it went so far.
#[derive(Debug)]
pub struct Post {
    pub name: String,
    pub collector: Collector,
    /// The folder that trusts lie in.
    folder: Option<PathBuf>,
    queue: RefCell<VecDeque<Octets>>,
    bell: Notify,
    pub sent: Cell<u64>,
    /// Messages that were cut since the start, and those nobody was told of yet.
    pub cut: Cell<u64>,
    untold: Cell<u64>,
    state: RefCell<State>,
}

/// Whether the collector is reached.
#[derive(Clone, Debug)]
pub struct State {
    pub up: bool,
    pub since: Instant,
    /// Why it is not.
    pub why: String,
}

impl Post {
    /// Returns the post of a collector; [`carry`] is its task.
    pub fn new(name: &str, collector: Collector, folder: Option<PathBuf>) -> Rc<Self> {
        Rc::new(Self {
            name: name.to_owned(),
            collector,
            folder,
            queue: RefCell::default(),
            bell: Notify::new(),
            sent: Cell::new(0),
            cut: Cell::new(0),
            untold: Cell::new(0),
            state: RefCell::new(State {
                up: false,
                since: Instant::now(),
                why: "it was not reached yet".to_owned(),
            }),
        })
    }

    /// Puts a message at the end of the queue, and cuts the oldest if it is full.
    pub fn put(&self, message: &Octets) {
        let mut queue = self.queue.borrow_mut();
        if queue.len() >= QUEUE_MAX {
            queue.pop_front();
            self.lose(1);
        }
        queue.push_back(Rc::clone(message));
        self.bell.notify_one();
    }

    /// Counts messages that this collector will not get.
    pub fn lose(&self, count: u64) {
        self.cut.set(self.cut.get() + count);
        self.untold.set(self.untold.get() + count);
    }

    /// Returns how many messages wait.
    pub fn waiting(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Returns whether the collector is reached.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    fn is_up(&self) {
        let mut state = self.state.borrow_mut();
        if !state.up {
            tracing::info!(collector = self.name, "a collector of the log is reached");
            *state = State {
                up: true,
                since: Instant::now(),
                why: String::new(),
            };
        }
    }

    fn is_down(&self, why: &io::Error) {
        let mut state = self.state.borrow_mut();
        let why = why.to_string();
        if state.up {
            state.since = Instant::now();
        }
        if state.up || state.why != why {
            tracing::warn!(
                collector = self.name,
                why,
                "a collector of the log is not reached"
            );
        }
        (state.up, state.why) = (false, why);
    }

    fn first(&self) -> Option<Octets> {
        self.queue.borrow().front().cloned()
    }

    /// Takes `message` off the queue, unless it was cut meanwhile.
    fn is_sent(&self, message: &Octets) {
        let mut queue = self.queue.borrow_mut();
        if queue
            .front()
            .is_some_and(|first| Rc::ptr_eq(first, message))
        {
            queue.pop_front();
        }
        self.sent.set(self.sent.get() + 1);
    }
}

/// Carries messages for as long as the task lives. `told` makes the message that
/// says how many were cut.
pub async fn carry(post: Rc<Post>, told: impl Fn(u64) -> Octets) {
    let mut pause = FIRST_PAUSE;
    loop {
        let before = post.sent.get();
        let why = match Way::open(&post).await {
            Ok(mut way) => {
                let Err(why) = follow(&post, &mut way, &told).await;
                why
            }
            Err(why) => why,
        };
        post.is_down(&why);
        if post.sent.get() > before {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Sends what waits and what comes, until the way fails.
async fn follow(
    post: &Post,
    way: &mut Way,
    told: &impl Fn(u64) -> Octets,
) -> Result<std::convert::Infallible, io::Error> {
    post.is_up();
    loop {
        let untold = post.untold.get();
        if untold > 0 {
            way.send(&told(untold)).await?;
            post.untold.set(post.untold.get().saturating_sub(untold));
        }
        let Some(message) = post.first() else {
            tokio::select! {
                () = post.bell.notified() => {}
                why = way.ended() => return Err(why),
            }
            continue;
        };
        way.send(&message).await?;
        post.is_sent(&message);
    }
}

/// A stream of octets both ways.
trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// The way to a collector.
enum Way {
    Datagrams(UdpSocket),
    Stream(Box<dyn Stream>),
}

impl Way {
    async fn open(post: &Post) -> io::Result<Self> {
        let collector = &post.collector;
        match &collector.by {
            CollectedBy::Udp => {
                let socket = UdpSocket::bind((collector.source, 0)).await?;
                socket.connect(collector.target).await?;
                Ok(Self::Datagrams(socket))
            }
            CollectedBy::Tcp => Ok(Self::Stream(Box::new(connected(collector).await?))),
            CollectedBy::Tls { authority, name } => {
                let who = Identity {
                    authority,
                    state: post.folder.as_deref(),
                    name,
                };
                let stream = connected(collector).await?;
                let secured = tls::secured(stream, &who).await?;
                Ok(Self::Stream(Box::new(secured)))
            }
        }
    }

    /// Sends one message: a datagram (RFC 5426 §3.1), or octets behind their number
    /// (RFC 6587 §3.4.1).
    async fn send(&mut self, message: &Octets) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => {
                let most = message.len().min(DATAGRAM_MAX);
                let octets = message.get(..most).unwrap_or_default();
                socket.send(octets).await.map(|_sent| ())
            }
            Self::Stream(stream) => {
                // What it says is nothing to us, that it ended is.
                let mut framed = format!("{} ", message.len()).into_bytes();
                framed.extend_from_slice(message);
                let written = async {
                    stream.write_all(&framed).await?;
                    stream.flush().await
                };
                timeout(WRITES_WITHIN, written)
                    .await
                    .unwrap_or_else(|_| Err(io::Error::other("it does not read")))
            }
        }
    }

    /// Waits until the far end is gone; what it says is dropped.
    async fn ended(&mut self) -> io::Error {
        match self {
            Self::Datagrams(socket) => {
                let mut scratch = [0; 64];
                loop {
                    if let Err(why) = socket.recv(&mut scratch).await {
                        return why;
                    }
                }
            }
            Self::Stream(stream) => {
                let mut scratch = [0; 256];
                loop {
                    match stream.read(&mut scratch).await {
                        Ok(0) => return io::Error::other("it closed the connection"),
                        Ok(_) => {}
                        Err(why) => return why,
                    }
                }
            }
        }
    }
}

async fn connected(collector: &Collector) -> io::Result<TcpStream> {
    let socket = if collector.target.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.bind((collector.source, 0).into())?;
    let connected = timeout(CONNECTS_WITHIN, socket.connect(collector.target)).await;
    let connected = connected.unwrap_or_else(|_| Err(io::Error::other("it does not answer")));
    connected.map_err(|why| io::Error::new(why.kind(), format!("SBC-2220: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Rc<Post> {
        let collector = Collector {
            target: ([192, 0, 2, 1], 514).into(),
            by: CollectedBy::Udp,
            source: [192, 0, 2, 2].into(),
        };
        Post::new("noc", collector, None)
    }

    #[test]
    fn a_full_queue_loses_its_oldest_and_counts_it() {
        let post = post();
        for number in 0..QUEUE_MAX + 3 {
            post.put(&Rc::from(number.to_string().into_bytes()));
        }
        assert_eq!((post.waiting(), post.cut.get()), (QUEUE_MAX, 3));
        assert_eq!(&*post.first().unwrap(), b"3");
    }

    #[test]
    fn a_message_that_was_cut_while_it_was_sent_takes_no_other_along() {
        let post = post();
        post.put(&Rc::from(*b"one"));
        let sent = post.first().unwrap();
        for _ in 0..QUEUE_MAX {
            post.put(&Rc::from(*b"more"));
        }
        post.is_sent(&sent);
        assert_eq!((post.waiting(), post.sent.get()), (QUEUE_MAX, 1));
    }
}
