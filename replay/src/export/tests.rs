//! Exports, sound and otherwise, as bytes in memory.

use proptest::prelude::*;
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, EncodedRecord, Event, Head, Id, Origin, Record, RecordHash, Timestamp};

use super::*;

/// Records of a log, each with a text of so many bytes.
fn records(lengths: &[usize]) -> Vec<EncodedRecord> {
    let mut head = Head::default();
    let encode = |length: &usize| {
        let record = Record {
            format: FORMAT_VERSION,
            seq: head.seq + 1,
            time: Timestamp(head.time.0 + 1),
            prev: head.hash,
            actor: Actor::anonymous(),
            origin: Origin::default(),
            events: vec![Event::ServerStarted { version: "v".repeat(*length) }],
        };
        let encoded = record.encode().unwrap();
        head = encoded.head();
        encoded
    };
    lengths.iter().map(encode).collect()
}

fn written(header: &Header, records: &[EncodedRecord]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), header).unwrap();
    records.iter().for_each(|record| writer.push(record.head(), record.bytes()).unwrap());
    let (bytes, trailer) = writer.finish().unwrap();
    let head = records.last().map_or(header.before, EncodedRecord::head);
    assert_eq!(trailer, Trailer { count: records.len() as u64, head });
    assert_eq!(Trailer::claimed(&bytes[bytes.len() - usize::try_from(TRAILER_LENGTH).unwrap()..]), Some(trailer));
    bytes
}

fn from_the_beginning() -> Header {
    Header { log: Some(Id([7; 16])), before: Head::default() }
}

/// The records that are read, and what ends them.
fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Result<Option<Trailer>, ExportError>) {
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut records = Vec::new();
    while let Some(record) = reader.next() {
        match record {
            Ok(record) => {
                assert_eq!(record.seq, reader.header().before.seq + records.len() as u64 + 1);
                records.push(record.bytes);
            }
            Err(error) => {
                assert!(reader.next().is_none(), "there is nothing behind an error");
                return (records, Err(error));
            }
        }
    }
    (records, Ok(reader.trailer()))
}

#[test]
fn what_was_written_is_read() {
    let all = records(&[1, 0, 5_000, 70_000, 3]);
    for from in 0..=all.len() {
        let before = from.checked_sub(1).map_or(Head::default(), |at| all[at].head());
        for log in [None, Some(Id([9; 16]))] {
            let header = Header { log, before };
            let bytes = written(&header, &all[from..]);
            assert_eq!(*Reader::new(&bytes[..]).unwrap().header(), header);
            let (found, end) = read(&bytes);
            let expected: Vec<_> = all[from..].iter().map(|record| record.bytes().to_vec()).collect();
            assert_eq!(found, expected);
            let head = all.last().unwrap().head();
            assert_eq!(end.unwrap(), Some(Trailer { count: expected.len() as u64, head }));
        }
    }
}

#[test]
fn long_logs_lie_in_chunks_of_bounded_length() {
    let all = records(&[70_000; 40]);
    let bytes = written(&from_the_beginning(), &all);
    assert_eq!(read(&bytes).0.len(), 40);
    let chunks = bytes.windows(4).filter(|window| window == CHUNK_MAGIC).count();
    assert_eq!(chunks, 40usize.div_ceil(CHUNK_BYTES / (70_000 + 200)));
}

#[test]
fn a_record_out_of_order_is_not_written() {
    let all = records(&[1, 1]);
    let mut writer = Writer::new(Vec::new(), &from_the_beginning()).unwrap();
    assert!(writer.push(all[1].head(), all[1].bytes()).is_err());
    writer.push(all[0].head(), all[0].bytes()).unwrap();
    assert!(writer.push(all[0].head(), all[0].bytes()).is_err());
    assert!(writer.push(all[1].head(), b"").is_err());
}

/// Damage never goes unseen, and what is still read of a damaged export is what was written.
fn assert_found(damaged: &[u8], genuine: &[EncodedRecord], what: &str) -> usize {
    let (found, end) = read(damaged);
    assert!(end.is_err(), "{what} goes unseen");
    for (found, genuine) in found.iter().zip(genuine) {
        assert_eq!(found, genuine.bytes(), "{what}: another record is read");
    }
    assert!(found.len() <= genuine.len(), "{what}");
    found.len()
}

