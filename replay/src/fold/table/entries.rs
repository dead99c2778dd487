//! The entries of a table, in the order in which they came: those that come together lie side by side.

use std::fmt;
use std::sync::Arc;

use imbl::Vector;

use super::chunks::Chunks;

/// Entries for which a page makes room when it has none: many tables have only a few.
const ROOM: usize = 2;

/// Entries, each at its place.
pub(in crate::fold) struct Entries<E> {
    kept: Kept<E>,
}

enum Kept<E> {
    /// Nobody else has any of them. A clone copies everything, and is shared.
    Alone(Chunks<E>),
    /// In pages, which clones have as well until they change. The last page is never empty.
    Shared(Vector<Arc<Vec<E>>>),
}

impl<E> fmt::Debug for Entries<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").finish_non_exhaustive()
    }
}

impl<E> Default for Entries<E> {
    fn default() -> Self {
        Self { kept: Kept::Shared(Vector::new()) }
    }
}

impl<E: Clone> Clone for Entries<E> {
    fn clone(&self) -> Self {
        let pages = match &self.kept {
            Kept::Alone(entries) => paged(entries.iter().cloned()),
            Kept::Shared(pages) => pages.clone(),
        };
        Self { kept: Kept::Shared(pages) }
    }
}

impl<E> Entries<E> {
    /// Entries of a page. A change that is shared copies one page, which should be short.
    pub(in crate::fold) const PAGE: usize = match 512 / (size_of::<E>() + 1) {
        0..16 => 8,
        16..32 => 16,
        32..64 => 32,
        64.. => 64,
    };

    /// All entries at once, in pages: every one is full but the last, which is not empty.
    pub(super) fn of_pages(pages: impl IntoIterator<Item = Vec<E>>) -> Self {
        Self { kept: Kept::Shared(pages.into_iter().map(Arc::new).collect()) }
    }
}

/// Entries that stand still, to be looked at by their places again and again: a page is found without a way through a tree.
pub(in crate::fold) struct Still<'a, E> {
    parts: Vec<&'a [E]>,
    /// A part has two to the power of this many entries.
    bits: u32,
}

impl<'a, E> Still<'a, E> {
    #[inline]
    pub(in crate::fold) fn get(&self, place: usize) -> Option<&'a E> {
        self.parts.get(place >> self.bits)?.get(place & ((1 << self.bits) - 1))
    }
}

/// Entries in pages.
fn paged<E>(entries: impl Iterator<Item = E>) -> Vector<Arc<Vec<E>>> {
    let (mut pages, mut page) = (Vec::new(), Vec::new());
    for entry in entries {
        if page.capacity() == 0 {
            page.reserve_exact(Entries::<E>::PAGE);
        }
        page.push(entry);
        if page.len() == Entries::<E>::PAGE {
            pages.push(Arc::new(std::mem::take(&mut page)));
        }
    }
    if !page.is_empty() {
        page.shrink_to_fit();
        pages.push(Arc::new(page));
    }
    pages.into_iter().collect()
}

/// All entries at once, in the form that clones share.
impl<E> FromIterator<E> for Entries<E> {
    fn from_iter<I: IntoIterator<Item = E>>(entries: I) -> Self {
        Self { kept: Kept::Shared(paged(entries.into_iter())) }
    }
}

impl<E: Clone> Entries<E> {
    /// Entries that nobody shares.
    pub(in crate::fold) fn alone() -> Self {
        Self { kept: Kept::Alone(Chunks::default()) }
    }

    /// Entries that nobody shares yet, and many will soon: they lie in the pages that will be shared.
    pub(in crate::fold) fn to_share() -> Self {
        Self { kept: Kept::Alone(Chunks::of_at_least(Self::PAGE)) }
    }

    pub(in crate::fold) fn share(&mut self) {
        if let Kept::Alone(entries) = &mut self.kept {
            let entries = std::mem::take(entries);
            self.kept = Kept::Shared(match entries.items() == Self::PAGE {
                true => entries.into_chunks().map(Arc::new).collect(),
                false => paged(entries.into_iter()),
            });
        }
    }

    pub(in crate::fold) fn len(&self) -> usize {
        match &self.kept {
            Kept::Alone(entries) => entries.len(),
            Kept::Shared(pages) => pages.last().map_or(0, |last| (pages.len() - 1) * Self::PAGE + last.len()),
        }
    }

