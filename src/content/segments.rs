//! Small content in segments (`tagstone_replay::content::segment` has the format).
//!
//! One thread appends; any number read. A reader takes a place from the catalogue and reads that range: it never waits
//! for the appender's sync, because the appender touches the catalogue only when the bytes are durable.
//!
//! Erasing overwrites in place. On a file system or a device that writes elsewhere what is overwritten (copy on write,
//! log structured, snapshots) the old bytes may outlive it; so they may for content that compaction has moved, in
//! blocks that the file system has freed and not yet used again.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use tagstone_replay::content::catalogue::{Catalogue, Location};
use tagstone_replay::content::reader::{mismatch, segment_numbers};
use tagstone_replay::content::segment::{Entry, State};
use tagstone_replay::content::sidecar::{self, Source};
use tagstone_replay::content::{Layout, hash_of};
use tagstone_replay::log::directory::{create_directory, naming, sync_directory};
use tagstone_schema::Digest;

use super::active::{Active, space_for, write_sidecar};
use super::remove_if_there;

/// A segment that would grow beyond this is sealed and the next begun. A batch is never split, so that it needs one
/// sync; a single batch may therefore make a larger segment.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// The store of small content.
#[derive(Debug)]
pub struct SegmentStore {
    pub(super) layout: Layout,
    pub(super) segment_bytes: u64,
    pub(super) shared: RwLock<Shared>,
    appender: Mutex<Appender>,
    /// Held by whoever changes sealed segments. Taken before the appender, never behind it.
    maintenance: Mutex<()>,
}

/// What readers see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) catalogue: Catalogue,
    pub(super) segments: BTreeMap<u32, Segment>,
}

/// One segment, active or sealed.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: Arc<File>,
    /// The space that its live entries take.
    pub(super) live: u64,
}

/// What only the appending thread uses.
#[derive(Debug)]
pub(super) struct Appender {
    pub(super) active: Active,
    /// Set by the first failed write or sync. What the disk holds is unknown then, and stays so until a start scans it.
    failed: bool,
}

impl SegmentStore {
    /// Opens the segments of a data directory; the first is made if there is none.
    pub fn open(layout: &Layout) -> io::Result<Self> {
        Self::open_with(layout, SEGMENT_BYTES)
    }

    pub(super) fn open_with(layout: &Layout, segment_bytes: u64) -> io::Result<Self> {
        Self::open_telling(layout, segment_bytes, |segment, entry, other_copy| {
            let Entry { digest, offset, .. } = entry;
            // A torn write that nobody was told of looks the same.
            tracing::warn!(%digest, segment, offset, other_copy, "stored content has changed, or was never written whole");
        })
    }

    /// Opens the segments and tells of each damaged entry its segment, and whether the same content lies elsewhere.
    fn open_telling(layout: &Layout, segment_bytes: u64, tell: impl Fn(u32, &Entry, bool)) -> io::Result<Self> {
        create_directory(&layout.segments())?;
        let mut shared = Shared::default();
        let mut numbers = segment_numbers(layout).map_err(naming("reading", &layout.segments()))?;
        let newest = numbers.pop();
        let mut damaged = Vec::new();
        for number in numbers {
            let (file, entries) = open_sealed(layout, number).map_err(naming("opening", &layout.segment(number)))?;
            shared.add_segment(number, Arc::new(file), &entries);
            damaged.extend(entries.into_iter().filter(is_damaged).map(|entry| (number, entry)));
        }
        let active = match newest {
            Some(number) => Active::reopen(layout, number).map_err(naming("opening", &layout.segment(number)))?,
            None => Active::create(layout, 1).map_err(naming("creating", &layout.segment(1)))?,
        };
        shared.add_segment(active.number, active.file.clone(), &active.entries);
        shared.count_live();
        damaged.extend(
            active.entries.iter().filter(|entry| is_damaged(entry)).map(|entry| (active.number, entry.clone())),
        );
        for (segment, entry) in damaged {
            tell(segment, &entry, shared.catalogue.get(&entry.digest).is_some());
        }
        let appender = Mutex::new(Appender { active, failed: false });
        Ok(Self {
            layout: layout.clone(),
            segment_bytes,
            shared: RwLock::new(shared),
            appender,
            maintenance: Mutex::default(),
        })
    }

