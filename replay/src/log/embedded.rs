//! The default log: embedded sled, made durable.
//!
//! sled 0.34 calls `sync_file_range` where it means fsync, panics on some damaged files, and opens others with a
//! shorter log than was written. So every append is followed by our own `fdatasync`, opening runs under
//! `catch_unwind`, and the [anchor](super::anchor) tells a lost tail. Known weakness: sled may write to its file when
//! it is merely opened, so evidence is opened only as a copy.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tagstone_schema::{EncodedRecord, Head, Position, Record, Seq};

use super::anchor::{Anchor, AnchorError};
use super::chain::{Broken, BrokenWhy, Chain};
use super::directory::{create_directory, sync_directory};
use super::pages::{Joined, first_key, pages_of};
use super::{AppendError, Log, RecordBytes, StoreError};
use crate::content::Layout;
use crate::fold::IllegalEvent;

const TREE: &str = "log";

/// How the log is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes that sled may use as a cache. The log is written once and read at the start, so little serves.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 8 * 1024 * 1024 }
    }
}

/// The log in a data directory.
pub struct EmbeddedLog {
    db: sled::Db,
    records: sled::Tree,
    /// The file that sled writes, opened once more: sled does not sync it, so this does.
    file: File,
    anchor: Anchor,
    head: Head,
    poisoned: bool,
}

/// A log that was opened, verified and folded.
pub struct Opened {
    /// The log.
    pub log: EmbeddedLog,
    /// Records behind the anchor that were not whole and were cut off; no client was ever told of them.
    pub cut_off: u64,
}

/// Why a log was not opened. The messages say what an operator can do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refused.
    #[error("{doing} {} failed: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// sled refused, or panicked.
    #[error(
        "the log in {} cannot be opened: {why}. Keep a copy of the directory as it is. \
         `tagstone-replay verify` shows how far the log is sound; an export of it can be restored with `tagstone-replay restore`",
        path.display()
    )]
    Unusable {
        /// The directory of the log.
        path: PathBuf,
        /// What was said.
        why: String,
    },
    /// There is a log without a usable anchor.
    #[error(
        "{source}. Check with `tagstone-replay verify` that the log is whole; then `tagstone recover --data DIR` shows its head and writes a new anchor"
    )]
    Anchor {
        /// What is wrong with it.
        source: AnchorError,
    },
    /// The log ends before its anchor.
    #[error(
        "the log ends at record {}, but records up to {} were made durable: records {} to {} are missing. Bring back the \
         newest copy of the log; if it is lost for good, `tagstone recover --data DIR` accepts the shorter log",
        head.seq, anchor.seq, head.seq + 1, anchor.seq
    )]
    BelowAnchor {
        /// The last sound record.
        head: Head,
        /// What the anchor names.
        anchor: Head,
    },
    /// The log is another one than the anchor's.
    #[error(
        "record {} of the log has the hash {found}, but the anchor names {}: log and anchor do not belong together. Bring \
         back the log that the anchor was written for",
        anchor.seq, anchor.hash
    )]
    AnchorDiffers {
        /// What the anchor names.
        anchor: Head,
        /// The hash that was found there.
        found: tagstone_schema::RecordHash,
    },
    /// A record that was acknowledged is damaged.
    #[error("{0}. The record was acknowledged, so it is not dropped silently. Bring back a sound copy of the log")]
    Broken(Broken),
    /// The log holds what its own rules forbid.
    #[error("{0}. The log is whole, but no correct registry wrote this record")]
    Illegal(IllegalEvent),
}

/// What is done with each verified record of a log that is opened.
pub type Visit<'a> = dyn FnMut(&Record) -> Result<(), IllegalEvent> + 'a;

