//! A run: the postings and the turns of consecutive records, in one file that never changes.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | [`MAGIC`], which ends with the version |
//! | | blocks of postings ([`super::block`]), then blocks of [`Derived`] by seq, then blocks of turns of tags ([`super::turns`]) |
//! | | the footer: [`About`], where each block lies and begins, and which tags there may be; bincode, with a checksum as a block has |
//! | 24 | the place of the footer, its length, [`MAGIC`] again |
//!
//! The footer is kept in memory, some 40 bytes a block, 64 where it is one of turns, and 10 bits a tag; blocks are read where they are
//! needed, and whatever is read is checked.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bincode::Options;
use serde::{Deserialize, Serialize};
use tagstone_schema::{Head, RecordHash, Seq, Timestamp};

use super::IndexError;
use super::block::unsealed;
use super::codes::{damaged, take};
use super::error::READING;
use super::run_file::{Piece, RunFile};
use super::tag_filter::TagFilter;
use super::turns::{FirstTurn, TagKey, Turns};
use crate::audit::term::TermKey;
use crate::audit::{Derived, Place, TagEntry};

/// What every run begins and ends with. The last byte is the version of all that stands between, and of the terms.
pub(super) const MAGIC: [u8; 8] = *b"tagaudi\x04";

/// Bytes behind the footer.
pub(super) const TAIL_BYTES: u64 = 24;

/// What a run contains. A log is known by its hashes, so its id need not be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// The seed of the keys.
    pub(super) seed: u64,
    /// The first record.
    pub(super) from: Seq,
    /// The hash of the record before it.
    pub(super) before: RecordHash,
    /// The last record.
    pub(super) to: Seq,
    /// Its hash.
    pub(super) hash: RecordHash,
    /// Its time.
    pub(super) time: Timestamp,
}

impl About {
    /// The last record.
    pub(super) fn head(&self) -> Head {
        Head { seq: self.to, hash: self.hash, time: self.time }
    }
}

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) offset: u64,
    pub(super) length: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Footer {
    pub(super) about: About,
    /// Blocks of postings, each by its first one.
    pub(super) postings: Vec<((u64, Place), Span)>,
    /// Blocks of what is derived, each by its first seq.
    pub(super) derived: Vec<(Seq, Span)>,
    /// Blocks of turns, each by its first one.
    pub(super) turns: Vec<(FirstTurn, Span)>,
    /// The tags that have turns.
    pub(super) tags: TagFilter,
}

/// An open run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) file: RunFile,
    pub(super) footer: Arc<Footer>,
    is_damaged: AtomicBool,
}

impl Run {
    /// Opens the file of a run. Its blocks are not looked at.
    pub(super) fn open(path: &Path) -> Result<Self, IndexError> {
        let file = RunFile::open(path)?;
        let tail = file.bytes.checked_sub(TAIL_BYTES).ok_or_else(|| damaged("a run is too short"))?;
        let (first, last) = (file.read(0, MAGIC.len())?, file.read(tail, 24)?);
        let (span, magic) = last.bytes().split_at(16);
        if first.bytes() != MAGIC || magic != MAGIC {
            return Err(damaged("it is not a run of this version"));
        }
        let number = |at: usize| {
            let bytes = span.get(at..at + 8).and_then(<[u8]>::first_chunk);
            bytes.map(|bytes| u64::from_le_bytes(*bytes)).ok_or_else(|| damaged("a run is too short"))
        };
        let (offset, length) = (number(0)?, number(8)?);
        if offset.checked_add(length) != Some(tail) {
            return Err(damaged("the footer is not where it should be"));
        }
        let footer = file.read(offset, usize::try_from(length).map_err(IndexError::of(READING))?)?;
        let footer = unsealed(footer.bytes(), offset)?;
        let footer = codec().with_limit(file.bytes).deserialize(footer).map_err(IndexError::of(READING))?;
        Ok(Self { file, footer: Arc::new(footer), is_damaged: AtomicBool::new(false) })
    }

