//! A snapshot: the state behind one record in a file, so that a start need not fold all records before it.
//!
//! **Invariant**: it holds nothing that the log does not, and is never believed but as a whole: a file that is cut,
//! changed, foreign or of another version gives an error, and whoever asked folds the log instead. What can be
//! derived (which manifests name a digest, which tags a repository has, what expires when) is not stored but derived again.
//!
//! Its checksum shows damage, not forgery, and the fingerprint is not computed anew: who can write into the data
//! directory can also write a snapshot that was never true. Whoever has to know replays the log.

mod frame;
mod gathered;
mod made;
mod restored;
mod stored;
#[cfg(test)]
mod strange_tests;
mod taken;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tagstone_schema::Head;

use self::frame::{FrameError, Sections, Writing};
use self::gathered::Gathered;
use self::made::{Made, Making};
use self::stored::StoredRegistry;
use self::taken::portions;
use super::state::State;
use crate::log::directory::sync_directory;

/// Why there is no snapshot to begin with.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// There is none.
    #[error("there is no snapshot {}", .0.display())]
    Missing(PathBuf),
    /// The file could not be read or written.
    #[error("the snapshot {} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not begin as a snapshot does.
    #[error("{} is not a snapshot", .0.display())]
    Foreign(PathBuf),
    /// Another version of the program wrote it.
    #[error("the snapshot {} has version {found}, not {}", path.display(), frame::VERSION)]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It is not what was written.
    #[error("the snapshot {} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Writes the state behind `head`, durably, in place of the snapshot that is there. Where this fails, the one that was
/// there is left as it was.
pub fn write(path: &Path, state: &State, head: Head) -> Result<(), SnapshotError> {
    let fresh = path.with_extension("new");
    let written = write_fresh(&fresh, state, head)
        .and_then(|()| fs::rename(&fresh, path))
        .and_then(|()| sync_directory(path.parent().unwrap_or(Path::new("."))));
    written.map_err(|source| {
        // It would only take space; the next attempt overwrites it.
        let _ = fs::remove_file(&fresh);
        SnapshotError::Io { path: path.to_owned(), source }
    })
}

/// The state of the snapshot, whose clones share what does not change, and the last record that it contains. The caller checks that the log has this record.
pub fn read(path: &Path) -> Result<(State, Head), SnapshotError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SnapshotError::Missing(path.to_owned()),
        _ => SnapshotError::Io { path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    decode(file, length).map_err(|error| match error {
        FrameError::Io(source) => failed(source),
        FrameError::Foreign => SnapshotError::Foreign(path.to_owned()),
        FrameError::Version(found) => SnapshotError::Version { path: path.to_owned(), found },
        FrameError::Damaged(what) => SnapshotError::Damaged { path: path.to_owned(), what },
    })
}

fn write_fresh(path: &Path, state: &State, head: Head) -> io::Result<()> {
    let mut file = File::create(path)?;
    encode(&mut file, state, head)?;
    file.sync_all()
}

fn encode(out: impl Write, state: &State, head: Head) -> io::Result<()> {
    let mut writing = Writing::begin(out)?;
    writing.section(&StoredRegistry::of(state, head))?;
    for portion in portions(state) {
        writing.section(&portion)?;
    }
    writing.end()
}

/// Portions that are read before one of them is made, and made before they are taken.
const AHEAD: usize = 4;

/// Threads that make what was read: beside the one that takes it, more have nothing to do.
const MAKERS: usize = 4;

/// A portion, or what was made of it, and which one it is.
type Numbered<T> = (usize, T);

/// Several threads share the work: this one reads, some make what is known of the digests of a portion, and the last puts it
/// together in order.
fn decode(bytes: impl Read, length: u64) -> Result<(State, Head), FrameError> {
    let mut sections = Sections::begin(bytes, length)?;
    let registry = sections.next()?.ok_or_else(|| frame::damaged("it is empty"))?;
    let mut registry: StoredRegistry = frame::decode(&registry).map_err(frame::damaged)?;
    let (head, digests, names) = (registry.head(), registry.contents, std::mem::take(&mut registry.repositories));
    let mut state = restored::begin(registry).map_err(frame::damaged)?;
    let begun = Gathered::begin(&mut state, names, digests);
    let (gathered, making) = begun.map_err(frame::damaged)?;
    std::thread::scope(|scope| {
        let (portions, read) = sync_channel(AHEAD);
        let (done, made) = sync_channel(AHEAD);
        // Each maker has a part in it, so that it is gone when they are.
        let (read, making) = (Arc::new(Mutex::new(read)), &making);
        let makers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAKERS);
        let makers = std::iter::repeat_n((read, done), makers);
        let makers = makers.map(|(read, done)| scope.spawn(move || make(&read, &done, making)));
        let makers: Vec<_> = makers.collect();
        let gathering = scope.spawn(move || gather(gathered, &made));
        let mut number = 0;
        while let Some(portion) = sections.next()? {
            // Where nobody takes it, something was wrong with an earlier one, which the other thread says.
            if portions.send((number, portion)).is_err() {
                break;
            }
            number += 1;
        }
        drop(portions);
        let panicked = |_| frame::damaged("reading it ended by a panic");
        makers.into_iter().try_for_each(|maker| maker.join().map_err(panicked))?;
        let gathered = gathering.join().map_err(panicked)?.map_err(frame::damaged)?;
        let state = gathered.end(state).map_err(frame::damaged)?;
        // Only there it is known without the log what the state must be.
        if head.seq == 0 && state.fingerprint() != State::default().fingerprint() {
            return Err(frame::damaged("it has a state behind no record"));
        }
        Ok((state, head))
    })
}

/// Makes of portions what is known of their digests, as long as any come and somebody takes it.
fn make(read: &Mutex<Receiver<Numbered<Vec<u8>>>>, done: &SyncSender<Numbered<Result<Made, String>>>, making: &Making) {
    loop {
        let next = read.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, portion)) = next else { return };
        let made = making.make(&portion);
        if done.send((number, made)).is_err() {
            return;
        }
    }
}

/// Takes what was made, in the order of the portions.
fn gather(mut gathered: Gathered, made: &Receiver<Numbered<Result<Made, String>>>) -> Result<Gathered, String> {
    let (mut early, mut next) = (BTreeMap::new(), 0);
    for (number, made) in made {
        early.insert(number, made);
        while let Some(made) = early.remove(&next) {
            gathered.take(made?)?;
            next += 1;
        }
    }
    if let Some((number, _)) = early.first_key_value() {
        return Err(format!("portion {next} is missing before portion {number}"));
    }
    Ok(gathered)
}
