//! Giving back the space of sealed segments that hold little live content.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tagstone_replay::content::catalogue::Location;
use tagstone_replay::content::reader::mismatch;
use tagstone_replay::content::segment::State;
use tagstone_replay::content::{hash_of, sidecar};
use tagstone_schema::Digest;

use super::segments::{SegmentStore, remove_segment_files};

/// How much content is moved at a time. The appender waits for one such step at most.
const STEP_BYTES: u64 = 1024 * 1024;

/// The longest rest between two steps: a step that took longer was not slow because of others.
const MOST_REST: Duration = Duration::from_millis(100);

impl SegmentStore {
    /// Rewrites every sealed segment less than half of which is live: its live content is appended to the active
    /// segment, then its file is removed. Returns the bytes of the removed files. Meant for a background thread.
    ///
    /// A segment with content that does not verify is left as it is, and the error says which digest that is; nothing
    /// is lost by it, and the other segments are compacted first.
    pub fn compact(&self) -> io::Result<u64> {
        let mut freed = 0;
        let mut problem = None;
        for (number, file) in self.sparse_segments()? {
            match self.compact_segment(number, &file) {
                Ok(bytes) => freed += bytes,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => problem = Some(error),
                Err(error) => return Err(error),
            }
        }
        problem.map_or(Ok(freed), Err)
    }

    fn sparse_segments(&self) -> io::Result<Vec<(u32, Arc<File>)>> {
        // Held until the list is made: otherwise the appender may roll on meanwhile, and the segment that has become
        // active would be taken for a sealed one. What is sealed stays so.
        let appender = self.appender()?;
        let active = appender.active.number;
        let shared = self.read_shared();
        let mut sparse = Vec::new();
        for (number, segment) in &shared.segments {
            if *number != active && segment.live * 2 < segment.file.metadata()?.len().max(1) {
                sparse.push((*number, segment.file.clone()));
            }
        }
        Ok(sparse)
    }

    fn compact_segment(&self, number: u32, file: &File) -> io::Result<u64> {
        let (entries, _) = sidecar::entries(&self.layout, number, file)?;
        let mut step = Vec::new();
        let mut step_bytes = 0;
        for entry in entries.iter().filter(|entry| entry.state == State::Live) {
            step.extend(Location::of(number, entry).map(|location| (entry.digest.clone(), location)));
            step_bytes += u64::from(entry.length);
            if step_bytes >= STEP_BYTES {
                let begun = Instant::now();
                self.relocate(file, &step)?;
                // As much time is left to others.
                std::thread::sleep(begun.elapsed().min(MOST_REST));
                step.clear();
                step_bytes = 0;
            }
        }
        self.relocate(file, &step)?;
        // Dying before the file is gone leaves two copies; the later is served, the segment counts as empty of live
        // content, and the next compaction removes it.
        self.remove_segment(number, file)
    }

    /// Moves what still lies where it lay. The check and the move are one step for the appender: content that was
    /// erased meanwhile does not come back.
    fn relocate(&self, file: &File, step: &[(Digest, Location)]) -> io::Result<()> {
        let mut appender = self.appender()?;
        let mut moving = Vec::with_capacity(step.len());
        for (digest, location) in step {
            if self.read_shared().catalogue.get(digest) != Some(*location) {
                continue;
            }
            let mut bytes = vec![0; location.length as usize];
            file.read_exact_at(&mut bytes, location.content_offset())?;
            let found = hash_of(digest.algorithm(), &bytes);
            if found != *digest {
                return Err(mismatch(digest, &found));
            }
            moving.push((digest.clone(), Bytes::from(bytes)));
        }
        self.append_fresh(&mut appender, &moving)
    }

    fn remove_segment(&self, number: u32, file: &File) -> io::Result<u64> {
        let _alone = self.maintenance();
        let mut appender = self.appender()?;
        let bytes = file.metadata()?.len();
        {
            let mut shared = self.write_shared();
            if shared.segments.get(&number).is_none_or(|segment| segment.live > 0) {
                return Ok(0);
            }
            shared.segments.remove(&number);
            shared.catalogue.remove_shadows_in(number);
        }
        appender.guarded(|_| remove_segment_files(&self.layout, number))?;
        Ok(bytes)
    }
}
