//! The fold's contents, compared with a registry that searches all it has, over events of which many cannot have happened.
//!
//! Five digests are blobs and manifests, name each other and themselves, and are in three repositories that come and go: so every
//! place is used again while something else may still lead there.

mod registry;

use proptest::prelude::*;
use tagstone_schema::event::{ContentKind, DeletionCause, EndedTag, RemovedContent};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Digest, Event, Head, Id, Origin, Record, RecordHash, RepositoryName, Tag, Timestamp};

use self::registry::{NaiveRegistry, told_by};
use super::snapshot;
use super::{IllegalEvent, State};

const DIGESTS: u8 = 5;

fn digest(number: u8) -> Digest {
    let number = number % DIGESTS;
    if number == 0 { Digest::sha512([number; 64]) } else { Digest::sha256([number; 32]) }
}

fn repository(number: u8) -> RepositoryName {
    format!("r{}", number % 3).parse().unwrap()
}

/// Some of the digests, by the bits of a number.
fn some(bits: u8) -> impl Iterator<Item = Digest> {
    (0..DIGESTS).filter(move |number| bits >> number & 1 == 1).map(digest)
}

/// The event that a random choice stands for. It may be illegal.
fn event([what, name, first, second]: [u8; 4], standing: &State) -> Event {
    let (repository, digest, other) = (repository(name), digest(first), digest(second));
    let tag: Tag = format!("t{}", second % 2).parse().unwrap();
    let stood = standing.repository(repository.as_str()).and_then(|asked| Some(asked.tag(tag.as_str())?.digest()));
    let stood = stood.cloned();
    match what % 16 {
        0..3 => {
            let mounted_from = (second % 3 == 0).then(|| self::repository(second / 3));
            Event::BlobLinked { repository, digest, size: u64::from(second % 7 > 0), mounted_from }
        }
        3 | 4 => Event::BlobUnlinked { repository, digest },
        5..8 => Event::ManifestPushed {
            repository,
            digest,
            size: 3,
            media_type: tagstone_schema::media_type::OCI_INDEX.parse().unwrap(),
            artifact_type: (second % 2 == 0).then(|| "text/plain".parse().unwrap()),
            subject: (second % 3 == 0).then_some(other),
            references: some(second & (first >> 3)).collect(),
        },
        8 | 9 => Event::ManifestDeleted { repository, digest },
        10 if first > 80 => Event::RepositoryDeleted { repository },
        10..13 => Event::TagMoved { repository, tag, from: stood, to: digest },
        13 => {
            let was = stood.unwrap_or(other);
            Event::TagsDeleted { repository, tags: vec![EndedTag { tag, was }], cause: DeletionCause::Request }
        }
        _ => {
            let removed = |digest| RemovedContent { digest, size: 1, content: ContentKind::Blob };
            Event::ContentCollected { contents: some(first & second).map(removed).collect() }
        }
    }
}

fn record(seq: u64, event: Event) -> Record {
    let (time, prev) = (Timestamp(seq.cast_signed()), RecordHash::ZERO);
    let (actor, origin) = (Actor::system("test"), Origin::default());
    Record { format: FORMAT_VERSION, seq, time, prev, actor, origin, events: vec![event] }
}

fn applied(state: &mut State, record: &Record) -> Result<(), IllegalEvent> {
    state.foresee(std::iter::once(record));
    state.apply(record)
}

/// A state as a snapshot of it is read.
fn restored(state: &State) -> State {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    snapshot::write(&path, state, Head { seq: 1, ..Head::default() }).unwrap();
    snapshot::read(&path).unwrap().0
}

/// A state that nobody shares, behind these records.
fn lone(records: &[Record]) -> State {
    let mut state = State::alone();
    records.iter().try_for_each(|record| state.apply(record)).unwrap();
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn contents_are_those_of_a_registry_that_searches_all_it_has(
        choices in proptest::collection::vec(proptest::array::uniform4(any::<u8>()), 1..300),
        shared_at in 0usize..400,
        (written_at, written_alone) in (0usize..300, any::<bool>()),
    ) {
        let digests: Vec<_> = (0..DIGESTS).map(|number| digest(number).to_string()).collect();
        let mut naive = NaiveRegistry::default();
        let began = record(1, Event::LogStarted { log: Id([1; 16]) });
        let (mut shared, mut alone) = (State::default(), State::alone());
        shared.apply(&began).unwrap();
        alone.apply(&began).unwrap();
        let mut legal = vec![began];
        let mut again = shared.clone();
        let mut taken = Vec::new();
        for (at, choice) in choices.into_iter().enumerate() {
            if at == shared_at {
                alone.share();
                alone.contents.assert_shared(&alone);
            }
            if at == written_at {
                again = restored(if written_alone { &alone } else { &shared });
                again.contents.assert_shared(&again);
            }
            let next = record(at as u64 + 2, event(choice, &shared));
            let (standing, standing_again, naively) = (shared.clone(), again.clone(), naive.clone());
            let said = applied(&mut shared, &next);
            prop_assert_eq!(&applied(&mut again, &next), &said);
            prop_assert_eq!(naive.apply(&next.events[0], next.time.0), said.is_ok(), "{:?}", next.events);
            if said.is_ok() {
                alone.foresee(std::iter::once(&next));
                prop_assert_eq!(applied(&mut alone, &next), Ok(()));
                legal.push(next);
            } else {
                // Nobody goes on with a lone state behind an illegal event.
                if choice[3].is_multiple_of(8) {
                    prop_assert_eq!(applied(&mut lone(&legal), &next), said);
                }
                (shared, again, naive) = (standing, standing_again, naively);
            }
            let told = naive.told(&digests);
            for state in [&shared, &alone, &again] {
                prop_assert_eq!(&told_by(state, &digests), &told);
                state.contents.assert_sound(state);
            }
            if at % 16 == 0 {
                taken.push((shared.clone(), alone.clone(), told));
            }
        }
        for (shared, alone, told) in taken {
            prop_assert_eq!(shared.fingerprint(), alone.fingerprint());
            for state in [shared, alone] {
                prop_assert_eq!(&told_by(&state, &digests), &told);
                state.contents.assert_sound(&state);
            }
        }
        prop_assert_eq!(alone.fingerprint(), shared.fingerprint());
        prop_assert_eq!(again.fingerprint(), shared.fingerprint());
    }
}
