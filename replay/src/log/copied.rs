//! A log that is read without a byte of it being changed.
//!
//! sled writes to its files when it is merely opened: it truncates a torn tail, marks segments free, writes a snapshot.
//! So records are read [without it](super::untouched) where its file is as a stopped registry leaves it. Anywhere else the directory is
//! copied, and sled opens the copy. Where sled cannot open it, cannot read on, or shows fewer records than the
//! anchor names, the records are read past sled, from the bytes of the original, as far as they are proved.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tagstone_schema::{Head, Record, RecordHash, Seq};
use tempfile::TempDir;

use super::open_error::OpenError;
use super::patched::Patched;
use super::salvage::{Missing, Salvage};
use super::tree::{Options, RecordTree, Upkeep, unwinding};
use super::untouched::{Untouched, not_for_sled};
use super::{RecordBytes, StoredRecord};

/// The directory of a log, opened for reading.
pub struct CopiedLog {
    log: PathBuf,
    /// None where sled has to look at it.
    untouched: Option<Untouched>,
    /// The copy, once sled was needed, or why there is none.
    copy: OnceLock<Result<OpenCopy, String>>,
    anchor: Option<Head>,
    /// What is found in the bytes of the original, once it was searched.
    salvage: OnceLock<Option<Salvage>>,
    damage: Mutex<Option<Damage>>,
}

/// The copy of a log's directory, opened. It is removed when the value is dropped.
struct OpenCopy {
    /// Dropped before the directory that it lies in; none only while that happens, or why sled cannot open it.
    tree: Option<Result<RecordTree, String>>,
    _directory: TempDir,
}

/// What sled cannot do.
enum Damage {
    /// It cannot open the log.
    Closed { why: String },
    /// It does not show these records, which were read past it.
    Past { why: String, first: Seq, last: Seq },
    /// It does not show this record, and past it not enough is found.
    Lost { seq: Seq, missing: Missing },
}

/// Why there is no copy to read.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The directory for temporary files is too full.
    #[error(
        "a copy of the log needs {needed} bytes, but {} has {free} bytes free; set TMPDIR to a directory with more room",
        directory.display()
    )]
    NoRoom {
        /// The directory for temporary files.
        directory: PathBuf,
        /// The size of the log.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// The log could not be read, or the copy not be written.
    #[error("copying {} failed: {source}", path.display())]
    Io {
        /// The file that was being copied.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl CopiedLog {
    /// Opens the directory of a log. One that sled cannot open is no error here. `anchor` is what stands outside of the log about
    /// its end.
    pub fn of(log: &Path, anchor: Option<Head>) -> Result<Self, CopyError> {
        let untouched = Untouched::open(log);
        let needs_copy = untouched.is_none();
        let (copy, salvage, damage) = (OnceLock::new(), OnceLock::new(), Mutex::new(None));
        let opened = Self { log: log.to_owned(), untouched, copy, anchor, salvage, damage };
        if needs_copy {
            let copy = OpenCopy::of(log)?;
            opened.copy.get_or_init(|| Ok(opened.noted(copy)));
        }
        Ok(opened)
    }

    /// Notes what is wrong with a copy.
    fn noted(&self, copy: OpenCopy) -> OpenCopy {
        if let Some(Err(why)) = &copy.tree {
            *self.known_damage() = Some(Damage::Closed { why: why.clone() });
        }
        copy
    }

    /// The stored bytes of the records from `from` on, in order. Nothing about them is verified.
    pub fn read(&self, from: Seq) -> RecordBytes<'_> {
        Box::new(Patched::new(self, from.max(1)))
    }

    /// Why no copy could be made of a log that turned out to need one. It is known once its records were read.
    pub fn uncopied(&self) -> Option<String> {
        self.copy.get()?.as_ref().err().cloned()
    }

    /// What is wrong with what keeps the records, and from which of them on. It is known once they were read.
    pub fn damage(&self) -> Option<(Seq, String)> {
        Some(match self.known_damage().as_ref()? {
            Damage::Closed { why } => (1, format!("sled cannot open the log ({why})")),
            Damage::Past { why, first, last } => {
                let what = format!(
                    "sled cannot read the log ({why}). The records {first} to {last} were read past it, from the bytes of its \
                     file; the hash of each is named by the next one, or by the anchor"
                );
                (*first, what)
            }
            Damage::Lost { seq, missing } => (*seq, format!("sled does not show record {seq}; {missing}")),
        })
    }

    fn known_damage(&self) -> MutexGuard<'_, Option<Damage>> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the record `seq` was read past sled, as the first or one more.
    pub(super) fn note_past_sled(&self, seq: Seq, why: &str) {
        let mut damage = self.known_damage();
        let why = match &mut *damage {
            Some(Damage::Past { last, .. }) => {
                *last = seq.max(*last);
                return;
            }
            Some(Damage::Closed { why }) => std::mem::take(why),
            Some(Damage::Lost { .. }) | None => why.to_owned(),
        };
        *damage = Some(Damage::Past { why, first: seq, last: seq });
    }

    /// Notes that sled shows nothing where the record `seq` should be, and past it not enough is found.
    pub(super) fn note_lost(&self, seq: Seq, missing: Missing) {
        // What has left no trace is only missing, which is seen without this.
        if missing > Missing::Before {
            self.known_damage().get_or_insert(Damage::Lost { seq, missing });
        }
    }

    /// Whether records up to this one are known to have been there.
    pub(super) fn reached_to(&self, seq: Seq) -> bool {
        self.anchor.is_some_and(|anchor| seq <= anchor.seq)
    }

    /// The records as they lie in the file, from the first one on, where that can be read without sled.
    pub(super) fn in_file(&self) -> Option<RecordBytes<'_>> {
        self.untouched.as_ref().map(Untouched::read)
    }

    /// The records as sled reads them, or why it cannot.
    pub(super) fn in_sled(&self, from: Seq) -> Result<RecordBytes<'_>, &str> {
        let copied = || OpenCopy::of(&self.log).map(|copy| self.noted(copy)).map_err(|error| error.to_string());
        match self.copy.get_or_init(copied) {
            Ok(OpenCopy { tree: Some(Ok(tree)), .. }) => Ok(tree.read(from)),
            Ok(OpenCopy { tree: Some(Err(why)), .. }) | Err(why) => Err(why),
            Ok(OpenCopy { tree: None, .. }) => Err("it is closed"),
        }
    }

    /// The record behind `head`, read past sled.
    pub(super) fn past_sled(&self, head: &Head) -> Result<(StoredRecord, Head), Missing> {
        let search = || Salvage::of(&self.log.join("db"), self.anchor).ok();
        self.salvage.get_or_init(search).as_ref().ok_or(Missing::Unreadable)?.next(head)
    }

    /// The head of the log up to a record, by whatever way it is read.
    pub(super) fn head_at(&self, seq: Seq) -> Result<Head, Missing> {
        if seq == 0 {
            return Ok(Head::default());
        }
        let in_sled = self.in_sled(seq).ok().and_then(|mut records| records.next()?.ok());
        if let Some(stored) = in_sled.filter(|stored| stored.seq == seq) {
            let time = Record::decode(&stored.bytes).map_err(|_| Missing::Before)?.time;
            return Ok(Head { seq, hash: RecordHash::of(&stored.bytes), time });
        }
        let mut head = Head::default();
        while head.seq < seq {
            head = match self.past_sled(&head) {
                Ok((_, head)) => head,
                Err(Missing::Unreadable) => return Err(Missing::Unreadable),
                Err(_) => return Err(Missing::Before),
            };
        }
        Ok(head)
    }
}

