//! What a collection may remove, by what a state says.

use std::collections::HashSet;

use tagstone_replay::fold::State;
use tagstone_schema::event::{ContentKind, RemovedContent};
use tagstone_schema::{Digest, RepositoryName, Timestamp};

use super::keepers::{Need, WhyKept, need};

/// Since when things have to be unreferenced, to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// When the grace period began.
    pub(super) grace_began: Timestamp,
    /// When the process began to note what it tells clients. What they were told before is not known.
    pub(super) told_since: Timestamp,
}

impl Limits {
    /// Whether clients may have been told of anything in the grace period, without a note of it.
    pub(super) fn may_be_promised(self) -> bool {
        self.told_since > self.grace_began
    }
}

/// What may go.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) going: Vec<RemovedContent>,
    /// What nothing refers to, but not for long enough.
    pub(super) kept_in_grace: u64,
}

impl Candidates {
    /// Goes through a state. `find` says how many bytes content has on the disk, if it is there.
    pub(super) fn of(state: &State, limits: Limits, find: impl Fn(&Digest) -> Option<u64>) -> Self {
        let mut found = Self::default();
        let mut seen = HashSet::new();
        for (_, repository) in state.repositories() {
            for (digest, _) in repository.unreferenced_blobs() {
                if seen.insert(digest) {
                    found.linked(state, digest, limits);
                }
            }
        }
        for (digest, loose) in state.all_loose() {
            // What is not there, as after a restore of the log alone, cannot go.
            let Some(size) = find(digest) else { continue };
            if loose.since > limits.grace_began {
                found.kept_in_grace += 1;
            } else {
                found.going.push(RemovedContent { digest: digest.clone(), size, content: loose.kind });
            }
        }
        found
    }

    fn linked(&mut self, state: &State, digest: &Digest, limits: Limits) {
        match need(state, digest, None, limits.grace_began) {
            Need::Nobody { size, .. } if !limits.may_be_promised() => {
                let (digest, size) = (digest.clone(), size.unwrap_or_default());
                self.going.push(RemovedContent { digest, size, content: ContentKind::Blob });
            }
            Need::Nobody { .. } | Need::Kept { why: WhyKept::RecentlyLinked, .. } => self.kept_in_grace += 1,
            Need::Kept { .. } => {}
        }
    }
}

/// The manifests that nothing has held since `idle_before`, and how many more nothing holds.
pub(super) fn idle_manifests(
    state: &State,
    idle_before: Timestamp,
    limits: Limits,
) -> (Vec<(RepositoryName, Digest)>, u64) {
    let (mut idle, mut kept) = (Vec::new(), 0);
    for (name, repository) in state.repositories() {
        for (digest, since) in repository.idle_manifests() {
            if since > idle_before || limits.may_be_promised() {
                kept += 1;
            } else {
                idle.push((name.clone(), digest.clone()));
            }
        }
    }
    (idle, kept)
}
