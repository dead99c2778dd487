//! Turns of tags: as bytes, in blocks, and of a tag that turns all the time.

use proptest::prelude::*;
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{
    Actor, Digest, Event, Id, MediaType, Origin, Record, RecordHash, RepositoryName, Tag, Timestamp,
};

use super::*;
use crate::audit::index::block::unsealed;
use crate::audit::index::run::About;
use crate::audit::index::turns::{FirstTurn, TagKey, TurnWriter, Turns};
use crate::audit::{TagChange, TagEntry};

const MEDIA_TYPES: [&str; 4] = [
    tagstone_schema::media_type::OCI_IMAGE,
    tagstone_schema::media_type::OCI_INDEX,
    tagstone_schema::media_type::DOCKER_IMAGE,
    "application/vnd.of.nobody+json",
];

fn about(from: u64, end: i64) -> About {
    let (hash, time) = (RecordHash::ZERO, Timestamp(end));
    About { seed: 1, from, before: hash, to: from + 1_000, hash, time }
}

fn media_type(which: u8) -> MediaType {
    MEDIA_TYPES[usize::from(which) % MEDIA_TYPES.len()].parse().unwrap()
}

fn digest(which: u8) -> Digest {
    if which.is_multiple_of(3) { Digest::sha512([which; 64]) } else { Digest::sha256([which; 32]) }
}

/// A tag, seq and index.
type At = (u128, u64, u32);

/// Whether it was moved, digest, size and media type.
type What = (bool, u8, u64, u8);

/// Turns of a few tags, in order.
fn turns() -> impl Strategy<Value = Vec<(TagKey, TagEntry)>> {
    let what = (any::<bool>(), 0u8..5, prop_oneof![Just(7), any::<u64>()], 0u8..4);
    let turns = proptest::collection::btree_map((0u128..4, 5u64..900, 0u32..12), what, 1..120);
    turns.prop_map(|turns| {
        let turn = |(at, what): (At, What)| {
            let ((key, seq, index), (moved, which, size, type_of)) = (at, what);
            let change = if moved { TagChange::Created } else { TagChange::Deleted };
            let (place, time) = (Place { seq, index }, Timestamp(seq.cast_signed() * 1_000 - 77_000));
            let (digest, media_type) = (digest(which), media_type(type_of));
            (TagKey(key << 110), TagEntry { place, time, change, digest, size, media_type })
        };
        turns.into_iter().map(turn).collect()
    })
}

proptest! {
    #[test]
    fn turns_come_back(turns in turns(), end in prop_oneof![Just(900_000), Just(i64::MAX)]) {
        let about = about(5, end);
        let mut writer = TurnWriter::new(&about);
        // The second block is as the first: nothing is left of it.
        for offset in [77, 99] {
            turns.iter().for_each(|(key, turn)| writer.push(*key, turn).unwrap());
            let (first, bytes) = writer.take(offset).unwrap();
            let (key, turn) = &turns[0];
            prop_assert_eq!(first, FirstTurn { key: *key, place: turn.place, time: turn.time });
            prop_assert!(unsealed(&bytes, offset + 1).is_err(), "it lay at another place");
            let bytes = unsealed(&bytes, offset).unwrap();
            let read: Vec<_> = Turns::new(bytes, &about).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(&read, &turns);
            prop_assert!(writer.take(0).is_none());
            // Cut anywhere, it ends with an error, or where a tag does.
            for length in (0..bytes.len()).step_by(1 + bytes.len() / 50) {
                let cut: Vec<_> = Turns::new(&bytes[..length], &about).take_while(Result::is_ok).flatten().collect();
                prop_assert!(turns.starts_with(&cut));
            }
        }
    }

    #[test]
    fn what_is_out_of_order_is_not_written(turns in turns(), at in any::<prop::sample::Index>()) {
        let mut writer = TurnWriter::new(&about(5, 900_000));
        turns.iter().for_each(|(key, turn)| writer.push(*key, turn).unwrap());
        let (key, turn) = at.get(&turns);
        prop_assert!(writer.push(*key, turn).is_err());
    }

    #[test]
    fn no_bytes_are_more_than_an_error(bytes in proptest::collection::vec(prop_oneof![0u8..16, any::<u8>()], 0..400)) {
        let about = about(1, 0);
        prop_assert!(Turns::new(&bytes, &about).take_while(Result::is_ok).count() <= bytes.len());
    }
}

#[test]
fn what_no_turn_can_be_is_an_error() {
    let key = [0; 16];
    let read = |bytes: &[u8], about: &About| {
        let bytes = [&key[..], bytes].concat();
        Turns::new(&bytes, about).next().unwrap().unwrap_err().to_string()
    };
    let (long, text) = ([9; 32], b"no type");
    let given = |what: u8, rest: &[u8]| [&[9, 0, what][..], &long, &[1], rest].concat();
    let cases: [(&str, Vec<u8>); 6] = [
        ("a manifest is missing", vec![9, 0, 0]),
        ("a digest is of no kind", vec![9, 0, 6]),
        ("a turn is cut off", vec![9, 0, 2, 1]),
        ("a media type is missing", given(2 | 8, &[])),
        ("a turn is cut off", given(2, &[200, 1, b'a'])),
        ("is not a media type", given(2, &[&[7], &text[..]].concat())),
    ];
    for (expected, bytes) in cases {
        let told = read(&bytes, &about(1, 0));
        assert!(told.contains(expected), "{bytes:?}: {told}");
    }
    assert!(read(&[9, 1, 0], &about(1, i64::MIN)).contains("an instant is too large"));
}

