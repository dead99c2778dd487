//! What the log tells of attempts that were refused before the start.

use std::collections::HashMap;
use std::sync::Arc;

use tagstone_replay::audit::{Archive, ArchiveError, Kind, Order, Place, Term, What};
use tagstone_schema::{Event, Seq};

use super::KEPT;
use super::attempt::{Attempt, Tally};

/// Records that are read: at one a minute those of a week. What is older is in the log.
const MOST_RECORDS: usize = 10_000;

/// Refused attempts that were recorded.
#[derive(Debug, Default)]
pub struct Recalled {
    /// The newest first.
    pub(super) entries: Vec<(Arc<Attempt>, Tally)>,
    /// Attempts that the same records only count.
    pub(super) others: u64,
}

impl Recalled {
    /// The newest of those that were recorded up to a record, as many as are kept.
    pub fn of(archive: &Archive, until: Seq) -> Result<Self, ArchiveError> {
        let (mut recalled, mut known) = (Self::default(), HashMap::new());
        let newest = Place::last_of(until);
        let recorded = archive.events_of(Term::Kind(Kind::AttemptsRefused), newest, Order::Descending);
        for found in recorded.take(MOST_RECORDS) {
            if let Some(What::Written { event, .. }) = found?.event().map(|event| event.what) {
                recalled.add(event, &mut known);
            }
            if recalled.entries.len() >= KEPT {
                break;
            }
        }
        Ok(recalled)
    }

    fn add(&mut self, event: &Event, known: &mut HashMap<Arc<Attempt>, usize>) {
        let Event::AttemptsRefused { entries, others, .. } = event else { return };
        self.others += others;
        // The last of a record was made last.
        for (attempt, tally) in entries.iter().rev().filter_map(Attempt::recalled) {
            match known.get(&attempt).and_then(|at| self.entries.get_mut(*at)) {
                Some((_, standing)) => standing.add(tally),
                None => {
                    known.insert(attempt.clone(), self.entries.len());
                    self.entries.push((attempt, tally));
                }
            }
        }
    }
}
