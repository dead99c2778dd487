//! The past: a repository as it stood behind a record.
//!
//! No state is kept but the newest. What a question needs of an older one is found in the index: which event about a tag or a
//! digest was the last one up to the record, and what policies demanded then. Those few events are folded, by the rules that
//! every other event goes through, to a [`State`] that holds what the question is about and nothing else; so the past is asked as
//! the present is, and a question costs what it is about, not what the log holds. Only to know all tags at once, the
//! history of the repository is folded ([`Question::Tags`]).

mod gathered;
mod policies;
mod presence;
mod removal;
#[cfg(test)]
pub(super) mod tests;
mod whole;

use tagstone_schema::{Digest, Event, RepositoryName, Seq, Tag};

use super::query::{Found, Order, Query};
use super::term::Term;
use super::{Archive, ArchiveError, Filter, Kind, Place, What};
use crate::fold::{Illegality, Moment, State};

use gathered::Gathered;
pub use policies::PolicyHistory;
pub use removal::Removal;

/// A registry behind one of its records.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    archive: &'a Archive,
    policies: &'a PolicyHistory,
    seq: Seq,
}

/// What somebody wants to know of a repository in the past. The answer is a [`State`] that holds this, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Whether there is one.
    Existence,
    /// One tag: where it points, and what protects it.
    Tag(Tag),
    /// One manifest or blob. Tags are not told.
    Digest(Digest),
    /// The manifests that refer to one.
    Referrers(Digest),
    /// All tags, with what protects each, and all manifests, without what they name.
    Tags,
}

/// Why the past cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PastError {
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The events that were found do not follow from each other: the index is not that of the log.
    #[error("the events found for the past at {place} do not fit: {why}")]
    Illegal {
        /// The place of the event that does not fit.
        place: Place,
        /// Why not.
        why: Illegality,
    },
}

impl<'a> Past<'a> {
    /// The registry behind a record that the archive has. `policies` is of the same log.
    pub fn new(archive: &'a Archive, policies: &'a PolicyHistory, seq: Seq) -> Self {
        Self { archive, policies, seq }
    }

    /// The last record up to here in which anything happened that answers about the repository depend on; 0 if none did. Behind
    /// all records from there to here they are the same.
    pub fn last_change(&self, repository: &RepositoryName) -> Result<Seq, PastError> {
        let last = self.last_of(Term::Repository(repository.as_str()))?.map_or(0, |place| place.seq);
        Ok(last.max(self.policies.last_change(self.archive, repository, self.seq)?))
    }

    /// What a question needs of the state.
    pub fn state(&self, repository: &RepositoryName, question: &Question) -> Result<State, PastError> {
        let policies = match question {
            Question::Tag(_) | Question::Tags => self.policies.concerning(self.archive, repository, self.seq)?,
            Question::Existence | Question::Digest(_) | Question::Referrers(_) => Vec::new(),
        };
        let mut gathered = Gathered::new(self.log_start()?, policies);
        let deleted = self.last_of(Term::KindIn(repository.as_str(), Kind::RepositoryDeleted))?;
        if !self.establish(&mut gathered, repository, deleted)? {
            return gathered.state();
        }
        match question {
            Question::Existence => {}
            Question::Tag(tag) => self.gather_tag(&mut gathered, repository, tag, deleted)?,
            Question::Digest(digest) => {
                let presence = self.presence(repository, digest, deleted)?;
                for found in [presence.manifest, presence.blob].into_iter().flatten() {
                    gathered.add_found(&found)?;
                }
            }
            Question::Referrers(subject) => self.gather_referrers(&mut gathered, repository, subject, deleted)?,
            Question::Tags => self.fold_whole(&mut gathered, repository, deleted)?,
        }
        gathered.state()
    }

    /// The event that every log begins with, so that the fold accepts others behind it.
    fn log_start(&self) -> Result<Option<(Moment, Event)>, PastError> {
        let first = self.archive.record(1)?;
        Ok(first.and_then(|first| {
            let at = Moment { seq: first.record.seq, time: first.record.time };
            first.record.events.first().map(|event| (at, event.clone()))
        }))
    }

