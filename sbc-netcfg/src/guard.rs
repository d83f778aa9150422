//! The fence is kept: what must be comes in once, and again when it changes; the
//! kernel is read on every piece of news and every few seconds besides. A fence that
//! is broken is told at once, named, and mended.

use std::time::Duration;

use sbc_plan::desired::{Desired, LinkKind};
use sbc_plan::{Drift, Fence, plan, verify};
use tokio::time::{Instant, sleep, timeout_at};

use crate::apply::{Failed, Hands};
use crate::error::KernelError;
use crate::netlink::watch::{News, Watch};

/// The kernel is read this often, whatever it tells: rules and switches change
/// without news.
pub const READ_EVERY: Duration = Duration::from_secs(5);

/// News come in bursts; what comes within this time is looked at together.
const BURST: Duration = Duration::from_millis(20);

/// Mending is tried this often before the fence counts as broken for good until the
/// next reading.
const TRIES: u32 = 3;

/// What the guard tells.
#[derive(Debug)]
pub enum Word {
    /// The fence stands: proof of a reading just made.
    Whole(Fence),
    /// It does not. What differs, by name; trunks are to be closed at once.
    Broken(Vec<Drift>),
    /// It cannot be mended, or not even be read.
    Beyond(String),
    /// The layer below a link came or went.
    Carrier { link: String, up: bool },
}

/// Why no fence could be put up.
#[derive(Debug, thiserror::Error)]
pub enum NoFence {
    #[error("the network cannot be read")]
    Unread(#[source] KernelError),
    #[error("the network cannot be set up")]
    Unset(#[source] Failed),
    #[error("the network differs from what it must be: {}", list(.0))]
    Differs(Vec<Drift>),
}

fn list(drifts: &[Drift]) -> String {
    let texts: Vec<String> = drifts.iter().take(8).map(ToString::to_string).collect();
    texts.join("; ")
}

impl Hands {
    /// Makes the kernel hold `desired`, reads it back, and returns the proof.
    ///
    /// # Errors
    /// When a step failed and all was taken back, or when what was read back differs.
    pub async fn raise(&mut self, desired: &Desired) -> Result<Fence, NoFence> {
        let observed = self.observe(desired).await.map_err(NoFence::Unread)?;
        let plan = plan(desired, &observed);
        self.apply(&plan).await.map_err(NoFence::Unset)?;
        self.look(desired).await
    }

    /// Reads the kernel and holds it against `desired`.
    ///
    /// # Errors
    /// When it cannot be read, or differs.
    pub async fn look(&self, desired: &Desired) -> Result<Fence, NoFence> {
        let observed = self.observe(desired).await.map_err(NoFence::Unread)?;
        verify(desired, &observed).map_err(NoFence::Differs)
    }
}

/// Keeps `desired` in force and tells `say`, until `say` returns false. Returns the
/// hands, for another configuration.
pub async fn guard(
    mut hands: Hands,
    desired: &Desired,
    watch: &mut Watch,
    mut say: impl FnMut(Word) -> bool,
) -> Hands {
    let mut carriers = Carriers::default();
    let mut next = Instant::now();
    loop {
        let Some(goes_on) = wait(watch, next, desired, &mut carriers, &mut say).await else {
            return hands;
        };
        if !goes_on {
            // Without news the readings go on.
            sleep(READ_EVERY).await;
        }
        next = Instant::now() + READ_EVERY;
        for word in check(&mut hands, desired).await {
            if !say(word) {
                return hands;
            }
        }
    }
}

/// Waits for news, or until `next`. Returns nothing when nobody listens, and false
/// when there will be no news any more.
async fn wait(
    watch: &mut Watch,
    next: Instant,
    desired: &Desired,
    carriers: &mut Carriers,
    say: &mut impl FnMut(Word) -> bool,
) -> Option<bool> {
    let mut until = next;
    loop {
        match timeout_at(until, watch.next()).await {
            Err(_) => return Some(true),
            Ok(None) => return Some(false),
            Ok(Some(news)) => {
                if let Some(word) = carriers.note(&news, desired)
                    && !say(word)
                {
                    return None;
                }
                until = until.min(Instant::now() + BURST);
            }
        }
    }
}

/// Reads, mends what differs, and reads again. Returns what to tell.
async fn check(hands: &mut Hands, desired: &Desired) -> Vec<Word> {
    let mut words = Vec::new();
    for _ in 0..TRIES {
        match hands.look(desired).await {
            Ok(fence) => {
                words.push(Word::Whole(fence));
                return words;
            }
            Err(NoFence::Differs(drifts)) => words.push(Word::Broken(drifts)),
            Err(other) => words.push(Word::Beyond(chain(&other))),
        }
        if let Err(why) = hands.raise(desired).await {
            words.push(Word::Beyond(chain(&why)));
        }
    }
    words
}

/// Returns an error with all its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    text
}

/// The links whose layer below is away.
#[derive(Debug, Default)]
struct Carriers(std::collections::BTreeSet<String>);

impl Carriers {
    fn note(&mut self, news: &News, desired: &Desired) -> Option<Word> {
        let (row, up) = match news {
            News::Device(row) => (row, row.carrier && row.up),
            News::Gone(row) => (row, false),
            News::Changed => return None,
        };
        let ours = desired.link(&row.name)?;
        // A tunnel has no cable; its associations say whether it carries.
        if matches!(ours.kind, LinkKind::Gre(_)) {
            return None;
        }
        let changed = if up {
            self.0.remove(&row.name)
        } else {
            self.0.insert(row.name.clone())
        };
        changed.then(|| Word::Carrier {
            link: row.name.clone(),
            up,
        })
    }
}
