//! Disk space that is kept free.
//!
//! What the log needs to go on is taken from it: a deletion frees space and is a record itself, so a registry that let
//! blobs take the last byte could not be tidied up. It is looked at for each request, which costs about a microsecond.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

/// How much of a file system is kept free.
#[derive(Clone, Debug)]
pub struct FreeSpace {
    directory: PathBuf,
    keep_bytes: u64,
    keep_percent: u64,
}

/// A file system as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that the registry may still use.
    pub available: u64,
    /// Bytes of these that are kept free.
    pub kept: u64,
}

impl FreeSpace {
    /// Of the file system that holds the directory, `bytes` are kept free, or `percent` of it where that is less.
    pub fn new(directory: &Path, bytes: u64, percent: u64) -> Self {
        Self { directory: directory.to_owned(), keep_bytes: bytes, keep_percent: percent }
    }

    /// Looks at the file system.
    pub fn measure(&self) -> io::Result<Disk> {
        let found = statvfs(&self.directory)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        let share = u128::from(bytes(found.f_blocks)) * u128::from(self.keep_percent) / 100;
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        Ok(Disk { available: bytes(found.f_bavail), kept: self.keep_bytes.min(share) })
    }
}

impl Disk {
    /// Whether so many bytes can be stored without touching what is kept free.
    pub fn has_room_for(self, bytes: u64) -> bool {
        self.available.checked_sub(self.kept).is_some_and(|room| bytes <= room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_at_the_limit() {
        let disk = |available, kept| Disk { available, kept };
        for (disk, bytes, has_room) in [
            (disk(100, 40), 60, true),
            (disk(100, 40), 61, false),
            (disk(40, 40), 0, true),
            (disk(40, 40), 1, false),
            (disk(39, 40), 0, false),
            (disk(0, 0), 0, true),
            (disk(0, 0), 1, false),
            (disk(u64::MAX, 1), u64::MAX, false),
        ] {
            assert_eq!(disk.has_room_for(bytes), has_room, "{disk:?} {bytes}");
        }
    }

    #[test]
    fn the_smaller_of_both_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let kept = |bytes, percent| FreeSpace::new(directory.path(), bytes, percent).measure().unwrap().kept;
        assert_eq!((kept(0, 100), kept(1 << 50, 0), kept(4096, 100)), (0, 0, 4096));
        let whole = kept(u64::MAX, 100);
        assert!(whole > 0);
        assert!(kept(u64::MAX, 50).abs_diff(whole / 2) <= 1);
        let disk = FreeSpace::new(directory.path(), u64::MAX, 100).measure().unwrap();
        assert!(disk.available <= disk.kept, "nobody has more than the whole disk");
        assert!(FreeSpace::new(&directory.path().join("missing"), 0, 0).measure().is_err());
    }
}
