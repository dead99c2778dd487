//! Policies: written down, activated, changed, retired.

use tagstone_replay::fold::{Policy, PolicyStatus, State};
use tagstone_replay::pattern::Selector;
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Event, Id, limits};

use super::super::command::CreatePolicy;
use super::super::conflict::{self, Candidate, InForce, Judgement};
use super::super::rejection::Rejection;

/// Drafts may contradict what is in force, for there is nothing that they do.
pub(super) fn create(state: &State, create: &CreatePolicy) -> Result<Vec<Event>, Rejection> {
    let CreatePolicy { policy, scope, rule, draft } = create;
    let selector = rule.pattern().map(Selector::new).transpose()?;
    refuse_same(state, None, scope, rule)?;
    let standing = state.policies().filter(|(_, policy)| policy.status != PolicyStatus::Retired).count();
    if standing >= limits::POLICIES {
        return Err(Rejection::TooManyPolicies { limit: limits::POLICIES });
    }
    let (policy, scope, rule) = (*policy, scope.clone(), rule.clone());
    if *draft {
        return Ok(vec![Event::PolicyDrafted { policy, scope, rule }]);
    }
    refuse_conflict(state, policy, &scope, &rule, selector.as_ref())?;
    Ok(vec![Event::PolicyActivated { policy, scope, rule }])
}

pub(super) fn activate(state: &State, id: Id) -> Result<Vec<Event>, Rejection> {
    let policy = state.policy(&id).ok_or(Rejection::PolicyUnknown { policy: id, retired: None })?;
    let found = match policy.status {
        PolicyStatus::Draft => None,
        PolicyStatus::Active => Some("active already"),
        PolicyStatus::Retired => Some("retired"),
    };
    if let Some(found) = found {
        return Err(Rejection::PolicyNotDraft { policy: id, found });
    }
    refuse_conflict(state, id, &policy.scope, &policy.rule, policy.selector.as_ref())?;
    Ok(vec![Event::PolicyActivated { policy: id, scope: policy.scope.clone(), rule: policy.rule.clone() }])
}

pub(super) fn change(state: &State, id: Id, rule: &Rule) -> Result<Vec<Event>, Rejection> {
    let policy = standing(state, id)?;
    let selector = rule.pattern().map(Selector::new).transpose()?;
    if policy.rule == *rule {
        return Ok(Vec::new());
    }
    refuse_same(state, Some(id), &policy.scope, rule)?;
    if policy.status == PolicyStatus::Active {
        refuse_conflict(state, id, &policy.scope, rule, selector.as_ref())?;
    }
    Ok(vec![Event::PolicyChanged { policy: id, rule: rule.clone() }])
}

pub(super) fn remove(state: &State, id: Id) -> Result<Vec<Event>, Rejection> {
    Ok(vec![match standing(state, id)?.status {
        PolicyStatus::Draft => Event::DraftRemoved { policy: id },
        PolicyStatus::Active | PolicyStatus::Retired => Event::PolicyRetired { policy: id },
    }])
}

/// A policy that is not over.
fn standing(state: &State, id: Id) -> Result<&Policy, Rejection> {
    let policy = state.policy(&id).ok_or(Rejection::PolicyUnknown { policy: id, retired: None })?;
    match policy.retired {
        None => Ok(policy),
        Some(at) => Err(Rejection::PolicyUnknown { policy: id, retired: Some(at.time) }),
    }
}

/// Refuses a second policy that demands the same in the same scope; drafts count.
fn refuse_same(state: &State, itself: Option<Id>, scope: &Scope, rule: &Rule) -> Result<(), Rejection> {
    let same = state.policies().find(|(id, other)| {
        other.status != PolicyStatus::Retired
            && Some(**id) != itself
            && other.scope == *scope
            && demands_the_same(&other.rule, rule)
    });
    same.map_or(Ok(()), |(id, _)| Err(Rejection::PolicyExists { policy: *id }))
}

/// Two immutability policies with one pattern are one policy, whatever they say of names for referrers: that is to be
/// changed in the policy that is there.
fn demands_the_same(one: &Rule, other: &Rule) -> bool {
    match (one, other) {
        (Rule::Immutability { pattern: one, .. }, Rule::Immutability { pattern: other, .. }) => one == other,
        _ => one == other,
    }
}

fn refuse_conflict(
    state: &State,
    id: Id,
    scope: &Scope,
    rule: &Rule,
    selector: Option<&Selector>,
) -> Result<(), Rejection> {
    match judge_policy(state, Some(id), scope, rule, selector) {
        Judgement::Conflict(conflict) => Err(Rejection::PolicyConflict(Box::new(conflict))),
        Judgement::Sound | Judgement::Warned(_) => Ok(()),
    }
}

/// Judges a rule against the policies in force, itself apart. It can take some tens of milliseconds for each pattern that
/// is hard to compare.
pub fn judge_policy(
    state: &State,
    itself: Option<Id>,
    scope: &Scope,
    rule: &Rule,
    selector: Option<&Selector>,
) -> Judgement {
    let others: Vec<_> = state
        .policies()
        .filter(|(id, policy)| policy.status == PolicyStatus::Active && Some(**id) != itself)
        .map(|(id, policy)| InForce {
            id: *id,
            scope: &policy.scope,
            rule: &policy.rule,
            selector: policy.selector.as_ref(),
        })
        .collect();
    conflict::judge(&Candidate { scope, rule, selector }, &others)
}
