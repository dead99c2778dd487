//! When bytes went that were there.

use tagstone_schema::{Digest, Event, Seq, Timestamp};

use super::{PastError, last_in, written};
use crate::audit::{Archive, Filter, Kind};

/// The bytes of a digest were removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The record that says so.
    pub seq: Seq,
    /// When.
    pub time: Timestamp,
    /// The reason that was given, where somebody asked for it; none where they were collected because nothing named them.
    pub reason: Option<String>,
}

impl Removal {
    /// The last removal of a digest's bytes behind a record.
    pub fn behind(archive: &Archive, seq: Seq, digest: &Digest) -> Result<Option<Self>, PastError> {
        let mut last: Option<Self> = None;
        for kind in [Kind::ContentPurged, Kind::ContentCollected] {
            let from_seq = Some(seq.saturating_add(1));
            let filter = Filter { digest: Some(digest.clone()), kind: Some(kind), from_seq, ..Filter::default() };
            let Some(found) = last_in(archive, filter)? else { continue };
            let record = &found.unfolded.record;
            let reason = match written(&found) {
                Some(Event::ContentPurged { reason, .. }) => Some(reason.clone()),
                _ => None,
            };
            if last.as_ref().is_none_or(|last| last.seq < record.seq) {
                last = Some(Self { seq: record.seq, time: record.time, reason });
            }
        }
        Ok(last)
    }
}
