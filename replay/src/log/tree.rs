//! The sled tree that holds the records.
//!
//! sled panics on some damaged files, when it opens them and when it reads on. Every call into it that meets bytes from
//! the disk runs under `catch_unwind` here, and a panic becomes an error.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tagstone_schema::{EncodedRecord, Seq};

use super::directory::create_directory;
use super::open_error::OpenError;
use super::pages::{Joined, first_key, key_behind, pages_of};
use super::{RecordBytes, StoreError};

pub(super) const TREE: &str = "log";

/// How the log is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes that sled may use as a cache. The log is written once and read at the start, so little serves.
    pub cache_bytes: u64,
    /// Whether sled tidies up its file.
    pub upkeep: Upkeep,
}

/// What sled does to its file while nobody writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// Every half second it writes what is left of segments that have gaps elsewhere.
    Steady,
    /// Nothing: the file is thrown away when it was read.
    None,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 8 * 1024 * 1024, upkeep: Upkeep::Steady }
    }
}

/// Records in sled, not yet verified. Clones are the same tree.
#[derive(Clone)]
pub(super) struct RecordTree {
    db: sled::Db,
    tree: sled::Tree,
    path: PathBuf,
}

impl RecordTree {
    /// Opens the directory of a log, or makes it. sled may write to it.
    pub(super) fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        create_directory(path).map_err(OpenError::Directory)?;
        let config = sled::Config::default().path(path).cache_capacity(options.cache_bytes);
        let config = match options.upkeep {
            Upkeep::Steady => config,
            Upkeep::None => config.flush_every_ms(None),
        };
        let unusable = |why| OpenError::Unusable { path: path.to_owned(), why };
        let opened = unwinding(|| config.open().and_then(|db| db.open_tree(TREE).map(|tree| (db, tree))));
        let (db, tree) = opened.map_err(unusable)?.map_err(|error| unusable(said(&error)))?;
        Ok(Self { db, tree, path: path.to_owned() })
    }

    /// The file that sled writes, and does not sync.
    pub(super) fn file(&self) -> PathBuf {
        self.path.join("db")
    }

    /// The stored records from `from` on. After the first error there are no more.
    pub(super) fn read(&self, from: Seq) -> RecordBytes<'_> {
        let values = Values { range: Some(self.tree.range(first_key(from)..)) };
        Box::new(Joined::new(values))
    }

    /// Writes records, and hands them to the system; they are not durable yet.
    pub(super) fn write(&self, records: &[EncodedRecord]) -> Result<(), StoreError> {
        let pages: Vec<_> = records.iter().flat_map(pages_of).collect();
        if let [(key, value)] = &pages[..] {
            // One value is atomic by itself, and saves the message by which sled makes a batch atomic: a write and
            // its wait of every three in a push by a lone client.
            self.calling("writing to the log", || self.tree.insert(key, *value).map(drop))?;
        } else {
            let mut batch = sled::Batch::default();
            for (key, value) in pages {
                batch.insert(key, value);
            }
            self.calling("writing to the log", || self.tree.apply_batch(batch))?;
        }
        // Dying here: sled may or may not have written anything; nobody was told of these records.
        self.flush()
    }

    /// The tree itself, to be damaged.
    #[cfg(test)]
    pub(super) fn tree_for_tests(&self) -> &sled::Tree {
        &self.tree
    }

    /// Removes everything behind the record `seq` of so many bytes, also stray parts; returns how many records that were.
    pub(super) fn remove_behind(&self, seq: Seq, bytes: usize) -> Result<u64, StoreError> {
        let mut removed = 0;
        self.calling("cutting off an unfinished record", || {
            for key in self.tree.range(key_behind(seq, bytes)..).keys() {
                let key = key?;
                removed += u64::from(key.len() == first_key(seq).len());
                self.tree.remove(key)?;
            }
            Ok(())
        })?;
        self.flush()?;
        Ok(removed)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.calling("flushing the log", || self.db.flush().map(drop))
    }

    fn calling(&self, doing: &'static str, call: impl FnOnce() -> sled::Result<()>) -> Result<(), StoreError> {
        match unwinding(call) {
            Ok(called) => called.map_err(|error| StoreError::new(doing, said(&error))),
            Err(panic) => Err(StoreError::new(doing, panic)),
        }
    }
}

/// The keys and values of a range, up to the first error.
struct Values {
    range: Option<sled::Iter>,
}

impl Iterator for Values {
    type Item = Result<(sled::IVec, sled::IVec), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let range = self.range.as_mut()?;
        let why = match unwinding(|| range.next()) {
            Ok(None) => return None,
            Ok(Some(Ok(pair))) => return Some(Ok(pair)),
            Ok(Some(Err(error))) => said(&error),
            Err(panic) => panic,
        };
        self.range = None;
        Some(Err(StoreError::new("reading the log", why)))
    }
}

/// What sled says, for people: of damaged bytes it tells the place as its own structures look when they are debugged.
fn said(error: &sled::Error) -> String {
    match error {
        sled::Error::Corruption { at: Some(at), .. } => {
            format!("the bytes at offset {} of the log's file are damaged", at.lid())
        }
        sled::Error::Corruption { at: None, .. } => "bytes of the log's file are damaged".to_owned(),
        error => error.to_string(),
    }
}

/// Runs what may panic inside sled on damaged files; the error tells the panic's message.
pub(super) fn unwinding<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| panic_message(&*panic))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("sled gave up on a damaged file ({})", message.unwrap_or("without a message"))
}
