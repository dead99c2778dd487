//! What is in a snapshot is a state, or it is refused, whoever wrote it.

use tagstone_schema::event::ContentKind;
use tagstone_schema::media_type::OCI_IMAGE;
use tagstone_schema::{Digest, Timestamp};

use super::frame::{FrameError, Writing};
use super::stored::{Portion, StoredContent, StoredEntry, StoredKnown, StoredManifest, StoredRegistry, StoredTag};
use super::tests::{HEAD, digest, restored};
use crate::fold::State;
use crate::fold::contents::Place;

/// The bytes are refused for this reason; where it is empty, they are taken.
fn assert_refused(bytes: &[u8], want: &str) {
    match restored(bytes) {
        Ok(_) => assert_eq!(want, ""),
        Err(FrameError::Damaged(what)) => assert!(!want.is_empty() && what.contains(want), "{want}: {what}"),
        Err(other) => panic!("{want}: {other:?}"),
    }
}

/// A manifest that names what lies at these places, with these tags.
fn manifest(references: &[Place], tags: &[&str]) -> StoredManifest {
    let tag = |tag: &&str| StoredTag { tag: tag.parse().unwrap(), since: (1, Timestamp(1)), marks: None };
    let tags = tags.iter().map(tag).collect();
    let (references, at) = (references.iter().copied().collect(), (1, Timestamp(1)));
    StoredManifest { size: 1, types: 0, subject: None, references, pushed: at, idle: at.1, tags }
}

fn blob(is_named: bool) -> StoredContent {
    StoredContent { blob: Some(1), unnamed: (!is_named).then_some(Timestamp(3)), manifest: None }
}

fn naming(references: &[Place], tags: &[&str]) -> StoredContent {
    StoredContent { blob: None, unnamed: Some(Timestamp(1)), manifest: Some(manifest(references, tags)) }
}

fn one(number: u8, content: StoredContent) -> StoredEntry {
    StoredEntry { digest: digest(number), known: StoredKnown::One(0, content) }
}

fn more(number: u8, by: Vec<(u32, StoredContent)>, loose: Option<Timestamp>) -> StoredEntry {
    let loose = loose.map(|since| (since, ContentKind::Blob));
    StoredEntry { digest: digest(number), known: StoredKnown::More { by, loose } }
}

/// What two repositories have: the places that come first, and the last, a manifest, are of the first.
fn sound() -> Portion {
    vec![
        one(1, naming(&[1, 5], &["a", "b"])),
        one(2, blob(true)),
        one(3, blob(false)),
        more(5, vec![(0, blob(false)), (1, blob(false))], None),
        more(6, Vec::new(), Some(Timestamp(4))),
        one(7, naming(&[1, 2], &["c"])),
    ]
}

/// Checksums hold off damage alone: whoever can compute them still writes nothing that harms.
#[test]
fn what_no_state_can_hold_is_refused() {
    let with = |change: &dyn Fn(&mut Portion)| {
        let mut portion = sound();
        portion[2] = one(3, blob(true));
        portion[5] = one(7, StoredContent { unnamed: None, ..naming(&[1, 2], &["c"]) });
        change(&mut portion);
        portion
    };
    fn manifest_of(entry: &mut StoredEntry) -> &mut StoredManifest {
        match &mut entry.known {
            StoredKnown::One(_, content) => content.manifest.as_mut().unwrap(),
            StoredKnown::More { .. } => panic!("it has no manifest of its own"),
        }
    }
    fn names(entry: &mut StoredEntry, references: &[Place]) {
        manifest_of(entry).references = references.iter().copied().collect();
    }
    let cases: [(&str, Portion); 21] = [
        ("", with(&|_| ())),
        ("0 digests instead of 6", Vec::new()),
        ("7 digests instead of 6", with(&|all| all.push(one(9, blob(false))))),
        ("is there twice", with(&|all| all[4] = one(2, blob(false)))),
        ("is in an unknown repository", with(&|all| all[3] = more(5, vec![(2, blob(false))], None))),
        ("are out of order", with(&|all| all[3] = more(5, vec![(1, blob(false)), (0, blob(false))], None))),
        ("are out of order", with(&|all| all[3] = more(5, vec![(0, blob(false)), (0, blob(false))], None))),
        ("nothing is known of", with(&|all| all[4] = more(6, Vec::new(), None))),
        ("is loose, and held as well", with(&|all| all[4] = more(6, vec![(0, blob(false))], Some(Timestamp(4))))),
        ("has nothing under", with(&|all| all[4] = one(6, StoredContent { blob: None, ..blob(false) }))),
        ("named by none", with(&|all| all[4] = one(6, StoredContent { blob: None, ..blob(true) }))),
        ("what no manifest should name", with(&|all| all[5] = one(7, naming(&[1, 2], &[])))),
        ("what no manifest should name", with(&|all| all[2] = one(3, blob(false)))),
        ("what is not there", with(&|all| names(&mut all[5], &[1, 2, 6]))),
        ("what is not there", with(&|all| names(&mut all[5], &[1, 2, u32::MAX]))),
        ("what its repository does not have", with(&|all| names(&mut all[5], &[1, 4]))),
        ("names digests that are out of order", with(&|all| names(&mut all[5], &[2, 1]))),
        ("names digests that are out of order", with(&|all| names(&mut all[5], &[1, 2, 2]))),
        ("the tags on", with(&|all| manifest_of(&mut all[0]).tags.reverse())),
        ("the tag a of a is there twice", with(&|all| *manifest_of(&mut all[5]) = manifest(&[1, 2], &["a"]))),
        ("unknown media type", with(&|all| manifest_of(&mut all[0]).types = 1)),
    ];
    for (want, portion) in cases {
        assert_refused(&snapshot_of(&portion, |_| ()), want);
    }
    let swapped = |registry: &mut StoredRegistry| registry.repositories.reverse();
    assert_refused(&snapshot_of(&with(&|_| ()), swapped), "repositories are out of order");
    let doubled = |registry: &mut StoredRegistry| registry.types.push(registry.types[0].clone());
    assert_refused(&snapshot_of(&with(&|_| ()), doubled), "types of manifests are out of order");
    let few = |registry: &mut StoredRegistry| registry.contents = 5;
    assert_refused(&snapshot_of(&with(&|_| ()), few), "6 digests instead of 5");
    let many = |registry: &mut StoredRegistry| registry.contents = u64::MAX;
    assert_refused(&snapshot_of(&with(&|_| ()), many), "6 digests instead of");
    let none = |registry: &mut StoredRegistry| registry.head.0 = 0;
    assert_refused(&snapshot_of(&with(&|_| ()), none), "a state behind no record");
}

