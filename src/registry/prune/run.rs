//! A run of a prune policy, from its selection to its report.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tagstone_replay::fold::{Policy, PolicyStatus, State};
use tagstone_replay::pattern::Selector;
use tagstone_schema::policy::{PruneMethod, Rule, Scope};
use tagstone_schema::{Actor, Event, Id, Origin, RepositoryName, Seq, Tag};

use super::packing::Packing;
use super::report::{PrunedTag, Report, SkippedTag, WhySkipped};
use super::selection::select;
use crate::registry::clock::Clock;
use crate::registry::command::{Command, FoundTags, PruneTags, Submission};
use crate::registry::decide::Judged;
use crate::registry::published::Published;
use crate::registry::rejection::Rejection;
use crate::registry::writer::{Committed, WriteError, WriterHandle};

/// Runs prune policies.
pub struct Pruner {
    published: Published,
    clock: Arc<dyn Clock>,
    writer: WriterHandle,
    under_way: Mutex<BTreeSet<Id>>,
    stop: Stop,
}

/// Asks runs to end: what they have not deleted by then stays. Clones ask the same runs.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody has asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// An order to run a policy.
#[derive(Clone, Debug)]
pub struct Order {
    /// The policy.
    pub policy: Id,
    /// Whether anything is to be deleted.
    pub way: Way,
    /// Who wants it.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

/// Whether a run deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It does.
    Delete,
    /// It only reports what it would delete. A draft can be run like this, too.
    Dry,
}

/// Why a policy is not run, or a run did not come to its end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// The policy is not there or was retired, or the run could not delete.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The policy is a draft.
    #[error("policy {policy} is a draft and deletes nothing; activate it first, or ask for a dry run")]
    Draft {
        /// The policy.
        policy: Id,
    },
    /// Somebody else runs it.
    #[error("a run of policy {policy} is under way; ask again when it has ended")]
    UnderWay {
        /// The policy.
        policy: Id,
    },
}

/// What a policy asked for when its run began.
struct Rules {
    policy: Id,
    scope: Scope,
    method: PruneMethod,
    selector: Option<Selector>,
    in_force: Option<Seq>,
}

/// Keeps a second run of the policy away.
struct Turn<'a> {
    under_way: &'a Mutex<BTreeSet<Id>>,
    policy: Id,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        locked(self.under_way).remove(&self.policy);
    }
}

