//! Seals in random histories, compared with what a look at every tag behind every record tells.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Digest, Event, Origin, Record, RecordHash, RepositoryName, Tag, Timestamp};

use super::{Bounds, Reporter};
use crate::audit::{Derived, Turn, Unfolded};
use crate::fold::{Moment, State, legal_events};
use crate::source::{Replay, Witness};

/// The stays of the live tags, and which of them were ever protected.
type Stays = BTreeMap<(RepositoryName, Tag), (Digest, Moment, Seal)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seal {
    Given,
    Never,
}

/// A seal that was broken: by which record, on which tag, at which digest.
type Broken = (u64, RepositoryName, Tag, Digest);

fn recorded(events: Vec<Event>) -> Vec<Record> {
    let record = |(seq, event): (u64, Event)| Record {
        format: FORMAT_VERSION,
        seq,
        time: Timestamp(seq.cast_signed()),
        prev: RecordHash::ZERO,
        actor: Actor::system("test"),
        origin: Origin::default(),
        events: vec![event],
    };
    (1..).zip(events).map(record).collect()
}

/// Looks at every tag behind a record: a stay that is over broke its seal, if one had been given.
fn look(stays: &mut Stays, state: &State, record: &Record) -> BTreeSet<Broken> {
    let mut now = Stays::new();
    for (name, repository) in state.repositories() {
        let protection = state.protection(name);
        for (tag, standing) in repository.tags_after(None) {
            let key = (name.clone(), tag.clone());
            let seal = if protection.protects(tag, standing) { Seal::Given } else { Seal::Never };
            let before = stays.get(&key).filter(|(_, since, _)| *since == standing.since());
            let seal = before.map_or(seal, |(.., was)| if *was == Seal::Given { Seal::Given } else { seal });
            now.insert(key, (standing.digest().clone(), standing.since(), seal));
        }
    }
    let over = stays.iter().filter(|(key, (_, since, _))| now.get(*key).is_none_or(|(_, other, _)| other != since));
    let erased = |tag: &Tag| matches!(&record.events[0], Event::TagErased { tag: erased, .. } if erased == tag);
    let broken = over.filter(|((_, tag), (.., seal))| *seal == Seal::Given && !erased(tag));
    let broken = broken.map(|((name, tag), (digest, ..))| (record.seq, name.clone(), tag.clone(), digest.clone()));
    let broken = broken.collect();
    *stays = now;
    broken
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_broken_seals_are_those_of_stays_that_were_ever_protected(
        choices in proptest::collection::vec(proptest::array::uniform4(proptest::num::u8::ANY), 1..300),
    ) {
        let (mut state, mut stays, mut expected) = (State::default(), Stays::new(), BTreeSet::new());
        let mut reporter = Reporter::within(Bounds::default());
        for record in recorded(legal_events(&choices)) {
            let mut derived = Derived::default();
            let told = state.apply_observed(&record, |event, effect| {
                derived.note(event, &effect);
                reporter.sees(event, &effect);
            });
            prop_assert!(told.is_ok());
            expected.extend(look(&mut stays, &state, &record));
            reporter.learns(&Unfolded { record, derived }, &state);
        }
        let report = reporter.report(&Replay { state: state.clone(), ..Replay::default() });
        let mut found = BTreeSet::new();
        for seal in &report.seals_broken {
            let protected = &seal.protected_by;
            prop_assert!(!protected.is_empty());
            for protected in protected {
                let until = protected.until.as_ref().map(|until| until.deed.place.seq);
                prop_assert!(until.is_some_and(|until| until > seal.since.seq && until < seal.broken.deed.place.seq));
            }
            let from = match &seal.broken.turn {
                Turn::Moved { from, .. } | Turn::Deleted { from, .. } => from,
                Turn::Created { .. } => return Err(TestCaseError::fail("a creation broke a seal")),
            };
            prop_assert_eq!(from, &seal.digest);
            found.insert((seal.broken.deed.place.seq, seal.repository.clone(), seal.tag.clone(), seal.digest.clone()));
        }
        prop_assert_eq!(found.len(), report.seals_broken.len());
        prop_assert_eq!(found, expected);
        // Every name that a broken seal left without a tag is spent.
        for seal in &report.seals_broken {
            if let Turn::Deleted { .. } = seal.broken.turn {
                prop_assert!(state.spent(seal.repository.as_str(), seal.tag.as_str()).is_some());
            }
        }
        prop_assert!(report.spent_names.iter().all(|name| name.removed.is_some()));
    }
}
