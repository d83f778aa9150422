//! The work of the role, one thing after the other: an order is done whole or not
//! at all, and between orders the fence is watched, mended and told of.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use sbc_config::Node;
use sbc_netcfg::apply::Hands;
use sbc_netcfg::guard::{Guard, chain};
use sbc_netcfg::ports;
use sbc_netcfg::vpn::Event;
use sbc_plan::{Desired, Fence, desired};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::questions::Shared;
use super::sockets::Sockets;
use super::standing::{Told, cut};
use super::tunnels::Tunnels;
use super::{Order, Voice};
use crate::ipc::{DESCRIPTORS_MAX, FromChild, ListenerName, Unfit};

/// A first fence that could not be raised is tried again after this pause: a port
/// may come late.
const AGAIN: Duration = Duration::from_secs(5);

/// What stands.
#[derive(Debug)]
struct Live {
    desired: Desired,
    id: u64,
}

/// All that the role holds.
#[derive(Debug)]
pub struct Work {
    voice: Voice,
    hands: Hands,
    guard: Guard,
    sockets: Sockets,
    tunnels: Tunnels,
    told: Told,
    live: Option<Live>,
    /// For those who answer questions.
    board: Shared,
}

impl Work {
    /// Takes the way to `init` and the sockets it kept.
    ///
    /// # Errors
    /// When the kernel gives no way to its tables.
    pub fn begin(
        voice: Voice,
        open: Vec<(ListenerName, OwnedFd)>,
        board: Shared,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            voice,
            hands: Hands::open()?,
            guard: Guard::open()?,
            sockets: Sockets::kept(open),
            tunnels: Tunnels::default(),
            told: Told::default(),
            live: None,
            board,
        })
    }

    /// Works until nobody gives orders any more.
    ///
    /// # Errors
    /// When `init` is gone.
    pub async fn go_on(mut self, mut orders: mpsc::Receiver<Order>) -> anyhow::Result<()> {
        let mut again: Option<Order> = None;
        loop {
            let none = Desired::default();
            let stands = self.live.is_some();
            let desired = self.live.as_ref().map_or(&none, |live| &live.desired);
            tokio::select! {
                order = orders.recv() => {
                    let Some(order) = order else { return Ok(()) };
                    again = self.follow(order).await?;
                }
                word = self.guard.wait(desired), if stands => match word {
                    Some(word) => self.told.hear(word, desired),
                    None => self.look().await,
                },
                event = self.tunnels.next() => {
                    if let Some(event) = event {
                        self.pin(&event);
                        self.told.note(event);
                    }
                }
                () = sleep(AGAIN), if again.is_some() => {
                    if let Some(order) = again.take() {
                        again = self.follow(order).await?;
                    }
                }
            }
            self.tell();
        }
    }

    async fn look(&mut self) {
        let Some(live) = &self.live else { return };
        let (told, voice, desired) = (&mut self.told, &self.voice, &live.desired);
        let say = |word| {
            told.hear(word, desired);
            // Trunks close before anything is mended.
            tell(told, voice);
        };
        self.guard.look(&mut self.hands, desired, say).await;
    }

    /// Keeps on the board what charon showed.
    fn pin(&self, event: &Event) {
        let mut board = self.board.borrow_mut();
        match event {
            Event::State(state) => board.vpn = state.clone(),
            Event::Down(name) => *board.downs.entry(name.clone()).or_default() += 1,
            _ => {}
        }
    }

    fn tell(&mut self) {
        self.board.borrow_mut().network = self.told.network().clone();
        tell(&mut self.told, &self.voice);
    }

    /// Does an order, and says what became of it. Returns it if it is to be tried
    /// again: nothing stands yet.
    async fn follow(&mut self, order: Order) -> anyhow::Result<Option<Order>> {
        let id = order.id;
        let unfit = match self.fit(&order).await {
            Ok((desired, opened)) => {
                self.hand_over(&opened).await?;
                let tunnels = self.tunnels.keep(&desired, &order.secrets);
                self.told.raised(tunnels, &desired);
                tracing::info!(
                    id,
                    links = desired.links.len(),
                    tunnels = desired.connections.len(),
                    opened = opened.len(),
                    "the fence stands"
                );
                self.board.borrow_mut().desired = desired.clone();
                self.live = Some(Live { desired, id });
                None
            }
            Err(unfit) => Some(unfit),
        };
        let failed = unfit.is_some();
        if let Some(Unfit::Network(why) | Unfit::Socket(why)) = &unfit {
            tracing::error!(id, why, "the network cannot be made what it must be");
            if self.live.is_none() {
                self.told.absent(why);
            }
        }
        self.tell();
        self.voice
            .say(&FromChild::Fitted { id, unfit }, &[])
            .await?;
        if !failed {
            self.voice.say(&FromChild::Ready, &[]).await?;
        }
        let again = failed && self.live.is_none();
        Ok(again.then_some(order))
    }

    /// Makes the network what the order asks for, and opens its sockets. When
    /// anything fails all is as before.
    async fn fit(
        &mut self,
        order: &Order,
    ) -> Result<(Desired, Vec<(ListenerName, OwnedFd)>), Unfit> {
        let node = sbc_config::check(&order.text).node;
        let node = node.ok_or_else(|| Unfit::Network("a configuration without sense".into()))?;
        let devices = node.interfaces.values().map(|one| one.device.as_str());
        let wanted = desired(&node, &ports::find(devices), &crate::jail::users());
        let raised = self.hands.raise(&wanted).await;
        let fence = match raised {
            Ok(fence) => fence,
            Err(why) => {
                let why = cut(&chain(&why));
                self.go_back().await;
                return Err(Unfit::Network(why));
            }
        };
        match self.open(&node, &fence) {
            Ok(opened) => Ok((wanted, opened)),
            Err(why) => {
                self.go_back().await;
                Err(Unfit::Socket(cut(&format!("{why:#}"))))
            }
        }
    }

    fn open(&mut self, node: &Node, fence: &Fence) -> anyhow::Result<Vec<(ListenerName, OwnedFd)>> {
        let opened = self.sockets.open(node, fence)?;
        self.sockets.keep(node, &opened)?;
        Ok(opened)
    }

    /// Puts what stood before in force again.
    async fn go_back(&mut self) {
        let Some(live) = &self.live else { return };
        if let Err(why) = self.hands.raise(&live.desired).await {
            // The guard tells of it, and goes on trying.
            tracing::error!(
                id = live.id,
                why = chain(&why),
                "what stood before is not back"
            );
        }
    }

    /// Gives `init` the sockets that were opened, in as many words as they need.
    async fn hand_over(&self, opened: &[(ListenerName, OwnedFd)]) -> anyhow::Result<()> {
        for part in opened.chunks(DESCRIPTORS_MAX) {
            let names = part.iter().map(|(name, _)| name.clone()).collect();
            let along: Vec<_> = part.iter().map(|(_, socket)| socket.as_fd()).collect();
            self.voice.say(&FromChild::Listeners(names), &along).await?;
        }
        Ok(())
    }
}

fn tell(told: &mut Told, voice: &Voice) {
    if let Some(network) = told.take()
        && !voice.try_say(&FromChild::Network(network))
    {
        told.unheard();
    }
}
