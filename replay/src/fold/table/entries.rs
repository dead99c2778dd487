//! The entries of a table, in the order in which they came: those that come together lie side by side.

use super::pages::Pages;

/// Entries of a page. A change that is shared copies one page.
const PAGE: usize = 8;

/// Entries for which a page makes room when it has none: many tables have only a few.
const ROOM: usize = 2;

#[derive(Clone)]
pub(super) struct Entries<E> {
    pages: Pages<Vec<E>>,
    len: usize,
}

impl<E> Default for Entries<E> {
    fn default() -> Self {
        Self { pages: Pages::default(), len: 0 }
    }
}

impl<E: Clone> Entries<E> {
    /// Entries that nobody shares.
    pub(super) fn alone() -> Self {
        Self { pages: Pages::Alone(Vec::new()), len: 0 }
    }

    pub(super) fn share(&mut self) {
        self.pages.share();
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.pages.iter().flatten()
    }

    /// Changes all of them.
    pub(super) fn change_all(&mut self, mut change: impl FnMut(&mut E)) {
        for place in 0..self.pages.len() {
            self.pages.get_mut(place).into_iter().flatten().for_each(&mut change);
        }
    }

    pub(super) fn get(&self, place: usize) -> Option<&E> {
        self.pages.get(place / PAGE)?.get(place % PAGE)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut E> {
        self.pages.get_mut(place / PAGE)?.get_mut(place % PAGE)
    }

    /// Adds one behind the last.
    pub(super) fn push(&mut self, entry: E) {
        match self.pages.get_mut(self.len / PAGE) {
            Some(page) => {
                if page.len() == page.capacity() {
                    page.reserve_exact(ROOM);
                }
                page.push(entry);
            }
            None => {
                let mut page = Vec::with_capacity(if self.len == 0 { ROOM } else { PAGE });
                page.push(entry);
                self.pages.push(page);
            }
        }
        self.len += 1;
    }

    /// Takes one out; the last one moves to its place.
    pub(super) fn take(&mut self, place: usize) -> Option<E> {
        let last_page = self.pages.len().checked_sub(1)?;
        let page = self.pages.get_mut(last_page)?;
        let last = page.pop()?;
        if page.is_empty() {
            self.pages.pop();
        }
        self.len -= 1;
        match self.get_mut(place) {
            Some(taken) => Some(std::mem::replace(taken, last)),
            None => Some(last),
        }
    }
}
