//! The index against a list of all events.

mod agreement;
mod damage;
mod pieces;
mod rows;
mod turns;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tagstone_schema::{Digest, EncodedRecord, Event, Head, MediaType, RepositoryName, Tag};

use super::{AuditIndex, IndexError, Limits};
use crate::audit::index::View;
use crate::audit::{Derived, Folded, Order, Place, Stretch, TagChange, TagEntry, Term, What};
use crate::fold::State;
use crate::fold::properties::{decoded, history};

/// Sizes with which a short history becomes many runs and several merges.
const SMALL: Limits = Limits { postings: 150, least: 800, most: 100_000, runs: 6 };

/// All that there is to index.
struct Known {
    records: Vec<(Folded, Head)>,
    /// Events in order: where each stands, and its place in `records`.
    events: Vec<(Place, usize)>,
    /// The places of each term, by its text.
    terms: BTreeMap<String, Vec<Place>>,
    /// The turns of each tag, in order.
    turns: BTreeMap<(RepositoryName, Tag), Vec<TagEntry>>,
}

impl Known {
    fn of(records: &[EncodedRecord]) -> Self {
        let mut state = State::default();
        let folded = decoded(records).into_iter().map(|record| Folded::apply(&mut state, record).unwrap());
        let records: Vec<_> = folded.zip(records.iter().map(EncodedRecord::head)).collect();
        let places = |at: usize| records[at].0.unfolded.events().map(move |event| (event.place(), at));
        let events = (0..records.len()).flat_map(places).collect();
        let mut terms: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for event in records.iter().flat_map(|(folded, _)| folded.unfolded.events()) {
            event.terms(|term| {
                let places = terms.entry(format!("{term:?}")).or_default();
                if places.last() != Some(&event.place()) {
                    places.push(event.place());
                }
            });
        }
        let turns = turns_of(&records);
        Self { records, events, terms, turns }
    }

    /// A history with enough in it for every test.
    fn long(salt: u8) -> Self {
        let choices: Vec<[u8; 4]> = (1u32..400)
            .map(|n| (n.wrapping_mul(2_654_435_761) ^ n.wrapping_mul(0x9e3b_11f7) >> 7 ^ u32::from(salt)).to_be_bytes())
            .collect();
        Self::of(&history(&choices))
    }

    /// Adds what an index lacks, up to a record.
    fn add_to(&self, index: &AuditIndex, until: usize) -> Result<(), IndexError> {
        let reached = usize::try_from(index.reached().seq).unwrap();
        self.records[..until].iter().skip(reached).try_for_each(|(folded, head)| index.add(folded, *head))
    }

    /// Whether an index is of this log.
    fn agrees(&self, index: &AuditIndex) -> bool {
        let Head { seq, hash, .. } = index.reached();
        let last = usize::try_from(seq).unwrap().checked_sub(1);
        last.is_none_or(|last| self.records.get(last).is_some_and(|(_, head)| head.hash == hash))
    }

