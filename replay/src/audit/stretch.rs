//! A stretch of the life of a tag.

use std::cmp::Ordering;

use tagstone_schema::Timestamp;

use super::Place;

/// What is wanted of the turns of a tag: those for which all of this holds. Times increase with places, so it is one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// At this place or behind it.
    pub first: Place,
    /// At this place or before it.
    pub last: Place,
    /// Later than this instant.
    pub since: Option<Timestamp>,
    /// Earlier than this instant.
    pub before: Option<Timestamp>,
}

impl Stretch {
    /// From the beginning up to a place.
    pub fn up_to(last: Place) -> Self {
        Self { first: Place::first_of(0), last, since: None, before: None }
    }

    /// Where a place and its time are, seen from the stretch: before it, in it, or behind it.
    pub(super) fn order_of(&self, place: Place, time: Timestamp) -> Ordering {
        if place < self.first || self.since.is_some_and(|since| time <= since) {
            Ordering::Less
        } else if place > self.last || self.before.is_some_and(|before| time >= before) {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }
}