impl EmbeddedLog {
    /// Opens the log of a data directory, or makes it. Every record is verified and handed to `visit` before the
    /// log can be appended to.
    pub fn open(layout: &Layout, options: Options, visit: &mut Visit<'_>) -> Result<Opened, OpenError> {
        let anchor = open_anchor(layout)?;
        let (db, records) = open_sled(&layout.log(), options)?;
        let file = made_durable(layout)?;
        let mut log = Self { db, records, file, head: Head::default(), anchor, poisoned: false };
        let scanned = unwinding(&layout.log(), || log.verify(visit))??;
        let cut_off = match scanned.broken {
            None => 0,
            // Behind the anchor nothing was ever acknowledged, so what is not whole there never happened.
            Some(broken) if scanned.head.seq >= log.anchor.head().seq => {
                let cut = unwinding(&layout.log(), || log.cut_from(broken.seq))?;
                cut.map_err(|error| OpenError::Unusable { path: layout.log(), why: error.to_string() })?
            }
            Some(broken) => return Err(OpenError::Broken(broken)),
        };
        if scanned.head.seq < log.anchor.head().seq {
            return Err(OpenError::BelowAnchor { head: scanned.head, anchor: log.anchor.head() });
        }
        log.head = scanned.head;
        if log.head != log.anchor.head() {
            let failed = |source| OpenError::Io { doing: "moving the anchor", path: layout.anchor(), source };
            // The records behind the anchor may still be in the page cache only.
            log.file.sync_data().map_err(failed)?;
            log.anchor.move_to(log.head).map_err(failed)?;
        }
        Ok(Opened { log, cut_off })
    }

    fn verify(&self, visit: &mut Visit<'_>) -> Result<Scanned, OpenError> {
        let mut chain = Chain::default();
        let anchor = self.anchor.head();
        for stored in self.read(1) {
            let next = chain.head().seq + 1;
            let record = stored
                .map_err(|error| Broken { seq: next, why: BrokenWhy::Unreadable(error.to_string()) })
                .and_then(|stored| chain.next(&stored));
            let record = match record {
                Ok(record) => record,
                Err(broken) => return Ok(Scanned { head: chain.head(), broken: Some(broken) }),
            };
            if record.seq == anchor.seq && chain.head().hash != anchor.hash {
                return Err(OpenError::AnchorDiffers { anchor, found: chain.head().hash });
            }
            visit(&record).map_err(OpenError::Illegal)?;
        }
        Ok(Scanned { head: chain.head(), broken: None })
    }

    /// Removes everything from `seq` on.
    fn cut_from(&self, seq: Seq) -> Result<u64, StoreError> {
        let failed = |error: sled::Error| StoreError::new("cutting off an unfinished record", error.to_string());
        let mut cut = 0;
        for key in self.records.range(first_key(seq)..).keys() {
            let key = key.map_err(failed)?;
            cut += u64::from(key.len() == first_key(seq).len());
            self.records.remove(key).map_err(failed)?;
        }
        self.db.flush().map_err(failed)?;
        self.file.sync_data().map_err(|error| StoreError::new("syncing the log", error.to_string()))?;
        Ok(cut)
    }

    fn append_durably(&mut self, records: &[EncodedRecord]) -> Result<Head, StoreError> {
        let head = records.last().map_or(self.head, EncodedRecord::head);
        let mut batch = sled::Batch::default();
        for (key, value) in records.iter().flat_map(pages_of) {
            batch.insert(key, value);
        }
        self.records.apply_batch(batch).map_err(|error| StoreError::new("writing to the log", error.to_string()))?;
        // Dying here: sled may or may not have written anything; nobody was told of these records.
        self.db.flush().map_err(|error| StoreError::new("flushing the log", error.to_string()))?;
        // Dying here: a crash of the process keeps the records, a loss of power may lose or tear them. The anchor
        // still names the head before, so a torn tail is cut off at the next start.
        self.file.sync_data().map_err(|error| StoreError::new("syncing the log", error.to_string()))?;
        // Dying here: the records are durable and will be found behind the anchor, which is then moved up.
        self.anchor.move_to(head).map_err(|error| StoreError::new("moving the anchor", error.to_string()))?;
        // From here on a log without these records is refused.
        Ok(head)
    }
}

struct Scanned {
    head: Head,
    broken: Option<Broken>,
}

