//! The registry as it was: points of the log, and what was there behind them.
//!
//! What is answered for a point never changes, so it is kept for a while: a client that pulls asks for a tag, then for digests, and
//! a hundred machines that pull ask the same.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tagstone_replay::audit::past::{self, PolicyHistory, Question, Removal};
use tagstone_replay::audit::{Archive, TagEntries, TagHistory};
use tagstone_replay::fold::State;
use tagstone_schema::policy::Rule;
use tagstone_schema::{Head, RepositoryName, Seq, Timestamp};
use tokio::sync::Semaphore;

use super::{History, HistoryError};

/// Bytes of kept states, roughly.
const KEPT_BYTES: u64 = 64 << 20;

/// How many there may be, as the cache estimates it. It makes shards of 32 at least, and each has but its part of the room: with one shard, a
/// large repository fits too.
const KEPT_STATES: usize = 32;

/// Points whose records are kept.
const KEPT_POINTS: usize = 4_096;

/// Histories of whole repositories that are folded at a time: each keeps a core busy for as long as it takes.
const FOLDED_AT_ONCE: usize = 2;

/// A point of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// Behind a record.
    Record(Seq),
    /// An instant: behind the last record at or before it.
    Instant(Timestamp),
}

/// Why there is nothing to ask at a point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// History cannot be asked.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// It is no point of the log.
    #[error("the past of this registry goes {0}")]
    Outside(Range),
}

/// From where to where the past goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The time of record 1.
    pub first: Timestamp,
    /// The last record.
    pub last: (Seq, Timestamp),
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last: (seq, time) } = self;
        write!(f, "from record 1 at {first} to record {seq} at {time}")
    }
}

/// The registry behind a record, to be asked.
#[derive(Clone)]
pub struct Past {
    /// The record.
    pub seq: Seq,
    /// Its time.
    pub time: Timestamp,
    /// The instant by which tags have expired.
    pub now: Timestamp,
    history: History,
}

/// What is kept of the past.
pub(super) struct Kept {
    policies: PolicyHistory,
    states: Cache<(RepositoryName, Seq, Question), Arc<State>, ByEntries>,
    points: Cache<Point, (Seq, Timestamp)>,
    folding: Arc<Semaphore>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            policies: PolicyHistory::default(),
            states: Cache::with_weighter(KEPT_STATES, KEPT_BYTES, ByEntries),
            points: Cache::new(KEPT_POINTS),
            folding: Arc::new(Semaphore::new(FOLDED_AT_ONCE)),
        }
    }
}

/// Weighs kept states by what they hold.
#[derive(Clone)]
struct ByEntries;

impl ByEntries {
    /// Bytes of a state with next to nothing in it: each of its maps makes room for many entries with the first one.
    const LEAST: u64 = 7 * 1_024;
    /// Bytes of a tag, and a third of those of a manifest.
    const ENTRY: u64 = 256;
    /// Bytes of a policy, nearly all of them its pattern compiled, which each state does for itself.
    const POLICY: u64 = 18 * 1_024;
}

impl Weighter<(RepositoryName, Seq, Question), Arc<State>> for ByEntries {
    fn weight(&self, (name, ..): &(RepositoryName, Seq, Question), state: &Arc<State>) -> u64 {
        let held = state.repository(name.as_str()).map_or(0, |held| held.tag_count() + 3 * held.manifest_count());
        let compiled = state.policies().filter(|(_, policy)| matches!(policy.rule, Rule::Immutability { .. })).count();
        Self::LEAST + Self::ENTRY * held as u64 + Self::POLICY * compiled as u64
    }
}

impl History {
    /// From where to where the past goes.
    pub async fn range(&self, head: Head) -> Result<Range, HistoryError> {
        let archive = self.archive(1).await?;
        let first = blocking(move || archive.record(1)).await?.ok_or(HistoryError::Failed)?;
        Ok(Range { first: first.record.time, last: (head.seq, head.time) })
    }

