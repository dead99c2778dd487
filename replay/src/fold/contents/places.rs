//! Where the digests are that a manifest names.

use std::fmt;
use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Place;

/// So many places take no memory of their own: a config and two layers.
const FEW: usize = 3;

/// Places of different digests, in the order of the digests. A place takes a tenth of a digest, and leads to it without a search.
#[derive(Clone)]
pub(in crate::fold) enum Places {
    Few {
        count: u8,
        places: [Place; FEW],
    },
    /// Boxed behind the count of those who share them, since every manifest would have room for the length otherwise.
    Many(Arc<Box<[Place]>>),
}

impl Default for Places {
    fn default() -> Self {
        Self::Few { count: 0, places: [0; FEW] }
    }
}

impl Places {
    /// The places in order.
    pub(in crate::fold) fn iter(&self) -> impl Iterator<Item = Place> {
        let places = match self {
            Self::Few { count, places } => places.get(..usize::from(*count)).unwrap_or_default(),
            Self::Many(places) => places,
        };
        places.iter().copied()
    }

    /// How many there are.
    pub(in crate::fold) fn len(&self) -> usize {
        match self {
            Self::Few { count, .. } => usize::from(*count),
            Self::Many(places) => places.len(),
        }
    }
}

impl FromIterator<Place> for Places {
    fn from_iter<I: IntoIterator<Item = Place>>(all: I) -> Self {
        let mut all = all.into_iter();
        let (mut count, mut places) = (0, [0; FEW]);
        for place in &mut places {
            let Some(next) = all.next() else { return Self::Few { count, places } };
            *place = next;
            count += 1;
        }
        match all.next() {
            None => Self::Few { count, places },
            Some(next) => Self::Many(Arc::new(places.into_iter().chain([next]).chain(all).collect())),
        }
    }
}

/// As a list of numbers.
impl Serialize for Places {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        self.iter().try_for_each(|place| list.serialize_element(&place))?;
        list.end()
    }
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Places;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of places")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Places, A::Error> {
                std::iter::from_fn(|| list.next_element().transpose()).collect()
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where something lies is nothing that one state has in common with its equal.
        f.debug_struct("Places").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_as_they_were_given() {
        for count in 0..10 {
            let places: Places = (0..count).map(|place| place * 7).collect();
            assert!(places.iter().eq((0..count).map(|place| place * 7)), "{places:?}");
            assert_eq!(places.len(), usize::try_from(count).unwrap());
        }
        assert!(size_of::<Places>() <= 16);
    }
}
