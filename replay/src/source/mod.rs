//! Sources of a log: where an investigator reads it from, always without changing it.
//!
//! This version reads the data directory of a stopped registry. Every other kind of source is one more implementation
//! of [`Source`]; everything above it, from the chain to the questions, is the same for all.

mod contents;
mod data_directory;
mod point;
mod replay;

use std::path::{Path, PathBuf};

use tagstone_schema::{Head, Seq};

pub use contents::{Linked, check_contents};
pub use data_directory::DataDirectory;
pub use point::{Point, PointError, PointParseError, StateAt};
pub use replay::{Problem, Replay, Step, Witness, replay, replay_before};

use crate::log::directory::LockError;
use crate::log::{CopyError, RecordBytes};

/// A place that a log is read from. Nothing that it returns was verified.
pub trait Source {
    /// The stored bytes of the records from `from` on, in order.
    fn records(&self, from: Seq) -> RecordBytes<'_>;

    /// What stands outside of the log about where it ends.
    fn durable_end(&self) -> &DurableEnd;
}

/// What is known about the last record that was made durable, from outside of the log: a prefix of a log is itself a
/// valid log, so without this a lost end would go unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurableEnd {
    /// The log reaches at least to here.
    Known(Head),
    /// It should be known, but is not, for this reason.
    Lost(String),
}

/// Why a source cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is nothing at the path.
    #[error("{} does not exist or cannot be looked at: {source}", path.display())]
    Absent {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another kind of source than this version knows.
    #[error("{given} is {what}; this version reads the data directory of a stopped registry, and nothing else yet")]
    Unsupported {
        /// What was given.
        given: String,
        /// What it looks like.
        what: &'static str,
    },
    /// A directory, but of something else.
    #[error("{} is no data directory of a registry: it holds neither `log` nor `anchor`", .0.display())]
    NotData(PathBuf),
    /// A server has it, or the lock cannot be read.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The log cannot be copied aside.
    #[error(transparent)]
    Copy(CopyError),
    /// The anchor cannot be read, although it is there.
    #[error("{0}")]
    Anchor(String),
}

/// Opens the source that a person named on the command line.
pub fn open(given: &str) -> Result<DataDirectory, SourceError> {
    if given.contains("://") {
        return Err(SourceError::Unsupported { given: given.to_owned(), what: "a URL" });
    }
    let path = Path::new(given);
    let metadata = std::fs::metadata(path).map_err(|source| SourceError::Absent { path: path.to_owned(), source })?;
    if !metadata.is_dir() {
        return Err(SourceError::Unsupported { given: given.to_owned(), what: "a file" });
    }
    DataDirectory::open(path)
}
