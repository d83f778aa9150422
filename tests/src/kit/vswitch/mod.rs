//! A switch for VLANs in user space: guests' cables and TAP devices in
//! namespaces come in, frames go where a switch would send them; each frame that
//! entered is kept and written to a pcap file of its VLAN.
//!
//! ```no_run
//! # fn main() -> Result<(), String> {
//! # use std::path::Path;
//! # use sbc_tests::kit::vswitch::{Switch, frame::{ESP, carried}};
//! let mut switch = Switch::new(Path::new("where/captures/go"))?;
//! let node = switch.trunk("node", &[])?;      // all VLANs; planned.card(&node.socket)
//! let peer = switch.access("peer", 10)?;      // a guest's card without tags
//! let server = switch.tap("ms1", "a-namespace", "eth0", 20, Some("10.20.0.2/24"))?;
//! // … the story …
//! switch.only(10, |seen| {
//!     let carried = carried(&seen.frame);
//!     carried.is_arp() || carried.is_ike() || carried.is(ESP)
//! })?;
//! # let _ = (peer, server); Ok(()) }
//! ```

pub mod fault;
pub mod forge;
pub mod frame;
pub mod pcap;
mod port;
#[cfg(test)]
mod tests;

pub use port::{read_frame, write_frame};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fault::{Dice, Fate, Faults};
use frame::{Mac, addresses, is_group, tagged, untagged};
use pcap::Pcap;
use port::{Leaving, Port, Taker};

/// Frames kept in memory: a story of a minute at full speed. What comes behind
/// is counted, and then no statement about "nothing else" is made.
const KEPT: usize = 400_000;
/// Addresses learned: more than a lab has, fewer than an attacker can make up.
const LEARNED: usize = 4096;
/// Where frames are noted that belong to no VLAN: untagged on a trunk, tagged on
/// an access port, of a VLAN the trunk does not carry.
pub const NOWHERE: u16 = 0;
/// The VLAN's number in a tag.
const VLAN_BITS: u16 = 0x0fff;
/// How many frames an objection shows.
const SHOWN: usize = 8;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A place for a cable.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which port this is.
    pub id: usize,
    /// Where a guest's card connects; empty for a TAP device.
    pub socket: PathBuf,
}

/// One frame that entered the switch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// When, since the switch was made.
    pub at: Duration,
    /// The port it came in by; nothing for a forged one.
    pub from: Option<usize>,
    /// Its VLAN, or [`NOWHERE`].
    pub vlan: u16,
    /// The tag it came with: priority and VLAN.
    pub tag: Option<u16>,
    /// The frame without that tag.
    pub frame: Vec<u8>,
}

/// What a port did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Frames that came in.
    pub received: u64,
    /// Of these, how many belong to no VLAN and went nowhere.
    pub refused: u64,
    /// Frames that went out, forged ones and doubles among them.
    pub sent: u64,
    /// Frames that were made up here and went out.
    pub forged: u64,
    /// Frames lost by [`Faults`].
    pub lost: u64,
    /// Frames that went out twice by them.
    pub doubled: u64,
    /// Frames spoiled by them.
    pub spoiled: u64,
    /// Frames the far end did not take in time.
    pub overflowed: u64,
}

/// The switch. Dropping it ends its ports and writes its captures out.
#[derive(Debug)]
pub struct Switch {
    core: Arc<Mutex<Core>>,
    ports: Vec<Port>,
    sockets: PathBuf,
}

#[derive(Debug)]
struct Core {
    since: Instant,
    folder: PathBuf,
    sides: Vec<Side>,
    learned: BTreeMap<(u16, Mac), usize>,
    seen: Vec<Seen>,
    unseen: u64,
    captures: BTreeMap<u16, Pcap>,
}

#[derive(Debug)]
struct Side {
    name: String,
    kind: Kind,
    queue: Option<SyncSender<Leaving>>,
    counters: Counters,
    faults: Faults,
    dice: Dice,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    /// Tagged, all VLANs when the list is empty.
    Trunk(Vec<u16>),
    /// Untagged, one VLAN.
    Access(u16),
}

