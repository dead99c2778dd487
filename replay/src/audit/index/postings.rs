//! The places that several terms have in common.

use std::sync::{PoisonError, RwLock};

use super::IndexError;
use super::memory::Memory;
use crate::audit::Place;
use crate::audit::query::Order;
use crate::audit::term::TermKey;

/// Goes through the places that all terms have.
pub(super) struct Places<'a> {
    memory: &'a RwLock<Memory>,
    terms: Vec<TermKey>,
    next: Option<Place>,
    order: Order,
}

impl<'a> Places<'a> {
    pub(super) fn new(memory: &'a RwLock<Memory>, terms: Vec<TermKey>, from: Place, order: Order) -> Self {
        Self { memory, terms, next: Some(from), order }
    }

    /// The nearest place that all terms have: each term in turn says where it goes on, until none goes further.
    fn common(&self, from: Place) -> Option<Place> {
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        if self.terms.is_empty() {
            return memory.nearest(None, from, self.order);
        }
        let mut common = from;
        loop {
            let before = common;
            for term in &self.terms {
                common = memory.nearest(Some(*term), common, self.order)?;
            }
            // The first term has the place too, if the others have not moved on from it.
            if common == before || self.terms.len() == 1 {
                return Some(common);
            }
        }
    }
}

impl Iterator for Places<'_> {
    type Item = Result<Place, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.common(self.next?)?;
        self.next = match self.order {
            Order::Ascending => Some(place.next()),
            Order::Descending => place.previous(),
        };
        Some(Ok(place))
    }
}
