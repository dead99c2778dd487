//! Writing the index: records are applied to a state, and what they do to tags becomes intervals.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use tagstone_schema::record::Position;
use tagstone_schema::{Digest, Head, Record, RecordHash, RepositoryName, Seq, Tag};

use super::interval::{Stay, decoded, encoded};
use super::store::calling;
use super::{End, Ending, IndexError, Place, TagIndex, keys};
use crate::audit::index::AuditIndex;
use crate::audit::{Derived, TermKeys, Unfolded};
use crate::fold::{Effect, IllegalEvent, Moment, State};
use crate::log::RecordBytes;
use crate::log::chain::{Broken, BrokenWhy, Chain};

/// Changes that are held in memory before they are written: some megabytes. The deletion of a large repository is written in parts.
const MOST_WAITING: usize = 10_000;

/// A key and its value.
type Entry = (Vec<u8>, Vec<u8>);

/// Writes the index of a log, record by record.
pub struct Indexer {
    index: TagIndex,
    /// What is to be written; none removes.
    waiting: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    failed: Option<IndexError>,
    audit: AuditIndex,
    keys: TermKeys,
}

/// Why a log cannot be followed any further.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A record is not sound.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A record is not legal.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    /// Records are missing.
    #[error("the log ends at record {found}, before record {expected}")]
    Short {
        /// The last record that is there.
        found: Seq,
        /// The record that was to be reached.
        expected: Seq,
    },
}

impl Indexer {
    /// Goes on writing an index.
    pub fn new(index: TagIndex, audit: AuditIndex) -> Self {
        Self { index, waiting: BTreeMap::new(), failed: None, audit, keys: TermKeys::default() }
    }

    /// The index.
    pub fn index(&self) -> &TagIndex {
        &self.index
    }

    /// Gives the index back. What was not committed is lost, and will be indexed again.
    pub fn into_index(self) -> TagIndex {
        self.index
    }

    /// Applies a record to a state, and indexes what it does. A failure of the index shows at the next
    /// [`Indexer::commit`], so that a fold goes on without it.
    pub fn apply(&mut self, state: &mut State, record: &Record) -> Result<(), IllegalEvent> {
        let at = Moment { seq: record.seq, time: record.time };
        let mut derived = Derived::default();
        state.apply_observed(record, |index, effect| {
            derived.note(index, &effect);
            if self.failed.is_none()
                && let Err(error) = self.note(at, index, effect)
            {
                self.failed = Some(error);
            }
        })?;
        let head = Head { seq: record.seq, hash: RecordHash::ZERO, time: record.time };
        let added = self.audit.add(&Unfolded { record: record.clone(), derived }, head, &mut self.keys);
        self.failed = self.failed.take().or_else(|| added.err().map(|error| IndexError::new("adding to", &error)));
        Ok(())
    }

    /// Writes what was indexed: the index is complete up to this position now.
    pub fn commit(&mut self, reached: Position) -> Result<(), IndexError> {
        self.write(Some(reached))
    }

