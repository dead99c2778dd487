//! Verification of records as they are read: place, predecessor, time, bytes.

use tagstone_schema::record::{ChainError, DecodeError};
use tagstone_schema::{Head, Record, RecordHash, Seq};

use super::StoredRecord;

/// The part of a log that was verified so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain {
    head: Head,
}

/// The first record at which a log stops being what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} is not sound: {why}")]
pub struct Broken {
    /// The seq that should stand there.
    pub seq: Seq,
    /// What is wrong.
    pub why: BrokenWhy,
}

/// What is wrong with a stored record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenWhy {
    /// Its bytes are no record.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It does not follow the record before it.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// It is not what it was when the records behind it were written.
    #[error(
        "it was altered: it has the hash {found}, but record {by} names {named}, and what follows confirms record {by}"
    )]
    Altered {
        /// The record behind it.
        by: Seq,
        /// The hash that this one names.
        named: RecordHash,
        /// The hash of what stands there.
        found: RecordHash,
    },
    /// The store could not read it.
    #[error("{0}")]
    Unreadable(String),
}

impl Chain {
    /// A chain that is known to be sound up to `head`.
    pub fn after(head: Head) -> Self {
        Self { head }
    }

    /// The last verified record.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Verifies and decodes the next record.
    pub fn next(&mut self, stored: &StoredRecord) -> Result<Record, Broken> {
        self.next_hashed(stored, RecordHash::of(&stored.bytes))
    }

    /// The same, where the hash of its bytes is known.
    // Otherwise the record is moved once more.
    #[inline(always)]
    pub(super) fn next_hashed(&mut self, stored: &StoredRecord, hash: RecordHash) -> Result<Record, Broken> {
        let seq = self.head.seq.saturating_add(1);
        let broken = |why| Broken { seq, why };
        if stored.seq != seq {
            return Err(broken(ChainError::Seq { expected: seq, found: stored.seq }.into()));
        }
        let record = Record::decode(&stored.bytes).map_err(|error| broken(error.into()))?;
        record.check_follows(&self.head).map_err(|error| broken(error.into()))?;
        self.head = Head { seq, hash, time: record.time };
        Ok(record)
    }
}
