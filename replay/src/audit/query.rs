//! A question for events, and a part of the answer.

use std::sync::Arc;

use super::{AuditEvent, Filter, Place, Unfolded};

/// In which order events are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest first.
    #[default]
    Descending,
    /// The oldest first.
    Ascending,
}

/// A question.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which events.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Only those behind this place, in that order.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: usize,
}

/// A part of the answer.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The events, in order. There may be fewer than asked for although there are more: a question looks at a bounded
    /// number of records.
    pub events: Vec<Found>,
    /// Where to go on; none where there is nothing more.
    pub next: Option<Place>,
}

/// An event that was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub(super) unfolded: Arc<Unfolded>,
    pub(super) index: u32,
}

impl Found {
    /// The event at a place of a record.
    pub fn at(unfolded: Arc<Unfolded>, index: u32) -> Self {
        Self { unfolded, index }
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { seq: self.unfolded.record.seq, index: self.index }
    }

    /// The event. None only if this was made for a place without one, which nobody does.
    pub fn event(&self) -> Option<AuditEvent<'_>> {
        self.unfolded.event(self.index)
    }
}
