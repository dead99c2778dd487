//! What repositories have, read from one end to the other and in order.
//!
//! In a state of millions of digests nearly every look at one waits for memory. Who reads all of them knows which ones come, and asks
//! for some ahead; and each step on the way for all of these before the next step for any.

use tagstone_schema::Digest;
use tagstone_schema::digest::Algorithm;

use super::content::Content;
use super::manifests::Held;
use super::{Contents, Entry, Place, unplaced};
use crate::fold::manifest::Manifest;
use crate::fold::repository::Repository;
use crate::fold::table::ask_for;
use crate::fold::table::entries::Still;

/// So many are asked for at once. A processor has some ten requests under way; the others wait in its queue.
const AT_ONCE: usize = 32;

/// All contents of a state.
pub(in crate::fold) struct Whole<'a> {
    entries: Still<'a, Entry>,
    held: Still<'a, Option<Held>>,
}

/// What one repository has, in order of digests.
pub(in crate::fold) struct Sorted<'a, 'w> {
    whole: &'w Whole<'a>,
    all: Vec<Item<'a>>,
}

struct Item<'a> {
    /// In the order of the digests, as far as these many bits tell it: to compare digests is to wait for two of them.
    order: u64,
    digest: &'a Digest,
    content: &'a Content,
}

impl Contents {
    pub(in crate::fold) fn whole(&self) -> Whole<'_> {
        Whole { entries: self.entries.still(), held: self.manifests.still() }
    }
}

impl<'a> Whole<'a> {
    fn entry(&self, place: Place) -> Option<&'a Entry> {
        self.entries.get(unplaced(place))
    }

    fn held(&self, content: &Content) -> Option<&'a Option<Held>> {
        self.held.get(content.manifest?.place())
    }

    /// Sorts what a repository of this state has.
    pub(in crate::fold) fn sorted(&self, repository: Repository<'a>) -> Sorted<'a, '_> {
        let members: Vec<Place> = repository.kept.members.iter().copied().collect();
        let mut all = Vec::with_capacity(members.len());
        for some in members.chunks(AT_ONCE) {
            for entry in some.iter().filter_map(|place| self.entry(*place)) {
                // It may lie in two lines of the cache.
                ask_for(&entry.digest);
                ask_for(&entry.known);
            }
            let entries = some.iter().filter_map(|place| self.entry(*place));
            all.extend(entries.filter_map(|entry| {
                let content = entry.known.content(repository.kept.number)?;
                Some(Item { order: order_of(&entry.digest), digest: &entry.digest, content })
            }));
        }
        all.sort_unstable_by(|one, other| one.order.cmp(&other.order).then_with(|| one.digest.cmp(other.digest)));
        Sorted { whole: self, all }
    }
}

/// Digests are ordered by their algorithms, and then by their bytes.
fn order_of(digest: &Digest) -> u64 {
    let bytes = digest.raw().first_chunk().map_or(0, |word| u64::from_be_bytes(*word));
    (u64::from(digest.algorithm() == Algorithm::Sha512) << 63) | (bytes >> 1)
}

impl<'a> Sorted<'a, '_> {
    /// Shows all blobs with their sizes.
    pub(in crate::fold) fn each_blob(&self, mut show: impl FnMut(&'a Digest, u64)) {
        for some in self.all.chunks(AT_ONCE) {
            some.iter().for_each(|item| ask_for(item.digest));
            for item in some {
                if let Some(size) = item.content.blob() {
                    show(item.digest, size);
                }
            }
        }
    }

    /// Shows all manifests, each with its references in order.
    pub(in crate::fold) fn each_manifest(
        &self,
        mut show: impl FnMut(&'a Manifest, &mut dyn Iterator<Item = &'a Digest>),
    ) {
        let rooms: Vec<_> = self.all.iter().filter_map(|item| self.whole.held(item.content)).collect();
        for some in rooms.chunks(AT_ONCE) {
            some.iter().for_each(|room| ask_for(*room));
            debug_assert!(some.iter().all(|room| room.is_some()), "a manifest that is named is there");
            let manifests: Vec<_> = some.iter().filter_map(|room| Some(&room.as_ref()?.manifest)).collect();
            manifests.iter().for_each(|manifest| ask_for(&manifest.references));
            let references =
                |manifest: &'a Manifest| manifest.references.iter().filter_map(|named| self.whole.entry(named));
            for entry in manifests.iter().flat_map(|manifest| references(manifest)) {
                ask_for(&entry.digest);
            }
            for manifest in manifests {
                show(manifest, &mut references(manifest).map(|entry| &entry.digest));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tagstone_schema::{Event, Id, References, RepositoryName, Timestamp};

    use super::*;
    use crate::fold::state::{Moment, State};

    /// Some begin with the same word, the end of which would order them the other way round, and half are of the other algorithm.
    fn digest(number: usize) -> Digest {
        let low = number.to_le_bytes()[0];
        let mut raw = [0; 64];
        let first = low.wrapping_mul(37) / 8;
        (raw[0], raw[7], raw[8]) = (first, !first, low);
        if number.is_multiple_of(2) { Digest::sha512(raw) } else { Digest::sha256(*raw.first_chunk().unwrap()) }
    }

    #[test]
    fn all_comes_in_order_however_it_is_kept() {
        const BLOBS: usize = 3 * AT_ONCE + 5;
        let name: RepositoryName = "r".parse().unwrap();
        let blobs = (0..BLOBS).map(|number| Event::BlobLinked {
            repository: name.clone(),
            digest: digest(number),
            size: number as u64,
            mounted_from: None,
        });
        let manifests = (BLOBS..2 * BLOBS).map(|number| Event::ManifestPushed {
            repository: name.clone(),
            digest: digest(number),
            size: number as u64,
            media_type: "application/vnd.oci.image.manifest.v1+json".parse().unwrap(),
            artifact_type: None,
            subject: None,
            references: (0..number % 5).map(|reference| digest((number + reference) % BLOBS)).collect::<References>(),
        });
        let events: Vec<_> =
            std::iter::once(Event::LogStarted { log: Id([1; 16]) }).chain(blobs).chain(manifests).collect();
        for mut state in [State::alone(), State::default()] {
            for (seq, event) in (1..).zip(&events) {
                state.evolve(Moment { seq, time: Timestamp(seq.cast_signed()) }, event).unwrap();
            }
            for state in [state.clone(), state] {
                let repository = state.repository(name.as_str()).unwrap();
                let whole = state.contents.whole();
                let sorted = whole.sorted(repository);
                let (mut blobs, mut manifests) = (Vec::new(), Vec::new());
                sorted.each_blob(|digest, size| blobs.push((digest, size)));
                assert!(blobs.len() == BLOBS && repository.blobs().eq(blobs));
                sorted.each_manifest(|manifest, references| {
                    manifests.push((&manifest.digest, references.collect::<Vec<_>>()))
                });
                let plain = repository
                    .manifests()
                    .map(|manifest| (&manifest.digest, repository.references(manifest).collect()));
                assert!(manifests.len() == BLOBS && plain.eq(manifests));
            }
        }
    }
}
