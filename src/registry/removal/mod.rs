//! Removal of bytes: what may go, what stays and because of whom, and the order in which it goes.
//!
//! A removal is recorded before the bytes go. So a process that dies in between leaves bytes without a record, never a record
//! without its bytes; the next one finds them and finishes ([`Collector`]).

mod aftermath;
mod candidates;
mod collection;
mod collector;
mod going;
mod keepers;
mod promises;
mod purge;
mod records;
mod remembered;
mod remover;
mod stage;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tagstone_schema::event::RemovedContent;
use tagstone_schema::{Digest, Head, Timestamp};

pub use aftermath::Aftermath;
pub use collection::{CollectError, Collection, Running};
pub use collector::{CollectOrder, CollectParts, CollectRules, Collector};
pub use keepers::{Keeper, WhyKept};
pub(super) use keepers::{Need, need};
pub use promises::{Doom, How, Promises, Reservation, Told};
pub(super) use purge::Free;
pub use purge::{GoneManifest, Kept, LeftBehind, PurgeOrder, PurgePlan, Purged};
pub use remembered::{recall, remember};
pub use remover::{PurgeRequest, RemovalError, Remover};

/// All that removes bytes, and what keeps it from it.
#[derive(Clone)]
pub struct Removal {
    /// What clients are told that they have.
    pub promises: Arc<Promises>,
    /// Removes on demand.
    pub remover: Arc<Remover>,
    /// Removes what nothing refers to.
    pub collector: Arc<Collector>,
}

impl Removal {
    /// Over one registry.
    pub fn new(parts: CollectParts, rules: CollectRules) -> Self {
        let (promises, purged) = (parts.promises.clone(), Arc::<AtomicBool>::default());
        let remover = Remover::new(
            parts.published.clone(),
            parts.clock.clone(),
            parts.writer.clone(),
            parts.bytes.clone(),
            promises.clone(),
            rules.grace,
            purged.clone(),
        );
        Self { promises, remover: Arc::new(remover), collector: Arc::new(Collector::new(parts, rules, purged)) }
    }
}

/// The bytes, as removal sees them.
pub trait StoredBytes: Send + Sync {
    /// Removes the bytes of these contents durably, from wherever they lie and from whoever reads them. What is not there is passed
    /// over; after an error it can be repeated.
    fn erase(&self, digests: &[Digest]) -> io::Result<()>;

    /// How many bytes the content has, if it is there.
    fn find(&self, digest: &Digest) -> Option<u64>;

    /// Goes through all that is there, as long as `see` says so. What comes or goes meanwhile may be seen or not.
    fn each(&self, see: &mut dyn FnMut(StoredContent) -> bool) -> io::Result<()>;

    /// Puts contents behind each other that lie beside each other: to remove them together costs fewer syncs.
    fn arrange(&self, contents: &mut [RemovedContent]);

    /// Gives back the space of what was removed.
    fn compact(&self) -> io::Result<()>;
}

/// Content that lies on the disk.
#[derive(Clone, Debug)]
pub struct StoredContent {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, where that is known.
    pub written: Option<Timestamp>,
}

/// What the log says of the past.
pub trait PastRemovals: Send + Sync {
    /// Whether it can be told already what happened up to `head`.
    fn reaches(&self, head: Head) -> bool;

    /// Whether some record up to `head` says that the bytes of the content were removed. None where that cannot be told yet.
    fn was_removed(&self, digest: &Digest, head: Head) -> Option<bool>;
}

#[cfg(test)]
mod tests;
