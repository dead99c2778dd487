//! One upload session: bytes are appended by one request at a time, until a digest closes it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tagstone_replay::content::ContentHasher;
use tagstone_schema::Digest;

use super::claim::Claim;
use super::uploads::{FileName, OpenSessions, UploadId};

/// One upload session.
#[derive(Debug)]
pub struct Session {
    name: FileName,
    path: PathBuf,
    offset: AtomicU64,
    slot: Mutex<Slot>,
    open: Weak<OpenSessions>,
}

#[derive(Debug)]
enum Slot {
    Idle { progress: Progress, since: Instant },
    Claimed,
    Closed,
}

/// How far a session has come. Files are open only while somebody has claimed it.
pub(super) struct Progress {
    pub(super) offset: u64,
    /// Has seen exactly the bytes up to the offset; `None` for a session taken up again from its file.
    pub(super) hasher: Option<Box<ContentHasher>>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Progress({} bytes)", self.offset)
    }
}

/// A blob whose bytes hash to the digest that was asked for.
#[derive(Debug)]
pub enum Finished {
    /// The bytes of a small blob, not durable. They go to the writer; after the commit the session is removed with
    /// [`Claim::abort`]. If the claim is dropped instead, the session stays open.
    Small {
        /// The blob.
        bytes: Bytes,
        /// The session, still claimed.
        session: Claim,
    },
    /// The blob is a file in its final place. Its bytes are durable; its name is so after
    /// [`super::BlobFiles::sync_directories`]. The session is gone.
    File {
        /// Its size in bytes.
        size: u64,
    },
}

/// Why a session could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The bytes are not what the client says they are. The session goes on as it was, unless it is transient.
    #[error("the uploaded content hashes to {actual}, not to {expected}")]
    DigestMismatch {
        /// The digest that the client named.
        expected: Digest,
        /// What the bytes hash to.
        actual: Digest,
    },
    /// Reading, writing or syncing failed. After a failed sync the session is gone, since what the disk holds of it is
    /// unknown; after anything else it goes on.
    #[error("the upload could not be stored: {0}")]
    Io(#[from] io::Error),
}

impl Session {
    pub(super) fn new(name: FileName, path: PathBuf, progress: Progress, open: Weak<OpenSessions>) -> Self {
        let offset = AtomicU64::new(progress.offset);
        let slot = Mutex::new(Slot::Idle { progress, since: Instant::now() });
        Self { name, path, offset, slot, open }
    }

    /// The session's id.
    pub fn id(&self) -> UploadId {
        self.name.id
    }

    /// How many bytes have been appended. While the session is claimed this may grow at any time.
    pub fn offset(&self) -> u64 {
        self.offset.load(Ordering::Acquire)
    }

    /// Exclusive use of the session; `None` while another request has it, or when it is closed.
    pub fn try_claim(self: &Arc<Self>) -> Option<Claim> {
        let mut slot = self.slot();
        match std::mem::replace(&mut *slot, Slot::Claimed) {
            Slot::Idle { progress, .. } => Some(Claim::new(self.clone(), progress)),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Whether the session has been finished or aborted, and will never be claimed again.
    pub fn is_closed(&self) -> bool {
        matches!(*self.slot(), Slot::Closed)
    }

    pub(super) fn name(&self) -> &FileName {
        &self.name
    }

    pub(super) fn idle_time(&self) -> Duration {
        match &*self.slot() {
            Slot::Idle { since, .. } => since.elapsed(),
            Slot::Claimed | Slot::Closed => Duration::MAX,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn open_sessions(&self) -> io::Result<Arc<OpenSessions>> {
        self.open.upgrade().ok_or_else(|| io::Error::other("the store of uploads has been closed"))
    }

    pub(super) fn set_offset(&self, offset: u64) {
        self.offset.store(offset, Ordering::Release);
    }

    /// Ends a claim: the session is idle again, or closed where no progress is given back.
    pub(super) fn release(&self, progress: Option<Progress>) {
        *self.slot() = match progress {
            Some(progress) => Slot::Idle { progress, since: Instant::now() },
            None => Slot::Closed,
        };
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
