//! The registry proper: what is asked of it, how it decides, and the one writer that commits.
//!
//! **Invariant**: nothing here knows HTTP, and [`decide`] does no IO.

mod clock;
mod command;
mod conflict;
mod decide;
mod expiry;
mod prune;
mod published;
mod read_only;
mod record_size;
mod refusals;
mod rejection;
mod removal;
mod writer;

pub use clock::{Clock, SystemClock};
pub use command::{
    Because, BecauseError, Command, Condition, CreatePolicy, DropCause, DropContents, DropManifests, Expiry, FoundTags,
    IssueToken, Lock, Prunable, PruneTags, Purge, PutManifest, SetTag, Sparse, Submission,
};
pub use conflict::{Candidate, Conflict, InForce, Judgement, Party, Warning, judge};
pub use decide::{decide, judge_policy};
pub use prune::{Listed, Order, PrunedTag, Pruner, Report, RunError, SkippedTag, Stop, Way, WhySkipped};
pub use published::{Newer, Published, Snapshot, Waker};
pub use read_only::{LogDamage, ReadOnly, Writing};
pub use refusals::{Attempt, Place, Recalled, RefusalReason, Refusals, RefusedEntry, RefusedList, Tally};
pub use rejection::{Act, Immutable, Protected, Rejection, SpentName};
pub use removal::{
    Aftermath, CollectError, CollectOrder, CollectParts, CollectRules, Collection, Collector, Doom, GoneManifest, How,
    Keeper, Kept, LeftBehind, PastRemovals, Promises, PurgeOrder, PurgePlan, PurgeRequest, Purged, Removal,
    RemovalError, Remover, Reservation, Running, StoredBytes, StoredContent, Told, WhyKept, recall as recall_promises,
    remember as remember_promises,
};
pub use writer::{BatchBytes, Committed, Progress, WriteError, Writer, WriterHandle, WriterSettings};
