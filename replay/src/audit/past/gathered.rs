//! Events that were gathered for a question, folded in order with what happened to policies meanwhile.

use std::vec::IntoIter;

use tagstone_schema::{Digest, Event, References, RepositoryName};

use super::policies::PolicyEvent;
use super::{PastError, moment, written};
use crate::audit::Place;
use crate::audit::query::Found;
use crate::fold::{Moment, State};

/// A state in the making.
pub(super) struct Gathered {
    state: State,
    policies: std::iter::Peekable<IntoIter<PolicyEvent>>,
    failed: Option<PastError>,
}

impl Gathered {
    /// A state behind the start of the log, if that could be read. `policies` are in order.
    pub(super) fn new(start: Option<(Moment, Event)>, policies: Vec<PolicyEvent>) -> Self {
        let mut gathered = Self { state: State::default(), policies: policies.into_iter().peekable(), failed: None };
        if let Some((at, event)) = start {
            gathered.failed = gathered.fold(Place::first_of(at.seq), at, &event).err();
        }
        gathered
    }

    /// Makes a repository, with nothing in it and before all other events: what is linked for a moment leaves it behind. The
    /// digest, of something that was put into it, is of no matter.
    pub(super) fn establish(
        &mut self,
        place: Place,
        at: Moment,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), PastError> {
        let (repository, digest) = (repository.clone(), digest.clone());
        let link =
            Event::BlobLinked { repository: repository.clone(), digest: digest.clone(), size: 0, mounted_from: None };
        self.fold(place, at, &link)?;
        self.fold(place, at, &Event::BlobUnlinked { repository, digest })
    }

    /// Folds an event that was found. Events come in order.
    pub(super) fn add_found(&mut self, found: &Found) -> Result<(), PastError> {
        match written(found) {
            Some(event) => self.add(found.place(), moment(found), event),
            None => Ok(()),
        }
    }

    /// Folds an event, behind what happened to policies before it.
    ///
    /// What a manifest names and where a blob came from are left out: nobody asks it of the past, and what is named need
    /// not have been gathered.
    pub(super) fn add(&mut self, place: Place, at: Moment, event: &Event) -> Result<(), PastError> {
        while let Some(policy) = self.policies.next_if(|policy| policy.place < place) {
            self.fold(policy.place, policy.at, &policy.event)?;
        }
        let mut alone = event.clone();
        match &mut alone {
            Event::ManifestPushed { references, .. } => *references = References::default(),
            Event::BlobLinked { mounted_from, .. } => *mounted_from = None,
            _ => {}
        }
        self.fold(place, at, &alone)
    }

    /// The state, behind all that happened to policies.
    pub(super) fn state(mut self) -> Result<State, PastError> {
        while let Some(policy) = self.policies.next() {
            self.fold(policy.place, policy.at, &policy.event)?;
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.state),
        }
    }

    fn fold(&mut self, place: Place, at: Moment, event: &Event) -> Result<(), PastError> {
        self.state.evolve(at, event).map_err(|why| PastError::Illegal { place, why })
    }
}
