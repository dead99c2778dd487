//! The log: an append-only sequence of records behind one narrow trait.
//!
//! Everything that reads a log, the server's start as much as the forensic tools, goes through [`chain::Chain`], so
//! no record is ever believed that was not verified.

mod ahead;
pub mod anchor;
pub mod chain;
mod copied;
pub mod directory;
mod embedded;
pub mod memory;
mod open_error;
mod pages;
mod patched;
mod reader;
mod recovery;
mod salvage;
mod tree;
pub mod untouched;

use tagstone_schema::{EncodedRecord, Head, Seq};

pub use ahead::{Ahead, Sound};
pub use copied::{CopiedLog, CopyError};
pub use embedded::{EmbeddedLog, Opened, UnverifiedLog, Verified, Visit};
pub use open_error::OpenError;
pub use reader::RecordReader;
pub use recovery::{Recovered, recover};
pub use tree::{Options, Upkeep};

/// A place where records are kept.
pub trait Log: Send {
    /// The last record, as far as the log is durable.
    fn head(&self) -> Head;

    /// The stored bytes of the records from `from` on, in order. Nothing about them is verified.
    fn read(&self, from: Seq) -> RecordBytes<'_>;

    /// Appends records behind `expected`. When this returns `Ok`, all of them survive a loss of power. After
    /// [`AppendError::Store`] it is unknown what survives, and the log accepts nothing more.
    fn append(&mut self, expected: &Head, records: &[EncodedRecord]) -> Result<(), AppendError>;
}

/// An iterator over the stored bytes of records.
pub type RecordBytes<'a> = Box<dyn Iterator<Item = Result<StoredRecord, StoreError>> + Send + 'a>;

/// The bytes that a store holds for one seq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The seq under which they are stored.
    pub seq: Seq,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Why nothing was appended, or may have been.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended; nothing was written.
    #[error("the log has moved on to record {}; record {} was expected to be its last", found.seq, expected.seq)]
    Conflict {
        /// What the caller believed to be the head.
        expected: Head,
        /// The head.
        found: Head,
    },
    /// The store failed. It must not be written to again before a restart.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A failure of the store itself: IO or corruption. Reads of what is published go on; writing is over.
#[derive(Debug, thiserror::Error)]
#[error("{doing} failed: {why}")]
pub struct StoreError {
    /// What was being done.
    pub doing: &'static str,
    /// What the system or the store said.
    pub why: String,
}

impl StoreError {
    pub(crate) fn new(doing: &'static str, why: impl Into<String>) -> Self {
        Self { doing, why: why.into() }
    }
}
