//! Upload sessions: blobs on their way in.
//!
//! A session is one file, `<uploads>/<id>.<repository>.<algorithm>`, where `<repository>` is the first 16 hex digits of
//! the BLAKE3 hash of the repository's name. The file is the truth: its length is the session's offset. So a session
//! belongs to one repository, survives the process, and needs no other record. After a power loss the bytes of a
//! session may be incomplete; the digest at its end then does not match, and the client begins again.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tagstone_replay::content::{ContentHasher, Layout};
use tagstone_replay::log::directory::{create_directory, naming};
use tagstone_schema::digest::{hex, unhex};
use tagstone_schema::{Algorithm, RepositoryName};

use super::blob_files::BlobFiles;
use super::claim::Claim;
use super::session::{Progress, Session};

/// Sessions kept in memory. One costs about half a KiB; beyond this number those that nobody uses are forgotten,
/// which costs their next user a lookup on disk, and a second reading of the bytes when the blob is finished.
const RESIDENT_SESSIONS: usize = 10_000;

/// How uploads are written.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Write large pieces past the page cache, where the file system can.
    pub direct_io: bool,
    /// Blobs up to this size go into segments, larger ones become files.
    pub small_blob_bytes: usize,
}

/// Something that is held for as long as a session is open, and dropped when it is finished, cancelled or given up.
pub type OpenFor = Box<dyn Any + Send>;

/// The name of an upload session: a random UUID (RFC 9562, version 4).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadId([u8; 16]);

/// What one pass over the abandoned sessions has done.
#[derive(Debug, Default)]
pub struct Expired {
    /// The sessions that are gone.
    pub removed: Vec<UploadId>,
    /// Those that could not be removed; the next pass tries again.
    pub failed: Vec<(UploadId, io::Error)>,
}

/// All upload sessions of a registry.
#[derive(Debug)]
pub struct Uploads {
    open: Arc<OpenSessions>,
}

/// What the sessions share.
#[derive(Debug)]
pub(super) struct OpenSessions {
    pub(super) settings: Settings,
    pub(super) blobs: BlobFiles,
    directory: PathBuf,
    resident: Mutex<HashMap<UploadId, Arc<Session>>>,
    /// Of sessions that were begun by this process. Those before it are open for nobody who is known.
    held: Mutex<HashMap<UploadId, OpenFor>>,
    count: AtomicUsize,
}

impl Uploads {
    /// Opens the sessions of a data directory; those of earlier processes go on.
    pub fn open(layout: &Layout, settings: Settings) -> io::Result<Self> {
        let directory = layout.uploads();
        create_directory(&directory)?;
        let open = OpenSessions {
            settings,
            blobs: BlobFiles::at(layout),
            directory,
            resident: Mutex::default(),
            held: Mutex::default(),
            count: AtomicUsize::new(0),
        };
        let names = open.names().map_err(naming("reading", &open.directory))?;
        open.count.store(names.len(), Ordering::Relaxed);
        Ok(Self { open: Arc::new(open) })
    }

    /// Begins a session. The algorithm is the one that its digest is expected to have; another costs a second reading.
    pub fn begin(&self, repository: &RepositoryName, algorithm: Algorithm, held: OpenFor) -> io::Result<UploadId> {
        self.begin_session(repository, algorithm, held).map(|session| session.id())
    }

    /// Begins a session for one request, whose client is never told of it: it ends with its claim, however that ends,
    /// also by a digest that does not match.
    pub fn begin_transient(
        &self,
        repository: &RepositoryName,
        algorithm: Algorithm,
        held: OpenFor,
    ) -> io::Result<Claim> {
        let session = self.begin_session(repository, algorithm, held)?;
        let claim = session.try_claim().ok_or_else(|| io::Error::other("a new upload session is in use already"))?;
        Ok(claim.into_transient())
    }

    fn begin_session(
        &self,
        repository: &RepositoryName,
        algorithm: Algorithm,
        held: OpenFor,
    ) -> io::Result<Arc<Session>> {
        let name = FileName { id: UploadId::random()?, repository: fingerprint(repository), algorithm };
        File::create_new(self.open.directory.join(name.to_string()))?;
        self.open.count.fetch_add(1, Ordering::Relaxed);
        self.open.held().insert(name.id, held);
        let progress = Progress { offset: 0, hasher: Some(Box::new(ContentHasher::new(algorithm))) };
        Ok(OpenSessions::insert(self.open.resident(), &self.open, &name, progress))
    }

