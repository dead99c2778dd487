//! What a repository has under one digest: a blob, a manifest, and who names it.

use std::sync::Arc;

use imbl::OrdSet;
use tagstone_schema::{Digest, RepositoryName};

use super::manifest::Manifest;
use super::tag::TagSet;

/// Everything that a repository knows of a digest. One entry holds all of it: a push links, references and pushes the
/// same few digests.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// The size of the blob, if one is linked.
    pub(super) blob: Option<u64>,
    /// The manifest, if there is one.
    pub(super) manifest: Option<Arc<Held>>,
    /// The manifests that name the digest as one of their references.
    pub(super) parents: Parents,
}

impl Content {
    /// Whether there is nothing to be known.
    pub(super) fn is_empty(&self) -> bool {
        self.blob.is_none() && self.manifest.is_none() && matches!(self.parents, Parents::None)
    }
}

/// A manifest with the tags on it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) manifest: Arc<Manifest>,
    pub(super) tags: TagSet,
}

/// Manifests that name a digest: mostly one, of the layers under many images thousands.
#[derive(Clone, Debug, Default)]
pub(super) enum Parents {
    #[default]
    None,
    One(Arc<Manifest>),
    Many(Arc<OrdSet<Digest>>),
}

impl Parents {
    /// The digests of the manifests, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Digest> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(manifest) => (Some(&manifest.digest), None),
            Self::Many(digests) => (None, Some(digests.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub(super) fn insert(&mut self, manifest: &Arc<Manifest>) {
        match self {
            Self::None => *self = Self::One(manifest.clone()),
            Self::One(only) => {
                let both = [only.digest.clone(), manifest.digest.clone()];
                *self = Self::Many(Arc::new(both.into_iter().collect()));
            }
            Self::Many(digests) => drop(Arc::make_mut(digests).insert(manifest.digest.clone())),
        }
    }

    pub(super) fn remove(&mut self, digest: &Digest) {
        let is_empty = match self {
            Self::None => return,
            Self::One(only) => only.digest == *digest,
            Self::Many(digests) => {
                let digests = Arc::make_mut(digests);
                digests.remove(digest);
                digests.is_empty()
            }
        };
        if is_empty {
            *self = Self::None;
        }
    }
}

/// The repositories that link a blob: mostly one, of the layers under many images thousands.
#[derive(Clone, Debug)]
pub(super) enum Holders {
    One(RepositoryName),
    Many(Arc<OrdSet<RepositoryName>>),
}

impl Holders {
    /// Their names in byte order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RepositoryName> {
        let (one, many) = match self {
            Self::One(name) => (Some(name), None),
            Self::Many(names) => (None, Some(names.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub(super) fn insert(&mut self, name: &RepositoryName) {
        match self {
            Self::One(only) if only == name => {}
            Self::One(only) => *self = Self::Many(Arc::new([only.clone(), name.clone()].into_iter().collect())),
            Self::Many(names) => drop(Arc::make_mut(names).insert(name.clone())),
        }
    }

    /// Whether nobody is left.
    pub(super) fn remove(&mut self, name: &RepositoryName) -> bool {
        match self {
            Self::One(only) => only == name,
            Self::Many(names) => {
                let names = Arc::make_mut(names);
                names.remove(name);
                names.is_empty()
            }
        }
    }
}
