//! Looking up many keys before anyone wants them.

use std::hash::{BuildHasher, Hash};

use super::Table;

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

    /// Looks at what is changed when an entry is added, and gives the last key, behind which it will lie.
    pub(in crate::fold) fn touch_end(&self) -> (u32, Option<&'a K>) {
        (self.table.index.touch_growth(), self.table.entries.last().map(|(key, _)| key))
    }
}

/// Looks at all that lies on the way to the values of keys, and gives the values that are likely theirs.
///
/// Each step does as little as it can for one key after the other: so the processor waits for many places in memory at once.
pub(in crate::fold) fn values<'a, K: Clone, V: Clone>(sought: &[Sought<'a, K, V>]) -> (u32, Vec<&'a (K, V)>) {
    let buckets = sought.iter().fold(0, |all, sought| all ^ sought.table.index.touch(sought.hash));
    let more = sought.iter().fold(buckets, |all, sought| all ^ sought.table.index.touch_more(sought.hash));
    let mut places = Vec::with_capacity(sought.len());
    places.extend(sought.iter().filter_map(|sought| Some((sought.table, sought.table.index.likely(sought.hash)?))));
    let mut found = Vec::with_capacity(places.len());
    found.extend(places.iter().filter_map(|(table, place)| table.entries.get(*place)));
    (more, found)
}
