//! The default log: embedded sled, made durable.
//!
//! sled 0.34 calls `sync_file_range` where it means fsync, panics on some damaged files, and opens others with a
//! shorter log than was written. So every append is followed by our own `fdatasync`, opening runs under
//! `catch_unwind`, and the [anchor](super::anchor) tells a lost tail. Known weakness: sled may write to its file when
//! it is merely opened, so evidence is opened only as a copy.

use std::fs::File;
use std::io;

use tagstone_schema::{EncodedRecord, Head, Record, RecordHash, Seq};

use super::ahead::{Ahead, Sound};
use super::anchor::{Anchor, AnchorError};
use super::chain::Broken;
use super::directory::{naming, sync_directory};
use super::open_error::OpenError;
use super::reader::RecordReader;
use super::tree::{Options, RecordTree};
use super::{AppendError, Log, RecordBytes, StoreError};
use crate::content::Layout;
use crate::fold::IllegalEvent;

/// The log in a data directory.
pub struct EmbeddedLog {
    tree: RecordTree,
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

/// What is done with the verified records of a log that is opened. A closure that takes a record is one.
pub trait Visit {
    /// Some records are to come soon, in this order.
    fn foresee(&mut self, _records: &[Sound]) {}

    /// The next record.
    fn visit(&mut self, record: &Record) -> Result<(), IllegalEvent>;
}

impl<F: FnMut(&Record) -> Result<(), IllegalEvent>> Visit for F {
    fn visit(&mut self, record: &Record) -> Result<(), IllegalEvent> {
        self(record)
    }
}

/// A log that was opened, and whose records nobody has looked at yet.
pub struct UnverifiedLog {
    log: EmbeddedLog,
    layout: Layout,
}

impl UnverifiedLog {
    /// Opens the log of a data directory, or makes it.
    pub fn open(layout: &Layout, options: Options) -> Result<Self, OpenError> {
        let anchor = open_anchor(layout)?;
        let tree = RecordTree::open(&layout.log(), options)?;
        let file = made_durable(layout, &tree)?;
        let log = EmbeddedLog { tree, file, head: Head::default(), anchor, poisoned: false };
        Ok(Self { log, layout: layout.clone() })
    }

    /// Whether the log holds this record, at or below its anchor. A state that stands behind such a record was folded from
    /// this log, if the state itself is what was once written: the chain goes from its hash on.
    pub fn holds(&self, head: &Head) -> bool {
        let anchor = self.log.anchor.head();
        if head.seq == 0 || head.seq > anchor.seq || (head.seq == anchor.seq && head.hash != anchor.hash) {
            return false;
        }
        let stored = self.log.read(head.seq).next().and_then(Result::ok).filter(|stored| stored.seq == head.seq);
        let is_same = |record: Record| record.time == head.time;
        stored.is_some_and(|stored| {
            RecordHash::of(&stored.bytes) == head.hash && Record::decode(&stored.bytes).is_ok_and(is_same)
        })
    }

    /// Verifies every record behind `known` and hands it to `visit`. What `known` stands behind is the caller's to know: the place
    /// before the first record, or one that the log [holds](Self::holds).
    pub fn verify_after(&self, known: Head, visit: &mut dyn Visit) -> Result<Verified, OpenError> {
        let anchor = self.log.anchor.head();
        let verified = self.log.verify(known, visit)?;
        match &verified.broken {
            Some(broken) if verified.head.seq < anchor.seq => Err(OpenError::Broken(broken.clone())),
            None if verified.head.seq < anchor.seq => Err(OpenError::BelowAnchor { head: verified.head, anchor }),
            _ => Ok(verified),
        }
    }

    /// The log, to be appended to behind the last record that was verified.
    pub fn accept(mut self, verified: &Verified) -> Result<Opened, OpenError> {
        let (log, layout) = (&mut self.log, &self.layout);
        let cut_off = match verified.broken {
            None => 0,
            // Behind the anchor nothing was ever acknowledged, so what is not whole there never happened.
            Some(_) => log
                .tree
                .remove_behind(verified.head.seq, verified.last_bytes)
                .and_then(|cut| log.sync().map(|()| cut))
                .map_err(|error| OpenError::Unusable { path: layout.log(), why: error.to_string() })?,
        };
        log.head = verified.head;
        if log.head != log.anchor.head() {
            let failed = |source| OpenError::Io { doing: "moving the anchor", path: layout.anchor(), source };
            // The records behind the anchor may still be in the page cache only.
            log.file.sync_data().map_err(failed)?;
            log.anchor.move_to(log.head).map_err(failed)?;
        }
        Ok(Opened { log: self.log, cut_off })
    }
}

impl EmbeddedLog {
    /// Opens the log of a data directory, or makes it. Every record is verified and handed to `visit` before the
    /// log can be appended to.
    pub fn open(
        layout: &Layout,
        options: Options,
        mut visit: &mut dyn FnMut(&Record) -> Result<(), IllegalEvent>,
    ) -> Result<Opened, OpenError> {
        let log = UnverifiedLog::open(layout, options)?;
        let verified = log.verify_after(Head::default(), &mut visit)?;
        log.accept(&verified)
    }

