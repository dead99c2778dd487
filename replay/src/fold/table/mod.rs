//! A persistent hash table: what the fold looks up by digest or by name.
//!
//! At millions of entries the time of a lookup is the number of places in memory that are far apart. A B-tree or a
//! trie has several on the way to an entry; here entries lie in pages, of which each says by one byte an entry whether
//! it is worth looking at. The table grows by one page at a time (linear hashing; Litwin, 1980), so that no insertion
//! pays for all entries, and a change copies one page and the way to it.
//!
//! While nobody else looks, as in a replay or while a snapshot is read, the pages lie side by side ([`Pages::Alone`]): then a
//! change is a change in place, without a tree of pages above it and counts of who shares each.
//!
//! Clients choose digests (a `subject` need not exist), so the hashes are keyed by a random seed. Nothing may depend on
//! the order of entries: who lists them sorts.

mod page;
mod pages;

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

use self::page::Page;
use self::pages::Pages;

/// Entries of a page on average, at which the table grows, and at which it shrinks.
const FULL: usize = 6;
const SPARSE: usize = 2;

/// Entries for which a page makes room when it has none: most pages are split before they need it again.
const ROOM: usize = 3;

/// Whether there are clones of what is kept.
#[derive(Debug, Default)]
pub(super) enum Keeping {
    /// There may be, and they share what does not change.
    #[default]
    Shared,
    /// There are none, or rarely one, which copies everything.
    Alone,
}

impl Clone for Keeping {
    /// What was copied once is shared from then on.
    fn clone(&self) -> Self {
        Self::Shared
    }
}

/// A persistent hash table. A clone costs a few pointers, and shares all that does not change afterwards.
#[derive(Clone)]
pub(super) struct Table<K, V> {
    pages: Pages<K, V>,
    len: usize,
    hashing: RandomState,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { pages: Pages::default(), len: 0, hashing: RandomState::default() }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Table<K, V> {
    /// A table as it is kept.
    pub(super) fn kept(keeping: &Keeping) -> Self {
        match keeping {
            Keeping::Shared => Self::default(),
            Keeping::Alone => Self::alone(0),
        }
    }

    /// A table that nobody shares, with pages for so many entries from the beginning.
    pub(super) fn alone(entries: usize) -> Self {
        let pages = (0..entries.div_ceil(FULL)).map(|_| Page::with_room(entries.min(FULL + ROOM)));
        Self { pages: Pages::Alone(pages.collect()), ..Self::default() }
    }

    /// Changes all values.
    pub(super) fn values_mut(&mut self, mut change: impl FnMut(&mut V)) {
        for place in 0..self.pages.len() {
            self.pages.get_mut(place).into_iter().flat_map(Page::values_mut).for_each(&mut change);
        }
    }

    /// From now on clones share what does not change.
    pub(super) fn share(&mut self) {
        self.pages.share();
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.pages.iter().flat_map(Page::iter)
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hashing.hash_one(key);
        let page = self.pages.get(self.place(hash)?)?;
        page.value(page.position(hash, key)?)
    }

    pub(super) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hashing.hash_one(key);
        let place = self.place(hash)?;
        let page = self.pages.get_mut(place)?;
        let position = page.position(hash, key)?;
        page.value_mut(position)
    }

    /// Changes the value of a key, which is made where there is none.
    pub(super) fn change<T>(&mut self, key: &K, make: impl FnOnce() -> V, change: impl FnOnce(&mut V) -> T) -> T {
        if self.len >= self.pages.len() * FULL {
            self.grow();
        }
        let hash = self.hashing.hash_one(key);
        let page = self.place(hash).and_then(|place| self.pages.get_mut(place));
        let Some(page) = page else { return change(&mut make()) };
        if let Some(position) = page.position(hash, key)
            && let Some(value) = page.value_mut(position)
        {
            return change(value);
        }
        let mut value = make();
        let changed = change(&mut value);
        page.add(hash, key.clone(), value);
        self.len += 1;
        changed
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hashing.hash_one(key);
        let place = self.place(hash)?;
        let position = self.pages.get(place)?.position(hash, key)?;
        let (_, value) = self.pages.get_mut(place)?.take(position, |key| self.hashing.hash_one(key));
        self.len -= 1;
        if self.pages.len() > 1 && self.len < self.pages.len() * SPARSE {
            self.shrink();
        }
        Some(value)
    }

