//! Random commands, over so few names that they meet.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tagstone::registry::{
    Command, Condition, CreatePolicy, Expiry, FoundTags, Lock, Prunable, PruneTags, PutManifest, SetTag, Snapshot,
};
use tagstone_schema::media_type::{ManifestKind, OCI_IMAGE, OCI_INDEX};
use tagstone_schema::policy::{Pattern, PruneMethod, Rule, Scope};
use tagstone_schema::{Id, Timestamp};

use crate::commands::{digest_of, image, name, tag};
use crate::registry::START;

/// Most of it happens in one of them, since things have to meet.
const REPOSITORIES: [&str; 6] = ["a", "a/b", "a/b", "a/b", "a/b", "c"];
const BLOBS: [&str; 3] = ["blob 1", "blob 2", "blob 3"];
/// Images with their blobs.
const IMAGES: [(&str, &[&str]); 5] = [
    ("image 1", &["blob 1"]),
    ("image 2", &["blob 1", "blob 2"]),
    ("image 3", &["blob 3", "blob 2"]),
    ("image 4", &[]),
    ("image 5", &[]),
];
/// Indexes with their children.
const INDEXES: [(&str, &[&str]); 2] = [("index 1", &["image 1", "image 4"]), ("index 2", &["image 5"])];
const SIGNATURE: &str = "sha256-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a.sig";
const TAGS: [&str; 6] = ["latest", "v1", "v1", "V1", "v2-rc", SIGNATURE];

/// What immutability policies select. No pattern selects `w`, so no two of them are a contradiction.
const PROTECTED: [(&str, bool); 7] = [
    ("v.*", true),
    (".*-rc", true),
    ("l.*|V1", true),
    ("(?i)v1", true),
    ("sha256-.*", true),
    ("[wv].*", false),
    ("w|latest", false),
];

/// What prune policies select: all of them select `w`, which none of the others covers.
const PRUNED: [Option<(&str, bool)>; 4] = [None, Some((".*", true)), Some(("w|v.*", true)), Some(("v1", false))];

/// A command, but for what only the registry knows.
#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    Complete(Command),
    /// A policy with the next id.
    Create(CreatePolicy),
    /// Something about one of the last policies, or about one that does not exist yet.
    OfPolicy(u8, OfPolicy),
}

#[derive(Clone, Debug)]
pub(crate) enum OfPolicy {
    Activate,
    Change(Rule),
    Remove,
    /// Tags of a repository as they are, or as they were a turn ago.
    Prune(&'static str, Vec<&'static str>, Found),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Now,
    Before,
}

/// What attempts are completed with.
#[derive(Default)]
pub(crate) struct Knowledge {
    pub(crate) policies: u8,
    pub(crate) now: Snapshot,
    pub(crate) before: Snapshot,
}

impl Knowledge {
    pub(crate) fn complete(&mut self, attempt: &Attempt) -> Command {
        match attempt {
            Attempt::Complete(command) => command.clone(),
            Attempt::Create(create) => {
                self.policies += 1;
                Command::CreatePolicy(Box::new(CreatePolicy { policy: Id([self.policies; 16]), ..create.clone() }))
            }
            Attempt::OfPolicy(number, what) => {
                let policy = Id([self.policies + 1 - number % (self.policies + 1).min(6); 16]);
                match what {
                    OfPolicy::Activate => Command::ActivatePolicy { policy },
                    OfPolicy::Change(rule) => Command::ChangePolicy { policy, rule: rule.clone() },
                    OfPolicy::Remove => Command::RemovePolicy { policy },
                    OfPolicy::Prune(repository, tags, found) => {
                        let known = match found {
                            Found::Now => &self.now,
                            Found::Before => &self.before,
                        };
                        Command::PruneTags(Box::new(run(known, policy, repository, tags)))
                    }
                }
            }
        }
    }
}

/// What a run of a policy finds in a repository.
fn run(known: &Snapshot, policy: Id, repository: &str, tags: &[&str]) -> PruneTags {
    let in_force = known.state.policy(&policy).and_then(|policy| policy.in_force).map_or(0, |at| at.seq);
    let found = tags.iter().filter_map(|name| {
        let standing = known.state.repository(repository)?.tag(name)?;
        let (digest, since) = (standing.digest().clone(), standing.since().seq);
        Some(Prunable { tag: tag(name), digest, since, subject: None })
    });
    let found = FoundTags { repository: name(repository), tags: found.collect() };
    PruneTags { policy, in_force, run: Id([9; 16]), found: vec![found] }
}

fn repository() -> impl Strategy<Value = &'static str> {
    select(&REPOSITORIES[..])
}

