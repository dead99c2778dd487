//! The bytes of blobs and manifests on disk: written durably, read by digest, verified both ways.
//!
//! Small content (manifests, small blobs) is appended to segments, many pieces with one sync ([`segments`]); large
//! blobs are files ([`blob_files`]). Bytes arrive through upload sessions ([`uploads`]) or in one piece ([`small`]).
//! All of it is blocking and belongs off the network's threads.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use tagstone_replay::content::Layout;
use tagstone_replay::log::directory::create_directory;
use tagstone_schema::Digest;

mod active;
pub mod aligned_buffer;
pub mod blob_files;
pub mod claim;
mod compaction;
mod erasure;
mod inventory;
pub mod manifest_cache;
pub mod segments;
pub mod session;
pub mod small;
pub mod uploads;

pub use aligned_buffer::AlignedBuffer;
pub use blob_files::BlobFiles;
pub use claim::Claim;
pub use manifest_cache::ManifestCache;
pub use segments::SegmentStore;
pub use session::{FinishError, Finished, Session};
pub use uploads::{Expired, OpenFor, Settings, UploadId, Uploads};

/// All content of a registry.
#[derive(Debug)]
pub struct ContentStore {
    /// Small content.
    pub segments: SegmentStore,
    /// Large blobs.
    pub blobs: BlobFiles,
    /// What is being uploaded.
    pub uploads: Uploads,
    /// Manifests that were read lately.
    pub manifests: ManifestCache,
}

/// Content that lies on the disk.
#[derive(Clone, Debug)]
pub struct Lying {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, where the file tells.
    pub written: Option<SystemTime>,
}

/// Content that was found. Dropping it closes its file; a file that is removed meanwhile can still be read to its end.
#[derive(Debug)]
pub enum Opened {
    /// Small content as a whole, verified.
    Small(Bytes),
    /// The file of a large blob and its size. It was verified before it was stored, and is not read here.
    File(File, u64),
}

impl ContentStore {
    /// Opens the content of a data directory, and makes the directories that are missing. The caller holds the data
    /// directory's lock. Of manifests at most `cache_bytes` are kept in memory.
    pub fn open(layout: &Layout, settings: Settings, cache_bytes: u64) -> io::Result<Self> {
        create_directory(layout.root())?;
        Ok(Self {
            segments: SegmentStore::open(layout)?,
            blobs: BlobFiles::open(layout)?,
            uploads: Uploads::open(layout, settings)?,
            manifests: ManifestCache::new(cache_bytes),
        })
    }

    /// The content with this digest.
    pub fn open_content(&self, digest: &Digest) -> io::Result<Option<Opened>> {
        if let Some(bytes) = self.segments.read(digest)? {
            return Ok(Some(Opened::Small(bytes)));
        }
        Ok(self.blobs.open_blob(digest)?.map(|(file, size)| Opened::File(file, size)))
    }

    /// Whether the content with this digest is there.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.segments.contains(digest) || self.blobs.contains(digest)
    }

    /// The bytes of a manifest, verified when they came from the disk.
    pub fn read_manifest(&self, digest: &Digest) -> io::Result<Option<Bytes>> {
        let reading = self.manifests.reading();
        let bytes = self.segments.read(digest)?;
        if let Some(bytes) = &bytes {
            self.manifests.add(digest, bytes, reading);
        }
        Ok(bytes)
    }

    /// Removes the bytes of these contents, wherever they lie. When this returns they are gone durably, and nobody reads them any
    /// more, also who was in the middle of it. What is not here is passed over. After an error or a crash it can be repeated.
    pub fn erase(&self, digests: &[Digest]) -> io::Result<()> {
        // What can be removed is, also where something else cannot.
        let (segments, files) = (self.segments.erase(digests), self.blobs.erase(digests));
        self.manifests.forget(digests);
        segments.map(drop).and(files)
    }
}

/// Removes a file; one that is not there is no error.
fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tagstone_replay::content::{ContentReader, hash_of};
    use tagstone_schema::Algorithm;

    use super::*;

    #[test]
    fn a_failed_start_names_the_path() {
        let sha512 = Layout::new("").algorithm_directory(Algorithm::Sha512);
        let segment = Layout::new("").segment(1);
        let in_the_way = [
            ("segments", "a file"),
            ("blobs", "a file"),
            (sha512.to_str().unwrap(), "a file"),
            ("blobs/sha256/a7", "a file"),
            ("uploads", "a file"),
            (segment.to_str().unwrap(), "a directory"),
        ];
        for (name, what) in in_the_way {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if what == "a file" {
                fs::write(&path, b"").unwrap();
            } else {
                fs::create_dir(&path).unwrap();
            }
            let settings = Settings { direct_io: false, small_blob_bytes: 4 };
            let error = ContentStore::open(&Layout::new(directory.path()), settings, 0).unwrap_err();
            assert!(error.to_string().contains(&format!("ing {}: ", path.display())), "{error}");
        }
    }

    #[test]
    fn content_is_found_wherever_it_lies() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().join("new/data"));
        let settings = Settings { direct_io: false, small_blob_bytes: 4 };
        let store = ContentStore::open(&layout, settings, 1 << 20).unwrap();
        let small = hash_of(Algorithm::Sha256, b"tiny");
        let large = hash_of(Algorithm::Sha512, b"large blob");
        let missing = hash_of(Algorithm::Sha256, b"missing");

        store.segments.append(&[(small.clone(), Bytes::from_static(b"tiny"))]).unwrap();
        let temporary = layout.root().join("temporary");
        fs::write(&temporary, b"large blob").unwrap();
        store.blobs.publish(&temporary, &large).unwrap();

        assert!(matches!(store.open_content(&small).unwrap(), Some(Opened::Small(bytes)) if bytes == "tiny"));
        assert!(matches!(store.open_content(&large).unwrap(), Some(Opened::File(_, 10))));
        assert!(store.open_content(&missing).unwrap().is_none());
        assert_eq!([&small, &large, &missing].map(|digest| store.contains(digest)), [true, true, false]);

        let reader = ContentReader::open(&layout).unwrap();
        reader.check(&small, 4).unwrap();
        reader.check(&large, 10).unwrap();
        let problems =
            [(reader.check(&missing, 1), "is missing"), (reader.check(&small, 5), "has 4 bytes where 5 are recorded")];
        for (problem, want) in problems {
            let message = problem.unwrap_err().to_string();
            assert!(message.contains(want), "{message}");
        }
        fs::write(layout.blob(&large), &b"forged bytes"[..10]).unwrap();
        assert!(reader.check(&large, 10).unwrap_err().to_string().contains("has changed"));
        assert_eq!(reader.read(&large).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
