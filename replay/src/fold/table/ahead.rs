//! Looking up many keys before anyone wants them.
//!
//! Each takes several steps, and each step waits for memory. So one step is taken for all keys before the next is taken for any. A
//! processor has as many requests under way as there are among the few hundred instructions that it looks at: what is to be asked for
//! is found out first, and then asked for in a loop that does nothing else.

use std::hash::{BuildHasher, Hash};

use super::index::{Bucket, Index, lower};
use super::{Table, ask_for};

/// The way that an index goes for a hash.
#[derive(Clone, Copy)]
pub(in crate::fold) struct Way<'a> {
    bucket: &'a Bucket,
    hash: u32,
}

impl Index {
    /// The way to the entry of a hash.
    #[inline]
    pub(in crate::fold) fn way(&self, hash: u64) -> Option<Way<'_>> {
        Some(Way { bucket: self.bucket(hash)?, hash: lower(hash) })
    }
}

impl Way<'_> {
    /// Asks for the first that lies on the way.
    #[inline]
    pub(in crate::fold) fn ask(&self) {
        ask_for(self.bucket);
    }

    /// Asks for what follows, if something does.
    #[inline]
    pub(in crate::fold) fn ask_more(&self) {
        self.bucket.more().into_iter().for_each(ask_for);
    }

    /// The place of an entry that may have this hash.
    #[inline]
    pub(in crate::fold) fn likely(&self) -> Option<usize> {
        self.bucket.likely(self.hash)
    }
}

/// A key that will be looked up in a table.
pub(in crate::fold) struct Sought<'a, K, V> {
    table: &'a Table<K, V>,
    way: Option<Way<'a>>,
}

impl<'a, K: Clone + Eq + Hash, V: Clone> Sought<'a, K, V> {
    pub(in crate::fold) fn new(table: &'a Table<K, V>, key: &K) -> Self {
        Self { table, way: table.index.way(table.hashing.hash_one(key)) }
    }

    /// The last keys of a table: when an entry is removed, the last one takes its place.
    pub(in crate::fold) fn last(table: &'a Table<K, V>, count: usize) -> impl Iterator<Item = Self> {
        let places = (0..table.len()).rev().take(count);
        places.filter_map(|place| table.entries.get(place)).map(|(key, _)| Self::new(table, key))
    }

    /// Asks for the first that lies on the way to the key.
    #[inline]
    pub(in crate::fold) fn ask(&self) {
        self.way.iter().for_each(Way::ask);
    }

    /// Asks for what follows.
    #[inline]
    pub(in crate::fold) fn ask_more(&self) {
        self.way.iter().for_each(Way::ask_more);
    }

    /// Asks for what an index changes when it grows, and tells the last value, behind which an entry will be added.
    pub(in crate::fold) fn end(&self) -> Option<&'a V> {
        self.table.index.ask_growth();
        self.table.entries.last().map(|(_, value)| value)
    }

    fn likely(&self) -> Option<Likely<'a, K, V>> {
        let place = self.way?.likely()?;
        Some((place, self.table.entries.get(place)?))
    }
}

/// A place, and the entry there.
pub(in crate::fold) type Likely<'a, K, V> = (usize, &'a (K, V));

/// For each of the keys, whose ways were asked for, the entry that is likely its. It is asked for.
pub(in crate::fold) fn values<'a, K: Clone + Eq + Hash, V: Clone>(
    sought: &[Sought<'a, K, V>],
) -> Vec<Option<Likely<'a, K, V>>> {
    let found: Vec<_> = sought.iter().map(Sought::likely).collect();
    for (_, (key, value)) in found.iter().flatten() {
        ask_for(key);
        ask_for(value);
    }
    found
}
