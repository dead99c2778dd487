//! Numbers, places and blocks as bytes; which runs are merged.

use proptest::prelude::*;

use super::*;
use crate::audit::index::block::{BlockWriter, Postings, places_of, unsealed};
use crate::audit::index::codes::{put, put_place, take, take_place};
use crate::audit::index::merge::next_of;
use crate::audit::term::TermKey;

#[test]
fn numbers_and_places_come_back() {
    for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
        let mut bytes = Vec::new();
        put(&mut bytes, number);
        let mut rest = &bytes[..];
        assert_eq!((take(&mut rest).unwrap(), rest), (number, &[][..]));
        let mut cut = &bytes[..bytes.len() - 1];
        assert!(take(&mut cut).is_err());
    }
    assert!(take(&mut &[0xff; 9][..]).is_err());
    assert!(take(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..]).is_err(), "66 bits");
    let place = |seq, index| Place { seq, index };
    let bytes_of = [
        (place(9, 1), 1),
        (place(9, 6), 1),
        (place(10, 0), 1),
        (place(20, 5), 1),
        (place(23, 7), 2),
        (place(40, 0), 2),
    ];
    for (to, length) in bytes_of.into_iter().chain([(place(1 << 50, u32::MAX), 13)]) {
        let mut bytes = Vec::new();
        put_place(&mut bytes, place(9, 0), to).unwrap();
        assert_eq!(bytes.len(), length, "{to}");
        assert_eq!(take_place(&mut &bytes[..], place(9, 0)).unwrap(), Some(to));
    }
    for before in [place(9, 0), place(8, 5)] {
        assert!(put_place(&mut Vec::new(), place(9, 0), before).is_err(), "{before}");
    }
    assert!(put_place(&mut Vec::new(), place(0, 0), place(u64::MAX, 0)).is_err());
    assert!(take_place(&mut &[9][..], place(u64::MAX, 0)).is_err());
    assert!(take_place(&mut &[1][..], place(1, u32::MAX)).is_err());
}

proptest! {
    #[test]
    fn postings_come_back(postings in proptest::collection::btree_set((0u64..6, 5u64..40, 0u32..12), 1..200)) {
        let posting = |(key, seq, index): &(u64, u64, u32)| (TermKey(key << 30), Place { seq: *seq, index: *index });
        let postings: Vec<_> = postings.iter().map(posting).collect();
        let mut writer = BlockWriter::new(5);
        postings.iter().for_each(|(key, place)| writer.push(*key, *place).unwrap());
        let (first, bytes) = writer.take(77).unwrap();
        prop_assert_eq!(first, postings[0]);
        prop_assert!(unsealed(&bytes, 78).is_err(), "it lay at another place");
        let bytes = unsealed(&bytes, 77).unwrap();
        let read: Vec<_> = Postings::new(bytes, 5).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&read, &postings);
        for key in (0..7).map(|key| TermKey(key << 30)) {
            let of: Vec<_> = postings.iter().filter(|(found, _)| *found == key).map(|(_, place)| *place).collect();
            prop_assert_eq!(places_of(key, bytes, 5).unwrap(), of);
        }
        prop_assert!(writer.take(0).is_none());
    }

    #[test]
    fn no_bytes_are_more_than_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        // At most one posting a byte, or an end.
        prop_assert!(Postings::new(&bytes, 1).take_while(Result::is_ok).count() <= bytes.len());
    }
}

#[test]
fn neighbours_of_like_size_are_merged() {
    let cases: &[(&[u64], Option<std::ops::Range<usize>>)] = &[
        (&[], None),
        (&[1, 1, 1], None),
        (&[1, 5, 9, 3], Some(0..4)),
        (&[40, 1, 1, 1], None),
        (&[40, 1, 1, 1, 1], Some(1..5)),
        (&[39, 10, 20, 30, 9, 9, 9, 9], Some(4..8)),
        (&[39, 10, 20, 30, 9, 9, 9], Some(0..4)),
        (&[9, 9, 9, 9, 9], Some(0..4)),
        (&[300, 300, 300, 300], None),
        (&[200, 200, 200, 200], Some(0..4)),
    ];
    for (bytes, expected) in cases {
        assert_eq!(next_of(bytes, 10, 1_000), *expected, "{bytes:?}");
    }
    // As a log grows, the number of runs does not, and each byte is written a few times.
    let (mut runs, mut written) = (Vec::<u64>::new(), 0);
    for _ in 0..1_000 {
        runs.push(8);
        written += 8;
        while let Some(next) = next_of(&runs, 10, 1_000_000) {
            let bytes = runs[next.clone()].iter().sum();
            written += bytes;
            runs.splice(next, [bytes]);
        }
        assert!(runs.len() <= 16, "{runs:?}");
    }
    assert_eq!(runs.iter().sum::<u64>(), 8_000);
    assert!(written < 8_000 * 6, "{written}");
}
