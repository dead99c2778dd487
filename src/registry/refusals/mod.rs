//! Refused attempts: what was tried and a rule has forbidden.
//!
//! They are evidence, and an attack must neither flood the log nor the memory with it. So equal attempts are one entry
//! with a count; the newest entries are kept to be listed; and once a minute what came together becomes one record, of
//! some entries and the number of the others. A clean stop writes what is pending.
//! A start reads back what was recorded.

mod attempt;
mod pending;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tagstone_schema::{Actor, Event, Record, Timestamp};

pub use attempt::{Attempt, RefusalReason, Tally};

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
    next: Place,
    others: u64,
    pending: Pending,
}

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

    /// Keeps what a record tells of attempts that were refused when it was written.
    pub fn recall(&self, record: &Record) {
        for event in &record.events {
            if let Event::AttemptsRefused { entries, others, .. } = event {
                let mut gathered = self.locked();
                entries.iter().filter_map(Attempt::recalled).for_each(|(attempt, tally)| gathered.keep(attempt, tally));
                gathered.others += others;
            }
        }
    }

    /// Takes the place of these, which are new, with what was recalled.
    pub fn begin_with(&self, recalled: Self) {
        *self.locked() = recalled.0.into_inner().unwrap_or_else(PoisonError::into_inner);
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
        let place = self.next;
        self.next += 1;
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
