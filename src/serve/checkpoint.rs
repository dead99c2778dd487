//! Snapshots of the state: written now and then and at a clean stop, so that a start need not fold the whole log.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tagstone_replay::fold::snapshot;
use tagstone_schema::Seq;

use crate::history::History;
use crate::registry::{Published, Snapshot};

/// Records behind the last snapshot at which another one is worth its while. To fold so many takes a fraction of a second.
const RECORDS: Seq = 100_000;

/// The same at a clean stop, after which a start is to be expected.
const RECORDS_AT_STOP: Seq = 1_000;

/// How many times as long as a snapshot takes it is until the next one: the larger the state, the rarer the snapshots.
const REST: u32 = 30;

/// Writes snapshots.
pub(super) struct Checkpoints {
    path: PathBuf,
    history: History,
    last: Mutex<Last>,
}

/// The last snapshot.
struct Last {
    seq: Seq,
    /// Not before then comes the next one.
    rests_until: Option<Instant>,
}

impl Checkpoints {
    /// Behind the snapshot of this record, which stands at the path; 0 where there is none.
    pub(super) fn new(path: PathBuf, history: History, seq: Seq) -> Self {
        Self { path, history, last: Mutex::new(Last { seq, rests_until: None }) }
    }

    /// Writes a snapshot, if it is worth its while.
    pub(super) fn write_if_due(&self, published: &Published) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let rests = last.rests_until.is_some_and(|until| Instant::now() < until);
        if !rests && published.load().head.seq >= last.seq.saturating_add(RECORDS) {
            self.write(&published.snapshot(), &mut last);
        }
    }

    /// Writes the last snapshot. The index must have come to its end.
    pub(super) fn write_at_stop(&self, newest: &Snapshot) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.head.seq >= last.seq.saturating_add(RECORDS_AT_STOP) {
            self.write(newest, &mut last);
        }
    }

    fn write(&self, newest: &Snapshot, last: &mut Last) {
        let seq = newest.head.seq;
        // The index goes on from the state of its own last record. A snapshot beyond that would leave it a fold from the first.
        if !self.history.make_durable(seq) {
            return;
        }
        let began = Instant::now();
        match snapshot::write(&self.path, &newest.state, newest.head) {
            Ok(()) => {
                last.seq = seq;
                tracing::debug!(seq, took = ?began.elapsed(), "wrote a snapshot of the state");
            }
            // The one before is still there, and the log is whole in any case.
            Err(error) => tracing::warn!(%error, "no snapshot of the state was written; the next start takes longer"),
        }
        last.rests_until = Instant::now().checked_add((began.elapsed() * REST).max(Duration::from_secs(10)));
    }
}
