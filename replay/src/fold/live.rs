//! The tags of a repository as they are to be shown at a moment.
//!
//! An expired tag is gone from every answer at once, also before the event that says so is written.

use tagstone_schema::{RepositoryName, Tag, Timestamp};

use super::immutability::Protection;
use super::repository::Repository;
use super::state::State;
use super::tag::TagState;

/// A repository at a moment.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    /// The repository, expired tags and all.
    pub repository: &'a Repository,
    /// What protects its tags.
    pub protection: Protection<'a>,
    now: Timestamp,
}

impl State {
    /// A repository as it is to be shown now, if it exists.
    pub fn live<'a>(&'a self, name: &'a RepositoryName, now: Timestamp) -> Option<Live<'a>> {
        let repository = self.repository(name.as_str())?;
        Some(Live { repository, protection: self.protection(name), now })
    }
}

impl<'a> Live<'a> {
    /// A tag that has not expired.
    pub fn tag(&self, tag: &str) -> Option<(&'a Tag, &'a TagState)> {
        self.repository.tag_entry(tag).filter(|(tag, state)| !self.protection.has_expired(tag, state, self.now))
    }

    /// The tags behind `last` in byte order that have not expired; `last` need not exist.
    pub fn tags_after(&self, last: Option<&str>) -> impl Iterator<Item = (&'a Tag, &'a TagState)> {
        let tags = self.repository.tags_after(last);
        tags.filter(|(tag, state)| !self.protection.has_expired(tag, state, self.now))
    }

    /// Whether a tag is there although its time has come, because it is protected.
    pub fn outlives_expiry(&self, state: &TagState) -> bool {
        state.expires().is_some_and(|at| at <= self.now)
    }
}
