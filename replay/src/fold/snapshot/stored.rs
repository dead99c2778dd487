//! What a snapshot stores, and how it is taken from a state.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use tagstone_schema::event::{ContentKind, TokenScope};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Digest, Head, Id, MediaType, RecordHash, References, RepositoryName, Seq, Tag, Timestamp};

use crate::fold::contents::holders::Loose;
use crate::fold::policy::PolicyStatus;
use crate::fold::repository::Repository;
use crate::fold::state::{Moment, State};

/// A moment, as it is stored.
pub(super) type At = (Seq, Timestamp);
/// A spent name: the only digest that it can come back as, and when its tag was last removed.
pub(super) type StoredSpent = (Tag, Digest, At);
/// Content that no repository holds, since when, and what it was.
pub(super) type StoredLoose = (Digest, Timestamp, ContentKind);
/// Which of the media types.
pub(super) type MediaTypePlace = u32;

/// Everything that belongs to no single repository.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredRegistry {
    pub(super) log: Option<Id>,
    pub(super) head: (Seq, RecordHash, Timestamp),
    /// How many repositories follow.
    pub(super) repositories: u64,
    /// How many different digests they hold, or let go.
    pub(super) contents: u64,
    pub(super) media_types: Vec<MediaType>,
    pub(super) policies: Vec<(Id, StoredPolicy)>,
    pub(super) ended: Vec<StoredDemand>,
    pub(super) spent: Vec<(RepositoryName, Vec<StoredSpent>)>,
    pub(super) tokens: Vec<(Id, StoredToken)>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredPolicy {
    pub(super) scope: Scope,
    pub(super) rule: Rule,
    pub(super) status: StoredStatus,
    pub(super) created: At,
    pub(super) activated: Option<At>,
    pub(super) in_force: Option<At>,
    pub(super) retired: Option<At>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum StoredStatus {
    Draft,
    Active,
    Retired,
}

/// A demand that is no longer in force.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredDemand {
    pub(super) scope: Scope,
    pub(super) pattern: Pattern,
    pub(super) include_referrer_tags: bool,
    pub(super) until: At,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredToken {
    pub(super) subject: String,
    pub(super) scopes: Vec<TokenScope>,
    pub(super) secret_hash: [u8; 32],
    pub(super) expires: Option<Timestamp>,
    pub(super) label: String,
    pub(super) issued: At,
    pub(super) revoked: Option<At>,
}

/// Part of what follows the registry.
#[derive(Serialize, Deserialize)]
pub(super) enum Portion {
    /// Repositories, in the order of their names.
    Repositories(Vec<StoredRepository>),
    /// Content that no repository holds any more.
    Loose(Vec<StoredLoose>),
}

/// A repository. Every list is in the order of its first field.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredRepository {
    pub(super) name: RepositoryName,
    pub(super) blobs: Vec<(Digest, u64)>,
    /// The blobs that no manifest names, with since when.
    pub(super) unreferenced: Vec<(Digest, Timestamp)>,
    pub(super) manifests: Vec<StoredManifest>,
    pub(super) tags: Vec<StoredTag>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredManifest {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) media_type: MediaTypePlace,
    pub(super) artifact_type: Option<MediaTypePlace>,
    pub(super) subject: Option<Digest>,
    pub(super) references: References,
    pub(super) pushed: At,
    /// When what held it last went away, if anything ever did.
    pub(super) idle: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredTag {
    pub(super) tag: Tag,
    /// Which of the repository's manifests it points at.
    pub(super) manifest: u32,
    pub(super) since: At,
    pub(super) marks: Option<StoredMarks>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredMarks {
    pub(super) locked: Option<At>,
    pub(super) expires: Option<Timestamp>,
    pub(super) protected_before: Option<Digest>,
}

/// Where each media type stands.
pub(super) struct MediaTypes(HashMap<MediaType, MediaTypePlace>);

impl MediaTypes {
    /// A media type that the state does not know would be one that it has not shared; then the place leads nowhere,
    /// and the snapshot is refused when it is read.
    fn place(&self, media_type: &MediaType) -> MediaTypePlace {
        self.0.get(media_type).copied().unwrap_or(MediaTypePlace::MAX)
    }
}

fn at(moment: Moment) -> At {
    (moment.seq, moment.time)
}

impl StoredRegistry {
    pub(super) fn of(state: &State, head: Head) -> (Self, MediaTypes) {
        let all = state.types.iter().flat_map(|types| [Some(&types.media_type), types.artifact_type.as_ref()]);
        let media_types: BTreeSet<_> = all.flatten().cloned().collect();
        let media_types: Vec<_> = media_types.into_iter().collect();
        let places = MediaTypes(media_types.iter().cloned().zip(0..).collect());
        let policies = state.policies().map(|(id, policy)| {
            let status = match policy.status {
                PolicyStatus::Draft => StoredStatus::Draft,
                PolicyStatus::Active => StoredStatus::Active,
                PolicyStatus::Retired => StoredStatus::Retired,
            };
            let (scope, rule) = (policy.scope.clone(), policy.rule.clone());
            let [activated, in_force, retired] =
                [policy.activated, policy.in_force, policy.retired].map(|moment| moment.map(at));
            (*id, StoredPolicy { scope, rule, status, created: at(policy.created), activated, in_force, retired })
        });
        let ended = state.rules.ended().map(|(scope, demand, until)| StoredDemand {
            scope: scope.clone(),
            pattern: demand.selector.pattern().clone(),
            include_referrer_tags: demand.include_referrer_tags,
            until: at(until),
        });
        let spent = state.spent.iter().map(|(name, tags)| {
            let tags = tags.iter().map(|(tag, spent)| (tag.clone(), spent.only.clone(), at(spent.removed)));
            (name.clone(), tags.collect())
        });
        let tokens = state.tokens().map(|(id, token)| {
            let stored = StoredToken {
                subject: token.subject.clone(),
                scopes: token.scopes.clone(),
                secret_hash: token.secret_hash,
                expires: token.expires,
                label: token.label.clone(),
                issued: at(token.issued),
                revoked: token.revoked.map(at),
            };
            (*id, stored)
        });
        let registry = Self {
            log: state.log(),
            head: (head.seq, head.hash, head.time),
            repositories: state.repository_count() as u64,
            contents: state.contents.len() as u64,
            policies: policies.collect(),
            ended: ended.collect(),
            spent: spent.collect(),
            tokens: tokens.collect(),
            media_types,
        };
        (registry, places)
    }

    pub(super) fn head(&self) -> Head {
        let (seq, hash, time) = self.head;
        Head { seq, hash, time }
    }
}

/// Blobs, manifests and tags of a portion, until which repositories are added to it.
const PORTION: usize = 10_000;

/// What follows the registry, in portions that are large enough to be hashed quickly and small enough to be held.
pub(super) fn portions(state: &State, media_types: &MediaTypes) -> impl Iterator<Item = Portion> {
    repositories(state, media_types).map(Portion::Repositories).chain(loose(state).map(Portion::Loose))
}

fn loose(state: &State) -> impl Iterator<Item = Vec<StoredLoose>> {
    let stored = |(digest, Loose { since, kind }): (&Digest, Loose)| (digest.clone(), since, kind);
    let mut loose: Vec<_> = state.all_loose().map(stored).collect();
    loose.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
    let mut waiting = loose.into_iter();
    std::iter::from_fn(move || {
        Some(waiting.by_ref().take(PORTION).collect()).filter(|portion: &Vec<_>| !portion.is_empty())
    })
}

fn repositories(state: &State, media_types: &MediaTypes) -> impl Iterator<Item = Vec<StoredRepository>> {
    let mut waiting = state.repositories();
    std::iter::from_fn(move || {
        let (mut portion, mut size) = (Vec::new(), 0);
        while size < PORTION
            && let Some((_, repository)) = waiting.next()
        {
            let stored = StoredRepository::of(repository, media_types);
            size += stored.blobs.len() + stored.manifests.len() + stored.tags.len() + 1;
            portion.push(stored);
        }
        (!portion.is_empty()).then_some(portion)
    })
}

impl StoredRepository {
    /// Bytes that a digest takes at least: a length, its own, a size.
    pub(super) const LEAST_BYTES: u64 = 8 + 32 + 8;

    fn of(repository: Repository<'_>, media_types: &MediaTypes) -> Self {
        let manifests = repository.manifests().map(|manifest| StoredManifest {
            digest: manifest.digest.clone(),
            size: manifest.size,
            media_type: media_types.place(manifest.media_type()),
            artifact_type: manifest.artifact_type().map(|artifact_type| media_types.place(artifact_type)),
            subject: manifest.subject().cloned(),
            references: manifest.references.clone(),
            pushed: at(manifest.pushed),
            idle: repository.held(&manifest.digest).map(|held| held.idle).filter(|idle| *idle != manifest.pushed.time),
        });
        let manifests: Vec<_> = manifests.collect();
        let tags = repository.tags_after(None).map(|(tag, state)| {
            let place = manifests.binary_search_by_key(&state.digest(), |manifest| &manifest.digest);
            let marks = state.marks.as_ref().map(|marks| StoredMarks {
                locked: marks.locked.map(at),
                expires: marks.expires,
                protected_before: marks.protected_before.clone(),
            });
            // A tag always points at a manifest of its repository; otherwise the place leads nowhere, and the
            // snapshot is refused when it is read.
            let manifest = place.ok().and_then(|place| u32::try_from(place).ok()).unwrap_or(u32::MAX);
            StoredTag { tag: tag.clone(), manifest, since: at(state.since()), marks }
        });
        let (tags, blobs) = (tags.collect(), repository.blobs().map(|(digest, size)| (digest.clone(), size)).collect());
        let unreferenced = repository.unreferenced_blobs().map(|(digest, since)| (digest.clone(), since));
        let mut unreferenced: Vec<_> = unreferenced.collect();
        unreferenced.sort_unstable();
        Self { name: repository.name().clone(), blobs, unreferenced, manifests, tags }
    }
}
