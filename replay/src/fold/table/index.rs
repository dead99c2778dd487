//! Where in a table the entry of a hash is.
//!
//! It grows by one bucket at a time (linear hashing; Litwin, 1980), so that no insertion pays for all entries. A bucket holds
//! what it takes to grow, so that an entry is looked at only when it is the one that is wanted.

use std::fmt;

use wide::{CmpEq, i32x4};

use super::ask_for;
use super::entries::Entries;

/// Slots of a bucket on average, at which the index grows, and at which it shrinks.
pub(super) const FULL: usize = 4;
const SPARSE: usize = 1;

/// Slots of a bucket: with the way to more of them, as many as fit into a line of a processor's cache.
const SLOTS: usize = 7;

/// An entry: the lower half of its hash, and its place.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) hash: u32,
    pub(super) place: u32,
}

impl Slot {
    /// One without an entry.
    pub(super) const VACANT: Self = Self { hash: 0, place: VACANT };
}

/// The place of a slot without an entry; none is as great.
const VACANT: u32 = u32::MAX;

/// The hashes lie side by side: they are compared all at once. It begins where a line of a processor's cache does, and is one.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct Bucket {
    hashes: [u32; SLOTS],
    places: [u32; SLOTS],
    /// More slots. While the index grows, up to a tenth of the buckets need them.
    more: Option<Box<Bucket>>,
}

#[derive(Clone, Default)]
pub(in crate::fold) struct Index {
    pub(super) buckets: Entries<Bucket>,
    /// How many buckets there are: what is asked each time.
    pub(super) shape: Shape,
    pub(super) len: usize,
}

/// So many buckets, and which bits of a hash tell one of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Shape {
    pub(super) buckets: usize,
    mask: usize,
}

impl Index {
    /// An index that nobody shares.
    pub(in crate::fold) fn alone() -> Self {
        Self { buckets: Entries::alone(), ..Self::default() }
    }

    pub(in crate::fold) fn share(&mut self) {
        self.buckets.share();
    }

    /// How many entries there are.
    pub(in crate::fold) fn len(&self) -> usize {
        self.len
    }

    /// Asks for the index itself.
    pub(super) fn ask(&self) {
        ask_for(&self.buckets);
        ask_for(&self.shape);
    }

    #[inline]
    pub(super) fn bucket(&self, hash: u64) -> Option<&Bucket> {
        self.shape.bucket_of(lower(hash)).and_then(|at| self.buckets.get(at))
    }

    /// Asks for what the next entry will change beside its own bucket, if it makes the index grow.
    #[inline]
    pub(in crate::fold) fn ask_growth(&self) {
        if self.len >= self.shape.buckets * FULL
            && let Some(split) = self.buckets.get(split_into(self.shape.buckets))
        {
            ask_for(split);
        }
    }

    /// The place of the entry of a hash that is the right one.
    #[inline]
    pub(in crate::fold) fn find(&self, hash: u64, is_right: impl Fn(usize) -> bool) -> Option<usize> {
        self.bucket(hash)?.find(lower(hash), is_right)
    }

    /// Adds the entry at a place.
    pub(in crate::fold) fn add(&mut self, hash: u64, place: usize) {
        if self.len >= self.shape.buckets * FULL {
            self.grow();
        }
        let hash = lower(hash);
        // No memory holds more entries than a slot can tell.
        let slot = Slot { hash, place: u32::try_from(place).unwrap_or(u32::MAX) };
        if let Some(bucket) = self.shape.bucket_of(hash).and_then(|at| self.buckets.get_mut(at)) {
            bucket.add(slot);
            self.len += 1;
        }
    }

    /// The entry at a place is gone.
    pub(in crate::fold) fn remove(&mut self, hash: u64, place: usize) {
        if let Some(standing) = self.place_mut(hash, place) {
            *standing = VACANT;
            self.len -= 1;
        }
        if self.shape.buckets > 1 && self.len < self.shape.buckets * SPARSE {
            self.shrink();
        }
    }

    /// The entry at a place has moved to another.
    pub(in crate::fold) fn moved(&mut self, hash: u64, from: usize, to: usize) {
        if let Some(standing) = self.place_mut(hash, from) {
            *standing = u32::try_from(to).unwrap_or(u32::MAX);
        }
    }

    /// The place that the index has for an entry at a place.
    fn place_mut(&mut self, hash: u64, place: usize) -> Option<&mut u32> {
        let (hash, place) = (lower(hash), u32::try_from(place).ok()?);
        let mut bucket = self.buckets.get_mut(self.shape.bucket_of(hash)?)?;
        loop {
            let mut slots = bucket.hashes.iter().zip(&bucket.places);
            match slots.position(|(of, standing)| *of == hash && *standing == place) {
                Some(at) => return bucket.places.get_mut(at),
                None => bucket = bucket.more.as_deref_mut()?,
            }
        }
    }

