//! The index of the audit: for every term the places of the events that have it, for every tag where it pointed, and what the
//! fold adds to records.
//!
//! **Invariant**: it holds nothing that the log does not. Whenever there is doubt about it, it is thrown away and made anew from the
//! log; it is never repaired.
//!
//! It is a sequence of runs, each a file of consecutive records that never changes, and of a part in memory. What is in
//! memory becomes a run when it has grown ([`Limits`]) and at a clean stop; neighbouring runs become one beside whoever adds. So a
//! crash loses only what was in memory, and whoever goes on reads those records from the log again.
//!
//! These are files and not a sled tree as the log is: the predecessor of this index was one, wrote about 1 KB for each move of a tag
//! and took 5,000 records a second.

mod block;
mod codes;
mod cursor;
mod directory;
mod error;
mod memory;
mod merge;
mod run;
mod run_file;
mod run_writer;
mod tag_filter;
#[cfg(test)]
mod tests;
mod turn_cursor;
mod turn_rows;
mod turns;

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tagstone_schema::{Head, RepositoryName, Seq, Tag};

use self::cursor::Places;
pub use self::error::IndexError;
use self::memory::Memory;
use self::merge::Merging;
use self::run::{About, Run};
use self::turn_cursor::TurnsOf;
use self::turns::TagKey;
use super::query::Order;
use super::term::{TermKey, TermKeys};
use super::{Derived, Folded, Place, Stretch, TagEntry};

/// Sizes of the parts of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Postings that are held in memory: some 40 bytes each, and 150 for each turn of a tag, which has eight or more.
    pub postings: usize,
    /// Bytes of a run that is as small as any.
    pub least: u64,
    /// Bytes of a run that is not merged any more; for so long it takes room twice.
    pub most: u64,
    /// Runs that are there before whoever adds to the index waits for a merge.
    pub runs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { postings: 250_000, least: 2 * 1024 * 1024, most: 512 * 1024 * 1024, runs: 64 }
    }
}

/// The index of one log. Clones are the same index.
#[derive(Clone, Debug, Default)]
pub struct AuditIndex {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where runs are written; without one all is in memory.
    directory: Option<PathBuf>,
    limits: Limits,
    parts: RwLock<Parts>,
    /// Held by the one who adds.
    adding: Mutex<Adding>,
}

#[derive(Debug, Default)]
struct Adding {
    keys: TermKeys,
    merging: Option<Merging>,
    /// Whether there is nothing to merge before there is another run.
    is_settled: bool,
}

/// What there is. It is replaced whole, so that who looks sees all of it as it was at one moment.
#[derive(Clone, Debug, Default)]
struct Parts {
    runs: Arc<[Arc<Run>]>,
    memory: Arc<RwLock<Memory>>,
    reached: Head,
    seed: u64,
}

/// The index up to the place that it had reached when somebody looked.
#[derive(Clone, Debug)]
pub struct View {
    runs: Arc<[Arc<Run>]>,
    memory: Arc<RwLock<Memory>>,
    reached: Head,
    seed: u64,
}

impl AuditIndex {
    /// Opens the index in a directory, or makes it. What is not sound there is removed; [`AuditIndex::reached`] says how far
    /// the rest goes, and the caller compares its hash with the log's.
    pub fn open(directory: &Path) -> Result<Self, IndexError> {
        Self::open_with(directory, Limits::default())
    }

