//! What a repository has under one digest: a blob, a manifest, and who names it.

use std::sync::Arc;

use imbl::OrdSet;
use tagstone_schema::event::ContentKind;
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

use super::manifest::Manifest;
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
        self.blob.is_none() && self.manifest.is_none() && matches!(self.parents, Parents::None { .. })
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
    Many(Arc<OrdSet<Digest>>),
}

impl Parents {
    /// The digests of the manifests, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Digest> {
        let (one, many) = match self {
            Self::None { .. } => (None, None),
            Self::One(manifest) => (Some(&manifest.digest), None),
            Self::Many(digests) => (None, Some(digests.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::None { .. } => 0,
            Self::One(_) => 1,
            Self::Many(digests) => digests.len(),
        }
    }

    pub(super) fn insert(&mut self, manifest: &Arc<Manifest>) {
        match self {
            Self::None { .. } => *self = Self::One(manifest.clone()),
            Self::One(only) => {
                let both = [only.digest.clone(), manifest.digest.clone()];
                *self = Self::Many(Arc::new(both.into_iter().collect()));
            }
            Self::Many(digests) => drop(Arc::make_mut(digests).insert(manifest.digest.clone())),
        }
    }

    fn remove(&mut self, digest: &Digest, at: Timestamp) {
        let is_empty = match self {
            Self::None { .. } => return,
            Self::One(only) => only.digest == *digest,
            Self::Many(digests) => {
                let digests = Arc::make_mut(digests);
                digests.remove(digest);
                digests.is_empty()
            }
        };
        if is_empty {
            *self = Self::None { since: at };
        }
    }
}

/// Content that no repository holds, and whose bytes were not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loose {
    /// When the last one let it go.
    pub since: Timestamp,
    /// What it was there.
    pub kind: ContentKind,
}

/// The repositories that hold content, as a blob or as a manifest: mostly one, of the layers under many images thousands.
#[derive(Clone, Debug)]
pub(super) enum Holders {
    /// None since then; its bytes have not been removed.
    None(Loose),
    One(RepositoryName),
    Many(Arc<OrdSet<RepositoryName>>),
}

impl Holders {
    /// Their names in byte order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RepositoryName> {
        let (one, many) = match self {
            Self::None(_) => (None, None),
            Self::One(name) => (Some(name), None),
            Self::Many(names) => (None, Some(names.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub(super) fn insert(&mut self, name: &RepositoryName) {
        match self {
            Self::None(_) => *self = Self::One(name.clone()),
            Self::One(only) if only == name => {}
            Self::One(only) => *self = Self::Many(Arc::new([only.clone(), name.clone()].into_iter().collect())),
            Self::Many(names) => drop(Arc::make_mut(names).insert(name.clone())),
        }
    }

    pub(super) fn remove(&mut self, name: &RepositoryName, loose: Loose) {
        let is_empty = match self {
            Self::None(_) => return,
            Self::One(only) => only == name,
            Self::Many(names) => {
                let names = Arc::make_mut(names);
                names.remove(name);
                names.is_empty()
            }
        };
        if is_empty {
            *self = Self::None(loose);
        }
    }
}
