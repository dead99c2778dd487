//! Which repositories hold each digest, and which content none holds any more.
//!
//! Anonymous mounts ask it, and so does everything that removes bytes. There are millions of digests, nearly all of them in one
//! repository, which has the digest itself already. So one slot of an index is all that is kept of such a digest: part of its hash, and
//! the number of the repository. Whether the digest is meant is asked of that repository.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use imbl::OrdSet;
use tagstone_schema::event::ContentKind;
use tagstone_schema::{Digest, RepositoryName, Timestamp};

use super::numbers::RepositoryNumber;
use super::state::State;
use super::table::index::Index;
use super::table::{Keeping, Table};

/// Content that no repository holds, and whose bytes were not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loose {
    /// When the last one let it go.
    pub since: Timestamp,
    /// What it was there.
    pub kind: ContentKind,
}

/// Who holds content, as a blob or as a manifest.
///
/// **Invariant**: every digest that is held or loose has exactly one slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders {
    slots: Index,
    hashing: RandomState,
    /// Digests that several repositories hold, as the layers under many images.
    shared: Table<Digest, OrdSet<RepositoryName>>,
    loose: Table<Digest, Loose>,
}

/// What the slot of a digest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// The only repository that holds it.
    One(RepositoryNumber),
    /// Several hold it.
    Shared,
    /// None holds it.
    Loose,
}

impl Slot {
    const SHARED: usize = RepositoryNumber::LIMIT;
    const LOOSE: usize = RepositoryNumber::LIMIT + 1;

    fn of(place: usize) -> Self {
        match place {
            Self::SHARED => Self::Shared,
            Self::LOOSE => Self::Loose,
            number => Self::One(RepositoryNumber(number)),
        }
    }

    fn place(self) -> usize {
        match self {
            Self::One(number) => number.0,
            Self::Shared => Self::SHARED,
            Self::Loose => Self::LOOSE,
        }
    }
}

impl Holders {
    /// Holders as they are kept.
    pub(super) fn kept(keeping: &Keeping) -> Self {
        match keeping {
            Keeping::Shared => Self::default(),
            Keeping::Alone => Self::alone(0),
        }
    }

    /// Holders that nobody shares, with room for so many digests from the beginning.
    pub(super) fn alone(digests: usize) -> Self {
        let (shared, loose) = (Table::alone(0), Table::alone(0));
        Self { slots: Index::alone(digests), hashing: RandomState::default(), shared, loose }
    }

    /// From now on clones share what does not change.
    pub(super) fn share(&mut self) {
        self.slots.share();
        self.shared.share();
        self.loose.share();
    }

    /// How many digests are known.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Looks at what has to be looked at to find a digest. The number means nothing.
    pub(super) fn touch(&self, digest: &Digest) -> u32 {
        self.slots.touch(self.hash(digest))
    }

    /// Notes that a repository holds a digest, unless that cannot be told without asking repositories: then it is false, and nothing
    /// happens.
    pub(super) fn note_if_new(&mut self, digest: &Digest, number: RepositoryNumber) -> bool {
        let hash = self.hash(digest);
        let is_new = self.slots.find(hash, |_| true).is_none();
        if is_new {
            self.slots.add(hash, number.0);
        }
        is_new
    }

    /// The slot of a digest. Which repositories hold it is for the caller to say.
    fn slot(&self, digest: &Digest, holds: impl Fn(RepositoryNumber) -> bool) -> Option<Slot> {
        let hash = self.hash(digest);
        let is_shared = |place| place == Slot::SHARED && self.shared.get(digest).is_some();
        // Asked last: one of several repositories that hold it may have a slot for another digest with the same part of a hash.
        let is_right = |place| match Slot::of(place) {
            Slot::One(number) => holds(number),
            Slot::Loose => self.loose.get(digest).is_some(),
            Slot::Shared => false,
        };
        self.slots.find(hash, is_shared).or_else(|| self.slots.find(hash, is_right)).map(Slot::of)
    }

    fn add(&mut self, digest: &Digest, slot: Slot) {
        self.slots.add(self.hash(digest), slot.place());
    }

    fn replace(&mut self, digest: &Digest, slot: Slot, by: Slot) {
        self.slots.moved(self.hash(digest), slot.place(), by.place());
    }

    fn hash(&self, digest: &Digest) -> u64 {
        self.hashing.hash_one(digest)
    }
}

