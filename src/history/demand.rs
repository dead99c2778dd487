//! What requests wait for.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use tagstone_schema::Seq;

/// The last record that somebody has asked for.
#[derive(Debug, Default)]
pub(super) struct Demand {
    seq: Mutex<Seq>,
    more: Condvar,
}

impl Demand {
    /// Somebody waits until the index contains this record.
    pub(super) fn ask(&self, seq: Seq) {
        let mut asked = self.seq.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = seq.max(*asked);
        drop(asked);
        self.more.notify_all();
    }

    /// Rests while nobody waits for more than what was reached. Whether somebody does now.
    pub(super) fn rest(&self, reached: Seq, time: Duration) -> bool {
        let asked = self.seq.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = self.more.wait_timeout_while(asked, time, |asked| *asked <= reached);
        let (asked, _) = rested.unwrap_or_else(PoisonError::into_inner);
        *asked > reached
    }
}
