//! Going through the places of terms: run by run, and in each from place to place that all terms have.

use std::sync::{PoisonError, RwLock};

use super::block::places_of;
use super::memory::{Memory, nearest};
use super::run::Run;
use super::{IndexError, View};
use crate::audit::Place;
use crate::audit::query::Order;
use crate::audit::term::TermKey;

/// Goes through the places that all terms have.
pub(super) struct Places<'a> {
    view: &'a View,
    terms: Vec<TermKey>,
    order: Order,
    /// Where it goes on; none at the end.
    next: Option<Place>,
    /// The part that it goes through, by its number: the runs, then what is in memory.
    part: usize,
    cursors: Option<Vec<Cursor<'a>>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(view: &'a View, mut terms: Vec<TermKey>, from: Place, order: Order) -> Self {
        if terms.is_empty() {
            terms.push(TermKey::EVERY);
        }
        // The parts in which places at or behind this one are begin here.
        let part = match order {
            Order::Ascending => view.runs.partition_point(|run| run.about().to < from.seq),
            Order::Descending => {
                let behind = view.runs.partition_point(|run| run.about().from <= from.seq);
                if behind == view.runs.len() && from.seq > view.in_runs() { behind } else { behind.saturating_sub(1) }
            }
        };
        Self { view, terms, order, next: Some(from), part, cursors: None }
    }

    fn next_place(&mut self) -> Result<Option<Place>, IndexError> {
        while let Some(from) = self.next {
            let (view, part, order) = (self.view, self.part, self.order);
            let cursor = |term: &TermKey| Cursor::new(view, part, *term);
            let cursors = self.cursors.get_or_insert_with(|| self.terms.iter().map(cursor).collect());
            if let Some(place) = common(cursors, from, order)? {
                self.next = match order {
                    Order::Ascending => Some(place.next()),
                    Order::Descending => place.previous(),
                };
                return Ok(Some(place).filter(|place| place.seq <= view.reached.seq));
            }
            self.cursors = None;
            let next = match order {
                Order::Ascending => part.checked_add(1).filter(|next| *next <= view.runs.len()),
                Order::Descending => part.checked_sub(1),
            };
            match next {
                Some(next) => self.part = next,
                None => self.next = None,
            }
        }
        Ok(None)
    }
}

impl Iterator for Places<'_> {
    type Item = Result<Place, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.next_place();
        if !matches!(place, Ok(Some(_))) {
            self.next = None;
        }
        place.transpose()
    }
}

/// The nearest place that all cursors have: each in turn says where it goes on, until none goes further.
fn common(cursors: &mut [Cursor<'_>], from: Place, order: Order) -> Result<Option<Place>, IndexError> {
    let (mut common, mut agreed, all) = (from, 0, cursors.len());
    loop {
        for cursor in &mut *cursors {
            let Some(place) = cursor.seek(common, order)? else { return Ok(None) };
            agreed = if place == common { agreed + 1 } else { 1 };
            common = place;
            if agreed == all {
                return Ok(Some(common));
            }
        }
    }
}

/// The places of one term in one part.
enum Cursor<'a> {
    Run(RunCursor<'a>),
    Memory(&'a RwLock<Memory>, TermKey),
}

impl<'a> Cursor<'a> {
    fn new(view: &'a View, part: usize, key: TermKey) -> Self {
        match view.runs.get(part) {
            Some(run) => Self::Run(RunCursor { run, key, block: None, places: Vec::new() }),
            None => Self::Memory(&view.memory, key),
        }
    }

    /// The nearest place at or behind `from`.
    fn seek(&mut self, from: Place, order: Order) -> Result<Option<Place>, IndexError> {
        match self {
            Self::Run(cursor) => cursor.seek(from, order),
            Self::Memory(memory, key) => {
                Ok(memory.read().unwrap_or_else(PoisonError::into_inner).nearest(*key, from, order))
            }
        }
    }
}

/// The places of one term in a run.
struct RunCursor<'a> {
    run: &'a Run,
    key: TermKey,
    /// The block that was read last, and the places of the term in it.
    block: Option<usize>,
    places: Vec<Place>,
}

impl RunCursor<'_> {
    fn seek(&mut self, from: Place, order: Order) -> Result<Option<Place>, IndexError> {
        let is_within = self.places.first().is_some_and(|first| *first <= from) && self.places.last() >= Some(&from);
        if is_within {
            return Ok(nearest(&self.places, from, order));
        }
        let at = self.run.block_of(self.key, from);
        if let Some(at) = at
            && let Some(place) = nearest(self.load(at)?, from, order)
        {
            return Ok(Some(place));
        }
        // Going down, whatever is before this place is in the block that begins at or before it.
        let next = at.map_or(0, |at| at + 1);
        if order == Order::Ascending && self.run.first_of(next).is_some_and(|(first, _)| first == self.key) {
            return Ok(nearest(self.load(next)?, from, order));
        }
        Ok(None)
    }

    fn load(&mut self, block: usize) -> Result<&[Place], IndexError> {
        if self.block != Some(block) {
            let (key, from) = (self.key, self.run.about().from);
            let places = self.run.in_block(block, |bytes| places_of(key, bytes, from))?;
            (self.places, self.block) = (places.unwrap_or_default(), Some(block));
        }
        Ok(&self.places)
    }
}
