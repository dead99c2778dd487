//! Intervals: a tag at a digest, from one event to another.

use bincode::Options;
use serde::{Deserialize, Serialize};
use tagstone_schema::{Digest, Seq, Tag, Timestamp};

use super::IndexError;
use crate::fold::EndCause;

/// The place of an event in the log. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The record.
    pub seq: Seq,
    /// The event's place in it, from 0.
    pub index: u32,
}

/// How an interval ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The tag was moved to another digest, with which its next interval begins.
    Moved,
    /// The tag ended.
    Ended(EndCause),
}

/// The end of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The event that ended it.
    pub place: Place,
    /// The time of its record.
    pub time: Timestamp,
    /// How.
    pub ending: Ending,
}

/// A tag at a digest, from one event to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The tag.
    pub tag: Tag,
    /// The event with which it began to point there.
    pub start: Place,
    /// The rest.
    pub stay: Stay,
}

/// What is stored of an interval beside its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// The time of the record with which it began.
    pub since: Timestamp,
    /// Where the tag pointed.
    pub digest: Digest,
    /// Bytes of the manifest.
    pub size: u64,
    /// Whether the manifest is an index.
    pub is_index: bool,
    /// Whether the tag had pointed there in an earlier interval.
    pub is_reversion: bool,
    /// When and how it ended; none while the tag points there.
    pub end: Option<End>,
}

/// Bytes of a stored value: far above what the longest takes, and far below what sled would put into a file of its own.
const VALUE_BYTES: u64 = 1024;

/// The bytes of a stored value.
pub(super) fn encoded<T: Serialize>(value: &T) -> Result<Vec<u8>, IndexError> {
    codec().serialize(value).map_err(|error| IndexError::new("encoding an entry of", &error))
}

/// The value that stored bytes hold.
pub(super) fn decoded<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, IndexError> {
    codec().deserialize(bytes).map_err(|error| IndexError::new("reading an entry of", &error))
}

fn codec() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_little_endian()
        .reject_trailing_bytes()
        .with_limit(VALUE_BYTES)
}
