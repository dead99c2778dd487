//! Where the entries are that were looked for lately: a push names again at once what it has just brought, and what records will
//! look up was looked for before ([`crate::fold::State::foresee`]).

use tagstone_schema::Digest;

use super::Place;

/// Digests that are remembered: more than the records that are looked at together name. They take 8 KiB.
const SLOTS: usize = 512;

/// Places of entries by the first words of their digests.
///
/// **Invariant**: nothing follows from it but time. A place that it tells may be that of anything by now, so whoever asks looks what
/// is there.
#[derive(Debug, Default)]
pub(super) struct Near {
    slots: Option<Box<[Slot; SLOTS]>>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    word: u64,
    place: Place,
}

/// The place of what was looked for and not found.
const NOWHERE: Place = Place::MAX;

/// What is copied is shared, and changed now and then: there it is not worth its room.
impl Clone for Near {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Near {
    /// One for contents that change all the time.
    pub(super) fn alone() -> Self {
        Self { slots: Some(Box::new([Slot { word: 0, place: NOWHERE }; SLOTS])) }
    }

    /// Where the entry of a digest may be.
    #[inline]
    pub(super) fn place(&self, digest: &Digest) -> Option<usize> {
        let word = digest.first_word();
        let slot = self.slots.as_ref()?[slot_of(word)];
        (slot.word == word && slot.place != NOWHERE).then_some(slot.place as usize)
    }

    /// The entry of a digest is there.
    #[inline]
    pub(super) fn note(&mut self, word: u64, place: Place) {
        if let Some(slots) = &mut self.slots {
            slots[slot_of(word)] = Slot { word, place };
        }
    }

    /// Whether a digest with this first word has yet to be looked for.
    #[inline]
    pub(super) fn seek(&mut self, word: u64) -> bool {
        let Some(slots) = &mut self.slots else { return true };
        let slot = &mut slots[slot_of(word)];
        let is_other = slot.word != word;
        if is_other {
            *slot = Slot { word, place: NOWHERE };
        }
        is_other
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a part of it is what is wanted")]
fn slot_of(word: u64) -> usize {
    word as usize % SLOTS
}
