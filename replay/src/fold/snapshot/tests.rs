//! A snapshot is the state, or it is refused.

use proptest::prelude::*;
use tagstone_schema::event::{ContentKind, DeletionCause, EndedTag, TokenScope};
use tagstone_schema::media_type::OCI_IMAGE;
use tagstone_schema::policy::{Age, AgeUnit, Pattern, PruneMethod, Rule};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Digest, Event, Id, Origin, Record, RecordHash, RepositoryName, Timestamp};

use super::*;
use crate::fold::Moment;
use crate::fold::properties::{choices, decoded, derived, history};

pub(super) const HEAD: Head = Head { seq: 7, hash: RecordHash([7; 32]), time: Timestamp(77) };

fn encoded(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes, state, HEAD).unwrap();
    bytes
}

pub(super) fn restored(bytes: &[u8]) -> Result<State, FrameError> {
    decode(bytes, bytes.len() as u64).map(|(state, head)| {
        assert_eq!(head, HEAD);
        state
    })
}

/// What an event does to a state: its effects, and the refusal if it is illegal.
fn told(state: &mut State, seq: u64, event: &Event) -> String {
    let (time, prev, actor, origin) =
        (Timestamp(seq.cast_signed()), RecordHash::ZERO, Actor::system("test"), Origin::default());
    let record = Record { format: FORMAT_VERSION, seq, time, prev, actor, origin, events: vec![event.clone()] };
    let mut effects = String::new();
    let result = state.apply_observed(&record, |_, effect| effects += &format!("{effect:?}\n"));
    format!("{effects}{result:?}")
}

pub(super) fn digest(number: u8) -> Digest {
    if number.is_multiple_of(4) { Digest::sha512([number; 64]) } else { Digest::sha256([number; 32]) }
}

fn immutability(regex: &str) -> Rule {
    Rule::Immutability { pattern: Pattern { regex: regex.to_owned(), matches: true }, include_referrer_tags: true }
}

fn linked(repository: &str, number: u8, from: Option<&str>) -> Event {
    let (repository, mounted_from) = (repository.parse().unwrap(), from.map(|from| from.parse().unwrap()));
    Event::BlobLinked { repository, digest: digest(number), size: number.into(), mounted_from }
}

fn pushed(repository: &str, number: u8, subject: Option<u8>, references: &[u8]) -> Event {
    Event::ManifestPushed {
        repository: repository.parse().unwrap(),
        digest: digest(number),
        size: 1,
        media_type: OCI_IMAGE.parse().unwrap(),
        artifact_type: subject.map(|_| "text/plain".parse().unwrap()),
        subject: subject.map(digest),
        references: references.iter().copied().map(digest).collect(),
    }
}

fn moved(repository: &str, tag: &str, from: Option<u8>, to: u8) -> Event {
    let (repository, tag) = (repository.parse().unwrap(), tag.parse().unwrap());
    Event::TagMoved { repository, tag, from: from.map(digest), to: digest(to) }
}

