//! Who needs content still: asked of a state, by everything that removes bytes.

use tagstone_replay::fold::State;
use tagstone_schema::{Digest, RepositoryName, Timestamp};

/// Somebody who needs content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// In this repository.
    pub repository: RepositoryName,
    /// The manifest that names it, or is it; none for a blob that was linked a moment ago.
    pub manifest: Option<Digest>,
}

/// Why content stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyKept {
    /// A manifest names it.
    Referenced,
    /// It is a manifest of another repository too.
    InRepository,
    /// It is a manifest with a tag of its own.
    Tagged,
    /// A blob that a repository got within the grace period, for which a manifest may follow.
    RecentlyLinked,
    /// A client is pushing it, or has just been told that it is there.
    BeingPushed,
}

impl WhyKept {
    /// The word for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Referenced => "referenced",
            Self::InRepository => "in_repository",
            Self::Tagged => "tagged",
            Self::RecentlyLinked => "recently_linked",
            Self::BeingPushed => "being_pushed",
        }
    }
}

/// What a state says of content that is to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::registry) enum Need {
    /// Nobody needs it. These repositories link it all the same.
    Nobody { links: Vec<RepositoryName>, size: Option<u64> },
    /// It stays, because of these.
    Kept { why: WhyKept, by: Vec<Keeper>, more: usize },
}

/// Keepers that are told of one digest; a base layer may have a million.
pub(super) const TOLD: usize = 100;

/// Asks who needs content. What became unreferenced after `grace_began` counts as needed, except in `own`, the repository from
/// which it is removed on purpose.
pub(in crate::registry) fn need(
    state: &State,
    digest: &Digest,
    own: Option<&RepositoryName>,
    grace_began: Timestamp,
) -> Need {
    let (mut by, mut more, mut links, mut size, mut recent) = (Vec::new(), 0, Vec::new(), None, Vec::new());
    let mut why = WhyKept::Referenced;
    for name in state.holders(digest) {
        let Some(repository) = state.repository(name.as_str()) else { continue };
        let itself = repository.manifest(digest).map(|manifest| &manifest.digest);
        if itself.is_some() && by.is_empty() {
            why = WhyKept::InRepository;
        }
        // Those beyond are counted without being gone through: the writer asks this, and a base layer may have a million.
        let (told, room) = (by.len(), TOLD - by.len());
        let keeping = itself.into_iter().chain(repository.referenced_by(digest)).take(room);
        by.extend(keeping.map(|manifest| Keeper { repository: name.clone(), manifest: Some(manifest.clone()) }));
        by[told..].sort_unstable_by(|one: &Keeper, other| one.manifest.cmp(&other.manifest));
        more += usize::from(itself.is_some()) + repository.reference_count(digest) - (by.len() - told);
        size = size.or_else(|| repository.blob(digest));
        match repository.unreferenced_since(digest) {
            Some(since) if since > grace_began && own != Some(name) => {
                recent.push(Keeper { repository: name.clone(), manifest: None });
            }
            Some(_) => links.push(name.clone()),
            None => {}
        }
    }
    if !by.is_empty() {
        return Need::Kept { why, by, more };
    }
    if !recent.is_empty() {
        let more = recent.len().saturating_sub(TOLD);
        recent.truncate(TOLD);
        return Need::Kept { why: WhyKept::RecentlyLinked, by: recent, more };
    }
    let Some(loose) = state.loose(digest) else { return Need::Nobody { links, size } };
    match own {
        None if loose.since > grace_began => Need::Kept { why: WhyKept::RecentlyLinked, by: Vec::new(), more: 0 },
        None => Need::Nobody { links, size },
        // What a purge has just let go of is free at once; what was deleted before stays with an index that names it still.
        Some(own) => named_still(state, digest, own).unwrap_or(Need::Nobody { links, size }),
    }
}

fn named_still(state: &State, digest: &Digest, own: &RepositoryName) -> Option<Need> {
    let repository = state.repository(own.as_str())?;
    let named = |manifest: &Digest| Keeper { repository: own.clone(), manifest: Some(manifest.clone()) };
    let by: Vec<_> = repository.referenced_by(digest).take(TOLD).map(named).collect();
    let more = repository.reference_count(digest) - by.len();
    (!by.is_empty()).then_some(Need::Kept { why: WhyKept::Referenced, by, more })
}
