//! Removal of bytes: what may go, what stays and because of whom, and the order in which it goes.
//!
//! A removal is recorded before the bytes go. So a process that dies in between leaves bytes without a record, never a record
//! without its bytes; the next one finds them and finishes ([`Collector`]).

mod going;
mod keepers;
mod promises;
mod purge;
mod records;
mod remover;

use std::io;

use tagstone_schema::Digest;

pub use keepers::{Keeper, WhyKept};
pub(super) use keepers::{Need, need};
pub use promises::{Doom, How, Promises, Reservation, Told};
pub use purge::{GoneManifest, Kept, PurgeOrder, PurgePlan, Purged};
pub use remover::{PurgeRequest, RemovalError, Remover};

/// The bytes, as removal sees them.
pub trait StoredBytes: Send + Sync {
    /// Removes the bytes of these contents durably, from wherever they lie and from whoever reads them. What is not there is passed
    /// over; after an error it can be repeated.
    fn erase(&self, digests: &[Digest]) -> io::Result<()>;
}
