//! Stays: a tag at a digest, from one event to another.

use tagstone_schema::{Digest, MediaType, RepositoryName, Tag, Timestamp};

use super::index::IndexError;
use super::{Archive, ArchiveError, Kind, Order, Place, Stretch, TagChange, TagEntry, Term};

/// A tag at a digest, for as long as it pointed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The tag.
    pub tag: Tag,
    /// Where it pointed.
    pub digest: Digest,
    /// The size of the manifest.
    pub size: u64,
    /// Its media type.
    pub media_type: MediaType,
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
    /// The stay that a turn of a tag begins, if it is a move.
    fn begun_by(tag: &Tag, turn: TagEntry, end: Option<End>) -> Option<Self> {
        let TagEntry { place: start, time: since, change, digest, size, media_type } = turn;
        (change == TagChange::Created).then(|| Self { tag: tag.clone(), digest, size, media_type, start, since, end })
    }
}

impl End {
    fn at(turn: &TagEntry) -> Self {
        Self { place: turn.place, time: turn.time }
    }
}

impl Archive {
    /// The stays of one tag, the newest first, of those that began at a place or before; what is behind it ends none.
    pub fn stays<'a>(
        &'a self,
        repository: &RepositoryName,
        tag: &'a Tag,
        until: Place,
    ) -> impl Iterator<Item = Result<Stay, ArchiveError>> + use<'a> {
        let mut end = None;
        let turns = self.turns(repository, tag, Stretch::up_to(until), Order::Descending);
        turns.filter_map(move |turn| {
            let turn = match turn {
                Ok(turn) => turn,
                Err(error) => return Some(Err(error)),
            };
            let before = end.replace(End::at(&turn));
            Stay::begun_by(tag, turn, before).map(Ok)
        })
    }

    /// The stay of a tag that a move began. What is behind a place does not end it.
    pub fn stay(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        start: Place,
        until: Place,
    ) -> Result<Stay, ArchiveError> {
        let stretch = Stretch { first: start, ..Stretch::up_to(until) };
        let mut turns = self.turns(repository, tag, stretch, Order::Ascending);
        let begun = turns.next().transpose()?.filter(|turn| turn.place == start);
        let end = turns.next().transpose()?.map(|turn| End::at(&turn));
        let missing =
            || IndexError::new("reading", format!("it does not have the move of {repository}:{tag} at {start}"));
        Ok(begun.and_then(|begun| Stay::begun_by(tag, begun, end)).ok_or_else(missing)?)
    }

    /// Whether a tag had pointed at a digest in an earlier stay.
    pub fn is_reversion(&self, repository: &RepositoryName, stay: &Stay) -> Result<bool, ArchiveError> {
        let moves = Term::Move(repository.as_str(), stay.tag.as_str(), &stay.digest);
        let first = self.places_of(moves, Place::first_of(0), Order::Ascending).next().transpose()?;
        if first.is_none_or(|first| first >= stay.start) {
            return Ok(false);
        }
        // Another term may share the key. Mostly nothing stands before, and no record has to be read to know that.
        let first = self.events_of(moves, Place::first_of(0), Order::Ascending).next().transpose()?;
        Ok(first.is_some_and(|first| first.place() < stay.start))
    }

    /// Whether any tag of a repository ever pointed anywhere.
    pub fn had_tags(&self, repository: &RepositoryName) -> Result<bool, ArchiveError> {
        let moves = Term::KindIn(repository.as_str(), Kind::TagMoved);
        Ok(self.events_of(moves, Place::first_of(0), Order::Ascending).next().transpose()?.is_some())
    }
}
