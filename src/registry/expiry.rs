//! Tags whose time has come.

use std::collections::BTreeMap;

use tagstone_replay::fold::State;
use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::{Event, Timestamp};

/// Tags that one record ends: the longest names and digests of so many stay well below the size of a record.
const TAGS_PER_RECORD: usize = 256;

/// Records that are written at once.
const RECORDS_AT_ONCE: usize = 64;

/// Finds the tags that are to end.
///
/// A protected tag outlives its expiry and is not looked at again until something happens that may have lifted its
/// protection; so a million of them cost nothing.
#[derive(Debug)]
pub(super) struct ExpiryWatch {
    /// Every expiry up to here was judged by the rules of now.
    judged: Timestamp,
}

impl Default for ExpiryWatch {
    fn default() -> Self {
        Self { judged: Timestamp(i64::MIN) }
    }
}

impl ExpiryWatch {
    /// The events of some records that end expired tags; none if no tag is to end. It is to be asked until it has none.
    pub(super) fn due(&mut self, state: &State, now: Timestamp) -> Vec<Vec<Event>> {
        let mut ended: BTreeMap<_, Vec<EndedTag>> = BTreeMap::new();
        let mut count = 0;
        for (repository, tag) in state.expiring(self.judged, now) {
            let standing = state.repository(repository.as_str()).and_then(|found| found.tag(tag.as_str()));
            let Some(standing) = standing else { continue };
            if state.protection(repository).has_expired(tag, standing, now) {
                let was = standing.digest().clone();
                ended.entry(repository).or_default().push(EndedTag { tag: tag.clone(), was });
                count += 1;
            }
            if count == TAGS_PER_RECORD * RECORDS_AT_ONCE {
                break;
            }
        }
        if count == 0 {
            self.judged = self.judged.max(now);
        }
        let records = ended.into_iter().flat_map(|(repository, tags)| {
            let chunks: Vec<_> = tags.chunks(TAGS_PER_RECORD).map(<[EndedTag]>::to_vec).collect();
            chunks.into_iter().map(|tags| (repository.clone(), tags))
        });
        records
            .map(|(repository, tags)| vec![Event::TagsDeleted { repository, tags, cause: DeletionCause::Expiry }])
            .collect()
    }

    /// Whether an event may let a tag expire that did not before.
    pub(super) fn look_again(&mut self, event: &Event) {
        if lets_expire(event, self.judged) {
            self.judged = Timestamp(i64::MIN);
        }
    }
}

/// Whether an event may let tags expire whose time was over by `now`: it sets such a time, or lifts a protection that
/// they have outlived it by.
pub(super) fn lets_expire(event: &Event, now: Timestamp) -> bool {
    match event {
        Event::PolicyRetired { .. } | Event::PolicyChanged { .. } | Event::TagUnlocked { .. } => true,
        Event::TagExpirySet { at: Some(at), .. } => *at <= now,
        _ => false,
    }
}
