//! Looking for many digests before anyone wants them.

use std::hint::black_box;

use tagstone_schema::Digest;

use super::content::{Content, Parents};
use super::{Contents, placed};

/// A digest that will be looked up.
pub(in crate::fold) struct Sought {
    hash: u64,
    /// The first word of the digest.
    word: u64,
}

impl Contents {
    /// What is to be looked for, unless it was lately.
    pub(in crate::fold) fn sought(&mut self, digest: &Digest) -> Option<Sought> {
        let word = digest.first_word();
        self.near.seek(word).then(|| Sought { hash: self.hash(digest), word })
    }

    /// Looks at all that lies on the way to what is sought, and at what it leads to, and notes where it is: each step does as little
    /// as it can for one after the other, so that the processor waits for many places in memory at once.
    pub(in crate::fold) fn look_for(&mut self, sought: &[Sought]) {
        let Self { index, entries, near, .. } = self;
        black_box(sought.iter().fold(0, |all, sought| all ^ index.touch(sought.hash)));
        black_box(sought.iter().fold(0, |all, sought| all ^ index.touch_more(sought.hash)));
        let mut places = Vec::with_capacity(sought.len());
        places.extend(sought.iter().filter_map(|sought| Some((sought.word, index.likely(sought.hash)?))));
        let mut found: Vec<&Content> = Vec::with_capacity(places.len());
        for (word, place) in places {
            let Some(entry) = entries.get(place) else { continue };
            // An entry may lie in two lines of the cache, of which one has the digest.
            if entry.digest.first_word() == word {
                near.note(word, placed(place));
            }
            found.extend(entry.known.only());
        }
        let parents = found.iter().map(|content| match &content.parents {
            Parents::Many(parents) => parents.len(),
            Parents::None { .. } | Parents::One(_) | Parents::Counted(_) => 0,
        });
        black_box(parents.sum::<usize>());
        let held = || found.iter().filter_map(|content| content.manifest.as_ref());
        black_box(held().filter(|held| held.tags.is_empty()).count());
        let tags = held().filter_map(|held| held.tags.iter().next()).filter(|tag| tag.as_str().is_empty());
        black_box(tags.count());
    }
}
