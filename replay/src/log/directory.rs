//! The data directory as a whole: durable directories, and the lock that keeps a second process out.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

/// How often an opening is tried that finds no file descriptor free, and the pause between two attempts: 5 s in all.
const ATTEMPTS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// Makes the entries of a directory durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    open_patiently(|| File::open(path)).and_then(|directory| directory.sync_all()).map_err(naming("syncing", path))
}

/// Makes a directory, with all directories above it that are missing, durably.
pub fn create_directory(path: &Path) -> io::Result<()> {
    create_with(path, &DirBuilder::new())
}

/// The same for one whose content is nobody's but this user's: nobody else may enter what is made. One that is there is
/// left as it is.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    create_with(path, DirBuilder::new().mode(0o700))
}

fn create_with(path: &Path, builder: &DirBuilder) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !path.is_dir() {
        create_directory(parent)?;
        match builder.create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(naming("creating", path)(error)),
            Err(_) if !path.is_dir() => {
                let why = io::Error::new(io::ErrorKind::NotADirectory, "it is a file, not a directory");
                return Err(naming("creating", path)(why));
            }
            _ => {}
        }
    }
    // Also where it was there already: an earlier process may have died between creating and syncing.
    sync_directory(path)?;
    match sync_directory(parent) {
        // A directory that this user may enter but not read (mode 0711) was made by somebody else for this purpose. It
        // cannot be opened, and so not be synced; refusing to start would not make its entries any more durable.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// Opens something; while the process or the system has no file descriptor left, again and again for five seconds.
///
/// That nothing could be opened says nothing about what the disk holds, unlike a failed write or sync, and ends as
/// soon as some connection does. Nothing was created then: the descriptor comes first.
pub fn open_patiently<T>(open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    retried(open, || std::thread::sleep(PAUSE))
}

fn retried<T>(mut open: impl FnMut() -> io::Result<T>, mut pause: impl FnMut()) -> io::Result<T> {
    for _ in 1..ATTEMPTS {
        match open() {
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::MFILE | Errno::NFILE)) => pause(),
            result => return result,
        }
    }
    open()
}

/// Says in an error what was being done, and to which path. Its kind stays.
pub fn naming<'a>(doing: &'a str, path: &'a Path) -> impl Fn(io::Error) -> io::Error + 'a {
    move |error| io::Error::new(error.kind(), format!("{doing} {}: {error}", path.display()))
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
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn directories_are_made_and_errors_name_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b/c");
        for _ in 0..2 {
            create_directory(&deep).unwrap();
            assert!(deep.is_dir());
        }
        let file = directory.path().join("file");
        std::fs::write(&file, b"").unwrap();
        for wrong in [file.clone(), file.join("below")] {
            let error = create_directory(&wrong).unwrap_err();
            let said = format!("creating {}: it is a file, not a directory", file.display());
            assert_eq!(error.to_string(), said);
        }
        let missing = directory.path().join("missing");
        let error = sync_directory(&missing).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains(&missing.display().to_string()), "{error}");
    }

    #[test]
    fn a_private_directory_is_made_for_one_user_and_one_that_is_there_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("above/data");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        create_private_directory(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_ne!(mode(path.parent().unwrap()), 0o700);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o750)).unwrap();
        create_private_directory(&path).unwrap();
        assert_eq!(mode(&path), 0o750);
    }

    /// As root every directory can be read, and this shows nothing.
    #[test]
    fn a_parent_that_can_only_be_entered_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parent/data");
        create_directory(&path).unwrap();
        let mode = |mode| std::fs::set_permissions(path.parent().unwrap(), PermissionsExt::from_mode(mode)).unwrap();
        mode(0o311);
        let made = create_directory(&path);
        mode(0o755);
        made.unwrap();
    }

    #[test]
    fn opening_waits_for_a_descriptor_and_for_nothing_else() {
        let cases: [(Errno, u32, bool, u32); 5] = [
            (Errno::MFILE, 3, true, 4),
            (Errno::NFILE, ATTEMPTS - 1, true, ATTEMPTS),
            (Errno::MFILE, ATTEMPTS, false, ATTEMPTS),
            (Errno::IO, 1, false, 1),
            (Errno::NOSPC, 1, false, 1),
        ];
        for (errno, failures, succeeds, attempts) in cases {
            let (mut made, mut pauses) = (0, 0);
            let opened = retried(
                || {
                    made += 1;
                    if made <= failures { Err(io::Error::from(errno)) } else { Ok(()) }
                },
                || pauses += 1,
            );
            assert_eq!(
                (opened.is_ok(), made, pauses),
                (succeeds, attempts, attempts - 1),
                "{errno:?} {failures} times"
            );
        }
    }

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