impl State {
    /// The repositories that hold the digest as a blob or as a manifest, in byte order of their names.
    pub fn holders(&self, digest: &Digest) -> impl Iterator<Item = &RepositoryName> {
        let (one, shared) = match self.slot(digest) {
            Some(Slot::One(number)) => (self.numbers.name(number), None),
            Some(Slot::Shared) => (None, self.holders.shared.get(digest)),
            Some(Slot::Loose) | None => (None, None),
        };
        one.into_iter().chain(shared.into_iter().flatten())
    }

    /// The repositories that link the blob, in byte order of their names.
    pub fn blob_holders(&self, digest: &Digest) -> impl Iterator<Item = &RepositoryName> {
        self.holders(digest)
            .filter(|name| self.repository(name.as_str()).is_some_and(|held| held.blob(digest).is_some()))
    }

    /// Content that no repository holds and whose bytes were not removed; in no order. What
    /// no repository ever held is not known here.
    pub fn all_loose(&self) -> impl Iterator<Item = (&Digest, Loose)> {
        self.holders.loose.iter().map(|(digest, loose)| (digest, *loose))
    }

    /// Since when no repository holds the content any more, whose bytes were not removed.
    pub fn loose(&self, digest: &Digest) -> Option<Loose> {
        self.holders.loose.get(digest).copied()
    }

    /// Whether any repository holds the content, or let it go and its bytes were not removed.
    pub fn knows(&self, digest: &Digest) -> bool {
        self.slot(digest).is_some()
    }

    fn slot(&self, digest: &Digest) -> Option<Slot> {
        self.holders.slot(digest, |number| self.holds(number, digest))
    }

    fn holds(&self, number: RepositoryNumber, digest: &Digest) -> bool {
        let repository = self.numbers.name(number).and_then(|name| self.repository(name.as_str()));
        repository.is_some_and(|repository| repository.holds(digest))
    }

    /// A repository has begun to hold a digest.
    pub(super) fn note_holder(&mut self, digest: &Digest, number: RepositoryNumber) {
        let by_another = |other| other != number && self.holds(other, digest);
        let Some(slot) = self.holders.slot(digest, by_another) else {
            return self.holders.add(digest, Slot::One(number));
        };
        let name = |number| self.numbers.name(number).cloned();
        match slot {
            Slot::One(other) => {
                let both = [name(other), name(number)].into_iter().flatten().collect();
                self.holders.shared.insert(digest.clone(), both);
                self.holders.replace(digest, slot, Slot::Shared);
            }
            Slot::Shared => {
                let name = name(number);
                self.holders.shared.change(digest, OrdSet::new, |names| names.extend(name));
            }
            Slot::Loose => {
                self.holders.loose.remove(digest);
                self.holders.replace(digest, slot, Slot::One(number));
            }
        }
    }

    /// A repository no longer holds a digest; if it was the last, nobody does since then.
    pub(super) fn forget_holder(
        &mut self,
        digest: &Digest,
        repository: (RepositoryNumber, &RepositoryName),
        loose: Loose,
    ) {
        let (number, name) = repository;
        let Some(names) = self.holders.shared.get_mut(digest) else {
            self.holders.loose.insert(digest.clone(), loose);
            return self.holders.replace(digest, Slot::One(number), Slot::Loose);
        };
        names.remove(name);
        if names.len() > 1 {
            return;
        }
        let last = names.get_min().cloned();
        self.holders.shared.remove(digest);
        if let Some(last) = last.and_then(|last| self.repository(last.as_str())).map(|last| last.number) {
            self.holders.replace(digest, Slot::Shared, Slot::One(last));
        }
    }

    /// Nobody holds the content since then.
    ///
    /// Gives it back where somebody does.
    pub(super) fn note_loose(&mut self, digest: Digest, loose: Loose) -> Result<(), Digest> {
        if self.knows(&digest) {
            return Err(digest);
        }
        self.holders.add(&digest, Slot::Loose);
        self.holders.loose.insert(digest, loose);
        Ok(())
    }

    /// The bytes of content that nobody holds are gone.
    pub(super) fn forget_loose(&mut self, digest: &Digest) {
        if self.holders.loose.remove(digest).is_some() {
            self.holders.slots.remove(self.holders.hash(digest), Slot::LOOSE);
        }
    }
}

#[cfg(test)]
#[path = "holders_tests.rs"]
mod tests;
