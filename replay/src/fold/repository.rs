//! One repository: its blobs, manifests and tags, and the questions asked of them.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use tagstone_schema::{Digest, Tag};

use super::manifest::Manifest;
use super::pairs::seconds_of;
use super::tag::{TagSet, TagState};

/// A repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// Sizes of the linked blobs.
    pub(super) blobs: OrdMap<Digest, u64>,
    pub(super) manifests: OrdMap<Digest, Held>,
    pub(super) tags: OrdMap<Tag, TagState>,
    /// (reference, manifest that names it), over all manifests.
    pub(super) referenced: OrdSet<(Digest, Digest)>,
    /// (subject, manifest that names it).
    pub(super) referrers: OrdSet<(Digest, Digest)>,
}

/// A manifest with the tags on it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) manifest: Arc<Manifest>,
    pub(super) tags: TagSet,
}

impl Repository {
    /// The size of a blob that is linked here.
    pub fn blob(&self, digest: &Digest) -> Option<u64> {
        self.blobs.get(digest).copied()
    }

    /// The linked blobs with their sizes, in order of digests.
    pub fn blobs(&self) -> impl Iterator<Item = (&Digest, u64)> {
        self.blobs.iter().map(|(digest, size)| (digest, *size))
    }

    /// A manifest by its digest.
    pub fn manifest(&self, digest: &Digest) -> Option<&Arc<Manifest>> {
        self.manifests.get(digest).map(|held| &held.manifest)
    }

    /// All manifests in order of digests.
    pub fn manifests(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.manifests.values().map(|held| &held.manifest)
    }

    /// How many manifests there are.
    pub fn manifest_count(&self) -> usize {
        self.manifests.len()
    }

    /// A live tag.
    pub fn tag(&self, tag: &str) -> Option<&TagState> {
        self.tags.get(tag)
    }

    /// A live tag with its name.
    pub fn tag_entry(&self, tag: &str) -> Option<(&Tag, &TagState)> {
        self.tags.get_key_value(tag)
    }

    /// The live tags behind `last` in byte order; `last` need not exist.
    pub fn tags_after(&self, last: Option<&str>) -> impl Iterator<Item = (&Tag, &TagState)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.tags.range::<_, str>((from, Bound::Unbounded))
    }

    /// How many live tags there are.
    pub fn tag_count(&self) -> usize {
        self.tags.len()
    }

    /// The tags that point at a manifest.
    pub fn tags_on(&self, digest: &Digest) -> Option<&TagSet> {
        self.manifests.get(digest).map(|held| &held.tags)
    }

    /// The manifests that name a blob or child manifest, in order of digests.
    pub fn referenced_by<'a>(&'a self, digest: &'a Digest) -> impl Iterator<Item = &'a Digest> {
        seconds_of(&self.referenced, digest, None)
    }

    /// The manifests whose subject is `digest`, in order of digests; only those behind `after`, if it is given.
    pub fn referrers<'a>(
        &'a self,
        digest: &'a Digest,
        after: Option<&'a Digest>,
    ) -> impl Iterator<Item = &'a Arc<Manifest>> {
        seconds_of(&self.referrers, digest, after).filter_map(|manifest| self.manifest(manifest))
    }
}
