//! Records: one commit each, their bytes, and the chain that joins them.
//!
//! The stored bytes are what is hashed; nothing is ever encoded again to be verified. The format is specified byte by
//! byte in `docs/format.md`; `reading` reads it.

use std::fmt;
use std::str::FromStr;

use bincode::Options;
use serde::{Deserialize, Deserializer, Serialize};

use crate::actor::{Actor, Origin};
use crate::digest::{hex, unhex};
use crate::event::Event;
use crate::time::Timestamp;
use crate::{limits, reading};

/// The version of the format that this program writes. It reads this one and all before it.
pub const FORMAT_VERSION: u16 = 1;

/// The place of a record in the log; the first is 1.
pub type Seq = u64;

/// BLAKE3 of a record's bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RecordHash(pub [u8; 32]);

impl RecordHash {
    /// What the first record names as its predecessor.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of a record's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hashes of the bytes of several records, in their order. Of many it takes a third to a half of the time.
    pub fn of_each(records: &[&[u8]]) -> Vec<Self> {
        crate::lanes::hashes(records).into_iter().map(Self).collect()
    }
}

impl<'de> Deserialize<'de> for RecordHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Self);
        }
        // The same bytes, but four steps instead of 32.
        let words = <[u64; 4]>::deserialize(deserializer)?;
        let mut raw = [0; 32];
        raw.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        Ok(Self(raw))
    }
}

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The last record of a log, or the place before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its seq; 0 for an empty log.
    pub seq: Seq,
    /// Its hash; zero for an empty log.
    pub hash: RecordHash,
    /// Its time.
    pub time: Timestamp,
}

/// `<seq>:<hash>`, as an operator copies it from one command to the next.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// A `(seq, hash)` that an operator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The seq.
    pub seq: Seq,
    /// The hash.
    pub hash: RecordHash,
}