impl OpenCopy {
    fn of(log: &Path) -> Result<Self, CopyError> {
        let failed = |source| CopyError::Io { path: log.to_owned(), source };
        let directory = tempfile::Builder::new().prefix("tagstone-replay-").tempdir().map_err(failed)?;
        let needed = size_of_directory(log).map_err(failed)?;
        let free = rustix::fs::statvfs(directory.path()).map_err(|error| failed(error.into()))?;
        let free = free.f_bavail.saturating_mul(free.f_frsize);
        if free < needed {
            return Err(CopyError::NoRoom { directory: std::env::temp_dir(), needed, free });
        }
        copy_directory(log, directory.path())?;
        let tree = match not_for_sled(directory.path()) {
            Ok(Some(why)) => Err(why),
            // What cannot be read, sled is to say.
            Ok(None) | Err(_) => opened(directory.path()),
        };
        Ok(Self { tree: Some(tree), _directory: directory })
    }
}

fn opened(copy: &Path) -> Result<RecordTree, String> {
    let options = Options { upkeep: Upkeep::None, ..Options::default() };
    RecordTree::open(copy, options).map_err(|error| match error {
        OpenError::Unusable { why, .. } => why,
        other => other.to_string(),
    })
}

impl Drop for OpenCopy {
    fn drop(&mut self) {
        // On a damaged file sled may give up in its own destructor too; nothing depends on the copy any more.
        let _ = unwinding(|| drop(self.tree.take()));
    }
}

fn size_of_directory(directory: &Path) -> io::Result<u64> {
    fs::read_dir(directory)?.try_fold(0, |sum, entry| {
        let (entry, own) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        Ok(sum + if own.is_dir() { size_of_directory(&entry)? } else { file_length(&entry).unwrap_or(0) })
    })
}

/// The length of a file, also of one that lies elsewhere: a server follows links too.
fn file_length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

fn copy_directory(from: &Path, to: &Path) -> Result<(), CopyError> {
    let failed = |path: &Path, source| CopyError::Io { path: path.to_owned(), source };
    for entry in fs::read_dir(from).map_err(|error| failed(from, error))? {
        let entry = entry.map_err(|error| failed(from, error))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(|error| failed(&path, error))?;
        if kind.is_dir() {
            fs::create_dir(&target).map_err(|error| failed(&path, error))?;
            copy_directory(&path, &target)?;
        } else if file_length(&path).is_some() {
            // Permissions are not copied: evidence is often read-only, and sled opens the copy for writing.
            let copied =
                fs::File::open(&path).and_then(|mut source| io::copy(&mut source, &mut fs::File::create(&target)?));
            copied.map_err(|error| failed(&path, error))?;
        }
    }
    Ok(())
}