    /// The registry at a point between the first record and `now`.
    pub async fn past(&self, point: Point, head: Head, now: Timestamp) -> Result<Past, PointError> {
        let is_ahead = match point {
            Point::Record(seq) => seq > head.seq || seq == 0,
            // Where the clock was put back, the last record is ahead of it.
            Point::Instant(at) => at > now.max(head.time),
        };
        let behind = if is_ahead { None } else { self.record_at(point, head).await? };
        let Some((seq, time)) = behind else { return Err(PointError::Outside(self.range(head).await?)) };
        let now = match point {
            Point::Record(_) => time,
            Point::Instant(at) => at,
        };
        Ok(Past { seq, time, now, history: self.clone() })
    }

    /// The record that a point stands for; none before the first.
    async fn record_at(&self, point: Point, head: Head) -> Result<Option<(Seq, Timestamp)>, HistoryError> {
        if let Some(found) = self.kept.points.get(&point) {
            return Ok(Some(found));
        }
        let needed = match point {
            Point::Record(seq) => seq,
            Point::Instant(_) => head.seq,
        };
        let archive = self.archive(needed).await?;
        let found = blocking(move || {
            let seq = match point {
                Point::Record(seq) => seq,
                Point::Instant(at) => archive.seq_at(at)?.min(head.seq),
            };
            Ok::<_, tagstone_replay::audit::ArchiveError>(archive.record(seq)?.map(|found| (seq, found.record.time)))
        });
        let found = found.await?;
        // Before the last record nothing is added any more.
        if let Some(found) = found.filter(|(seq, _)| *seq < head.seq) {
            self.kept.points.insert(point, found);
        }
        Ok(found)
    }

    /// A part of the history of a tag.
    pub async fn of_tag(&self, wanted: TagHistory) -> Result<TagEntries, HistoryError> {
        let archive = self.archive(wanted.up_to).await?;
        blocking(move || wanted.read(&archive)).await
    }
}

impl Past {
    /// What a question needs of the state of a repository.
    pub async fn state(&self, repository: &RepositoryName, question: Question) -> Result<Arc<State>, HistoryError> {
        let archive = self.history.archive(self.seq).await?;
        let (kept, repository, seq) = (self.history.kept.clone(), repository.clone(), self.seq);
        let turn = match question {
            Question::Tags => Some(kept.folding.clone().acquire_owned().await.map_err(|_| HistoryError::Failed)?),
            _ => None,
        };
        blocking(move || {
            // The turn goes along: a client that goes away does not end the work, so it must not make room for more.
            let _turn = turn;
            state(&archive, &kept, repository, seq, question)
        })
        .await
    }

    /// The last removal of a digest's bytes since.
    pub async fn removal(&self, digest: &tagstone_schema::Digest, head: Head) -> Result<Option<Removal>, HistoryError> {
        let archive = self.history.archive(head.seq).await?;
        let (seq, digest) = (self.seq, digest.clone());
        blocking(move || Removal::behind(&archive, seq, &digest)).await
    }
}

fn state(
    archive: &Archive,
    kept: &Kept,
    repository: RepositoryName,
    seq: Seq,
    question: Question,
) -> Result<Arc<State>, past::PastError> {
    let last_change = past::Past::new(archive, &kept.policies, seq).last_change(&repository)?;
    let key = (repository, last_change, question);
    kept.states.get_or_insert_with(&key, || {
        past::Past::new(archive, &kept.policies, last_change).state(&key.0, &key.2).map(Arc::new)
    })
}

/// Reads, on a thread that may wait for the disk.
async fn blocking<T, E>(read: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, HistoryError>
where
    T: Send + 'static,
    E: Into<HistoryError> + std::error::Error + Send + 'static,
{
    let failed = |error: &dyn std::error::Error| tracing::error!(%error, "the past cannot be read");
    let read = tokio::task::spawn_blocking(read).await.map_err(|error| {
        failed(&error);
        HistoryError::Failed
    })?;
    read.map_err(|error| {
        failed(&error);
        error.into()
    })
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;
