//! The sled database of the index: opened, thrown away, closed.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tagstone_schema::RecordHash;
use tagstone_schema::record::Position;

use super::interval::{decoded, encoded};
use super::{IndexError, keys};
use crate::log::{Options, unwinding};

/// The version of the keys and values. An index of another one is thrown away.
const VERSION: u32 = 1;

/// An open index. Clones are the same index.
#[derive(Clone)]
pub struct TagIndex {
    pub(super) tree: sled::Tree,
    db: sled::Db,
    path: PathBuf,
}

/// What an index says about itself.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    version: u32,
    /// The boot of the machine in which it was written last.
    boot: String,
    /// Whether all of it is on the disk.
    is_closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    Open,
    Closed,
}

#[derive(Serialize, Deserialize)]
struct Reached {
    seq: u64,
    hash: RecordHash,
}

impl TagIndex {
    /// Opens the index of a data directory. One that is absent, cannot be read, is of another version, or was not closed
    /// before the machine went down (nothing of it was synced then) is made anew, and is empty.
    pub fn open(path: &Path, options: Options) -> Result<Self, IndexError> {
        let index = match Self::open_sound(path, options) {
            Ok(index) => index,
            Err(_) => Self::made_anew(path, options)?,
        };
        // Durable, so that a stop that is not clean is never taken for a clean one.
        index.mark(Closing::Open)?;
        Ok(index)
    }

    /// Throws away everything that the index holds.
    pub(super) fn emptied(self, options: Options) -> Result<Self, IndexError> {
        let path = self.path.clone();
        drop(self);
        let index = Self::made_anew(&path, options)?;
        index.mark(Closing::Open)?;
        Ok(index)
    }

    /// The position up to which the index is complete; the place before the first record for an empty one.
    pub fn reached(&self) -> Result<Position, IndexError> {
        let found = self.get(keys::REACHED)?;
        let reached = found.map(|bytes| decoded::<Reached>(&bytes)).transpose()?;
        Ok(reached.map_or(Position { seq: 0, hash: RecordHash::ZERO }, |Reached { seq, hash }| Position { seq, hash }))
    }

    /// Makes all of it durable and says so, so that it survives also a loss of power.
    pub fn close(self) -> Result<(), IndexError> {
        self.mark(Closing::Closed)
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, IndexError> {
        calling("reading", || self.tree.get(key))
    }

    /// Writes changes, and the position up to which they make the index complete if they do.
    pub(super) fn write(&self, mut batch: sled::Batch, reached: Option<Position>) -> Result<(), IndexError> {
        if let Some(Position { seq, hash }) = reached {
            batch.insert(keys::REACHED, encoded(&Reached { seq, hash })?);
        }
        calling("writing", || self.tree.apply_batch(batch))
    }

    fn open_sound(path: &Path, options: Options) -> Result<Self, IndexError> {
        if !path.exists() {
            return Err(IndexError::new("opening", &"there is none"));
        }
        let index = Self::open_any(path, options)?;
        let about = index.get(keys::ABOUT)?;
        let about: About = about
            .map(|bytes| decoded(&bytes))
            .transpose()?
            .ok_or_else(|| IndexError::new("opening", &"it does not say what it is"))?;
        if about.version != VERSION || !(about.is_closed || about.boot == boot()) {
            return Err(IndexError::new("opening", &"it is of another version, or was cut off"));
        }
        index.reached()?;
        Ok(index)
    }

    fn made_anew(path: &Path, options: Options) -> Result<Self, IndexError> {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(IndexError::new("removing", &error));
            }
            _ => {}
        }
        Self::open_any(path, options)
    }

    fn open_any(path: &Path, options: Options) -> Result<Self, IndexError> {
        let config = sled::Config::default().path(path).cache_capacity(options.cache_bytes);
        let (db, tree) = calling("opening", || {
            let db = config.open()?;
            let tree = db.open_tree("tags")?;
            Ok((db, tree))
        })?;
        Ok(Self { tree, db, path: path.to_owned() })
    }

    fn mark(&self, closing: Closing) -> Result<(), IndexError> {
        if closing == Closing::Closed {
            // Before the mark, which says that all of it is on the disk.
            self.sync()?;
        }
        let about = encoded(&About { version: VERSION, boot: boot(), is_closed: closing == Closing::Closed })?;
        calling("writing", || self.tree.insert(keys::ABOUT, about))?;
        self.sync()
    }

    /// sled does not sync its file, so this does.
    fn sync(&self) -> Result<(), IndexError> {
        calling("flushing", || self.db.flush())?;
        let synced = File::options().write(true).open(self.path.join("db")).and_then(|file| file.sync_all());
        synced.map_err(|error| IndexError::new("syncing", &error))
    }
}

/// Calls sled, which panics on some damaged files.
pub(super) fn calling<T>(doing: &'static str, call: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexError> {
    match unwinding(call) {
        Ok(called) => called.map_err(|error| IndexError::new(doing, &error)),
        Err(panic) => Err(IndexError::new(doing, &panic)),
    }
}

/// Which boot of the machine this is. What was written in this one is in the page cache at least.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    // Without it only an index that was closed is kept: no two texts of a time are alike.
    id.unwrap_or_else(|_| format!("{:?}", std::time::SystemTime::now())).trim().to_owned()
}
