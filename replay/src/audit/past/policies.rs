//! What happened to the policies of immutability: few events, which almost every question about tags needs.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Event, Id, RepositoryName, Seq};

use super::moment;
use crate::audit::query::{Found, Order};
use crate::audit::term::Term;
use crate::audit::{Archive, ArchiveError, Kind, Place, What};
use crate::fold::Moment;

/// What happened to the policies of immutability in a log. It is read once, and then only what is new.
#[derive(Debug, Default)]
pub struct PolicyHistory(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// All up to this record.
    reached: Seq,
    /// In order.
    events: Vec<PolicyEvent>,
    /// The policies that they are about.
    policies: HashSet<Id>,
}

/// Something that happened to a policy.
#[derive(Clone, Debug)]
pub(super) struct PolicyEvent {
    pub(super) place: Place,
    pub(super) at: Moment,
    pub(super) event: Event,
    scope: Scope,
}

impl PolicyHistory {
    /// What happened up to a record to the policies that hold in a repository, in order.
    pub(super) fn concerning(
        &self,
        archive: &Archive,
        repository: &RepositoryName,
        seq: Seq,
    ) -> Result<Vec<PolicyEvent>, ArchiveError> {
        self.up_to(archive, seq, |known| {
            known.iter().filter(|event| holds_in(&event.scope, repository)).cloned().collect()
        })
    }

    /// The last record up to one in which anything happened to them; 0 if nothing ever did.
    pub(super) fn last_change(
        &self,
        archive: &Archive,
        repository: &RepositoryName,
        seq: Seq,
    ) -> Result<Seq, ArchiveError> {
        self.up_to(archive, seq, |known| {
            known.iter().rfind(|event| holds_in(&event.scope, repository)).map_or(0, |event| event.place.seq)
        })
    }

    fn up_to<T>(&self, archive: &Archive, seq: Seq, ask: impl FnOnce(&[PolicyEvent]) -> T) -> Result<T, ArchiveError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.reached < seq {
            known.read_on(archive)?;
        }
        let end = known.events.partition_point(|event| event.place.seq <= seq);
        Ok(ask(&known.events[..end]))
    }
}

impl Known {
    fn read_on(&mut self, archive: &Archive) -> Result<(), ArchiveError> {
        const KINDS: [Kind; 5] =
            [Kind::PolicyDrafted, Kind::PolicyActivated, Kind::PolicyChanged, Kind::PolicyRetired, Kind::DraftRemoved];
        let mut new = Vec::new();
        for kind in KINDS {
            let from = Place::first_of(self.reached + 1);
            for found in archive.events_of(Term::Kind(kind), from, Order::Ascending) {
                new.extend(policy_event(&found?));
            }
        }
        new.sort_by_key(|event| event.place);
        for event in new {
            if let Event::PolicyDrafted { policy, rule: Rule::Immutability { .. }, .. }
            | Event::PolicyActivated { policy, rule: Rule::Immutability { .. }, .. } = &event.event
            {
                self.policies.insert(*policy);
            }
            if named(&event.event).is_some_and(|policy| self.policies.contains(&policy)) {
                self.events.push(event);
            }
        }
        self.reached = archive.reached().seq;
        Ok(())
    }
}

fn policy_event(found: &Found) -> Option<PolicyEvent> {
    match found.event()?.what {
        What::Written { event, scope: Some(scope), .. } => {
            Some(PolicyEvent { place: found.place(), at: moment(found), event: event.clone(), scope: scope.clone() })
        }
        _ => None,
    }
}

fn holds_in(scope: &Scope, repository: &RepositoryName) -> bool {
    match scope {
        Scope::Registry => true,
        Scope::Namespace(namespace) => namespace.contains(repository),
        Scope::Repository(own) => own == repository,
    }
}

fn named(event: &Event) -> Option<Id> {
    match event {
        Event::PolicyDrafted { policy, .. }
        | Event::PolicyActivated { policy, .. }
        | Event::PolicyChanged { policy, .. }
        | Event::PolicyRetired { policy }
        | Event::DraftRemoved { policy } => Some(*policy),
        _ => None,
    }
}