    /// Reads the records beside whoever appends.
    pub fn reader(&self) -> RecordReader {
        RecordReader::new(self.tree.clone())
    }

    fn verify(&self, known: Head, visit: &mut dyn Visit) -> Result<Verified, OpenError> {
        let anchor = self.anchor.head();
        let mut records = self.read(known.seq.max(1));
        // The known record stands for itself; how long it is tells what lies behind it.
        let mut last_bytes = match known.seq {
            0 => 0,
            _ => records.next().and_then(Result::ok).map_or(0, |stored| stored.bytes.len()),
        };
        let mut ahead = Ahead::of(records, known).with_end(Some(anchor));
        ahead.each(|verified| {
            visit.foresee(&verified);
            for sound in &verified {
                last_bytes = sound.bytes.len();
                if sound.head.seq == anchor.seq && sound.head.hash != anchor.hash {
                    return Err(OpenError::AnchorDiffers { anchor, found: sound.head.hash });
                }
                visit.visit(&sound.record).map_err(OpenError::Illegal)?;
            }
            Ok(())
        })?;
        Ok(Verified { head: ahead.head(), last_bytes, broken: ahead.broken() })
    }

    fn append_durably(&mut self, records: &[EncodedRecord]) -> Result<Head, StoreError> {
        let head = records.last().map_or(self.head, EncodedRecord::head);
        self.tree.write(records)?;
        // Dying here: a crash of the process keeps the records, a loss of power may lose or tear them. The anchor
        // still names the head before, so a torn tail is cut off at the next start.
        self.sync()?;
        // Dying here: the records are durable and will be found behind the anchor, which is then moved up.
        self.anchor.move_to(head).map_err(|error| StoreError::new("moving the anchor", error.to_string()))?;
        // From here on a log without these records is refused.
        Ok(head)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| StoreError::new("syncing the log", error.to_string()))
    }
}

/// How far the records of a log were found sound.
#[derive(Debug)]
pub struct Verified {
    head: Head,
    /// The length of the record at the head.
    last_bytes: usize,
    broken: Option<Broken>,
}

impl Log for EmbeddedLog {
    fn head(&self) -> Head {
        self.head
    }

    fn read(&self, from: Seq) -> RecordBytes<'_> {
        self.tree.read(from)
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
        self.head = self.append_durably(records)?;
        self.poisoned = false;
        Ok(())
    }
}

fn open_anchor(layout: &Layout) -> Result<Anchor, OpenError> {
    match Anchor::open(&layout.anchor()) {
        // The anchor is made before the log, so only a directory without a log may lack it.
        Err(AnchorError::Missing(_)) if !layout.log().exists() => {
            check_unused(layout)?;
            Anchor::create(&layout.anchor(), Head::default()).map_err(|source| OpenError::Anchor { source })
        }
        other => other.map_err(|source| OpenError::Anchor { source }),
    }
}

/// Checks that a data directory without a log and an anchor was never one, and belongs to nobody else. An empty log
/// over content that is there would call all of it unreferenced.
fn check_unused(layout: &Layout) -> Result<(), OpenError> {
    let failed = |error| OpenError::Directory(naming("reading", layout.root())(error));
    let entries = match std::fs::read_dir(layout.root()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    // The caller has made the lock. `anchor.new` is what a creation leaves that was cut off before anything else was
    // there, and `lost+found` is in every fresh ext4.
    let fresh = layout.anchor().with_extension("new");
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path != layout.lock() && path != fresh && path != layout.root().join("lost+found") {
            let found = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(OpenError::NotEmpty { path: layout.root().to_owned(), found });
        }
    }
    Ok(())
}

/// Makes the files and directories that sled created durable, and returns its data file.
pub(super) fn made_durable(layout: &Layout, tree: &RecordTree) -> Result<File, OpenError> {
    let path = tree.file();
    let failed = |source| OpenError::Io { doing: "syncing", path: path.clone(), source };
    let file = File::options().read(true).write(true).open(&path).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    File::open(layout.log().join("conf")).and_then(|conf| conf.sync_all()).map_err(failed)?;
    sync_directory(&layout.log()).map_err(failed)?;
    sync_directory(layout.root()).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod altered_tests;
#[cfg(test)]
mod tests;