    /// The places of the events up to a record that have all of some terms.
    fn places(&self, until: usize, terms: &[Term<'_>], from: Place, order: Order) -> Vec<Place> {
        let mut places: Vec<_> = self.events.iter().map(|(place, _)| *place).collect();
        for term in terms {
            let of = self.terms.get(&format!("{term:?}"));
            places.retain(|place| of.is_some_and(|of| of.binary_search(place).is_ok()));
        }
        places.retain(|place| place.seq <= until as u64);
        match order {
            Order::Ascending => places.retain(|place| *place >= from),
            Order::Descending => {
                places.reverse();
                places.retain(|place| *place <= from);
            }
        }
        places
    }

    /// Asks for everything; the first answer that is not right is a panic, an index that cannot answer an error.
    fn compare(&self, view: &View, until: usize) -> Result<(), IndexError> {
        assert_eq!(view.reached().seq, until as u64);
        let everything = self.places(until, &[], Place::first_of(0), Order::Ascending);
        assert_eq!(places(view, &[], Place::first_of(0), Order::Ascending)?, everything);
        for (place, at) in self.events.iter().step_by(5).filter(|(_, at)| *at < until) {
            let mut answered = Ok(());
            self.records[*at].0.unfolded.event(place.index).unwrap().terms(|term| {
                for order in [Order::Ascending, Order::Descending] {
                    match places(view, &[term], *place, order) {
                        Ok(found) => assert_eq!(found, self.places(until, &[term], *place, order), "{term:?}"),
                        Err(error) => answered = Err(error),
                    }
                }
            });
            answered?;
        }
        for (folded, head) in &self.records[..until] {
            assert_eq!(view.derived(head.seq)?, folded.unfolded.derived, "{}", head.seq);
        }
        assert_eq!(view.derived(until as u64 + 1)?, Derived::default());
        self.compare_turns(view, until)
    }

    /// Asks for the turns of every tag: for all, and for stretches that begin or end at some.
    fn compare_turns(&self, view: &View, until: usize) -> Result<(), IndexError> {
        let whole = Stretch::up_to(Place::last_of(u64::MAX));
        for ((repository, tag), turns) in &self.turns {
            let mut stretches = vec![whole];
            for TagEntry { place, time, .. } in turns.iter().step_by(1 + turns.len() / 9) {
                stretches.push(Stretch { first: *place, ..whole });
                stretches.push(Stretch { first: place.next(), since: Some(*time), ..whole });
                stretches.push(Stretch { before: Some(*time), ..whole });
                stretches.push(Stretch { last: *place, since: Some(turns[0].time), ..whole });
            }
            for stretch in stretches {
                let in_time = |turn: &&TagEntry| {
                    stretch.since.is_none_or(|since| turn.time > since)
                        && stretch.before.is_none_or(|before| turn.time < before)
                };
                let reached = turns.iter().filter(|turn| turn.place.seq <= until as u64);
                let all = reached.filter(|turn| stretch.first <= turn.place && turn.place <= stretch.last);
                let mut expected: Vec<_> = all.filter(in_time).cloned().collect();
                for order in [Order::Ascending, Order::Descending] {
                    let found: Vec<_> = view.turns(repository, tag, stretch, order).collect::<Result<_, _>>()?;
                    assert_eq!(found, expected, "{repository}:{tag} {stretch:?}");
                    expected.reverse();
                }
            }
        }
        let (nobody, latest) = ("nobody/here".parse().unwrap(), "latest".parse().unwrap());
        assert_eq!(view.turns(&nobody, &latest, whole, Order::Ascending).next(), None);
        Ok(())
    }
}

/// The turns of each tag, as the events tell them.
fn turns_of(records: &[(Folded, Head)]) -> BTreeMap<(RepositoryName, Tag), Vec<TagEntry>> {
    let mut pushed: BTreeMap<(RepositoryName, Digest), (u64, MediaType)> = BTreeMap::new();
    let mut turns: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in records.iter().flat_map(|(folded, _)| folded.unfolded.events()) {
        let (repository, tag, change, digest) = match event.what {
            What::Written { event: Event::ManifestPushed { repository, digest, size, media_type, .. }, .. } => {
                pushed.insert((repository.clone(), digest.clone()), (*size, media_type.clone()));
                continue;
            }
            What::Written { event: Event::TagMoved { repository, tag, to, .. }, .. } => {
                (repository, tag, TagChange::Created, to)
            }
            What::TagEnded(end) => (end.repository, end.tag, TagChange::Deleted, end.was),
            What::Written { .. } => continue,
        };
        let (size, media_type) = pushed[&(repository.clone(), digest.clone())].clone();
        let (place, time, digest) = (event.place(), event.record.time, digest.clone());
        let of = turns.entry((repository.clone(), tag.clone())).or_default();
        of.push(TagEntry { place, time, change, digest, size, media_type });
    }
    turns
}

fn places(view: &View, terms: &[Term<'_>], from: Place, order: Order) -> Result<Vec<Place>, IndexError> {
    let mut keys = view.keys();
    let keys = terms.iter().map(|term| keys.key(*term)).collect();
    view.places(keys, from, order).collect()
}

/// The files of an index, by name.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Waits for the merge that is under way, and all that follow it.
fn settle(index: &AuditIndex) {
    let mut adding = index.adding();
    while let Some(merging) = adding.merging.take() {
        index.take_merged(merging).unwrap();
        index.merge(&mut adding).unwrap();
    }
}

/// An index of half of the records, in as many runs as there are records, which is opened by one that merges.
fn unmerged(known: &Known, directory: &Path) -> AuditIndex {
    let many = Limits { postings: 1, most: 0, ..SMALL };
    let index = AuditIndex::open_with(directory, many).unwrap();
    known.add_to(&index, known.records.len() / 2).unwrap();
    drop(index);
    AuditIndex::open_with(directory, Limits { postings: usize::MAX, ..SMALL }).unwrap()
}

/// Adds the rest of the records, and waits for the merge behind each.
fn add_rest(known: &Known, index: &AuditIndex) -> Result<(), IndexError> {
    (known.records.len() / 2 + 1..=known.records.len()).try_for_each(|until| {
        known.add_to(index, until)?;
        while index.adding().merging.as_ref().is_some_and(|merging| !merging.is_over()) {
            std::thread::yield_now();
        }
        Ok(())
    })
}
