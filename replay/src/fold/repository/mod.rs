//! One repository: its blobs, manifests and tags, and the questions asked of them.

pub(super) mod kept;
mod number;
mod unreferenced;

use std::ops::Bound;

use tagstone_schema::{Digest, Tag};

use self::kept::Kept;
pub(super) use self::number::{Numbers, RepositoryNumber};
use super::contents::Contents;
use super::contents::content::{Content, Parents};
use super::contents::manifests::{Held, ManifestNumber};
use super::manifest::Manifest;
use super::tag::{KeptTag, TagSet, TagState};

/// A repository, to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    pub(super) kept: &'a Kept,
    pub(super) contents: &'a Contents,
}

impl<'a> Repository<'a> {
    /// Whether nothing has happened in it between two states of one fold, as far as that is seen at a glance.
    pub fn is_same(self, other: Self) -> bool {
        std::ptr::eq(self.kept, other.kept)
    }

    /// The number of a manifest.
    pub(super) fn number(self, digest: &Digest) -> Option<ManifestNumber> {
        self.content(digest)?.manifest
    }

    fn held(self, digest: &Digest) -> Option<&'a Held> {
        self.number(digest).map(|number| &self.contents.manifests[number])
    }

    /// What is known of a digest here.
    fn content(self, digest: &Digest) -> Option<&'a Content> {
        self.contents.get(digest, self.kept.number)
    }

    /// All that is known here, in no order.
    fn all(self) -> impl Iterator<Item = (&'a Digest, &'a Content)> {
        self.kept.members.iter().filter_map(move |place| self.contents.at(*place, self.kept.number))
    }

    /// The size of a blob that is linked here.
    pub fn blob(self, digest: &Digest) -> Option<u64> {
        self.content(digest)?.blob()
    }

    /// The linked blobs with their sizes, in order of digests. They are sorted before the first is given.
    pub fn blobs(self) -> impl Iterator<Item = (&'a Digest, u64)> {
        let blobs = self.all().filter_map(|(digest, content)| Some((digest, content.blob()?)));
        let mut blobs: Vec<_> = blobs.collect();
        blobs.sort_unstable();
        blobs.into_iter()
    }

    /// A manifest by its digest.
    pub fn manifest(self, digest: &Digest) -> Option<&'a Manifest> {
        self.held(digest).map(|held| &held.manifest)
    }

    /// All manifests in order of digests. They are sorted before the first is given.
    pub fn manifests(self) -> impl Iterator<Item = &'a Manifest> {
        let mut manifests: Vec<_> = self.manifests_in_no_order().collect();
        manifests.sort_unstable_by_key(|manifest| &manifest.digest);
        manifests.into_iter()
    }

    /// All manifests.
    pub fn manifests_in_no_order(self) -> impl Iterator<Item = &'a Manifest> {
        self.all().filter_map(|(_, content)| Some(&self.contents.manifests[content.manifest?].manifest))
    }

    /// How many manifests there are.
    pub fn manifest_count(self) -> usize {
        self.kept.manifests
    }

    /// A live tag.
    pub fn tag(self, tag: &str) -> Option<TagState<'a>> {
        self.tag_entry(tag).map(|(_, state)| state)
    }

    /// A live tag with its name.
    pub fn tag_entry(self, tag: &str) -> Option<(&'a Tag, TagState<'a>)> {
        self.kept.tags.get(tag).map(|(tag, kept)| (tag, self.tag_asked(kept)))
    }

    /// A live tag that this very repository keeps, to be asked.
    pub(super) fn tag_asked(self, kept: &'a KeptTag) -> TagState<'a> {
        kept.asked(&self.contents.manifests)
    }

    /// The live tags behind `last` in byte order; `last` need not exist.
    pub fn tags_after(self, last: Option<&str>) -> impl Iterator<Item = (&'a Tag, TagState<'a>)> {
        self.kept.tags.after(last).map(move |(tag, kept)| (tag, self.tag_asked(kept)))
    }

    /// How many live tags there are.
    pub fn tag_count(self) -> usize {
        self.kept.tags.len()
    }

    /// The tags that point at a manifest.
    pub fn tags_on(self, digest: &Digest) -> Option<&'a TagSet> {
        self.held(digest).map(|held| &held.tags)
    }

    /// The config and layers, or the children, of a manifest that this very repository gave, in the order of [`References`](tagstone_schema::References).
    pub fn references(self, manifest: &'a Manifest) -> impl Iterator<Item = &'a Digest> {
        debug_assert!(self.manifest(&manifest.digest).is_some_and(|here| std::ptr::eq(here, manifest)));
        manifest.references.iter().filter_map(move |place| self.contents.digest_at(place))
    }

    /// The manifests that name a blob or child manifest, in no order.
    pub fn referenced_by(self, digest: &Digest) -> impl Iterator<Item = &'a Digest> {
        let place = self.contents.place_of(digest);
        let content = place.and_then(|place| Some((place, self.contents.at(place, self.kept.number)?.1)));
        let counted = content.filter(|(_, content)| matches!(content.parents, Parents::Counted(_)));
        // All manifests are asked: whoever only counts does not expect to be.
        let naming = counted.into_iter().flat_map(move |(place, _)| {
            self.manifests_in_no_order().filter(move |manifest| manifest.references.iter().any(|named| named == place))
        });
        let named = content.into_iter().flat_map(|(_, content)| content.parents.iter());
        let named = named.filter_map(move |parent| self.contents.digest_at(parent));
        named.chain(naming.map(|manifest| &manifest.digest))
    }

    /// How many manifests name a blob or child manifest.
    pub fn reference_count(self, digest: &Digest) -> usize {
        self.content(digest).map_or(0, |content| content.parents.count())
    }

    /// The manifests whose subject is `digest`, in order of digests; only those behind `after`, if it is given.
    pub fn referrers(self, digest: &Digest, after: Option<&'a Digest>) -> impl Iterator<Item = &'a Manifest> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let found = self.kept.referrers.get(digest).into_iter().flat_map(move |all| all.range::<_, Digest>(behind));
        found.filter_map(move |manifest| self.manifest(manifest))
    }
}
