//! The audit: the page that an investigator hands in.
//!
//! A **seal** is the promise that a tag stays at a digest. It is given when a policy in force, or a lock by hand, protects the
//! tag while it points there. While that holds nothing can break it but an erasure, and that is listed as what it is. When
//! the policy is retired or changed, or the lock is lifted, the tag is free, which is what ending them means; the promise
//! was given nevertheless. So a seal is **broken** when
//!
//! - a tag leaves a digest, because it is moved to another one or ends for any cause but an erasure (deleted by request,
//!   pruned, expired, purged, ended with its manifest or its repository), and
//! - at some moment since it began to point there, this time, something protected it.
//!
//! A record is one moment: what ended in the record with which the tag began to point there never protected it there. A tag
//! that left a digest, came back and leaves again breaks no second seal, unless it was protected again in between.

mod reporter;
mod seals;
mod summary;
#[cfg(test)]
mod tests;

use serde::Serialize;
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

pub use reporter::Reporter;
pub use seals::{At, BrokenSeal};
pub use summary::{ActorSummary, RefusedGroup, Tried};

use crate::audit::{Found, TagTurn};

/// The part of the log that a report is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// At this instant or later.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

impl Bounds {
    /// Whether an instant is inside.
    pub fn contain(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    /// Whether some of the time from `first` to `last` is inside.
    pub fn meet(&self, first: Timestamp, last: Timestamp) -> bool {
        self.since.is_none_or(|since| last >= since) && self.until.is_none_or(|until| first < until)
    }
}

/// Whether the log kept what it promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No seal was broken.
    SealsKept,
    /// One was.
    SealsBroken,
}

/// The report. Lists are in the order in which things happened.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Promises that were not kept.
    pub seals_broken: Vec<BrokenSeal>,
    /// Names that can only come back as one digest.
    pub spent_names: Vec<SpentName>,
    /// Break-glass removals.
    #[serde(serialize_with = "super::as_forms")]
    pub erasures: Vec<Found>,
    /// Removals of bytes on demand.
    #[serde(serialize_with = "super::as_forms")]
    pub purges: Vec<Found>,
    /// Policies drafted, activated, changed, retired; drafts removed.
    #[serde(serialize_with = "super::as_forms")]
    pub policy_changes: Vec<Found>,
    /// What was tried and refused, by who tried what, and why it was refused.
    pub refusals: Vec<RefusedGroup>,
    /// Attempts that are counted only: the log itself or this report had no room for more.
    pub refusals_beyond: u64,
    /// Access tokens issued and revoked.
    #[serde(serialize_with = "super::as_forms")]
    pub tokens: Vec<Found>,
    /// Starts of a server, with its version.
    #[serde(serialize_with = "super::as_forms")]
    pub server_starts: Vec<Found>,
    /// Who did how much.
    pub actors: Vec<ActorSummary>,
    /// Records and attempts of more actors than are listed.
    pub actors_beyond: u64,
}

impl Report {
    /// What the report comes to.
    pub fn outcome(&self) -> Outcome {
        if self.seals_broken.is_empty() { Outcome::SealsKept } else { Outcome::SealsBroken }
    }
}

/// A spent name.
#[derive(Debug, Serialize)]
pub struct SpentName {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// The only digest that a tag of this name can point at.
    pub only_digest: Digest,
    /// How the tag ended, the last time.
    pub removed: Option<TagTurn>,
    /// Whether a tag of this name is there again.
    pub returned: bool,
}
