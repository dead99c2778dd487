//! What a purge does: worked out from a state, with no change to it.

use std::collections::BTreeMap;

use tagstone_replay::fold::{Moment, Repository, State};
use tagstone_schema::event::{ContentKind, DeletionCause, EndedTag, RemovedContent};
use tagstone_schema::{Digest, Event, MediaType, RepositoryName, Seq, Tag, Timestamp, limits};

use super::going::Going;
use super::keepers::{Keeper, Need, WhyKept, need};
use crate::registry::command::Because;
use crate::registry::decide::{erasure, known, refuse_held, refuse_in_use};
use crate::registry::rejection::Rejection;

/// Tags that a record names, and the bytes of their names: the record has to hold the manifests too. Where more end, that follows from the
/// end of their manifest.
const NAMED_TAGS: usize = 500;
const NAMED_TAG_BYTES: usize = limits::RECORD_BYTES / 4;

/// An order to remove content and its bytes at once.
#[derive(Clone, Debug)]
pub struct PurgeOrder {
    /// Where.
    pub repository: RepositoryName,
    /// What.
    pub what: Purged,
    /// Why.
    pub because: Because,
    /// A blob that another repository got after this counts as referenced there.
    pub grace_began: Timestamp,
    /// What was deleted before and has left bytes: what is meant, if it was, or what it names.
    pub left_behind: Vec<LeftBehind>,
}

/// Content that no repository has any more, or that nothing but a link of the purged one holds.
#[derive(Clone, Debug)]
pub struct LeftBehind {
    /// The content.
    pub content: RemovedContent,
    /// What it says of itself, if it is a manifest.
    pub media_type: Option<MediaType>,
    /// All that it names.
    pub names: Vec<Digest>,
    /// Those of them that are manifests, if it is an index.
    pub children: Vec<Digest>,
}

/// What was left behind, to be found.
pub(super) type LeftByDigest<'a> = BTreeMap<&'a Digest, &'a LeftBehind>;

/// What a purge may take: what clients were not told that they have.
#[derive(Clone, Copy)]
pub struct Free<'a> {
    /// Whether the bytes may go.
    pub to_remove: &'a dyn Fn(&Digest) -> bool,
    /// Whether the repository may lose its link.
    pub to_unlink: &'a dyn Fn(&Digest) -> bool,
}

impl Free<'_> {
    /// As if nobody was told of anything.
    pub const WHOLLY: Free<'static> = Free { to_remove: &|_| true, to_unlink: &|_| true };
}

/// What is purged.
#[derive(Clone, Debug)]
pub enum Purged {
    /// The manifest that this tag points at.
    Tag(Tag),
    /// This manifest, or a blob that no manifest names.
    Digest(Digest),
    /// The manifest of this tag, which is removed first although it may be protected.
    Erased(Tag),
}

/// What a purge does.
#[derive(Clone, Debug, Default)]
pub struct PurgePlan {
    /// The protected tag that is removed by force.
    pub erased: Option<EndedTag>,
    /// The tags that end.
    pub tags: Vec<Tag>,
    /// The manifests whose bytes go.
    pub manifests: Vec<GoneManifest>,
    /// The blobs whose bytes go, with their sizes.
    pub blobs: Vec<(Digest, u64)>,
    /// What stays, and because of whom.
    pub kept: Vec<Kept>,
    /// The content that the order means.
    subject: Option<Digest>,
    /// The changes before bytes go: tags and manifests.
    pub(super) changes: Vec<Event>,
    /// Blobs that stay, and are no longer to be seen in the repository.
    pub(super) hidden: Vec<Digest>,
    /// What goes, with the repositories that link it.
    pub(super) contents: Vec<(RemovedContent, Vec<RepositoryName>)>,
}

/// A manifest whose bytes go.
#[derive(Clone, Debug)]
pub struct GoneManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: MediaType,
}

/// Content that stays.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its digest.
    pub digest: Digest,
    /// Why.
    pub why: WhyKept,
    /// Because of these.
    pub by: Vec<Keeper>,
    /// How many more there are.
    pub more: usize,
}

