//! Erasing content from segments, so that no copy of its bytes is left in any of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tagstone_replay::content::catalogue::Location;
use tagstone_replay::content::segment::{Entry, State, encode_header};
use tagstone_replay::content::sidecar;
use tagstone_replay::log::directory::sync_directory;
use tagstone_schema::Digest;

use super::active::{fill_with_zeros, write_sidecar};
use super::remove_if_there;
use super::segments::SegmentStore;

/// What is erased in one segment.
struct Doomed {
    file: Arc<File>,
    places: Vec<(Digest, Location)>,
}

impl SegmentStore {
    /// Overwrites the content with these digests, and returns how many bytes of content that were. Digests that are
    /// not here are passed over. When this returns the bytes are gone durably; if it fails or the process dies, it can
    /// be repeated after a restart.
    pub fn erase(&self, digests: &[Digest]) -> io::Result<u64> {
        let _alone = self.maintenance();
        let mut appender = self.appender()?;
        // From here on nobody is given the content any more. Dying before the first sync leaves it live after a
        // restart; the caller has promised nothing yet.
        let mut doomed = self.withdraw(digests);
        let places = doomed.values().flat_map(|segment| &segment.places);
        let bytes = places.map(|(_, place)| u64::from(place.length)).sum();
        if let Some(active) = doomed.remove(&appender.active.number) {
            appender.guarded(|appending| active.overwrite(appending.number, &mut appending.entries))?;
        }
        drop(appender);
        // Sealed segments need many syncs, which nobody who appends has to wait for.
        if let Err(error) = self.overwrite_sealed(&doomed) {
            self.fail();
            return Err(error);
        }
        Ok(bytes)
    }

    /// Takes every place with bytes of these contents out of the catalogue.
    fn withdraw(&self, digests: &[Digest]) -> BTreeMap<u32, Doomed> {
        let mut shared = self.write_shared();
        let mut doomed = BTreeMap::new();
        for digest in digests {
            let live = shared.catalogue.remove(digest);
            if let Some(location) = live {
                shared.forget_live(location);
            }
            let shadows = shared.catalogue.remove_shadows(digest);
            for place in live.into_iter().chain(shadows) {
                if let Some(file) = shared.file(place.segment) {
                    let segment = doomed.entry(place.segment).or_insert(Doomed { file, places: Vec::new() });
                    segment.places.push((digest.clone(), place));
                }
            }
        }
        doomed
    }

    fn overwrite_sealed(&self, doomed: &BTreeMap<u32, Doomed>) -> io::Result<()> {
        let mut entries_of = BTreeMap::new();
        for (number, segment) in doomed {
            entries_of.insert(*number, sidecar::entries(&self.layout, *number, &segment.file)?.0);
            remove_if_there(&self.layout.sidecar(*number))?;
        }
        if !doomed.is_empty() {
            // A sidecar must never call erased content live. Without one, a start scans the segment.
            sync_directory(&self.layout.segments())?;
        }
        for (number, mut entries) in entries_of {
            let segment = &doomed[&number];
            segment.overwrite(number, &mut entries)?;
            let length = segment.file.metadata()?.len();
            if let Err(error) = write_sidecar(&self.layout, number, length, &entries) {
                // The bytes are gone. A full disk must not look as if they were not: removing is how one gets space.
                tracing::warn!(%error, segment = number, "a segment has no sidecar; the next start reads it through");
                remove_if_there(&self.layout.sidecar(number))?;
            }
        }
        Ok(())
    }
}

impl Doomed {
    /// Overwrites the contents, then says in their headers that they are gone, and among the segment's entries.
    fn overwrite(&self, number: u32, entries: &mut [Entry]) -> io::Result<()> {
        for (_, place) in &self.places {
            let start = place.content_offset();
            fill_with_zeros(&self.file, start, start + u64::from(place.length))?;
        }
        self.file.sync_data()?;
        // Dying here leaves live headers whose content does not verify: a scan finds them damaged, not live, and the
        // same erasure finds their places again.
        for (digest, place) in &self.places {
            let (offset, length) = (place.offset(), place.length);
            let entry = Entry { digest: digest.clone(), offset, length, state: State::Erased };
            self.file.write_all_at(&encode_header(number, &entry), offset)?;
            if let Ok(index) = entries.binary_search_by_key(&offset, |entry| entry.offset) {
                entries[index] = entry;
            }
        }
        self.file.sync_data()
    }
}
