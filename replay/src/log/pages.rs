//! How a record is laid into sled's keys and values.
//!
//! The first value of a record stands under its seq (8 bytes, big-endian); what is longer than [`VALUE_BYTES`]
//! continues under the seq followed by a part number (2 bytes, big-endian, from 1). sled keeps up to 17 values in a
//! leaf and writes a leaf above 128 KiB into a file of its own, which it never syncs: whole records of tens of
//! kilobytes would lose acknowledged commits when the power fails. Values of this size cannot.

use tagstone_schema::{EncodedRecord, Seq, limits};

use super::{StoreError, StoredRecord};

/// The most bytes of one value: 17 of them, with their keys, stay far below 128 KiB.
pub(super) const VALUE_BYTES: usize = 4096;

/// More parts than any record has: a log in which somebody wrote endless parts fills no memory.
pub(super) const MOST_PARTS: u16 = 64;
const _: () = assert!(limits::RECORD_BYTES / VALUE_BYTES < MOST_PARTS as usize);

/// What fails where a part stands that belongs to no record: somebody wrote it, sled is not at fault.
pub(super) const STRAY_PART: &str = "joining the parts of a record";

/// The keys and values of a record.
pub(super) fn pages_of(record: &EncodedRecord) -> impl Iterator<Item = (Vec<u8>, &[u8])> {
    (0u16..).zip(record.bytes().chunks(VALUE_BYTES)).map(|(part, value)| {
        let mut key = first_key(record.seq()).to_vec();
        if part > 0 {
            key.extend(part.to_be_bytes());
        }
        (key, value)
    })
}

/// The key of a record's first value; all keys of the record, and of those behind it, are equal or greater.
pub(super) fn first_key(seq: Seq) -> [u8; 8] {
    seq.to_be_bytes()
}

/// The first key that can stand behind a record of so many bytes; everything that follows the record is equal or greater.
pub(super) fn key_behind(seq: Seq, bytes: usize) -> Vec<u8> {
    let mut key = first_key(seq).to_vec();
    if let Ok(part) = u16::try_from(bytes.div_ceil(VALUE_BYTES))
        && part > 0
    {
        key.extend(part.to_be_bytes());
    }
    key
}

/// Joins the values of an ordered scan into records.
pub(super) struct Joined<I: Iterator> {
    values: std::iter::Peekable<I>,
}

impl<I, K, V> Joined<I>
where
    I: Iterator<Item = Result<(K, V), StoreError>>,
    K: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    pub(super) fn new(values: I) -> Self {
        Self { values: values.peekable() }
    }
}

impl<I, K, V> Iterator for Joined<I>
where
    I: Iterator<Item = Result<(K, V), StoreError>>,
    K: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    type Item = Result<StoredRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = match self.values.next()? {
            Ok(pair) => pair,
            Err(error) => return Some(Err(error)),
        };
        let Ok(first) = <[u8; 8]>::try_from(key.as_ref()) else {
            return Some(Err(StoreError::new(STRAY_PART, "a part of a record stands where none belongs")));
        };
        let mut bytes = value.as_ref().to_vec();
        for part in 1..MOST_PARTS {
            // A part that is missing leaves the record short, which its decoding finds.
            let is_part = |key: &[u8]| key.split_at_checked(8) == Some((&first[..], &part.to_be_bytes()[..]));
            let next = self.values.next_if(|next| next.as_ref().is_ok_and(|(key, _)| is_part(key.as_ref())));
            match next {
                Some(Ok((_, value))) => bytes.extend(value.as_ref()),
                _ => break,
            }
        }
        Some(Ok(StoredRecord { seq: u64::from_be_bytes(first), bytes }))
    }
}
