//! Diversion comes in and History-Info goes out, and the other way round
//! (RFC 7544 §4, §5, §6).

use alloc::vec::Vec;

use super::super::host::Host;
use super::super::identity::Privacy;
use super::super::uri::{SipUri, Uri};
use super::{Diversion, DiversionPrivacy, DiversionReason, HistoryInfo, Index, LEVELS, Origin};

/// The most elements of Diversion we write: more would not fit a datagram beside
/// an offer, and trunks read the first and the last.
pub const DIVERSIONS: usize = 10;

/// Stands for a forwarder nobody named (RFC 7544 §5).
const UNKNOWN: Uri<'static> = Uri::Sip(SipUri {
    user: Some("unknown"),
    ..SipUri::new(Host::Name("unknown.invalid"))
});

/// The cause of a number that was translated, not forwarded (RFC 8119 §2).
const TRANSLATED: u16 = 380;

/// Causes and the reasons they stand for; the first of a reason is the one we
/// write (RFC 7544 §5, §6). Reasons that are not here are written as unknown.
const CAUSES: [(u16, DiversionReason<'static>); 7] = [
    (404, DiversionReason::Unknown),
    (302, DiversionReason::Unconditional),
    (486, DiversionReason::UserBusy),
    (408, DiversionReason::NoAnswer),
    (480, DiversionReason::Deflection),
    (487, DiversionReason::Deflection),
    (503, DiversionReason::Unavailable),
];

fn reason_of(cause: u16) -> DiversionReason<'static> {
    let row = CAUSES.iter().find(|row| row.0 == cause);
    row.map_or(DiversionReason::Unknown, |row| row.1)
}

fn cause_of(reason: Option<DiversionReason<'_>>) -> u16 {
    let row = CAUSES.iter().find(|row| Some(row.1) == reason);
    row.map_or(404, |row| row.0)
}

/// Returns the forwardings that `entries` tell of, newest first, at most
/// [`DIVERSIONS`]. What is left out in between is counted in the element above.
pub fn to_diversions<'a>(entries: &[HistoryInfo<'a>]) -> Vec<Diversion<'a>> {
    let mut tree: Vec<&HistoryInfo<'a>> = entries.iter().take(LEVELS).collect();
    tree.sort_by(|a, b| a.index.cmp(&b.index));
    let mut found = Vec::new();
    let mut unnamed = 0_u8;
    for at in 0..tree.len() {
        let Some((by, reason, missing)) = forwarding(&tree, at) else {
            continue;
        };
        unnamed = unnamed.saturating_add(missing);
        if by.uri.same_as(&UNKNOWN) {
            unnamed = unnamed.saturating_add(1);
            continue;
        }
        found.push(element(by, reason, unnamed.saturating_add(1)));
        unnamed = 0;
    }
    found.reverse();
    shorten(found)
}

fn element<'a>(by: &HistoryInfo<'a>, reason: DiversionReason<'a>, count: u8) -> Diversion<'a> {
    let hidden = [
        Privacy::HISTORY,
        Privacy::ID,
        Privacy::USER,
        Privacy::HEADER,
    ];
    let hide = hidden.iter().any(|privacy| by.privacy.has(*privacy));
    Diversion {
        display: by.display,
        counter: Some(count.min(99)),
        privacy: Some(if hide {
            DiversionPrivacy::Full
        } else {
            DiversionPrivacy::Off
        }),
        ..Diversion::new(by.uri, reason)
    }
}

