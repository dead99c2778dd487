//! The protection of the tags of one repository.

use std::sync::Arc;

use tagstone_schema::policy::{Pattern, Scope};
use tagstone_schema::{Digest, Id, RepositoryName, Seq, Tag, Timestamp};

use super::rules::{Rules, ScopeRules};
use crate::fold::state::{Moment, State};
use crate::fold::tag::TagState;

/// What protects the tags of one repository, as a state has it.
#[derive(Clone, Debug)]
pub struct Protection<'a> {
    scopes: Vec<&'a Arc<ScopeRules>>,
}

/// Why a tag is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A policy in force selects its name.
    Policy {
        /// Its id.
        policy: Id,
        /// Where it holds.
        scope: Scope,
        /// Its pattern.
        pattern: Pattern,
        /// When this rule of the policy came into force.
        since: Moment,
    },
    /// It was locked by hand.
    Lock {
        /// When.
        since: Moment,
    },
}

impl State {
    /// What protects the tags of a repository, which need not exist.
    pub fn protection<'a>(&'a self, repository: &'a RepositoryName) -> Protection<'a> {
        Protection::of(&self.rules, repository)
    }
}

impl<'a> Protection<'a> {
    pub(in crate::fold) fn of(rules: &'a Rules, repository: &'a RepositoryName) -> Self {
        // Before the first policy nothing is asked further.
        let scopes = if rules.is_empty() { Vec::new() } else { rules.around(repository.as_str()).collect() };
        Self { scopes }
    }

    /// Whether a tag is protected: by hand, or by a policy in force.
    #[inline]
    pub fn protects(&self, tag: &Tag, state: TagState<'_>) -> bool {
        state.locked().is_some() || self.selects(tag)
    }

    /// Whether a policy in force protects tags of this name, whether there is one or not.
    #[inline]
    pub fn selects(&self, tag: &Tag) -> bool {
        self.scopes.iter().any(|rules| rules.protects(tag.as_str()))
    }

    /// Whether the time of a tag has come. A protected tag outlives its expiry.
    pub fn has_expired(&self, tag: &Tag, state: TagState<'_>, now: Timestamp) -> bool {
        state.expires().is_some_and(|at| at <= now) && !self.protects(tag, state)
    }

    /// Everything that protects a tag: the widest scope first, the lock by hand last.
    pub fn reasons(&self, tag: &Tag, state: Option<TagState<'_>>) -> Vec<Reason> {
        let policies = self.scopes.iter().flat_map(|rules| {
            rules.protecting(tag.as_str()).map(|(policy, demand, since)| Reason::Policy {
                policy,
                scope: rules.scope.clone(),
                pattern: demand.selector.pattern().clone(),
                since,
            })
        });
        let lock = state.and_then(TagState::locked).map(|since| Reason::Lock { since });
        policies.chain(lock).collect()
    }

    /// The digest that the name would be spent as if the tag ended now: the last one that it was protected at, if it
    /// ever was.
    #[inline]
    pub fn bound(&self, tag: &Tag, state: TagState<'_>) -> Option<Digest> {
        let began = state.since().seq;
        let here = self.protects(tag, state) || self.selected_after(tag, began);
        if here { Some(state.digest().clone()) } else { state.protected_before().cloned() }
    }

    /// Whether a rule that ended later than in a record protected tags of this name.
    #[inline]
    pub fn selected_after(&self, tag: &Tag, seq: Seq) -> bool {
        self.scopes.iter().any(|rules| rules.protected_after(tag.as_str(), seq))
    }
}
