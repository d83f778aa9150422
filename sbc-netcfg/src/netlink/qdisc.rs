//! Shapers: a hierarchy of token buckets on a device (tc-htb(8)), a class for
//! voice before one for the rest, with plain or fair queues below. rtnetlink has no
//! types for these, so their attributes are written octet by octet
//! (`linux/pkt_sched.h`), in the byte order of the machine.

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL, Nla, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};

use super::Netlink;
use crate::error::KernelError;

/// TCA_HTB_PARMS, TCA_HTB_INIT and TCA_HTB_RATE64 with TCA_HTB_CEIL64.
const HTB_PARMS: u16 = 1;
const HTB_INIT: u16 = 2;
const HTB_RATE64: u16 = 6;
const HTB_CEIL64: u16 = 7;

/// The version of the token bucket hierarchy, and its usual rate-to-quantum.
const HTB_VERSION: u32 = 3;
const HTB_RATE_TO_QUANTUM: u32 = 10;

/// TC_LINKLAYER_ETHERNET: the kernel counts octets itself, without a table.
const LINKLAYER_ETHERNET: u8 = 1;

/// Nanoseconds in a tick of the packet scheduler's clock (PSCHED_SHIFT 6).
const TICK_NANOS: u64 = 64;

/// A bucket holds what its rate carries in ten milliseconds, and two packets of
/// full size at least.
const BURST_MILLIS: u64 = 10;
const BURST_LEAST: u64 = 2 * 1600;

/// A class of a shaper.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Class {
    /// The lower half of its handle; the upper is that of the shaper, 1.
    pub minor: u16,
    /// Its parent's; 0 stands for the shaper itself.
    pub parent: u16,
    /// Octets a second it is given, and the most it may borrow up to.
    pub rate: u64,
    pub ceiling: u64,
    /// 0 goes first.
    pub priority: u32,
}

/// A queueing discipline at the root of a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QdiscRow {
    pub index: u32,
    pub kind: String,
    pub major: u16,
    /// The class of what names none.
    pub default: u16,
    /// Classes it holds: rates and priorities.
    pub classes: Vec<Class>,
}

/// The major number of every shaper of ours.
pub const MAJOR: u16 = 1;

impl Netlink {
    /// Returns the disciplines that somebody set at the root of a device; those the
    /// kernel gives by itself have no number and are left out.
    ///
    /// # Errors
    /// When the kernel does not show them.
    pub async fn qdiscs(&self) -> Result<Vec<QdiscRow>, KernelError> {
        let ask = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
        let rows = self.dump("list of shapers", ask).await?;
        let mut all: Vec<QdiscRow> = rows.iter().filter_map(row).collect();
        for qdisc in &mut all {
            if qdisc.kind == "htb" {
                qdisc.classes = self.classes(qdisc.index).await?;
            }
        }
        Ok(all)
    }

    async fn classes(&self, index: u32) -> Result<Vec<Class>, KernelError> {
        let mut ask = TcMessage::default();
        ask.header.index = signed(index);
        let ask = RouteNetlinkMessage::GetTrafficClass(ask);
        let rows = self.dump("list of a shaper's classes", ask).await?;
        Ok(rows.iter().filter_map(class).collect())
    }

    /// Puts a shaper on a device; what is sent without a class gets `default`.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn add_shaper(&self, index: u32, default: u16) -> Result<(), KernelError> {
        let mut init = Vec::new();
        for word in [HTB_VERSION, HTB_RATE_TO_QUANTUM, u32::from(default), 0, 0] {
            init.extend_from_slice(&word.to_ne_bytes());
        }
        let mut message = htb(index, MAJOR, 0);
        message.header.parent = TcHandle::ROOT;
        message.attributes.push(options(vec![(HTB_INIT, init)]));
        let message = RouteNetlinkMessage::NewQueueDiscipline(message);
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.act("shaper", message, flags).await
    }

    /// Removes the shaper of a device with all of its classes.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn remove_shaper(&self, index: u32) -> Result<(), KernelError> {
        let mut message = htb(index, MAJOR, 0);
        message.header.parent = TcHandle::ROOT;
        let message = RouteNetlinkMessage::DelQueueDiscipline(message);
        self.act("removing the shaper", message, 0).await
    }

    /// Adds a class to the shaper of a device.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn add_class(&self, index: u32, class: &Class) -> Result<(), KernelError> {
        let mut message = htb(index, MAJOR, class.minor);
        message.header.parent = TcHandle {
            major: MAJOR,
            minor: class.parent,
        };
        let mut all = vec![(HTB_PARMS, parameters(class))];
        all.push((HTB_RATE64, class.rate.to_ne_bytes().to_vec()));
        all.push((HTB_CEIL64, class.ceiling.to_ne_bytes().to_vec()));
        message.attributes.push(options(all));
        let message = RouteNetlinkMessage::NewTrafficClass(message);
        let what = format!("class {MAJOR}:{:x} of the shaper", class.minor);
        self.act(&what, message, NLM_F_CREATE | NLM_F_EXCL).await
    }

    /// Puts a queue of `kind` without options below a class: `fq`, `fq_codel`,
    /// `pfifo`.
    ///
    /// # Errors
    /// What the kernel said; it may not know the kind.
    pub async fn add_queue(&self, index: u32, below: u16, kind: &str) -> Result<(), KernelError> {
        let mut message = TcMessage::default();
        message.header.index = signed(index);
        message.header.parent = TcHandle {
            major: MAJOR,
            minor: below,
        };
        message.attributes.push(TcAttribute::Kind(kind.to_owned()));
        let message = RouteNetlinkMessage::NewQueueDiscipline(message);
        let what = format!("queue {kind} below {MAJOR}:{below:x}");
        self.act(&what, message, NLM_F_CREATE | NLM_F_EXCL).await
    }
}

