//! The history, as requests ask for it: the index of the audit, and the thread that keeps it up with the log.
//!
//! The writer knows of none of this. It publishes a state and goes on; the [`Follower`] is woken, reads the new records from the
//! log and adds them to the index. However slow that is, nothing waits for it but the requests that ask for history, and what it
//! has not taken yet lies in the log, not in memory.
//!
//! An index that is absent or in doubt is made from the first record on while the registry serves; requests for history are told
//! how far it has come.
//!
//! **Invariant**: a request finds in the archive whatever was committed before it came. It waits for that, for a bounded time.

mod follower;
mod past;
mod questions;
mod resume;

use std::sync::Arc;
use std::time::Duration;

use tagstone_replay::audit::index::AuditIndex;
use tagstone_replay::audit::past::PastError;
use tagstone_replay::audit::{Archive, ArchiveError};
use tagstone_replay::log::RecordReader;
use tagstone_schema::Seq;
use tokio::sync::watch;

pub use follower::Follower;
pub use past::{Past, Point, PointError, Range};
pub use questions::Questions;
pub use resume::{Behind, Resume};

use crate::registry::{LogDamage, Waker};

/// How long a request waits for the index. It is behind by some milliseconds, and by more only while it is made anew.
const PATIENCE: Duration = Duration::from_secs(5);

/// The history, to be asked. Clones are cheap.
#[derive(Clone)]
pub struct History {
    index: Option<AuditIndex>,
    records: RecordReader,
    reached: watch::Receiver<Reached>,
    waker: Waker,
    kept: Arc<past::Kept>,
    questions: Questions,
}

/// How far the index has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reached {
    /// It is complete up to this record.
    Record(Seq),
    /// It comes no further.
    Failed(HistoryError),
}

/// Why history cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The index failed.
    #[error(
        "the index of history has failed; it is made anew when the registry is restarted. Pushes and pulls are not affected"
    )]
    Failed,
    /// The log cannot be read where the question leads.
    #[error(
        "this part of history cannot be told, since the log is damaged: {0}. `tagstone-replay verify` says how far the log is \
         sound; a restart does not help"
    )]
    Damaged(Arc<LogDamage>),
    /// A part of the index is damaged; it is thrown away and made anew at once.
    #[error("a part of the index of history cannot be read; try again in a moment")]
    InDoubt,
    /// The index is too far behind.
    #[error(
        "the index of history is being made and has come to record {reached} of {wanted}; try again in a moment. Pushes and \
         pulls are not affected"
    )]
    Behind {
        /// The last record that it contains.
        reached: Seq,
        /// The record that it has to contain.
        wanted: Seq,
    },
}

impl History {
    /// Waits until the archive contains the record `seq`, and returns it.
    pub async fn archive(&self, seq: Seq) -> Result<Archive, HistoryError> {
        self.questions.note();
        let Some(index) = &self.index else { return Err(HistoryError::Failed) };
        if index.is_in_doubt() {
            self.waker.wake();
        }
        let mut reached = self.reached.clone();
        let there = reached.wait_for(|reached| match reached {
            Reached::Record(reached) => *reached >= seq && !index.is_in_doubt(),
            Reached::Failed(_) => true,
        });
        let standing = match tokio::time::timeout(PATIENCE, there).await {
            Ok(Ok(reached)) => Some(reached.clone()),
            // The follower is gone without a word: it has panicked, or the registry stops.
            Ok(Err(_)) => Some(Reached::Failed(HistoryError::Failed)),
            Err(_) => None,
        };
        let archive = Archive::new(index, self.records.clone());
        match standing {
            Some(Reached::Failed(why)) => Err(why),
            // It may have been thrown away in this moment.
            Some(Reached::Record(_)) if archive.reached().seq >= seq => Ok(archive),
            _ => Err(HistoryError::Behind { reached: archive.reached().seq, wanted: seq }),
        }
    }

    /// When it was last asked.
    pub fn questions(&self) -> &Questions {
        &self.questions
    }

    /// The archive as far as it has come.
    pub fn archive_so_far(&self) -> Result<Archive, HistoryError> {
        match (&*self.reached.borrow(), &self.index) {
            (Reached::Record(_), Some(index)) => Ok(Archive::new(index, self.records.clone())),
            (Reached::Failed(why), _) => Err(why.clone()),
            (Reached::Record(_), None) => Err(HistoryError::Failed),
        }
    }

    /// Makes the index durable up to a record. It is not done, and `false`, where the index has not come so far; an index that has
    /// failed is made anew from the log in any case, and holds nobody up.
    pub fn make_durable(&self, seq: Seq) -> bool {
        let index = match (&*self.reached.borrow(), &self.index) {
            (Reached::Failed(_), _) | (_, None) => return true,
            (Reached::Record(reached), _) if *reached < seq => return false,
            (Reached::Record(_), Some(index)) => index,
        };
        let flushed = if index.durable().seq < seq { index.flush() } else { Ok(()) };
        if let Err(error) = flushed {
            tracing::warn!(%error, "the index of the audit cannot be made durable");
        }
        index.durable().seq >= seq
    }

    /// Waits, for however long it takes, until the archive contains a record beyond `seq`.
    pub async fn beyond(&self, seq: Seq) -> Result<(), HistoryError> {
        let mut reached = self.reached.clone();
        let there = reached.wait_for(|reached| match reached {
            Reached::Record(reached) => *reached > seq,
            Reached::Failed(_) => true,
        });
        match there.await.as_deref() {
            Ok(Reached::Record(_)) => Ok(()),
            Ok(Reached::Failed(why)) => Err(why.clone()),
            Err(_) => Err(HistoryError::Failed),
        }
    }
}

impl From<ArchiveError> for HistoryError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Index(_) => Self::InDoubt,
            ArchiveError::Record { seq, why } => Self::Damaged(Arc::new(LogDamage::Unreadable { seq, why })),
        }
    }
}

impl From<PastError> for HistoryError {
    fn from(error: PastError) -> Self {
        match error {
            PastError::Archive(error) => error.into(),
            PastError::Illegal { .. } => Self::Failed,
        }
    }
}
