//! Which tags a run may know: a Bloom filter over their keys, so that a run without the tag that is asked for need not be read.
//!
//! Most tags are in one run of many, a tag of a build for ever. What the filter says it does not know is not there; of the rest one
//! in a hundred is not there either, and is read in vain.

use serde::{Deserialize, Serialize};

use super::turns::TagKey;

/// Bits of the filter for each tag. With [`PROBES`], the filter takes 0.8 % of those for its own that it does not know.
const BITS: usize = 10;

/// Bits that each tag sets.
const PROBES: u64 = 7;

/// The tags of a run, as far as has to be known in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TagFilter {
    tags: u64,
    words: Vec<u64>,
}

impl TagFilter {
    /// An empty filter with room for so many tags.
    pub(super) fn for_tags(tags: u64) -> Self {
        let words = usize::try_from(tags).unwrap_or(usize::MAX).saturating_mul(BITS).div_ceil(64);
        Self { tags: 0, words: vec![0; words] }
    }

    /// How many tags were added.
    pub(super) fn tags(&self) -> u64 {
        self.tags
    }

    /// Adds a tag that was not added before.
    pub(super) fn add(&mut self, key: TagKey) {
        self.tags += 1;
        for (word, bit) in self.bits_of(key) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// Whether a tag may have been added.
    pub(super) fn may_have(&self, key: TagKey) -> bool {
        self.bits_of(key).all(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }

    /// The bits of a tag: each by its word. A key is a hash, so each half of it is one.
    fn bits_of(&self, key: TagKey) -> impl Iterator<Item = (usize, u64)> + use<> {
        let bytes = key.0.to_be_bytes();
        let (first, step) = bytes.split_at(8);
        let number = |half: &[u8]| half.first_chunk().map_or(0, |half| u64::from_be_bytes(*half));
        let (first, step) = (number(first), number(step) | 1);
        let bits = self.words.len() * 64;
        (0..PROBES).map(move |probe| {
            let hash = u128::from(first.wrapping_add(step.wrapping_mul(probe)));
            // The product has as many bits as both factors, so what is left of it is less than the number of bits.
            let bit = usize::try_from((hash * bits as u128) >> 64).unwrap_or_default();
            (bit / 64, 1 << (bit % 64))
        })
    }
}
