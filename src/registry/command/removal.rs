//! Removing content with its bytes.

use std::collections::BTreeSet;

use tagstone_schema::event::RemovedContent;
use tagstone_schema::{Digest, Event, RepositoryName, Timestamp};

use super::tags::Because;
use crate::registry::removal::{PurgeOrder, WhyKept};

/// A purge that was worked out beforehand, for the digests whose bytes nobody is writing.
#[derive(Clone, Debug)]
pub struct Purge {
    /// What was ordered.
    pub order: PurgeOrder,
    /// Whose bytes may go.
    pub removable: BTreeSet<Digest>,
    /// What stays, and what the repository may lose.
    pub unlinkable: BTreeSet<Digest>,
    /// What has to come of it; otherwise it is worked out again.
    pub expected: PurgeOutcome,
}

/// What comes of a purge, and is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurgeOutcome {
    /// The events of the first record.
    pub events: Vec<Event>,
    /// What stays, and why: if what kept it is gone by the time of the decision, it has to go too.
    pub kept: Vec<(Digest, WhyKept)>,
}

/// Bytes to be given up: those that nothing refers to when the command is decided.
#[derive(Clone, Debug)]
pub struct DropContents {
    /// Why.
    pub cause: DropCause,
    /// What.
    pub contents: Vec<RemovedContent>,
    /// What became unreferenced after this stays.
    pub grace_began: Timestamp,
}

/// Why bytes are given up.
#[derive(Clone, Debug)]
pub enum DropCause {
    /// They belong to a purge of this repository, and did not fit into its first record.
    Purged {
        /// Where.
        repository: RepositoryName,
        /// Why.
        because: Because,
    },
    /// Nothing refers to them.
    Collected,
}

/// Manifests to be removed: those that nothing holds when the command is decided.
#[derive(Clone, Debug)]
pub struct DropManifests {
    /// Which, and where.
    pub manifests: Vec<(RepositoryName, Digest)>,
    /// What was let go after this stays.
    pub idle_before: Timestamp,
}
