//! The file of a run: reading in it, and what the system is told about that.
//!
//! A question reads a block here and a row of blocks there. A disk answers most reads at once and now and then one late, so what
//! counts is how many reads a question waits for, one after the other: what lies in a row is one read, and reads that are foreseen
//! are announced. Nothing more is read along: it would take the place of what is in use.

use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

use super::IndexError;
use super::block::unsealed;
use super::codes::damaged;
use super::error::READING;
use super::run::Span;

/// An open file.
#[derive(Debug)]
pub(super) struct RunFile {
    file: File,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// Bytes of a file, and where they lie in it.
#[derive(Debug)]
pub(super) struct Piece {
    offset: u64,
    bytes: Vec<u8>,
}

impl RunFile {
    /// Opens a file, to be asked.
    pub(super) fn open(path: &Path) -> Result<Self, IndexError> {
        let opened = Self::open_to_copy(path)?;
        opened.advise(0, None, Advice::Random);
        Ok(opened)
    }

    /// Opens a file, to be read from its beginning to its end: the system reads ahead.
    pub(super) fn open_to_copy(path: &Path) -> Result<Self, IndexError> {
        let opened = File::open(path).and_then(|file| file.metadata().map(|about| (file, about.len())));
        let (file, bytes) = opened.map_err(IndexError::of("opening"))?;
        Ok(Self { file, path: path.to_owned(), bytes })
    }

    /// Reads what lies there. It must be no more than the file may hold.
    pub(super) fn read(&self, offset: u64, length: usize) -> Result<Piece, IndexError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(IndexError::of(READING))?;
        Ok(Piece { offset, bytes })
    }

    /// Announces a read, so that it is under way while others are waited for.
    pub(super) fn announce(&self, offset: u64, length: usize) {
        let length = u64::try_from(length).ok().and_then(NonZeroU64::new);
        self.advise(offset, length, Advice::WillNeed);
    }

    fn advise(&self, offset: u64, length: Option<NonZeroU64>, advice: Advice) {
        // A file system that takes no advice is read as well.
        let _ = fadvise(&self.file, offset, length, advice);
    }
}

impl Piece {
    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The contents of the block that lies there, if it is whole.
    pub(super) fn block(&self, span: Span) -> Result<&[u8], IndexError> {
        let (at, length) = (span.offset.checked_sub(self.offset), usize::try_from(span.length).ok());
        let at = at.and_then(|at| usize::try_from(at).ok());
        let sealed = at.zip(length).and_then(|(at, length)| self.bytes.get(at..)?.get(..length));
        unsealed(sealed.ok_or_else(|| damaged("a block is not where it should be"))?, span.offset)
    }
}
