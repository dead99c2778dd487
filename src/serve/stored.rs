//! The content store and the history, as the writer and removal use them.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tagstone_replay::audit::past::Removal;
use tagstone_schema::event::RemovedContent;
use tagstone_schema::{Digest, Head, Timestamp};

use crate::content::ContentStore;
use crate::history::History;
use crate::registry::{BatchBytes, PastRemovals, StoredBytes, StoredContent};

/// The content store, as the writer uses it.
pub struct ContentBytes(pub Arc<ContentStore>);

impl BatchBytes for ContentBytes {
    fn store(&mut self, contents: &[(Digest, Bytes)], renamed: &[Digest]) -> io::Result<()> {
        self.0.segments.append(contents)?;
        self.0.blobs.sync_directories(renamed)
    }
}

impl StoredBytes for ContentStore {
    fn erase(&self, digests: &[Digest]) -> io::Result<()> {
        Self::erase(self, digests)
    }

    fn find(&self, digest: &Digest) -> Option<u64> {
        self.len_of(digest)
    }

    fn each(&self, see: &mut dyn FnMut(StoredContent) -> bool) -> io::Result<()> {
        Self::each(self, &mut |lying| {
            let written = lying.written.map(timestamp);
            see(StoredContent { digest: lying.digest, size: lying.size, written })
        })
    }

    fn arrange(&self, contents: &mut [RemovedContent]) {
        // Files have no place in a segment; by their digests they are in order of their directories.
        contents.sort_by_cached_key(|content| (self.segments.place_of(&content.digest), content.digest.clone()));
    }

    fn compact(&self) -> io::Result<()> {
        self.segments.compact().map(drop)
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl PastRemovals for History {
    fn reaches(&self, head: Head) -> bool {
        self.archive_so_far().is_ok_and(|archive| archive.reached().seq >= head.seq)
    }

    fn was_removed(&self, digest: &Digest, head: Head) -> Option<bool> {
        let archive = self.archive_so_far().ok().filter(|archive| archive.reached().seq >= head.seq)?;
        Removal::behind(&archive, 0, digest).ok().map(|removal| removal.is_some())
    }
}
