//! Tags: where each points, and the tags on one manifest.

use imbl::OrdSet;
use tagstone_schema::{Digest, Tag, Timestamp};

use super::contents::manifests::{ManifestNumber, Manifests};
use super::effect::Stood;
use super::manifest::Manifest;
use super::state::Moment;

/// A live tag, as it is kept. A registry holds millions of them, so what few tags have is boxed.
#[derive(Clone, Debug)]
pub(super) struct KeptTag {
    pub(super) manifest: ManifestNumber,
    pub(super) since: Moment,
    pub(super) marks: Option<Box<Marks>>,
}

/// What few tags have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) locked: Option<Moment>,
    pub(super) expires: Option<Timestamp>,
    /// The digest that it was last protected at, where the rules and the lock of today cannot tell: it was moved away
    /// from there, or its lock was lifted.
    pub(super) protected_before: Option<Digest>,
}

impl KeptTag {
    pub(super) fn mark(&mut self, change: impl FnOnce(&mut Marks)) {
        let mut marks = self.marks.take().map(|marks| *marks).unwrap_or_default();
        change(&mut marks);
        self.marks = (marks != Marks::default()).then(|| Box::new(marks));
    }

    /// When it was locked by hand, if it is.
    pub(super) fn locked(&self) -> Option<Moment> {
        self.marks.as_ref()?.locked
    }

    /// When it expires, if it does.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.marks.as_ref()?.expires
    }

    /// The tag, to be asked.
    pub(super) fn asked<'a>(&'a self, manifests: &'a Manifests) -> TagState<'a> {
        TagState { kept: self, manifests }
    }
}

/// A live tag, to be asked.
#[derive(Clone, Copy, Debug)]
pub struct TagState<'a> {
    pub(super) kept: &'a KeptTag,
    manifests: &'a Manifests,
}

impl<'a> TagState<'a> {
    /// The manifest it points to.
    pub fn manifest(self) -> &'a Manifest {
        &self.manifests[self.kept.manifest].manifest
    }

    /// The digest it points to.
    pub fn digest(self) -> &'a Digest {
        &self.manifest().digest
    }

    /// When it began to point there.
    pub fn since(self) -> Moment {
        self.kept.since
    }

    /// Where it points, and since when.
    pub(super) fn stood(self) -> Stood<'a> {
        Stood { manifest: self.manifest(), since: self.since() }
    }

    /// When it was locked by hand, if it is.
    pub fn locked(self) -> Option<Moment> {
        self.kept.locked()
    }

    /// When it expires, if it does.
    pub fn expires(self) -> Option<Timestamp> {
        self.kept.expires()
    }

    /// The digest that it was last protected at, where that is over and had to be kept.
    pub fn protected_before(self) -> Option<&'a Digest> {
        self.kept.marks.as_ref()?.protected_before.as_ref()
    }
}

/// The tags on one manifest: mostly none or one, often a few, now and then thousands.
#[derive(Clone, Debug, Default)]
pub enum TagSet {
    /// None.
    #[default]
    Empty,
    /// Exactly one.
    One(Tag),
    /// Two or more, in order: a tree has room for more, and would take it.
    Few(Box<[Tag]>),
    /// More than were ever few.
    Many(Box<OrdSet<Tag>>),
}

/// Room for two tags that a set has left, for the next that needs it: `latest` goes from one manifest to the next, and takes it along.
#[derive(Debug, Default)]
pub(super) struct Spare(Option<Box<[Tag; 2]>>);

/// Whoever shares the sets needs no room yet.
impl Clone for Spare {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Spare {
    fn room_for(&mut self, tags: [Tag; 2]) -> Box<[Tag; 2]> {
        match self.0.take() {
            Some(mut room) => {
                *room = tags;
                room
            }
            None => Box::new(tags),
        }
    }
}

impl TagSet {
    /// Tags up to which they are few.
    const FEW: usize = 8;

