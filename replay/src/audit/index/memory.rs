//! The part of the index that is in memory: what happened last.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::path::Path;

use bincode::Options;
use tagstone_schema::Seq;

use super::IndexError;
use super::run::{About, Run, codec};
use super::run_writer::RunWriter;
use super::turns::TagKey;
use crate::audit::query::Order;
use crate::audit::term::{TermKey, TermKeys};
use crate::audit::{Derived, Folded, Place, Stretch, TagChange, TagEntry};

/// Postings and turns of consecutive records.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By term; the places of each are in order.
    postings: HashMap<TermKey, Listed<Place>, BuildHasherDefault<KeyHasher>>,
    derived: BTreeMap<Seq, Derived>,
    /// By tag; the turns of each are in order.
    turns: HashMap<TagKey, Listed<TagEntry>, BuildHasherDefault<KeyHasher>>,
    count: usize,
}

/// What there is of a term or a tag, in order; most have only one.
#[derive(Debug)]
enum Listed<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Listed<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(first) => std::slice::from_ref(first),
            Self::Many(all) => all,
        }
    }

    fn push(&mut self, next: T) {
        if let Self::Many(all) = self {
            return all.push(next);
        }
        if let Self::One(first) = std::mem::replace(self, Self::Many(Vec::new())) {
            *self = Self::Many(vec![first, next]);
        }
    }
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        // The map looks at the high bits, too, which keys leave empty.
        self.0 = key ^ key << 16;
    }
}

impl Memory {
    /// Adds the record that follows the last one.
    pub(super) fn add(&mut self, folded: &Folded, seed: u64, keys: &mut TermKeys) {
        let (unfolded, mut manifests) = (&folded.unfolded, folded.manifests.iter());
        for event in unfolded.events() {
            let place = event.place();
            self.post(TermKey::EVERY, place);
            event.terms(|term| self.post(keys.key(term), place));
            if let Some(turned) = event.turned()
                && let Some(manifest) = manifests.next()
            {
                let change = if turned.to.is_some() { TagChange::Created } else { TagChange::Deleted };
                let key = TagKey::new(seed, turned.repository, turned.tag);
                let turn = TagEntry::new(place, event.record.time, change, manifest);
                match self.turns.get_mut(&key) {
                    Some(turns) => turns.push(turn),
                    None => drop(self.turns.insert(key, Listed::One(turn))),
                }
            }
        }
        if !unfolded.derived.is_empty() {
            self.derived.insert(unfolded.record.seq, unfolded.derived.clone());
        }
    }

    fn post(&mut self, key: TermKey, place: Place) {
        match self.postings.get_mut(&key) {
            // An event may tell a term twice.
            Some(places) if places.as_slice().last() == Some(&place) => return,
            Some(places) => places.push(place),
            None => drop(self.postings.insert(key, Listed::One(place))),
        }
        self.count += 1;
    }

    /// How many postings there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn derived(&self, seq: Seq) -> Derived {
        self.derived.get(&seq).cloned().unwrap_or_default()
    }

    /// The nearest place of a term at or behind `from`, in order.
    pub(super) fn nearest(&self, key: TermKey, from: Place, order: Order) -> Option<Place> {
        nearest(self.postings.get(&key)?.as_slice(), from, order)
    }

    /// The first turns of a tag in a stretch, or the last ones, in ascending order.
    pub(super) fn turns(&self, key: TagKey, stretch: &Stretch, order: Order, most: usize) -> Vec<TagEntry> {
        let turns = self.turns.get(&key).map_or(&[][..], Listed::as_slice);
        let order_of = |turn: &TagEntry| stretch.order_of(turn.place, turn.time);
        let behind = &turns[turns.partition_point(|turn| order_of(turn) == Ordering::Less)..];
        let within = &behind[..behind.partition_point(|turn| order_of(turn) == Ordering::Equal)];
        match order {
            Order::Ascending => within[..within.len().min(most)].to_vec(),
            Order::Descending => within[within.len().saturating_sub(most)..].to_vec(),
        }
    }

    /// Makes a run of it.
    pub(super) fn write(&self, directory: &Path, about: About) -> Result<Run, IndexError> {
        let tags = u64::try_from(self.turns.len()).map_err(IndexError::of("writing"))?;
        let mut writer = RunWriter::new(directory, about, tags)?;
        let mut postings: Vec<_> = self.postings.iter().collect();
        postings.sort_unstable_by_key(|(key, _)| **key);
        for (key, places) in postings {
            places.as_slice().iter().try_for_each(|place| writer.push(*key, *place))?;
        }
        for (seq, derived) in &self.derived {
            let bytes = codec().serialize(derived).map_err(IndexError::of("writing"))?;
            writer.push_derived(*seq, &bytes)?;
        }
        let mut turns: Vec<_> = self.turns.iter().collect();
        turns.sort_unstable_by_key(|(key, _)| **key);
        for (key, turns) in turns {
            turns.as_slice().iter().try_for_each(|turn| writer.push_turn(*key, turn))?;
        }
        writer.finish()
    }
}

/// The nearest of these places at or behind `from`, in order.
pub(super) fn nearest(places: &[Place], from: Place, order: Order) -> Option<Place> {
    let at = match order {
        Order::Ascending => places.partition_point(|place| *place < from),
        Order::Descending => places.partition_point(|place| *place <= from).checked_sub(1)?,
    };
    places.get(at).copied()
}
