//! The tags of a repository as they are to be shown at a moment.
//!
//! An expired tag is gone from every answer at once, also before the event that says so is written.

use tagstone_schema::{Digest, RepositoryName, Seq, Tag, Timestamp};

use super::immutability::Protection;
use super::repository::Repository;
use super::state::State;
use super::tag::TagState;

/// A repository at a moment.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    /// The repository, expired tags and all.
    pub repository: Repository<'a>,
    /// What protects its tags.
    pub protection: Protection<'a>,
    now: Timestamp,
}

/// A spent name at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentAt {
    /// The only digest that a tag of this name can point at.
    pub only: Digest,
    /// When the tag was last removed.
    pub since: Timestamp,
    /// The record that says so; none where the tag has expired and that record is not written yet.
    pub seq: Option<Seq>,
}

impl State {
    /// A repository as it is to be shown now, if it exists.
    pub fn live<'a>(&'a self, name: &'a RepositoryName, now: Timestamp) -> Option<Live<'a>> {
        let repository = self.repository(name.as_str())?;
        Some(Live { repository, protection: self.protection(name), now })
    }

    /// What a name is spent as; also in a repository that is gone.
    pub fn spent_at(&self, name: &RepositoryName, tag: &str, now: Timestamp) -> Option<SpentAt> {
        let expired = self.repository(name.as_str()).and_then(|repository| {
            let (tag, state) = repository.tag_entry(tag)?;
            let protection = self.protection(name);
            let since = state.expires().filter(|_| protection.has_expired(tag, state, now))?;
            Some(SpentAt { only: protection.bound(tag, state)?, since, seq: None })
        });
        expired.or_else(|| {
            let spent = self.spent(name.as_str(), tag)?;
            Some(SpentAt { only: spent.only.clone(), since: spent.removed.time, seq: Some(spent.removed.seq) })
        })
    }
}

impl<'a> Live<'a> {
    /// A tag that has not expired.
    pub fn tag(&self, tag: &str) -> Option<(&'a Tag, TagState<'a>)> {
        self.repository.tag_entry(tag).filter(|(tag, state)| !self.protection.has_expired(tag, *state, self.now))
    }

    /// The tags behind `last` in byte order that have not expired; `last` need not exist.
    pub fn tags_after(&self, last: Option<&str>) -> impl Iterator<Item = (&'a Tag, TagState<'a>)> {
        let tags = self.repository.tags_after(last);
        tags.filter(|(tag, state)| !self.protection.has_expired(tag, *state, self.now))
    }

    /// Whether a tag is there although its time has come, because it is protected.
    pub fn outlives_expiry(&self, state: TagState<'_>) -> bool {
        state.expires().is_some_and(|at| at <= self.now)
    }
}