impl PurgePlan {
    /// Works out what the order does to a state. What is not free stays.
    pub fn of(state: &State, order: &PurgeOrder, free: Free<'_>) -> Result<Self, Rejection> {
        let mut plan = Self::default();
        let mut after = state.clone();
        let subject = plan.begin(&mut after, order)?;
        plan.subject = Some(subject.clone());
        if let Some(target) = after.repository(order.repository.as_str()) {
            refuse_held(&after, target, &order.repository, &subject)?;
            refuse_in_use(target, &order.repository, &subject)?;
        }
        let left: LeftByDigest<'_> = order.left_behind.iter().map(|left| (&left.content.digest, left)).collect();
        let is_left = left.get(&subject).is_some_and(|left| left.media_type.is_some());
        let mut candidates = BTreeMap::from([(subject.clone(), ContentKind::Blob)]);
        match after.repository(order.repository.as_str()) {
            Some(target) if is_left || target.manifest(&subject).is_some() => {
                candidates.extend(plan.delete_manifests(&after, target, order, &left, &subject)?);
                let erased = usize::from(plan.erased.is_some());
                plan.changes.iter().skip(erased).for_each(|change| happens(&mut after, change));
            }
            Some(_) => {}
            None => {
                plan.manifests.extend(order.left_behind.iter().filter_map(LeftBehind::manifest));
                candidates.extend(order.left_behind.iter().map(LeftBehind::candidate));
            }
        }
        for (digest, kind) in candidates {
            plan.judge(&after, order, free, &left, digest, kind);
        }
        Ok(plan)
    }

    /// The content that the order means.
    pub fn subject(&self) -> Option<&Digest> {
        self.subject.as_ref()
    }