    /// Makes the repository, empty, if it was there: something was put into it and it was not deleted since.
    fn establish(
        &self,
        gathered: &mut Gathered,
        repository: &RepositoryName,
        deleted: Option<Place>,
    ) -> Result<bool, PastError> {
        for kind in [Kind::ManifestPushed, Kind::BlobLinked] {
            let from = Place::last_of(self.seq);
            let mut all = self.archive.events_of(Term::KindIn(repository.as_str(), kind), from, Order::Descending);
            let Some(found) = all.next().transpose()? else { continue };
            if Some(found.place()) < deleted {
                continue;
            }
            if let Some(Event::ManifestPushed { digest, .. } | Event::BlobLinked { digest, .. }) = written(&found) {
                gathered.establish(found.place(), moment(&found), repository, digest)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A tag as it stood: its manifest, its last move, its expiry and its lock. The order in which they are folded is one in which
    /// they are legal: an expiry outlives moves, and a tag that is locked does not move.
    fn gather_tag(
        &self,
        gathered: &mut Gathered,
        repository: &RepositoryName,
        tag: &Tag,
        deleted: Option<Place>,
    ) -> Result<(), PastError> {
        let last = |kind| {
            let (repository, tag) = (Some(repository.clone()), Some(tag.clone()));
            self.last(Filter { repository, tag, kind: Some(kind), ..Filter::default() })
        };
        let Some(moved) = last(Kind::TagMoved)? else { return Ok(()) };
        let ended = last(Kind::TagDeleted)?.map(|found| found.place());
        let (at, stands) = (moved.place(), |place: Place| Some(place) > ended);
        let Some(Event::TagMoved { to, .. }) = written(&moved).filter(|_| stands(at)) else { return Ok(()) };
        let Some(pushed) = self.presence(repository, to, deleted)?.manifest else { return Ok(()) };
        gathered.add_found(&pushed)?;
        let begun = Event::TagMoved { repository: repository.clone(), tag: tag.clone(), from: None, to: to.clone() };
        gathered.add(at, moment(&moved), &begun)?;
        if let Some(expiry) = last(Kind::TagExpirySet)?.filter(|found| stands(found.place()))
            && let Some(event) = written(&expiry)
        {
            gathered.add(expiry.place(), moment(&expiry), event)?;
        }
        let unlocked = last(Kind::TagUnlocked)?.map(|found| found.place());
        let locked = last(Kind::TagLocked)?.filter(|found| stands(found.place()) && Some(found.place()) > unlocked);
        if let Some(locked) = locked {
            gathered.add_found(&locked)?;
        }
        Ok(())
    }

    /// The manifests that name a subject and were there.
    fn gather_referrers(
        &self,
        gathered: &mut Gathered,
        repository: &RepositoryName,
        subject: &Digest,
        deleted: Option<Place>,
    ) -> Result<(), PastError> {
        let term = Term::Referrers(repository.as_str(), subject);
        let from = deleted.map_or(Place::first_of(1), Place::next);
        for found in self.archive.events_of(term, from, Order::Ascending) {
            let found = found?;
            if found.place().seq > self.seq {
                break;
            }
            let Some(Event::ManifestPushed { digest, .. }) = written(&found) else { continue };
            // One that was deleted and pushed again comes once more.
            let standing = self.presence(repository, digest, deleted)?.manifest;
            if standing.is_some_and(|standing| standing.place() == found.place()) {
                gathered.add_found(&found)?;
            }
        }
        Ok(())
    }

    /// The last event up to here that a filter selects.
    fn last(&self, filter: Filter) -> Result<Option<Found>, PastError> {
        last_in(self.archive, Filter { to_seq: Some(self.seq), ..filter })
    }

    /// The place of the last event up to here that has a term.
    fn last_of(&self, term: Term<'_>) -> Result<Option<Place>, PastError> {
        let mut all = self.archive.events_of(term, Place::last_of(self.seq), Order::Descending);
        Ok(all.next().transpose()?.map(|found| found.place()))
    }
}

/// The last event that a filter selects.
fn last_in(archive: &Archive, filter: Filter) -> Result<Option<Found>, PastError> {
    let mut query = Query { filter, order: Order::Descending, after: None, limit: 1 };
    loop {
        let mut page = archive.events(&query)?;
        match (page.events.pop(), page.next) {
            (Some(found), _) => return Ok(Some(found)),
            (None, None) => return Ok(None),
            (None, next) => query.after = next,
        }
    }
}

/// The event as it is written; none for the end of a tag.
fn written(found: &Found) -> Option<&Event> {
    match found.event()?.what {
        What::Written { event, .. } => Some(event),
        What::TagEnded(_) => None,
    }
}

fn moment(found: &Found) -> Moment {
    let record = &found.unfolded.record;
    Moment { seq: record.seq, time: record.time }
}