#[test]
fn every_flipped_bit_is_found_where_it_is() {
    let all = records(&[3, 40, 0]);
    let bytes = written(&from_the_beginning(), &all);
    let first = HEADER_BYTES + CHECKSUM_BYTES + CHUNK_HEADER_BYTES;
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let sound = assert_found(&flipped, &all, &format!("bit {bit}"));
        // A record is believed where the next one names its hash; so the last before the flipped one is believed
        // as long as the flip is not in what names it.
        let mut begin = first;
        for (index, record) in all.iter().enumerate() {
            let end = begin + LENGTH_BYTES + record.bytes().len();
            if (begin + LENGTH_BYTES + 50..end).contains(&(bit / 8)) {
                assert_eq!(sound, index, "bit {bit}, in record {}", index + 1);
            }
            begin = end;
        }
        if bit / 8 >= begin + CHECKSUM_BYTES {
            assert_eq!(sound, all.len(), "bit {bit}, in the trailer");
        }
    }
}

#[test]
fn every_cut_and_every_byte_behind_the_end_is_found() {
    let all = records(&[3, 40, 0]);
    let bytes = written(&from_the_beginning(), &all);
    let mut most = 0;
    for cut in 0..bytes.len() {
        let sound = assert_found(&bytes[..cut], &all, &format!("cut to {cut} bytes"));
        assert!(sound >= most, "cut to {cut} bytes");
        most = sound;
    }
    assert_eq!(most, all.len());
    let mut longer = bytes.clone();
    longer.push(0);
    assert_found(&longer, &all, "one byte more");
    let twice = [&bytes[..], &bytes].concat();
    assert_found(&twice, &all, "the same once more");
}

#[test]
fn chunks_left_out_doubled_or_taken_from_elsewhere_are_found() {
    let all = records(&[70_000; 30]);
    let bytes = written(&from_the_beginning(), &all);
    let starts: Vec<_> = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(CHUNK_MAGIC)).collect();
    let [first, second, third] = starts[..] else { panic!("there are {} chunks", starts.len()) };
    let end = bytes.len() - usize::try_from(TRAILER_LENGTH).unwrap();
    let parts = [&bytes[..first], &bytes[first..second], &bytes[second..third], &bytes[third..end], &bytes[end..]];
    for order in [&[0, 2, 3, 4][..], &[0, 1, 3, 4], &[0, 1, 2, 4], &[0, 1, 1, 2, 3, 4], &[0, 2, 1, 3, 4], &[0, 4]] {
        let rearranged: Vec<_> = order.iter().flat_map(|part| parts[*part]).copied().collect();
        let (_, end) = read(&rearranged);
        assert!(end.is_err(), "{order:?} goes unseen");
    }
    // The same records from a log with another id: every checksum depends on the header.
    let other = written(&Header { log: Some(Id([8; 16])), before: Head::default() }, &all);
    let mixed = [&bytes[..second], &other[second..]].concat();
    assert!(read(&mixed).1.is_err());
}

#[test]
fn what_is_no_export_is_named() {
    let bytes = written(&from_the_beginning(), &[]);
    assert!(matches!(Reader::new(&b""[..]), Err(ExportError::NotExport)));
    assert!(matches!(Reader::new(&b"a text of more bytes than a magic has"[..]), Err(ExportError::NotExport)));
    assert!(matches!(Reader::new(&bytes[..20]), Err(ExportError::Cut { at: 20 })));
    let mut later = bytes;
    later[8] = 2;
    assert!(matches!(Reader::new(&later[..]), Err(ExportError::UnknownVersion { found: 2 })));
    let absurd = Head { seq: u64::MAX, hash: RecordHash::ZERO, time: Timestamp(0) };
    let writer = Writer::new(Vec::new(), &Header { log: None, before: absurd }).unwrap();
    let (absurd, _) = writer.finish().unwrap();
    assert!(matches!(Reader::new(&absurd[..]), Err(ExportError::Header)));
}

proptest! {
    #[test]
    fn arbitrary_bytes_return(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(read(&bytes).1.is_err());
        // Behind a header that holds, where more of the reader sees them.
        let mut framed = written(&from_the_beginning(), &[]);
        framed.truncate(HEADER_BYTES + CHECKSUM_BYTES);
        framed.extend(&bytes);
        prop_assert!(read(&framed).1.is_err());
        framed.truncate(HEADER_BYTES + CHECKSUM_BYTES);
        framed.extend(CHUNK_MAGIC);
        framed.extend(&bytes);
        prop_assert!(read(&framed).1.is_err());
    }

    #[test]
    fn any_damage_is_found(lengths in proptest::collection::vec(0usize..2_000, 1..8), at in any::<prop::sample::Index>(), bytes in proptest::collection::vec(any::<u8>(), 1..20)) {
        let all = records(&lengths);
        let genuine = written(&from_the_beginning(), &all);
        let mut damaged = genuine.clone();
        let at = at.index(damaged.len());
        let end = (at + bytes.len()).min(damaged.len());
        damaged[at..end].copy_from_slice(&bytes[..end - at]);
        if damaged != genuine {
            assert_found(&damaged, &all, "damage");
        }
    }
}
