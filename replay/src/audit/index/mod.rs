//! The index of the audit: for every term the places of the events that have it, and what the fold adds to records.
//!
//! **Invariant**: it holds nothing that the log does not. Whenever there is doubt about it, it is thrown away and made anew from the
//! log.

mod memory;
mod postings;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use tagstone_schema::{Head, Seq};

use self::memory::Memory;
use self::postings::Places;
use super::query::Order;
use super::term::{TermKey, TermKeys};
use super::{Derived, Place, Unfolded};

/// The index of one log. Clones are the same index.
#[derive(Clone, Debug, Default)]
pub struct AuditIndex {
    parts: Arc<RwLock<Parts>>,
}

#[derive(Debug, Default)]
struct Parts {
    memory: Arc<RwLock<Memory>>,
    reached: Head,
}

/// The index up to the place that it had reached when somebody looked.
#[derive(Clone, Debug)]
pub struct View {
    memory: Arc<RwLock<Memory>>,
    reached: Head,
}

/// Why the index cannot be used. The log is not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing} the index of the audit failed: {why}")]
pub struct IndexError {
    doing: &'static str,
    why: String,
}

impl AuditIndex {
    /// The last record up to which the index is complete.
    pub fn reached(&self) -> Head {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).reached
    }

    /// Adds the record that follows the one that was reached.
    pub fn add(&self, unfolded: &Unfolded, head: Head, keys: &mut TermKeys) -> Result<(), IndexError> {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.memory.write().unwrap_or_else(PoisonError::into_inner).add(unfolded, keys);
        parts.reached = head;
        Ok(())
    }

    /// The index as it is now.
    pub fn view(&self) -> View {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        View { memory: parts.memory.clone(), reached: parts.reached }
    }
}

impl View {
    /// The last record that it contains.
    pub fn reached(&self) -> Head {
        self.reached
    }

    /// What the fold adds to the events of a record.
    pub fn derived(&self, seq: Seq) -> Result<Derived, IndexError> {
        Ok(self.memory.read().unwrap_or_else(PoisonError::into_inner).derived(seq))
    }

    /// The places of the events that have all of these terms, from a place on (itself too). Without terms those of all events.
    pub fn places(
        &self,
        terms: Vec<TermKey>,
        from: Place,
        order: Order,
    ) -> impl Iterator<Item = Result<Place, IndexError>> + '_ {
        Places::new(&self.memory, terms, from.min(Place::last_of(self.reached.seq)), order)
            .take_while(|place| place.as_ref().is_ok_and(|place| place.seq <= self.reached.seq) || place.is_err())
    }
}
