//! A snapshot: the state behind one record in a file, so that a start need not fold all records before it.
//!
//! **Invariant**: it holds nothing that the log does not, and is never believed but as a whole: a file that is cut,
//! changed, foreign or of another version gives an error, and whoever asked folds the log instead. What can be
//! derived (who holds a blob, who names a digest, what expires when) is not stored but derived again.
//!
//! Its checksum shows damage, not forgery, and the fingerprint is not computed anew: who can write into the data
//! directory can also write a snapshot that was never true. Whoever has to know replays the log.

mod frame;
mod restored;
mod stored;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use tagstone_schema::Head;

use self::frame::{FrameError, Sections, Writing};
use self::restored::{Gathered, Made, Restored};
use self::stored::{Portion, StoredRegistry, StoredRepository, portions};
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
    let (registry, media_types) = StoredRegistry::of(state, head);
    writing.section(&registry)?;
    for portion in portions(state, &media_types) {
        writing.section(&portion)?;
    }
    writing.end()
}

/// Portions that are read before the first of them is in the state.
const AHEAD: usize = 4;

/// Three threads share the work: this one reads, the next makes the repositories, and the last puts together what they have.
fn decode(bytes: impl Read, length: u64) -> Result<(State, Head), FrameError> {
    let mut sections = Sections::begin(bytes, length)?;
    let registry: StoredRegistry = sections.next()?.ok_or_else(|| frame::damaged("it is empty"))?;
    let (head, mut gathered) = (registry.head(), Gathered::begin(&registry, sections.left()));
    let mut restored = Restored::begin(registry).map_err(frame::damaged)?;
    std::thread::scope(|scope| {
        let (portions, read) = sync_channel(AHEAD);
        let (repositories, made) = sync_channel::<Vec<Made>>(AHEAD);
        let making = scope.spawn(move || {
            for portion in read {
                let portion: Vec<StoredRepository> = portion;
                let made = portion.into_iter().map(|stored| restored.repository(stored)).collect::<Result<_, _>>()?;
                if repositories.send(made).is_err() {
                    // Something was wrong with an earlier one, which the other thread says.
                    break;
                }
            }
            Ok::<_, String>(restored)
        });
        let gathering = scope.spawn(move || {
            made.into_iter().flatten().try_for_each(|made| gathered.take(made))?;
            Ok::<_, String>(gathered)
        });
        let mut loose = Vec::new();
        while let Some(portion) = sections.next::<Portion>()? {
            match portion {
                Portion::Repositories(repositories) => {
                    if portions.send(repositories).is_err() {
                        break;
                    }
                }
                Portion::Loose(more) => loose.push(more),
            }
        }
        drop(portions);
        let panicked = |_| frame::damaged("reading it ended by a panic");
        let (restored, gathered) = (making.join().map_err(panicked)?, gathering.join().map_err(panicked)?);
        let (restored, mut gathered) = (restored.map_err(frame::damaged)?, gathered.map_err(frame::damaged)?);
        loose.into_iter().try_for_each(|loose| gathered.take_loose(loose)).map_err(frame::damaged)?;
        gathered.share();
        Ok((restored.end(gathered).map_err(frame::damaged)?, head))
    })
}
