//! The manifests of all repositories, and the tags on each.
//!
//! They lie side by side in one table. What a repository has under a digest names its manifest by a number, and so does a tag. The room
//! of a manifest that is gone is used for a new one; until a start from a snapshot it is not given back.

use std::num::NonZeroU32;
use std::ops::Index;

use imbl::Vector;
use tagstone_schema::{Tag, Timestamp};

use super::{placed, unplaced};
use crate::fold::manifest::Manifest;
use crate::fold::table::ask_for;
use crate::fold::table::entries::{Entries, Still};
use crate::fold::tag::{Spare, TagSet};

/// A manifest of one repository. It has its number for as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::fold) struct ManifestNumber(NonZeroU32);

impl ManifestNumber {
    /// No memory holds more manifests than a number can tell.
    pub(in crate::fold) fn at(place: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(placed(place)))
    }

    pub(super) fn place(self) -> usize {
        unplaced(self.0.get() - 1)
    }

    /// The number of the same manifest behind so many others.
    pub(in crate::fold) fn behind(self, others: usize) -> Self {
        Self::at(others.saturating_add(self.place()))
    }
}

/// A manifest with the tags on it. The tags and the digest, which a tag that comes or goes asks for, are one line of a processor's
/// cache, and the rest is another.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(in crate::fold) struct Held {
    pub(in crate::fold) tags: TagSet,
    pub(in crate::fold) manifest: Manifest,
    /// When it was pushed, or what held it last went away: a tag, an index that names it, its subject.
    pub(in crate::fold) idle: Timestamp,
}

/// Manifests by their numbers.
///
/// **Invariant**: whatever names a manifest is gone before the manifest is.
#[derive(Clone, Debug, Default)]
pub(in crate::fold) struct Manifests {
    held: Entries<Option<Held>>,
    /// Numbers of manifests that are gone, to be given again.
    vacant: Vector<ManifestNumber>,
    /// Room that the tags on one have left for those on another.
    spare: Spare,
}

impl Manifests {
    /// Manifests that nobody shares.
    pub(super) fn alone() -> Self {
        Self { held: Entries::alone(), ..Self::default() }
    }

    /// Manifests that nobody shares yet, and many will soon.
    pub(super) fn to_share() -> Self {
        Self { held: Entries::to_share(), ..Self::default() }
    }

    pub(super) fn share(&mut self) {
        self.held.share();
    }

    /// How many numbers there are, vacant ones too.
    pub(super) fn numbers(&self) -> usize {
        self.held.len()
    }

    /// All of them by the places of their numbers, to be looked at many times.
    pub(super) fn still(&self) -> Still<'_, Option<Held>> {
        self.held.still()
    }

    /// Adds one.
    pub(in crate::fold) fn add(&mut self, held: Held) -> ManifestNumber {
        // Mostly there is none, which is quickly asked.
        let vacant = if self.vacant.is_empty() { None } else { self.vacant.pop_back() };
        if let Some(number) = vacant
            && let Some(vacant) = self.held.get_mut(number.place())
        {
            *vacant = Some(held);
            return number;
        }
        self.held.push(Some(held));
        ManifestNumber::at(self.held.len() - 1)
    }

    /// Adds several behind all others.
    pub(super) fn append(&mut self, held: Vec<Held>) {
        held.into_iter().for_each(|held| self.held.push(Some(held)));
    }

    pub(in crate::fold) fn get_mut(&mut self, number: ManifestNumber) -> Option<&mut Held> {
        self.held.get_mut(number.place())?.as_mut()
    }

    /// A tag points at one from now on.
    pub(in crate::fold) fn add_tag(&mut self, number: ManifestNumber, tag: Tag) {
        if let Some(Some(held)) = self.held.get_mut(number.place()) {
            held.tags.insert(tag, &mut self.spare);
        }
    }

    /// A tag no longer points at one.
    pub(in crate::fold) fn lose_tag(&mut self, number: ManifestNumber, tag: &Tag, at: Timestamp) {
        if let Some(Some(held)) = self.held.get_mut(number.place()) {
            held.tags.remove(tag, &mut self.spare);
            if held.tags.is_empty() {
                held.idle = at;
            }
        }
    }

    /// Takes one out, whose number stands for another from now on.
    pub(in crate::fold) fn take(&mut self, number: ManifestNumber) -> Option<Held> {
        let held = self.held.get_mut(number.place())?.take();
        if held.is_some() {
            self.vacant.push_back(number);
        }
        held
    }

    /// Where a manifest lies, or lay.
    #[inline]
    pub(in crate::fold) fn room(&self, number: ManifestNumber) -> Option<&Option<Held>> {
        self.held.get(number.place())
    }
}

