//! What the log tells of attempts that were refused before the start.

use tagstone_replay::audit::{Archive, ArchiveError, Kind, Order, Place, Term, What};
use tagstone_schema::{Event, Seq};

use super::FIRST;
use super::attempt::Attempt;
use super::kept::{Kept, RefusedEntry};

/// Records that are read: at one a minute those of a week. What is older is in the log.
const MOST_RECORDS: usize = 10_000;

/// Refused attempts that were recorded.
#[derive(Debug, Default)]
pub struct Recalled {
    /// At places before the first attempt since the start.
    pub(super) kept: Kept,
    /// Attempts that the same records only count, or that had no room.
    pub(super) others: u64,
    /// How many entries were read.
    read: u64,
}

impl Recalled {
    /// The newest of those that were recorded up to a record, as many as are kept.
    pub fn of(archive: &Archive, until: Seq) -> Result<Self, ArchiveError> {
        let mut recalled = Self::default();
        let newest = Place::last_of(until);
        let recorded = archive.events_of(Term::Kind(Kind::AttemptsRefused), newest, Order::Descending);
        for found in recorded.take(MOST_RECORDS) {
            if let Some(What::Written { event, .. }) = found?.event().map(|event| event.what) {
                recalled.add(event);
            }
            if recalled.kept.is_full() {
                break;
            }
        }
        Ok(recalled)
    }

    /// Adds an event that is older than those before.
    pub(super) fn add(&mut self, event: &Event) {
        let Event::AttemptsRefused { entries, others, .. } = event else { return };
        self.others += others;
        // The last of a record was made last.
        for (attempt, tally) in entries.iter().rev().filter_map(Attempt::recalled) {
            self.read += 1;
            let place = FIRST.saturating_sub(self.read);
            self.others += self.kept.add_oldest(RefusedEntry { place, attempt, tally });
        }
    }
}
