//! The thread that keeps the index up with the log.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tagstone_replay::audit::index::AuditIndex;
use tagstone_replay::log::RecordReader;
use tagstone_replay::log::index::{FollowError, Indexer, TagIndex};
use tagstone_schema::Seq;
use tokio::sync::watch;

use super::{Demand, History, Reached};
use crate::registry::{Newer, Snapshot};

/// How many times as long as it has worked it rests.
const REST: u32 = 9;

/// However long one piece of work has taken.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// How soon it finds that the registry stops.
const PART_OF_REST: Duration = Duration::from_millis(50);

/// An index that is complete up to a place of an open log, with what it takes to go on from there.
pub struct Behind {
    /// The index, or why there is none.
    pub index: Result<TagIndex, FollowError>,
    /// The index of the audit.
    pub audit: AuditIndex,
    /// The log.
    pub records: RecordReader,
    /// The state at the record up to which the index is complete.
    pub reached: Snapshot,
}

/// Follows the log into the index.
///
/// It holds the state of the record that it has reached, since what ends with a manifest or a repository is known only to the
/// state before. Once it has caught up it holds the published one, so there is no second state in memory.
pub struct Follower {
    indexer: Option<Indexer>,
    records: RecordReader,
    reached: Arc<Snapshot>,
    newer: Newer,
    told: watch::Sender<Reached>,
    demand: Arc<Demand>,
}

impl Follower {
    /// A follower of what is published, and the history that it writes.
    pub fn new(behind: Behind, newer: Newer) -> (Self, History) {
        let Behind { index, audit, records, reached } = behind;
        let index = index.inspect_err(|error| tracing::error!(%error, "tag history cannot be asked for")).ok();
        let standing = if index.is_some() { Reached::Record(reached.head.seq) } else { Reached::Failed };
        let (told, heard) = watch::channel(standing);
        let demand = Arc::new(Demand::default());
        let (index_of_tags, reader) = (index.clone(), records.clone());
        let history = History {
            index: index_of_tags,
            audit: audit.clone(),
            records: reader,
            reached: heard,
            demand: demand.clone(),
            kept: Arc::default(),
        };
        let indexer = index.map(|index| Indexer::new(index, audit));
        (Self { indexer, records, reached: Arc::new(reached), newer, told, demand }, history)
    }

    /// Follows until nobody publishes any more, and closes the index.
    pub fn run(mut self) {
        let Some(mut indexer) = self.indexer.take() else { return };
        while let Some(newest) = self.newer.next() {
            // A panic inside sled must not leave requests waiting for what never comes.
            let followed = catch_unwind(AssertUnwindSafe(|| self.follow(&mut indexer, newest)));
            let why = match followed {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "a panic".to_owned(),
            };
            tracing::error!(why, "the index of tag history has failed; it is made anew at the next start");
            self.told.send_replace(Reached::Failed);
            return;
        }
        if let Err(error) = indexer.into_index().close() {
            tracing::warn!(%error, "the index of tag history was not closed; it may be made anew at the next start");
        }
    }

    /// Follows up to a state, or until nobody publishes any more: the next start goes on from where this ends.
    fn follow(&mut self, indexer: &mut Indexer, newest: Arc<Snapshot>) -> Result<(), FollowError> {
        let (from, until) = (self.reached.head, newest.head.seq);
        if from.seq < until {
            let mut state = self.reached.state.clone();
            let mut began = Instant::now();
            let told = |seq| {
                self.told.send_replace(Reached::Record(seq));
                let goes_on = self.rest(seq, began.elapsed());
                began = Instant::now();
                goes_on
            };
            indexer.follow(self.records.read(from.seq + 1), from, until, &mut state, told)?;
        }
        self.reached = newest;
        Ok(())
    }

    /// Leaves the machine to others, unless somebody waits.
    fn rest(&self, reached: Seq, worked: Duration) -> ControlFlow<()> {
        let mut left = (worked * REST).min(LONGEST_REST);
        while !left.is_zero() && !self.newer.is_over() {
            let part = left.min(PART_OF_REST);
            if self.demand.rest(reached, part) {
                break;
            }
            left -= part;
        }
        if self.newer.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
