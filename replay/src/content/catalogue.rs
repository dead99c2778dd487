//! Which content lies where in the segments, in memory.
//!
//! Ordered maps keyed by the raw hash cost 70 bytes an entry (measured, 0.5 to 2 million), and grow without the pause
//! and the doubled memory that a hash table takes when it is rebuilt.

use std::collections::{BTreeMap, HashMap};

use tagstone_schema::{Algorithm, Digest};

use super::segment::{ALIGNMENT, Entry, HEADER_BYTES, State, entry_bytes};

/// The place of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The number of its segment.
    pub segment: u32,
    unit: u32,
    /// The length of its content.
    pub length: u32,
}

impl Location {
    /// The place of `entry` in the segment with this number; `None` beyond 256 GiB, which no segment reaches.
    pub fn of(segment: u32, entry: &Entry) -> Option<Self> {
        let unit = u32::try_from(entry.offset / ALIGNMENT).ok()?;
        Some(Self { segment, unit, length: entry.length })
    }

    /// Where its header begins.
    pub fn offset(self) -> u64 {
        u64::from(self.unit) * ALIGNMENT
    }

    /// Where its content begins.
    pub fn content_offset(self) -> u64 {
        self.offset() + HEADER_BYTES as u64
    }

    /// The space that it takes.
    pub fn entry_bytes(self) -> u64 {
        entry_bytes(self.length)
    }
}

/// The places of all live content, and of what else still holds bytes of some content.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    sha256: BTreeMap<[u8; 32], Location>,
    sha512: BTreeMap<[u8; 64], Location>,
    shadows: HashMap<Digest, Vec<Location>>,
}

impl Catalogue {
    /// Adds an entry that was found on disk. Segments are added in the order of their numbers: of two live copies the
    /// later is served, and the earlier becomes a shadow.
    pub fn add(&mut self, segment: u32, entry: &Entry) {
        let Some(location) = Location::of(segment, entry) else { return };
        match entry.state {
            State::Erased => {}
            State::Damaged => self.add_shadow(&entry.digest, location),
            State::Live => {
                if let Some(earlier) = self.insert(&entry.digest, location) {
                    self.add_shadow(&entry.digest, earlier);
                }
            }
        }
    }

    /// Where the content with this digest lies.
    pub fn get(&self, digest: &Digest) -> Option<Location> {
        match digest.algorithm() {
            Algorithm::Sha256 => self.sha256.get(digest.raw()),
            Algorithm::Sha512 => self.sha512.get(digest.raw()),
        }
        .copied()
    }

    /// Sets where the content with this digest lies, and returns where it lay.
    pub fn insert(&mut self, digest: &Digest, location: Location) -> Option<Location> {
        if let Ok(raw) = digest.raw().try_into() {
            self.sha256.insert(raw, location)
        } else if let Ok(raw) = digest.raw().try_into() {
            self.sha512.insert(raw, location)
        } else {
            None
        }
    }

    /// Forgets the content with this digest, and returns where it lay.
    pub fn remove(&mut self, digest: &Digest) -> Option<Location> {
        match digest.algorithm() {
            Algorithm::Sha256 => self.sha256.remove(digest.raw()),
            Algorithm::Sha512 => self.sha512.remove(digest.raw()),
        }
    }

    /// Makes the place of this content a shadow: what lies there does not verify.
    pub fn withdraw(&mut self, digest: &Digest) {
        if let Some(location) = self.remove(digest) {
            self.add_shadow(digest, location);
        }
    }

    /// Other places with bytes of this content: superseded copies and damaged entries.
    pub fn shadows(&self, digest: &Digest) -> &[Location] {
        self.shadows.get(digest).map_or(&[], Vec::as_slice)
    }

    /// Forgets the shadows of this content, and returns them.
    pub fn remove_shadows(&mut self, digest: &Digest) -> Vec<Location> {
        self.shadows.remove(digest).unwrap_or_default()
    }

    /// Forgets all shadows in a segment, whose file is gone.
    pub fn remove_shadows_in(&mut self, segment: u32) {
        self.shadows.retain(|_, places| {
            places.retain(|place| place.segment != segment);
            !places.is_empty()
        });
    }

    /// How much content is live.
    pub fn len(&self) -> usize {
        self.sha256.len() + self.sha512.len()
    }

    /// Whether no content is live.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The digests and lengths of all live content.
    pub fn iter(&self) -> impl Iterator<Item = (Digest, Location)> + '_ {
        let sha256 = self.sha256.iter().map(|(raw, location)| (Digest::sha256(*raw), *location));
        let sha512 = self.sha512.iter().map(|(raw, location)| (Digest::sha512(*raw), *location));
        sha256.chain(sha512)
    }

    fn add_shadow(&mut self, digest: &Digest, location: Location) {
        self.shadows.entry(digest.clone()).or_default().push(location);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(offset: u64, state: State) -> Entry {
        Entry { digest: Digest::sha256([1; 32]), offset, length: 10, state }
    }

    #[test]
    fn the_later_copy_is_served_and_the_earlier_is_a_shadow() {
        let mut catalogue = Catalogue::default();
        let digest = Digest::sha256([1; 32]);
        catalogue.add(1, &entry(0, State::Live));
        catalogue.add(2, &entry(128, State::Live));
        catalogue.add(2, &entry(256, State::Damaged));
        catalogue.add(3, &entry(0, State::Erased));
        assert_eq!(catalogue.get(&digest).map(|at| (at.segment, at.offset())), Some((2, 128)));
        assert_eq!(catalogue.shadows(&digest).len(), 2);
        catalogue.remove_shadows_in(2);
        assert_eq!(catalogue.shadows(&digest).iter().map(|at| at.segment).collect::<Vec<_>>(), [1]);
        assert_eq!(catalogue.iter().count(), 1);
        catalogue.withdraw(&digest);
        assert_eq!((catalogue.get(&digest), catalogue.shadows(&digest).len()), (None, 2));
    }

    #[test]
    fn both_algorithms_are_found() {
        let mut catalogue = Catalogue::default();
        let location = Location { segment: 1, unit: 2, length: 3 };
        for digest in [Digest::sha256([9; 32]), Digest::sha512([9; 64])] {
            assert_eq!(catalogue.insert(&digest, location), None);
            assert_eq!(catalogue.get(&digest), Some(location));
            assert_eq!(catalogue.remove(&digest), Some(location));
            assert_eq!(catalogue.get(&digest), None);
        }
        assert!(catalogue.is_empty());
    }
}
