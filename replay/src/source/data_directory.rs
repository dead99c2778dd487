//! The data directory of a stopped registry.
//!
//! **Invariant**: nothing is written to the directory. The anchor is read, the lock is borrowed (which writes nothing),
//! and the log is copied aside before sled sees it, if it has to.

use std::path::Path;

use tagstone_schema::Seq;

use super::{DurableEnd, Source, SourceError};
use crate::content::Layout;
use crate::log::anchor::{self, AnchorError};
use crate::log::directory::{DirectoryLock, LockError};
use crate::log::{CopiedLog, RecordBytes};

/// A data directory, opened for reading. No server can start on it while the value lives.
pub struct DataDirectory {
    layout: Layout,
    /// None where the registry stopped before it made a log, or somebody removed it: the anchor tells which.
    log: Option<CopiedLog>,
    durable_end: DurableEnd,
    _lock: Option<DirectoryLock>,
}

impl DataDirectory {
    /// Opens a data directory. A damaged log or anchor is no error here: what is wrong with them is found when the
    /// records are replayed.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        let layout = Layout::new(root);
        let has_log = is_there(&layout.log())?;
        if !has_log && !is_there(&layout.anchor())? {
            return Err(SourceError::NotData(root.to_owned()));
        }
        let lock = DirectoryLock::borrow(&layout.lock()).map_err(|error| match error {
            LockError::Held { .. } => SourceError::Running(error),
            LockError::Io { .. } => SourceError::Lock(error),
        })?;
        let durable_end = match anchor::read(&layout.anchor()) {
            Ok(head) => DurableEnd::Known(head),
            Err(error @ AnchorError::Io { .. }) => return Err(SourceError::Anchor(error.to_string())),
            Err(error) => DurableEnd::Lost(error.to_string()),
        };
        let anchor = match &durable_end {
            DurableEnd::Known(head) => Some(*head),
            DurableEnd::Exact { .. } | DurableEnd::Lost(_) => None,
        };
        let log = has_log.then(|| CopiedLog::of(&layout.log(), anchor)).transpose();
        let log = log.map_err(SourceError::Copy)?;
        Ok(Self { layout, log, durable_end, _lock: lock })
    }

    /// Where everything lies in it.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// Whether there is something. What cannot be looked at is not called absent: it may be the evidence.
fn is_there(path: &Path) -> Result<bool, SourceError> {
    path.try_exists().map_err(|source| SourceError::Absent { path: path.to_owned(), source })
}

impl Source for DataDirectory {
    fn records(&self, from: Seq) -> RecordBytes<'_> {
        match &self.log {
            None => Box::new(std::iter::empty()),
            Some(log) => log.read(from),
        }
    }

    fn damage(&self) -> Option<(Seq, String)> {
        self.log.as_ref().and_then(CopiedLog::damage)
    }

    fn unread(&self) -> Option<String> {
        self.log.as_ref().and_then(CopiedLog::uncopied)
    }

    fn durable_end(&self) -> &DurableEnd {
        &self.durable_end
    }
}