/// The text is no `<seq>:<hash>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a position of the log as SEQ:HASH, the hash in 64 lower-case hex digits")]
pub struct PositionError;

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (seq, hash) = text.split_once(':').ok_or(PositionError)?;
        let seq = seq.parse().map_err(|_| PositionError)?;
        let hash = unhex(hash).map(RecordHash).ok_or(PositionError)?;
        Ok(Self { seq, hash })
    }
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT_VERSION`] of the program that wrote it.
    pub format: u16,
    /// Its place.
    pub seq: Seq,
    /// When it was committed; later than the record before.
    pub time: Timestamp,
    /// The hash of the record before.
    pub prev: RecordHash,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// What happened, all of it or nothing.
    pub events: Vec<Event>,
}

/// A record with the bytes that are stored and hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRecord {
    seq: Seq,
    time: Timestamp,
    hash: RecordHash,
    bytes: Vec<u8>,
}

impl EncodedRecord {
    /// A record whose stored bytes were verified, and are what `head` names.
    pub fn stored(head: Head, bytes: Vec<u8>) -> Self {
        Self { seq: head.seq, time: head.time, hash: head.hash, bytes }
    }

    /// Its place.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The head of a log that ends with this record.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash, time: self.time }
    }

    /// The stored bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Record {
    /// The bytes of the record.
    pub fn encode(&self) -> Result<EncodedRecord, EncodeError> {
        let bytes = codec().serialize(self).map_err(|error| match *error {
            bincode::ErrorKind::SizeLimit => EncodeError::TooLarge { limit: limits::RECORD_BYTES },
            other => EncodeError::Codec(other.to_string()),
        })?;
        Ok(EncodedRecord { seq: self.seq, time: self.time, hash: RecordHash::of(&bytes), bytes })
    }

    /// The record that the bytes hold. The bytes may come from anywhere: whatever they are, this returns.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > limits::RECORD_BYTES {
            return Err(DecodeError::TooLarge { length: bytes.len(), limit: limits::RECORD_BYTES });
        }
        let format = bytes.first_chunk().map(|raw| u16::from_le_bytes(*raw)).ok_or(DecodeError::Empty)?;
        if format == 0 || format > FORMAT_VERSION {
            return Err(DecodeError::UnknownFormat { found: format, newest: FORMAT_VERSION });
        }
        reading::whole(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))
    }

    /// How large the record is when encoded, in bytes.
    pub fn encoded_len(&self) -> u64 {
        bincode::DefaultOptions::new().with_fixint_encoding().serialized_size(self).unwrap_or(u64::MAX)
    }

    /// Whether this record may follow `head`.
    pub fn check_follows(&self, head: &Head) -> Result<(), ChainError> {
        if self.seq != head.seq.saturating_add(1) {
            Err(ChainError::Seq { expected: head.seq.saturating_add(1), found: self.seq })
        } else if self.prev != head.hash {
            Err(ChainError::Prev { seq: self.seq, expected: head.hash, found: self.prev })
        } else if head.seq > 0 && self.time <= head.time {
            Err(ChainError::Time { seq: self.seq, before: head.time, found: self.time })
        } else {
            Ok(())
        }
    }
}

pub(crate) fn codec() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_little_endian()
        .reject_trailing_bytes()
        .with_limit(limits::RECORD_BYTES as u64)
}

/// Why a record has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Its bytes would be more than a record may have.
    #[error("the change does not fit into one record of {limit} bytes")]
    TooLarge {
        /// [`limits::RECORD_BYTES`].
        limit: usize,
    },
    /// The codec refused; a bug.
    #[error("the record could not be encoded: {0}")]
    Codec(String),
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Too short to hold even a version.
    #[error("the record is empty")]
    Empty,
    /// Longer than any record.
    #[error("the record has {length} bytes; at most {limit} are allowed")]
    TooLarge {
        /// Its length.
        length: usize,
        /// [`limits::RECORD_BYTES`].
        limit: usize,
    },
    /// Written by a later program, or no record.
    #[error("the record has format version {found}; this program reads versions 1 to {newest}")]
    UnknownFormat {
        /// The version it claims.
        found: u16,
        /// The newest that is known.
        newest: u16,
    },
    /// Anything else.
    #[error("the record's bytes are malformed: {0}")]
    Malformed(String),
}

/// Why a record cannot stand where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A record is missing or out of place.
    #[error("record {expected} was expected, but record {found} stands there")]
    Seq {
        /// What should come next.
        expected: Seq,
        /// What came.
        found: Seq,
    },
    /// The record does not name its predecessor.
    #[error("record {seq} names {found} as the hash of the record before it, which is {expected}")]
    Prev {
        /// The record.
        seq: Seq,
        /// The hash of the record before it.
        expected: RecordHash,
        /// What it names.
        found: RecordHash,
    },
    /// Time does not increase.
    #[error("record {seq} has time {found}, which is not later than {before} of the record before it")]
    Time {
        /// The record.
        seq: Seq,
        /// The time of the record before it.
        before: Timestamp,
        /// Its own time.
        found: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::references::References;

    fn manifest_of(references: References, tags: usize) -> Record {
        let repository = "r".repeat(limits::REPOSITORY_NAME_BYTES).parse::<crate::RepositoryName>().unwrap();
        let digest = Digest::sha512([7; 64]);
        let media_type = format!("a/{}", "m".repeat(limits::MEDIA_TYPE_BYTES - 2)).parse::<crate::MediaType>().unwrap();
        let mut events = vec![Event::ManifestPushed {
            repository: repository.clone(),
            digest: digest.clone(),
            size: 1,
            media_type: media_type.clone(),
            artifact_type: Some(media_type),
            subject: Some(digest.clone()),
            references,
        }];
        events.extend((0..tags).map(|n| Event::TagMoved {
            repository: repository.clone(),
            tag: format!("{n:0>width$}", width = limits::TAG_BYTES).parse().unwrap(),
            from: Some(Digest::sha512([8; 64])),
            to: digest.clone(),
        }));
        Record {
            format: FORMAT_VERSION,
            seq: 1,
            time: Timestamp(1),
            prev: RecordHash::ZERO,
            actor: Actor { kind: crate::ActorKind::User, name: "n".repeat(limits::ACTOR_NAME_BYTES).into() },
            origin: Origin::new("i".repeat(64), "a".repeat(45), &"u".repeat(1000)),
            events,
        }
    }

    #[test]
    fn the_promised_references_fit_into_a_record_with_ten_tags() {
        let references = (0..limits::MANIFEST_REFERENCES).map(|n| {
            let mut raw = [0; 64];
            raw[..8].copy_from_slice(&(n as u64).to_be_bytes());
            Digest::sha512(raw)
        });
        let record = manifest_of(references.collect(), 10);
        let encoded = record.encode().unwrap();
        assert_eq!(record.encoded_len(), encoded.bytes().len() as u64);
        assert_eq!(Record::decode(encoded.bytes()).unwrap(), record);
    }

    #[test]
    fn a_change_that_does_not_fit_is_refused() {
        let error = manifest_of(References::default(), 1_000).encode().unwrap_err();
        assert_eq!(error, EncodeError::TooLarge { limit: limits::RECORD_BYTES });
    }

    #[test]
    fn trailing_bytes_and_cuts_are_refused() {
        let encoded = manifest_of(References::default(), 1).encode().unwrap();
        for cut in 0..encoded.bytes().len() {
            assert!(Record::decode(&encoded.bytes()[..cut]).is_err(), "cut to {cut} bytes");
        }
        let mut longer = encoded.bytes().to_vec();
        longer.push(0);
        assert!(matches!(Record::decode(&longer), Err(DecodeError::Malformed(_))));
    }

    #[test]
    fn a_later_format_is_named() {
        let error = Record::decode(&[9, 0, 0]).unwrap_err();
        assert_eq!(error, DecodeError::UnknownFormat { found: 9, newest: FORMAT_VERSION });
    }

    #[test]
    fn a_record_follows_only_its_own_head() {
        let record = manifest_of(References::default(), 0);
        assert_eq!(record.check_follows(&Head::default()), Ok(()));
        let head = record.encode().unwrap().head();
        assert!(matches!(record.check_follows(&head), Err(ChainError::Seq { expected: 2, found: 1 })));
        let next = Record { seq: 2, prev: head.hash, time: Timestamp(2), ..record };
        assert_eq!(next.check_follows(&head), Ok(()));
        let stranger = Record { prev: RecordHash([1; 32]), ..next.clone() };
        assert!(matches!(stranger.check_follows(&head), Err(ChainError::Prev { seq: 2, .. })));
        let late = Record { time: Timestamp(1), ..next };
        assert!(matches!(late.check_follows(&head), Err(ChainError::Time { seq: 2, .. })));
    }

    proptest::proptest! {
        #[test]
        fn decoding_arbitrary_bytes_returns(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
            let _ = Record::decode(&bytes);
            let mut versioned = vec![1, 0];
            versioned.extend(&bytes);
            if let Ok(record) = Record::decode(&versioned) {
                let again = record.encode().unwrap();
                proptest::prop_assert_eq!(again.bytes(), &versioned[..]);
            }
        }

        #[test]
        fn a_flipped_bit_changes_the_hash_or_the_decoding(bit in 0usize..8 * 900) {
            let encoded = manifest_of(References::default(), 1).encode().unwrap();
            let mut flipped = encoded.bytes().to_vec();
            let at = bit / 8 % flipped.len();
            flipped[at] ^= 1 << (bit % 8);
            proptest::prop_assert_ne!(RecordHash::of(&flipped), encoded.head().hash);
        }
    }
}