/// A snapshot of two repositories that have six digests, with that change.
fn snapshot_of(portion: &[StoredEntry], change: impl Fn(&mut StoredRegistry)) -> Vec<u8> {
    snapshot_in(&[portion], change)
}

/// The same, in several portions.
fn snapshot_in(portions: &[&[StoredEntry]], change: impl Fn(&mut StoredRegistry)) -> Vec<u8> {
    let mut registry = StoredRegistry {
        repositories: vec!["a".parse().unwrap(), "b".parse().unwrap()],
        contents: 6,
        types: vec![(OCI_IMAGE.parse().unwrap(), None)],
        ..StoredRegistry::of(&State::default(), HEAD)
    };
    change(&mut registry);
    let mut bytes = Vec::new();
    let mut writing = Writing::begin(&mut bytes).unwrap();
    writing.section(&registry).unwrap();
    portions.iter().for_each(|portion| writing.section(portion).unwrap());
    writing.end().unwrap();
    bytes
}

#[test]
fn what_is_put_together_is_sound() {
    let mut portion = sound();
    portion[2] = one(3, blob(true));
    portion[5] = one(7, StoredContent { unnamed: None, ..naming(&[1, 2], &["c"]) });
    let state = restored(&snapshot_of(&portion, |_| ())).unwrap();
    state.contents.assert_sound(&state);
    state.contents.assert_shared(&state);
    let (a, b) = (state.repository("a").unwrap(), state.repository("b").unwrap());
    assert!(a.tags_after(None).map(|(tag, _)| tag.as_str()).eq(["a", "b", "c"]));
    assert_eq!((a.manifest_count(), a.reference_count(&digest(2)), b.blobs().count()), (2, 2, 1));
    assert!(a.references(a.manifest(&digest(1)).unwrap()).eq([&digest(2), &digest(7)]));
    assert!(a.referenced_by(&digest(7)).eq([&digest(1)]));
    assert_eq!(state.loose(&digest(6)).map(|loose| loose.since), Some(Timestamp(4)));
}

/// Behind what is wrong much follows, which nobody takes any more: nothing waits for anything for ever.
#[test]
fn what_is_wrong_in_any_portion_is_told() {
    let wide = |number: u16| Digest::sha256(std::array::from_fn(|at| number.to_be_bytes()[at % 2]));
    let single = |number, content| StoredEntry { digest: wide(number), known: StoredKnown::One(0, content) };
    let with = |wrong: Option<(usize, StoredEntry)>, count: usize| {
        let mut entries: Vec<_> = (0..40).map(|number| single(number, blob(false))).collect();
        if let Some((at, wrong)) = wrong {
            entries[at] = wrong;
        }
        let portions: Vec<_> = entries.chunks(1).collect();
        snapshot_in(&portions[..count], |registry| registry.contents = 40)
    };
    assert_refused(&with(None, 40), "");
    assert_refused(&with(None, 39), "39 digests instead of 40");
    for (at, next) in [(0, 1), (1, 2), (20, 21), (39, 0)] {
        let nothing = StoredContent { blob: None, ..blob(false) };
        assert_refused(&with(Some((at, single(1_000, nothing))), 40), "has nothing under");
        // It is found when all are there.
        assert_refused(&with(Some((at, single(1_000, naming(&[next], &[])))), 40), "no manifest should");
        assert_refused(&with(Some((at, single(1_000, naming(&[40], &[])))), 40), "what is not there");
    }
    let sound = with(None, 40);
    for part in [3, 2, 1] {
        let at = sound.len() * part / 4;
        assert_refused(&sound[..at], "ends");
        let mut flipped = sound.clone();
        flipped[at] ^= 1;
        assert!(restored(&flipped).is_err());
    }
}
