//! A record as it is added to the index.

use tagstone_schema::Record;

use super::{Derived, Unfolded};
use crate::fold::{IllegalEvent, Manifest, State};

/// A record with all that happened in it, and what only the state at that time knows of the manifests that its tags were moved
/// to or ended with.
#[derive(Clone, Debug)]
pub struct Folded {
    /// The record.
    pub unfolded: Unfolded,
    /// For each event that turned a tag, in order, the manifest.
    pub(super) manifests: Vec<Manifest>,
}

impl Folded {
    /// Applies a record to the state before it, and keeps what only that state could tell.
    pub fn apply(state: &mut State, record: Record) -> Result<Self, IllegalEvent> {
        let (mut derived, mut manifests) = (Derived::default(), Vec::new());
        state.apply_observed(&record, |event, effect| {
            derived.note(event, &effect);
            manifests.extend(effect.manifest().cloned());
        })?;
        Ok(Self { unfolded: Unfolded { record, derived }, manifests })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fold::properties::{choices, decoded, history};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// The places of derived events are told to users, and the index is made of states of either kind.
        #[test]
        fn a_state_that_is_alone_adds_the_same_in_the_same_order(choices in choices()) {
            let (mut shared, mut alone) = (State::default(), State::alone());
            for record in decoded(&history(&choices)) {
                let one = Folded::apply(&mut shared, record.clone()).unwrap();
                let other = Folded::apply(&mut alone, record).unwrap();
                prop_assert_eq!(one.unfolded.derived, other.unfolded.derived);
                let digests = |folded: &[Manifest]| folded.iter().map(|of| of.digest.clone()).collect::<Vec<_>>();
                prop_assert_eq!(digests(&one.manifests), digests(&other.manifests));
            }
        }
    }
}
