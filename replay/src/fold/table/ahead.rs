//! Looking up many keys before anyone wants them.

use std::hash::{BuildHasher, Hash};

use super::{Table, ask_for};

/// A key that will be looked up in a table.
pub(in crate::fold) struct Sought<'a, K, V> {
    table: &'a Table<K, V>,
    hash: u64,
}

impl<'a, K: Clone + Eq + Hash, V: Clone> Sought<'a, K, V> {
    pub(in crate::fold) fn new(table: &'a Table<K, V>, key: &K) -> Self {
        Self { table, hash: table.hashing.hash_one(key) }
    }

    /// The last keys of a table: when an entry is removed, the last one takes its place.
    pub(in crate::fold) fn last(table: &'a Table<K, V>, count: usize) -> impl Iterator<Item = Self> {
        let places = (0..table.len()).rev().take(count);
        places.filter_map(|place| table.entries.get(place)).map(|(key, _)| Self::new(table, key))
    }

    /// Asks for the first that lies on the way to the key.
    pub(in crate::fold) fn ask(&self) {
        self.table.index.ask(self.hash);
    }

    /// Asks for what follows, which is there by now.
    pub(in crate::fold) fn ask_more(&self) {
        self.table.index.ask_more(self.hash);
    }

    /// Asks for what is changed when an entry is added: it will lie behind the last one.
    pub(in crate::fold) fn ask_end(&self) {
        self.table.index.ask_growth();
        if let Some((_, last)) = self.table.entries.last() {
            ask_for(last);
        }
    }
}

/// A place, and the entry there.
pub(in crate::fold) type Likely<'a, K, V> = (usize, &'a (K, V));

/// Asks for all that lies on the way to the values of keys, and gives for each the entry that is likely its, which is on its way
/// too.
pub(in crate::fold) fn values<'a, K: Clone + Eq + Hash, V: Clone>(sought: &[Sought<'a, K, V>]) -> Vec<Option<Likely<'a, K, V>>> {
    sought.iter().for_each(Sought::ask);
    sought.iter().for_each(Sought::ask_more);
    let found = sought.iter().map(|sought| {
        let place = sought.table.index.likely(sought.hash)?;
        let entry = sought.table.entries.get(place)?;
        ask_for(&entry.0);
        ask_for(&entry.1);
        Some((place, entry))
    });
    found.collect()
}
