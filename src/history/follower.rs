//! The thread that keeps the index up with the log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tagstone_replay::audit::Folded;
use tagstone_replay::audit::index::{AuditIndex, IndexError};
use tagstone_replay::fold::{IllegalEvent, State};
use tagstone_replay::log::chain::Broken;
use tagstone_replay::log::{Ahead, RecordReader};
use tagstone_schema::{Head, Seq};
use tokio::sync::watch;

use super::{Behind, History, HistoryError, Questions, Reached};
use crate::registry::{LogDamage, Newer, Snapshot};

/// Records between two looks at the world: who waits is told, and a stop is noticed.
const UNTIL_A_LOOK: Seq = 1_000;

/// Follows the log into the index.
///
/// It holds the state of the record that it has reached, since what ends with a manifest or a repository is known only to the
/// state before. Once it has caught up it holds the published one, so there is no second state in memory.
pub struct Follower {
    index: Option<AuditIndex>,
    records: RecordReader,
    reached: Arc<Snapshot>,
    newer: Newer,
    told: watch::Sender<Reached>,
    /// Whether the index was made anew and has not caught up since. It is not made anew twice in a row.
    is_anew: bool,
}

/// Why it goes no further.
enum Failure {
    /// The index cannot be kept; a start makes it anew.
    Index(String),
    /// No start would come further.
    Damaged(Arc<LogDamage>),
}

/// Why a log cannot be followed any further.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("it is not of this log")]
    Foreign,
    #[error("the log is damaged: {0}")]
    Damaged(LogDamage),
}

impl From<Broken> for FollowError {
    fn from(broken: Broken) -> Self {
        Self::Damaged(broken.into())
    }
}

impl From<IllegalEvent> for FollowError {
    fn from(illegal: IllegalEvent) -> Self {
        Self::Damaged(illegal.into())
    }
}

impl Follower {
    /// A follower of what is published, and the history that it writes.
    pub fn new(behind: Behind, newer: Newer) -> (Self, History) {
        let Behind { index, records, reached } = behind;
        let index = index.inspect_err(|error| tracing::error!(%error, "history cannot be asked for")).ok();
        let standing =
            if index.is_some() { Reached::Record(reached.head.seq) } else { Reached::Failed(HistoryError::Failed) };
        let (told, heard) = watch::channel(standing);
        let history = History {
            index: index.clone(),
            records: records.clone(),
            reached: heard,
            waker: newer.waker(),
            kept: Arc::default(),
            questions: Questions::default(),
        };
        (Self { index, records, reached: Arc::new(reached), newer, told, is_anew: false }, history)
    }

    /// Follows until nobody publishes any more, and closes the index. Damage of the log ends it before, and is returned.
    pub fn run(mut self) -> Option<Arc<LogDamage>> {
        let index = self.index.take()?;
        while let Some(newest) = self.newer.next() {
            match self.keep_up(&index, &newest) {
                Ok(true) => {}
                Ok(false) => break,
                Err(Failure::Index(why)) => {
                    tracing::error!(why, "the index of the audit has failed; it is made anew at the next start");
                    self.told.send_replace(Reached::Failed(HistoryError::Failed));
                    return None;
                }
                Err(Failure::Damaged(damage)) => {
                    tracing::error!(%damage, "history cannot be followed any further: the log is damaged");
                    self.told.send_replace(Reached::Failed(HistoryError::Damaged(damage.clone())));
                    return Some(damage);
                }
            }
        }
        if let Err(error) = index.close() {
            tracing::warn!(%error, "the index of the audit was not closed; the next start reads some records again");
        }
        None
    }

    /// Follows up to a state, and says whether it got there; an index that fails is thrown away and made anew, once.
    fn keep_up(&mut self, index: &AuditIndex, newest: &Arc<Snapshot>) -> Result<bool, Failure> {
        if index.is_in_doubt() {
            self.begin_anew(index, &"a part of it is damaged")?;
        }
        loop {
            // A panic must not leave requests waiting for what never comes.
            let followed = catch_unwind(AssertUnwindSafe(|| self.follow(index, newest)));
            match followed.map_err(|_| Failure::Index("a panic".to_owned()))? {
                Ok(is_there) => return Ok(is_there),
                Err(error @ (FollowError::Index(_) | FollowError::Foreign)) => self.begin_anew(index, &error)?,
                Err(FollowError::Damaged(damage)) => return Err(Failure::Damaged(Arc::new(damage))),
            }
        }
    }

    fn begin_anew(&mut self, index: &AuditIndex, why: &dyn std::fmt::Display) -> Result<(), Failure> {
        if self.is_anew {
            return Err(Failure::Index(why.to_string()));
        }
        tracing::warn!(%why, "the index of the audit is thrown away and made anew");
        self.is_anew = true;
        self.told.send_replace(Reached::Record(0));
        self.reached = Arc::default();
        index.clear().map_err(|error| Failure::Index(error.to_string()))
    }

    /// Follows up to a state, or until nobody publishes any more, which is not there: the next start goes on from where this ends.
    fn follow(&mut self, index: &AuditIndex, newest: &Arc<Snapshot>) -> Result<bool, FollowError> {
        // Until the last record of the index is passed nobody knows whether it is of this log; who waits is not told before.
        let (from, until) = (self.reached.head, newest.head.seq);
        // Nobody else looks at the state of a log that is folded from its first record on.
        let is_alone = from.seq == 0;
        let mut state = if is_alone { State::alone() } else { self.reached.state.clone() };
        let mut head = from;
        let records = self.records.clone();
        // What is written behind the newest state is not published yet.
        let left = usize::try_from(until.saturating_sub(from.seq)).unwrap_or(usize::MAX);
        let mut ahead = Ahead::of(records.read(from.seq + 1).take(left), from).with_end(Some(newest.head));
        for verified in ahead.by_ref() {
            if is_alone {
                state.foresee(verified.iter().map(|sound| &sound.record));
            }
            for sound in verified {
                let folded = Folded::apply(&mut state, sound.record)?;
                head = sound.head;
                add(index, &folded, head)?;
                if head.seq.is_multiple_of(UNTIL_A_LOOK) {
                    self.tell(head.seq);
                    if head.seq < until && self.newer.is_over() {
                        return Ok(false);
                    }
                }
            }
        }
        if let Some(broken) = ahead.broken() {
            return Err(broken.into());
        }
        if head.seq < until {
            return Err(FollowError::Damaged(LogDamage::Short { found: head.seq, expected: until }));
        }
        self.reached = newest.clone();
        self.is_anew = false;
        self.tell(until);
        Ok(true)
    }

    fn tell(&self, seq: Seq) {
        self.told.send_replace(Reached::Record(seq));
    }
}

/// Adds a record that is not in the index, and compares with the last one that is.
fn add(index: &AuditIndex, folded: &Folded, head: Head) -> Result<(), FollowError> {
    let reached = index.reached();
    if head.seq > reached.seq {
        return Ok(index.add(folded, head)?);
    }
    if head.seq == reached.seq && head.hash != reached.hash { Err(FollowError::Foreign) } else { Ok(()) }
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
