//! A persistent hash table: what the fold looks up by digest or by name.
//!
//! At millions of entries the time of a lookup is the number of places in memory that are far apart. A B-tree or a
//! trie has several on the way to an entry; here a hash leads to a bucket of an [`Index`], which says where the entry is. The
//! entries themselves lie in the order in which they came ([`Entries`]): a push adds several, and they are side by side. A
//! change copies a bucket or a page of entries, and the way to it.
//!
//! While nobody else looks, as in a replay or a start without a snapshot, entries and buckets lie side by side ([`Keeping::Alone`]): then a
//! change is a change in place, without a tree of pages above it and counts of who shares each.
//!
//! Clients choose digests (a `subject` need not exist), so the hashes are keyed by a random seed. Nothing may depend on
//! the order of entries: who lists them sorts.

pub(super) mod ahead;
mod chunks;
pub(super) mod entries;
pub(super) mod index;
mod made;

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

use self::entries::Entries;
use self::index::{Index, lower};

/// Asks the processor for the line of its cache in which a value begins, and goes on without it.
#[inline]
pub(super) fn ask_for<T>(value: &T) {
    prefetch_index::prefetch_index(std::slice::from_ref(value), 0);
}

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
    index: Index,
    entries: Entries<(K, V)>,
    hashing: RandomState,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { index: Index::default(), entries: Entries::default(), hashing: RandomState::default() }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Table<K, V> {
    /// A table as it is kept.
    pub(super) fn kept(keeping: &Keeping) -> Self {
        match keeping {
            Keeping::Shared => Self::default(),
            Keeping::Alone => Self::alone(),
        }
    }

    /// A table that nobody shares.
    pub(super) fn alone() -> Self {
        Self { index: Index::alone(), entries: Entries::alone(), hashing: RandomState::default() }
    }

    /// A table of all its entries, of which no two have one key.
    pub(super) fn of(entries: Vec<(K, V)>) -> Self {
        let hashing = RandomState::default();
        let hashes: Vec<_> = entries.iter().map(|(key, _)| lower(hashing.hash_one(key))).collect();
        let (index, _) = Index::of(&hashes, |_, _| false);
        Self { index, entries: entries.into_iter().collect(), hashing }
    }

    /// Changes all values.
    pub(super) fn values_mut(&mut self, mut change: impl FnMut(&mut V)) {
        self.entries.change_all(|(_, value)| change(value));
    }

    /// From now on clones share what does not change.
    pub(super) fn share(&mut self) {
        self.index.share();
        self.entries.share();
    }

    /// Asks for what every lookup begins with: a table takes several lines of a cache.
    pub(super) fn ask(&self) {
        self.index.ask();
        ask_for(&self.entries);
        ask_for(&self.hashing);
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entry(key).map(|(_, value)| value)
    }

    /// An entry, with the key that the table has.
    pub(super) fn entry<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let place = self.place(self.hashing.hash_one(key), key)?;
        self.entries.get(place).map(|(key, value)| (key, value))
    }

    /// Sets the value of a key.
    pub(super) fn insert(&mut self, key: K, value: V) {
        let hash = self.hashing.hash_one(&key);
        match self.place(hash, &key).and_then(|place| self.entries.get_mut(place)) {
            Some((_, standing)) => *standing = value,
            None => self.add_hashed(hash, key, value),
        }
    }

    /// Adds an entry for a key that has none.
    pub(super) fn add(&mut self, key: K, value: V) {
        self.add_hashed(self.hashing.hash_one(&key), key, value);
    }

    fn add_hashed(&mut self, hash: u64, key: K, value: V) {
        self.index.add(hash, self.entries.len());
        self.entries.push((key, value));
    }

    pub(super) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(self.hashing.hash_one(key), key)?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Changes the value of a key, which is made where there is none.
    pub(super) fn change<T>(&mut self, key: &K, make: impl FnOnce() -> V, change: impl FnOnce(&mut V) -> T) -> T {
        let hash = self.hashing.hash_one(key);
        let place = self.place(hash, key);
        if let Some((_, value)) = place.and_then(|place| self.entries.get_mut(place)) {
            return change(value);
        }
        let mut value = make();
        let changed = change(&mut value);
        self.add_hashed(hash, key.clone(), value);
        changed
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hashing.hash_one(key);
        let place = self.place(hash, key)?;
        self.take(hash, place)
    }

    /// Removes the entry at a place, if there is one.
    pub(super) fn remove_at(&mut self, place: usize) -> Option<V> {
        let (key, _) = self.entries.get(place)?;
        self.take(self.hashing.hash_one(key), place)
    }

    /// Takes the entry of a hash out of its place, to which the last one moves.
    fn take(&mut self, hash: u64, place: usize) -> Option<V> {
        let (_, value) = self.entries.take(place)?;
        self.index.remove(hash, place);
        if let Some((moved, _)) = self.entries.get(place) {
            self.index.moved(self.hashing.hash_one(moved), self.entries.len(), place);
        }
        Some(value)
    }

    /// Where the entry of a key is, which is likely one place: asked there first, the key is not hashed. It is there until an entry is
    /// removed.
    // Nearly every event asks, and most often the key is near.
    #[inline(always)]
    pub(super) fn place_near(&self, key: &K, near: usize, is_same: impl Fn(&K, &K) -> bool) -> Option<usize> {
        let is_near = self.entries.get(near).is_some_and(|(other, _)| is_same(other, key));
        if is_near { Some(near) } else { self.place(self.hashing.hash_one(key), key) }
    }

    /// The value at a place.
    pub(super) fn at(&self, place: usize) -> Option<&V> {
        self.entries.get(place).map(|(_, value)| value)
    }

    /// The value at a place, to be changed.
    pub(super) fn at_mut(&mut self, place: usize) -> Option<&mut V> {
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Where the entry of a key is.
    // It would be a part of each `place_near`.
    #[inline(never)]
    fn place<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        self.index.find(hash, |place| self.entries.get(place).is_some_and(|(other, _)| other.borrow() == key))
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
            begin in proptest::option::of(proptest::option::of(0u16..200)),
            shared_at in 0u32..2_000,
        ) {
            let (mut table, mut model) = match begin {
                None => (Table::default(), BTreeMap::new()),
                Some(None) => (Table::alone(), BTreeMap::new()),
                Some(Some(many)) => {
                    let begun: Vec<_> = (0..many).map(|key| (key, 0)).collect();
                    (Table::of(begun.clone()), begun.into_iter().collect())
                }
            };
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
    fn a_table_that_was_emptied_gives_its_buckets_back() {
        for table in [Table::default(), Table::alone()] {
            emptied(table);
        }
    }

    fn emptied(mut table: Table<u32, ()>) {
        let numbers = 0..100_000;
        numbers.clone().for_each(|number| table.change(&number, || (), |()| ()));
        assert!(numbers.clone().all(|number| table.get(&number).is_some()));
        let (buckets, most) = table.index.shape();
        assert!(buckets > 10_000 && most < 64, "{buckets} buckets, {most}");
        numbers.for_each(|number| assert!(table.remove(&number).is_some()));
        assert_eq!((table.len(), table.index.shape()), (0, (1, 0)));
    }
}