    /// All digests whose bytes go.
    pub fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.contents.iter().map(|(content, _)| &content.digest)
    }

    /// The blobs that stay, and are no longer to be seen in the repository.
    pub fn hidden(&self) -> impl Iterator<Item = &Digest> {
        self.hidden.iter()
    }

    /// How many bytes that frees.
    pub fn bytes(&self) -> u64 {
        self.contents.iter().map(|(content, _)| content.size).sum()
    }

    /// The content that is meant. A tag that is to be erased is gone afterwards.
    fn begin(&mut self, after: &mut State, order: &PurgeOrder) -> Result<Digest, Rejection> {
        let PurgeOrder { repository, what, because, left_behind, .. } = order;
        if let Purged::Digest(digest) = what
            && left_behind.iter().any(|left| left.content.digest == *digest)
        {
            return Ok(digest.clone());
        }
        let target = known(after, repository)?;
        let unknown_tag = |tag: &Tag| Rejection::TagUnknown { repository: repository.clone(), tag: tag.clone() };
        match what {
            Purged::Digest(digest) => {
                let is_here = target.manifest(digest).is_some() || target.blob(digest).is_some();
                let unknown = || Rejection::ManifestUnknown { repository: repository.clone(), digest: digest.clone() };
                is_here.then(|| digest.clone()).ok_or_else(unknown)
            }
            Purged::Tag(tag) => {
                target.tag(tag.as_str()).map(|standing| standing.digest().clone()).ok_or_else(|| unknown_tag(tag))
            }
            Purged::Erased(tag) => {
                let standing = target.tag(tag.as_str()).map(|standing| standing.digest().clone());
                let erasure = erasure(after, repository, tag, because)?;
                happens(after, &erasure);
                self.changes.push(erasure);
                let was = standing.ok_or_else(|| unknown_tag(tag))?;
                self.erased = Some(EndedTag { tag: tag.clone(), was: was.clone() });
                Ok(was)
            }
        }
    }

    /// Ends the manifests that go and their tags. Returns what may go with them.
    fn delete_manifests(
        &mut self,
        after: &State,
        target: Repository<'_>,
        order: &PurgeOrder,
        left: &LeftByDigest<'_>,
        subject: &Digest,
    ) -> Result<BTreeMap<Digest, ContentKind>, Rejection> {
        let repository = &order.repository;
        let protection = after.protection(repository);
        let going = Going::with(subject, left, repository, target, &protection).found();
        let (mut going, kept) = going.ok_or(Rejection::TooLarge { limit: limits::RECORD_BYTES })?;
        self.kept = kept;
        let mut ended = Vec::new();
        let mut candidates = BTreeMap::new();
        for left in going.iter().filter_map(|digest| left.get(digest)) {
            self.manifests.extend(left.manifest());
            candidates.extend([left.candidate()]);
        }
        let blobs = going.iter().filter_map(|digest| left.get(digest)).flat_map(|manifest| &manifest.names);
        let blobs = blobs.filter_map(|blob| left.get(blob)).filter(|blob| blob.media_type.is_none());
        candidates.extend(blobs.map(|blob| blob.candidate()));
        going.retain(|digest| target.manifest(digest).is_some());
        for digest in &going {
            let tags = target.tags_on(digest).into_iter().flat_map(|tags| tags.iter());
            ended.extend(tags.map(|tag| EndedTag { tag: tag.clone(), was: digest.clone() }));
            let Some(manifest) = target.manifest(digest) else { continue };
            // An index may name blobs too, as those of build caches do; its children are looked at as manifests.
            let blobs = target.references(manifest).filter(|blob| !manifest.is_index() || target.blob(blob).is_some());
            candidates.extend(blobs.map(|blob| (blob.clone(), ContentKind::Blob)));
            self.manifests.push(GoneManifest {
                digest: digest.clone(),
                size: manifest.size,
                media_type: manifest.media_type().clone(),
            });
        }
        candidates.extend(going.iter().map(|digest| (digest.clone(), ContentKind::Manifest)));
        self.tags = ended.iter().map(|ended| ended.tag.clone()).collect();
        let name_bytes: usize = self.tags.iter().map(|tag| tag.as_str().len()).sum();
        if (1..=NAMED_TAGS).contains(&ended.len()) && name_bytes <= NAMED_TAG_BYTES {
            let (repository, cause) = (repository.clone(), DeletionCause::Purge);
            self.changes.push(Event::TagsDeleted { repository, tags: ended, cause });
        }
        let deleted = |digest| Event::ManifestDeleted { repository: repository.clone(), digest };
        self.changes.extend(going.into_iter().map(deleted));
        Ok(candidates)
    }

    /// Looks at one content in the state in which the manifests are gone.
    fn judge(
        &mut self,
        after: &State,
        order: &PurgeOrder,
        free: Free<'_>,
        left: &LeftByDigest<'_>,
        digest: Digest,
        kind: ContentKind,
    ) {
        let own = after.repository(order.repository.as_str());
        let is_idle_link = own.is_some_and(|own| own.unreferenced_since(&digest).is_some());
        let (why, by, more) = match need(after, &digest, Some(&order.repository), order.grace_began) {
            Need::Nobody { links, size } if (free.to_remove)(&digest) => {
                let manifest = self.manifests.iter().find(|manifest| manifest.digest == digest);
                let left = left.get(&digest).map(|left| left.content.size);
                // What no repository holds, and never was a manifest here, is not there to be removed.
                let Some(size) = manifest.map(|manifest| manifest.size).or(size).or(left) else { return };
                if kind == ContentKind::Blob {
                    self.blobs.push((digest.clone(), size));
                }
                return self.contents.push((RemovedContent { digest, size, content: kind }, links));
            }
            Need::Nobody { .. } => (WhyKept::BeingPushed, Vec::new(), 0),
            Need::Kept { why, by, more } => (why, by, more),
        };
        if is_idle_link && (free.to_unlink)(&digest) {
            self.hidden.push(digest.clone());
        }
        self.manifests.retain(|manifest| manifest.digest != digest);
        if self.kept.iter().all(|kept| kept.digest != digest) {
            self.kept.push(Kept { digest, why, by, more });
        }
    }
}

impl LeftBehind {
    fn manifest(&self) -> Option<GoneManifest> {
        let RemovedContent { digest, size, .. } = self.content.clone();
        self.media_type.clone().map(|media_type| GoneManifest { digest, size, media_type })
    }

    fn candidate(&self) -> (Digest, ContentKind) {
        (self.content.digest.clone(), self.content.content)
    }
}

/// Lets an event happen to a state of one's own.
fn happens(state: &mut State, event: &Event) {
    let at = Moment { seq: Seq::MAX, time: Timestamp(i64::MAX) };
    // What the fold refuses here would be a bug, which the writer finds again and writes nothing.
    let _ = state.evolve(at, event);
}