    /// The same run, to be read from its beginning to its end.
    pub(super) fn to_copy(&self) -> Result<Self, IndexError> {
        let file = RunFile::open_to_copy(&self.file.path)?;
        Ok(Self { file, footer: self.footer.clone(), is_damaged: AtomicBool::new(false) })
    }

    pub(super) fn about(&self) -> &About {
        &self.footer.about
    }

    /// Whether a part of it was found to be damaged.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Does something with the contents of a block of postings.
    pub(super) fn in_block<T>(
        &self,
        block: usize,
        act: impl FnOnce(&[u8]) -> Result<T, IndexError>,
    ) -> Result<Option<T>, IndexError> {
        let Some((_, span)) = self.footer.postings.get(block) else { return Ok(None) };
        let done = self.read(*span).and_then(|piece| act(piece.block(*span)?));
        self.noting(done.map(Some))
    }

    /// The block in which postings at or behind this one begin, and whether there is one before.
    pub(super) fn block_of(&self, key: TermKey, place: Place) -> Option<usize> {
        self.footer.postings.partition_point(|(first, _)| *first <= (key.0, place)).checked_sub(1)
    }

    /// The first posting of a block.
    pub(super) fn first_of(&self, block: usize) -> Option<(TermKey, Place)> {
        self.footer.postings.get(block).map(|((key, place), _)| (TermKey(*key), *place))
    }

    /// What the fold adds to a record.
    pub(super) fn derived(&self, seq: Seq) -> Result<Derived, IndexError> {
        let block = self.footer.derived.partition_point(|(first, _)| *first <= seq);
        let Some((_, span)) = block.checked_sub(1).and_then(|block| self.footer.derived.get(block)) else {
            return Ok(Derived::default());
        };
        let found = self.read(*span).and_then(|piece| {
            for entry in derived_in(piece.block(*span)?) {
                let (found, bytes) = entry?;
                if found == seq {
                    return codec()
                        .with_limit(bounded(bytes.len()))
                        .deserialize(bytes)
                        .map_err(IndexError::of(READING));
                }
            }
            Ok(Derived::default())
        });
        self.noting(found)
    }

    /// All that is derived, as it is stored: by seq. The blocks are read one after the other.
    pub(super) fn all_derived(&self) -> impl Iterator<Item = Result<Vec<(Seq, Vec<u8>)>, IndexError>> + '_ {
        self.footer.derived.iter().map(|(_, span)| {
            let piece = self.noting(self.read(*span))?;
            let bytes = self.noting(piece.block(*span))?;
            derived_in(bytes).map(|entry| entry.map(|(seq, bytes)| (seq, bytes.to_vec()))).collect()
        })
    }

    /// The turns in a block.
    pub(super) fn turns(&self, block: usize) -> Result<Option<Vec<(TagKey, TagEntry)>>, IndexError> {
        let Some((_, span)) = self.footer.turns.get(block) else { return Ok(None) };
        let read = self.read(*span).and_then(|piece| Turns::new(piece.block(*span)?, self.about()).collect());
        self.noting(read.map(Some))
    }

    fn read(&self, span: Span) -> Result<Piece, IndexError> {
        // The footer is checked, so this is no more than the file holds.
        self.file.read(span.offset, usize::try_from(span.length).map_err(IndexError::of(READING))?)
    }

    /// Remembers that a part is damaged, if it is.
    pub(super) fn noting<T>(&self, done: Result<T, IndexError>) -> Result<T, IndexError> {
        if done.is_err() {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
        done
    }
}

/// The entries of a block of what is derived.
fn derived_in(mut bytes: &[u8]) -> impl Iterator<Item = Result<(Seq, &[u8]), IndexError>> {
    std::iter::from_fn(move || {
        (!bytes.is_empty()).then(|| {
            let (seq, length) = (take(&mut bytes)?, take(&mut bytes)?);
            let length = usize::try_from(length).map_err(IndexError::of(READING))?;
            let (entry, rest) = bytes.split_at_checked(length).ok_or_else(|| damaged("an entry is cut off"))?;
            bytes = rest;
            Ok((seq, entry))
        })
    })
}

fn bounded(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

pub(super) fn codec() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().reject_trailing_bytes()
}
