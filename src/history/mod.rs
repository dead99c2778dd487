//! The history of tags, as requests ask for it: the index, and the thread that keeps it up with the log.
//!
//! The writer knows of none of this. It publishes a state and goes on; the [`Follower`] is woken, reads the new records from the
//! log and indexes them. However slow the index is, nothing waits for it but the requests that ask for history, and what it has
//! not taken yet lies in the log, not in memory. When it fails, those requests are refused until a restart makes it anew.
//!
//! Nobody may ask for a long time, and pushes want the machine for themselves: unless a request waits, the follower rests nine
//! times as long as it works. Under a load that lasts, the index then falls behind, and the first request after it may be told to come
//! again.
//!
//! **Invariant**: a request finds in the index whatever was committed before it came. It waits for that, for a bounded time.

mod demand;
mod follower;
mod past;

use std::sync::Arc;
use std::time::Duration;

use tagstone_replay::audit::Archive;
use tagstone_replay::audit::index::AuditIndex;
use tagstone_replay::log::RecordReader;
use tagstone_replay::log::index::TagIndex;
use tagstone_schema::Seq;
use tokio::sync::watch;

use demand::Demand;
pub use follower::{Behind, Follower};
pub use past::{Past, Point, PointError, Range};

/// How long a request waits for the index. It is behind by some milliseconds, and by more only under a load that lasts.
const PATIENCE: Duration = Duration::from_secs(5);

/// The history, to be asked. Clones are cheap.
#[derive(Clone)]
pub struct History {
    index: Option<TagIndex>,
    audit: AuditIndex,
    records: RecordReader,
    reached: watch::Receiver<Reached>,
    demand: Arc<Demand>,
    kept: Arc<past::Kept>,
}

/// How far the index has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// It is complete up to this record.
    Record(Seq),
    /// It has failed.
    Failed,
}

/// Why history cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The index failed.
    #[error(
        "the index of tag history has failed; it is made anew when the registry is restarted. Pushes and pulls are not affected"
    )]
    Failed,
    /// The index is too far behind.
    #[error("the index of tag history has not caught up with the latest changes yet; try again in a moment")]
    Behind,
}

impl History {
    /// Waits until the archive contains the record `seq`, and returns it.
    pub async fn archive(&self, seq: Seq) -> Result<Archive, HistoryError> {
        self.up_to(seq).await?;
        Ok(Archive::new(&self.audit, self.records.clone()))
    }

    /// The archive as far as it has come.
    pub fn archive_so_far(&self) -> Result<Archive, HistoryError> {
        match *self.reached.borrow() {
            Reached::Record(_) => Ok(Archive::new(&self.audit, self.records.clone())),
            Reached::Failed => Err(HistoryError::Failed),
        }
    }

    /// Waits, for however long it takes, until the archive contains a record beyond `seq`. That alone hurries nobody.
    pub async fn beyond(&self, seq: Seq) -> Result<(), HistoryError> {
        let mut reached = self.reached.clone();
        let there = reached.wait_for(|reached| match reached {
            Reached::Record(reached) => *reached > seq,
            Reached::Failed => true,
        });
        match there.await.as_deref() {
            Ok(Reached::Record(_)) => Ok(()),
            Ok(Reached::Failed) | Err(_) => Err(HistoryError::Failed),
        }
    }

    /// Somebody wants the index to contain the record `seq` soon.
    pub fn ask(&self, seq: Seq) {
        self.demand.ask(seq);
    }

    /// Waits until the index contains the record `seq`, and returns it.
    pub async fn up_to(&self, seq: Seq) -> Result<TagIndex, HistoryError> {
        self.demand.ask(seq);
        let mut reached = self.reached.clone();
        let there = reached.wait_for(|reached| match reached {
            Reached::Record(reached) => *reached >= seq,
            Reached::Failed => true,
        });
        let standing = match tokio::time::timeout(PATIENCE, there).await {
            Ok(Ok(reached)) => *reached,
            // The follower is gone without a word: it has panicked, or the registry stops.
            Ok(Err(_)) => Reached::Failed,
            Err(_) => return Err(HistoryError::Behind),
        };
        match (standing, &self.index) {
            (Reached::Record(_), Some(index)) => Ok(index.clone()),
            _ => Err(HistoryError::Failed),
        }
    }
}
