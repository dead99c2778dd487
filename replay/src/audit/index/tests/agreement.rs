//! Whatever happens to an index on the way, it finds what a list of all events has.

use proptest::prelude::*;

use super::*;
use crate::audit::term::TermKey;
use crate::fold::properties::choices;

/// What happens to an index between two additions.
#[derive(Clone, Copy, Debug)]
enum Step {
    Nothing,
    Flush,
    Settle,
    Reopen,
    /// As after a crash: what is in memory is lost.
    Lose,
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        Just(Step::Nothing),
        Just(Step::Flush),
        Just(Step::Flush),
        Just(Step::Settle),
        Just(Step::Reopen),
        Just(Step::Lose),
        Just(Step::Clear),
    ];
    proptest::collection::vec((0usize..100, step), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn it_finds_what_a_list_of_all_events_has(
        choices in choices(),
        mut steps in steps(),
        pairs in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 40),
    ) {
        let known = Known::of(&history(&choices));
        let directory = tempfile::tempdir().unwrap();
        let mut index = AuditIndex::open_with(directory.path(), SMALL).unwrap();
        steps.sort_by_key(|(percent, _)| *percent);
        for (percent, step) in steps {
            let until = known.records.len() * percent / 100;
            known.add_to(&index, until).unwrap();
            let before = index.view();
            match step {
                Step::Nothing => {}
                Step::Flush => {
                    index.flush().unwrap();
                    prop_assert_eq!(index.durable(), index.reached());
                }
                Step::Settle => settle(&index),
                Step::Reopen => {
                    index.close().unwrap();
                    let reached = index.reached();
                    drop(index);
                    index = AuditIndex::open_with(directory.path(), SMALL).unwrap();
                    prop_assert_eq!(index.reached(), reached);
                }
                Step::Lose => {
                    let durable = index.durable();
                    drop(index);
                    index = AuditIndex::open_with(directory.path(), SMALL).unwrap();
                    prop_assert_eq!(index.reached(), durable);
                }
                Step::Clear => {
                    index.clear().unwrap();
                    prop_assert_eq!(index.reached(), Head::default());
                    prop_assert!(files(directory.path()).is_empty());
                }
            }
            prop_assert!(known.agrees(&index));
            known.add_to(&index, until).unwrap();
            known.compare(&index.view(), until).unwrap();
            // Who looked before finds what he would have found then.
            known.compare(&before, until).unwrap();
        }
        known.add_to(&index, known.records.len()).unwrap();
        combine(&known, &index.view(), &pairs);
        prop_assert!(!index.is_in_doubt());
    }
}

/// Compares what two or three terms have in common, of two events.
fn combine(known: &Known, view: &View, pairs: &[(prop::sample::Index, prop::sample::Index)]) {
    for (one, other) in pairs {
        let (one, other) = (*one.get(&known.events), *other.get(&known.events));
        let event = |(place, at): (Place, usize)| known.records[at].0.unfolded.event(place.index).unwrap();
        let (kind, mut terms) = (Term::Kind(event(other).kind()), 0);
        event(one).terms(|term| {
            for order in [Order::Ascending, Order::Descending] {
                for terms in [vec![term, kind], vec![kind, term, Term::Actor("test")]] {
                    let expected = known.places(known.records.len(), &terms, other.0, order);
                    assert_eq!(places(view, &terms, other.0, order).unwrap(), expected, "{terms:?}");
                }
            }
            terms += 1;
        });
        assert!(terms > 1);
    }
}

#[test]
fn runs_are_merged_and_their_files_removed() {
    let known = Known::long(0);
    let directory = tempfile::tempdir().unwrap();
    let index = AuditIndex::open_with(directory.path(), SMALL).unwrap();
    for until in 1..=known.records.len() {
        known.add_to(&index, until).unwrap();
        index.flush().unwrap();
    }
    settle(&index);
    let runs = files(directory.path()).len();
    assert!(runs < 15 && known.records.len() > 100, "{runs} runs of {} records", known.records.len());
    assert_eq!(index.parts().runs.len(), runs);
    known.compare(&index.view(), known.records.len()).unwrap();
}

#[test]
fn runs_that_earlier_starts_have_left_are_merged_beside_whoever_adds() {
    let known = Known::long(2);
    let directory = tempfile::tempdir().unwrap();
    let index = unmerged(&known, directory.path());
    let many = files(directory.path()).len();
    // Nothing makes a run of what is in memory meanwhile.
    add_rest(&known, &index).unwrap();
    let runs = index.parts().runs.len();
    assert!(runs < 15 && many > 50, "{runs} of {many} runs");
    known.compare(&index.view(), known.records.len()).unwrap();
    index.close().unwrap();
    let index = AuditIndex::open_with(directory.path(), SMALL).unwrap();
    known.compare(&index.view(), known.records.len()).unwrap();
}

#[test]
fn all_in_memory_without_a_directory() {
    let known = Known::long(1);
    let index = AuditIndex::default();
    known.add_to(&index, known.records.len()).unwrap();
    index.close().unwrap();
    known.compare(&index.view(), known.records.len()).unwrap();
    assert_eq!(index.durable(), Head::default());
}

#[test]
fn only_the_record_that_follows_is_added() {
    let (known, other) = (Known::long(0), Known::long(1));
    let index = AuditIndex::default();
    known.add_to(&index, 10).unwrap();
    let before = index.reached();
    for wrong in [&known.records[9], &known.records[11], &other.records[10]] {
        assert!(index.add(&wrong.0, wrong.1).is_err());
    }
    assert_eq!(index.reached(), before);
}

#[test]
fn terms_have_keys_of_their_own_and_each_index_others() {
    let digest = tagstone_schema::Digest::sha256([1; 32]);
    let terms = [
        Term::Repository("a/b"),
        Term::Namespace("a/b"),
        Term::Tag("a/b"),
        Term::Actor("a/b"),
        Term::TagOf("a", "b"),
        Term::TagOf("a/b", ""),
        Term::TagOf("", "a/b"),
        Term::Digest(&digest),
        Term::Presence("a", &digest),
        Term::Referrers("a", &digest),
        Term::Move("a", "b", &digest),
    ];
    let keys = |seed| {
        let mut keys = crate::audit::TermKeys::with_seed(seed);
        terms.map(|term| keys.key(term))
    };
    let mut all: Vec<TermKey> = [keys(1), keys(2)].concat();
    assert_eq!(keys(1), keys(1));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 2 * terms.len());
    assert!(all.iter().all(|key| TermKey::EVERY < *key && *key <= TermKey::LAST));
    let directory = || tempfile::tempdir().unwrap();
    let seeds = [directory(), directory()].map(|directory| AuditIndex::open(directory.path()).unwrap().parts().seed);
    assert_ne!(seeds[0], seeds[1]);
}