fn manifest() -> impl Strategy<Value = (&'static str, &'static [&'static str], ManifestKind)> {
    let images = IMAGES.map(|(manifest, blobs)| (manifest, blobs, ManifestKind::Image));
    let indexes = INDEXES.map(|(manifest, children)| (manifest, children, ManifestKind::Index));
    prop_oneof![1 => select([&images[..], &indexes[..]].concat()), 2 => select(images[3..].to_vec())]
}

fn condition() -> impl Strategy<Value = Condition> {
    let digests = || vec(manifest().prop_map(|(manifest, ..)| digest_of(manifest)), 0..3);
    prop_oneof![
        9 => Just(Condition::Always),
        1 => Just(Condition::Exists),
        1 => Just(Condition::Absent),
        1 => digests().prop_map(Condition::PointsAt),
        1 => digests().prop_map(Condition::PointsElsewhere),
    ]
}

/// Commands on blobs, manifests and repositories.
fn on_content() -> impl Strategy<Value = Command> {
    let blob = || select(&BLOBS[..]);
    prop_oneof![
        12 => (repository(), blob()).prop_map(|(repository, blob)| Command::LinkBlob {
            repository: name(repository),
            digest: digest_of(blob),
            size: blob.len() as u64,
        }),
        3 => (repository(), blob(), repository()).prop_map(|(repository, blob, from)| Command::MountBlob {
            repository: name(repository),
            digest: digest_of(blob),
            from: name(from),
        }),
        3 => (repository(), blob())
            .prop_map(|(repository, blob)| Command::DeleteBlob { repository: name(repository), digest: digest_of(blob) }),
        24 => (repository(), manifest(), vec(select(&TAGS[..]), 0..5), condition()).prop_map(
            |(repository, (manifest, references, kind), tags, condition)| {
                let media_type = match kind {
                    ManifestKind::Image => OCI_IMAGE,
                    ManifestKind::Index => OCI_INDEX,
                };
                let image = image(repository, manifest, references, &tags);
                let media_type = media_type.parse().unwrap();
                Command::PutManifest(Box::new(PutManifest { kind, media_type, condition, ..image }))
            }
        ),
        5 => (repository(), manifest(), condition()).prop_map(|(repository, (manifest, ..), condition)| {
            Command::DeleteManifest { repository: name(repository), digest: digest_of(manifest), condition }
        }),
        1 => repository().prop_map(|repository| Command::DeleteRepository { repository: name(repository) }),
    ]
}

/// Commands on tags.
fn on_tags() -> impl Strategy<Value = Command> {
    let one = || select(&TAGS[..]);
    let expiry = prop_oneof![
        3 => Just(Expiry::Keep),
        1 => Just(Expiry::Never),
        2 => (START - 50..START + 250).prop_map(|at| Expiry::At(Timestamp(at))),
    ];
    let lock = prop_oneof![3 => Just(Lock::Keep), 1 => Just(Lock::Lock), 2 => Just(Lock::Unlock)];
    let pointed = proptest::option::weighted(0.5, manifest().prop_map(|(manifest, ..)| digest_of(manifest)));
    prop_oneof![
        3 => (repository(), one(), condition()).prop_map(|(repository, of, condition)| {
            Command::DeleteTag { repository: name(repository), tag: tag(of), condition }
        }),
        2 => (repository(), vec(one(), 0..3)).prop_map(|(repository, of)| {
            Command::DeleteTags { repository: name(repository), tags: of.into_iter().map(tag).collect() }
        }),
        1 => (repository(), one()).prop_map(|(repository, of)| {
            Command::EraseTag { repository: name(repository), tag: tag(of), because: "a leak".parse().unwrap() }
        }),
        6 => (repository(), one(), pointed, expiry, lock).prop_map(|(repository, of, manifest, expiry, lock)| {
            Command::SetTag(Box::new(SetTag { repository: name(repository), tag: tag(of), manifest, expiry, lock }))
        }),
    ]
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Registry),
        Just(Scope::Namespace("a".parse().unwrap())),
        repository().prop_map(|repository| Scope::Repository(name(repository))),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let pattern = |(regex, matches): (&str, bool)| Pattern { regex: regex.to_owned(), matches };
    prop_oneof![
        6 => (select(&PROTECTED[..]), any::<bool>()).prop_map(move |(selection, include_referrer_tags)| {
            Rule::Immutability { pattern: pattern(selection), include_referrer_tags }
        }),
        1 => select(&PRUNED[..]).prop_map(move |selection| {
            Rule::Prune { method: PruneMethod::NumberOfTags(3), pattern: selection.map(pattern) }
        }),
    ]
}

fn on_policies() -> impl Strategy<Value = Attempt> {
    let found = prop_oneof![Just(Found::Now), Just(Found::Before)];
    let what = prop_oneof![
        3 => Just(OfPolicy::Activate),
        2 => rule().prop_map(OfPolicy::Change),
        4 => Just(OfPolicy::Remove),
        3 => (repository(), vec(select(&TAGS[..]), 1..4), found).prop_map(|(repository, mut tags, found)| {
            tags.sort_unstable();
            tags.dedup();
            OfPolicy::Prune(repository, tags, found)
        }),
    ];
    prop_oneof![
        1 => (scope(), rule(), any::<bool>()).prop_map(|(scope, rule, draft)| {
            Attempt::Create(CreatePolicy { policy: Id([0; 16]), scope, rule, draft })
        }),
        3 => (any::<u8>(), what).prop_map(|(number, what)| Attempt::OfPolicy(number, what)),
    ]
}

/// Any command.
pub(crate) fn attempt() -> impl Strategy<Value = Attempt> {
    prop_oneof![
        5 => on_content().prop_map(Attempt::Complete),
        3 => on_tags().prop_map(Attempt::Complete),
        3 => on_policies(),
    ]
}
