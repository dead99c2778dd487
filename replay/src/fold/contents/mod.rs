//! What all repositories have, by digest.
//!
//! There are millions of digests, nearly all of them in one repository. So there is one table for the whole registry, and its entry
//! of a digest says which repositories know of it, and what each of them has there. One look answers what a repository has, which
//! repositories hold a digest, and whether anybody does. What comes in one push lies side by side, whatever the repository.

pub(super) mod ahead;
pub(super) mod append;
pub(super) mod content;
pub(super) mod holders;
pub(super) mod known;
pub(super) mod manifests;
mod naming;
mod near;
pub(super) mod places;
#[cfg(test)]
mod sound;
pub(super) mod whole;

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use imbl::Vector;
use tagstone_schema::event::ContentKind;
use tagstone_schema::{Digest, Timestamp};

use self::content::{Content, Naming};
use self::holders::Loose;
use self::known::Known;
use self::manifests::Manifests;
use self::naming::Further;
use self::near::Near;
use super::repository::RepositoryNumber;
use super::repository::kept::Kept;
use super::table::Keeping;
use super::table::entries::Entries;
use super::table::index::Index;

/// Where the entry of a digest is. It stays there for as long as anything is known of the digest.
pub(super) type Place = u32;

/// Where a repository's contents are, in no order.
pub(super) type Members = Entries<Place>;

/// The contents of all repositories.
///
/// **Invariants**: a digest has at most one entry, and the index leads to it; a content that is known in a repository is a member of it,
/// at the place among the members that the content names.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    index: Index,
    entries: Entries<Entry>,
    /// The manifests among them.
    pub(super) manifests: Manifests,
    hashing: RandomState,
    near: Near,
    /// Places of entries of which nothing is known any more, to be used again.
    vacant: Vector<Place>,
    /// How many digests nobody holds whose bytes are there.
    loose: usize,
    pub(super) naming: Naming,
}

/// What is known of a digest.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    pub(super) known: Known,
}

impl Contents {
    pub(super) fn kept(keeping: &Keeping) -> Self {
        match keeping {
            Keeping::Shared => Self::default(),
            Keeping::Alone => {
                let (index, entries, manifests) = (Index::alone(), Entries::alone(), Manifests::alone());
                Self { index, entries, manifests, near: Near::alone(), naming: Naming::Counted, ..Self::default() }
            }
        }
    }

