//! The history of one tag: where it pointed, and when it ended, newest first.

use tagstone_schema::{Digest, MediaType, RepositoryName, Seq, Tag, Timestamp};

use super::query::Order;
use super::{Archive, ArchiveError, Place, Stretch};
use crate::fold::Manifest;

/// Turns of a tag that one question looks at: only of few may the digest be the one that is wanted.
const MOST_LOOKED_AT: usize = 100_000;

/// Which part of the history of a tag is wanted.
#[derive(Clone, Debug)]
pub struct TagHistory {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// The last record that counts.
    pub up_to: Seq,
    /// Only what happened before this instant.
    pub before: Option<Timestamp>,
    /// Only what happened behind this instant.
    pub since: Option<Timestamp>,
    /// Only moves to this digest, and ends at it.
    pub digest: Option<Digest>,
    /// At most so many.
    pub limit: usize,
}

/// Entries of a history, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagEntries {
    /// The entries.
    pub entries: Vec<TagEntry>,
    /// The instant before which to go on; none where there is nothing more.
    pub before: Option<Timestamp>,
}

/// A tag was moved, or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagEntry {
    /// Where the event stands.
    pub place: Place,
    /// When. A record moves or ends a tag once, so no two entries of a tag have the same instant.
    pub time: Timestamp,
    /// What happened.
    pub change: TagChange,
    /// The manifest that it points to since then, or pointed to until then.
    pub digest: Digest,
    /// The size of the manifest.
    pub size: u64,
    /// Its media type.
    pub media_type: MediaType,
}

/// What happened to a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagChange {
    /// It began to point at a manifest.
    Created,
    /// It ended, for whatever cause.
    Deleted,
}

impl TagHistory {
    /// Reads it from the archive.
    pub fn read(&self, archive: &Archive) -> Result<TagEntries, ArchiveError> {
        self.read_among(archive, MOST_LOOKED_AT)
    }

    /// Reads it, and looks at so many turns of the tag at most.
    fn read_among(&self, archive: &Archive, most: usize) -> Result<TagEntries, ArchiveError> {
        let mut entries: Vec<TagEntry> = Vec::new();
        if self.limit == 0 {
            return Ok(TagEntries::default());
        }
        let (since, before) = (self.since, self.before);
        let stretch = Stretch { since, before, ..Stretch::up_to(Place::last_of(self.up_to)) };
        let mut last = None;
        for (looked_at, turn) in archive.turns(&self.repository, &self.tag, stretch, Order::Descending).enumerate() {
            if looked_at == most {
                return Ok(TagEntries { entries, before: last });
            }
            let turn = turn?;
            last = Some(turn.time);
            if self.digest.as_ref().is_some_and(|wanted| *wanted != turn.digest) {
                continue;
            }
            if entries.len() == self.limit {
                let before = entries.last().map(|last| last.time);
                return Ok(TagEntries { entries, before });
            }
            entries.push(turn);
        }
        Ok(TagEntries { entries, before: None })
    }
}

impl TagEntry {
    /// What happened to a tag of a manifest.
    pub(super) fn new(place: Place, time: Timestamp, change: TagChange, manifest: &Manifest) -> Self {
        let (digest, media_type) = (manifest.digest.clone(), manifest.media_type().clone());
        Self { place, time, change, digest, size: manifest.size, media_type }
    }
}

#[cfg(test)]
#[path = "tag_history_tests.rs"]
mod tests;
