//! The entries that are kept to be listed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::attempt::{Attempt, Tally};
use super::share::Share;

/// A place in the list; the newest has the greatest.
pub type Place = u64;

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedEntry {
    /// Its place, which changes when the attempt is made again.
    pub place: Place,
    /// What was tried.
    pub attempt: Arc<Attempt>,
    /// How often, and when.
    pub tally: Tally,
}

/// The newest entries of each share.
#[derive(Debug, Default)]
pub(super) struct Kept {
    entries: HashMap<Arc<Attempt>, (Place, Tally)>,
    /// The same entries, ordered by when they were last seen.
    order: BTreeMap<Place, Arc<Attempt>>,
    /// The places that each share has taken.
    shares: HashMap<Share, BTreeSet<Place>>,
}

impl Kept {
    /// The newest entries behind a place, at most so many.
    pub(super) fn newest(&self, behind: Option<Place>, most: usize) -> impl Iterator<Item = RefusedEntry> {
        let places = self.order.range(..behind.unwrap_or(Place::MAX)).rev().take(most);
        places.filter_map(|(place, attempt)| {
            let (_, tally) = self.entries.get(attempt)?;
            Some(RefusedEntry { place: *place, attempt: attempt.clone(), tally: *tally })
        })
    }

    /// Adds an entry at a place before all others, or moves it there. Of a share that is full the entry goes that was seen longest ago.
    /// Returns the attempts that stand in no entry any more.
    pub(super) fn add_newest(&mut self, RefusedEntry { place, attempt, tally: more }: RefusedEntry) -> u64 {
        let mut gone = 0;
        let mut tally = more;
        if let Some((_, standing)) = self.remove(&attempt) {
            tally = standing;
            tally.add(more);
        } else {
            for share in Share::of(&attempt) {
                gone += self.make_room(&share);
            }
        }
        self.insert(RefusedEntry { place, attempt, tally });
        gone
    }

    /// Adds an entry at a place behind all others, or to the entry that stands, if its shares have room.
    /// Returns the attempts that stand in no entry.
    pub(super) fn add_oldest(&mut self, entry: RefusedEntry) -> u64 {
        if let Some((_, standing)) = self.entries.get_mut(&entry.attempt) {
            standing.add(entry.tally);
        } else if Share::of(&entry.attempt).iter().all(|share| self.taken(share) < share.kept()) {
            self.insert(entry);
        } else {
            return entry.tally.count;
        }
        0
    }

    /// Whether no entry of any attempt has room behind the others.
    pub(super) fn is_full(&self) -> bool {
        [Share::Ruled, Share::Denied].iter().all(|share| self.taken(share) >= share.kept())
    }

    fn taken(&self, share: &Share) -> usize {
        self.shares.get(share).map_or(0, BTreeSet::len)
    }

    /// The entry of a full share that was seen longest ago is only counted from now on.
    fn make_room(&mut self, share: &Share) -> u64 {
        let Some(places) = self.shares.get(share).filter(|places| places.len() >= share.kept()) else { return 0 };
        let oldest = places.first().and_then(|place| self.order.get(place)).cloned();
        oldest.and_then(|oldest| self.remove(&oldest)).map_or(0, |(_, tally)| tally.count)
    }

    fn insert(&mut self, RefusedEntry { place, attempt, tally }: RefusedEntry) {
        for share in Share::of(&attempt) {
            self.shares.entry(share).or_default().insert(place);
        }
        self.order.insert(place, attempt.clone());
        self.entries.insert(attempt, (place, tally));
    }

    fn remove(&mut self, attempt: &Attempt) -> Option<(Place, Tally)> {
        let (place, tally) = self.entries.remove(attempt)?;
        self.order.remove(&place);
        for share in Share::of(attempt) {
            if let Some(places) = self.shares.get_mut(&share) {
                places.remove(&place);
                // Users come and go.
                if places.is_empty() {
                    self.shares.remove(&share);
                }
            }
        }
        Some((place, tally))
    }
}
