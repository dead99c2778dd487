//! The format of segments: files that hold many small pieces of content one after another.
//!
//! Segments are `<root>/segments/<number>.seg`, the number in ten decimal digits, beginning at 1. The segment with the
//! highest number is active: it is appended to. The others are sealed: nothing is added to them any more.
//!
//! A segment is a sequence of entries. Each begins at a multiple of 64 bytes; the gap behind its content is zeros, and
//! so is everything behind the last entry of the active segment. Integers are little endian. An entry is:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | the letters `TSEG` |
//! | 4 | format version, 1 |
//! | 5 | state: 1 live, 2 erased |
//! | 6 | algorithm of the digest: 1 SHA-256, 2 SHA-512 |
//! | 7 | 0 |
//! | 8..12 | length of the content in bytes, u32 |
//! | 12..16 | 0 |
//! | 16..80 | the raw digest; the last 32 bytes are 0 for SHA-256 |
//! | 80..88 | the first 8 bytes of BLAKE3 over: bytes 0..80, the segment's number as u32, the entry's offset as u64 |
//! | 88.. | the content |
//!
//! The checksum covers the entry's place, so that the bytes of a segment that somebody pushes as content are not taken
//! for entries where a scan has to search for the next one.
//!
//! An **erased** entry has state 2 and zeros for its content; its length and digest remain, so that a scan goes on.
//! The content is overwritten and synced before the header is: a crash between the two leaves a live header whose
//! content does not hash to its digest, and erasing can be repeated.

use tagstone_schema::{Algorithm, Digest};

/// Length of an entry's header.
pub const HEADER_BYTES: usize = 88;

/// Entries begin at multiples of this.
pub const ALIGNMENT: u64 = 64;

/// The largest content that one entry may have. Larger content is a file of its own; the limit also bounds what a
/// reader allocates for a header that it believes.
pub const CONTENT_BYTES: usize = 64 * 1024 * 1024;

pub(super) const MAGIC: [u8; 4] = *b"TSEG";
const VERSION: u8 = 1;

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Content that hashes to the digest.
    Live,
    /// Zeros; the content was removed on purpose.
    Erased,
    /// A sound header in its place, but the content does not hash to the digest: the entry was never completed, or
    /// its bytes changed. Only scans and sidecars say this; no header does.
    Damaged,
}

impl State {
    /// The number that stands for the state on disk.
    pub fn code(self) -> u8 {
        match self {
            Self::Live => 1,
            Self::Erased => 2,
            Self::Damaged => 3,
        }
    }

    /// The state with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Live),
            2 => Some(Self::Erased),
            3 => Some(Self::Damaged),
            _ => None,
        }
    }
}

/// The number that stands for an algorithm on disk.
pub fn algorithm_code(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Sha512 => 2,
    }
}

/// The algorithm with this number.
pub fn algorithm_from_code(code: u8) -> Option<Algorithm> {
    match code {
        1 => Some(Algorithm::Sha256),
        2 => Some(Algorithm::Sha512),
        _ => None,
    }
}

/// One entry of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The digest of its content.
    pub digest: Digest,
    /// Where its header begins in the segment.
    pub offset: u64,
    /// The length of its content.
    pub length: u32,
    /// What it holds.
    pub state: State,
}

impl Entry {
    /// Where its content begins in the segment.
    pub fn content_offset(&self) -> u64 {
        self.offset + HEADER_BYTES as u64
    }

    /// Where the next entry begins.
    pub fn end(&self) -> u64 {
        self.offset + entry_bytes(self.length)
    }
}

/// The space that an entry with content of this length takes, header and padding included.
pub fn entry_bytes(length: u32) -> u64 {
    (HEADER_BYTES as u64 + u64::from(length)).next_multiple_of(ALIGNMENT)
}

/// The header of `entry` in the segment with this number.
pub fn encode_header(segment: u32, entry: &Entry) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC);
    header[4] = VERSION;
    header[5] = entry.state.code();
    header[6] = algorithm_code(entry.digest.algorithm());
    header[8..12].copy_from_slice(&entry.length.to_le_bytes());
    let raw = entry.digest.raw();
    header[16..16 + raw.len()].copy_from_slice(raw);
    let checksum = checksum(segment, entry.offset, &header);
    header[80..].copy_from_slice(&checksum);
    header
}

/// The entry whose header these bytes are, if they are the header of an entry at `offset` of the segment with this
/// number.
pub fn decode_header(segment: u32, offset: u64, header: &[u8; HEADER_BYTES]) -> Option<Entry> {
    if header[..4] != MAGIC || header[4] != VERSION || header[80..] != checksum(segment, offset, header) {
        return None;
    }
    let state = State::from_code(header[5]).filter(|state| *state != State::Damaged)?;
    let algorithm = algorithm_from_code(header[6])?;
    let length = u32::from_le_bytes(*header[8..].first_chunk()?);
    if header[7] != 0 || header[12..16] != [0; 4] || length as usize > CONTENT_BYTES {
        return None;
    }
    let (raw, rest) = header[16..80].split_at(algorithm.raw_len());
    let digest = Digest::from_raw(raw).ok()?;
    rest.iter().all(|byte| *byte == 0).then_some(Entry { digest, offset, length, state })
}

fn checksum(segment: u32, offset: u64, header: &[u8; HEADER_BYTES]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header[..80]).update(&segment.to_le_bytes()).update(&offset.to_le_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(digest: Digest) -> Entry {
        Entry { digest, offset: 128, length: 600, state: State::Live }
    }

    #[test]
    fn headers_decode_to_what_was_encoded() {
        for digest in [Digest::sha256([5; 32]), Digest::sha512([6; 64])] {
            for state in [State::Live, State::Erased] {
                let entry = Entry { state, ..entry(digest.clone()) };
                assert_eq!(decode_header(3, 128, &encode_header(3, &entry)), Some(entry));
            }
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_header_is_seen() {
        let header = encode_header(1, &entry(Digest::sha256([5; 32])));
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = header;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode_header(1, 128, &flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn a_header_counts_only_in_its_own_place() {
        let header = encode_header(1, &entry(Digest::sha256([5; 32])));
        assert_eq!(decode_header(2, 128, &header), None);
        assert_eq!(decode_header(1, 192, &header), None);
    }

    #[test]
    fn entries_take_whole_units() {
        for (length, want) in [(0, 128), (40, 128), (41, 192), (600, 704)] {
            assert_eq!(entry_bytes(length), want);
        }
    }

    #[test]
    fn the_layout_of_a_header_is_frozen() {
        let header = encode_header(1, &entry(Digest::sha256([5; 32])));
        assert_eq!(&header[..16], b"TSEG\x01\x01\x01\0\x58\x02\0\0\0\0\0\0");
        assert_eq!(header[16..48], [5; 32]);
        assert_eq!(header[48..80], [0; 32]);
    }
}