/// Asks the processor for the tags and the digests of manifests.
pub(in crate::fold) fn ask(rooms: &[Option<&Option<Held>>]) {
    rooms.iter().flatten().for_each(|room| ask_for(*room));
}

/// Asks for the tags of manifests that do not lie beside them.
pub(in crate::fold) fn ask_more(rooms: &[Option<&Option<Held>>]) {
    for held in rooms.iter().flatten().filter_map(|room| room.as_ref()) {
        if let TagSet::Few(tags) = &held.tags
            && let Some(first) = tags.first()
        {
            ask_for(first);
        }
    }
}

/// What is named is there.
impl Index<ManifestNumber> for Manifests {
    type Output = Held;

    fn index(&self, number: ManifestNumber) -> &Held {
        self.held.get(number.place()).and_then(Option::as_ref).expect("a manifest that is named is there")
    }
}

#[cfg(test)]
impl Manifests {
    /// The numbers that stand for a manifest; all others are vacant.
    pub(super) fn given(&self) -> impl Iterator<Item = ManifestNumber> {
        let held = self.held.iter().enumerate();
        held.filter(|(_, held)| held.is_some()).map(|(place, _)| ManifestNumber::at(place))
    }

    pub(super) fn vacant(&self) -> &Vector<ManifestNumber> {
        &self.vacant
    }

    pub(super) fn is_shared(&self) -> bool {
        self.held.is_shared()
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;
    use std::sync::Arc;

    use tagstone_schema::Digest;

    use super::*;
    use crate::fold::contents::places::Places;
    use crate::fold::manifest::Types;
    use crate::fold::state::Moment;

    fn held(idle: i64) -> Held {
        let types = Types { media_type: "a/b".parse().unwrap(), artifact_type: None };
        let moment = Moment { seq: 1, time: Timestamp(1) };
        let manifest = Manifest {
            digest: Digest::sha256([1; 32]),
            size: 1,
            types: Arc::new(types),
            subject: None,
            references: Places::default(),
            pushed: moment,
        };
        Held { tags: TagSet::default(), manifest, idle: Timestamp(idle) }
    }

    #[test]
    fn a_number_is_given_again_and_clones_keep_what_it_stood_for() {
        for mut manifests in [Manifests::default(), Manifests::alone(), Manifests::to_share()] {
            let [first, second] = [1, 2].map(|idle| manifests.add(held(idle)));
            let before = manifests.clone();
            assert_eq!(manifests.take(first).map(|held| held.idle), Some(Timestamp(1)));
            assert!(manifests.take(first).is_none() && manifests.get_mut(first).is_none());
            assert_eq!(manifests.add(held(3)), first);
            manifests.share();
            assert_eq!(manifests.add(held(4)), ManifestNumber::at(2));
            let idle = |manifests: &Manifests| [first, second].map(|number| manifests[number].idle.0);
            assert_eq!((idle(&manifests), idle(&before)), ([3, 2], [1, 2]));
        }
    }

    #[test]
    fn a_manifest_takes_two_lines_of_a_cache_and_what_names_it_half_a_word() {
        assert!(size_of::<Option<Held>>() <= 128, "{}", size_of::<Option<Held>>());
        assert!(offset_of!(Held, manifest) + offset_of!(Manifest, digest) + size_of::<Digest>() <= 64);
        assert_eq!(size_of::<Option<ManifestNumber>>(), 4);
    }
}
