//! Stays: a tag at a digest, from one event to another.

use tagstone_schema::{Digest, Event, MediaType, RepositoryName, Tag, Timestamp};

use super::{Archive, ArchiveError, AuditEvent, Found, Kind, Order, Place, Term, What};

/// A tag at a digest, for as long as it pointed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The tag.
    pub tag: Tag,
    /// Where it pointed.
    pub digest: Digest,
    /// The move with which it began to point there.
    pub start: Place,
    /// The time of that.
    pub since: Timestamp,
    /// What ended it; none while the tag points there, as far as the archive goes.
    pub end: Option<End>,
}

/// The end of a stay: the next move of the tag, or its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Where the event stands.
    pub place: Place,
    /// The time of its record.
    pub time: Timestamp,
}

impl Stay {
    /// The stay that an event begins, if it is a move of a tag; without its end.
    pub fn begun_by(found: &Found) -> Option<Self> {
        let AuditEvent { record, what, .. } = found.event()?;
        let What::Written { event: Event::TagMoved { tag, to, .. }, .. } = what else { return None };
        Some(Self { tag: tag.clone(), digest: to.clone(), start: found.place(), since: record.time, end: None })
    }
}

impl Archive {
    /// The stays of one tag, the newest first, of those that began at a place or before; what is behind it ends none.
    pub fn stays<'a>(
        &'a self,
        repository: &'a RepositoryName,
        tag: &'a Tag,
        until: Place,
    ) -> impl Iterator<Item = Result<Stay, ArchiveError>> + 'a {
        let mut end = None;
        let turns = self.events_of(Term::Turn(repository.as_str(), tag.as_str()), until, Order::Descending);
        turns.filter_map(move |found| {
            let found = match found {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            let stay = Stay::begun_by(&found).map(|stay| Stay { end, ..stay });
            end = end_of(&found).or(end);
            stay.map(Ok)
        })
    }

    /// What ended the stay of a tag that began at a place.
    pub fn end(&self, repository: &RepositoryName, tag: &Tag, start: Place) -> Result<Option<End>, ArchiveError> {
        let turn = Term::Turn(repository.as_str(), tag.as_str());
        let next = self.events_of(turn, start.next(), Order::Ascending).next().transpose()?;
        Ok(next.as_ref().and_then(end_of))
    }

    /// Whether a tag had pointed at a digest in an earlier stay.
    pub fn is_reversion(&self, repository: &RepositoryName, stay: &Stay) -> Result<bool, ArchiveError> {
        let moves = Term::Move(repository.as_str(), stay.tag.as_str(), &stay.digest);
        let first = self.events_of(moves, Place::first_of(0), Order::Ascending).next().transpose()?;
        Ok(first.is_some_and(|first| first.place() < stay.start))
    }

    /// Bytes and media type of a manifest of a repository, as it was pushed last up to a place.
    pub fn pushed(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        until: Place,
    ) -> Result<Option<(u64, MediaType)>, ArchiveError> {
        let presence = Term::Presence(repository.as_str(), digest);
        for found in self.events_of(presence, until, Order::Descending) {
            if let Some(AuditEvent { what: What::Written { event, .. }, .. }) = found?.event()
                && let Event::ManifestPushed { size, media_type, .. } = event
            {
                return Ok(Some((*size, media_type.clone())));
            }
        }
        Ok(None)
    }

    /// Whether any tag of a repository ever pointed anywhere.
    pub fn had_tags(&self, repository: &RepositoryName) -> Result<bool, ArchiveError> {
        let moves = Term::KindIn(repository.as_str(), Kind::TagMoved);
        Ok(self.events_of(moves, Place::first_of(0), Order::Ascending).next().transpose()?.is_some())
    }
}

fn end_of(found: &Found) -> Option<End> {
    found.event().map(|event| End { place: event.place(), time: event.record.time })
}