    /// Stores all contents that are not there yet. They are durable when this returns, and visible only then.
    ///
    /// The caller has verified that each content hashes to its digest. After an error this and every later call that
    /// would write fails until the store is opened again; reading goes on.
    pub fn append(&self, contents: &[(Digest, Bytes)]) -> io::Result<()> {
        let mut appender = self.appender()?;
        let fresh: Vec<_> = {
            let shared = self.read_shared();
            let mut seen = HashSet::new();
            contents
                .iter()
                .filter(|(digest, _)| shared.catalogue.get(digest).is_none() && seen.insert(digest))
                .cloned()
                .collect()
        };
        self.append_fresh(&mut appender, &fresh)
    }

    /// Whether content with this digest is here.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.read_shared().catalogue.get(digest).is_some()
    }

    /// In which segment the content lies, and where there.
    pub fn place_of(&self, digest: &Digest) -> Option<(u32, u64)> {
        self.read_shared().catalogue.get(digest).map(|location| (location.segment, location.offset()))
    }

    /// The length of the content with this digest.
    pub fn len_of(&self, digest: &Digest) -> Option<u64> {
        self.read_shared().catalogue.get(digest).map(|location| u64::from(location.length))
    }

    /// How many contents are here.
    pub fn count(&self) -> usize {
        self.read_shared().catalogue.len()
    }

    /// The content with this digest, verified. An error of kind `InvalidData` names a digest whose bytes have changed.
    pub fn read(&self, digest: &Digest) -> io::Result<Option<Bytes>> {
        loop {
            let Some((location, file)) = self.read_shared().locate(digest) else { return Ok(None) };
            let mut bytes = vec![0; location.length as usize];
            file.read_exact_at(&mut bytes, location.content_offset())?;
            let found = hash_of(digest.algorithm(), &bytes);
            if found == *digest {
                return Ok(Some(bytes.into()));
            }
            // Erasing takes the place from the catalogue before it overwrites: if the place is no longer this one, the
            // bytes were taken away on purpose between the two steps above.
            if self.withdraw_damaged(digest, location) {
                return Err(mismatch(digest, &found));
            }
        }
    }

    /// Takes content that does not verify out of what is there, so that the next push stores it again; its place stays
    /// known as a shadow. Returns whether the content still lay there.
    ///
    /// This waits for the appender, which alone may decide what a sidecar says.
    fn withdraw_damaged(&self, digest: &Digest, location: Location) -> bool {
        // After a failed write too: reading goes on then, and nothing is sealed any more.
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut shared = self.write_shared();
            if shared.catalogue.get(digest) != Some(location) {
                return false;
            }
            shared.catalogue.withdraw(digest);
            shared.forget_live(location);
        }
        let active = &mut appender.active;
        if location.segment == active.number {
            active.mark_damaged(location.offset());
        } else if let Err(error) = self.remove_sidecar(location.segment) {
            // The next start believes the sidecar then, and the first read finds the damage again.
            tracing::warn!(%error, segment = location.segment, "the sidecar of a damaged segment cannot be removed");
        }
        true
    }

    /// Without a sidecar the next start scans the segment.
    fn remove_sidecar(&self, segment: u32) -> io::Result<()> {
        remove_if_there(&self.layout.sidecar(segment))?;
        sync_directory(&self.layout.segments())
    }

    /// Appends contents that are not in the catalogue, or whose place is to change, and publishes their places.
    pub(super) fn append_fresh(&self, appender: &mut Appender, fresh: &[(Digest, Bytes)]) -> io::Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        let space = space_for(fresh)?;
        let written = appender.guarded(|active| {
            if active.tail > 0 && active.tail + space > self.segment_bytes {
                active.seal(&self.layout)?;
                // Dying here leaves a sealed segment as the newest; the next start goes on in it.
                let next = active.number.checked_add(1).ok_or_else(|| io::Error::other("no segment number is left"))?;
                *active = Active::create(&self.layout, next)?;
                self.write_shared().add_segment(active.number, active.file.clone(), &[]);
            }
            active.append(fresh)
        })?;
        let number = appender.active.number;
        let mut shared = self.write_shared();
        for entry in &written {
            shared.publish(number, entry);
        }
        Ok(())
    }

    /// Exclusive use of the writing side.
    pub(super) fn appender(&self) -> io::Result<MutexGuard<'_, Appender>> {
        match self.appender.lock() {
            Ok(appender) if !appender.failed => Ok(appender),
            _ => Err(io::Error::other("an earlier write to the segments failed; nothing is written until a restart")),
        }
    }

    /// Exclusive use of the sealed segments.
    pub(super) fn maintenance(&self) -> MutexGuard<'_, ()> {
        self.maintenance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all writing: what the disk holds is unknown.
    pub(super) fn fail(&self) {
        self.appender.lock().unwrap_or_else(PoisonError::into_inner).failed = true;
    }

    pub(super) fn read_shared(&self) -> RwLockReadGuard<'_, Shared> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write_shared(&self) -> RwLockWriteGuard<'_, Shared> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Appender {
    /// Runs something that writes; if it fails, nothing is written any more.
    pub(super) fn guarded<T>(&mut self, write: impl FnOnce(&mut Active) -> io::Result<T>) -> io::Result<T> {
        let result = write(&mut self.active);
        self.failed |= result.is_err();
        result
    }
}

