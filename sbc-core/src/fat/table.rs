//! The table of a FAT32 volume: chains of clusters are followed in it, each cluster
//! has one who owns it, and what nobody owns is freed.

use super::form::Form;

/// What of an entry is the number of the next cluster; the rest is kept as it is.
const NUMBER: u32 = 0x0fff_ffff;
/// From here on an entry ends its chain.
const LAST: u32 = 0x0fff_fff8;
/// The cluster cannot be used.
const BAD: u32 = 0x0fff_fff7;

/// How far a chain leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Chain {
    /// Nowhere: its first cluster is not taken, or not there, or none is wanted.
    Nowhere,
    /// Somebody owns its first cluster already.
    Owned,
    /// Over so many clusters, which now have an owner.
    Over(u32),
}

/// The table, and who was seen to own what.
#[derive(Debug)]
pub struct Table {
    form: Form,
    entries: Vec<u32>,
    owned: Vec<bool>,
}

impl Table {
    /// Takes the octets of a table.
    pub fn of(form: Form, octets: &[u8]) -> Self {
        let (entries, _) = octets.as_chunks::<4>();
        let entries: Vec<u32> = entries.iter().map(|one| u32::from_le_bytes(*one)).collect();
        Self {
            form,
            owned: vec![false; entries.len()],
            entries,
        }
    }

    /// Returns the octets of the table as it is now.
    pub fn octets(&self) -> Vec<u8> {
        let octets = self.entries.iter().flat_map(|one| one.to_le_bytes());
        octets.collect()
    }

    /// Sets bits of the second entry, which is no cluster's.
    pub fn mark(&mut self, bits: u32) {
        if let Some(entry) = self.entries.get_mut(1) {
            *entry |= bits;
        }
    }

    fn next(&self, cluster: u32) -> u32 {
        let entry = self.entries.get(cluster as usize).copied();
        entry.unwrap_or_default() & NUMBER
    }

    fn set(&mut self, cluster: u32, number: u32) {
        if let Some(entry) = self.entries.get_mut(cluster as usize) {
            *entry = *entry & !NUMBER | number;
        }
    }

    fn is_taken(&self, cluster: u32) -> bool {
        self.form.has(cluster) && !matches!(self.next(cluster), 0 | BAD)
    }

    fn is_owned(&self, cluster: u32) -> bool {
        self.owned.get(cluster as usize).copied().unwrap_or(true)
    }

    /// Gives a chain to whom leads to its `first` cluster; `each` is told every cluster
    /// of it. Where it leads to a cluster that is not taken, or that somebody owns, it
    /// ends: of a file that was not written to its end the table may have parts of
    /// before. It ends after `most` clusters as well.
    pub fn own(&mut self, first: u32, most: u32, mut each: impl FnMut(u32)) -> Chain {
        if !self.is_taken(first) || most == 0 {
            return Chain::Nowhere;
        }
        if self.is_owned(first) {
            return Chain::Owned;
        }
        let (mut at, mut count) = (first, 0);
        loop {
            if let Some(owned) = self.owned.get_mut(at as usize) {
                *owned = true;
            }
            each(at);
            count += 1;
            let next = self.next(at);
            if next >= LAST {
                return Chain::Over(count);
            }
            if count == most || !self.is_taken(next) || self.is_owned(next) {
                self.set(at, NUMBER);
                return Chain::Over(count);
            }
            at = next;
        }
    }

    /// Frees what is taken and owned by nobody; returns how many clusters.
    pub fn free_lost(&mut self) -> u32 {
        let mut freed = 0;
        for cluster in 2..self.form.end {
            if self.is_taken(cluster) && !self.is_owned(cluster) {
                self.set(cluster, 0);
                freed += 1;
            }
        }
        freed
    }

    /// Returns how many clusters are free, and the first of them.
    pub fn free(&self) -> (u32, u32) {
        let mut free = (2..self.form.end).filter(|cluster| self.next(*cluster) == 0);
        let first = free.next();
        let others = u32::try_from(free.count()).unwrap_or_default();
        first.map_or((0, 2), |first| (others + 1, first))
    }
}
