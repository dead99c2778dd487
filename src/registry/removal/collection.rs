//! What a collection has done, and why it did not.

use std::io;

use tagstone_schema::event::RemovedContent;
use tagstone_schema::{Seq, Timestamp};

use crate::registry::prune::{Listed, Way};
use crate::registry::writer::WriteError;

/// Contents that a report lists; the others are counted. All of them stand in the records.
const LISTED: usize = 10_000;

/// What a collection has done, or would have done.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Whether it removed anything.
    pub way: Way,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// How many contents nothing referred to.
    pub considered: u64,
    /// What was removed.
    pub removed: Listed<RemovedContent>,
    /// Bytes of what was removed.
    pub bytes_freed: u64,
    /// How many contents stay, since they are not unreferenced for long enough, or a client was told that they are there.
    pub kept_in_grace: u64,
    /// Manifests that were deleted because nothing had held them for long. Their bytes go after another grace period.
    pub manifests_deleted: u64,
    /// The last record.
    pub seq: Option<Seq>,
    /// Why it ended before all was done, if it did.
    pub incomplete: Option<String>,
}

/// A collection that is under way.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// When it began.
    pub started: Timestamp,
    /// Whether it removes anything.
    pub way: Way,
}

/// Why a collection did not run, or did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// There is one at a time.
    #[error("a collection is under way since {since}; ask again when it has ended")]
    UnderWay {
        /// When it began.
        since: Timestamp,
    },
    /// Nothing is written any more, or the registry stops.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The bytes cannot be read or removed.
    #[error(
        "the content cannot be gone through, or not be removed ({0}); what is recorded as removed goes with the next run"
    )]
    Bytes(io::Error),
}

impl Collection {
    pub(super) fn begin(started: Timestamp, way: Way) -> Self {
        Self {
            way,
            started,
            finished: started,
            considered: 0,
            removed: Listed::new(LISTED),
            bytes_freed: 0,
            kept_in_grace: 0,
            manifests_deleted: 0,
            seq: None,
            incomplete: None,
        }
    }

    pub(super) fn remove(&mut self, content: &RemovedContent) {
        self.bytes_freed += content.size;
        self.removed.add(|| content.clone());
    }
}
