//! Gathers a report while the log is replayed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tagstone_schema::{Event, RepositoryName, Tag};

use super::summary::{ActorSums, RefusedSums};
use super::{Bounds, BrokenSeal, Report, SpentName};
use crate::audit::{AuditEvent, Found, TagTurn, TurnedTag, Unfolded, What};
use crate::fold::{Effect, EndCause, Moment, State};
use crate::question::protections::Protections;
use crate::question::reasons::note_stood;
use crate::source::{Replay, Witness};

/// A report that is being made.
#[derive(Debug, Default)]
pub struct Reporter {
    bounds: Bounds,
    protections: Protections,
    stood: VecDeque<Option<Moment>>,
    seals_broken: Vec<BrokenSeal>,
    /// How each spent name ended last.
    removed: BTreeMap<RepositoryName, BTreeMap<Tag, TagTurn>>,
    erasures: Vec<Found>,
    purges: Vec<Found>,
    policy_changes: Vec<Found>,
    tokens: Vec<Found>,
    server_starts: Vec<Found>,
    refused: RefusedSums,
    refused_others: u64,
    actors: ActorSums,
}

impl Reporter {
    /// Will report what happened inside these bounds. What was before them decides what a seal is, so the whole log is to
    /// be replayed.
    pub fn within(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// The report, once the log was replayed.
    pub fn report(mut self, replayed: &Replay) -> Report {
        let spent_names = self.spent_names(&replayed.state);
        let (refusals, beyond) = self.refused.finished();
        let (actors, actors_beyond) = self.actors.finished();
        Report {
            seals_broken: self.seals_broken,
            spent_names,
            erasures: self.erasures,
            purges: self.purges,
            policy_changes: self.policy_changes,
            refusals,
            refusals_beyond: self.refused_others.saturating_add(beyond),
            tokens: self.tokens,
            server_starts: self.server_starts,
            actors,
            actors_beyond,
        }
    }

    fn spent_names(&mut self, state: &State) -> Vec<SpentName> {
        let names = state.spent_names().filter(|(.., spent)| self.bounds.contain(spent.removed.time));
        let mut names: Vec<_> = names.collect();
        names.sort_by_key(|(.., spent)| spent.removed.seq);
        let told = names.into_iter().map(|(repository, tag, spent)| SpentName {
            repository: repository.clone(),
            tag: tag.clone(),
            only_digest: spent.only.clone(),
            removed: self.removed.get_mut(repository).and_then(|tags| tags.remove(tag)),
            returned: state.repository(repository.as_str()).is_some_and(|there| there.tag(tag.as_str()).is_some()),
        });
        told.collect()
    }

    fn learn(&mut self, record: &Unfolded, state: &State, event: &AuditEvent<'_>) {
        if let Some(turned) = event.turned() {
            self.note_turn(&turned, event, state);
            return;
        }
        self.protections.learn(event, state);
        let What::Written { event: written, .. } = event.what else { return };
        if let Event::AttemptsRefused { entries, others, until, since } = written {
            let inside = entries.iter().filter(|entry| self.bounds.meet(entry.first, entry.last));
            inside.for_each(|entry| {
                self.refused.note(entry);
                self.actors.note_refused(entry);
            });
            if self.bounds.meet(*since, *until) {
                self.refused_others = self.refused_others.saturating_add(*others);
            }
            return;
        }
        let list = match written {
            Event::TagErased { .. } => &mut self.erasures,
            Event::ContentPurged { .. } => &mut self.purges,
            Event::PolicyDrafted { .. }
            | Event::PolicyActivated { .. }
            | Event::PolicyChanged { .. }
            | Event::PolicyRetired { .. }
            | Event::DraftRemoved { .. } => &mut self.policy_changes,
            Event::TokenIssued { .. } | Event::TokenRevoked { .. } => &mut self.tokens,
            Event::ServerStarted { .. } => &mut self.server_starts,
            _ => return,
        };
        if self.bounds.contain(record.record.time) {
            list.push(Found::at(Arc::new(record.clone()), event.index));
        }
    }

    fn note_turn(&mut self, turned: &TurnedTag<'_>, event: &AuditEvent<'_>, state: &State) {
        let stood = self.stood.pop_front().flatten();
        let (repository, tag) = (turned.repository, turned.tag);
        let is_erased = matches!(event.what, What::TagEnded(end) if end.cause == EndCause::Erased);
        if let (Some(from), Some(stood), false) = (turned.from, stood, is_erased)
            && self.bounds.contain(event.record.time)
        {
            let protected_by = self.protections.ended_since(repository, tag, stood.seq, state);
            if !protected_by.is_empty()
                && let Some(broken) = TagTurn::of(event)
            {
                self.seals_broken.push(BrokenSeal {
                    repository: repository.clone(),
                    tag: tag.clone(),
                    digest: from.clone(),
                    since: stood.into(),
                    protected_by,
                    broken,
                });
            }
        }
        self.protections.forget(repository, tag);
        let spent = state.spent(repository.as_str(), tag.as_str());
        if turned.to.is_none()
            && spent.is_some_and(|spent| spent.removed.seq == event.record.seq)
            && let Some(removed) = TagTurn::of(event)
        {
            self.removed.entry(repository.clone()).or_default().insert(tag.clone(), removed);
        }
    }
}

impl Witness for Reporter {
    fn sees(&mut self, _event: usize, effect: &Effect<'_>) {
        note_stood(&mut self.stood, effect);
    }

    fn learns(&mut self, record: &Unfolded, state: &State) {
        if self.bounds.contain(record.record.time) {
            self.actors.note_record(&record.record, record.events().map(|event| event.kind()));
        }
        record.events().for_each(|event| self.learn(record, state, &event));
        self.stood.clear();
    }
}
