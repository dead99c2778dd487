//! The parts of a table, shared with its clones or not.

use std::sync::Arc;

use imbl::Vector;

use super::chunks::Chunks;

/// Pages, in order.
pub(super) enum Pages<P> {
    /// Nobody else has any of them, so they lie side by side and change in place. A clone copies everything, and is shared.
    Alone(Chunks<Aligned<P>>),
    /// Clones have the same pages until they change.
    Shared(Vector<Arc<P>>),
}

/// Begins where a line of a processor's cache does, so that a page of one line is one line.
#[repr(align(64))]
pub(super) struct Aligned<P>(pub(super) P);

impl<P> Default for Pages<P> {
    fn default() -> Self {
        Self::Shared(Vector::new())
    }
}

impl<P: Clone> Clone for Pages<P> {
    fn clone(&self) -> Self {
        match self {
            Self::Alone(pages) => Self::Shared(pages.iter().map(|page| Arc::new(page.0.clone())).collect()),
            Self::Shared(pages) => Self::Shared(pages.clone()),
        }
    }
}

impl<P> Pages<P> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Alone(pages) => pages.len(),
            Self::Shared(pages) => pages.len(),
        }
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&P> {
        match self {
            Self::Alone(pages) => pages.get(place).map(|page| &page.0),
            Self::Shared(pages) => pages.get(place).map(|page| &**page),
        }
    }
}

impl<P: Clone> Pages<P> {
    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut P> {
        match self {
            Self::Alone(pages) => pages.get_mut(place).map(|page| &mut page.0),
            Self::Shared(pages) => pages.get_mut(place).map(Arc::make_mut),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, page: P) {
        match self {
            Self::Alone(pages) => pages.push(Aligned(page)),
            Self::Shared(pages) => pages.push_back(Arc::new(page)),
        }
    }

    pub(super) fn pop(&mut self) -> Option<P> {
        match self {
            Self::Alone(pages) => pages.pop().map(|page| page.0),
            Self::Shared(pages) => pages.pop_back().map(Arc::unwrap_or_clone),
        }
    }

    pub(super) fn share(&mut self) {
        if let Self::Alone(pages) = self {
            *self = Self::Shared(std::mem::take(pages).into_iter().map(|page| Arc::new(page.0)).collect());
        }
    }
}