/// Events after which a state holds something of everything.
fn everything() -> Vec<Event> {
    use tagstone_schema::policy::{Rule::Prune, Scope};
    let activated = |number, scope, rule| Event::PolicyActivated { policy: Id([number; 16]), scope, rule };
    let app = || "a/app".parse().unwrap();
    let old = Age { count: 7, unit: AgeUnit::Days };
    vec![
        Event::LogStarted { log: Id([1; 16]) },
        activated(1, Scope::Registry, immutability("v.*")),
        activated(2, Scope::Namespace("a".parse().unwrap()), immutability("was-.*")),
        activated(3, Scope::Repository(app()), Prune { method: PruneMethod::NumberOfTags(3), pattern: None }),
        Event::PolicyDrafted { policy: Id([4; 16]), scope: Scope::Repository(app()), rule: immutability("draft") },
        activated(5, Scope::Registry, Prune { method: PruneMethod::CreationDate(old), pattern: None }),
        linked("a/app", 1, None),
        linked("a/app", 2, None),
        linked("b", 1, Some("a/app")),
        pushed("a/app", 11, None, &[1, 2, 99]),
        pushed("a/app", 12, Some(11), &[1, 2]),
        pushed("a/app", 13, Some(98), &[]),
        pushed("b", 11, None, &[1]),
        linked("a/app", 3, None),
        linked("c", 5, None),
        pushed("c", 15, None, &[]),
        pushed("a/app", 16, None, &[2]),
        Event::ManifestDeleted { repository: app(), digest: digest(16) },
        Event::RepositoryDeleted { repository: "c".parse().unwrap() },
        moved("a/app", "v1", None, 11),
        moved("a/app", "was-1", None, 11),
        moved("a/app", "was-2", None, 12),
        moved("a/app", "x", None, 11),
        moved("a/app", "y", None, 12),
        Event::TagLocked { repository: app(), tag: "y".parse().unwrap() },
        Event::TagUnlocked { repository: app(), tag: "y".parse().unwrap() },
        Event::TagLocked { repository: app(), tag: "x".parse().unwrap() },
        Event::PolicyChanged { policy: Id([2; 16]), rule: immutability("now-.*") },
        moved("a/app", "was-2", Some(12), 11),
        Event::TagsDeleted {
            repository: app(),
            tags: vec![EndedTag { tag: "was-2".parse().unwrap(), was: digest(11) }],
            cause: DeletionCause::Expiry,
        },
        moved("a/app", "soon", None, 12),
        Event::TagExpirySet { repository: app(), tag: "soon".parse().unwrap(), at: Some(Timestamp(500)) },
        Event::PolicyRetired { policy: Id([5; 16]) },
        Event::TokenIssued {
            token: Id([6; 16]),
            subject: "ci".into(),
            scopes: vec![TokenScope { repositories: "a/**".to_owned(), actions: Vec::new() }],
            secret_hash: [6; 32],
            expires: Some(Timestamp(900)),
            label: "a label".into(),
        },
        Event::TokenRevoked { token: Id([6; 16]) },
    ]
}

fn full() -> State {
    let mut state = State::default();
    for (seq, event) in (1..).zip(everything()) {
        state.evolve(Moment { seq, time: Timestamp(seq.cast_signed()) }, &event).unwrap();
    }
    state
}

/// Both states are one, also in what only questions and refusals show.
fn assert_same(state: &mut State, again: &mut State, rest: &[Event], seq: u64) {
    assert_eq!(again.fingerprint(), state.fingerprint());
    assert_eq!(derived(again), derived(state));
    for (seq, event) in (seq..).zip(rest) {
        assert_eq!(told(again, seq, event), told(state, seq, event), "{event:?}");
    }
    assert_eq!(again.fingerprint(), state.fingerprint());
    assert_eq!(derived(again), derived(state));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_follows_is_the_same_with_a_snapshot_and_without(
        choices in choices(),
        // Another history is mostly illegal here.
        strange in choices(),
        split in 0usize..=100,
    ) {
        let records = decoded(&history(&choices));
        let (before, after) = records.split_at(records.len() * split / 100);
        let mut state = State::default();
        before.iter().try_for_each(|record| state.apply(record)).unwrap();
        let mut again = restored(&encoded(&state)).unwrap();
        let strange = decoded(&history(&strange));
        let rest: Vec<_> = after.iter().chain(&strange).flat_map(|record| record.events.clone()).collect();
        assert_same(&mut state, &mut again, &rest, before.len() as u64 + 1);
    }
}

