//! Refused attempts: what was tried and a rule has forbidden.
//!
//! They are evidence, and an attack must neither flood the log nor the memory with it. So equal attempts are one entry
//! with a count; the newest entries are kept to be listed; and once a minute what came together becomes one record, of
//! some entries and the number of the others. A clean stop writes what is pending.
//! What was recorded before the start is read back from the archive when somebody first asks for the list.

mod attempt;
mod pending;
mod recalled;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tagstone_schema::{Actor, Event, Seq, Timestamp};

pub use attempt::{Attempt, RefusalReason, Tally};
pub use recalled::Recalled;

use super::command::Submission;
use super::rejection::Rejection;
use attempt::Tried;
use pending::Pending;

/// Entries that are kept to be listed: some megabytes.
const KEPT: usize = 10_000;

/// The refused attempts.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Gathered>);

#[derive(Debug, Default)]
struct Gathered {
    kept: HashMap<Arc<Attempt>, (Place, Tally)>,
    /// The same entries, ordered by when they were last seen.
    order: BTreeMap<Place, Arc<Attempt>>,
    /// How many places were given to what was tried since the start.
    made: Place,
    others: u64,
    pending: Pending,
    /// The record up to which the log has attempts that are not in the list yet.
    unrecalled: Option<Seq>,
}

/// The place of the first attempt since the start; what was recalled stands before it.
const FIRST: Place = 1 << 32;

/// A place in the list; the newest has the greatest.
pub type Place = u64;

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedEntry {
    /// Its place, which changes when the attempt is made again.
    pub place: Place,
    /// What was tried.
    pub attempt: Arc<Attempt>,
    /// How often, and when.
    pub tally: Tally,
}

/// A part of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedList {
    /// The entries, the newest first.
    pub entries: Vec<RefusedEntry>,
    /// Attempts that are in no entry of the whole list.
    pub others: u64,
}

/// Who records refused attempts.
pub(super) fn recorder() -> Actor {
    Actor::system("refusals")
}

impl Refusals {
    /// The newest entries behind a place, at most so many.
    pub fn list(&self, behind: Option<Place>, most: usize) -> RefusedList {
        let gathered = self.locked();
        let places = gathered.order.range(..behind.unwrap_or(Place::MAX)).rev().take(most);
        let entries = places.filter_map(|(place, attempt)| {
            let (_, tally) = gathered.kept.get(attempt)?;
            Some(RefusedEntry { place: *place, attempt: attempt.clone(), tally: *tally })
        });
        RefusedList { entries: entries.collect(), others: gathered.others }
    }

    /// The refused attempts of a registry that has started with this record; those up to it are in the log.
    pub fn behind(start: Seq) -> Self {
        Self(Mutex::new(Gathered { unrecalled: Some(start).filter(|start| *start > 0), ..Gathered::default() }))
    }

    /// The record up to which attempts have to be recalled before the list is whole; none where it is.
    pub fn unrecalled(&self) -> Option<Seq> {
        self.locked().unrecalled
    }

    /// Adds what was recorded before the start, behind all that came since.
    pub fn recall(&self, recalled: Recalled) {
        let mut gathered = self.locked();
        // Two that asked at once have both read it.
        if gathered.unrecalled.take().is_some() {
            gathered.recall(recalled);
        }
    }

    /// Whether it is time to record what is pending.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.locked().pending.is_due(now)
    }

    /// Keeps what a rejected command has tried, if its rejection is one of a rule.
    pub(super) fn gather(&self, submission: &Submission, rejection: &Rejection, at: Timestamp) {
        let Some(Tried { attempts, others }) = Tried::of(submission, rejection) else { return };
        let mut gathered = self.locked();
        attempts.into_iter().for_each(|attempt| gathered.add(attempt, at));
        gathered.others += others;
        gathered.pending.add_others(others, at);
    }

    /// Keeps what was denied to somebody before it became a command.
    pub fn deny(&self, attempt: Attempt, at: Timestamp) {
        self.locked().add(attempt, at);
    }

    /// What is pending, as an event to be recorded.
    pub(super) fn take_pending(&self) -> Option<Event> {
        self.locked().pending.take()
    }

    fn locked(&self) -> MutexGuard<'_, Gathered> {
        // A panic in between could at worst have lost an entry.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn add(&mut self, attempt: Attempt, at: Timestamp) {
        let attempt = Arc::new(attempt);
        self.pending.add(&attempt, at);
        self.keep(attempt, Tally::once(at));
    }

    /// Adds to the list.
    fn keep(&mut self, attempt: Arc<Attempt>, more: Tally) {
        let place = FIRST + self.made;
        self.made += 1;
        match self.kept.get_mut(&attempt) {
            Some((standing, tally)) => {
                self.order.remove(standing);
                *standing = place;
                tally.add(more);
            }
            None => {
                self.make_room();
                self.kept.insert(attempt.clone(), (place, more));
            }
        }
        self.order.insert(place, attempt);
    }

    /// Adds older entries to the list, the newest of them first.
    fn recall(&mut self, recalled: Recalled) {
        self.others += recalled.others;
        for (place, (attempt, tally)) in (0..FIRST).rev().zip(recalled.entries) {
            if let Some((_, standing)) = self.kept.get_mut(&attempt) {
                standing.add(tally);
            } else if self.kept.len() < KEPT {
                self.kept.insert(attempt.clone(), (place, tally));
                self.order.insert(place, attempt);
            } else {
                self.others += tally.count;
            }
        }
    }

    /// The entry that was seen longest ago is only counted from now on.
    fn make_room(&mut self) {
        if self.kept.len() >= KEPT
            && let Some((_, oldest)) = self.order.pop_first()
            && let Some((_, tally)) = self.kept.remove(&oldest)
        {
            self.others += tally.count;
        }
    }
}
