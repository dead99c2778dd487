//! The portable form of a log: a header, chunks of records, a trailer. `docs/format.md` ("The export") has every byte.
//!
//! The checksums are a chain: each covers the one before it. So whatever is changed, cut off, left out or put elsewhere
//! is found at the first place that it concerns, and the trailer's checksum vouches for all of the file.
//!
//! Writing and reading hold one chunk in memory, however long the log is.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use tagstone_schema::{Head, Id, RecordHash, Timestamp, limits};

pub use reader::{ExportError, Reader};
pub use writer::Writer;

const MAGIC: &[u8; 8] = b"TAGEXPRT";
const VERSION: u32 = 1;
const CHUNK_MAGIC: &[u8; 4] = b"TCHK";
const TRAILER_MAGIC: &[u8; 4] = b"TEND";

/// Bytes of the records of one chunk, with the length before each: what a reader holds in memory.
const CHUNK_BYTES: usize = 1024 * 1024;
const _: () = assert!(limits::RECORD_BYTES + LENGTH_BYTES <= CHUNK_BYTES);

const CHECKSUM_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;
const HEADER_BYTES: usize = 80;
const CHUNK_HEADER_BYTES: usize = 12;
const TRAILER_BYTES: usize = 64;

/// The length of the trailer with its checksum, which ends every export.
pub const TRAILER_LENGTH: u64 = (TRAILER_BYTES + CHECKSUM_BYTES) as u64;

/// What an export says before its first record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The log that it was taken from, where whoever wrote it knew.
    pub log: Option<Id>,
    /// The record that its first one follows: the empty head for an export from the beginning.
    pub before: Head,
}

/// What an export says behind its last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// How many records it holds.
    pub count: u64,
    /// The last of them; the record before the first where it holds none.
    pub head: Head,
}

type Checksum = [u8; CHECKSUM_BYTES];

/// The checksum of a part that follows another.
fn checksum(before: &Checksum, parts: &[&[u8]]) -> Checksum {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// What stands for the checksum before the first part.
const NO_CHECKSUM: Checksum = [0; CHECKSUM_BYTES];

impl Header {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.log.map_or([0; 16], |log| log.0));
        bytes[32..].copy_from_slice(&encode_head(&self.before));
        bytes
    }

    fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (start, rest) = bytes.split_at(16);
        let (log, before) = rest.split_at(16);
        let log = Id(*log.first_chunk()?);
        (start[12..] == [0; 4]).then_some(())?;
        Some(Self { log: (log.0 != [0; 16]).then_some(log), before: decode_head(before.first_chunk()?)? })
    }
}

impl Trailer {
    fn encode(&self) -> [u8; TRAILER_BYTES] {
        let mut bytes = [0; TRAILER_BYTES];
        bytes[..4].copy_from_slice(TRAILER_MAGIC);
        bytes[8..16].copy_from_slice(&self.count.to_le_bytes());
        bytes[16..].copy_from_slice(&encode_head(&self.head));
        bytes
    }

    /// The trailer that these bytes hold. Without its checksum, which covers the whole export, it is only a claim.
    pub fn claimed(bytes: &[u8]) -> Option<Self> {
        let (start, head) = bytes.first_chunk::<TRAILER_BYTES>()?.split_at(16);
        (start[..4] == *TRAILER_MAGIC && start[4..8] == [0; 4]).then_some(())?;
        Some(Self { count: u64::from_le_bytes(*start[8..].first_chunk()?), head: decode_head(head.first_chunk()?)? })
    }
}

const HEAD_BYTES: usize = 8 + 32 + 8;

fn encode_head(head: &Head) -> [u8; HEAD_BYTES] {
    let mut bytes = [0; HEAD_BYTES];
    bytes[..8].copy_from_slice(&head.seq.to_le_bytes());
    bytes[8..40].copy_from_slice(&head.hash.0);
    bytes[40..].copy_from_slice(&head.time.0.to_le_bytes());
    bytes
}

/// A head; the place before the first record has no hash and no time. Half of all numbers are more than any log has
/// records, and leave room to count on.
fn decode_head(bytes: &[u8; HEAD_BYTES]) -> Option<Head> {
    let head = Head {
        seq: u64::from_le_bytes(*bytes.first_chunk()?),
        hash: RecordHash(*bytes[8..].first_chunk()?),
        time: Timestamp(i64::from_le_bytes(*bytes[40..].first_chunk()?)),
    };
    (head == Head::default() || (1..=u64::MAX / 2).contains(&head.seq)).then_some(head)
}
