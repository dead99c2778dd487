//! The index of tag history: every interval in which a tag pointed at a digest, kept in a sled database beside the log.
//!
//! **Invariant**: it holds nothing that the log does not. Whenever there is doubt about it, it is thrown away and made anew
//! from the log, so nothing of it is ever repaired, and nothing of it is synced before a clean stop.
//!
//! It is written behind the commits by whoever follows the log ([`Indexer`]), and names the record up to which it is
//! complete ([`TagIndex::reached`]), always in one sled batch with the last of what that record did. Behind that place it may hold a
//! part of what follows; to index a record again changes nothing. There is room for more: each kind of entry begins with a byte
//! of its own ([`keys`]), and further kinds (by actor, by kind of event, by time) join the same batches under a raised version.

mod catch_up;
mod indexer;
mod interval;
mod keys;
mod listing;
mod store;
#[cfg(test)]
mod tests;

pub use catch_up::CatchUp;
pub use indexer::{FollowError, Indexer};
pub use interval::{End, Ending, Interval, Place, Stay};
pub use listing::{Listed, Walk};
pub use store::TagIndex;

/// Why an index cannot be used. The log is not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing} the index of tag history failed: {why}")]
pub struct IndexError {
    /// What was being done.
    doing: &'static str,
    /// What the system or sled said.
    why: String,
}

impl IndexError {
    fn new(doing: &'static str, why: &dyn std::fmt::Display) -> Self {
        Self { doing, why: why.to_string() }
    }
}
