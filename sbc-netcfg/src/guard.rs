//! The fence is kept: what must be comes in once, and again when it changes; the
//! kernel is read on every piece of news and every few seconds besides. A fence that
//! is broken is told at once, named, and mended.

use std::collections::BTreeSet;
use std::time::Duration;

use sbc_plan::desired::{Desired, Link, LinkKind};
use sbc_plan::{Drift, Fence, Step, plan, verify};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::apply::{Failed, Hands};
use crate::error::KernelError;
use crate::netlink::watch::{News, Watch};

/// The kernel is read this often, whatever it tells: some switches change without
/// news, and news may be lost.
pub const READ_EVERY: Duration = Duration::from_secs(5);

/// News come in bursts; what comes within this time is looked at together.
const BURST: Duration = Duration::from_millis(20);

/// Between two looks, so that neighbours that come and go all the time cost little.
const REST: Duration = Duration::from_millis(250);

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
        for step in &plan.steps {
            tracing::debug!("{step}");
        }
        let told = |step: &&Step| {
            matches!(
                step,
                Step::LoadConnection { .. } | Step::UnloadConnection(_)
            )
        };
        let connections = plan.steps.iter().filter(told).count();
        let steps = plan.steps.len() - connections;
        tracing::info!(steps, connections, "network plan");
        self.apply(&plan, &observed).await.map_err(NoFence::Unset)?;
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

/// Watches over a fence: news of the kernel come in, when to look and what to tell go
/// out.
#[derive(Debug)]
pub struct Guard {
    watch: Watch,
    due: Instant,
    /// No look before this, whatever the news.
    rests_until: Instant,
    /// The kernel's socket ended: readings go on without news.
    deaf: bool,
    /// Links whose layer below is away.
    away: BTreeSet<String>,
}

impl Guard {
    /// Subscribes to the kernel's news; the first look is due at once.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn open() -> Result<Self, KernelError> {
        Ok(Self {
            watch: Watch::open()?,
            due: Instant::now(),
            rests_until: Instant::now(),
            deaf: false,
            away: BTreeSet::new(),
        })
    }

    /// Returns when the fence is to be looked at, or with a carrier that came or went
    /// before that. It may be left at any moment and called again.
    pub async fn wait(&mut self, desired: &Desired) -> Option<Word> {
        loop {
            if self.deaf {
                sleep_until(self.due).await;
                return None;
            }
            match timeout_at(self.due, self.watch.next()).await {
                Err(_) => return None,
                Ok(None) => self.deaf = true,
                Ok(Some(news)) => {
                    let soon = (Instant::now() + BURST).max(self.rests_until);
                    self.due = self.due.min(soon);
                    if let Some(word) = self.carrier(&news, desired) {
                        return Some(word);
                    }
                }
            }
        }
    }

    /// Reads, tells what differs before anything is done, mends it, and reads again.
    /// A reading that is under way must be let come to its end.
    pub async fn look(&mut self, hands: &mut Hands, desired: &Desired, mut say: impl FnMut(Word)) {
        for _ in 0..TRIES {
            match hands.look(desired).await {
                Ok(fence) => {
                    say(Word::Whole(fence));
                    break;
                }
                Err(NoFence::Differs(drifts)) => say(Word::Broken(drifts)),
                Err(other) => say(Word::Beyond(chain(&other))),
            }
            if let Err(why) = hands.raise(desired).await {
                say(Word::Beyond(chain(&why)));
            }
        }
        // News may be lost; a carrier is read besides.
        if let Ok(read) = hands.carriers(desired).await {
            for (link, up) in read {
                self.note(&link, up).into_iter().for_each(&mut say);
            }
        }
        let now = Instant::now();
        self.due = now + READ_EVERY;
        self.rests_until = now + REST;
    }

    fn carrier(&mut self, news: &News, desired: &Desired) -> Option<Word> {
        let (row, up) = match news {
            News::Device(row) => (row, row.carrier && row.up),
            News::Gone(row) => (row, false),
            News::Changed => return None,
        };
        let ours = desired.link(&row.name)?;
        if has_cable(&ours.kind) {
            self.note(&row.name, up)
        } else {
            None
        }
    }

    fn note(&mut self, link: &str, up: bool) -> Option<Word> {
        let changed = if up {
            self.away.remove(link)
        } else {
            self.away.insert(link.to_owned())
        };
        let link = link.to_owned();
        changed.then_some(Word::Carrier { link, up })
    }
}

/// A tunnel has no cable; its associations say whether it carries.
const fn has_cable(kind: &LinkKind) -> bool {
    !matches!(kind, LinkKind::Gre(_))
}

impl Hands {
    /// Returns each link of `desired` that has a cable, and whether it is in.
    ///
    /// # Errors
    /// When the devices cannot be read.
    pub async fn carriers(&self, desired: &Desired) -> Result<Vec<(String, bool)>, KernelError> {
        let rows = self.netlink.links().await?;
        let ours = desired.links.iter().filter(|link| has_cable(&link.kind));
        let carrier = |link: &Link| {
            let row = rows.iter().find(|row| row.name == link.name);
            (
                link.name.clone(),
                row.is_some_and(|row| row.carrier && row.up),
            )
        };
        Ok(ours.map(carrier).collect())
    }
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
