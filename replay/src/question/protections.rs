//! What protected a tag while it pointed where it pointed, with who began it and who ended it.
//!
//! The fold knows whether a tag was protected at some moment ([`Protection::selected_after`]); it does not keep by whom.
//! That is gathered here from the events on policies and locks, and asked only where the fold says that there is
//! something to find.
//!
//! [`Protection::selected_after`]: crate::fold::Protection::selected_after

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Event, Id, RepositoryName, Seq, Tag};

use crate::audit::{AuditEvent, Deed, What};
use crate::fold::{Demand, PolicyStatus, State};

/// A time during which something protected a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Protected {
    /// What protected it.
    #[serde(flatten)]
    pub by: ProtectedBy,
    /// What brought it into force: possibly before the tag was there.
    pub since: Deed,
    /// What ended it; none where it is in force.
    pub until: Option<EndedBy>,
}

/// What protects a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtectedBy {
    /// A rule of a policy.
    Policy {
        /// The policy.
        policy: Id,
        /// Where it holds.
        scope: Scope,
        /// The tags that it selects.
        pattern: Pattern,
    },
    /// A lock by hand.
    Lock,
}

/// What ended a protection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndedBy {
    /// Who, when, from where.
    #[serde(flatten)]
    pub deed: Deed,
    /// `policy_retired`, `policy_changed` or `tag_unlocked`.
    pub event: &'static str,
}

/// The form of the reasons of `why`.
impl Serialize for ProtectedBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        enum Written<'a> {
            Policy { policy: &'a Id, scope: &'a Scope, pattern: &'a str, matches: bool },
            Lock,
        }
        match self {
            Self::Policy { policy, scope, pattern } => {
                Written::Policy { policy, scope, pattern: &pattern.regex, matches: pattern.matches }
            }
            Self::Lock => Written::Lock,
        }
        .serialize(serializer)
    }
}

/// Every rule that is or was in force, and the locks of tags that are there.
#[derive(Debug, Default)]
pub(super) struct Protections {
    in_force: BTreeMap<Id, RulePeriod>,
    /// In the order of their ends.
    ended: Vec<(RulePeriod, EndedBy)>,
    locks: BTreeMap<RepositoryName, BTreeMap<Tag, Locks>>,
}

/// A rule that is or was in force.
#[derive(Debug)]
struct RulePeriod {
    policy: Id,
    scope: Scope,
    demand: Demand,
    since: Deed,
}

/// The locks of a tag since it began to point where it points.
#[derive(Debug, Default)]
struct Locks {
    standing: Option<Deed>,
    lifted: Vec<(Deed, EndedBy)>,
}

impl Protections {
    /// Of the protections that one tag had while it pointed at one digest, at most so many are named: the last ones.
    const MOST_NAMED: usize = 16;

    /// Learns of an event, from the state behind its record.
    pub(super) fn learn(&mut self, event: &AuditEvent<'_>, state: &State) {
        let What::Written { event: written, .. } = event.what else { return };
        match written {
            Event::PolicyActivated { policy, .. } => self.begin(*policy, event, state),
            Event::PolicyChanged { policy, .. } => {
                self.end(*policy, event);
                self.begin(*policy, event, state);
            }
            Event::PolicyRetired { policy } => self.end(*policy, event),
            Event::TagLocked { repository, tag } => {
                let locks = self.locks.entry(repository.clone()).or_default().entry(tag.clone()).or_default();
                locks.standing = Some(Deed::of(event));
            }
            Event::TagUnlocked { repository, tag } => {
                let locks = self.locks.get_mut(repository).and_then(|tags| tags.get_mut(tag));
                if let Some(locks) = locks
                    && let Some(since) = locks.standing.take()
                {
                    if locks.lifted.len() == Self::MOST_NAMED {
                        locks.lifted.remove(0);
                    }
                    locks.lifted.push((since, EndedBy::of(event)));
                }
            }
            _ => {}
        }
    }

    /// A tag left the digest that it pointed at, and its locks with it.
    pub(super) fn forget(&mut self, repository: &RepositoryName, tag: &Tag) {
        let Some(tags) = self.locks.get_mut(repository) else { return };
        tags.remove(tag);
        if tags.is_empty() {
            self.locks.remove(repository);
        }
    }

    /// What protected a tag since a record and no longer does, in the order of the ends. `state` stands behind the last
    /// record that was learned.
    pub(super) fn ended_since(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        since: Seq,
        state: &State,
    ) -> Vec<Protected> {
        let mut found = Vec::new();
        if state.protection(repository).selected_after(tag, since) {
            // What ended in the very record with which the tag began to point there never protected it there.
            let ended = self.ended.iter().rev().take_while(|(_, until)| until.deed.place.seq > since);
            let selecting = ended.filter(|(rule, _)| rule.selects(repository, tag)).take(Self::MOST_NAMED);
            found.extend(selecting.map(|(rule, until)| rule.protected(Some(until.clone()))));
        }
        let locks = self.locks.get(repository).and_then(|tags| tags.get(tag));
        let lifted = locks.into_iter().flat_map(|locks| &locks.lifted);
        found.extend(lifted.map(|(since, until)| Protected {
            by: ProtectedBy::Lock,
            since: since.clone(),
            until: Some(until.clone()),
        }));
        found.sort_by_key(|protected| protected.until.as_ref().map(|until| until.deed.place));
        found
    }

    /// What protects tags of a name, or one tag by hand.
    pub(super) fn standing(&self, repository: &RepositoryName, tag: &Tag) -> Vec<Protected> {
        let rules = self.in_force.values().filter(|rule| rule.selects(repository, tag)).take(Self::MOST_NAMED);
        let mut found: Vec<_> = rules.map(|rule| rule.protected(None)).collect();
        let locks = self.locks.get(repository).and_then(|tags| tags.get(tag));
        let lock = locks.and_then(|locks| locks.standing.clone());
        found.extend(lock.map(|since| Protected { by: ProtectedBy::Lock, since, until: None }));
        found
    }

    fn begin(&mut self, policy: Id, event: &AuditEvent<'_>, state: &State) {
        // A record that brings a rule into force and ends it again leaves nothing that could have protected a tag.
        let Some(stands) = state.policy(&policy).filter(|stands| stands.status == PolicyStatus::Active) else { return };
        let (Rule::Immutability { include_referrer_tags, .. }, Some(selector)) = (&stands.rule, &stands.selector)
        else {
            return;
        };
        let demand = Demand { selector: selector.clone(), include_referrer_tags: *include_referrer_tags };
        let period = RulePeriod { policy, scope: stands.scope.clone(), demand, since: Deed::of(event) };
        self.in_force.insert(policy, period);
    }

    fn end(&mut self, policy: Id, event: &AuditEvent<'_>) {
        if let Some(period) = self.in_force.remove(&policy) {
            self.ended.push((period, EndedBy::of(event)));
        }
    }
}

impl RulePeriod {
    fn selects(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        self.scope.contains(repository) && self.demand.protects(tag.as_str())
    }

    fn protected(&self, until: Option<EndedBy>) -> Protected {
        let pattern = self.demand.selector.pattern().clone();
        let by = ProtectedBy::Policy { policy: self.policy, scope: self.scope.clone(), pattern };
        Protected { by, since: self.since.clone(), until }
    }
}

impl EndedBy {
    fn of(event: &AuditEvent<'_>) -> Self {
        Self { deed: Deed::of(event), event: event.kind().name() }
    }
}
