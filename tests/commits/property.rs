//! Any commands in any batches with restarts at any place: the live state, the reopened state, the fold of the log
//! and a naive model are one.

use proptest::collection::vec;
use proptest::prelude::*;
use tagstone::registry::{Command, Condition, PutManifest, Rejection};
use tagstone_replay::content::Layout;
use tagstone_replay::log::Log;
use tagstone_schema::media_type::{ManifestKind, OCI_IMAGE, OCI_INDEX};

use crate::commands::{digest_of, image, name, submission, tag};
use crate::model::Model;
use crate::registry::{Answer, Registry, START, answers, begin, folded, open, told_by};

const REPOSITORIES: [&str; 3] = ["a", "a/b", "c"];
const BLOBS: [&str; 4] = ["blob 1", "blob 2", "blob 3", "blob 4"];
/// Images with their blobs.
const IMAGES: [(&str, &[&str]); 4] = [
    ("image 1", &["blob 1"]),
    ("image 2", &["blob 1", "blob 2"]),
    ("image 3", &["blob 3", "blob 2"]),
    ("image 4", &[]),
];
/// Indexes with their children.
const INDEXES: [(&str, &[&str]); 2] = [("index 1", &["image 1", "image 4"]), ("index 2", &["image 2"])];
const TAGS: [&str; 3] = ["latest", "v1", "V1"];

#[derive(Clone, Debug)]
enum Turn {
    /// Commands that are sent together while the clock shows this.
    Commit(Vec<Command>, i64),
    Restart,
}

fn repository() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&REPOSITORIES[..])
}

fn manifest() -> impl Strategy<Value = (&'static str, &'static [&'static str], ManifestKind)> {
    let images = IMAGES.map(|(manifest, blobs)| (manifest, blobs, ManifestKind::Image));
    let indexes = INDEXES.map(|(manifest, children)| (manifest, children, ManifestKind::Index));
    prop::sample::select([&images[..], &indexes[..]].concat())
}

fn condition() -> impl Strategy<Value = Condition> {
    let digests = || vec(manifest().prop_map(|(manifest, ..)| digest_of(manifest)), 0..3);
    prop_oneof![
        6 => Just(Condition::Always),
        1 => Just(Condition::Exists),
        1 => Just(Condition::Absent),
        1 => digests().prop_map(Condition::PointsAt),
        1 => digests().prop_map(Condition::PointsElsewhere),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let blob = || prop::sample::select(&BLOBS[..]);
    let tags = || vec(prop::sample::select(&TAGS[..]), 0..4);
    prop_oneof![
        6 => (repository(), blob()).prop_map(|(repository, blob)| Command::LinkBlob {
            repository: name(repository),
            digest: digest_of(blob),
            size: blob.len() as u64,
        }),
        2 => (repository(), blob(), repository()).prop_map(|(repository, blob, from)| Command::MountBlob {
            repository: name(repository),
            digest: digest_of(blob),
            from: name(from),
        }),
        2 => (repository(), blob())
            .prop_map(|(repository, blob)| Command::DeleteBlob { repository: name(repository), digest: digest_of(blob) }),
        8 => (repository(), manifest(), tags(), condition()).prop_map(|(repository, manifest, tags, condition)| {
            let (manifest, references, kind) = manifest;
            let media_type = match kind {
                ManifestKind::Image => OCI_IMAGE,
                ManifestKind::Index => OCI_INDEX,
            };
            let image = image(repository, manifest, references, &tags);
            Command::PutManifest(Box::new(PutManifest {
                kind,
                media_type: media_type.parse().unwrap(),
                condition,
                ..image
            }))
        }),
        2 => (repository(), manifest(), condition()).prop_map(|(repository, (manifest, ..), condition)| {
            Command::DeleteManifest { repository: name(repository), digest: digest_of(manifest), condition }
        }),
        2 => (repository(), prop::sample::select(&TAGS[..]), condition()).prop_map(|(repository, of, condition)| {
            Command::DeleteTag { repository: name(repository), tag: tag(of), condition }
        }),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        5 => (vec(command(), 1..8), START - 50..START + 200).prop_map(|(commands, clock)| Turn::Commit(commands, clock)),
        1 => Just(Turn::Restart),
    ]
}

/// Opens the log as a start does, and checks that its own fold tells the same.
fn start(layout: &Layout) -> Registry {
    let (mut log, mut snapshot) = open(layout).unwrap();
    if log.head().seq == 0 {
        begin(&mut log);
        snapshot = folded(&log);
    }
    assert_eq!((snapshot.head, snapshot.state.fingerprint().to_string()), told_by(&log));
    let mut registry = Registry::over(log, snapshot, 4);
    registry.start();
    registry
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn live_reopened_replayed_and_modelled_are_one(turns in vec(turn(), 1..14)) {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        let mut registry = start(&layout);
        let mut model = Model::new();
        // Whether something was refused since the last start, and what the clock shows.
        let (mut has_refused, mut now) = (false, 0);
        for turn in turns {
            match turn {
                Turn::Commit(commands, clock) => {
                    registry.clock.set(clock);
                    now = clock;
                    let waiting = commands.iter().map(|command| registry.queue(submission(command.clone()))).collect();
                    for (command, answer) in commands.iter().zip(answers(waiting)) {
                        let expected = model.apply(command, clock);
                        has_refused |= matches!(answer, Answer::Rejected(Rejection::InUse { .. }));
                        prop_assert!(expected.fits(&answer), "{:?}: {:?}, expected {:?}", command, answer, expected);
                    }
                }
                Turn::Restart => {
                    registry.stop();
                    registry = start(&layout);
                    if std::mem::take(&mut has_refused) {
                        model.record_refusals(now);
                    }
                    now = 0;
                }
            }
            prop_assert_eq!(registry.seen().1, model.fingerprint());
        }
        registry.stop();
        let registry = start(&layout);
        prop_assert_eq!(registry.seen().1, model.fingerprint());
        registry.stop();
    }
}