impl Switch {
    /// Makes a switch whose captures go to `folder`, as `vlan-NUMBER.pcap`.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn new(folder: &Path) -> Result<Self, String> {
        let sockets = port::short_folder(COUNT.fetch_add(1, Ordering::Relaxed));
        for folder in [folder, &sockets] {
            std::fs::create_dir_all(folder)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let core = Core {
            since: Instant::now(),
            folder: folder.to_owned(),
            sides: Vec::new(),
            learned: BTreeMap::new(),
            seen: Vec::new(),
            unseen: 0,
            captures: BTreeMap::new(),
        };
        Ok(Self {
            core: Arc::new(Mutex::new(core)),
            ports: Vec::new(),
            sockets,
        })
    }

    /// Adds a port for a guest's card that tags its frames. It carries the VLANs
    /// of the list, or all.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn trunk(&mut self, name: &str, vlans: &[u16]) -> Result<Place, String> {
        self.socket(name, Kind::Trunk(vlans.to_vec()))
    }

    /// Adds a port for a guest's card that knows no tags.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn access(&mut self, name: &str, vlan: u16) -> Result<Place, String> {
        self.socket(name, Kind::Access(vlan))
    }

    /// Makes a TAP device in a namespace (its whole name) and joins it to a VLAN.
    ///
    /// # Errors
    /// When the kernel says no.
    pub fn tap(
        &mut self,
        name: &str,
        place: &str,
        device: &str,
        vlan: u16,
        address: Option<&str>,
    ) -> Result<Place, String> {
        let id = self.side(name, Kind::Access(vlan));
        let port = Port::tap(place, device, address, self.taker(id))?;
        self.join(id, port);
        Ok(Place {
            id,
            socket: PathBuf::new(),
        })
    }

    fn socket(&mut self, name: &str, kind: Kind) -> Result<Place, String> {
        let id = self.side(name, kind);
        let socket = self.sockets.join(id.to_string());
        let port = Port::socket(socket.clone(), self.taker(id))
            .map_err(|error| format!("{}: {error}", socket.display()))?;
        self.join(id, port);
        Ok(Place { id, socket })
    }

    fn side(&mut self, name: &str, kind: Kind) -> usize {
        let mut core = self.lock();
        let id = core.sides.len();
        core.sides.push(Side {
            name: name.to_owned(),
            kind,
            queue: None,
            counters: Counters::default(),
            faults: Faults::default(),
            dice: Dice::new(id as u64 + 1),
        });
        id
    }

    fn taker(&self, id: usize) -> Taker {
        let core = Arc::clone(&self.core);
        Box::new(move |frame| lock(&core).enter(id, &frame))
    }

    fn join(&mut self, id: usize, port: Port) {
        if let Some(side) = self.lock().sides.get_mut(id) {
            side.queue = Some(port.queue.clone());
        }
        self.ports.push(port);
    }

    /// Sets how bad the cable at a port is from here on.
    pub fn spoil(&self, place: &Place, faults: Faults) {
        if let Some(side) = self.lock().sides.get_mut(place.id) {
            side.faults = faults;
        }
    }

    /// Sends a frame out of a port exactly as it is, tags or none, whatever the
    /// port's VLAN. It is noted as seen, from nobody.
    pub fn forge(&self, place: &Place, frame: &[u8]) {
        self.lock().forge(place.id, frame);
    }

    /// Takes a frame as if it had come in by this port.
    pub fn enter(&self, place: &Place, frame: &[u8]) {
        self.lock().enter(place.id, frame);
    }

    /// Returns what a port did so far.
    #[must_use]
    pub fn counters(&self, place: &Place) -> Counters {
        let core = self.lock();
        core.sides
            .get(place.id)
            .map(|side| side.counters)
            .unwrap_or_default()
    }

    /// Returns whether a guest's card is at the far end of this port.
    #[must_use]
    pub fn is_joined(&self, place: &Place) -> bool {
        self.ports.get(place.id).is_some_and(Port::is_joined)
    }

    /// Returns the time since the switch was made.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.lock().since.elapsed()
    }

    /// Returns each frame that entered on a VLAN so far.
    #[must_use]
    pub fn seen(&self, vlan: u16) -> Vec<Seen> {
        let core = self.lock();
        let of_it = core.seen.iter().filter(|seen| seen.vlan == vlan);
        of_it.cloned().collect()
    }

    /// Returns each frame that came in by a port so far, whatever its VLAN.
    #[must_use]
    pub fn seen_from(&self, place: &Place) -> Vec<Seen> {
        let core = self.lock();
        let of_it = core.seen.iter().filter(|seen| seen.from == Some(place.id));
        of_it.cloned().collect()
    }

    /// Asserts that nothing else was on a VLAN than what `expected` knows.
    ///
    /// # Errors
    /// The first of what else was there, a line each; or that the switch saw
    /// more than it could keep.
    pub fn only(&self, vlan: u16, expected: impl Fn(&Seen) -> bool) -> Result<(), String> {
        let core = self.lock();
        if core.unseen > 0 {
            return Err(format!(
                "{} frames were not kept: nothing can be said",
                core.unseen
            ));
        }
        let on_it = core.seen.iter().filter(|seen| seen.vlan == vlan);
        let others: Vec<&Seen> = on_it.filter(|seen| !expected(seen)).collect();
        if others.is_empty() {
            return Ok(());
        }
        let mut text = format!("{} other frames were on VLAN {vlan}:", others.len());
        for seen in others.iter().take(SHOWN) {
            text.push_str("\n  ");
            text.push_str(&core.describe(seen));
        }
        Err(text)
    }

    /// Waits until the frames of a VLAN satisfy `holds`.
    ///
    /// # Errors
    /// What was there last, when it is not so within `within`.
    pub fn until(
        &self,
        vlan: u16,
        within: Duration,
        holds: impl Fn(&[Seen]) -> bool,
    ) -> Result<(), String> {
        let since = Instant::now();
        loop {
            let seen = self.seen(vlan);
            if holds(&seen) {
                return Ok(());
            }
            if since.elapsed() > within {
                let core = self.lock();
                let last = seen.iter().rev().take(SHOWN);
                let lines: Vec<String> = last.map(|seen| core.describe(seen)).collect();
                return Err(format!(
                    "not within {within:?}; the last of {} frames on VLAN {vlan}:\n  {}",
                    seen.len(),
                    lines.join("\n  ")
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Writes the captures out, so that they can be read.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn flush(&self) -> Result<(), String> {
        let mut core = self.lock();
        for capture in core.captures.values_mut() {
            capture.flush().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        for side in &mut self.lock().sides {
            side.queue = None;
        }
        for port in self.ports.drain(..) {
            port.end();
        }
        let _unwritten = self.flush();
        let _gone = std::fs::remove_dir_all(&self.sockets);
    }
}

fn lock(core: &Mutex<Core>) -> MutexGuard<'_, Core> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    fn enter(&mut self, from: usize, raw: &[u8]) {
        let Some(side) = self.sides.get_mut(from) else {
            return;
        };
        if side.faults.is_cut {
            side.counters.lost += 1;
            return;
        }
        side.counters.received += 1;
        let (tag, inner) = untagged(raw);
        let Some(vlan) = side.kind.vlan(tag) else {
            side.counters.refused += 1;
            self.note(Some(from), NOWHERE, tag, raw.to_vec());
            return;
        };
        self.note(Some(from), vlan, tag, inner.clone());
        let Some((to, source)) = addresses(&inner) else {
            return;
        };
        if !is_group(source) && self.learned.len() < LEARNED {
            self.learned.insert((vlan, source), from);
        }
        let known = self.learned.get(&(vlan, to)).copied();
        for out in 0..self.sides.len() {
            if out != from && known.is_none_or(|known| known == out) {
                self.leave(out, vlan, tag, &inner);
            }
        }
    }

    fn leave(&mut self, out: usize, vlan: u16, tag: Option<u16>, inner: &[u8]) {
        let Some(side) = self.sides.get_mut(out) else {
            return;
        };
        let mut raw = match &side.kind {
            // The priority a frame came with stays.
            Kind::Trunk(vlans) if carries(vlans, vlan) => {
                tagged(inner, tag.unwrap_or_default() & !VLAN_BITS | vlan)
            }
            Kind::Access(own) if *own == vlan => inner.to_vec(),
            Kind::Trunk(_) | Kind::Access(_) => return,
        };
        match side.dice.fate(&side.faults, &mut raw) {
            Fate::Lost => side.counters.lost += 1,
            Fate::Sent { spoiled, twice } => {
                side.counters.spoiled += u64::from(spoiled);
                if twice {
                    side.counters.doubled += 1;
                    side.send(raw.clone());
                }
                side.send(raw);
            }
        }
    }

    fn forge(&mut self, out: usize, raw: &[u8]) {
        let Some(side) = self.sides.get_mut(out) else {
            return;
        };
        let (tag, inner) = untagged(raw);
        let vlan = side.kind.vlan(tag);
        side.counters.forged += 1;
        side.send(raw.to_vec());
        match vlan {
            Some(vlan) => self.note(None, vlan, tag, inner),
            None => self.note(None, NOWHERE, tag, raw.to_vec()),
        }
    }

    fn note(&mut self, from: Option<usize>, vlan: u16, tag: Option<u16>, frame: Vec<u8>) {
        let at = self.since.elapsed();
        let path = self.folder.join(format!("vlan-{vlan}.pcap"));
        if let std::collections::btree_map::Entry::Vacant(place) = self.captures.entry(vlan)
            && let Ok(capture) = Pcap::create(&path)
        {
            place.insert(capture);
        }
        if let Some(capture) = self.captures.get_mut(&vlan) {
            // A full disk costs the capture, never the story.
            let _unwritten = capture.put(at, &frame);
        }
        if self.seen.len() < KEPT {
            self.seen.push(Seen {
                at,
                from,
                vlan,
                tag,
                frame,
            });
        } else {
            self.unseen += 1;
        }
    }

    fn describe(&self, seen: &Seen) -> String {
        let side = seen.from.and_then(|from| self.sides.get(from));
        let name = side.map_or("forged", |side| &side.name);
        let at = seen.at.as_secs_f64();
        let (inner_tag, inner) = untagged(&seen.frame);
        let inner_tag = inner_tag.map(|tag| format!(" tag {}", tag & VLAN_BITS));
        let tag = inner_tag.unwrap_or_default();
        format!("{at:.3} {name}:{tag} {}", frame::carried(&inner))
    }
}

impl Kind {
    /// Returns the VLAN of a frame that came with this tag, if it may come so.
    fn vlan(&self, tag: Option<u16>) -> Option<u16> {
        match (self, tag) {
            (Self::Access(vlan), None) => Some(*vlan),
            (Self::Trunk(vlans), Some(tag)) => {
                let vlan = tag & VLAN_BITS;
                (vlan != NOWHERE && carries(vlans, vlan)).then_some(vlan)
            }
            (Self::Access(_), Some(_)) | (Self::Trunk(_), None) => None,
        }
    }
}

fn carries(vlans: &[u16], vlan: u16) -> bool {
    vlans.is_empty() || vlans.contains(&vlan)
}

impl Side {
    fn send(&mut self, raw: Vec<u8>) {
        let due = Instant::now() + self.faults.delay;
        let Some(queue) = &self.queue else { return };
        match queue.try_send((due, raw)) {
            Ok(()) => self.counters.sent += 1,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counters.overflowed += 1;
            }
        }
    }
}
