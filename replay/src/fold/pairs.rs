//! Ordered sets of pairs, read as a map from the first element to all of its seconds.

use std::cmp::Ordering;
use std::ops::Bound;

use equivalent::{Comparable, Equivalent};
use imbl::OrdSet;
use tagstone_schema::Digest;

/// The place in a set just behind `(first, after)`; before all pairs of `first` where `after` is none.
struct Place<'a, T> {
    first: &'a Digest,
    after: Option<&'a T>,
}

impl<T: Ord> Equivalent<(Digest, T)> for Place<'_, T> {
    fn equivalent(&self, pair: &(Digest, T)) -> bool {
        self.compare(pair) == Ordering::Equal
    }
}

impl<T: Ord> Comparable<(Digest, T)> for Place<'_, T> {
    fn compare(&self, (first, second): &(Digest, T)) -> Ordering {
        self.first.cmp(first).then_with(|| match self.after {
            None => Ordering::Less,
            Some(after) => after.cmp(second),
        })
    }
}

/// The seconds that stand beside `first`, in order; only those behind `after`, if it is given.
pub(super) fn seconds_of<'a, T: Ord + Clone>(
    pairs: &'a OrdSet<(Digest, T)>,
    first: &'a Digest,
    after: Option<&'a T>,
) -> impl Iterator<Item = &'a T> {
    pairs
        .range::<_, Place<'_, T>>((Bound::Excluded(Place { first, after }), Bound::Unbounded))
        .take_while(move |(digest, _)| digest == first)
        .map(|(_, second)| second)
}
