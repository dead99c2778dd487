//! Entries that come one behind the other and are all known beforehand, as those of a snapshot.

use std::hash::BuildHasher;

use tagstone_schema::Digest;

use super::content::Parents;
use super::manifests::{Held, Manifests};
use super::naming::Further;
use super::places::Places;
use super::{Contents, Entry, Place, placed};
use crate::fold::repository::RepositoryNumber;
use crate::fold::table::entries::Entries;
use crate::fold::table::index::{Index, lower};

/// Contents to which only entries are added. Nothing is found in them by its digest yet.
pub(in crate::fold) struct Appending {
    contents: Contents,
    /// The lower halves of the hashes of the digests, by place.
    hashes: Vec<u32>,
    further: Further,
}

impl Appending {
    pub(in crate::fold) fn begin() -> Self {
        let (entries, manifests) = (Entries::to_share(), Manifests::to_share());
        let contents = Contents { entries, manifests, ..Contents::default() };
        Self { contents, hashes: Vec::new(), further: Further::default() }
    }

    /// The place of the next entry.
    pub(in crate::fold) fn end(&self) -> Place {
        placed(self.hashes.len())
    }

    pub(in crate::fold) fn digest_at(&self, place: Place) -> Option<&Digest> {
        self.contents.digest_at(place)
    }

    /// The number of the next manifest, as a place.
    pub(in crate::fold) fn manifests_end(&self) -> usize {
        self.contents.manifests.numbers()
    }

    /// Adds manifests behind all others. They are numbered from the first of them on where entries name them.
    pub(in crate::fold) fn append_manifests(&mut self, held: Vec<Held>) {
        self.contents.manifests.append(held);
    }

    /// Adds a page of entries, or fewer, whose manifests lie behind `others`. `member` is told which repositories have something
    /// there and whether it is a manifest, and says which of its members it is.
    pub(in crate::fold) fn append(
        &mut self,
        mut page: Vec<Entry>,
        others: usize,
        member: &mut impl FnMut(RepositoryNumber, Place, bool) -> Option<usize>,
    ) {
        for entry in &mut page {
            let place = self.end();
            entry.known.change_all(|content| {
                let member = member(content.number, place, content.manifest.is_some());
                content.member = member.map_or(Place::MAX, placed);
                content.manifest = content.manifest.map(|number| number.behind(others));
            });
            self.contents.loose += usize::from(entry.known.loose().is_some());
            self.hashes.push(lower(self.contents.hashing.hash_one(&entry.digest)));
        }
        self.contents.entries.append(page);
    }

    /// A manifest names what lies at these places, of which it is only known so far that manifests name it. How many it is the first
    /// to name, or what is wrong.
    pub(in crate::fold) fn name(
        &mut self,
        manifest: Place,
        number: RepositoryNumber,
        references: &Places,
    ) -> Result<usize, &'static str> {
        let (mut first, mut last) = (0, None);
        for reference in references.iter() {
            let digest = self.digest_at(reference).ok_or("what is not there")?;
            if last.and_then(|last| self.digest_at(last)).is_some_and(|last| last >= digest) {
                return Err("digests that are out of order");
            }
            last = Some(reference);
            let content = self.contents.at_mut(reference, number).ok_or("what its repository does not have")?;
            if let Parents::None { .. } = content.parents {
                return Err("what no manifest should name");
            }
            first += usize::from(self.further.name(content, (reference, number), manifest));
        }
        Ok(first)
    }

    /// The contents, as clones share them; or a digest that is there twice.
    pub(in crate::fold) fn done(self) -> Result<Contents, Digest> {
        let Self { mut contents, hashes, further } = self;
        further.all_named(&mut contents);
        let entries = &contents.entries;
        let digest = |place| entries.get(place).map(|entry: &Entry| &entry.digest);
        let (index, twice) = Index::of(&hashes, |one, other| digest(one) == digest(other));
        if let Some(twice) = twice.and_then(digest) {
            return Err(twice.clone());
        }
        contents.index = index;
        contents.entries.share();
        contents.manifests.share();
        Ok(contents)
    }
}
