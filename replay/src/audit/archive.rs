//! The log as it is asked: the records, and the index that finds them.

use std::sync::Arc;

use tagstone_schema::{Head, Record, RepositoryName, Seq, Tag, Timestamp};

use super::index::{AuditIndex, IndexError, View};
use super::query::{Found, Order, Page, Query};
use super::term::Term;
use super::{Place, Stretch, TagEntry, Unfolded};
use crate::log::RecordReader;

/// Candidates that one question looks at. Filters that hold often each and never together would cost the whole log.
const MOST_LOOKED_AT: usize = 20_000;

/// What was up to a place of the log, to be asked. It stays as it is while the log grows.
#[derive(Clone)]
pub struct Archive {
    view: View,
    records: RecordReader,
}

/// Why the archive cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// The index cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A record cannot be read.
    #[error("record {seq} cannot be read: {why}")]
    Record {
        /// The record.
        seq: Seq,
        /// What is wrong.
        why: String,
    },
}

impl Archive {
    /// The archive up to where an index has come.
    pub fn new(index: &AuditIndex, records: RecordReader) -> Self {
        Self { view: index.view(), records }
    }

    /// The last record that it knows.
    pub fn reached(&self) -> Head {
        self.view.reached()
    }

    /// A record with all that happened in it; none outside of the log.
    pub fn record(&self, seq: Seq) -> Result<Option<Arc<Unfolded>>, ArchiveError> {
        if seq == 0 || seq > self.reached().seq {
            return Ok(None);
        }
        let derived = self.view.derived(seq)?;
        Ok(Some(Arc::new(Unfolded { record: self.stored(seq)?, derived })))
    }

    /// The last record at or before an instant: 0 before the first.
    pub fn seq_at(&self, time: Timestamp) -> Result<Seq, ArchiveError> {
        // Times increase strictly with seqs.
        let (mut before, mut behind) = (0, self.reached().seq + 1);
        while before + 1 < behind {
            let middle = before + (behind - before) / 2;
            if self.stored(middle)?.time <= time { before = middle } else { behind = middle }
        }
        Ok(before)
    }

    /// The events with a term, from a place on (itself too), in the order asked for.
    pub fn events_of<'a>(
        &'a self,
        term: Term<'a>,
        from: Place,
        order: Order,
    ) -> impl Iterator<Item = Result<Found, ArchiveError>> + 'a {
        let key = self.view.keys().key(term);
        let places = self.view.places(vec![key], from, order);
        let mut last = None;
        places.filter_map(move |place| {
            let found = place.map_err(ArchiveError::from).and_then(|place| self.found(place, &mut last));
            // Another term may share the key.
            found.map(|found| found.filter(|found| found.event().is_some_and(|event| event.has(term)))).transpose()
        })
    }

    /// The places of the events with a term, as [`Archive::events_of`]. It reads no records, so in some ten millions of events
    /// there may be one place without the term.
    pub fn places_of(
        &self,
        term: Term<'_>,
        from: Place,
        order: Order,
    ) -> impl Iterator<Item = Result<Place, ArchiveError>> + '_ {
        let key = self.view.keys().key(term);
        self.view.places(vec![key], from, order).map(|place| place.map_err(ArchiveError::from))
    }

    /// What changed where a tag points, in a stretch of its life. No record is read for it.
    pub(super) fn turns<'a>(
        &'a self,
        repository: &RepositoryName,
        tag: &Tag,
        stretch: Stretch,
        order: Order,
    ) -> impl Iterator<Item = Result<TagEntry, ArchiveError>> + use<'a> {
        self.view.turns(repository, tag, stretch, order).map(|turn| turn.map_err(ArchiveError::from))
    }

    /// Takes the beginning of a record out of the log.
    #[cfg(test)]
    pub(super) fn lose(&self, seq: Seq) {
        self.records.lose(seq);
    }

    /// Answers a question, or a part of it. Where a record cannot be read, the answer ends before it, and the next one is the error.
    pub fn events(&self, query: &Query) -> Result<Page, ArchiveError> {
        let Some((first, last)) = self.bounds(query)? else { return Ok(Page::default()) };
        let mut keys = self.view.keys();
        let keys: Vec<_> = query.filter.terms().into_iter().map(|term| keys.key(term)).collect();
        let from = match query.order {
            Order::Ascending => first,
            Order::Descending => last,
        };
        let mut page = Page::default();
        let mut record = None;
        for (looked_at, place) in self.view.places(keys, from, query.order).enumerate() {
            let place = place?;
            if place < first || place > last {
                return Ok(page);
            }
            if page.events.len() == query.limit || looked_at == MOST_LOOKED_AT {
                page.next = Some(before(place, query.order));
                return Ok(page);
            }
            let found = match self.found(place, &mut record) {
                Err(ArchiveError::Record { .. }) if looked_at > 0 => {
                    page.next = Some(before(place, query.order));
                    return Ok(page);
                }
                found => found?,
            };
            let selected = found.filter(|found| found.event().is_some_and(|event| query.filter.selects(&event)));
            page.events.extend(selected);
        }
        Ok(page)
    }

    /// The first and the last place at which an answer can stand.
    fn bounds(&self, query: &Query) -> Result<Option<(Place, Place)>, ArchiveError> {
        let filter = &query.filter;
        let mut first = filter.from_seq.unwrap_or(1).max(1);
        let mut last = filter.to_seq.unwrap_or(Seq::MAX).min(self.reached().seq);
        // Since is inclusive, until is not.
        if let Some(since) = filter.since {
            first = first.max(self.seq_at(Timestamp(since.0.saturating_sub(1)))? + 1);
        }
        if let Some(until) = filter.until {
            last = last.min(self.seq_at(Timestamp(until.0.saturating_sub(1)))?);
        }
        let (mut first, mut last) = (Place::first_of(first), Place::last_of(last));
        match (query.after, query.order) {
            (None, _) => {}
            (Some(after), Order::Ascending) => first = first.max(after.next()),
            (Some(after), Order::Descending) => match after.previous() {
                Some(previous) => last = last.min(previous),
                None => return Ok(None),
            },
        }
        Ok((first <= last).then_some((first, last)))
    }

    /// The event at a place. The record that was read last is not read again.
    fn found(&self, place: Place, last: &mut Option<Arc<Unfolded>>) -> Result<Option<Found>, ArchiveError> {
        if last.as_ref().is_none_or(|last| last.record.seq != place.seq) {
            *last = self.record(place.seq)?;
        }
        Ok(last.clone().map(|unfolded| Found { unfolded, index: place.index }))
    }

    fn stored(&self, seq: Seq) -> Result<Record, ArchiveError> {
        let failed = |why: String| ArchiveError::Record { seq, why };
        let stored = self.records.read(seq).next().ok_or_else(|| failed("it is not there".to_owned()))?;
        let stored = stored.map_err(|error| failed(error.to_string()))?;
        let record = Record::decode(&stored.bytes).map_err(|error| failed(error.to_string()))?;
        if record.seq == seq { Ok(record) } else { Err(failed(format!("record {} stands in its place", record.seq))) }
    }
}

/// The place behind which a page goes on, so that it begins with this one.
fn before(place: Place, order: Order) -> Place {
    match order {
        Order::Ascending => place.previous().unwrap_or(place),
        Order::Descending => place.next(),
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