    /// Opens an index with other limits.
    pub fn open_with(directory: &Path, limits: Limits) -> Result<Self, IndexError> {
        let runs = directory::recovered(directory)?;
        // No two are alike, which is all that is asked of it.
        let seed = runs.first().map_or_else(|| RandomState::new().hash_one(0), |run| run.about().seed);
        let reached = runs.last().map(|run| run.about().head()).unwrap_or_default();
        let parts = Parts { runs: runs.into(), memory: Arc::default(), reached, seed };
        let adding = Mutex::new(Adding { keys: TermKeys::with_seed(seed), merging: None, is_settled: false });
        let shared = Shared { directory: Some(directory.to_owned()), limits, parts: RwLock::new(parts), adding };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The last record up to which the index is complete.
    pub fn reached(&self) -> Head {
        self.parts().reached
    }

    /// The last record up to which it survives whatever happens to the machine.
    pub fn durable(&self) -> Head {
        self.parts().runs.last().map(|run| run.about().head()).unwrap_or_default()
    }

    /// Whether a part of it was found to be damaged, so that it has to be made anew.
    pub fn is_in_doubt(&self) -> bool {
        self.parts().runs.iter().any(|run| run.is_damaged())
    }

    /// Adds the record that follows the one that was reached. `head` is the head of the log with it.
    pub fn add(&self, folded: &Folded, head: Head) -> Result<(), IndexError> {
        let mut adding = self.adding();
        let reached = self.reached();
        if head.seq != reached.seq + 1 || folded.unfolded.record.prev != reached.hash {
            return Err(IndexError::new("adding to", format!("record {} does not follow {}", head.seq, reached.seq)));
        }
        let Parts { memory, seed, .. } = self.parts();
        let mut written = memory.write().unwrap_or_else(PoisonError::into_inner);
        written.add(folded, seed, &mut adding.keys);
        let is_full = written.count() >= self.shared.limits.postings;
        drop(written);
        self.replace(|parts| parts.reached = head);
        if is_full {
            self.flush_and_merge(&mut adding)
        } else if adding.merging.as_ref().map_or(!adding.is_settled, Merging::is_over) {
            self.merge(&mut adding)
        } else {
            Ok(())
        }
    }

    /// Makes all of it durable.
    pub fn flush(&self) -> Result<(), IndexError> {
        self.flush_and_merge(&mut self.adding())
    }

    /// Makes all of it durable, and ends what is under way.
    pub fn close(&self) -> Result<(), IndexError> {
        let mut adding = self.adding();
        let flushed = self.write_memory(&mut adding);
        // A merge that is not done by now is begun again by whoever opens the index and adds to it. What one that is done has made,
        // is found there.
        adding.merging = None;
        flushed
    }

    /// Throws everything away.
    pub fn clear(&self) -> Result<(), IndexError> {
        let mut adding = self.adding();
        adding.merging = None;
        self.replace(|parts| *parts = Parts { seed: parts.seed, ..Parts::default() });
        // Not only the runs: a merge that had ended by now has left one that nobody knows of.
        self.shared.directory.as_deref().map_or(Ok(()), directory::clear)
    }

    /// The index as it is now.
    pub fn view(&self) -> View {
        let Parts { runs, memory, reached, seed } = self.parts();
        View { runs, memory, reached, seed }
    }

    fn parts(&self) -> Parts {
        self.shared.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, change: impl FnOnce(&mut Parts)) {
        change(&mut self.shared.parts.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn adding(&self) -> MutexGuard<'_, Adding> {
        self.shared.adding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush_and_merge(&self, adding: &mut Adding) -> Result<(), IndexError> {
        self.write_memory(adding)?;
        self.merge(adding)
    }

    /// Makes a run of what is in memory.
    fn write_memory(&self, adding: &mut Adding) -> Result<(), IndexError> {
        let Some(directory) = &self.shared.directory else { return Ok(()) };
        let Parts { runs, memory, reached, seed } = self.parts();
        let last = runs.last().map(|run| run.about().head()).unwrap_or_default();
        if last.seq < reached.seq {
            let (from, before, Head { seq: to, hash, time }) = (last.seq + 1, last.hash, reached);
            let about = About { seed, from, before, to, hash, time };
            let run = Arc::new(memory.read().unwrap_or_else(PoisonError::into_inner).write(directory, about)?);
            self.replace(|parts| {
                parts.runs = runs.iter().cloned().chain([run]).collect();
                parts.memory = Arc::default();
            });
            adding.is_settled = false;
        }
        Ok(())
    }

    /// Takes the result of a merge that has ended, and begins the next one.
    fn merge(&self, adding: &mut Adding) -> Result<(), IndexError> {
        let Some(directory) = &self.shared.directory else { return Ok(()) };
        let limits = &self.shared.limits;
        while let Some(merging) = adding.merging.take() {
            if !merging.is_over() && self.parts().runs.len() < limits.runs {
                adding.merging = Some(merging);
                return Ok(());
            }
            match self.take_merged(merging) {
                Ok(()) => {}
                Err(error) if error.is_of_reading() => return Err(error),
                // The runs that should have become one are as good. It is tried again when there is another.
                Err(_) => {
                    adding.is_settled = true;
                    return Ok(());
                }
            }
        }
        let runs = self.parts().runs;
        let bytes: Vec<_> = runs.iter().map(|run| run.file.bytes).collect();
        if let Some(next) = merge::next_of(&bytes, limits.least, limits.most) {
            adding.merging = Merging::begin(directory.clone(), runs[next].to_vec()).ok();
        }
        adding.is_settled = adding.merging.is_none();
        Ok(())
    }

    fn take_merged(&self, merging: Merging) -> Result<(), IndexError> {
        let parts = merging.runs.clone();
        let merged = Arc::new(merging.wait()?);
        let is_part = |run: &Arc<Run>| parts.iter().any(|part| Arc::ptr_eq(part, run));
        self.replace(|all| {
            let at = all.runs.iter().position(is_part).unwrap_or_default();
            let mut runs: Vec<_> = all.runs.iter().filter(|run| !is_part(run)).cloned().collect();
            runs.insert(at, merged);
            all.runs = runs.into();
        });
        // Who looks at them still has them open.
        parts.iter().try_for_each(|run| directory::remove(&run.file.path))
    }
}

impl View {
    /// The last record that it contains.
    pub fn reached(&self) -> Head {
        self.reached
    }

    /// What makes the keys of its terms.
    pub fn keys(&self) -> TermKeys {
        TermKeys::with_seed(self.seed)
    }

    /// What the fold adds to the events of a record.
    pub fn derived(&self, seq: Seq) -> Result<Derived, IndexError> {
        match self.runs.get(self.runs.partition_point(|run| run.about().to < seq)) {
            Some(run) => run.derived(seq),
            None => Ok(self.memory.read().unwrap_or_else(PoisonError::into_inner).derived(seq)),
        }
    }

    /// The places of the events that have all of these terms, from a place on (itself too). Without terms those of all events.
    pub fn places(
        &self,
        terms: Vec<TermKey>,
        from: Place,
        order: Order,
    ) -> impl Iterator<Item = Result<Place, IndexError>> + '_ {
        Places::new(self, terms, from.min(Place::last_of(self.reached.seq)), order)
    }

    /// What changed where a tag points, in a stretch of its life.
    pub fn turns<'a>(
        &'a self,
        repository: &RepositoryName,
        tag: &Tag,
        stretch: Stretch,
        order: Order,
    ) -> impl Iterator<Item = Result<TagEntry, IndexError>> + use<'a> {
        let last = stretch.last.min(Place::last_of(self.reached.seq));
        TurnsOf::new(self, TagKey::new(self.seed, repository, tag), Stretch { last, ..stretch }, order)
    }

    /// The last record that is in a run.
    fn in_runs(&self) -> Seq {
        self.runs.last().map_or(0, |run| run.about().to)
    }
}
