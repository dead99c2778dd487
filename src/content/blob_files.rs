//! Large blobs, one file each.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use tagstone_replay::content::Layout;
use tagstone_replay::log::directory::{create_directory, naming, sync_directory};
use tagstone_schema::{Algorithm, Digest};

use super::remove_if_there;

/// The files of large blobs.
#[derive(Clone, Debug)]
pub struct BlobFiles {
    pub(super) layout: Layout,
}

impl BlobFiles {
    /// Opens the blobs of a data directory. All directories are made and synced here, once, so that publishing a blob
    /// later needs the sync of one directory.
    pub fn open(layout: &Layout) -> io::Result<Self> {
        create_directory(&layout.blobs())?;
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let directory = layout.algorithm_directory(algorithm);
            create_directory(&directory)?;
            for first in 0..=u8::MAX {
                let child = directory.join(format!("{first:02x}"));
                if !child.is_dir() {
                    fs::create_dir(&child).map_err(naming("creating", &child))?;
                }
            }
            sync_directory(&directory)?;
        }
        sync_directory(&layout.blobs())?;
        Ok(Self::at(layout))
    }

    /// The blobs of a data directory that has been opened already.
    pub(super) fn at(layout: &Layout) -> Self {
        Self { layout: layout.clone() }
    }

    /// Gives the file at `temporary` its final name. Its content is verified and synced already.
    ///
    /// Publishing what is there already replaces the file by its equal, which mends one that has been damaged. The
    /// name is durable only after [`BlobFiles::sync_directories`], which has to be called in both cases.
    pub fn publish(&self, temporary: &Path, digest: &Digest) -> io::Result<()> {
        match fs::rename(temporary, self.layout.blob(digest)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.contains(digest) => Ok(()),
            result => result,
        }
    }

    /// Makes the names of these blobs durable: one sync for each directory.
    pub fn sync_directories(&self, digests: &[Digest]) -> io::Result<()> {
        let directories: BTreeSet<_> = digests.iter().map(|digest| self.layout.blob_directory(digest)).collect();
        directories.iter().try_for_each(|directory| sync_directory(directory))
    }

    /// The file of this blob and its size.
    pub fn open_blob(&self, digest: &Digest) -> io::Result<Option<(File, u64)>> {
        match File::open(self.layout.blob(digest)) {
            Ok(file) => {
                let size = file.metadata()?.len();
                Ok(Some((file, size)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether this blob is here.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.layout.blob(digest).is_file()
    }

    /// Removes these blobs durably: one sync for each directory. Those that are not here are passed over.
    ///
    /// Their files are cut first, so that the bytes are also gone for whoever reads them at this moment, and do not stay on the
    /// disk until he has read to the end.
    pub fn erase(&self, digests: &[Digest]) -> io::Result<()> {
        let (mut erased, mut failed) = (Vec::new(), Ok(()));
        for digest in digests {
            match Self::erase_file(&self.layout.blob(digest)) {
                Ok(true) => erased.push(digest.clone()),
                Ok(false) => {}
                // The others go all the same.
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        self.sync_directories(&erased)?;
        failed
    }

    /// Removes a file with what it holds. False if there is none.
    fn erase_file(path: &Path) -> io::Result<bool> {
        match OpenOptions::new().write(true).open(path) {
            // Dying behind this leaves an empty file, which no record refers to.
            Ok(file) => file.set_len(0)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        remove_if_there(path).map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use tagstone_replay::content::hash_of;

    use super::*;

    #[test]
    fn blobs_are_published_once_or_again_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        let blobs = BlobFiles::open(&layout).unwrap();
        let digests = [Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| hash_of(algorithm, b"blob"));
        let temporary = directory.path().join("temporary");
        for digest in &digests {
            assert!(!blobs.contains(digest));
            assert!(blobs.publish(&temporary, digest).is_err());
            for _ in 0..2 {
                fs::write(&temporary, b"blob").unwrap();
                blobs.publish(&temporary, digest).unwrap();
                assert!(!temporary.exists());
            }
            blobs.publish(&temporary, digest).unwrap();
            assert_eq!(blobs.open_blob(digest).unwrap().unwrap().1, 4);
        }
        blobs.sync_directories(&digests).unwrap();

        let blobs = BlobFiles::open(&layout).unwrap();
        for digest in &digests {
            assert!(blobs.contains(digest));
            let (mut held, _) = blobs.open_blob(digest).unwrap().unwrap();
            for _ in 0..2 {
                blobs.erase(std::slice::from_ref(digest)).unwrap();
                assert!(blobs.open_blob(digest).unwrap().is_none());
            }
            assert_eq!(io::read_to_string(&mut held).unwrap(), "", "nobody reads it any more");
            fs::write(&temporary, b"blob").unwrap();
            blobs.publish(&temporary, digest).unwrap();
        }
    }

    #[test]
    fn every_directory_is_there_after_opening() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        BlobFiles::open(&layout).unwrap();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            assert_eq!(fs::read_dir(layout.algorithm_directory(algorithm)).unwrap().count(), 256);
        }
    }
}
