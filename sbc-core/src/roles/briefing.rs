//! The start of a child: words of `init` come in over standard input, all that
//! the role works with goes out.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, poll};
use sbc_config::Node;
use tokio::io::unix::AsyncFd;

use crate::ipc::{
    self, Broken, Channel, FromChild, ListenerName, Neighbour, Network, Received, ToChild,
};

/// The way to `init`.
pub type Control = Channel<FromChild, ToChild>;

/// What a role is started with.
#[derive(Debug)]
pub struct Briefing {
    pub control: Control,
    pub node: Node,
    /// What it was made from, and its number.
    pub text: String,
    pub revision: u32,
    pub listeners: Vec<(ListenerName, Option<OwnedFd>)>,
    pub neighbours: BTreeMap<Neighbour, OwnedFd>,
    /// How the network stands.
    pub network: Network,
    /// The file with records of calls that were up before a restart.
    pub journal: Option<OwnedFd>,
}

impl Briefing {
    /// Reads everything up to the word to begin. The process ends with its
    /// parent from here on.
    ///
    /// # Errors
    /// When the parent is gone or says something that is no briefing.
    pub fn read() -> anyhow::Result<Self> {
        let signal = rustix::process::Signal::KILL;
        rustix::process::set_parent_process_death_signal(Some(signal))?;
        let control = Control::new(std::io::stdin().as_fd().try_clone_to_owned()?)?;
        let (mut text, mut revision) = (None, 0);
        let mut listeners = Vec::new();
        let mut neighbours = BTreeMap::new();
        let mut journal = None;
        let mut network = Network::default();
        let mut scratch = Vec::new();
        loop {
            let (message, descriptors) = next(&control, &mut scratch)?;
            match message {
                ToChild::Configuration { revision: number } => {
                    revision = number;
                    text = Some(read_text(descriptors)?);
                }
                ToChild::Listeners(names) => {
                    listeners.extend(paired(names, descriptors));
                }
                ToChild::Neighbour(name) => {
                    let ends = descriptors.into_iter().map(|end| (name, end));
                    neighbours.extend(ends);
                }
                ToChild::Journal => journal = descriptors.into_iter().next(),
                ToChild::Begin => break,
                ToChild::There(number) => control.send(&FromChild::Here(number), &[])?,
                ToChild::Network(stands) => network = stands,
                ToChild::Answer { .. } | ToChild::Fit { .. } | ToChild::StoreKey { .. } => {}
                ToChild::Stop => bail!("stopped before the start"),
            }
        }
        let text = text.context("no configuration came")?;
        let node = sbc_config::check(&text).node;
        Ok(Self {
            control,
            node: node.context("the configuration makes no sense")?,
            text,
            revision,
            listeners,
            neighbours,
            network,
            journal,
        })
    }
}

/// Returns the next word of `init` and what came along with it. Words nobody can
/// read are passed over.
///
/// # Errors
/// When `init` is gone.
pub async fn hear(
    control: &AsyncFd<Control>,
    scratch: &mut Vec<u8>,
) -> Result<(ToChild, Vec<OwnedFd>), Broken> {
    loop {
        if let Some(first) = ipc::next(control, scratch).await?.first() {
            return Ok(first);
        }
    }
}

fn next(control: &Control, scratch: &mut Vec<u8>) -> anyhow::Result<(ToChild, Vec<OwnedFd>)> {
    loop {
        if let Some(first) = control.receive(scratch)?.and_then(Received::first) {
            return Ok(first);
        }
        poll(&mut [PollFd::new(control, PollFlags::IN)], None)?;
    }
}

/// Gives each open socket its name; a closed one has none.
pub fn paired(
    names: Vec<ListenerName>,
    sockets: Vec<OwnedFd>,
) -> Vec<(ListenerName, Option<OwnedFd>)> {
    let mut sockets = sockets.into_iter();
    let each = names.into_iter().map(|name| {
        let socket = if name.open { sockets.next() } else { None };
        (name, socket)
    });
    each.collect()
}

/// Reads the whole file by place: its position is shared with other children.
pub fn read_text(descriptors: Vec<OwnedFd>) -> anyhow::Result<String> {
    let file = descriptors.into_iter().next();
    let file = file.context("no configuration came along")?;
    let (mut text, mut page) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let at = u64::try_from(text.len())?;
        match rustix::io::pread(&file, &mut page, at)? {
            0 => return Ok(String::from_utf8(text)?),
            length => text.extend_from_slice(page.get(..length).unwrap_or_default()),
        }
    }
}
