//! What a repository has under one digest: a blob, a manifest, and who names it.

use std::sync::Arc;

use tagstone_schema::Timestamp;

use super::Place;
use super::manifests::{ManifestNumber, Manifests};
use crate::fold::repository::RepositoryNumber;
use crate::fold::table::Table;

/// Everything that a repository knows of a digest. One entry holds all of it: a push links, references and pushes the
/// same few digests.
#[derive(Clone, Debug)]
pub(in crate::fold) struct Content {
    /// The repository that has it.
    pub(super) number: RepositoryNumber,
    /// Which of the repository's members it is.
    pub(super) member: u32,
    is_linked: bool,
    /// The size of the blob, if one is linked.
    size: u64,
    /// The manifest, if there is one.
    pub(in crate::fold) manifest: Option<ManifestNumber>,
    /// The manifests that name the digest as one of their references.
    pub(in crate::fold) parents: Parents,
}

impl Content {
    /// An entry to be filled, which no manifest names since then.
    pub(super) fn new(since: Timestamp, (number, member): (RepositoryNumber, u32)) -> Self {
        Self { number, member, is_linked: false, size: 0, manifest: None, parents: Parents::None { since } }
    }

    /// What a repository has, but for which of its members it is.
    pub(in crate::fold) fn of(
        number: RepositoryNumber,
        blob: Option<u64>,
        manifest: Option<ManifestNumber>,
        parents: Parents,
    ) -> Self {
        Self { number, member: 0, is_linked: blob.is_some(), size: blob.unwrap_or(0), manifest, parents }
    }

    /// The repository that has it.
    pub(in crate::fold) fn number(&self) -> RepositoryNumber {
        self.number
    }

    /// The size of the blob, if one is linked.
    pub(in crate::fold) fn blob(&self) -> Option<u64> {
        self.is_linked.then_some(self.size)
    }

    /// Whether there is nothing to be known.
    pub(in crate::fold) fn is_empty(&self) -> bool {
        !self.is_held() && matches!(self.parents, Parents::None { .. })
    }

    /// Whether the repository holds it, as a blob or as a manifest.
    pub(in crate::fold) fn is_held(&self) -> bool {
        self.is_linked || self.manifest.is_some()
    }

    /// Links the blob; the size that was there before, if it is linked already.
    pub(in crate::fold) fn link(&mut self, size: u64, at: Timestamp) -> Option<u64> {
        let before = self.blob();
        (self.is_linked, self.size) = (true, size);
        if let (None, Parents::None { since }) = (before, &mut self.parents) {
            *since = at;
        }
        before
    }

    /// Takes the link to the blob away.
    pub(in crate::fold) fn unlink(&mut self) {
        self.is_linked = false;
    }

    /// Takes everything away, the manifest too.
    pub(super) fn clear(&mut self, manifests: &mut Manifests) {
        self.manifest.take().and_then(|number| manifests.take(number));
        *self = Self::new(Timestamp(0), (self.number, self.member));
    }

    /// One of the manifests that name it is gone.
    pub(in crate::fold) fn lose_parent(&mut self, parent: Place, at: Timestamp, manifests: &mut Manifests) {
        self.parents.remove(parent, at);
        if let (Parents::None { .. }, Some(number)) = (&self.parents, self.manifest)
            && let Some(held) = manifests.get_mut(number)
        {
            held.idle = at;
        }
    }
}

/// Manifests that name a digest, by their places: mostly one, of the layers under many images thousands.
#[derive(Clone, Debug)]
pub(in crate::fold) enum Parents {
    /// None since then.
    None {
        since: Timestamp,
    },
    One(Place),
    Many(Arc<Table<Place, ()>>),
    /// So many, while nobody asks which: a fold of a long log would spend a good part of its time on it.
    Counted(usize),
}

/// How it is noted which manifests name a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::fold) enum Naming {
    #[default]
    ByName,
    Counted,
}

impl Parents {
    /// Where the manifests are, in no order; none where they were only counted.
    pub(in crate::fold) fn iter(&self) -> impl Iterator<Item = Place> {
        let (one, many) = match self {
            Self::None { .. } | Self::Counted(_) => (None, None),
            Self::One(manifest) => (Some(*manifest), None),
            Self::Many(manifests) => (None, Some(manifests.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten().map(|(manifest, ())| *manifest))
    }

    /// How many there are.
    pub(in crate::fold) fn count(&self) -> usize {
        match self {
            Self::None { .. } => 0,
            Self::One(_) => 1,
            Self::Many(manifests) => manifests.len(),
            Self::Counted(count) => *count,
        }
    }

    /// Another manifest names the digest.
    pub(in crate::fold) fn insert(&mut self, manifest: Place, naming: Naming) {
        match naming {
            Naming::ByName => self.name(manifest),
            Naming::Counted => *self = Self::Counted(self.count() + 1),
        }
    }

    /// Notes which manifest it is.
    fn name(&mut self, manifest: Place) {
        match self {
            Self::None { .. } | Self::Counted(_) => *self = Self::One(manifest),
            Self::One(only) => {
                let mut both = Table::default();
                both.insert(*only, ());
                both.insert(manifest, ());
                *self = Self::Many(Arc::new(both));
            }
            Self::Many(manifests) => Arc::make_mut(manifests).insert(manifest, ()),
        }
    }

    fn remove(&mut self, manifest: Place, at: Timestamp) {
        let is_empty = match self {
            Self::None { .. } => return,
            Self::One(only) => *only == manifest,
            Self::Counted(count) => {
                *count -= 1;
                *count == 0
            }
            Self::Many(manifests) => {
                let manifests = Arc::make_mut(manifests);
                manifests.remove(&manifest);
                manifests.len() == 0
            }
        };
        if is_empty {
            *self = Self::None { since: at };
        }
    }
}
