//! What a repository has under one digest: a blob, a manifest, and who names it.

use std::sync::Arc;

use tagstone_schema::{Digest, Tag, Timestamp};

use super::manifest::{ByDigest, Manifest};
use super::table::Table;
use super::tag::TagSet;

/// Everything that a repository knows of a digest. One entry holds all of it: a push links, references and pushes the
/// same few digests.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// The size of the blob, if one is linked.
    pub(super) blob: Option<u64>,
    /// The manifest, if there is one.
    pub(super) manifest: Option<Arc<Held>>,
    /// The manifests that name the digest as one of their references.
    pub(super) parents: Parents,
}

impl Content {
    /// An entry to be filled, which no manifest names since then.
    pub(super) fn new(since: Timestamp) -> Self {
        Self { blob: None, manifest: None, parents: Parents::None { since } }
    }

    /// Whether there is nothing to be known.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_held() && matches!(self.parents, Parents::None { .. })
    }

    /// Whether the repository holds it, as a blob or as a manifest.
    pub(super) fn is_held(&self) -> bool {
        self.blob.is_some() || self.manifest.is_some()
    }

    /// Links the blob; the size that was there before, if it is linked already.
    pub(super) fn link(&mut self, size: u64, at: Timestamp) -> Option<u64> {
        let before = self.blob.replace(size);
        if let (None, Parents::None { since }) = (before, &mut self.parents) {
            *since = at;
        }
        before
    }

    /// One of the manifests that name it is gone.
    pub(super) fn lose_parent(&mut self, parent: &Digest, at: Timestamp) {
        self.parents.remove(parent, at);
        if let (Parents::None { .. }, Some(held)) = (&self.parents, &mut self.manifest) {
            Arc::make_mut(held).idle = at;
        }
    }
}

/// A manifest with the tags on it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) manifest: Arc<Manifest>,
    pub(super) tags: TagSet,
    /// When it was pushed, or what held it last went away: a tag, an index that names it, its subject.
    pub(super) idle: Timestamp,
}

impl Held {
    /// A tag no longer points at it.
    pub(super) fn lose_tag(&mut self, tag: &Tag, at: Timestamp) {
        self.tags.remove(tag);
        if self.tags.is_empty() {
            self.idle = at;
        }
    }
}

/// Manifests that name a digest: mostly one, of the layers under many images thousands.
#[derive(Clone, Debug)]
pub(super) enum Parents {
    /// None since then.
    None {
        since: Timestamp,
    },
    One(Arc<Manifest>),
    Many(Arc<Table<ByDigest, ()>>),
}

impl Parents {
    /// The digests of the manifests, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Digest> {
        let (one, many) = match self {
            Self::None { .. } => (None, None),
            Self::One(manifest) => (Some(&manifest.digest), None),
            Self::Many(manifests) => (None, Some(manifests.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten().map(|(manifest, ())| manifest.digest()))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::None { .. } => 0,
            Self::One(_) => 1,
            Self::Many(manifests) => manifests.len(),
        }
    }

    pub(super) fn insert(&mut self, manifest: &Arc<Manifest>) {
        match self {
            Self::None { .. } => *self = Self::One(manifest.clone()),
            Self::One(only) => {
                let mut both = Table::default();
                both.insert(ByDigest(only.clone()), ());
                both.insert(ByDigest(manifest.clone()), ());
                *self = Self::Many(Arc::new(both));
            }
            Self::Many(manifests) => Arc::make_mut(manifests).insert(ByDigest(manifest.clone()), ()),
        }
    }

    fn remove(&mut self, digest: &Digest, at: Timestamp) {
        let is_empty = match self {
            Self::None { .. } => return,
            Self::One(only) => only.digest == *digest,
            Self::Many(manifests) => {
                let manifests = Arc::make_mut(manifests);
                manifests.remove(digest);
                manifests.len() == 0
            }
        };
        if is_empty {
            *self = Self::None { since: at };
        }
    }
}
