//! A block of turns: what changed where tags point, by tag and in order, about 4 KiB of it.
//!
//! Each tag is its key (16 bytes), then its turns, then 0. A turn is
//!
//! - its place, by the distance from the turn before, as in a block of postings;
//! - its time, by the distance from the turn before, and for the first of a tag back from the last record of the run;
//! - in one number: whether the tag ended; whether the manifest is that of the turn before or is given, with a digest of 32 or 64 bytes;
//!   and which one of the media types of this block it has, 0 for another one;
//! - the manifest if it is given: digest, size, and the media type if it is another one.
//!
//! So a page of the history of a tag is some blocks in a row, and no record of the log has to be read for it. A checksum ends
//! the block, as one of postings.

use serde::{Deserialize, Serialize};
use tagstone_schema::{Digest, MediaType, RepositoryName, Seq, Tag, Timestamp};

use super::IndexError;
use super::block::{BLOCK_BYTES, seal, start};
use super::codes::{damaged, put, put_place, take, take_place};
use super::error::READING;
use super::run::About;
use crate::audit::{Place, TagChange, TagEntry};

/// A tag of a repository as the index knows it: a hash, so that every tag takes the same room.
///
/// Turns are not compared with the records that they stand for, so no two tags may share a key. Of 128 bits that does not
/// happen by chance, and on purpose neither: it is BLAKE3, and the seed of the index is told to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct TagKey(pub(super) u128);

impl TagKey {
    /// The key of a tag in an index with this seed.
    pub(super) fn new(seed: u64, repository: &RepositoryName, tag: &Tag) -> Self {
        // Names hold no zero byte.
        let (repository, tag) = (repository.as_str().as_bytes(), tag.as_str().as_bytes());
        let hash = blake3::hash(&[&seed.to_le_bytes(), repository, &[0], tag].concat());
        Self(hash.as_bytes().first_chunk().copied().map_or(0, u128::from_be_bytes))
    }
}

/// The first turn of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FirstTurn {
    pub(super) key: TagKey,
    pub(super) place: Place,
    pub(super) time: Timestamp,
}

/// Bytes of a key.
const KEY_BYTES: usize = 16;

/// Bits of the number that says what a turn is.
const ENDED: u64 = 1;
const SHA256: u64 = 1 << 1;
const SHA512: u64 = 2 << 1;
const DIGEST: u64 = 3 << 1;
const MEDIA_TYPES: u64 = 1 << 3;

/// A block in the making.
#[derive(Debug)]
pub(super) struct TurnWriter {
    /// The first record of the run.
    from: Seq,
    /// The time of the last one.
    end: Timestamp,
    bytes: Vec<u8>,
    first: Option<FirstTurn>,
    last: Option<(TagKey, TagEntry)>,
    media_types: Vec<MediaType>,
}

impl TurnWriter {
    /// A block of a run.
    pub(super) fn new(about: &About) -> Self {
        let (from, end) = (about.from, about.time);
        Self { from, end, bytes: Vec::new(), first: None, last: None, media_types: Vec::new() }
    }

    /// Adds a turn, which is behind the last one.
    pub(super) fn push(&mut self, key: TagKey, turn: &TagEntry) -> Result<(), IndexError> {
        let unordered = || IndexError::new("writing", format!("the turn of a tag at {} is out of order", turn.place));
        let last = self.last.take();
        if last.as_ref().is_some_and(|(last, _)| *last > key) {
            return Err(unordered());
        }
        let before = last.as_ref().filter(|(last, _)| *last == key).map(|(_, before)| before);
        if before.is_none() {
            if last.is_some() {
                put(&mut self.bytes, 0);
            }
            self.bytes.extend_from_slice(&key.0.to_be_bytes());
        }
        let (earlier, later) = before.map_or((turn.time, self.end), |before| (before.time, turn.time));
        if earlier > later {
            return Err(unordered());
        }
        put_place(&mut self.bytes, before.map_or(start(self.from), |before| before.place), turn.place)?;
        put(&mut self.bytes, earlier.0.abs_diff(later.0));
        let ended = if turn.change == TagChange::Deleted { ENDED } else { 0 };
        match before.filter(|before| is_of_same_manifest(before, turn)) {
            Some(_) => put(&mut self.bytes, ended),
            None => self.put_manifest(ended, turn)?,
        }
        self.first.get_or_insert(FirstTurn { key, place: turn.place, time: turn.time });
        self.last = Some((key, turn.clone()));
        Ok(())
    }

