//! Seals that were broken.

use serde::Serialize;
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

use crate::audit::TagTurn;
use crate::fold::Moment;
use crate::question::Protected;

/// A tag that left a digest at which it had been protected.
#[derive(Debug, Serialize)]
pub struct BrokenSeal {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// The digest that it was protected at.
    pub digest: Digest,
    /// When it had begun to point there.
    pub since: At,
    /// What had protected it there, in the order in which that ended.
    pub protected_by: Vec<Protected>,
    /// How it left.
    pub broken: TagTurn,
}

/// A moment as reports show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "AtForm")]
pub struct At {
    /// The record.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
}

#[derive(Serialize)]
struct AtForm {
    seq: u64,
    time: String,
}

impl From<At> for AtForm {
    fn from(At { seq, time }: At) -> Self {
        Self { seq, time: time.to_string() }
    }
}

impl From<Moment> for At {
    fn from(Moment { seq, time }: Moment) -> Self {
        Self { seq, time }
    }
}