    /// Adds a bucket, and moves there what belongs there: part of what one other bucket holds.
    fn grow(&mut self) {
        let added = self.shape.buckets;
        let mut bucket = Bucket::default();
        if let Some(split) = self.buckets.get_mut(split_into(added)) {
            // One more bit of the hashes counts now.
            let bit = added.checked_ilog2().map_or(0, |bits| 1 << bits);
            bucket.hashes = split.hashes;
            // Nobody can foretell a bit of a hash: what moves is chosen without a branch.
            for ((hash, stays), moves) in split.hashes.iter().zip(&mut split.places).zip(&mut bucket.places) {
                let of_both = [*stays, VACANT];
                let is_moved = usize::from(hash & bit != 0);
                (*stays, *moves) = (of_both[is_moved], of_both[1 - is_moved]);
            }
            if let Some(more) = split.more.take() {
                for slot in more.slots() {
                    if slot.hash & bit == 0 { &mut *split } else { &mut bucket }.add(slot);
                }
            }
        }
        self.buckets.push(bucket);
        self.shape = Shape::of(added + 1);
        // By the time that they are split, they are there.
        if let Some(more) = self.buckets.get(split_into(added + 1)).and_then(|next| next.more.as_deref()) {
            ask_for(more);
        }
        if let Some(behind) = self.buckets.get(split_into(added + 2)) {
            ask_for(behind);
        }
    }

    /// Takes the last bucket away; what it holds goes back to the bucket that it came from.
    fn shrink(&mut self) {
        let Some(last) = self.buckets.pop() else { return };
        self.shape = Shape::of(self.buckets.len());
        let Some(into) = self.buckets.get_mut(split_into(self.shape.buckets)) else { return };
        last.slots().for_each(|slot| into.add(slot));
    }
}

impl Shape {
    pub(super) fn of(buckets: usize) -> Self {
        Self { buckets, mask: buckets.checked_next_power_of_two().map_or(0, |ceiling| ceiling - 1) }
    }

    /// The bucket of a hash, if there is any.
    #[inline]
    pub(super) fn bucket_of(self, hash: u32) -> Option<usize> {
        let low = usize::try_from(hash).ok()? & self.mask;
        // Half of the bits where there is no such bucket yet. Nobody can foretell which it is, so that it is no branch.
        let at = low & (self.mask >> usize::from(low >= self.buckets));
        (at < self.buckets).then_some(at)
    }
}

impl Default for Bucket {
    fn default() -> Self {
        Self { hashes: [0; SLOTS], places: [VACANT; SLOTS], more: None }
    }
}

impl Bucket {
    /// Which of its own slots may have a hash, a bit for each. Vacant ones may be among them, and have no place.
    #[inline]
    fn of_hash(&self, hash: u32) -> u32 {
        equal(&self.hashes, hash)
    }

    /// More slots, where there are.
    #[inline]
    pub(super) fn more(&self) -> Option<&Self> {
        self.more.as_deref()
    }

    /// The place of an entry that may have this hash.
    #[inline]
    pub(super) fn likely(&self, hash: u32) -> Option<usize> {
        self.find(hash, |place| place < VACANT as usize)
    }

    /// The place of the entry of a hash that is the right one.
    #[inline]
    pub(super) fn find(&self, hash: u32, is_right: impl Fn(usize) -> bool) -> Option<usize> {
        // Asked first, so that what `is_right` takes is not made ready for what is not there.
        if self.of_hash(hash) == 0 && self.more.is_none() {
            return None;
        }
        let mut bucket = self;
        loop {
            let mut likely = bucket.of_hash(hash);
            while likely != 0 {
                let place = bucket.places.get(likely.trailing_zeros() as usize).map(|place| *place as usize);
                if place.is_some_and(&is_right) {
                    return place;
                }
                likely &= likely - 1;
            }
            bucket = bucket.more.as_deref()?;
        }
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        let buckets = std::iter::successors(Some(self), |bucket| bucket.more.as_deref());
        let slots = buckets.flat_map(|bucket| bucket.hashes.iter().zip(&bucket.places));
        slots.map(|(hash, place)| Slot { hash: *hash, place: *place }).filter(|slot| slot.place != VACANT)
    }

    pub(super) fn add(&mut self, added: Slot) {
        let mut bucket = self;
        loop {
            let vacant = equal(&bucket.places, VACANT).trailing_zeros() as usize;
            if let (Some(hash), Some(place)) = (bucket.hashes.get_mut(vacant), bucket.places.get_mut(vacant)) {
                (*hash, *place) = (added.hash, added.place);
                return;
            }
            bucket = bucket.more.get_or_insert_default();
        }
    }
}

/// Which of the words are equal to one, a bit for each.
#[inline]
fn equal(words: &[u32; SLOTS], word: u32) -> u32 {
    let word = i32x4::splat(word.cast_signed());
    let equal = |four: &[u32; 4]| i32x4::new(four.map(u32::cast_signed)).cmp_eq(word).move_mask().cast_unsigned();
    // The fourth is in both halves.
    match (words.first_chunk(), words.last_chunk()) {
        (Some(low), Some(high)) => equal(low) | equal(high) << 3,
        _ => 0,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half of it is what is wanted")]
pub(in crate::fold) fn lower(hash: u64) -> u32 {
    hash as u32
}

/// The bucket that is split when one is added behind so many.
fn split_into(added: usize) -> usize {
    added.checked_ilog2().map_or(0, |bits| added - (1 << bits))
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Index {
    /// Whether clones share what does not change.
    pub(in crate::fold) fn is_shared(&self) -> bool {
        self.buckets.is_shared()
    }

    /// How many buckets there are, and how many slots the fullest has.
    pub(in crate::fold) fn shape(&self) -> (usize, usize) {
        let buckets = (0..self.buckets.len()).filter_map(|at| self.buckets.get(at));
        (self.shape.buckets, buckets.map(|bucket| bucket.slots().count()).max().unwrap_or(0))
    }
}
