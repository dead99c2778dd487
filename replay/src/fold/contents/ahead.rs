//! Looking for many digests before anyone wants them.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use tagstone_schema::Digest;

use super::content::Parents;
use super::manifests::Manifests;
use super::near::Near;
use super::{Contents, Entry, Place, placed};
use crate::fold::table::ahead::Way;
use crate::fold::table::ask_for;
use crate::fold::table::entries::Entries;
use crate::fold::table::index::Index;

/// Digests that will be looked up, and how far they were looked for.
pub(in crate::fold) struct Sought<'a> {
    near: &'a mut Near,
    hashing: &'a RandomState,
    index: &'a Index,
    entries: &'a Entries<Entry>,
    pub(in crate::fold) manifests: &'a Manifests,
    /// The first word of each, and the way to it.
    ways: Vec<(u64, Way<'a>)>,
    /// The same, and the entry that is likely its.
    likely: Vec<(u64, Place, &'a Entry)>,
}

impl Contents {
    /// No digests yet, but room for so many.
    pub(in crate::fold) fn seeking(&mut self, digests: usize) -> Sought<'_> {
        let Self { index, entries, manifests, near, hashing, .. } = self;
        Sought { near, hashing, index, entries, manifests, ways: Vec::with_capacity(digests), likely: Vec::new() }
    }
}

impl Sought<'_> {
    /// Adds a digest, unless it was looked for lately.
    pub(in crate::fold) fn add(&mut self, digest: &Digest) {
        let word = digest.first_word();
        if self.near.seek(word) {
            let way = self.index.way(self.hashing.hash_one(digest));
            self.ways.extend(way.map(|way| (word, way)));
        }
    }

    /// Asks for the first that lies on the way to each.
    pub(in crate::fold) fn ask(&self) {
        self.ways.iter().for_each(|(_, way)| way.ask());
    }

    /// Asks for what follows.
    pub(in crate::fold) fn ask_more(&self) {
        self.ways.iter().for_each(|(_, way)| way.ask_more());
    }

    /// Asks for the entries.
    pub(in crate::fold) fn ask_entries(&mut self) {
        self.likely.reserve(self.ways.len());
        for (word, way) in &self.ways {
            let Some(place) = way.likely() else { continue };
            self.likely.extend(self.entries.get(place).map(|entry| (*word, placed(place), entry)));
        }
        for (.., entry) in &self.likely {
            // It may lie in two lines of the cache.
            ask_for(&entry.digest);
            ask_for(&entry.known);
        }
    }

    /// Notes where the entries are, and asks for what they lead to.
    pub(in crate::fold) fn note(&mut self) {
        for (word, place, entry) in &self.likely {
            if entry.digest.first_word() == *word {
                self.near.note(*word, *place);
            }
            let Some(content) = entry.known.only() else { continue };
            if let Parents::Many(parents) = &content.parents {
                ask_for(&**parents);
            }
            content.manifest.and_then(|number| self.manifests.room(number)).into_iter().for_each(ask_for);
        }
    }
}
