//! Refused attempts that are not in the log yet.

use std::collections::HashMap;
use std::sync::Arc;

use tagstone_schema::event::RefusedAttempt;
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Event, Origin, Record, RecordHash, Timestamp, limits};

use super::attempt::{Attempt, Tally};
use super::recorder;
use super::share::Share;

/// How long attempts are gathered before they become a record, in microseconds: an attack is a record a minute.
const GATHERED_FOR: i64 = 60_000_000;

/// What the next record will hold.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: HashMap<Arc<Attempt>, Tally>,
    /// When the first and the last attempt was made.
    window: Option<(Timestamp, Timestamp)>,
    others: u64,
}

impl Pending {
    pub(super) fn add(&mut self, attempt: &Arc<Attempt>, at: Timestamp) {
        self.at(at);
        if let Some(tally) = self.entries.get_mut(attempt) {
            tally.again(at);
        } else if self.has_room_for(attempt) {
            self.entries.insert(attempt.clone(), Tally::once(at));
        } else {
            self.others += 1;
        }
    }

    fn has_room_for(&self, attempt: &Attempt) -> bool {
        let recorded = |share: &Share| self.entries.keys().filter(|standing| share.has(standing)).count();
        self.entries.len() < limits::REFUSAL_ENTRIES
            && Share::of(attempt).iter().all(|share| recorded(share) < share.recorded())
    }

    pub(super) fn add_others(&mut self, others: u64, at: Timestamp) {
        if others > 0 {
            self.at(at);
            self.others += others;
        }
    }

    fn at(&mut self, at: Timestamp) {
        let (first, last) = self.window.unwrap_or((at, at));
        self.window = Some((first.min(at), last.max(at)));
    }

    /// Whether the attempts have been gathered for long enough.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.window.is_some_and(|(first, _)| now.0.saturating_sub(first.0) >= GATHERED_FOR)
    }

    /// The event that tells of them, and fits into a record; none if there are none.
    pub(super) fn take(&mut self) -> Option<Event> {
        let Self { entries, window, mut others } = std::mem::take(self);
        let (since, until) = window?;
        let mut entries: Vec<RefusedAttempt> =
            entries.into_iter().map(|(attempt, tally)| attempt.recorded(tally)).collect();
        entries.sort_by(|a, b| (a.first, &a.repository, &a.tag).cmp(&(b.first, &b.repository, &b.tag)));
        loop {
            let event = Event::AttemptsRefused { since, until, entries, others };
            let record = Record {
                format: FORMAT_VERSION,
                seq: 0,
                time: until,
                prev: RecordHash::ZERO,
                actor: recorder(),
                origin: Origin::default(),
                events: vec![event.clone()],
            };
            if record.encoded_len() <= limits::RECORD_BYTES as u64 {
                return Some(event);
            }
            // So many names of full length do not fit: the last of them are only counted.
            let Event::AttemptsRefused { entries: mut fewer, .. } = event else { return None };
            others += fewer.pop()?.count;
            entries = fewer;
        }
    }
}
