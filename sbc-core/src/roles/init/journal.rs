//! The call journal: records of established calls come in from `signal`, and
//! all of them go out to the next `signal` after a restart.

use std::collections::BTreeMap;

/// A record is at most this long: both dialogs, the last SDP of each side,
/// ports and timers.
pub const RECORD_MAX: usize = 2 * 1024;

/// As many records as calls a node can carry on two full Gigabit ports.
pub const RECORDS_MAX: usize = 10_504;

/// What is kept of established calls while `signal` is away.
#[derive(Debug, Default)]
pub struct Journal {
    records: BTreeMap<u32, Vec<u8>>,
    /// Records that were over a bound; they are calls that a restart loses.
    pub refused: u64,
}

impl Journal {
    /// Takes the newest record of a call.
    pub fn keep(&mut self, key: u32, record: Vec<u8>) {
        let is_new = !self.records.contains_key(&key);
        if record.len() > RECORD_MAX || (is_new && self.records.len() >= RECORDS_MAX) {
            self.refused += 1;
            return;
        }
        self.records.insert(key, record);
    }

    /// Forgets a call that ended.
    pub fn forget(&mut self, key: u32) {
        self.records.remove(&key);
    }

    /// Returns every record, by key.
    pub fn records(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.records
            .iter()
            .map(|(&key, record)| (key, record.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Journal, RECORD_MAX, RECORDS_MAX};

    #[test]
    fn the_newest_record_of_a_call_is_the_one_kept() {
        let mut journal = Journal::default();
        journal.keep(7, vec![1]);
        journal.keep(7, vec![2]);
        journal.keep(8, vec![3]);
        journal.forget(8);
        let kept: Vec<_> = journal.records().collect();
        assert_eq!(kept, [(7, &[2][..])]);
    }

    #[test]
    fn a_record_over_a_bound_is_counted_and_the_others_stay() {
        let mut journal = Journal::default();
        journal.keep(1, vec![0; RECORD_MAX + 1]);
        assert_eq!((journal.refused, journal.records().count()), (1, 0));
        for key in 0..=RECORDS_MAX as u32 {
            journal.keep(key, vec![0]);
        }
        assert_eq!(journal.refused, 2);
        journal.keep(0, vec![9]);
        assert_eq!(journal.records().next(), Some((0, &[9][..])));
    }
}