    fn put_manifest(&mut self, ended: u64, turn: &TagEntry) -> Result<(), IndexError> {
        let length = |bytes: usize| u64::try_from(bytes).map_err(IndexError::of("writing"));
        let raw = turn.digest.raw();
        let form = if raw.len() == 32 { SHA256 } else { SHA512 };
        let known = self.media_types.iter().position(|known| *known == turn.media_type);
        let media_type = length(known.map_or(0, |at| at + 1))?;
        put(&mut self.bytes, ended | form | (media_type * MEDIA_TYPES));
        self.bytes.extend_from_slice(raw);
        put(&mut self.bytes, turn.size);
        if known.is_none() {
            let text = turn.media_type.as_str();
            put(&mut self.bytes, length(text.len())?);
            self.bytes.extend_from_slice(text.as_bytes());
            self.media_types.push(turn.media_type.clone());
        }
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_BYTES
    }

    /// The block with its first turn, for this place in the file; none without a turn. The next one begins.
    pub(super) fn take(&mut self, offset: u64) -> Option<(FirstTurn, Vec<u8>)> {
        let first = self.first.take()?;
        (self.last, self.media_types) = (None, Vec::new());
        put(&mut self.bytes, 0);
        let mut bytes = std::mem::take(&mut self.bytes);
        seal(&mut bytes, offset);
        Some((first, bytes))
    }
}

fn is_of_same_manifest(one: &TagEntry, other: &TagEntry) -> bool {
    (&one.digest, one.size, &one.media_type) == (&other.digest, other.size, &other.media_type)
}

/// Goes through the turns of a block.
#[derive(Debug)]
pub(super) struct Turns<'a> {
    from: Seq,
    end: Timestamp,
    bytes: &'a [u8],
    key: Option<TagKey>,
    before: Option<TagEntry>,
    media_types: Vec<MediaType>,
}

impl<'a> Turns<'a> {
    /// Those of a block of a run.
    pub(super) fn new(bytes: &'a [u8], about: &About) -> Self {
        let (from, end) = (about.from, about.time);
        Self { from, end, bytes, key: None, before: None, media_types: Vec::new() }
    }

    fn next_turn(&mut self) -> Result<Option<(TagKey, TagEntry)>, IndexError> {
        loop {
            let key = match self.key {
                Some(key) => key,
                None if self.bytes.is_empty() => return Ok(None),
                None => TagKey(u128::from_be_bytes(self.take_array::<KEY_BYTES>()?)),
            };
            self.key = Some(key);
            let before = self.before.take();
            let place = before.as_ref().map_or(start(self.from), |before| before.place);
            let Some(place) = take_place(&mut self.bytes, place)? else {
                self.key = None;
                continue;
            };
            let turn = self.take_turn(place, before)?;
            self.before = Some(turn.clone());
            return Ok(Some((key, turn)));
        }
    }

    fn take_turn(&mut self, place: Place, before: Option<TagEntry>) -> Result<TagEntry, IndexError> {
        let distance = take(&mut self.bytes)?;
        let time = match &before {
            Some(before) => before.time.0.checked_add_unsigned(distance),
            None => self.end.0.checked_sub_unsigned(distance),
        };
        let time = Timestamp(time.ok_or_else(|| damaged("an instant is too large"))?);
        let what = take(&mut self.bytes)?;
        let change = if what & ENDED == 0 { TagChange::Created } else { TagChange::Deleted };
        let digest = match what & DIGEST {
            SHA256 => Digest::sha256(self.take_array()?),
            SHA512 => Digest::sha512(self.take_array()?),
            0 => {
                let before = before.ok_or_else(|| damaged("a manifest is missing"))?;
                return Ok(TagEntry { place, time, change, ..before });
            }
            _ => return Err(damaged("a digest is of no kind")),
        };
        let size = take(&mut self.bytes)?;
        let media_type = self.take_media_type(what / MEDIA_TYPES)?;
        Ok(TagEntry { place, time, change, digest, size, media_type })
    }

    fn take_media_type(&mut self, number: u64) -> Result<MediaType, IndexError> {
        let number = usize::try_from(number).map_err(IndexError::of(READING))?;
        if let Some(at) = number.checked_sub(1) {
            return self.media_types.get(at).cloned().ok_or_else(|| damaged("a media type is missing"));
        }
        let length = usize::try_from(take(&mut self.bytes)?).map_err(IndexError::of(READING))?;
        let text = std::str::from_utf8(self.take_bytes(length)?).map_err(IndexError::of(READING))?;
        let media_type: MediaType = text.parse().map_err(IndexError::of(READING))?;
        self.media_types.push(media_type.clone());
        Ok(media_type)
    }

    fn take_bytes(&mut self, length: usize) -> Result<&'a [u8], IndexError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(|| damaged("a turn is cut off"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn take_array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], IndexError> {
        let taken = self.take_bytes(LENGTH)?;
        taken.first_chunk().copied().ok_or_else(|| damaged("a turn is cut off"))
    }
}

impl Iterator for Turns<'_> {
    type Item = Result<(TagKey, TagEntry), IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_turn().transpose()
    }
}
