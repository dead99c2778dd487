//! Looking for many digests before anyone wants them.

use tagstone_schema::Digest;

use super::content::Parents;
use super::{Contents, placed};
use crate::fold::table::ask_for;

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

    /// Asks for all that lies on the way to what is sought, and for what it leads to, and notes where it is: one step for each of
    /// them before the next step for any, so that all of a step are on their way at once.
    pub(in crate::fold) fn look_for(&mut self, sought: &[Sought]) {
        let Self { index, entries, manifests, near, .. } = self;
        sought.iter().for_each(|sought| index.ask(sought.hash));
        sought.iter().for_each(|sought| index.ask_more(sought.hash));
        let mut asked = Vec::with_capacity(sought.len());
        for sought in sought {
            let Some(place) = index.likely(sought.hash) else { continue };
            if let Some(entry) = entries.get(place) {
                // It may lie in two lines of the cache.
                ask_for(&entry.digest);
                ask_for(&entry.known);
                asked.push((sought.word, place, entry));
            }
        }
        for (word, place, entry) in asked {
            if entry.digest.first_word() == word {
                near.note(word, placed(place));
            }
            let Some(content) = entry.known.only() else { continue };
            if let Parents::Many(parents) = &content.parents {
                ask_for(&**parents);
            }
            content.manifest.into_iter().for_each(|number| manifests.ask(number));
        }
    }
}