/// Keeps the newest elements and the oldest, who was called first.
fn shorten(mut all: Vec<Diversion<'_>>) -> Vec<Diversion<'_>> {
    if all.len() <= DIVERSIONS {
        return all;
    }
    let dropped = all.drain(DIVERSIONS - 1..all.len() - 1);
    let count = dropped.fold(0_u8, |sum, each| sum.saturating_add(each.count()));
    if let Some(above) = all.get_mut(DIVERSIONS - 2) {
        above.counter = Some(above.count().saturating_add(count).min(99));
    }
    all
}

/// Who sent the call on, why, and how many entries in between are missing.
type Forwarding<'e, 'a> = (&'e HistoryInfo<'a>, DiversionReason<'a>, u8);

/// Returns the forwarding that led to the entry `at`, or that an entry of
/// Microsoft's servers tells of itself.
fn forwarding<'e, 'a>(tree: &[&'e HistoryInfo<'a>], at: usize) -> Option<Forwarding<'e, 'a>> {
    let entry = *tree.get(at)?;
    let next = tree.get(at + 1);
    if entry.ms_reason.is_some() && next.is_none_or(|next| next.cause.is_none()) {
        return Some((entry, ms_reason(entry), 0));
    }
    let (by, missing) = forwarder(tree, entry)?;
    match entry.cause {
        Some(TRANSLATED) => None,
        Some(cause) => Some((by, reason_of(cause), missing)),
        // Without a cause here, the reason may stand where the call left: at the
        // forwarder, or at the contact of his that was tried last (RFC 4244 §4.1).
        None if by.ms_reason.is_none() => {
            let before = tree.get(at.checked_sub(1)?)?;
            let known = |cause: &u16| CAUSES.iter().any(|row| row.0 == *cause);
            let left = by.left.sip.or(before.left.sip).filter(known)?;
            Some((by, reason_of(left), missing))
        }
        None => None,
    }
}

fn ms_reason(entry: &HistoryInfo<'_>) -> DiversionReason<'static> {
    match entry.ms_reason {
        Some(word) if word.eq_ignore_ascii_case("forwarding") => DiversionReason::Unconditional,
        _ => DiversionReason::Unknown,
    }
}

/// Returns the entry `entry` was reached from: the one it names, else the nearest
/// above it, with the number of levels in between that are missing.
fn forwarder<'e, 'a>(
    tree: &[&'e HistoryInfo<'a>],
    entry: &HistoryInfo<'a>,
) -> Option<(&'e HistoryInfo<'a>, u8)> {
    let find = |index: &Index| tree.iter().find(|other| other.index == *index).copied();
    if let Some(Origin::Mapped(index)) = &entry.origin
        && let Some(by) = find(index)
    {
        return Some((by, 0));
    }
    let mut above = entry.index.parent()?;
    let mut missing = 0_u8;
    loop {
        if let Some(by) = find(&above) {
            return Some((by, missing));
        }
        above = above.parent()?;
        missing = missing.saturating_add(1);
    }
}

/// Returns the history that `diversions`, newest first, tell of, ending with
/// `target`, where the call goes. There are at most [`LEVELS`] entries: unnamed
/// forwarders are left out first, then those in the middle.
pub fn to_history<'a>(diversions: &[Diversion<'a>], target: Uri<'a>) -> Vec<HistoryInfo<'a>> {
    // One level is for the target, one for the oldest.
    let newest = diversions.get(..LEVELS - 2).unwrap_or(diversions);
    let oldest = diversions
        .last()
        .filter(|_| newest.len() < diversions.len());
    let named: Vec<&Diversion<'a>> = newest.iter().chain(oldest).collect();
    let mut spare = LEVELS - 1 - named.len();
    let mut path = Path::default();
    let mut cause = None;
    for diversion in named.into_iter().rev() {
        let unnamed = usize::from(diversion.count()).saturating_sub(1).min(spare);
        spare -= unnamed;
        for _ in 0..unnamed {
            path.push(HistoryInfo::new(UNKNOWN, Index::default()), cause);
            cause = Some(404);
        }
        path.push(named_entry(diversion), cause);
        cause = Some(cause_of(diversion.reason));
    }
    path.push(HistoryInfo::new(target, Index::default()), cause);
    path.entries
}

fn named_entry<'a>(diversion: &Diversion<'a>) -> HistoryInfo<'a> {
    let hide = !matches!(diversion.privacy, None | Some(DiversionPrivacy::Off));
    if hide && diversion.uri.sip().is_none() {
        // Only a SIP URI can say that it is to be hidden.
        return HistoryInfo::new(UNKNOWN, Index::default());
    }
    let mut entry = HistoryInfo::new(diversion.uri, Index::default());
    entry.display = diversion.display;
    entry.privacy = match diversion.privacy {
        None => Privacy::default(),
        Some(_) if hide => Privacy::HISTORY,
        Some(_) => Privacy::NONE,
    };
    entry
}

/// Entries, each below the one before.
#[derive(Default)]
struct Path<'a> {
    entries: Vec<HistoryInfo<'a>>,
}

impl<'a> Path<'a> {
    fn push(&mut self, mut entry: HistoryInfo<'a>, cause: Option<u16>) {
        let above = self.entries.last().map(|entry| entry.index.clone());
        let index = above
            .as_ref()
            .map_or_else(|| Some(Index::first()), Index::child);
        let Some(index) = index else {
            return;
        };
        entry.index = index;
        entry.cause = cause;
        entry.origin = above.map(Origin::Mapped);
        self.entries.push(entry);
    }
}