impl Shared {
    fn add_segment(&mut self, number: u32, file: Arc<File>, entries: &[Entry]) {
        for entry in entries {
            self.catalogue.add(number, entry);
        }
        self.segments.insert(number, Segment { file, live: 0 });
    }

    fn count_live(&mut self) {
        for (_, location) in self.catalogue.iter() {
            if let Some(segment) = self.segments.get_mut(&location.segment) {
                segment.live += location.entry_bytes();
            }
        }
    }

    fn publish(&mut self, number: u32, entry: &Entry) {
        debug_assert_eq!(entry.state, State::Live);
        let Some(location) = Location::of(number, entry) else { return };
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.live += location.entry_bytes();
        }
        // A copy that compaction supersedes stays known as a shadow until its file is gone: whoever erases the content
        // in between has to reach both, or the earlier one would be live again after a crash.
        let earlier = self.catalogue.get(&entry.digest);
        self.catalogue.add(number, entry);
        if let Some(earlier) = earlier {
            self.forget_live(earlier);
        }
    }

    /// Counts the space at `location` as no longer live.
    pub(super) fn forget_live(&mut self, location: Location) {
        if let Some(segment) = self.segments.get_mut(&location.segment) {
            segment.live = segment.live.saturating_sub(location.entry_bytes());
        }
    }

    pub(super) fn file(&self, number: u32) -> Option<Arc<File>> {
        self.segments.get(&number).map(|segment| segment.file.clone())
    }

    fn locate(&self, digest: &Digest) -> Option<(Location, Arc<File>)> {
        let location = self.catalogue.get(digest)?;
        Some((location, self.file(location.segment)?))
    }
}

/// Removes the files of a segment: the sidecar first, which means nothing alone.
pub(super) fn remove_segment_files(layout: &Layout, number: u32) -> io::Result<()> {
    remove_if_there(&layout.sidecar(number))?;
    remove_if_there(&layout.segment(number))?;
    sync_directory(&layout.segments())
}

/// The file and the entries of a segment that is not appended to any more.
fn open_sealed(layout: &Layout, number: u32) -> io::Result<(File, Vec<Entry>)> {
    let file = OpenOptions::new().read(true).write(true).open(layout.segment(number))?;
    let (entries, source) = sidecar::entries(layout, number, &file)?;
    if source == Source::Scan {
        write_sidecar(layout, number, file.metadata()?.len(), &entries)?;
    }
    Ok((file, entries))
}

fn is_damaged(entry: &Entry) -> bool {
    entry.state == State::Damaged
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;