    /// The tags in byte order.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        let (few, many) = match self {
            Self::Empty => (&[][..], None),
            Self::One(tag) => (std::slice::from_ref(tag), None),
            Self::Few(tags) => (&tags[..], None),
            Self::Many(tags) => (&[][..], Some(&**tags)),
        };
        few.iter().chain(many.into_iter().flatten())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(_) => 1,
            Self::Few(tags) => tags.len(),
            Self::Many(tags) => tags.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(super) fn insert(&mut self, tag: Tag, spare: &mut Spare) {
        match self {
            // By far the most frequent, and without memory of its own.
            Self::Empty => return *self = Self::One(tag),
            Self::Many(tags) => return drop(tags.insert(tag)),
            Self::One(only) if *only == tag => return,
            // A tag of its own and `latest`: most of those that have more than one.
            Self::One(only) => {
                let both = if *only < tag { [only.clone(), tag] } else { [tag, only.clone()] };
                return *self = Self::Few(spare.room_for(both));
            }
            Self::Few(_) => {}
        }
        let mut tags = self.taken();
        if let Err(place) = tags.binary_search(&tag) {
            tags.reserve_exact(1);
            tags.insert(place, tag);
        }
        *self = Self::of(tags);
    }

    pub(super) fn remove(&mut self, tag: &Tag, spare: &mut Spare) {
        match self {
            Self::Empty => return,
            Self::One(only) if only == tag => return *self = Self::Empty,
            // `latest` leaves a tag behind that stays alone.
            Self::Few(tags)
                if let [one, other] = &**tags
                    && (one == tag || other == tag) =>
            {
                let left = if one == tag { other.clone() } else { one.clone() };
                if let Self::Few(room) = std::mem::replace(self, Self::One(left)) {
                    *spare = Spare(room.try_into().ok());
                }
                return;
            }
            Self::Many(tags) => {
                tags.remove(tag);
                // At half of what is few, so that two tags that come and go in turn do not rebuild everything.
                if tags.len() > Self::FEW / 2 {
                    return;
                }
            }
            Self::One(_) | Self::Few(_) => {}
        }
        let mut tags = self.taken();
        tags.retain(|other| other != tag);
        *self = Self::of(tags);
    }

    /// The tags, which leave the set.
    fn taken(&mut self) -> Vec<Tag> {
        match std::mem::take(self) {
            Self::Empty => Vec::new(),
            Self::One(tag) => vec![tag],
            Self::Few(tags) => tags.into_vec(),
            Self::Many(tags) => tags.into_iter().collect(),
        }
    }

    /// A set of tags that are in order.
    pub(super) fn of(mut tags: Vec<Tag>) -> Self {
        match tags.len() {
            0 | 1 => tags.pop().map_or(Self::Empty, Self::One),
            2..=Self::FEW => Self::Few(tags.into_boxed_slice()),
            _ => Self::Many(Box::new(tags.into_iter().collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tag_takes_along_the_room_that_it_had_beside_another() {
        let [one, other, latest]: [Tag; 3] = ["1", "2", "latest"].map(|tag| tag.parse().unwrap());
        let (mut left, mut entered, mut spare) =
            (TagSet::One(one.clone()), TagSet::One(other.clone()), Spare::default());
        let room = |set: &TagSet| set.iter().next().map(std::ptr::from_ref);
        left.insert(latest.clone(), &mut spare);
        let had = room(&left);
        left.remove(&latest, &mut spare);
        entered.insert(latest.clone(), &mut spare);
        assert_eq!(room(&entered), had);
        assert!(left.iter().eq([&one]) && entered.iter().eq([&other, &latest]));
    }

    proptest! {
        #[test]
        fn sets_of_tags_are_sets(acts in proptest::collection::vec((0u8..12, 0u8..5, 0usize..3), 0..400)) {
            // They leave room to each other.
            let (mut sets, mut spare) = (vec![(TagSet::default(), BTreeSet::new()); 3], Spare::default());
            let mut taken = Vec::new();
            for (number, what, which) in acts {
                let tag: Tag = format!("t{number}").parse().unwrap();
                let (set, model) = &mut sets[which];
                if what < 2 {
                    set.remove(&tag, &mut spare);
                    model.remove(&tag);
                } else {
                    set.insert(tag.clone(), &mut spare);
                    model.insert(tag);
                }
                prop_assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
                taken.push((set.clone(), model.clone()));
            }
            for (set, model) in taken {
                prop_assert!(set.iter().eq(&model));
            }
        }
    }
}
