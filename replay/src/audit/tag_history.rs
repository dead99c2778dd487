//! The history of one tag: where it pointed, and when it ended, newest first.

use std::collections::HashMap;
use std::sync::Arc;

use tagstone_schema::{Digest, Event, MediaType, RepositoryName, Seq, Tag, Timestamp};

use super::query::{Found, Order, Query};
use super::standing::Standing;
use super::term::Term;
use super::{Archive, ArchiveError, Filter, Place, TagEnd, What};
use crate::fold::{Manifest, Repository};

/// Events that one question looks at: a tag may have been locked and refused for years without moving.
const MOST_LOOKED_AT: usize = 20_000;

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
    /// The record.
    pub seq: Seq,
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
    /// Reads it from the archive. What the repository has now, or at any point behind the last record that counts, spares most
    /// records and changes no answer.
    pub fn read(&self, archive: &Archive, repository: Option<&Repository>) -> Result<TagEntries, ArchiveError> {
        let mut entries: Vec<TagEntry> = Vec::new();
        if self.limit == 0 {
            return Ok(TagEntries::default());
        }
        let mut pushes = Pushes { archive, repository: &self.repository, known: HashMap::new() };
        let mut query = Query { filter: self.filter(), order: Order::Descending, after: None, limit: 256 };
        let (mut standing, mut looked_at) = (Standing::of(repository), 0);
        loop {
            let known = |place| {
                let manifest = standing.moved_to(archive, (&self.repository, &self.tag), place)?;
                let wanted = |digest| self.digest.as_ref().is_none_or(|wanted| wanted == digest);
                Ok(manifest
                    .filter(|manifest| wanted(&manifest.digest))
                    .map(|manifest| Passed::Standing(manifest.clone())))
            };
            let page = archive.events_or(&query, known, Passed::Read)?;
            for passed in &page.events {
                if matches!(passed, Passed::Read(found) if self.change(found).is_none()) {
                    continue;
                }
                if entries.len() == self.limit {
                    let before = entries.last().map(|last| last.time);
                    return Ok(TagEntries { entries, before });
                }
                entries.extend(self.entry(passed, &mut pushes)?);
            }
            looked_at += page.events.len();
            let Some(next) = page.next else { return Ok(TagEntries { entries, before: None }) };
            if looked_at >= MOST_LOOKED_AT || page.events.is_empty() {
                // The record in which it goes on may have an entry still, if the last one is not of it.
                let there = archive.record(next.seq)?.map(|unfolded| unfolded.record.time.next());
                let before = there.into_iter().chain(entries.last().map(|last| last.time)).min();
                return Ok(TagEntries { entries, before });
            }
            query.after = Some(next);
        }
    }

    /// What an event is in the history, if it belongs there.
    fn entry(&self, passed: &Passed, pushes: &mut Pushes<'_>) -> Result<Option<TagEntry>, ArchiveError> {
        let found = match passed {
            Passed::Standing(manifest) => return Ok(Some(TagEntry::created_with(manifest))),
            Passed::Read(found) => found,
        };
        let Some((change, digest)) = self.change(found) else { return Ok(None) };
        let (size, media_type) = match pushes.beside(found, digest) {
            Some(pushed) => pushed,
            None => pushes.before(found.place(), digest)?,
        };
        let record = &found.unfolded.record;
        let (seq, time, digest) = (record.seq, record.time, digest.clone());
        Ok(Some(TagEntry { seq, time, change, digest, size, media_type }))
    }

    fn filter(&self) -> Filter {
        Filter {
            repository: Some(self.repository.clone()),
            tag: Some(self.tag.clone()),
            digest: self.digest.clone(),
            since: self.since.map(Timestamp::next),
            until: self.before,
            to_seq: Some(self.up_to),
            ..Filter::default()
        }
    }

    /// What an event did to the tag, and the manifest that it is about, if that is wanted.
    fn change<'a>(&self, found: &'a Found) -> Option<(TagChange, &'a Digest)> {
        let (change, digest) = match found.event()?.what {
            What::Written { event: Event::TagMoved { to, .. }, .. } => (TagChange::Created, to),
            What::TagEnded(TagEnd { was, .. }) => (TagChange::Deleted, was),
            What::Written { .. } => return None,
        };
        self.digest.as_ref().is_none_or(|wanted| wanted == digest).then_some((change, digest))
    }
}

/// An event that may belong to the history.
enum Passed {
    /// A move to a manifest that the same record pushed.
    Standing(Arc<Manifest>),
    /// An event that was read.
    Read(Found),
}

impl TagEntry {
    /// The tag was moved to a manifest in the record that pushed it.
    fn created_with(manifest: &Manifest) -> Self {
        Self {
            seq: manifest.pushed.seq,
            time: manifest.pushed.time,
            change: TagChange::Created,
            digest: manifest.digest.clone(),
            size: manifest.size,
            media_type: manifest.media_type.clone(),
        }
    }
}

/// Sizes and media types of manifests, from their pushes. Tags go back and forth between few manifests.
struct Pushes<'a> {
    archive: &'a Archive,
    repository: &'a RepositoryName,
    known: HashMap<Digest, (Place, u64, MediaType)>,
}

impl Pushes<'_> {
    /// The push of a manifest in the record that also moves the tag, as most clients tag. To find that one no index is asked.
    fn beside(&self, found: &Found, digest: &Digest) -> Option<(u64, MediaType)> {
        let earlier = found.unfolded.record.events.iter().take(found.place().index as usize);
        earlier.rev().find_map(|event| match event {
            Event::ManifestPushed { repository, digest: pushed, size, media_type, .. }
                if pushed == digest && repository == self.repository =>
            {
                Some((*size, media_type.clone()))
            }
            _ => None,
        })
    }

    /// The last push of a manifest before a place. Places come newest first.
    fn before(&mut self, place: Place, digest: &Digest) -> Result<(u64, MediaType), ArchiveError> {
        if let Some((pushed, size, media_type)) = self.known.get(digest)
            && *pushed <= place
        {
            return Ok((*size, media_type.clone()));
        }
        let term = Term::Presence(self.repository.as_str(), digest);
        for found in self.archive.events_of(term, place, Order::Descending) {
            let found = found?;
            let Some(What::Written { event, .. }) = found.event().map(|event| event.what) else { continue };
            if let Event::ManifestPushed { digest: pushed, size, media_type, .. } = event
                && pushed == digest
            {
                self.known.insert(digest.clone(), (found.place(), *size, media_type.clone()));
                return Ok((*size, media_type.clone()));
            }
        }
        let why = format!("no push of the manifest {digest} stands before it");
        Err(ArchiveError::Record { seq: place.seq, why })
    }
}

#[cfg(test)]
#[path = "tag_history_tests.rs"]
mod tests;
