//! Bringing the index up to the log while the log is folded at a start.

use std::ops::ControlFlow;
use std::path::PathBuf;

use tagstone_schema::record::Position;
use tagstone_schema::{Head, Record};

use super::{FollowError, IndexError, Indexer, TagIndex};
use crate::audit::index::AuditIndex;
use crate::fold::{IllegalEvent, State};
use crate::log::{EmbeddedLog, Options};

/// Records between two writes of an index that is brought up.
const RECORDS_AT_ONCE: u64 = 1_000;

/// An index on its way to the end of a log, beside the fold of that log.
///
/// Nothing that happens to the index ends the fold: [`CatchUp::finish`] says what did.
pub struct CatchUp {
    path: PathBuf,
    options: Options,
    standing: Standing,
    audit: AuditIndex,
}

enum Standing {
    /// It is opened with the first record: a log that is refused before leaves nothing behind.
    Unopened,
    /// It agrees with the log up to `reached`, as far as the fold has come.
    Sound {
        indexer: Indexer,
        reached: Position,
    },
    /// It was not made from this log.
    Foreign(TagIndex),
    Failed(IndexError),
}

impl CatchUp {
    /// The index in this directory.
    pub fn new(path: PathBuf, options: Options, audit: AuditIndex) -> Self {
        Self { path, options, standing: Standing::Unopened, audit }
    }

    /// Applies the next record of the log to its state, and indexes it where the index has not reached it yet.
    pub fn apply(&mut self, state: &mut State, record: &Record) -> Result<(), IllegalEvent> {
        if matches!(self.standing, Standing::Unopened) {
            self.standing = self.opened();
        }
        let before = Position { seq: record.seq.saturating_sub(1), hash: record.prev };
        self.compare(before);
        match &mut self.standing {
            Standing::Sound { indexer, reached } if record.seq > reached.seq => {
                // The hash of a record is known from the next one, so that the index is complete up to the one before.
                if before.seq.is_multiple_of(RECORDS_AT_ONCE)
                    && let Err(error) = indexer.commit(before)
                {
                    self.standing = Standing::Failed(error);
                    return state.apply(record);
                }
                indexer.apply(state, record)
            }
            _ => state.apply(record),
        }
    }

    /// The index, complete up to the end of the log. One that is ahead of the log or of another log is made anew.
    pub fn finish(mut self, log: &EmbeddedLog, head: Head) -> Result<TagIndex, FollowError> {
        if matches!(self.standing, Standing::Unopened) {
            self.standing = self.opened();
        }
        let end = Position { seq: head.seq, hash: head.hash };
        self.compare(end);
        match self.standing {
            Standing::Sound { mut indexer, reached } if reached.seq <= end.seq => {
                if reached.seq < end.seq {
                    indexer.commit(end)?;
                }
                Ok(indexer.into_index())
            }
            Standing::Sound { indexer, .. } => made_anew(indexer.into_index(), self.options, log, head),
            Standing::Foreign(index) => made_anew(index, self.options, log, head),
            Standing::Failed(error) => Err(error.into()),
            Standing::Unopened => Err(IndexError::new("opening", &"it was not opened").into()),
        }
    }

    fn opened(&self) -> Standing {
        let emptied = TagIndex::open(&self.path, self.options).and_then(|index| index.emptied(self.options));
        let opened = emptied.and_then(|index| Ok((index.reached()?, index)));
        match opened {
            Ok((reached, index)) => Standing::Sound { indexer: Indexer::new(index, self.audit.clone()), reached },
            Err(error) => Standing::Failed(error),
        }
    }

    /// Compares where the index says it is with the record that stands there.
    fn compare(&mut self, passed: Position) {
        if let Standing::Sound { indexer, reached } = &self.standing
            && reached.seq == passed.seq
            && reached.hash != passed.hash
        {
            self.standing = Standing::Foreign(indexer.index().clone());
        }
    }
}

/// Throws an index away, and makes it from the whole log.
fn made_anew(index: TagIndex, options: Options, log: &EmbeddedLog, head: Head) -> Result<TagIndex, FollowError> {
    let mut indexer = Indexer::new(index.emptied(options)?, AuditIndex::default());
    let reader = log.reader();
    indexer.follow(reader.read(1), Head::default(), head.seq, &mut State::default(), |_| ControlFlow::Continue(()))?;
    Ok(indexer.into_index())
}
