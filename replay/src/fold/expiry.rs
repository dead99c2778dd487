//! Tags that expire.

use std::cmp::Ordering;
use std::ops::Bound;

use equivalent::{Comparable, Equivalent};
use tagstone_schema::{RepositoryName, Tag, Timestamp};

use super::state::State;

/// An entry of the index: when, and which tag.
type Expiring = (Timestamp, RepositoryName, Tag);

/// The place behind all entries of one instant.
struct Behind(Timestamp);

impl Equivalent<Expiring> for Behind {
    fn equivalent(&self, _: &Expiring) -> bool {
        false
    }
}

impl Comparable<Expiring> for Behind {
    fn compare(&self, (at, ..): &Expiring) -> Ordering {
        self.0.cmp(at).then(Ordering::Greater)
    }
}

impl State {
    /// The tags whose expiry is set to a time behind `after` and not behind `until`, in order of these times; protected
    /// ones too.
    pub fn expiring(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = (&RepositoryName, &Tag)> {
        let behind = self.expiring.range::<_, Behind>((Bound::Excluded(Behind(after)), Bound::Unbounded));
        behind.take_while(move |(at, ..)| *at <= until).map(|(_, repository, tag)| (repository, tag))
    }

    /// Keeps the index true when a tag ends.
    pub(super) fn forget_expiry(&mut self, repository: &RepositoryName, tag: &Tag, expires: Option<Timestamp>) {
        if let Some(at) = expires {
            self.expiring.remove(&(at, repository.clone(), tag.clone()));
        }
    }
}
