//! Which repositories hold each digest, and which content none holds any more.
//!
//! Anonymous mounts ask it, and so does everything that removes bytes.

use tagstone_schema::event::ContentKind;
use tagstone_schema::{Digest, RepositoryName, Timestamp};

use super::Contents;
use crate::fold::state::State;

/// Content that no repository holds, and whose bytes were not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loose {
    /// When the last one let it go.
    pub since: Timestamp,
    /// What it was there.
    pub kind: ContentKind,
}

impl State {
    /// The repositories that hold the digest as a blob or as a manifest, in byte order of their names. They are sorted before the
    /// first is given.
    pub fn holders(&self, digest: &Digest) -> impl Iterator<Item = &RepositoryName> {
        let holders = self.contents.entry(digest).into_iter().flat_map(|entry| entry.known.holders());
        let mut names: Vec<_> = holders.filter_map(|content| self.numbers.name(content.number)).collect();
        names.sort_unstable();
        names.into_iter()
    }

    /// The repositories that link the blob, in no order.
    pub fn blob_holders(&self, digest: &Digest) -> impl Iterator<Item = &RepositoryName> {
        let holders = self.contents.entry(digest).into_iter().flat_map(|entry| entry.known.holders());
        let linked = holders.filter(|content| content.blob().is_some());
        linked.filter_map(|content| self.numbers.name(content.number))
    }

    /// Content that no repository holds and whose bytes were not removed; in no order. What
    /// no repository ever held is not known here.
    pub fn all_loose(&self) -> impl Iterator<Item = (&Digest, Loose)> {
        self.contents.all_loose()
    }

    /// Since when no repository holds the content any more, whose bytes were not removed.
    pub fn loose(&self, digest: &Digest) -> Option<Loose> {
        self.contents.entry(digest)?.known.loose()
    }

    /// Whether any repository holds the content, or let it go and its bytes were not removed.
    pub fn knows(&self, digest: &Digest) -> bool {
        let entry = self.contents.entry(digest);
        entry.is_some_and(|entry| entry.known.is_held() || entry.known.loose().is_some())
    }
}

impl Contents {
    fn all_loose(&self) -> impl Iterator<Item = (&Digest, Loose)> {
        // All entries are looked at, unless nobody has to be.
        let entries = self.entries.iter().filter_map(|entry| Some((&entry.digest, entry.known.loose()?)));
        entries.take(self.loose)
    }

    /// The bytes of content that nobody holds are gone.
    pub(in crate::fold) fn forget_loose(&mut self, digest: &Digest) {
        let Ok((place, entry)) = self.look_up(digest) else { return };
        let (was_loose, is_vacant) = (entry.known.set_loose(None).is_some(), entry.known.is_vacant());
        self.loose -= usize::from(was_loose);
        if is_vacant {
            let hash = self.hash(digest);
            self.vacate(hash, place);
        }
    }
}

#[cfg(test)]
#[path = "holders_tests.rs"]
mod tests;
