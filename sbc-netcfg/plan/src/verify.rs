//! What was read back is held against what must be. Only a comparison without a
//! difference makes a fence.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::desired::{Desired, LinkKind};
use crate::firewall::{Chain, Table};
use crate::observed::{Observed, ObservedChain, ObservedKind, ObservedTable};

/// Proof that the isolation rules were read back from the kernel and are whole.
#[derive(Debug)]
pub struct Fence(());

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Drift {
    /// What differs, as in `route` or `table inet sbc, chain input, rule 4`.
    pub place: String,
    pub expected: Option<String>,
    pub found: Option<String>,
}

impl fmt::Display for Drift {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => {
                write!(out, "{}: is {found}, not {expected}", self.place)
            }
            (Some(expected), None) => write!(out, "{}: {expected} is missing", self.place),
            (None, found) => {
                let found = found.as_deref().unwrap_or("something");
                write!(out, "{}: {found} is not ours", self.place)
            }
        }
    }
}

/// Compares all but what charon holds: tunnels come and go inside the fence.
///
/// # Errors
/// Every difference.
pub fn verify(desired: &Desired, observed: &Observed) -> Result<Fence, Vec<Drift>> {
    let mut drifts = Drifts(Vec::new());
    drifts.links(desired, observed);
    drifts.sysctls(desired, observed);
    drifts.lists("address", &desired.addresses, &observed.addresses);
    drifts.lists("neighbour", &desired.neighbours, &observed.neighbours);
    drifts.lists("route", &desired.routes, &observed.routes);
    drifts.lists("rule", &desired.rules, &observed.rules);
    drifts.lists("shaper", &desired.shapers, &observed.shapers);
    drifts.tables(desired, observed);
    if drifts.0.is_empty() {
        Ok(Fence(()))
    } else {
        Err(drifts.0)
    }
}

struct Drifts(Vec<Drift>);

impl Drifts {
    fn add(&mut self, place: impl Into<String>, expected: Option<String>, found: Option<String>) {
        self.0.push(Drift {
            place: place.into(),
            expected,
            found,
        });
    }

    fn lists<T: PartialEq + ToString>(&mut self, place: &str, expected: &[T], found: &[T]) {
        for one in expected.iter().filter(|one| !found.contains(one)) {
            self.add(place, Some(one.to_string()), None);
        }
        for one in found.iter().filter(|one| !expected.contains(one)) {
            self.add(place, None, Some(one.to_string()));
        }
    }

    fn links(&mut self, desired: &Desired, observed: &Observed) {
        for link in &desired.links {
            let place = format!("link {}", link.name);
            let Some(found) = observed.links.iter().find(|one| one.name == link.name) else {
                self.add(place, Some(link.kind.to_string()), None);
                continue;
            };
            if !same_kind(&link.kind, &found.kind) {
                let kind = format!("{:?}", found.kind);
                self.add(place.clone(), Some(link.kind.to_string()), Some(kind));
            }
            let mtu = u32::from(link.mtu);
            if found.mtu != mtu {
                let (mtu, found) = (format!("mtu {mtu}"), format!("mtu {}", found.mtu));
                self.add(place.clone(), Some(mtu), Some(found));
            }
            if !found.silent {
                self.add(place.clone(), Some("addr_gen_mode none".into()), None);
            }
            if !found.up {
                self.add(place, Some("up".into()), Some("down".into()));
            }
        }
        for link in &observed.links {
            let ours = desired.link(&link.name).is_some();
            let made = matches!(
                link.kind,
                ObservedKind::Vlan { .. } | ObservedKind::Gre { .. }
            );
            if !ours && link.kind != ObservedKind::Loopback && (link.up || made) {
                self.add("link", None, Some(link.name.clone()));
            }
        }
    }

    fn sysctls(&mut self, desired: &Desired, observed: &Observed) {
        for sysctl in desired.all_sysctls() {
            let found = observed.sysctls.get(&sysctl.path);
            if found != Some(&sysctl.value) {
                let expected = Some(sysctl.value.clone());
                self.add(sysctl.path.clone(), expected, found.cloned());
            }
        }
    }

    fn tables(&mut self, desired: &Desired, observed: &Observed) {
        for table in &desired.firewall.tables {
            let place = format!("table {} {}", table.family, table.name);
            let mut found = observed.tables.iter();
            match found.find(|one| one.family == table.family && one.name == table.name) {
                None => self.add(place, Some("the table".into()), None),
                Some(found) => self.table(&place, table, found),
            }
        }
        for table in &observed.tables {
            if desired.firewall.table(table.family, &table.name).is_none() {
                let name = format!("{} {}", table.family, table.name);
                self.add("table", None, Some(name));
            }
        }
    }

    fn table(&mut self, place: &str, table: &Table, found: &ObservedTable) {
        if let Some(foreign) = &found.foreign {
            self.add(place, None, Some(foreign.clone()));
        }
        for counter in &table.counters {
            if !found.counters.contains(counter) {
                self.add(place, Some(format!("counter {counter}")), None);
            }
        }
        for chain in &table.chains {
            let place = format!("{place}, chain {}", chain.name);
            match found.chains.iter().find(|one| one.name == chain.name) {
                None => self.add(place, Some("the chain".into()), None),
                Some(found) => self.chain(&place, chain, found),
            }
        }
        for chain in &found.chains {
            if !table.chains.iter().any(|one| one.name == chain.name) {
                self.add(place, None, Some(format!("chain {}", chain.name)));
            }
        }
    }

    fn chain(&mut self, place: &str, chain: &Chain, found: &ObservedChain) {
        if found.hook.as_ref() != Some(&chain.hook) {
            let (expected, hook) = (format!("{:?}", chain.hook), format!("{:?}", found.hook));
            self.add(place, Some(expected), Some(hook));
        }
        let most = chain.rules.len().max(found.rules.len());
        for at in 0..most {
            let expected = chain.rules.get(at);
            let expected = expected.map(|rule| (rule.normal().join(" "), rule.sentence));
            let found = found.rules.get(at);
            let found = found.map(|rule| (rule.parts.join(" "), rule.comment.as_str()));
            if expected != found {
                let place = format!("{place}, rule {}", at + 1);
                let text = |(parts, comment): (String, &str)| format!("{parts} # {comment}");
                self.add(place, expected.map(text), found.map(text));
            }
        }
    }
}

/// Returns true if what was read back is the table, word for word.
pub(crate) fn same_table(table: &Table, found: &ObservedTable) -> bool {
    let mut drifts = Drifts(Vec::new());
    drifts.table("", table, found);
    drifts.0.is_empty()
}

/// Returns true if the kernel's link is of that kind.
pub(crate) fn same_kind(kind: &LinkKind, found: &ObservedKind) -> bool {
    match (kind, found) {
        (LinkKind::Port, found) => !matches!(found, ObservedKind::Loopback),
        (LinkKind::Vlan { below, tag }, ObservedKind::Vlan { below: b, tag: t }) => {
            below == b && tag == t
        }
        (LinkKind::Gre(gre), ObservedKind::Gre(found)) => gre == found,
        _ => false,
    }
}
