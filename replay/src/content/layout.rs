//! The paths of everything in a data directory.

use std::path::{Path, PathBuf};

use tagstone_schema::{Algorithm, Digest};

/// The paths below one data directory. Asking for a path creates nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the data directory `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The data directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file whose lock a running registry holds.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The directory of the log.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The file with the last durable position of the log.
    pub fn anchor(&self) -> PathBuf {
        self.root.join("anchor")
    }

    /// The directory of the index of the audit, which can be made anew from the log.
    pub fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// The file with a snapshot of the state, which can be made anew from the log.
    pub fn snapshot(&self) -> PathBuf {
        self.root.join("snapshot")
    }

    /// What clients were told, between a clean stop and the next start.
    pub fn promises(&self) -> PathBuf {
        self.root.join("promises")
    }

    /// The directory of the segments, which hold small content.
    pub fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    /// The segment with this number.
    pub fn segment(&self, number: u32) -> PathBuf {
        self.segments().join(format!("{number:010}.seg"))
    }

    /// The sidecar index of the segment with this number.
    pub fn sidecar(&self, number: u32) -> PathBuf {
        self.segments().join(format!("{number:010}.idx"))
    }

    /// The directory of all large blobs.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// The directory of the large blobs whose digests use one algorithm.
    pub fn algorithm_directory(&self, algorithm: Algorithm) -> PathBuf {
        self.blobs().join(algorithm.name())
    }

    /// The directory that holds the file of a large blob.
    pub fn blob_directory(&self, digest: &Digest) -> PathBuf {
        let first = digest.raw().first().copied().unwrap_or_default();
        self.algorithm_directory(digest.algorithm()).join(format!("{first:02x}"))
    }

    /// The file of a large blob.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.blob_directory(digest).join(digest.hex())
    }

    /// The directory of the open uploads.
    pub fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }
}

/// The number in a segment's file name; `None` for the name of any other file.
pub fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_documented_layout() {
        let layout = Layout::new("/data");
        let sha256 = Digest::sha256([0xab; 32]);
        let sha512 = Digest::sha512([0x01; 64]);
        let cases = [
            (layout.lock(), "/data/lock".to_owned()),
            (layout.log(), "/data/log".to_owned()),
            (layout.anchor(), "/data/anchor".to_owned()),
            (layout.index(), "/data/index".to_owned()),
            (layout.snapshot(), "/data/snapshot".to_owned()),
            (layout.segment(7), "/data/segments/0000000007.seg".to_owned()),
            (layout.sidecar(7), "/data/segments/0000000007.idx".to_owned()),
            (layout.blob(&sha256), format!("/data/blobs/sha256/ab/{}", "ab".repeat(32))),
            (layout.blob(&sha512), format!("/data/blobs/sha512/01/{}", "01".repeat(64))),
            (layout.uploads(), "/data/uploads".to_owned()),
        ];
        for (path, want) in cases {
            assert_eq!(path, PathBuf::from(want));
        }
    }

    #[test]
    fn only_segment_names_have_a_number() {
        assert_eq!(segment_number("0000000012.seg"), Some(12));
        for name in ["12.seg", "0000000012.idx", "00000000+1.seg", "9999999999.seg", ".seg", ""] {
            assert_eq!(segment_number(name), None, "{name}");
        }
    }
}
