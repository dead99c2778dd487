//! Going through the turns of one tag: part by part, and in each from block to block.
//!
//! What a page of them takes is read at once in each run, and announced in all runs before the first of them is read.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::PoisonError;
use std::vec::IntoIter;

use super::run::Run;
use super::turn_rows::{ANNOUNCED, AT_ONCE, TurnRow};
use super::turns::{FirstTurn, TagKey};
use super::{IndexError, View};
use crate::audit::query::Order;
use crate::audit::{Place, Stretch, TagEntry};

/// Turns that are copied at a time from the part in memory, so that whoever adds to it does not wait for long.
const COPIED: usize = 256;

/// Goes through a stretch of the turns of a tag.
pub(super) struct TurnsOf<'a> {
    view: &'a View,
    key: TagKey,
    /// What is left of it.
    stretch: Stretch,
    order: Order,
    /// The part that it goes through, by its number: the runs, then what is in memory. None at the end.
    part: Option<usize>,
    /// The block of that part that is read next, if it has been in there already.
    block: Option<usize>,
    /// Blocks of that part that were read together.
    row: Option<TurnRow>,
    /// Blocks that are announced with the first that is read.
    unannounced: usize,
    /// What was read and not told yet.
    read: IntoIter<TagEntry>,
}

impl<'a> TurnsOf<'a> {
    pub(super) fn new(view: &'a View, key: TagKey, stretch: Stretch, order: Order) -> Self {
        let part = match order {
            Order::Ascending => 0,
            Order::Descending => view.runs.len(),
        };
        let read = Vec::new().into_iter();
        Self { view, key, stretch, order, part: Some(part), block: None, row: None, unannounced: ANNOUNCED, read }
    }

    fn next_turn(&mut self) -> Result<Option<TagEntry>, IndexError> {
        loop {
            if let Some(turn) = self.read.next() {
                return Ok(Some(turn));
            }
            let Some(part) = self.part else { return Ok(None) };
            let mut read = match self.view.runs.get(part) {
                Some(run) => self.read_run(run)?,
                None => self.copy_memory(),
            };
            if self.order == Order::Descending {
                read.reverse();
            }
            self.read = read.into_iter();
        }
    }

    /// The next turns of the part in memory, in ascending order.
    fn copy_memory(&mut self) -> Vec<TagEntry> {
        let memory = self.view.memory.read().unwrap_or_else(PoisonError::into_inner);
        let copied = memory.turns(self.key, &self.stretch, self.order, COPIED);
        drop(memory);
        // Behind what was copied it goes on.
        let rest = match (copied.first(), copied.last(), self.order) {
            (_, Some(last), Order::Ascending) => Some(Stretch { first: last.place.next(), ..self.stretch }),
            (Some(first), _, Order::Descending) => first.place.previous().map(|last| Stretch { last, ..self.stretch }),
            _ => None,
        };
        match rest.filter(|_| copied.len() == COPIED) {
            Some(rest) => self.stretch = rest,
            None => self.leave_part(),
        }
        copied
    }

    /// What the next block of a run has of the stretch, in ascending order.
    fn read_run(&mut self, run: &Run) -> Result<Vec<TagEntry>, IndexError> {
        let Some(at) = self.block.or_else(|| self.first_block(run)) else {
            self.leave_part();
            return Ok(Vec::new());
        };
        let row = match self.row.take().filter(|row| row.has(at)) {
            Some(row) => row,
            None => self.read_row(run, at)?,
        };
        let mut read = run.turns_of(self.key, &row, at)?;
        self.row = Some(row);
        read.retain(|turn| self.stretch.order_of(turn.place, turn.time) == Ordering::Equal);
        self.block = self.next_block(run, at);
        if self.block.is_none() {
            self.leave_part();
        }
        Ok(read)
    }

    /// Reads a block of a run, and those that follow it in the stretch. The first time, what follows in other runs is announced.
    fn read_row(&mut self, run: &Run, at: usize) -> Result<TurnRow, IndexError> {
        let row = self.row_of(run, at, AT_ONCE);
        let left = std::mem::take(&mut self.unannounced).saturating_sub(row.len());
        self.announce(left);
        run.turn_row(row)
    }

    /// Announces so many blocks at most of the runs that come next.
    fn announce(&self, blocks: usize) {
        let next =
            std::iter::successors(self.part.and_then(|part| self.part_after(part)), |part| self.part_after(*part));
        let mut left = blocks;
        for run in next.filter_map(|part| self.view.runs.get(part)) {
            if left == 0 {
                return;
            }
            if let Some(at) = self.first_block(run) {
                let row = self.row_of(run, at, left.min(AT_ONCE));
                run.announce_turns(&row);
                left -= row.len();
            }
        }
    }

    /// A block of a run and those that follow it in the stretch, so many at most, as they lie in the file.
    fn row_of(&self, run: &Run, at: usize, most: usize) -> Range<usize> {
        let blocks = std::iter::successors(Some(at), |at| self.next_block(run, *at));
        let last = blocks.take(most).last().unwrap_or(at);
        at.min(last)..at.max(last) + 1
    }

    /// The block of a run that follows a block, if it can have some of the stretch.
    fn next_block(&self, run: &Run, at: usize) -> Option<usize> {
        let is_in = |first: &FirstTurn| {
            first.key == self.key && self.stretch.order_of(first.place, first.time) == Ordering::Equal
        };
        // A block that begins in the stretch may have some of it before, and one that does not begin there none behind.
        match self.order {
            Order::Ascending => Some(at + 1).filter(|next| run.first_turn(*next).is_some_and(is_in)),
            Order::Descending => at.checked_sub(1).filter(|_| run.first_turn(at).is_some_and(is_in)),
        }
    }

    /// The block of a run in which the stretch begins or ends; none if it is not in the run.
    fn first_block(&self, run: &Run) -> Option<usize> {
        let about = run.about();
        let is_before = self.stretch.order_of(Place::last_of(about.to), about.time) == Ordering::Less;
        if is_before || about.from > self.stretch.last.seq || !run.footer.tags.may_have(self.key) {
            return None;
        }
        let order_of =
            |first: &FirstTurn| first.key.cmp(&self.key).then_with(|| self.stretch.order_of(first.place, first.time));
        let behind = match self.order {
            Order::Ascending => run.turn_blocks(|first| order_of(first) == Ordering::Less).saturating_sub(1),
            Order::Descending => run.turn_blocks(|first| order_of(first) != Ordering::Greater).checked_sub(1)?,
        };
        Some(behind)
    }

    fn leave_part(&mut self) {
        (self.block, self.row) = (None, None);
        self.part = self.part.and_then(|part| self.part_after(part));
    }

    fn part_after(&self, part: usize) -> Option<usize> {
        match self.order {
            Order::Ascending => Some(part + 1).filter(|next| *next <= self.view.runs.len()),
            Order::Descending => part.checked_sub(1),
        }
    }
}

impl Iterator for TurnsOf<'_> {
    type Item = Result<TagEntry, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let turn = self.next_turn();
        if turn.is_err() {
            self.part = None;
        }
        turn.transpose()
    }
}