    /// From now on clones share what does not change, and what names a digest is known by name.
    pub(super) fn share(&mut self) {
        if std::mem::take(&mut self.naming) == Naming::Counted {
            self.name_parents();
        }
        self.near = Near::default();
        let Self { index, entries, manifests, .. } = self;
        // All of them take a while where there are millions.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                index.share();
                manifests.share();
            });
            entries.share();
        });
    }

    /// Names the manifests that were only counted.
    fn name_parents(&mut self) {
        let mut further = Further::default();
        for place in 0..self.entries.len() {
            let contents = self.entries.get(place).into_iter().flat_map(|entry| entry.known.contents());
            let references = contents.filter_map(|content| {
                let held = &self.manifests[content.manifest?];
                Some((content.number, held.manifest.references.clone()))
            });
            for (number, references) in references.collect::<Vec<_>>() {
                for reference in references.iter() {
                    if let Some(content) = self.at_mut(reference, number) {
                        further.name(content, (reference, number), placed(place));
                    }
                }
            }
        }
        further.all_named(self);
    }

    /// What is known of digests, by place; none where a place is vacant.
    pub(super) fn all(&self) -> impl Iterator<Item = Option<(&Digest, &Known)>> {
        self.entries.iter().map(|entry| (!entry.known.is_vacant()).then_some((&entry.digest, &entry.known)))
    }

    /// Of how many digests anything is known.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    fn hash(&self, digest: &Digest) -> u64 {
        self.hashing.hash_one(digest)
    }

    /// What a repository has under a digest.
    pub(super) fn get(&self, digest: &Digest, number: RepositoryNumber) -> Option<&Content> {
        self.entry(digest)?.known.content(number)
    }

    /// What a repository has at a place of its own.
    pub(super) fn at(&self, place: Place, number: RepositoryNumber) -> Option<(&Digest, &Content)> {
        let entry = self.entries.get(unplaced(place))?;
        Some((&entry.digest, entry.known.content(number)?))
    }

    /// The same, to be changed.
    fn at_mut(&mut self, place: Place, number: RepositoryNumber) -> Option<&mut Content> {
        self.entries.get_mut(unplaced(place))?.known.content_mut(number)
    }

    /// Where the entry of a digest is.
    pub(super) fn place_of(&self, digest: &Digest) -> Option<Place> {
        self.place(digest).map(placed)
    }

    /// The digest at a place.
    pub(super) fn digest_at(&self, place: Place) -> Option<&Digest> {
        self.entries.get(unplaced(place)).map(|entry| &entry.digest)
    }

    /// Changes what a repository has under a digest, by what adds to it, and says where that is.
    pub(super) fn change<T>(
        &mut self,
        digest: &Digest,
        (number, members): (RepositoryNumber, &mut Members),
        since: Timestamp,
        change: impl FnOnce(&mut Content) -> T,
    ) -> (Place, T) {
        let (place, entry) = match self.look_up(digest) {
            Ok(found) => found,
            Err(hash) => {
                let mut content = Content::new(since, (number, placed(members.len())));
                let changed = change(&mut content);
                let place = self.add(hash, digest, Known::One(content));
                members.push(place);
                return (place, changed);
            }
        };
        let mut is_new = false;
        let make = || {
            is_new = true;
            Content::new(since, (number, placed(members.len())))
        };
        let changed = entry.known.with(number, make, change);
        if is_new {
            members.push(place);
        }
        self.loose -= usize::from(entry.known.settle());
        (place, changed)
    }

    /// Changes what a repository has at a place of its own, by what adds to it.
    pub(super) fn change_at(&mut self, place: Place, number: RepositoryNumber, change: impl FnOnce(&mut Content)) {
        let Some(entry) = self.entries.get_mut(unplaced(place)) else { return };
        if let Some(content) = entry.known.content_mut(number) {
            change(content);
        }
        self.loose -= usize::from(entry.known.settle());
    }

    /// Takes away part of what a repository has at a place, and everything with the last part. Where that leaves content that was
    /// held and that nobody holds, it is loose from now on.
    pub(super) fn forget(
        &mut self,
        place: Place,
        (number, members): (RepositoryNumber, &mut Members),
        loose: Option<Loose>,
        part: impl FnOnce(&mut Content, &mut Manifests),
    ) {
        if let Some(member) = self.lose(place, number, loose, part) {
            self.dismiss(member, number, members);
        }
    }

    /// Forgets all that a repository has, which is gone since then.
    pub(super) fn forget_all(&mut self, gone: &Kept, since: Timestamp) {
        for place in gone.members.iter() {
            let Some((_, content)) = self.at(*place, gone.number) else { continue };
            let kind = if content.manifest.is_some() { ContentKind::Manifest } else { ContentKind::Blob };
            self.lose(*place, gone.number, Some(Loose { since, kind }), Content::clear);
        }
    }

    /// Takes away part of what a repository has. Where nothing is left, the repository has one member less.
    fn lose(
        &mut self,
        place: Place,
        number: RepositoryNumber,
        loose: Option<Loose>,
        part: impl FnOnce(&mut Content, &mut Manifests),
    ) -> Option<u32> {
        let Entry { digest, known } = self.entries.get_mut(unplaced(place))?;
        let content = known.content_mut(number)?;
        let was_held = content.is_held();
        part(content, &mut self.manifests);
        let lost = content.is_empty().then_some(content.member);
        if lost.is_some() {
            known.remove(number);
        }
        let is_let_go = was_held && !known.is_held() && loose.is_some();
        if is_let_go {
            known.set_loose(loose);
        }
        self.loose += usize::from(is_let_go);
        if known.is_vacant() {
            let hash = self.hashing.hash_one(&*digest);
            self.vacate(hash, place);
        }
        lost
    }

    /// A repository loses one of its members; the last one takes its place among them.
    fn dismiss(&mut self, member: u32, number: RepositoryNumber, members: &mut Members) {
        let at = unplaced(member);
        members.take(at);
        let moved = members.get(at).and_then(|place| self.at_mut(*place, number));
        if let Some(moved) = moved {
            moved.member = member;
        }
    }

    fn entry(&self, digest: &Digest) -> Option<&Entry> {
        self.entries.get(self.place(digest)?)
    }

    /// Where the entry of a digest is.
    fn place(&self, digest: &Digest) -> Option<usize> {
        self.nearby(digest).or_else(|| self.find(self.hash(digest), digest))
    }

    /// The same, if it was looked for lately.
    #[inline]
    fn nearby(&self, digest: &Digest) -> Option<usize> {
        let place = self.near.place(digest)?;
        let entry = self.entries.get(place)?;
        (entry.digest == *digest && !entry.known.is_vacant()).then_some(place)
    }

    fn find(&self, hash: u64, digest: &Digest) -> Option<usize> {
        self.index.find(hash, |place| self.entries.get(place).is_some_and(|entry| entry.digest == *digest))
    }

    /// The entry of a digest and its place, or the hash under which one is to be added.
    fn look_up(&mut self, digest: &Digest) -> Result<(Place, &mut Entry), u64> {
        let found = match self.nearby(digest) {
            Some(place) => place,
            None => {
                let hash = self.hash(digest);
                self.find(hash, digest).ok_or(hash)?
            }
        };
        let Self { entries, hashing, .. } = self;
        entries.get_mut(found).map(|entry| (placed(found), entry)).ok_or_else(|| hashing.hash_one(digest))
    }

    fn add(&mut self, hash: u64, digest: &Digest, known: Known) -> Place {
        let entry = Entry { digest: digest.clone(), known };
        // Mostly there is none, which is quickly asked.
        let vacant = if self.vacant.is_empty() { None } else { self.vacant.pop_back().map(unplaced) };
        let place = match vacant.and_then(|place| Some((place, self.entries.get_mut(place)?))) {
            Some((place, vacant)) => {
                *vacant = entry;
                place
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        self.index.add(hash, place);
        self.near.note(digest.first_word(), placed(place));
        placed(place)
    }

    /// Nothing is known of the digest of this hash any more.
    fn vacate(&mut self, hash: u64, place: Place) {
        self.index.remove(hash, unplaced(place));
        self.vacant.push_back(place);
    }
}

/// No memory holds more entries than a place can tell.
fn placed(place: usize) -> Place {
    Place::try_from(place).unwrap_or(Place::MAX)
}

/// A place among entries that are in memory.
fn unplaced(place: Place) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