#[test]
fn everything_that_a_state_can_hold_comes_back() {
    let mut state = full();
    let mut again = restored(&encoded(&state)).unwrap();
    let mut rest = vec![
        // A rule that ended binds the tag that it protected; its end lies behind the time at which the tag came.
        Event::TagErased {
            repository: "a/app".parse().unwrap(),
            tag: "was-1".parse().unwrap(),
            was: digest(11),
            reason: "a test".to_owned(),
        },
        moved("a/app", "was-1", None, 12),
        moved("a/app", "was-2", None, 12),
        moved("a/app", "v1", Some(11), 12),
        moved("a/app", "x", Some(11), 12),
        moved("a/app", "y", Some(12), 11),
        moved("a/app", "now-1", None, 11),
        moved("a/app", "now-1", Some(11), 12),
        Event::BlobUnlinked { repository: "a/app".parse().unwrap(), digest: digest(1) },
        Event::RepositoryDeleted { repository: "b".parse().unwrap() },
        Event::ManifestDeleted { repository: "a/app".parse().unwrap(), digest: digest(13) },
    ];
    rest.extend(everything());
    assert_same(&mut state, &mut again, &rest, 100);
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    // To compile patterns a thousand times would take long, and shows nothing more.
    let is_small = |event: &Event| !matches!(event, Event::PolicyActivated { .. } | Event::PolicyDrafted { .. });
    let mut state = State::default();
    for event in everything().iter().filter(|event| is_small(event)) {
        // Without the policies some events are refused; the rest is enough.
        let _ = state.evolve(Moment { seq: 1, time: Timestamp(1) }, event);
    }
    let bytes = encoded(&state);
    assert!(restored(&bytes).is_ok() && state.repository("a/app").is_some_and(|app| app.tag_count() == 5));
    for cut in 0..bytes.len() {
        assert!(restored(&bytes[..cut]).is_err(), "cut to {cut} bytes");
        // The file may also be shorter than the system said.
        assert!(decode(&bytes[..cut], bytes.len() as u64).is_err(), "cut to {cut} bytes");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(restored(&flipped).is_err(), "bit {bit}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(restored(&longer).is_err());
}

#[test]
fn a_state_with_vacant_places_comes_back_without_them() {
    let mut state = full();
    let purged = Event::ContentPurged {
        repository: "a/app".parse().unwrap(),
        contents: vec![tagstone_schema::event::RemovedContent {
            digest: digest(5),
            size: 5,
            content: ContentKind::Blob,
        }],
        reason: "a test".to_owned(),
    };
    state.evolve(Moment { seq: 90, time: Timestamp(90) }, &purged).unwrap();
    let vacant = |state: &State| state.contents.all().filter(Option::is_none).count();
    let mut again = restored(&encoded(&state)).unwrap();
    assert!(vacant(&state) > 0 && vacant(&again) == 0);
    again.contents.assert_sound(&again);
    assert_same(&mut state, &mut again, &everything(), 100);
}

/// More digests than a portion has, which several threads make: what one names lies in another, before it or behind it.
#[test]
fn portions_are_put_together_in_their_order() {
    let wide = |number: u32| {
        let mut raw = [0; 32];
        raw[..4].copy_from_slice(&number.to_be_bytes());
        Digest::sha256(raw)
    };
    let mut state = State::default();
    let mut evolve = |seq, event| state.evolve(Moment { seq, time: Timestamp(1) }, &event).unwrap();
    evolve(1, Event::LogStarted { log: Id([1; 16]) });
    for number in 0..20_000_u32 {
        let repository: RepositoryName = format!("r{}", number % 3).parse().unwrap();
        // Each names another far behind it, and one far before it.
        let references = [number.wrapping_add(9_000), number / 2].map(|number| wide(number * 2 + 1));
        let event = Event::ManifestPushed {
            repository: repository.clone(),
            digest: wide(number * 2),
            size: 1,
            media_type: OCI_IMAGE.parse().unwrap(),
            artifact_type: None,
            subject: None,
            references: references.into_iter().collect(),
        };
        evolve(u64::from(number) + 2, event);
        let tag = format!("t{number}").parse().unwrap();
        evolve(u64::from(number) + 2, Event::TagMoved { repository, tag, from: None, to: wide(number * 2) });
    }
    // Manifests that are gone leave numbers behind that the snapshot does not have.
    for number in 0..50 {
        let repository = format!("r{}", number % 3).parse().unwrap();
        evolve(90_000, Event::ManifestDeleted { repository, digest: wide(number * 2) });
    }
    let again = restored(&encoded(&state)).unwrap();
    assert!(again.contents.all().count() > 30_000);
    again.contents.assert_sound(&again);
    assert_eq!((again.fingerprint(), derived_of_some(&again)), (state.fingerprint(), derived_of_some(&state)));
}

/// Who names some of the digests.
fn derived_of_some(state: &State) -> Vec<String> {
    let digests = state.contents.all().flatten().map(|(digest, _)| digest);
    let mut digests: Vec<_> = digests.filter(|digest| digest.raw()[3].is_multiple_of(29)).collect();
    digests.sort_unstable();
    let told = |(name, repository): (&_, crate::fold::Repository<'_>)| {
        let by = |digest: &&Digest| {
            let mut by: Vec<_> = repository.referenced_by(digest).collect();
            by.sort_unstable();
            format!("{name} {digest} {by:?}")
        };
        digests.iter().map(by).collect::<Vec<_>>()
    };
    state.repositories().flat_map(told).collect()
}

#[test]
fn a_section_never_takes_more_memory_than_the_file_has_bytes() {
    let mut bytes = encoded(&State::default());
    bytes[12..20].copy_from_slice(&(1u64 << 60).to_le_bytes());
    assert!(matches!(restored(&bytes), Err(FrameError::Damaged(what)) if what.contains("inside a section")));
}

#[test]
fn a_file_is_replaced_as_a_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    assert!(matches!(read(&path), Err(SnapshotError::Missing(_))));
    let state = full();
    for state in [&State::default(), &state] {
        write(&path, state, HEAD).unwrap();
        let (again, head) = read(&path).unwrap();
        assert_eq!((again.fingerprint(), head), (state.fingerprint(), HEAD));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
    // Something is in the way of the new file.
    fs::create_dir(path.with_extension("new")).unwrap();
    assert!(matches!(write(&path, &State::default(), HEAD), Err(SnapshotError::Io { .. })));
    assert_eq!(read(&path).unwrap().0.fingerprint(), state.fingerprint());
}

#[test]
fn foreign_files_and_other_versions_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    let mut later = encoded(&full());
    later[8] += 1;
    for (bytes, want) in [
        (b"".as_slice(), "is not a snapshot"),
        (b"TAGSNAP", "is not a snapshot"),
        (b"TAGANCHR\x01\0\0\0 and more", "is not a snapshot"),
        (&later, "has version 4, not 3"),
        (&later[..12], "has version 4, not 3"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains(want) && error.contains(&path.display().to_string()), "{error}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(read(&path), Err(SnapshotError::Io { .. })));
}

#[test]
fn portions_that_are_made_early_wait_for_those_before_them() {
    let all = encoded(&full());
    let begun = || {
        let mut sections = Sections::begin(&*all, all.len() as u64).unwrap();
        let mut registry: StoredRegistry = frame::decode(&sections.next().unwrap().unwrap()).unwrap();
        let (digests, names) = (registry.contents, std::mem::take(&mut registry.repositories));
        let mut state = restored::begin(registry).unwrap();
        let (gathered, making) = Gathered::begin(&mut state, names, digests).unwrap();
        (state, gathered, making, sections.next().unwrap().unwrap())
    };
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let (state, gathered, making, portion) = begun();
        // An empty list of entries, twice.
        let portions = [portion, vec![0; 8], vec![0; 8]];
        let (done, made) = sync_channel(3);
        order.iter().for_each(|number| done.send((*number, making.make(&portions[*number]))).unwrap());
        drop(done);
        let again = gather(gathered, &made).unwrap().end(state).unwrap();
        assert_eq!(again.fingerprint(), full().fingerprint(), "{order:?}");
    }
    let (_, gathered, making, portion) = begun();
    let (done, made) = sync_channel(3);
    done.send((1, making.make(&portion))).unwrap();
    drop(done);
    let missing = gather(gathered, &made).err();
    assert_eq!(missing.as_deref(), Some("portion 0 is missing before portion 1"));
}