/// A set of ids is sound after any panic.
fn locked(under_way: &Mutex<BTreeSet<Id>>) -> MutexGuard<'_, BTreeSet<Id>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pruner {
    /// Over the state that readers see, and the writer.
    pub fn new(published: Published, clock: Arc<dyn Clock>, writer: WriterHandle) -> Self {
        Self { published, clock, writer, under_way: Mutex::default(), stop: Stop::default() }
    }

    /// What ends the runs of this pruner.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// The active prune policies in the order in which they are to be run: those by age before those by number, so that
    /// what is too old anyway does not count among the newest.
    pub fn due(&self) -> Vec<Id> {
        let snapshot = self.published.snapshot();
        let active = snapshot.state.policies().filter(|(_, policy)| policy.status == PolicyStatus::Active);
        let method = |policy: &Policy| match policy.rule {
            Rule::Prune { method, .. } => Some(method),
            Rule::Immutability { .. } => None,
        };
        let all: Vec<_> = active.filter_map(|(id, policy)| Some((*id, method(policy)?))).collect();
        let (ages, numbers): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, method)| matches!(method, PruneMethod::CreationDate(_)));
        ages.into_iter().chain(numbers).map(|(id, _)| id).collect()
    }

    /// Runs a policy. The report says what was done, also where the run ends by an error. It takes its time, and must
    /// not be called where others are served.
    pub fn run(&self, order: &Order, report: &mut Report) -> Result<(), RunError> {
        let rules = Rules::of(&self.published.snapshot().state, order)?;
        let _turn = match order.way {
            Way::Delete => Some(self.turn(order.policy)?),
            Way::Dry => None,
        };
        match self.prune(&rules, order, report) {
            // What is deleted already has to be told.
            Err(WriteError::Rejected(rejection)) if report.seq.is_some() => {
                report.incomplete = Some(rejection.to_string());
                Ok(())
            }
            result => Ok(result?),
        }
    }

    fn turn(&self, policy: Id) -> Result<Turn<'_>, RunError> {
        let begins = locked(&self.under_way).insert(policy);
        if begins { Ok(Turn { under_way: &self.under_way, policy }) } else { Err(RunError::UnderWay { policy }) }
    }

    /// Each repository is looked at as it is when its turn comes, so that also a long run counts by what is there now.
    fn prune(&self, rules: &Rules, order: &Order, report: &mut Report) -> Result<(), WriteError> {
        let mut packing = Packing::new(&order.actor, &order.origin);
        let mut last: Option<RepositoryName> = None;
        loop {
            if self.stop.is_asked() {
                return Err(WriteError::Stopped);
            }
            let snapshot = self.published.snapshot();
            let Some(repository) = rules.next_repository(&snapshot.state, last.as_ref()) else { break };
            let selected =
                select(&snapshot.state, &repository, rules.method, rules.selector.as_ref(), self.clock.now());
            report.considered += selected.considered;
            for tag in &selected.immutable {
                report.skip(&repository, tag, WhySkipped::Immutable);
            }
            for one in &selected.going {
                let found = one.prunable();
                match order.way {
                    Way::Dry => report.delete(&repository, &found.tag, &found.digest),
                    Way::Delete => {
                        if let Some(full) = packing.add(&repository, found) {
                            self.delete(rules, order, full, report)?;
                        }
                    }
                }
            }
            last = Some(repository);
        }
        packing.take().map_or(Ok(()), |rest| self.delete(rules, order, rest, report))
    }

    /// Deletes what fits into one record.
    fn delete(
        &self,
        rules: &Rules,
        order: &Order,
        found: Vec<FoundTags>,
        report: &mut Report,
    ) -> Result<(), WriteError> {
        if self.stop.is_asked() {
            return Err(WriteError::Stopped);
        }
        let in_force = rules.in_force.ok_or(Rejection::PolicyUnknown { policy: rules.policy, retired: None })?;
        let prune = PruneTags { policy: rules.policy, in_force, run: report.run, found: found.clone() };
        let command = Command::PruneTags(Box::new(prune));
        let Committed { seq, events, .. } =
            self.writer.submit_blocking(Submission::new(order.actor.clone(), order.origin.clone(), command))?;
        report.seq = seq.or(report.seq);
        let mut gone: HashSet<(RepositoryName, Tag)> = HashSet::new();
        for event in events {
            let Event::TagsDeleted { repository, tags, .. } = event else { continue };
            for ended in tags {
                report.delete(&repository, &ended.tag, &ended.was);
                gone.insert((repository.clone(), ended.tag));
            }
        }
        self.report_spared(found, &gone, report);
        Ok(())
    }

    /// Why the others were spared is looked up afterwards: a moment later it can at worst be another reason.
    fn report_spared(&self, found: Vec<FoundTags>, gone: &HashSet<(RepositoryName, Tag)>, report: &mut Report) {
        let snapshot = self.published.snapshot();
        for FoundTags { repository, mut tags } in found {
            tags.retain(|found| !gone.contains(&(repository.clone(), found.tag.clone())));
            let left = FoundTags { repository, tags };
            let judged = Judged::of(&snapshot.state, &left);
            for (found, why) in judged.spared {
                report.skip(&left.repository, &found.tag, why.into());
            }
            // What would be deleted now had changed at that time, and has changed back.
            for ended in judged.ended {
                report.skip(&left.repository, &ended.tag, WhySkipped::Moved);
            }
        }
    }
}

impl Rules {
    fn of(state: &State, order: &Order) -> Result<Self, RunError> {
        let id = order.policy;
        let unknown = |retired| RunError::from(WriteError::from(Rejection::PolicyUnknown { policy: id, retired }));
        let policy = state.policy(&id).ok_or_else(|| unknown(None))?;
        let Rule::Prune { method, .. } = policy.rule else { return Err(unknown(None)) };
        match (policy.status, order.way) {
            (PolicyStatus::Retired, _) => Err(unknown(policy.retired.map(|at| at.time))),
            (PolicyStatus::Draft, Way::Delete) => Err(RunError::Draft { policy: id }),
            (PolicyStatus::Draft, Way::Dry) | (PolicyStatus::Active, _) => Ok(Self {
                policy: id,
                scope: policy.scope.clone(),
                method,
                selector: policy.selector.clone(),
                in_force: policy.in_force.map(|at| at.seq),
            }),
        }
    }

    /// The repository in scope that follows another.
    fn next_repository(&self, state: &State, last: Option<&RepositoryName>) -> Option<RepositoryName> {
        let behind = last.map(RepositoryName::as_str);
        match &self.scope {
            Scope::Repository(only) => last.is_none().then(|| only.clone()),
            Scope::Namespace(namespace) => {
                let beginning = format!("{namespace}/");
                let mut names = state.repositories_after(behind.or(Some(&beginning)));
                names.next().filter(|(name, _)| name.as_str().starts_with(&beginning)).map(|(name, _)| name.clone())
            }
            Scope::Registry => state.repositories_after(behind).next().map(|(name, _)| name.clone()),
        }
    }
}

impl Report {
    fn delete(&mut self, repository: &RepositoryName, tag: &Tag, digest: &tagstone_schema::Digest) {
        let entry = || PrunedTag { repository: repository.clone(), tag: tag.clone(), digest: digest.clone() };
        self.deleted.add(entry);
    }

    fn skip(&mut self, repository: &RepositoryName, tag: &Tag, why: WhySkipped) {
        self.skipped.add(|| SkippedTag { repository: repository.clone(), tag: tag.clone(), why });
    }
}