    /// How many changes wait to be written.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Reads the records behind `from`, whose state is `state`, applies and indexes them up to `until`. `told` hears each
    /// position that is complete, and says whether to go on.
    pub fn follow(
        &mut self,
        mut records: RecordBytes<'_>,
        from: Head,
        until: Seq,
        state: &mut State,
        mut told: impl FnMut(Seq) -> ControlFlow<()>,
    ) -> Result<(), FollowError> {
        let mut chain = Chain::after(from);
        while chain.head().seq < until {
            let seq = chain.head().seq;
            let Some(stored) = records.next() else { return Err(FollowError::Short { found: seq, expected: until }) };
            let stored =
                stored.map_err(|error| Broken { seq: seq + 1, why: BrokenWhy::Unreadable(error.to_string()) })?;
            let record = chain.next(&stored)?;
            self.apply(state, &record)?;
            let Head { seq, hash, .. } = chain.head();
            if seq == until || self.waiting() >= MOST_WAITING / 2 {
                self.commit(Position { seq, hash })?;
                if told(seq).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, at: Moment, index: usize, effect: Effect<'_>) -> Result<(), IndexError> {
        let index = u32::try_from(index).map_err(|error| IndexError::new("numbering an event for", &error))?;
        let place = Place { seq: at.seq, index };
        match effect {
            Effect::TagMoved { repository, tag, from, to } => {
                if from.is_some() {
                    self.end(repository, tag, End { place, time: at.time, ending: Ending::Moved })?;
                }
                let stay = Stay {
                    since: at.time,
                    digest: to.digest.clone(),
                    size: to.size,
                    is_index: to.is_index(),
                    is_reversion: self.pointed_there_before(repository, tag, &to.digest, place)?,
                    end: None,
                };
                self.waiting.insert(keys::at(keys::of_tag(repository, tag), place), Some(encoded(&stay)?));
                for prefix in [keys::of_repository(repository), keys::of_live(repository)] {
                    self.waiting.insert(keys::at(prefix, place), Some(tag.as_str().as_bytes().to_vec()));
                }
            }
            Effect::TagEnded { repository, tag, was: _, cause } => {
                self.end(repository, tag, End { place, time: at.time, ending: Ending::Ended(cause) })?;
            }
            Effect::PolicyConcerned { .. } => {}
        }
        if self.waiting.len() >= MOST_WAITING {
            self.write(None)?;
        }
        Ok(())
    }

    /// Ends the interval of a tag that stood when something happened.
    fn end(&mut self, repository: &RepositoryName, tag: &Tag, end: End) -> Result<(), IndexError> {
        let prefix = keys::of_tag(repository, tag);
        // What stands at the place itself was indexed before, and cut off before its record was complete.
        let behind = keys::at(prefix.clone(), end.place);
        let Some((key, value)) = self.first_behind(&behind, &prefix)? else {
            return Err(IndexError::new("ending an interval of", &format!("{repository}:{tag} has none")));
        };
        let start = keys::place(&key).ok_or_else(|| IndexError::new("reading", &"a key is too short"))?;
        let mut stay: Stay = decoded(&value)?;
        stay.end = Some(end);
        self.waiting.insert(key, Some(encoded(&stay)?));
        self.waiting.insert(keys::at(keys::of_live(repository), start), None);
        Ok(())
    }

    /// Whether a tag pointed at a digest before a place; notes the place if it did not.
    fn pointed_there_before(
        &mut self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
        place: Place,
    ) -> Result<bool, IndexError> {
        let key = keys::of_digest(digest, repository, tag);
        let known = match self.waiting.get(&key) {
            Some(waiting) => waiting.clone(),
            None => self.index.get(&key)?.map(|value| value.to_vec()),
        };
        if let Some(first) = known {
            return Ok(decoded::<Place>(&first)? < place);
        }
        self.waiting.insert(key, Some(encoded(&place)?));
        Ok(false)
    }

    /// The first entry behind a key with a prefix, among those that are written and those that wait.
    fn first_behind(&self, behind: &[u8], prefix: &[u8]) -> Result<Option<Entry>, IndexError> {
        let from = (Bound::Excluded(behind), Bound::Unbounded);
        let waiting = self.waiting.range::<[u8], _>(from).next();
        let waiting = waiting.and_then(|(key, value)| Some((key.clone(), value.clone()?)));
        let range = (Bound::Excluded(behind.to_vec()), Bound::Unbounded);
        let written = calling("reading", || self.index.tree.range(range).next().transpose())?;
        let written = written.map(|(key, value)| (key.to_vec(), value.to_vec()));
        let with_prefix = |entry: &Entry| entry.0.starts_with(prefix);
        let (waiting, written) = (waiting.filter(with_prefix), written.filter(with_prefix));
        Ok(match (waiting, written) {
            // The one that waits is the newer of two with the same key.
            (Some(waiting), Some(written)) => Some(if waiting.0 <= written.0 { waiting } else { written }),
            (waiting, written) => waiting.or(written),
        })
    }

    pub(super) fn write(&mut self, reached: Option<Position>) -> Result<(), IndexError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut batch = sled::Batch::default();
        for (key, value) in std::mem::take(&mut self.waiting) {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.index.write(batch, reached)
    }
}