#[test]
fn a_turn_takes_little_more_than_its_digest() {
    let about = about(1, 2_000_000_000_000_000);
    let mut writer = TurnWriter::new(&about);
    let turn = |seq: u64| TagEntry {
        place: Place { seq, index: 3 },
        time: Timestamp(1_900_000_000_000_000 + 60_000_000 * seq.cast_signed()),
        change: if seq.is_multiple_of(4) { TagChange::Deleted } else { TagChange::Created },
        digest: Digest::sha256([u8::try_from(seq - u64::from(seq.is_multiple_of(4))).unwrap(); 32]),
        size: 1_500,
        media_type: media_type(0),
    };
    (1..101).for_each(|seq| writer.push(TagKey(7), &turn(seq)).unwrap());
    let (_, bytes) = writer.take(0).unwrap();
    // 32 bytes of digest and 2 of size where it is another manifest; place, time and the rest of all.
    assert!(bytes.len() < 75 * 34 + 100 * 7 + 100, "{}", bytes.len());
}

/// A repository in which one tag turns all the time, and others beside it.
fn busy() -> Known {
    let (repository, latest): (RepositoryName, Tag) = ("acme/app".parse().unwrap(), "latest".parse().unwrap());
    let (mut head, mut all, mut from) = (Head::default(), Vec::new(), None);
    for seq in 1..=700u16 {
        let [high, low] = seq.to_be_bytes();
        let mut raw = [0; 32];
        (raw[0], raw[1]) = (high, low);
        let to = Digest::sha256(raw);
        let push = Event::ManifestPushed {
            repository: repository.clone(),
            digest: to.clone(),
            size: u64::from(seq),
            media_type: media_type(low),
            artifact_type: None,
            subject: None,
            references: Default::default(),
        };
        let moved = |tag: &Tag, from| Event::TagMoved {
            repository: repository.clone(),
            tag: tag.clone(),
            from,
            to: to.clone(),
        };
        let own = moved(&format!("build-{seq}").parse().unwrap(), None);
        let events = match seq {
            1 => vec![Event::LogStarted { log: Id([1; 16]) }],
            _ if seq.is_multiple_of(13) => from
                .take()
                .map(|digest| Event::ManifestDeleted { repository: repository.clone(), digest })
                .into_iter()
                .collect(),
            _ => vec![push, own, moved(&latest, from.replace(to.clone()))],
        };
        if events.is_empty() {
            continue;
        }
        let (actor, origin) = (Actor::system("test"), Origin::default());
        let record = Record {
            format: FORMAT_VERSION,
            seq: head.seq + 1,
            time: Timestamp(head.time.0 + 1_000),
            prev: head.hash,
            actor,
            origin,
            events,
        };
        let encoded = record.encode().unwrap();
        head = encoded.head();
        all.push(encoded);
    }
    Known::of(&all)
}

#[test]
fn a_tag_that_turns_all_the_time_is_told_from_memory_from_a_run_and_from_a_merged_one() {
    let known = busy();
    let all = known.records.len();
    let large = Limits { postings: usize::MAX, ..Limits::default() };
    let directory = tempfile::tempdir().unwrap();
    let index = AuditIndex::open_with(directory.path(), large).unwrap();
    known.add_to(&index, all / 2).unwrap();
    let before = index.view();
    known.add_to(&index, all).unwrap();
    known.compare_turns(&before, all / 2).unwrap();
    known.compare_turns(&index.view(), all).unwrap();
    index.flush().unwrap();
    known.compare_turns(&before, all / 2).unwrap();
    let blocks =
        |index: &AuditIndex| index.parts().runs.iter().map(|run| run.turn_blocks(|_| true)).collect::<Vec<_>>();
    assert!(matches!(blocks(&index)[..], [blocks] if blocks > 12), "{:?}", blocks(&index));
    known.compare_turns(&index.view(), all).unwrap();
    // Four runs, which become one, and then some in memory.
    let directory = tempfile::tempdir().unwrap();
    let index = AuditIndex::open_with(directory.path(), large).unwrap();
    for part in 1..=4 {
        known.add_to(&index, all * part / 5).unwrap();
        known.compare_turns(&index.view(), all * part / 5).unwrap();
        index.flush().unwrap();
    }
    known.compare_turns(&index.view(), all * 4 / 5).unwrap();
    settle(&index);
    assert!(matches!(blocks(&index)[..], [blocks] if blocks > 10), "{:?}", blocks(&index));
    known.add_to(&index, all).unwrap();
    known.compare_turns(&index.view(), all).unwrap();
}

#[test]
fn tags_have_keys_of_their_own_and_each_index_others() {
    let key =
        |seed, repository: &str, tag: &str| TagKey::new(seed, &repository.parse().unwrap(), &tag.parse().unwrap());
    let keys = [key(1, "a/b", "c"), key(1, "a", "b"), key(1, "a", "bc"), key(1, "ab", "c"), key(2, "a", "b")];
    assert_eq!(keys[1], key(1, "a", "b"));
    assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), keys.len());
}
