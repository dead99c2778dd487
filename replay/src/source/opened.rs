//! The source that a person named.

use std::path::{Path, PathBuf};

use tagstone_schema::{Head, Id, Seq};

use super::{Asking, DataDirectory, DurableEnd, ExportFile, RegistryError, RunningRegistry, Source};
use crate::content::Layout;
use crate::export::ExportError;
use crate::log::directory::LockError;
use crate::log::{CopyError, RecordBytes};

/// A source of any kind.
pub enum OpenSource {
    /// The data directory of a stopped registry.
    Directory(Box<DataDirectory>),
    /// An exported file.
    Export(ExportFile),
    /// A running registry.
    Registry(RunningRegistry),
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
    /// A directory, but of something else.
    #[error("{} is no data directory of a registry: it holds neither `log` nor `anchor`", .0.display())]
    NotData(PathBuf),
    /// Neither a directory nor a file, such as a pipe: it could not be read twice.
    #[error("{} is neither a data directory, nor a file", .0.display())]
    NotFile(PathBuf),
    /// A server has it.
    #[error("{0}. A registry that runs is read by its URL, as in http://127.0.0.1:5000")]
    Running(LockError),
    /// The lock cannot be read.
    #[error(transparent)]
    Lock(LockError),
    /// The log cannot be copied aside.
    #[error(transparent)]
    Copy(CopyError),
    /// The anchor cannot be read, although it is there.
    #[error("{0}")]
    Anchor(String),
    /// A file, but no export that this program reads.
    #[error("{}: {error}", path.display())]
    Export {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ExportError,
    },
    /// A registry that does not answer as it should.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An export that does not begin with record 1.
    #[error(
        "the export begins behind record {}: without the records up to there nothing can be said about the state; \
         `verify` checks what it holds",
        .0.seq
    )]
    Part(Head),
}

/// Whether what a person named is a running registry, by its URL.
pub fn is_registry(given: &str) -> bool {
    given.contains("://")
}

/// Opens a source without credentials beside those that may stand in a URL.
pub fn open(given: &str) -> Result<OpenSource, SourceError> {
    open_whole(given, &Asking::default())
}

/// Opens the source that a person named on the command line: a whole log.
pub fn open_whole(given: &str, asking: &Asking) -> Result<OpenSource, SourceError> {
    let source = open_any(given, asking)?;
    match source.begins_behind() {
        Head { seq: 0, .. } => Ok(source),
        before => Err(SourceError::Part(before)),
    }
}

/// Opens a source that may also be a part of a log, in which no state can be told.
pub fn open_any(given: &str, asking: &Asking) -> Result<OpenSource, SourceError> {
    if is_registry(given) {
        return Ok(OpenSource::Registry(RunningRegistry::open(given, asking)?));
    }
    let path = Path::new(given);
    let metadata = std::fs::metadata(path).map_err(|source| SourceError::Absent { path: path.to_owned(), source })?;
    if metadata.is_dir() {
        DataDirectory::open(path).map(Box::new).map(OpenSource::Directory)
    } else if metadata.is_file() {
        ExportFile::open(path).map(OpenSource::Export)
    } else {
        Err(SourceError::NotFile(path.to_owned()))
    }
}

impl OpenSource {
    /// Where the bytes of the registry lie; only a data directory has them.
    pub fn layout(&self) -> Option<&Layout> {
        match self {
            Self::Directory(directory) => Some(directory.layout()),
            Self::Export(_) | Self::Registry(_) => None,
        }
    }

    fn inner(&self) -> &dyn Source {
        match self {
            Self::Directory(directory) => &**directory,
            Self::Export(export) => export,
            Self::Registry(registry) => registry,
        }
    }
}

impl Source for OpenSource {
    fn records(&self, from: Seq) -> RecordBytes<'_> {
        self.inner().records(from)
    }

    fn durable_end(&self) -> &DurableEnd {
        self.inner().durable_end()
    }

    fn begins_behind(&self) -> Head {
        self.inner().begins_behind()
    }

    fn log(&self) -> Option<Id> {
        self.inner().log()
    }

    fn damage(&self) -> Option<(Seq, String)> {
        self.inner().damage()
    }

    fn unread(&self) -> Option<String> {
        self.inner().unread()
    }
}