fn signed(index: u32) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

fn htb(index: u32, major: u16, minor: u16) -> TcMessage {
    let mut message = TcMessage::default();
    message.header.index = signed(index);
    message.header.handle = TcHandle { major, minor };
    message.attributes.push(TcAttribute::Kind("htb".to_owned()));
    message
}

fn options(all: Vec<(u16, Vec<u8>)>) -> TcAttribute {
    let nla = |(kind, value)| TcOption::Other(DefaultNla::new(kind, value));
    TcAttribute::Options(all.into_iter().map(nla).collect())
}

/// `struct tc_htb_opt`: two `tc_ratespec`, then bucket sizes as time, quantum,
/// level and priority.
fn parameters(class: &Class) -> Vec<u8> {
    let mut octets = Vec::new();
    for rate in [class.rate, class.ceiling] {
        // cell_log, linklayer, overhead, cell_align, mpu, rate.
        octets.extend_from_slice(&[0, LINKLAYER_ETHERNET, 0, 0, 0, 0, 0, 0]);
        let short = u32::try_from(rate).unwrap_or(u32::MAX);
        octets.extend_from_slice(&short.to_ne_bytes());
    }
    for rate in [class.rate, class.ceiling] {
        octets.extend_from_slice(&bucket_ticks(rate).to_ne_bytes());
    }
    for word in [0, 0, class.priority] {
        octets.extend_from_slice(&u32::to_ne_bytes(word));
    }
    octets
}

fn bucket_ticks(rate: u64) -> u32 {
    let burst = (rate.saturating_mul(BURST_MILLIS) / 1000).max(BURST_LEAST);
    let nanos = burst
        .saturating_mul(1_000_000_000)
        .checked_div(rate)
        .unwrap_or(0);
    u32::try_from(nanos / TICK_NANOS).unwrap_or(u32::MAX)
}

fn row(message: &RouteNetlinkMessage) -> Option<QdiscRow> {
    let RouteNetlinkMessage::NewQueueDiscipline(message) = message else {
        return None;
    };
    let at_root = message.header.parent == TcHandle::ROOT;
    if !at_root || message.header.handle.major == 0 {
        return None;
    }
    let init = read_options(message);
    let init = init.iter().find(|(kind, _)| *kind == HTB_INIT);
    let default = init.map_or(0, |(_, value)| word(value, 8));
    Some(QdiscRow {
        default: u16::try_from(default).unwrap_or_default(),
        index: u32::try_from(message.header.index).ok()?,
        kind: kind(message)?,
        major: message.header.handle.major,
        classes: Vec::new(),
    })
}

fn kind(message: &TcMessage) -> Option<String> {
    message.attributes.iter().find_map(|one| match one {
        TcAttribute::Kind(kind) => Some(kind.clone()),
        _ => None,
    })
}

fn class(message: &RouteNetlinkMessage) -> Option<Class> {
    let RouteNetlinkMessage::NewTrafficClass(message) = message else {
        return None;
    };
    let parent = message.header.parent;
    let mut class = Class {
        minor: message.header.handle.minor,
        parent: if parent == TcHandle::ROOT {
            0
        } else {
            parent.minor
        },
        rate: 0,
        ceiling: 0,
        priority: 0,
    };
    for (kind, value) in read_options(message) {
        read_option(kind, &value, &mut class);
    }
    Some(class)
}

/// Returns the options of a kind the crate does not know: it leaves them in one
/// piece, as the attribute that holds them all.
fn read_options(message: &TcMessage) -> Vec<(u16, Vec<u8>)> {
    let mut all = Vec::new();
    for attribute in &message.attributes {
        let TcAttribute::Options(options) = attribute else {
            continue;
        };
        for option in options {
            let TcOption::Other(whole) = option else {
                continue;
            };
            let mut octets = vec![0; whole.value_len()];
            whole.emit_value(&mut octets);
            let parts = NlasIterator::new(octets.as_slice()).flatten();
            all.extend(parts.map(|nla| (nla.kind(), nla.value().to_vec())));
        }
    }
    all
}

fn read_option(kind: u16, value: &[u8], class: &mut Class) {
    let long = || value.get(..8).and_then(|w| w.try_into().ok());
    match kind {
        HTB_PARMS => {
            if class.rate == 0 {
                class.rate = word(value, 8).into();
                class.ceiling = word(value, 20).into();
            }
            class.priority = word(value, 40);
        }
        HTB_RATE64 => class.rate = long().map_or(class.rate, u64::from_ne_bytes),
        HTB_CEIL64 => class.ceiling = long().map_or(class.ceiling, u64::from_ne_bytes),
        _ => {}
    }
}

fn word(value: &[u8], at: usize) -> u32 {
    let octets = value.get(at..at + 4).and_then(|w| w.try_into().ok());
    octets.map_or(0, u32::from_ne_bytes)
}
