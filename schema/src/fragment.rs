//! Records among other bytes: what can be told of a record without knowing where it ends.
//!
//! A sound log is never read this way. It serves to find records where what kept them is damaged.

use crate::record::{DecodeError, FORMAT_VERSION, Record, RecordHash, Seq};
use crate::time::Timestamp;
use crate::{limits, reading};

/// The first fields of a record, which have one length in every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Version of the format.
    pub format: u16,
    /// Its place.
    pub seq: Seq,
    /// When it was committed.
    pub time: Timestamp,
    /// The record before it.
    pub prev: RecordHash,
}

impl Start {
    /// The bytes of a start.
    pub const BYTES: usize = 2 + 8 + 8 + 32;

    /// The start that these bytes begin with, if they can be a record of a known format.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let start: Self = reading::whole(bytes.get(..Self::BYTES)?).ok()?;
        ((1..=FORMAT_VERSION).contains(&start.format) && start.seq > 0).then_some(start)
    }
}

/// The record that the bytes begin with, and its length. The bytes may come from anywhere: whatever they are, this returns.
pub fn first_record(bytes: &[u8]) -> Result<(Record, usize), DecodeError> {
    let bytes = &bytes[..bytes.len().min(limits::RECORD_BYTES)];
    reading::first(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, Event, Id, Origin};

    fn record() -> Record {
        Record {
            format: FORMAT_VERSION,
            seq: 7,
            time: Timestamp(9),
            prev: RecordHash([3; 32]),
            actor: Actor::anonymous(),
            origin: Origin::default(),
            events: vec![Event::LogStarted { log: Id([1; 16]) }],
        }
    }

    #[test]
    fn a_record_is_told_from_what_follows_it() {
        let (record, encoded) = (record(), record().encode().unwrap());
        let mut bytes = encoded.bytes().to_vec();
        for follows in [&[][..], &[0], &[0xff; 9]] {
            bytes.truncate(encoded.bytes().len());
            bytes.extend(follows);
            assert_eq!(first_record(&bytes).unwrap(), (record.clone(), encoded.bytes().len()));
            let start = Start { format: FORMAT_VERSION, seq: 7, time: Timestamp(9), prev: RecordHash([3; 32]) };
            assert_eq!(Start::of(&bytes), Some(start));
        }
        for cut in 0..encoded.bytes().len() {
            assert!(first_record(&bytes[..cut]).is_err(), "cut to {cut} bytes");
            assert_eq!(Start::of(&bytes[..cut]).is_some(), cut >= Start::BYTES, "cut to {cut} bytes");
        }
        assert_eq!(Start::of(&[9; 100]), None);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_return(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 2..600)) {
            bytes[..2].copy_from_slice(&[1, 0]);
            if let Ok((record, length)) = first_record(&bytes) {
                let again = record.encode().unwrap();
                proptest::prop_assert_eq!(again.bytes(), &bytes[..length]);
            }
        }
    }
}
