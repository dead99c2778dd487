//! The data directory as a whole: durable directories, and the lock that keeps a second process out.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Makes the entries of a directory durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a directory, with all directories above it that are missing, durably.
pub fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_directory(parent)?;
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_directory(path)?;
    sync_directory(parent)
}

/// Exclusive use of a data directory; given back when it is dropped, also by a crash.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Why a data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("the data directory is in use by {holder} (lock file {}); stop it first, or choose another directory", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote about itself.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("the lock file {} cannot be used: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirectoryLock {
    /// Takes the lock for this process, and says so in the file.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        try_lock(path, &mut file)?;
        file.set_len(0).map_err(failed)?;
        write!(file, "process {}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Checks that nobody has the lock, and keeps others out while the value lives. Nothing is written; a directory
    /// without a lock file was never in use.
    pub fn borrow(path: &Path) -> Result<Option<Self>, LockError> {
        match File::open(path) {
            Ok(mut file) => {
                try_lock(path, &mut file)?;
                Ok(Some(Self { _file: file }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LockError::Io { path: path.to_owned(), source }),
        }
    }
}

fn try_lock(path: &Path, file: &mut File) -> Result<(), LockError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The name of the holder only helps; without it the refusal stands all the same.
            let _ = file.take(256).read_to_string(&mut holder);
            let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
            Err(LockError::Held { path: path.to_owned(), holder })
        }
        Err(TryLockError::Error(source)) => Err(LockError::Io { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_holder_is_refused_and_told_who_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        assert!(DirectoryLock::borrow(&path).unwrap().is_none());
        let first = DirectoryLock::take(&path).unwrap();
        for refused in [DirectoryLock::take(&path).map(drop), DirectoryLock::borrow(&path).map(drop)] {
            let message = refused.unwrap_err().to_string();
            assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        }
        drop(first);
        DirectoryLock::take(&path).unwrap();
    }
}
