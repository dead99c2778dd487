//! A persistent hash table: what the fold looks up by digest or by name.
//!
//! At millions of entries the time of a lookup is the number of places in memory that are far apart. A B-tree or a
//! trie has several on the way to an entry; here entries lie in pages, of which each says by one byte an entry whether
//! it is worth looking at. The table grows by one page at a time (linear hashing; Litwin, 1980), so that no insertion
//! pays for all entries, and a change copies one page and the way to it.
//!
//! Clients choose digests (a `subject` need not exist), so the hashes are keyed by a random seed. Nothing may depend on
//! the order of entries: who lists them sorts.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::fast::RandomState;
use imbl::Vector;

/// Entries of a page on average, at which the table grows, and at which it shrinks.
const FULL: usize = 6;
const SPARSE: usize = 2;
/// Entries of a page that have a fragment of their hash beside them. Few pages hold more.
const FRAGMENTS: usize = 16;

/// Entries for which a page makes room when it has none: most pages are split before they need it again.
const ROOM: usize = 3;

/// A persistent hash table. A clone costs a few pointers, and shares all that does not change afterwards.
#[derive(Clone)]
pub(super) struct Table<K, V> {
    pages: Vector<Arc<Page<K, V>>>,
    len: usize,
    hashing: RandomState,
}

#[derive(Clone)]
struct Page<K, V> {
    /// One byte of the hash of each of the first entries.
    fragments: [u8; FRAGMENTS],
    entries: Vec<(K, V)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { pages: Vector::new(), len: 0, hashing: RandomState::default() }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Table<K, V> {
    /// A table that has pages for so many entries from the beginning.
    pub(super) fn with_room(entries: usize) -> Self {
        let pages = (0..entries.div_ceil(FULL)).map(|_| {
            let entries = Vec::with_capacity(entries.min(FULL + ROOM));
            Arc::new(Page { fragments: [0; FRAGMENTS], entries })
        });
        Self { pages: pages.collect(), ..Self::default() }
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.pages.iter().flat_map(|page| page.entries.iter().map(|(key, value)| (key, value)))
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hashing.hash_one(key);
        let page = self.pages.get(self.place(hash)?)?;
        page.entries.get(page.position(hash, key)?).map(|(_, value)| value)
    }

    pub(super) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hashing.hash_one(key);
        let place = self.place(hash)?;
        let page = Arc::make_mut(self.pages.get_mut(place)?);
        let position = page.position(hash, key)?;
        page.entries.get_mut(position).map(|(_, value)| value)
    }

    /// Changes the value of a key, which is made where there is none.
    pub(super) fn change<T>(&mut self, key: &K, make: impl FnOnce() -> V, change: impl FnOnce(&mut V) -> T) -> T {
        if self.len >= self.pages.len() * FULL {
            self.grow();
        }
        let hash = self.hashing.hash_one(key);
        let page = self.place(hash).and_then(|place| self.pages.get_mut(place)).map(Arc::make_mut);
        let Some(page) = page else { return change(&mut make()) };
        if let Some(position) = page.position(hash, key)
            && let Some((_, value)) = page.entries.get_mut(position)
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
        let page = self.pages.get_mut(place)?;
        let position = page.position(hash, key)?;
        let (_, value) = Arc::make_mut(page).take(position, |key| self.hashing.hash_one(key));
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
            let split = Arc::make_mut(split);
            let entries = std::mem::take(&mut split.entries);
            split.entries.reserve_exact(entries.len() / 2 + ROOM);
            page.entries.reserve_exact(entries.len() / 2 + ROOM);
            for (key, value) in entries {
                let hash = self.hashing.hash_one(&key);
                let stays = place(hash, pages) != Some(added);
                if stays { &mut *split } else { &mut page }.add(hash, key, value);
            }
        }
        self.pages.push_back(Arc::new(page));
    }

    /// Takes the last page away; what it holds goes back to the page that it came from.
    fn shrink(&mut self) {
        let Some(last) = self.pages.pop_back() else { return };
        let Some(into) = self.pages.get_mut(split_into(self.pages.len())) else { return };
        let into = Arc::make_mut(into);
        for (key, value) in Arc::unwrap_or_clone(last).entries {
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

/// The byte of a hash that stands beside an entry; places are made of the bits at the other end.
fn fragment(hash: u64) -> u8 {
    hash.to_be_bytes()[0]
}

impl<K, V> Default for Page<K, V> {
    fn default() -> Self {
        Self { fragments: [0; FRAGMENTS], entries: Vec::new() }
    }
}

impl<K: Eq + Hash, V> Page<K, V> {
    fn position<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        let sought = fragment(hash);
        let is_key = |at: &usize| self.entries.get(*at).is_some_and(|(other, _)| other.borrow() == key);
        let likely = (0..FRAGMENTS.min(self.entries.len())).filter(|at| self.fragments[*at] == sought);
        likely.chain(FRAGMENTS..self.entries.len()).find(is_key)
    }

    fn add(&mut self, hash: u64, key: K, value: V) {
        if let Some(place) = self.fragments.get_mut(self.entries.len()) {
            *place = fragment(hash);
        }
        if self.entries.len() == self.entries.capacity() {
            // To double would leave a quarter of all memory unused.
            self.entries.reserve_exact(ROOM);
        }
        self.entries.push((key, value));
    }

    /// Takes an entry out; the last one moves to its place.
    fn take(&mut self, position: usize, hash: impl Fn(&K) -> u64) -> (K, V) {
        let taken = self.entries.swap_remove(position);
        if let (Some(place), Some((moved, _))) = (self.fragments.get_mut(position), self.entries.get(position)) {
            *place = fragment(hash(moved));
        }
        taken
    }
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
        ) {
            let (mut table, mut model) = (Table::default(), BTreeMap::new());
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
        let mut table: Table<u32, ()> = Table::default();
        let numbers = 0..100_000;
        numbers.clone().for_each(|number| table.change(&number, || (), |()| ()));
        assert!(numbers.clone().all(|number| table.get(&number).is_some()));
        let most = table.pages.iter().map(|page| page.entries.len()).max();
        assert!(table.pages.len() > 10_000 && most < Some(64), "{} pages, {most:?}", table.pages.len());
        numbers.for_each(|number| assert!(table.remove(&number).is_some()));
        assert!(table.len() == 0 && table.pages.len() == 1);
    }
}
