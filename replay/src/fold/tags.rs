//! The tags of a repository.

use std::ops::Bound;

use imbl::OrdMap;
use tagstone_schema::Tag;

use super::table::ahead::Sought;
use super::table::{Keeping, Table};
use super::tag::KeptTag;

/// Live tags by their names.
#[derive(Debug)]
pub(super) enum Tags {
    /// In the order in which they are listed; clones share what does not change.
    Ordered(OrdMap<Tag, KeptTag>),
    /// In no order, while nobody shares them: a fold finds tags by their names, and lists none.
    Alone(Table<Tag, KeptTag>),
}

/// Where a tag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Where its name leads to.
    ByName,
    At(usize),
}

impl Clone for Tags {
    fn clone(&self) -> Self {
        Self::Ordered(self.ordered())
    }
}

impl Tags {
    pub(super) fn kept(keeping: &Keeping) -> Self {
        match keeping {
            Keeping::Shared => Self::Ordered(OrdMap::new()),
            Keeping::Alone => Self::Alone(Table::kept(keeping)),
        }
    }

    /// Tags that come in order.
    pub(super) fn in_order(tags: Vec<(Tag, KeptTag)>) -> Self {
        Self::Ordered(tags.into_iter().collect())
    }

    /// From now on clones share what does not change.
    pub(super) fn share(&mut self) {
        if let Self::Alone(_) = self {
            *self = Self::Ordered(self.ordered());
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Ordered(tags) => tags.len(),
            Self::Alone(tags) => tags.len(),
        }
    }

    pub(super) fn get(&self, tag: &str) -> Option<(&Tag, &KeptTag)> {
        match self {
            Self::Ordered(tags) => tags.get_key_value(tag),
            Self::Alone(tags) => tags.entry(tag),
        }
    }

    /// Where a tag is, until one is removed; it is found soonest where it may be.
    pub(super) fn place(&self, tag: &Tag, likely: Option<usize>) -> Option<Place> {
        match self {
            Self::Ordered(tags) => tags.contains_key(tag).then_some(Place::ByName),
            Self::Alone(tags) => tags.place_near(tag, likely.unwrap_or(usize::MAX), Tag::eq).map(Place::At),
        }
    }

    pub(super) fn at(&self, place: Place, tag: &Tag) -> Option<&KeptTag> {
        match (self, place) {
            (Self::Alone(tags), Place::At(place)) => tags.at(place),
            _ => self.get(tag.as_str()).map(|(_, state)| state),
        }
    }

    pub(super) fn at_mut(&mut self, place: Place, tag: &Tag) -> Option<&mut KeptTag> {
        match (self, place) {
            (Self::Alone(tags), Place::At(place)) => tags.at_mut(place),
            (tags, _) => tags.get_mut(tag),
        }
    }

    pub(super) fn get_mut(&mut self, tag: &Tag) -> Option<&mut KeptTag> {
        match self {
            Self::Ordered(tags) => tags.get_mut(tag),
            Self::Alone(tags) => tags.get_mut(tag),
        }
    }

    /// Adds a tag that is not there.
    pub(super) fn insert(&mut self, tag: Tag, state: KeptTag) {
        match self {
            Self::Ordered(tags) => drop(tags.insert(tag, state)),
            Self::Alone(tags) => tags.add(tag, state),
        }
    }

    /// Removes a tag, which is at this place.
    pub(super) fn remove(&mut self, place: Place, tag: &Tag) {
        match (self, place) {
            (Self::Ordered(tags), _) => drop(tags.remove(tag)),
            (Self::Alone(tags), Place::ByName) => drop(tags.remove(tag)),
            (Self::Alone(tags), Place::At(place)) => drop(tags.remove_at(place)),
        }
    }

    /// The tags behind `last` in byte order; `last` need not exist.
    pub(super) fn after(&self, last: Option<&str>) -> impl Iterator<Item = (&Tag, &KeptTag)> {
        let (ordered, sorted) = match self {
            Self::Ordered(tags) => {
                let from = last.map_or(Bound::Unbounded, Bound::Excluded);
                (Some(tags.range::<_, str>((from, Bound::Unbounded))), None)
            }
            Self::Alone(tags) => (None, Some(sorted(tags, last))),
        };
        ordered.into_iter().flatten().chain(sorted.into_iter().flatten())
    }

    /// Asks for what every lookup begins with, where that can be done ahead.
    pub(super) fn ask(&self) {
        match self {
            Self::Ordered(_) => {}
            Self::Alone(tags) => tags.ask(),
        }
    }

    /// A tag that will be looked up, where that can be done ahead.
    pub(super) fn sought(&self, tag: &Tag) -> Option<Sought<'_, Tag, KeptTag>> {
        match self {
            Self::Ordered(_) => None,
            Self::Alone(tags) => Some(Sought::new(tags, tag)),
        }
    }

    /// The tags that move when so many are removed, where they can be looked for ahead.
    pub(super) fn sought_last(&self, count: usize) -> impl Iterator<Item = Sought<'_, Tag, KeptTag>> {
        let alone = match self {
            Self::Ordered(_) => None,
            Self::Alone(tags) => Some(Sought::last(tags, count)),
        };
        alone.into_iter().flatten()
    }

    fn ordered(&self) -> OrdMap<Tag, KeptTag> {
        match self {
            Self::Ordered(tags) => tags.clone(),
            Self::Alone(tags) => {
                sorted(tags, None).into_iter().map(|(tag, state)| (tag.clone(), state.clone())).collect()
            }
        }
    }
}

fn sorted<'a>(tags: &'a Table<Tag, KeptTag>, last: Option<&str>) -> Vec<(&'a Tag, &'a KeptTag)> {
    let mut behind: Vec<_> = tags.iter().filter(|(tag, _)| last.is_none_or(|last| tag.as_str() > last)).collect();
    behind.sort_unstable_by_key(|(tag, _)| *tag);
    behind
}
