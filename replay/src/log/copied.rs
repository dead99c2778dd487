//! A log that is read without a byte of it being changed.
//!
//! sled writes to its files when it is merely opened: it truncates a torn tail, marks segments free, writes a snapshot.
//! So the directory is copied, and the copy is opened.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tagstone_schema::Seq;
use tempfile::TempDir;

use super::RecordBytes;
use super::open_error::OpenError;
use super::tree::{Options, RecordTree, unwinding};

/// The copy of a log's directory, opened. The copy is removed when the value is dropped.
pub struct CopiedLog {
    /// Dropped before the directory that it lies in; none only while that happens.
    tree: Option<RecordTree>,
    _copy: TempDir,
}

/// Why there is no copy to read.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The directory for temporary files is too full.
    #[error(
        "a copy of the log needs {needed} bytes, but {} has {free} bytes free; set TMPDIR to a directory with more room",
        directory.display()
    )]
    NoRoom {
        /// The directory for temporary files.
        directory: PathBuf,
        /// The size of the log.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// The log could not be read, or the copy not be written.
    #[error("copying {} failed: {source}", path.display())]
    Io {
        /// The file that was being copied.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The copy cannot be opened.
    #[error("sled cannot open a copy of the log: {0}")]
    Unusable(String),
}

impl CopiedLog {
    /// Copies the directory of a log, and opens the copy.
    pub fn of(log: &Path) -> Result<Self, CopyError> {
        let failed = |source| CopyError::Io { path: log.to_owned(), source };
        let copy = tempfile::Builder::new().prefix("tagstone-replay-").tempdir().map_err(failed)?;
        let needed = size_of_directory(log).map_err(failed)?;
        let free = rustix::fs::statvfs(copy.path()).map_err(|error| failed(error.into()))?;
        let free = free.f_bavail.saturating_mul(free.f_frsize);
        if free < needed {
            return Err(CopyError::NoRoom { directory: std::env::temp_dir(), needed, free });
        }
        copy_directory(log, copy.path())?;
        let tree = RecordTree::open(copy.path(), Options::default()).map_err(|error| match error {
            OpenError::Unusable { why, .. } => CopyError::Unusable(why),
            other => CopyError::Unusable(other.to_string()),
        })?;
        Ok(Self { tree: Some(tree), _copy: copy })
    }

    /// The stored bytes of the records from `from` on, in order. Nothing about them is verified.
    pub fn read(&self, from: Seq) -> RecordBytes<'_> {
        match &self.tree {
            Some(tree) => tree.read(from),
            None => Box::new(std::iter::empty()),
        }
    }
}

impl Drop for CopiedLog {
    fn drop(&mut self) {
        // On a damaged file sled may give up in its own destructor too; nothing depends on the copy any more.
        let _ = unwinding(|| drop(self.tree.take()));
    }
}

fn size_of_directory(directory: &Path) -> io::Result<u64> {
    fs::read_dir(directory)?.try_fold(0, |sum, entry| {
        let entry = entry?;
        let metadata = entry.metadata()?;
        Ok(sum + if metadata.is_dir() { size_of_directory(&entry.path())? } else { metadata.len() })
    })
}

fn copy_directory(from: &Path, to: &Path) -> Result<(), CopyError> {
    let failed = |path: &Path, source| CopyError::Io { path: path.to_owned(), source };
    for entry in fs::read_dir(from).map_err(|error| failed(from, error))? {
        let entry = entry.map_err(|error| failed(from, error))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(|error| failed(&path, error))?;
        if kind.is_dir() {
            fs::create_dir(&target).map_err(|error| failed(&path, error))?;
            copy_directory(&path, &target)?;
        } else if kind.is_file() {
            // Permissions are not copied: evidence is often read-only, and sled opens the copy for writing.
            let copied =
                fs::File::open(&path).and_then(|mut source| io::copy(&mut source, &mut fs::File::create(&target)?));
            copied.map_err(|error| failed(&path, error))?;
        }
    }
    Ok(())
}
