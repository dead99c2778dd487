//! One repository: its blobs, manifests and tags, and the questions asked of them.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdSet;
use tagstone_schema::{Digest, RepositoryName, Tag};

use super::content::{Content, Held};
use super::manifest::Manifest;
use super::numbers::RepositoryNumber;
use super::table::{Keeping, Table};
use super::tag::{TagSet, TagState};
use super::tags::Tags;

/// A repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its name, once: whatever else keeps the name keeps this copy.
    pub(super) name: RepositoryName,
    pub(super) number: RepositoryNumber,
    pub(super) contents: Table<Digest, Content>,
    /// How many of the contents are manifests.
    pub(super) manifests: usize,
    pub(super) tags: Tags,
    /// By subject, the manifests that name it.
    pub(super) referrers: Table<Digest, OrdSet<Digest>>,
}

/// What a repository had under the digest of a manifest that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Nothing that it held.
    First,
    /// A blob.
    BesideBlob,
    /// The manifest.
    Again,
}

impl Arrival {
    fn at(content: &Content) -> Self {
        match (&content.manifest, content.blob) {
            (Some(_), _) => Self::Again,
            (None, Some(_)) => Self::BesideBlob,
            (None, None) => Self::First,
        }
    }
}

impl Repository {
    pub(super) fn new(name: RepositoryName, number: RepositoryNumber, keeping: &Keeping) -> Self {
        let (contents, referrers) = (Table::kept(keeping), Table::kept(keeping));
        Self { name, number, contents, manifests: 0, tags: Tags::kept(keeping), referrers }
    }

    /// From now on clones share what does not change.
    pub(super) fn share(&mut self) {
        self.contents.share();
        self.referrers.share();
        self.tags.share();
    }

    pub(super) fn held(&self, digest: &Digest) -> Option<&Arc<Held>> {
        self.contents.get(digest)?.manifest.as_ref()
    }

    /// A manifest with the tags on it, to be changed.
    pub(super) fn held_mut(&mut self, digest: &Digest) -> Option<&mut Held> {
        self.contents.get_mut(digest)?.manifest.as_mut().map(Arc::make_mut)
    }

    /// Whether it has the digest, as a blob or as a manifest.
    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.contents.get(digest).is_some_and(Content::is_held)
    }

    /// Adds a manifest with the tags on it, and what follows from it; nothing happens if it is here already.
    pub(super) fn hold(&mut self, held: Held) -> Arrival {
        let manifest = held.manifest.clone();
        let pushed = manifest.pushed.time;
        let arrival = self.contents.change(
            &manifest.digest,
            || Content::new(pushed),
            |content| {
                let arrival = Arrival::at(content);
                content.manifest.get_or_insert_with(|| Arc::new(held));
                arrival
            },
        );
        if arrival == Arrival::Again {
            return arrival;
        }
        self.manifests += 1;
        for reference in &manifest.references {
            self.contents.change(reference, || Content::new(pushed), |content| content.parents.insert(&manifest));
        }
        if let Some(subject) = &manifest.subject {
            self.referrers.change(subject, OrdSet::new, |all| all.insert(manifest.digest.clone()));
        }
        arrival
    }

    /// The size of a blob that is linked here.
    pub fn blob(&self, digest: &Digest) -> Option<u64> {
        self.contents.get(digest)?.blob
    }

    /// The linked blobs with their sizes, in order of digests. They are sorted before the first is given.
    pub fn blobs(&self) -> impl Iterator<Item = (&Digest, u64)> {
        let blobs = self.contents.iter().filter_map(|(digest, content)| Some((digest, content.blob?)));
        let mut blobs: Vec<_> = blobs.collect();
        blobs.sort_unstable();
        blobs.into_iter()
    }

    /// A manifest by its digest.
    pub fn manifest(&self, digest: &Digest) -> Option<&Arc<Manifest>> {
        self.held(digest).map(|held| &held.manifest)
    }

    /// All manifests in order of digests. They are sorted before the first is given.
    pub fn manifests(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        let mut manifests: Vec<_> = self.manifests_in_no_order().collect();
        manifests.sort_unstable_by_key(|manifest| &manifest.digest);
        manifests.into_iter()
    }

    /// All manifests.
    pub fn manifests_in_no_order(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.contents.iter().filter_map(|(_, content)| Some(&content.manifest.as_ref()?.manifest))
    }

    /// How many manifests there are.
    pub fn manifest_count(&self) -> usize {
        self.manifests
    }

    /// A live tag.
    pub fn tag(&self, tag: &str) -> Option<&TagState> {
        self.tags.get(tag).map(|(_, state)| state)
    }

    /// A live tag with its name.
    pub fn tag_entry(&self, tag: &str) -> Option<(&Tag, &TagState)> {
        self.tags.get(tag)
    }

    /// The live tags behind `last` in byte order; `last` need not exist.
    pub fn tags_after(&self, last: Option<&str>) -> impl Iterator<Item = (&Tag, &TagState)> {
        self.tags.after(last)
    }

    /// How many live tags there are.
    pub fn tag_count(&self) -> usize {
        self.tags.len()
    }

    /// The tags that point at a manifest.
    pub fn tags_on(&self, digest: &Digest) -> Option<&TagSet> {
        self.held(digest).map(|held| &held.tags)
    }

    /// The manifests that name a blob or child manifest, in no order.
    pub fn referenced_by<'a>(&'a self, digest: &Digest) -> impl Iterator<Item = &'a Digest> {
        self.contents.get(digest).into_iter().flat_map(|content| content.parents.iter())
    }

    /// How many manifests name a blob or child manifest.
    pub fn reference_count(&self, digest: &Digest) -> usize {
        self.contents.get(digest).map_or(0, |content| content.parents.count())
    }

    /// The manifests whose subject is `digest`, in order of digests; only those behind `after`, if it is given.
    pub fn referrers<'a>(
        &'a self,
        digest: &'a Digest,
        after: Option<&'a Digest>,
    ) -> impl Iterator<Item = &'a Arc<Manifest>> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let found = self.referrers.get(digest).into_iter().flat_map(move |all| all.range::<_, Digest>(behind));
        found.filter_map(|manifest| self.manifest(manifest))
    }
}
