//! Calls that were up before a restart: their records come in, calls whose
//! dialogs can be changed and ended go on (the journal of the node).

use alloc::boxed::Box;

use super::Engine;
use crate::call::Call;
use crate::record::Record;

impl Engine {
    /// Takes the record of one call. One that makes no sense any more (its peer
    /// left the file, its ports are taken) is counted and forgotten.
    pub(super) fn restore(&mut self, key: u32, record: &[u8]) {
        let call = Record::read(record).and_then(|record| record.call(&mut self.desk, key));
        let Some(call) = call else {
            self.desk.counters.unrestored += 1;
            self.desk
                .out
                .journal
                .push(crate::door::JournalCommand::Forget { key });
            return;
        };
        self.desk.counters.restored += 1;
        self.desk.calls += 1;
        self.next_key = self.next_key.max(key.saturating_add(1));
        self.calls.insert(key, Box::new(call));
        self.with_call(key, Call::program_again);
    }
}
