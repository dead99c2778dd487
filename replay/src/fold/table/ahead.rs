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
}

/// Looks at all that lies on the way to the values of keys, and gives the values that are likely theirs.
///
/// Each step does as little as it can for one key after the other: so the processor waits for many places in memory at once.
pub(in crate::fold) fn values<'a, K: Clone, V: Clone>(sought: &[Sought<'a, K, V>]) -> (u32, Vec<&'a (K, V)>) {
    let buckets = sought.iter().fold(0, |all, sought| all ^ sought.table.index.touch(sought.hash));
    let mut places = Vec::with_capacity(sought.len());
    places.extend(sought.iter().filter_map(|sought| Some((sought.table, sought.table.index.likely(sought.hash)?))));
    let mut found = Vec::with_capacity(places.len());
    found.extend(places.iter().filter_map(|(table, place)| table.entries.get(*place)));
    (buckets, found)
}
