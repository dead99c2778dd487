//! A page: the few entries that share a place in a table.

use std::borrow::Borrow;
use std::hash::Hash;

use super::ROOM;

/// Entries of a page that have a fragment of their hash beside them. Few pages hold more.
const FRAGMENTS: usize = 16;

#[derive(Clone)]
pub(super) struct Page<K, V> {
    /// One byte of the hash of each of the first entries.
    fragments: [u8; FRAGMENTS],
    entries: Vec<(K, V)>,
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

impl<K, V> Page<K, V> {
    /// A page without entries, with room for so many.
    pub(super) fn with_room(entries: usize) -> Self {
        Self { fragments: [0; FRAGMENTS], entries: Vec::with_capacity(entries) }
    }

    pub(super) fn make_room(&mut self, entries: usize) {
        self.entries.reserve_exact(entries);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn value(&self, position: usize) -> Option<&V> {
        self.entries.get(position).map(|(_, value)| value)
    }

    pub(super) fn value_mut(&mut self, position: usize) -> Option<&mut V> {
        self.entries.get_mut(position).map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// Takes all entries out.
    pub(super) fn empty(&mut self) -> Vec<(K, V)> {
        std::mem::take(&mut self.entries)
    }
}

impl<K: Eq + Hash, V> Page<K, V> {
    pub(super) fn position<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        let sought = fragment(hash);
        let is_key = |at: &usize| self.entries.get(*at).is_some_and(|(other, _)| other.borrow() == key);
        let likely = (0..FRAGMENTS.min(self.entries.len())).filter(|at| self.fragments[*at] == sought);
        likely.chain(FRAGMENTS..self.entries.len()).find(is_key)
    }

    pub(super) fn add(&mut self, hash: u64, key: K, value: V) {
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
    pub(super) fn take(&mut self, position: usize, hash: impl Fn(&K) -> u64) -> (K, V) {
        let taken = self.entries.swap_remove(position);
        if let (Some(place), Some((moved, _))) = (self.fragments.get_mut(position), self.entries.get(position)) {
            *place = fragment(hash(moved));
        }
        taken
    }
}
