//! Refused attempts: what was tried and a rule has forbidden.
//!
//! They are evidence, and an attack must neither flood the log nor the memory with it. So equal attempts are one entry
//! with a count; the newest entries are kept to be listed, with a share for each kind of them; and once a minute what came together becomes one record, of
//! some entries and the number of the others. A clean stop writes what is pending.
//! What was recorded before the start is read back from the archive when somebody first asks for the list.

mod attempt;
#[cfg(test)]
mod denied_tests;
mod kept;
mod pending;
mod recalled;
mod share;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tagstone_schema::{Actor, Event, Seq, Timestamp};

pub use attempt::{Attempt, RefusalReason, Tally};
pub use kept::{Place, RefusedEntry};
pub use recalled::Recalled;

use super::command::Submission;
use super::rejection::Rejection;
use attempt::Tried;
use kept::Kept;
use pending::Pending;

/// The refused attempts.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Gathered>);

#[derive(Debug, Default)]
struct Gathered {
    kept: Kept,
    /// How many places were given to what was tried since the start.
    made: Place,
    others: u64,
    pending: Pending,
    /// The record up to which the log has attempts that are not in the list yet.
    unrecalled: Option<Seq>,
}

/// The place of the first attempt since the start; what was recalled stands before it.
const FIRST: Place = 1 << 32;

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
        RefusedList { entries: gathered.kept.newest(behind, most).collect(), others: gathered.others }
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
    pub fn recall(&self, recalled: &Recalled) {
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
        let place = FIRST + self.made;
        self.made += 1;
        self.others += self.kept.add_newest(RefusedEntry { place, attempt, tally: Tally::once(at) });
    }

    /// Adds older entries to the list.
    fn recall(&mut self, recalled: &Recalled) {
        self.others += recalled.others;
        for entry in recalled.kept.newest(None, usize::MAX) {
            self.others += self.kept.add_oldest(entry);
        }
    }
}