    /// All of them, to be looked at many times.
    pub(in crate::fold) fn still(&self) -> Still<'_, E> {
        match &self.kept {
            Kept::Alone(entries) => Still { parts: entries.parts().collect(), bits: entries.items().ilog2() },
            Kept::Shared(pages) => {
                Still { parts: pages.iter().map(|page| &page[..]).collect(), bits: Self::PAGE.ilog2() }
            }
        }
    }

    pub(in crate::fold) fn last(&self) -> Option<&E> {
        match &self.kept {
            Kept::Alone(entries) => entries.last(),
            Kept::Shared(pages) => pages.last()?.last(),
        }
    }

    pub(in crate::fold) fn iter(&self) -> impl Iterator<Item = &E> {
        let (alone, shared) = match &self.kept {
            Kept::Alone(entries) => (Some(entries.iter()), None),
            Kept::Shared(pages) => (None, Some(pages.iter().flat_map(|page| &**page))),
        };
        alone.into_iter().flatten().chain(shared.into_iter().flatten())
    }

    /// Changes all of them.
    pub(in crate::fold) fn change_all(&mut self, mut change: impl FnMut(&mut E)) {
        match &mut self.kept {
            Kept::Alone(entries) => entries.iter_mut().for_each(change),
            Kept::Shared(pages) => {
                pages.iter_mut().for_each(|page| Arc::make_mut(page).iter_mut().for_each(&mut change))
            }
        }
    }

    #[inline]
    pub(in crate::fold) fn get(&self, place: usize) -> Option<&E> {
        match &self.kept {
            Kept::Alone(entries) => entries.get(place),
            Kept::Shared(pages) => pages.get(place / Self::PAGE)?.get(place % Self::PAGE),
        }
    }

    #[inline]
    pub(in crate::fold) fn get_mut(&mut self, place: usize) -> Option<&mut E> {
        match &mut self.kept {
            Kept::Alone(entries) => entries.get_mut(place),
            Kept::Shared(pages) => Arc::make_mut(pages.get_mut(place / Self::PAGE)?).get_mut(place % Self::PAGE),
        }
    }

    /// Adds one behind the last.
    #[inline]
    pub(in crate::fold) fn push(&mut self, entry: E) {
        let pages = match &mut self.kept {
            Kept::Alone(entries) => return entries.push(entry),
            Kept::Shared(pages) => pages,
        };
        let room = if pages.is_empty() { ROOM } else { Self::PAGE };
        match pages.last().is_some_and(|last| last.len() < Self::PAGE).then(|| pages.back_mut()).flatten() {
            Some(page) => {
                let page = Arc::make_mut(page);
                if page.len() == page.capacity() {
                    page.reserve_exact(ROOM);
                }
                page.push(entry);
            }
            None => {
                let mut page = Vec::with_capacity(room);
                page.push(entry);
                pages.push_back(Arc::new(page));
            }
        }
    }

    /// Adds several behind the last. Where they are a page, none of them is moved.
    pub(in crate::fold) fn append(&mut self, entries: Vec<E>) {
        match &mut self.kept {
            Kept::Alone(alone) => alone.append(entries),
            Kept::Shared(_) => entries.into_iter().for_each(|entry| self.push(entry)),
        }
    }

    pub(super) fn pop(&mut self) -> Option<E> {
        let pages = match &mut self.kept {
            Kept::Alone(entries) => return entries.pop(),
            Kept::Shared(pages) => pages,
        };
        let page = Arc::make_mut(pages.back_mut()?);
        let last = page.pop();
        if page.is_empty() {
            pages.pop_back();
        }
        last
    }

    /// Takes one out; the last one moves to its place.
    pub(in crate::fold) fn take(&mut self, place: usize) -> Option<E> {
        let last = self.pop()?;
        match self.get_mut(place) {
            Some(taken) => Some(std::mem::replace(taken, last)),
            None => Some(last),
        }
    }
}

#[cfg(test)]
impl<E> Entries<E> {
    /// Whether clones share what does not change.
    pub(in crate::fold) fn is_shared(&self) -> bool {
        matches!(self.kept, Kept::Shared(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_stand_still_are_where_they_were() {
        for mut entries in [Entries::<[u8; 4096]>::alone(), Entries::to_share(), Entries::default()] {
            assert!(entries.still().get(0).is_none());
            // Several chunks, and several pages.
            let count = 3 * (1 << 20) / 4096;
            (0..count).for_each(|number| entries.push([u8::try_from(number % 251).unwrap(); 4096]));
            let still = entries.still();
            assert!((0..count).all(|place| still.get(place) == entries.get(place) && still.get(place).is_some()));
            assert!([count, count + 1, 2 * count, usize::MAX].iter().all(|beyond| still.get(*beyond).is_none()));
        }
    }
}
