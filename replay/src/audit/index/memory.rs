//! The part of the index that is in memory: what happened last.

use std::collections::{BTreeMap, HashMap};

use tagstone_schema::Seq;

use crate::audit::query::Order;
use crate::audit::term::{TermKey, TermKeys};
use crate::audit::{Derived, Place, Unfolded};

/// Postings of consecutive records.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By term; the places of each are in order.
    postings: HashMap<TermKey, Vec<Place>>,
    /// All places.
    all: Vec<Place>,
    derived: BTreeMap<Seq, Derived>,
}

impl Memory {
    /// Adds the record that follows the last one.
    pub(super) fn add(&mut self, unfolded: &Unfolded, keys: &mut TermKeys) {
        for event in unfolded.events() {
            let place = event.place();
            self.all.push(place);
            event.terms(|term| {
                let places = self.postings.entry(keys.key(term)).or_default();
                // An event may tell a term twice.
                if places.last() != Some(&place) {
                    places.push(place);
                }
            });
        }
        if !unfolded.derived.is_empty() {
            self.derived.insert(unfolded.record.seq, unfolded.derived.clone());
        }
    }

    pub(super) fn derived(&self, seq: Seq) -> Derived {
        self.derived.get(&seq).cloned().unwrap_or_default()
    }

    /// The nearest place of a term at or behind `from`, in order. Without a term, of any event.
    pub(super) fn nearest(&self, term: Option<TermKey>, from: Place, order: Order) -> Option<Place> {
        let places = match term {
            Some(term) => self.postings.get(&term)?,
            None => &self.all,
        };
        match order {
            Order::Ascending => places.get(places.partition_point(|place| *place < from)).copied(),
            Order::Descending => {
                places.partition_point(|place| *place <= from).checked_sub(1).and_then(|at| places.get(at)).copied()
            }
        }
    }
}
