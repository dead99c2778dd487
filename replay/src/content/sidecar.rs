//! The index of a sealed segment, in a file beside it (`<number>.idx`), so that a start need not read the content.
//!
//! It can be rebuilt from the segment at any time, and is ignored where it does not match. Integers are little endian:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | the letters `TIDX` |
//! | 4 | format version, 1 |
//! | 5..8 | 0 |
//! | 8..12 | number of the segment, u32 |
//! | 12..20 | length of the segment's file in bytes, u64 |
//! | 20..24 | number of entries, u32 |
//! | 24.. | the entries: state (1 live, 2 erased, 3 damaged), algorithm (1 SHA-256, 2 SHA-512), offset u64, length u32, and the raw digest of 32 or 64 bytes |
//! | the last 32 | BLAKE3 of everything before |

use std::fs::{self, File};
use std::io;

use tagstone_schema::Digest;

use super::layout::Layout;
use super::scan::Scanner;
use super::segment::{Entry, HEADER_BYTES, State, algorithm_code, algorithm_from_code};

const MAGIC: [u8; 4] = *b"TIDX";
const VERSION: u8 = 1;
const HASH_BYTES: usize = 32;

/// Where the entries of a segment were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The sidecar; the segment was not read.
    Sidecar,
    /// The segment itself; its content was verified.
    Scan,
}

/// The entries of the segment with this number whose file is `file`: from the sidecar if that matches, else by a scan.
pub fn entries(layout: &Layout, segment: u32, file: &File) -> io::Result<(Vec<Entry>, Source)> {
    let length = file.metadata()?.len();
    // A sidecar that cannot be read is no loss: the segment tells the same.
    if let Ok(bytes) = fs::read(layout.sidecar(segment))
        && let Some(entries) = decode(&bytes, segment, length)
    {
        return Ok((entries, Source::Sidecar));
    }
    let scanned = Scanner::new(segment, file)?.collect::<io::Result<_>>()?;
    Ok((scanned, Source::Scan))
}

/// The sidecar of the segment with this number, whose file has `length` bytes.
pub fn encode(segment: u32, length: u64, entries: &[Entry]) -> io::Result<Vec<u8>> {
    let count = u32::try_from(entries.len()).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(24 + entries.len() * 46 + HASH_BYTES);
    bytes.extend(MAGIC);
    bytes.extend([VERSION, 0, 0, 0]);
    bytes.extend(segment.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    for entry in entries {
        bytes.extend([entry.state.code(), algorithm_code(entry.digest.algorithm())]);
        bytes.extend(entry.offset.to_le_bytes());
        bytes.extend(entry.length.to_le_bytes());
        bytes.extend(entry.digest.raw());
    }
    let hash = blake3::hash(&bytes);
    bytes.extend(hash.as_bytes());
    Ok(bytes)
}

/// The entries in a sidecar, if it is sound and belongs to this segment at this length.
pub fn decode(bytes: &[u8], segment: u32, segment_length: u64) -> Option<Vec<Entry>> {
    let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
    if blake3::hash(body).as_bytes() != hash {
        return None;
    }
    let mut rest = body;
    let matches = take(&mut rest)? == MAGIC
        && take(&mut rest)? == [VERSION, 0, 0, 0]
        && u32::from_le_bytes(take(&mut rest)?) == segment
        && u64::from_le_bytes(take(&mut rest)?) == segment_length;
    if !matches {
        return None;
    }
    let count = u32::from_le_bytes(take(&mut rest)?) as usize;
    let mut entries = Vec::with_capacity(count.min(rest.len() / 46));
    for _ in 0..count {
        let [state, algorithm] = take(&mut rest)?;
        let state = State::from_code(state)?;
        let algorithm = algorithm_from_code(algorithm)?;
        let offset = u64::from_le_bytes(take(&mut rest)?);
        let length = u32::from_le_bytes(take(&mut rest)?);
        let (raw, behind) = rest.split_at_checked(algorithm.raw_len())?;
        rest = behind;
        // What lies outside of the segment was not written by who wrote that.
        offset.checked_add(HEADER_BYTES as u64 + u64::from(length)).filter(|end| *end <= segment_length)?;
        entries.push(Entry { digest: Digest::from_raw(raw).ok()?, offset, length, state });
    }
    rest.is_empty().then_some(entries)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Entry> {
        vec![
            Entry { digest: Digest::sha256([1; 32]), offset: 0, length: 5, state: State::Live },
            Entry { digest: Digest::sha512([2; 64]), offset: 128, length: 50, state: State::Erased },
            Entry { digest: Digest::sha256([3; 32]), offset: 320, length: 7, state: State::Damaged },
        ]
    }

    #[test]
    fn a_sidecar_decodes_only_for_its_segment_and_length() {
        let bytes = encode(4, 448, &sample()).unwrap();
        assert_eq!(decode(&bytes, 4, 448), Some(sample()));
        assert_eq!(decode(&bytes, 5, 448), None);
        assert_eq!(decode(&bytes, 4, 512), None);
        for offset in [448 - 64, u64::MAX - 64, u64::MAX] {
            let outside = Entry { digest: Digest::sha256([4; 32]), offset, length: 50, state: State::Live };
            assert_eq!(decode(&encode(4, 448, &[outside]).unwrap(), 4, 448), None);
        }
    }

    #[test]
    fn a_damaged_or_cut_sidecar_is_ignored() {
        let bytes = encode(4, 448, &sample()).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(decode(&flipped, 4, 448), None, "byte {at}");
            assert_eq!(decode(&bytes[..at], 4, 448), None, "cut at {at}");
        }
    }
}
