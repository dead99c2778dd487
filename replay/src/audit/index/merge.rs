//! Merging: neighbouring runs of like size become one, so that there are never many, and each posting is written again only
//! as often as the index grows fourfold.
//!
//! A thread of its own does it, one merge at a time; whoever adds to the index takes the result. The runs that it was made of are
//! removed then, and before that they are as good.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::vec::IntoIter;

use super::IndexError;
use super::block::Postings;
use super::run::{About, Run};
use super::run_writer::RunWriter;

/// How many runs become one.
const TOGETHER: usize = 4;

/// Postings or turns between two looks at whether to stop.
const UNTIL_A_LOOK: u32 = 10_000;

/// A merge that is under way.
#[derive(Debug)]
pub(super) struct Merging {
    /// The runs that are merged.
    pub(super) runs: Vec<Arc<Run>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Run, IndexError>>>,
}

impl Merging {
    /// Begins to merge neighbouring runs.
    pub(super) fn begin(directory: PathBuf, runs: Vec<Arc<Run>>) -> Result<Self, IndexError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (parts, stopped) = (runs.clone(), stop.clone());
        let merge = move || merged(&directory, &parts, &stopped);
        let thread = std::thread::Builder::new().name("index-merge".to_owned()).spawn(merge);
        Ok(Self { runs, stop, thread: Some(thread.map_err(IndexError::of("merging"))?) })
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the merged run.
    pub(super) fn wait(mut self) -> Result<Run, IndexError> {
        let over = || IndexError::new("merging", "the thread has ended by a panic");
        self.thread.take().ok_or_else(over)?.join().map_err(|_| over())?
    }
}

impl Drop for Merging {
    /// Ends it: its thread must not write into a directory that another opens.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it says matters to nobody any more.
            let _ = thread.join();
        }
    }
}

/// The runs to be merged next, of runs with so many bytes; `least` bytes are as few as any.
pub(super) fn next_of(bytes: &[u64], least: u64, most: u64) -> Option<Range<usize>> {
    // The smallest first, and of equals the oldest, so that sizes never grow again towards the newest.
    let windows = bytes.windows(TOGETHER).enumerate().filter_map(|(at, window)| {
        let level = level_of(*window.first()?, least);
        let is_alike = window.iter().all(|bytes| level_of(*bytes, least) == level);
        (is_alike && window.iter().sum::<u64>() <= most).then_some((level, at))
    });
    windows.min().map(|(_, at)| at..at + TOGETHER)
}

/// How often a size is fourfold the least.
fn level_of(bytes: u64, least: u64) -> u32 {
    (bytes / least.max(1)).checked_ilog(4).map_or(0, |level| level + 1)
}

/// Makes one run of neighbouring ones.
pub(super) fn merged(directory: &Path, runs: &[Arc<Run>], stop: &AtomicBool) -> Result<Run, IndexError> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return Err(IndexError::new("merging", "there is nothing to merge"));
    };
    let about = About { from: first.about().from, before: first.about().before, ..*last.about() };
    // A tag that is in several is counted as often, and the next merge counts right.
    let tags = runs.iter().map(|run| run.footer.tags.tags()).sum();
    let runs = &runs.iter().map(|run| run.to_copy()).collect::<Result<Vec<_>, _>>()?;
    let mut writer = RunWriter::new(directory, about, tags)?;
    let postings = |run: &Run, block| {
        run.in_block(block, |bytes| Postings::new(bytes, run.about().from).collect::<Result<Vec<_>, _>>())
    };
    in_order(runs, postings, |posting| *posting, |(key, place)| writer.push(key, place), stop)?;
    for entries in runs.iter().flat_map(|run| run.all_derived()) {
        entries?.iter().try_for_each(|(seq, bytes)| writer.push_derived(*seq, bytes))?;
    }
    in_order(runs, Run::turns, |(key, turn)| (*key, turn.place), |(key, turn)| writer.push_turn(key, &turn), stop)?;
    writer.finish()
}

/// Tells what blocks of all runs hold, in order: each run has it in order, and is read a block at a time.
fn in_order<T, K: Ord>(
    runs: &[Run],
    read: impl Fn(&Run, usize) -> Result<Option<Vec<T>>, IndexError>,
    key_of: impl Fn(&T) -> K,
    mut told: impl FnMut(T) -> Result<(), IndexError>,
    stop: &AtomicBool,
) -> Result<(), IndexError> {
    let mut streams: Vec<_> = runs.iter().map(|run| Stream { run, block: 0, held: Vec::new().into_iter() }).collect();
    let mut until_a_look = UNTIL_A_LOOK;
    loop {
        let mut least: Option<(K, &mut Stream<'_, T>)> = None;
        for stream in &mut streams {
            if let Some(key) = stream.peek(&read)?.map(&key_of)
                && least.as_ref().is_none_or(|(least, _)| key < *least)
            {
                least = Some((key, stream));
            }
        }
        let Some(next) = least.and_then(|(_, stream)| stream.held.next()) else { return Ok(()) };
        told(next)?;
        until_a_look -= 1;
        if until_a_look == 0 {
            until_a_look = UNTIL_A_LOOK;
            if stop.load(Ordering::Relaxed) {
                return Err(IndexError::new("merging", "it was to stop"));
            }
        }
    }
}

/// What blocks of a run hold, in order.
struct Stream<'a, T> {
    run: &'a Run,
    /// The block that is read next.
    block: usize,
    held: IntoIter<T>,
}

impl<T> Stream<'_, T> {
    fn peek(
        &mut self,
        read: impl Fn(&Run, usize) -> Result<Option<Vec<T>>, IndexError>,
    ) -> Result<Option<&T>, IndexError> {
        while self.held.as_slice().is_empty() {
            let Some(held) = read(self.run, self.block)? else { return Ok(None) };
            (self.held, self.block) = (held.into_iter(), self.block + 1);
        }
        Ok(self.held.as_slice().first())
    }
}