impl Log for EmbeddedLog {
    fn head(&self) -> Head {
        self.head
    }

    fn read(&self, from: Seq) -> RecordBytes<'_> {
        let values = self.records.range(first_key(from)..);
        Box::new(Joined::new(
            values.map(|value| value.map_err(|error| StoreError::new("reading the log", error.to_string()))),
        ))
    }

    fn append(&mut self, expected: &Head, records: &[EncodedRecord]) -> Result<(), AppendError> {
        if self.poisoned {
            return Err(StoreError::new("appending", "an earlier write failed; restart the registry").into());
        }
        if *expected != self.head {
            return Err(AppendError::Conflict { expected: *expected, found: self.head });
        }
        // After a failed write or sync nobody knows what the disk holds, and a second sync that succeeds would prove
        // nothing. So the first failure is the last thing this log does.
        self.poisoned = true;
        let appended = catch_unwind(AssertUnwindSafe(|| self.append_durably(records)))
            .unwrap_or_else(|panic| Err(StoreError::new("appending", panic_message(&*panic))));
        self.head = appended?;
        self.poisoned = false;
        Ok(())
    }
}

/// Writes a new anchor for a log whose old one is lost or above it, after an operator has named its head.
///
/// Returns the head that was found; with `accept` naming exactly that head, the anchor is written.
pub fn recover(layout: &Layout, accept: Option<Position>) -> Result<Head, OpenError> {
    let (db, records) = open_sled(&layout.log(), Options::default())?;
    let head = unwinding(&layout.log(), || {
        let mut chain = Chain::default();
        let values = records.range(first_key(1)..);
        for stored in Joined::new(
            values.map(|value| value.map_err(|error| StoreError::new("reading the log", error.to_string()))),
        ) {
            if !stored.is_ok_and(|stored| chain.next(&stored).is_ok()) {
                break;
            }
        }
        chain.head()
    })?;
    drop((db, records));
    if accept == Some(Position { seq: head.seq, hash: head.hash }) {
        Anchor::create(&layout.anchor(), head).map_err(|source| OpenError::Anchor { source })?;
    }
    Ok(head)
}

fn open_anchor(layout: &Layout) -> Result<Anchor, OpenError> {
    match Anchor::open(&layout.anchor()) {
        // The anchor is made before the log, so only a directory without a log may lack it.
        Err(AnchorError::Missing(_)) if !layout.log().exists() => {
            Anchor::create(&layout.anchor(), Head::default()).map_err(|source| OpenError::Anchor { source })
        }
        other => other.map_err(|source| OpenError::Anchor { source }),
    }
}

fn open_sled(path: &Path, options: Options) -> Result<(sled::Db, sled::Tree), OpenError> {
    create_directory(path).map_err(|source| OpenError::Io { doing: "creating", path: path.to_owned(), source })?;
    let config = sled::Config::default().path(path).cache_capacity(options.cache_bytes);
    let opened = unwinding(path, || config.open().and_then(|db| db.open_tree(TREE).map(|tree| (db, tree))))?;
    opened.map_err(|error| OpenError::Unusable { path: path.to_owned(), why: error.to_string() })
}

/// Makes the files and directories that sled created durable, and returns its data file.
fn made_durable(layout: &Layout) -> Result<File, OpenError> {
    let path = layout.log().join("db");
    let failed = |source| OpenError::Io { doing: "syncing", path: path.clone(), source };
    let file = File::options().read(true).write(true).open(&path).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    File::open(layout.log().join("conf")).and_then(|conf| conf.sync_all()).map_err(failed)?;
    sync_directory(&layout.log()).map_err(failed)?;
    sync_directory(layout.root()).map_err(failed)?;
    Ok(file)
}

/// Runs what may panic inside sled on damaged files.
fn unwinding<T>(path: &Path, run: impl FnOnce() -> T) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|panic| OpenError::Unusable { path: path.to_owned(), why: panic_message(&*panic) })
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("sled gave up on a damaged file ({})", message.unwrap_or("without a message"))
}