    /// The session with this id in this repository, from memory or, after a restart, from its file.
    pub fn find(&self, repository: &RepositoryName, id: UploadId) -> io::Result<Option<Arc<Session>>> {
        let repository = fingerprint(repository);
        if let Some(session) = self.open.resident().get(&id) {
            return Ok((session.name().repository == repository && !session.is_closed()).then(|| session.clone()));
        }
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let name = FileName { id, repository: repository.clone(), algorithm };
            if let Some(session) = self.load(&name)? {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    /// Removes the sessions that nobody has touched for `older_than`. Sessions in use stay. One that cannot be removed
    /// keeps no other from it.
    pub fn expire(&self, older_than: Duration) -> io::Result<Expired> {
        let mut expired = Expired::default();
        for name in self.open.names()? {
            match self.expire_one(&name, older_than) {
                Ok(true) => expired.removed.push(name.id),
                Ok(false) => {}
                Err(error) => expired.failed.push((name.id, error)),
            }
        }
        Ok(expired)
    }

    fn expire_one(&self, name: &FileName, older_than: Duration) -> io::Result<bool> {
        if self.idle_time(name) < Some(older_than) {
            return Ok(false);
        }
        let Some(session) = self.load(name)? else {
            // It is gone meanwhile, or it was closed for ever and its file could not be removed then.
            return match fs::remove_file(self.open.directory.join(name.to_string())) {
                Ok(()) => {
                    self.open.forget(name.id);
                    Ok(true)
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            };
        };
        let Some(claim) = session.try_claim() else { return Ok(false) };
        // Judged again now that nobody else can touch it.
        let abandoned = self.idle_time(name) >= Some(older_than);
        if abandoned {
            claim.abort()?;
        }
        Ok(abandoned)
    }

    /// How many sessions are open, in memory or on disk.
    pub fn open_count(&self) -> usize {
        self.open.count.load(Ordering::Relaxed)
    }

    fn load(&self, name: &FileName) -> io::Result<Option<Arc<Session>>> {
        let resident = self.open.resident();
        if let Some(session) = resident.get(&name.id) {
            return Ok((!session.is_closed()).then(|| session.clone()));
        }
        // Read under the lock: a session leaves memory only after its file is gone, so a file that is seen here
        // belongs to a session that goes on.
        let offset = match fs::metadata(self.open.directory.join(name.to_string())) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let hasher = (offset == 0).then(|| Box::new(ContentHasher::new(name.algorithm)));
        Ok(Some(OpenSessions::insert(resident, &self.open, name, Progress { offset, hasher })))
    }

    /// How long ago the session's file was written; `None` if it is gone or the clock cannot tell.
    fn idle_time(&self, name: &FileName) -> Option<Duration> {
        let metadata = fs::metadata(self.open.directory.join(name.to_string())).ok()?;
        SystemTime::now().duration_since(metadata.modified().ok()?).ok()
    }
}

impl OpenSessions {
    /// Forgets a session whose file is gone.
    pub(super) fn forget(&self, id: UploadId) {
        if self.resident().remove(&id).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        let held = self.held().remove(&id);
        // Whatever it does when it is dropped, nobody waits for it.
        drop(held);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<UploadId, OpenFor>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(
        mut resident: MutexGuard<'_, HashMap<UploadId, Arc<Session>>>,
        open: &Arc<Self>,
        name: &FileName,
        progress: Progress,
    ) -> Arc<Session> {
        if resident.len() >= RESIDENT_SESSIONS {
            forget_idle(&mut resident);
        }
        let path = open.directory.join(name.to_string());
        let session = Arc::new(Session::new(name.clone(), path, progress, Arc::downgrade(open)));
        resident.insert(name.id, session.clone());
        session
    }

    fn resident(&self) -> MutexGuard<'_, HashMap<UploadId, Arc<Session>>> {
        self.resident.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of all session files. Other files are passed over.
    fn names(&self) -> io::Result<Vec<FileName>> {
        let mut names = Vec::new();
        for file in fs::read_dir(&self.directory)? {
            names.extend(file?.file_name().to_str().and_then(FileName::parse));
        }
        Ok(names)
    }
}

/// Drops the longer idle half of the sessions that nobody holds. A closed one that is still here has a file that must
/// not become a session again.
fn forget_idle(resident: &mut HashMap<UploadId, Arc<Session>>) {
    let mut idle: Vec<_> = resident
        .iter()
        .filter(|(_, session)| Arc::strong_count(session) == 1 && !session.is_closed())
        .map(|(id, session)| (session.idle_time(), *id))
        .collect();
    idle.sort_unstable_by_key(|(idle, _)| Reverse(*idle));
    for (_, id) in &idle[..idle.len().div_ceil(2)] {
        resident.remove(id);
    }
}

/// The name of a session's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) id: UploadId,
    pub(super) repository: String,
    pub(super) algorithm: Algorithm,
}

impl FileName {
    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let (id, repository, algorithm) = (parts.next()?, parts.next()?, parts.next()?);
        unhex::<8>(repository)?;
        let name = Self { id: id.parse().ok()?, repository: repository.to_owned(), algorithm: algorithm.parse().ok()? };
        parts.next().is_none().then_some(name)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.id, self.repository, self.algorithm.name())
    }
}

fn fingerprint(repository: &RepositoryName) -> String {
    hex(&blake3::hash(repository.as_str().as_bytes()).as_bytes()[..8])
}

impl UploadId {
    fn random() -> io::Result<Self> {
        let mut raw = [0; 16];
        getrandom::fill(&mut raw).map_err(|error| io::Error::other(error.to_string()))?;
        raw[6] = raw[6] & 0x0f | 0x40;
        raw[8] = raw[8] & 0x3f | 0x80;
        Ok(Self(raw))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex(&self.0);
        write!(f, "{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for UploadId {
    type Err = UploadIdError;

    fn from_str(text: &str) -> Result<Self, UploadIdError> {
        let id = unhex(&text.replace('-', "")).map(Self).ok_or(UploadIdError)?;
        // One spelling each, so that a session has one Location and one file.
        if id.to_string() == text { Ok(id) } else { Err(UploadIdError) }
    }
}

/// The text is no id of an upload session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the id of an upload: it must be a lower-case UUID")]
pub struct UploadIdError;

#[cfg(test)]
#[path = "uploads_tests.rs"]
mod tests;
