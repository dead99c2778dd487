//! What lies on the disk, gone through without holding up those who push and pull.

use std::fs;
use std::io;
use std::time::SystemTime;

use tagstone_replay::content::segment::{Entry, State};
use tagstone_replay::content::sidecar;
use tagstone_schema::{Algorithm, Digest};

use super::blob_files::BlobFiles;
use super::segments::SegmentStore;
use super::{ContentStore, Lying};

impl ContentStore {
    /// Goes through all content, as long as `see` says so. What comes or goes meanwhile may be seen or not; what lies in two places
    /// may be seen twice.
    pub fn each(&self, see: &mut dyn FnMut(Lying) -> bool) -> io::Result<()> {
        if self.segments.each(see)? {
            self.blobs.each(see)?;
        }
        Ok(())
    }

    /// How many bytes content has, if it is here.
    pub fn len_of(&self, digest: &Digest) -> Option<u64> {
        self.segments.len_of(digest).or_else(|| self.blobs.len_of(digest))
    }
}

impl SegmentStore {
    /// A segment at a time, from its sidecar: the catalogue of a large registry would be locked for too long.
    fn each(&self, see: &mut dyn FnMut(Lying) -> bool) -> io::Result<bool> {
        let (active, entries) = {
            let appender = self.appender()?;
            (appender.active.number, appender.active.entries.clone())
        };
        let sealed: Vec<_> = {
            let shared = self.read_shared();
            shared.segments.iter().map(|(number, segment)| (*number, segment.file.clone())).collect()
        };
        for (number, file) in sealed.into_iter().filter(|(number, _)| *number < active) {
            let (entries, _) = sidecar::entries(&self.layout, number, &file)?;
            if !self.see_live(&entries, see) {
                return Ok(false);
            }
        }
        Ok(self.see_live(&entries, see))
    }

    fn see_live(&self, entries: &[Entry], see: &mut dyn FnMut(Lying) -> bool) -> bool {
        // What does not verify may hold bytes of the content all the same.
        let lying = entries.iter().filter(|entry| entry.state != State::Erased);
        lying.map(|entry| Lying { digest: entry.digest.clone(), size: entry.length.into(), written: None }).all(see)
    }
}

impl BlobFiles {
    fn each(&self, see: &mut dyn FnMut(Lying) -> bool) -> io::Result<()> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for directory in fs::read_dir(self.layout.algorithm_directory(algorithm))? {
                let directory = directory?;
                if !directory.file_type()?.is_dir() {
                    continue;
                }
                for file in fs::read_dir(directory.path())? {
                    let file = file?;
                    let name = file.file_name();
                    // What has another name was not put there by this program.
                    let Some(digest) = name.to_str().and_then(|hex| format!("{}:{hex}", algorithm.name()).parse().ok())
                    else {
                        continue;
                    };
                    // It may have gone in this moment.
                    let Ok(metadata) = file.metadata() else { continue };
                    let written: Option<SystemTime> = metadata.modified().ok();
                    if !see(Lying { digest, size: metadata.len(), written }) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn len_of(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.layout.blob(digest)).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use tagstone_replay::content::{Layout, hash_of};

    use super::super::Settings;
    use super::*;

    fn seen(store: &ContentStore) -> BTreeMap<Digest, u64> {
        let mut seen = BTreeMap::new();
        store
            .each(&mut |lying| {
                seen.insert(lying.digest, lying.size);
                true
            })
            .unwrap();
        seen
    }

    #[test]
    fn all_that_lies_on_the_disk_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        let settings = Settings { direct_io: false, small_blob_bytes: 4 };
        let store = ContentStore::open(&layout, settings, 0).unwrap();
        let store = ContentStore { segments: SegmentStore::open_with(&layout, 1024).unwrap(), ..store };
        let mut expected = BTreeMap::new();
        for n in 0..40u8 {
            let bytes = vec![n; 200 + usize::from(n)];
            let digest = hash_of(if n % 2 == 0 { Algorithm::Sha256 } else { Algorithm::Sha512 }, &bytes);
            expected.insert(digest.clone(), bytes.len() as u64);
            if n % 3 == 0 {
                let temporary = directory.path().join("temporary");
                fs::write(&temporary, &bytes).unwrap();
                store.blobs.publish(&temporary, &digest).unwrap();
            } else {
                store.segments.append(&[(digest, Bytes::from(bytes))]).unwrap();
            }
        }
        fs::write(layout.algorithm_directory(Algorithm::Sha256).join("00/a file of somebody else"), b"").unwrap();
        assert!(fs::read_dir(layout.segments()).unwrap().count() > 5, "there are several segments");
        assert_eq!(seen(&store), expected);
        let gone: Vec<_> = expected.keys().step_by(2).cloned().collect();
        store.erase(&gone).unwrap();
        for digest in &gone {
            assert_eq!(store.len_of(digest), None);
            expected.remove(digest);
        }
        assert_eq!(seen(&store), expected);
        assert!(expected.iter().all(|(digest, size)| store.len_of(digest) == Some(*size)));
        let mut count = 0;
        store
            .each(&mut |_| {
                count += 1;
                count < 3
            })
            .unwrap();
        assert_eq!(count, 3, "who has seen enough is not told more");
    }
}
