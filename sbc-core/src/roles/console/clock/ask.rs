//! One question to one server of the time (RFC 4330 §5): a sample of our clock comes
//! back, or why there is none.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::rand::{GetRandomFlags, getrandom};
use sbc_clock::{Answer, Kiss, Moment, Sample, Unfit, packet};
use sbc_config::node::TimeServer;
use sbc_plan::TIME;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// An answer comes within this, or it is of no use: the way would be most of it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Datagrams of one question that are looked at: a flood ends it, nothing more.
const DATAGRAMS_MAX: u32 = 64;

/// Why a server told us nothing.
#[derive(Debug, thiserror::Error)]
pub enum Silent {
    #[error("no answer")]
    Late,
    #[error("{0}")]
    Unfit(Unfit),
    #[error("{0}")]
    Failed(#[from] io::Error),
}

impl Silent {
    /// Returns the kiss it gave, if it gave one.
    pub const fn kiss(&self) -> Option<Kiss> {
        match self {
            Self::Unfit(Unfit::Kiss(kiss)) => Some(*kiss),
            _ => None,
        }
    }
}

/// What came of a question, and how many datagrams were no answer to it.
pub type Asked = (Result<Sample, Silent>, u64);

/// Asks a server from a port that nobody can foresee.
pub async fn ask(server: TimeServer) -> Asked {
    let mut strays = 0;
    let said = timeout(ANSWERS_WITHIN, exchange(server, &mut strays)).await;
    (said.unwrap_or(Err(Silent::Late)), strays)
}

async fn exchange(server: TimeServer, strays: &mut u64) -> Result<Sample, Silent> {
    let socket = UdpSocket::bind((server.source, 0)).await?;
    // The kernel takes from now on what comes from that server, and nothing else.
    socket.connect((server.address, TIME)).await?;
    let cookie = random()?;
    let (asked, began) = (now(), Instant::now());
    socket.send(&packet::question(cookie)).await?;
    let mut octets = [0; packet::LENGTH];
    for _ in 0..DATAGRAMS_MAX {
        let length = socket.recv(&mut octets).await?;
        let waited = began.elapsed();
        match Answer::read(octets.get(..length).unwrap_or_default(), cookie) {
            Ok(answer) => return Sample::of(&answer, asked, waited).map_err(Silent::Unfit),
            Err(unfit) if unfit.knew_the_question() => return Err(Silent::Unfit(unfit)),
            Err(_) => *strays += 1,
        }
    }
    Err(Silent::Late)
}

/// Returns the wall clock.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        Moment::try_from(since.as_nanos()).unwrap_or(Moment::MAX)
    })
}

/// Returns a number that nobody can foresee.
pub fn random() -> io::Result<u64> {
    let mut octets = [0; 8];
    getrandom(&mut octets, GetRandomFlags::empty())?;
    Ok(u64::from_ne_bytes(octets))
}
