//! An index of entries that are all there at once, as when a snapshot is read: made in parts, each of which fits into a processor's
//! cache, by several threads, and in the form that clones share.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;

use super::entries::Entries;
use super::index::{Bucket, FULL, Index, Shape, Slot};

/// Buckets of a part: whole pages, and 128 KiB.
const PART: usize = 256 * Entries::<Bucket>::PAGE;

/// Parts for which another thread is worth its while.
const MANY: usize = 16;

/// Part of an index as it will be shared, and a place in it whose entry is that of another place.
#[derive(Default)]
struct Made {
    pages: Vec<Vec<Bucket>>,
    same: Option<usize>,
}

impl Index {
    /// An index of entries by the lower halves of their hashes, in the order of their places. Where two are the same, which is
    /// asked of their places if their hashes are, one of them is told, and the index is none.
    pub(in crate::fold) fn of(hashes: &[u32], is_same: impl Fn(usize, usize) -> bool + Sync) -> (Self, Option<usize>) {
        let shape = Shape::of(hashes.len().div_ceil(FULL));
        let parts = shape.buckets.div_ceil(PART);
        let (slots, ends) = by_part(hashes, shape, parts);
        let make = |numbers: std::ops::Range<usize>| {
            let mut made = Made::default();
            for number in numbers {
                let begin = number.checked_sub(1).map_or(0, |before| ends[before]);
                made.add(shape, number * PART, &slots[begin..ends[number]], &is_same);
                if made.same.is_some() {
                    break;
                }
            }
            made
        };
        // To ask how many there may be takes longer than to make a small index, of which there are thousands.
        let threads = match parts / MANY {
            0 => 1,
            most => std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(most + 1),
        };
        let each = parts.div_ceil(threads).max(1);
        let made: Vec<Made> = std::thread::scope(|scope| {
            let make = &make;
            let ranges = (0..parts).step_by(each).map(|begin| begin..parts.min(begin + each));
            let others: Vec<_> = ranges.clone().skip(1).map(|range| scope.spawn(move || make(range))).collect();
            let first = ranges.take(1).map(make).collect::<Vec<_>>();
            let others = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            first.into_iter().chain(others).collect()
        });
        let same = made.iter().find_map(|made| made.same);
        let buckets = Entries::of_pages(made.into_iter().flat_map(|made| made.pages));
        (Self { buckets, shape, len: hashes.len() }, same)
    }
}

/// The slots of entries, those of one part behind those of another, and where those of each part end.
fn by_part(hashes: &[u32], shape: Shape, parts: usize) -> (Vec<Slot>, Vec<usize>) {
    let part_of = |hash| shape.bucket_of(hash).unwrap_or(0) / PART;
    let mut ends = vec![0; parts];
    hashes.iter().for_each(|hash| ends[part_of(*hash)] += 1);
    // First where each begins: it moves behind every slot that is put there.
    let mut begin = 0;
    for end in &mut ends {
        begin += std::mem::replace(end, begin);
    }
    let mut slots = vec![Slot::VACANT; hashes.len()];
    for (hash, place) in hashes.iter().zip(0..) {
        let end = &mut ends[part_of(*hash)];
        slots[*end] = Slot { hash: *hash, place };
        *end += 1;
    }
    (slots, ends)
}

impl Made {
    /// Adds the part that begins with that bucket, up to the first entry that is the same as another.
    fn add(&mut self, shape: Shape, first: usize, slots: &[Slot], is_same: &impl Fn(usize, usize) -> bool) {
        let mut buckets = vec![Bucket::default(); PART.min(shape.buckets - first)];
        for slot in slots {
            let Some(bucket) = shape.bucket_of(slot.hash).and_then(|at| buckets.get_mut(at - first)) else { continue };
            let place = slot.place as usize;
            if bucket.find(slot.hash, |other| is_same(place, other)).is_some() {
                self.same = Some(place);
                return;
            }
            bucket.add(*slot);
        }
        let mut buckets = buckets.into_iter();
        while buckets.len() > 0 {
            // Neither has more room than it needs: many an index has a single bucket.
            self.pages.push(buckets.by_ref().take(Entries::<Bucket>::PAGE).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Few hashes, so that many are of several entries, and more of them than a thread makes parts for.
        #[test]
        fn an_index_made_at_once_is_one_made_one_by_one(
            count in prop_oneof![0usize..40, 5_000usize..30_000, Just(PART * FULL * (2 * MANY + 3))],
            different in prop_oneof![Just(7u32), Just(u32::MAX)],
            seed in any::<u32>(),
        ) {
            let hash = |place: u32| (place ^ seed).wrapping_mul(2_654_435_769) % different;
            let count = if different == 7 { count.min(200) } else { count };
            let hashes: Vec<u32> = (0..u32::MAX).take(count).map(hash).collect();
            let (mut made, same) = Index::of(&hashes, |_, _| false);
            prop_assert_eq!(same, None);
            let mut grown = Index::default();
            hashes.iter().zip(0..).for_each(|(hash, place)| grown.add(u64::from(*hash), place));
            prop_assert_eq!((made.len(), made.shape()), (grown.len(), grown.shape()));
            for (hash, place) in hashes.iter().zip(0..) {
                prop_assert_eq!(made.find(u64::from(*hash), |at| at == place), Some(place));
            }
            // It goes on as any other.
            for (hash, place) in hashes.iter().zip(0..).take(2_000) {
                made.remove(u64::from(*hash), place);
                made.add(u64::from(*hash), place + hashes.len());
            }
            for (hash, place) in hashes.iter().zip(0..) {
                let place = if place < 2_000 { place + hashes.len() } else { place };
                prop_assert_eq!(made.find(u64::from(*hash), |at| at == place), Some(place));
            }
            if let [first, .., last] = &hashes[..] {
                let (_, same) = Index::of(&hashes, |one, other| one.min(other) == 0 && one.max(other) == hashes.len() - 1);
                prop_assert_eq!(same, (first == last).then(|| hashes.len() - 1));
            }
        }
    }

    #[test]
    fn buckets_behind_buckets_come_and_go() {
        const COUNT: usize = 250;
        let hash = |place: usize| place as u64 % 7;
        let mut index = Index::default();
        (0..COUNT).for_each(|place| index.add(hash(place), place));
        let removed: Vec<_> = (0..COUNT).map(|step| step * 37 % COUNT).collect();
        for (step, place) in removed.iter().enumerate() {
            index.remove(hash(*place), *place);
            for (at, place) in removed.iter().enumerate() {
                let found = index.find(hash(*place), |other| other == *place);
                assert_eq!(found, (at > step).then_some(*place), "{place} after {step}");
            }
        }
        assert_eq!((index.len(), index.shape()), (0, (1, 0)));
    }
}
