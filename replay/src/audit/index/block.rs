//! A block of postings: terms with their places, in order, about 4 KiB of them.
//!
//! Each term is the distance of its key from the one before, then its places, each by its distance from the one before, then
//! 0. A checksum ends the block; the place of the block in its file is hashed with it, so that no block passes for another.

use twox_hash::XxHash3_64;

use super::IndexError;
use super::codes::{damaged, put, put_place, take, take_place};
use crate::audit::Place;
use crate::audit::term::TermKey;

/// Bytes after which a block is full.
pub(super) const BLOCK_BYTES: usize = 4096;

/// Before the first place of a term or a tag in a run that begins with this record.
pub(super) fn start(from: u64) -> Place {
    Place { seq: from.saturating_sub(1), index: 0 }
}

/// A block in the making.
#[derive(Debug)]
pub(super) struct BlockWriter {
    from: u64,
    bytes: Vec<u8>,
    first: Option<(TermKey, Place)>,
    last: (TermKey, Place),
}

impl BlockWriter {
    /// A block of a run that begins with a record.
    pub(super) fn new(from: u64) -> Self {
        Self { from, bytes: Vec::new(), first: None, last: (TermKey::EVERY, start(from)) }
    }

    /// Adds a posting, which is behind the last one.
    pub(super) fn push(&mut self, key: TermKey, place: Place) -> Result<(), IndexError> {
        let (last, mut before) = self.last;
        if self.first.is_none() {
            put(&mut self.bytes, key.0);
            before = start(self.from);
        } else if key != last {
            put(&mut self.bytes, 0);
            put(&mut self.bytes, key.0.checked_sub(last.0).ok_or_else(|| IndexError::new("writing", "no order"))?);
            before = start(self.from);
        }
        put_place(&mut self.bytes, before, place)?;
        self.first.get_or_insert((key, place));
        self.last = (key, place);
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_BYTES
    }

    /// The block with its first posting, for this place in the file; none without a posting. The next one begins.
    pub(super) fn take(&mut self, offset: u64) -> Option<((TermKey, Place), Vec<u8>)> {
        let first = self.first.take()?;
        put(&mut self.bytes, 0);
        let mut bytes = std::mem::take(&mut self.bytes);
        seal(&mut bytes, offset);
        Some((first, bytes))
    }
}

/// Appends the checksum.
pub(super) fn seal(bytes: &mut Vec<u8>, offset: u64) {
    let checksum = XxHash3_64::oneshot_with_seed(offset, bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
}

/// What stands before the checksum, if that is right.
pub(super) fn unsealed(bytes: &[u8], offset: u64) -> Result<&[u8], IndexError> {
    let (contents, checksum) = bytes.split_last_chunk().ok_or_else(|| damaged("a block is too short"))?;
    if XxHash3_64::oneshot_with_seed(offset, contents) != u64::from_le_bytes(*checksum) {
        return Err(damaged("a checksum is wrong"));
    }
    Ok(contents)
}

/// Goes through the postings of a block.
#[derive(Debug)]
pub(super) struct Postings<'a> {
    from: u64,
    bytes: &'a [u8],
    key: TermKey,
    before: Option<Place>,
}

impl<'a> Postings<'a> {
    pub(super) fn new(bytes: &'a [u8], from: u64) -> Self {
        Self { from, bytes, key: TermKey::EVERY, before: None }
    }

    /// The next posting.
    fn next_posting(&mut self) -> Result<Option<(TermKey, Place)>, IndexError> {
        loop {
            let before = match self.before {
                Some(before) => before,
                None if self.bytes.is_empty() => return Ok(None),
                None => {
                    self.key = TermKey(self.key.0.saturating_add(take(&mut self.bytes)?));
                    start(self.from)
                }
            };
            self.before = take_place(&mut self.bytes, before)?;
            if let Some(place) = self.before {
                return Ok(Some((self.key, place)));
            }
        }
    }
}

impl Iterator for Postings<'_> {
    type Item = Result<(TermKey, Place), IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_posting().transpose()
    }
}

/// The places of one term in a block.
pub(super) fn places_of(key: TermKey, bytes: &[u8], from: u64) -> Result<Vec<Place>, IndexError> {
    let mut places = Vec::new();
    for posting in Postings::new(bytes, from) {
        let (found, place) = posting?;
        if found > key {
            break;
        }
        if found == key {
            places.push(place);
        }
    }
    Ok(places)
}
