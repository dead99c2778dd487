//! Differences between the points of random histories.

use proptest::prelude::*;

use super::Difference;
use crate::fold::State;
use crate::fold::properties::{choices, decoded, history};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn two_states_differ_if_and_only_if_their_fingerprints_do(choices in choices(), first in 0usize..100, length in 0usize..20) {
        let records = decoded(&history(&choices));
        let first = first * records.len() / 100;
        let last = (first + length).min(records.len() - 1);
        let (mut state, mut before) = (State::default(), None);
        for (at, record) in records.iter().enumerate().take(last + 1) {
            state.apply(record).unwrap();
            if at == first {
                before = Some(state.clone());
            }
        }
        let before = before.unwrap();
        let difference = Difference::between(&before, &state);
        let is_same = before.fingerprint() == state.fingerprint();
        prop_assert_eq!(difference.count() == 0, is_same, "{:?}", difference);
        prop_assert_eq!(Difference::between(&state, &state).count(), 0);
    }

    #[test]
    fn what_came_between_two_points_went_between_them_backwards(choices in choices(), half in 0usize..100) {
        let records = decoded(&history(&choices));
        let (mut state, half) = (State::default(), half * records.len() / 100);
        let mut before = State::default();
        for (at, record) in records.iter().enumerate() {
            state.apply(record).unwrap();
            if at == half {
                before = state.clone();
            }
        }
        let (forth, back) = (Difference::between(&before, &state), Difference::between(&state, &before));
        prop_assert_eq!(forth.count(), back.count());
        for (there, here) in forth.tags.iter().zip(&back.tags) {
            prop_assert_eq!((there.tag, there.from, there.to), (here.tag, here.to, here.from));
        }
    }
}