    /// The page of a hash; none while there is no page.
    fn place(&self, hash: u64) -> Option<usize> {
        place(hash, self.pages.len())
    }

    /// Adds a page, and moves there what belongs there: part of what one other page holds.
    fn grow(&mut self) {
        let (added, pages) = (self.pages.len(), self.pages.len() + 1);
        let mut page = Page::default();
        if let Some(split) = self.pages.get_mut(split_into(added)) {
            let entries = split.empty();
            split.make_room(entries.len() / 2 + ROOM);
            page.make_room(entries.len() / 2 + ROOM);
            for (key, value) in entries {
                let hash = self.hashing.hash_one(&key);
                let stays = place(hash, pages) != Some(added);
                if stays { &mut *split } else { &mut page }.add(hash, key, value);
            }
        }
        self.pages.push(page);
    }

    /// Takes the last page away; what it holds goes back to the page that it came from.
    fn shrink(&mut self) {
        let Some(mut last) = self.pages.pop() else { return };
        let Some(into) = self.pages.get_mut(split_into(self.pages.len())) else { return };
        for (key, value) in last.empty() {
            into.add(self.hashing.hash_one(&key), key, value);
        }
    }
}

/// The page of a hash among so many.
fn place(hash: u64, pages: usize) -> Option<usize> {
    let ceiling = pages.checked_next_power_of_two().filter(|_| pages > 0)?;
    let low = usize::try_from(hash & (ceiling as u64 - 1)).ok()?;
    Some(if low < pages { low } else { low & (ceiling / 2 - 1) })
}

/// The page that is split when a page is added behind so many.
fn split_into(added: usize) -> usize {
    added.checked_ilog2().map_or(0, |bits| added - (1 << bits))
}

impl<K: Clone + Eq + Hash + fmt::Debug, V: Clone + fmt::Debug> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entries(table: &Table<u16, u32>) -> BTreeMap<u16, u32> {
        let entries: BTreeMap<_, _> = table.iter().map(|(key, value)| (*key, *value)).collect();
        assert_eq!((entries.len(), table.iter().count()), (table.len(), table.len()));
        entries
    }

    proptest! {
        #[test]
        fn a_table_is_a_map_and_its_clones_stay_as_they_were(
            acts in proptest::collection::vec((0u16..300, 0u32..4), 0..2_000),
            alone in proptest::option::of(0usize..200),
            shared_at in 0u32..2_000,
        ) {
            let (mut table, mut model) = (alone.map_or_else(Table::default, Table::alone), BTreeMap::new());
            let mut taken = Vec::new();
            for (number, (key, what)) in (0u32..).zip(acts) {
                match what {
                    0 => prop_assert_eq!(table.remove(&key), model.remove(&key)),
                    1 => {
                        let found = table.get_mut(&key).map(|value| std::mem::replace(value, number));
                        prop_assert_eq!(found, model.get_mut(&key).map(|value| std::mem::replace(value, number)));
                    }
                    _ => {
                        let was = table.change(&key, || 0, |value| std::mem::replace(value, number));
                        prop_assert_eq!(was, model.insert(key, number).unwrap_or(0));
                    }
                }
                prop_assert_eq!(table.get(&key), model.get(&key));
                if number == shared_at {
                    table.share();
                }
                if number % 100 == 0 {
                    taken.push((table.clone(), model.clone()));
                }
            }
            taken.push((table, model));
            for (table, model) in taken {
                prop_assert_eq!(entries(&table), model);
            }
        }
    }

    #[test]
    fn a_table_that_was_emptied_gives_its_pages_back() {
        for table in [Table::default(), Table::alone(0), Table::alone(1_000)] {
            emptied(table);
        }
    }

    fn emptied(mut table: Table<u32, ()>) {
        let numbers = 0..100_000;
        numbers.clone().for_each(|number| table.change(&number, || (), |()| ()));
        assert!(numbers.clone().all(|number| table.get(&number).is_some()));
        let most = table.pages.iter().map(|page| page.iter().count()).max();
        assert!(table.pages.len() > 10_000 && most < Some(64), "{} pages, {most:?}", table.pages.len());
        numbers.for_each(|number| assert!(table.remove(&number).is_some()));
        assert!(table.len() == 0 && table.pages.len() == 1);
    }
}
