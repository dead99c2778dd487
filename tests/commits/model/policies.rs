//! Policies.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use tagstone::registry::CreatePolicy;
use tagstone_schema::Id;
use tagstone_schema::policy::{Rule, Scope};

use super::{Changed, Moment, Why, World};

/// A policy, whatever has become of it.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    pub(super) scope: Scope,
    pub(super) rule: Rule,
    pub(super) created: Moment,
    pub(super) activated: Option<Moment>,
    /// Since when it has demanded what it demands, while it is active.
    pub(super) in_force: Option<Moment>,
    pub(super) retired: Option<Moment>,
}

impl Paper {
    pub(super) fn status(&self) -> &'static str {
        match (self.activated, self.retired) {
            (None, _) => "draft",
            (Some(_), None) => "active",
            (Some(_), Some(_)) => "retired",
        }
    }

    /// Whether tags of this name are immutable by it.
    pub(super) fn protects(&self, repository: &str, tag: &str) -> bool {
        let in_scope = match &self.scope {
            Scope::Registry => true,
            Scope::Namespace(namespace) => repository.starts_with(&format!("{namespace}/")),
            Scope::Repository(only) => only.as_str() == repository,
        };
        let Rule::Immutability { pattern, include_referrer_tags } = &self.rule else { return false };
        self.status() == "active"
            && in_scope
            && is_full_match(&pattern.regex, tag) == pattern.matches
            && (*include_referrer_tags || !is_full_match(r"sha256-[0-9a-f]{64}(\.sig|\.att|\.sbom)?", tag))
    }

    /// Whether a second one would demand the same.
    fn demands(&self, rule: &Rule) -> bool {
        match (&self.rule, rule) {
            (Rule::Immutability { pattern: one, .. }, Rule::Immutability { pattern: other, .. }) => one == other,
            (one, other) => one == other,
        }
    }
}

impl World {
    /// No patterns of these tests contradict each other, so nothing is refused for that.
    pub(super) fn create_policy(&mut self, create: &CreatePolicy, now: Moment) -> Result<Changed, Why> {
        self.check_same(None, &create.scope, &create.rule)?;
        let active = (!create.draft).then_some(now);
        let (scope, rule) = (create.scope.clone(), create.rule.clone());
        let paper = Paper { scope, rule, created: now, activated: active, in_force: active, retired: None };
        self.policies.insert(create.policy, paper);
        Ok(Changed::Something)
    }

    pub(super) fn activate_policy(&mut self, id: Id, now: Moment) -> Result<Changed, Why> {
        let policy = self.policies.get_mut(&id).ok_or(Why::PolicyUnknown)?;
        if policy.status() != "draft" {
            return Err(Why::PolicyNotDraft);
        }
        policy.activated = Some(now);
        policy.in_force = Some(now);
        Ok(Changed::Something)
    }

    pub(super) fn change_policy(&mut self, id: Id, rule: &Rule, now: Moment) -> Result<Changed, Why> {
        let mut policy = self.standing(id)?.clone();
        if policy.rule == *rule {
            return Ok(Changed::Nothing);
        }
        self.check_same(Some(id), &policy.scope, rule)?;
        if policy.status() == "active" {
            self.note_end(&policy, now);
            policy.in_force = Some(now);
        }
        policy.rule = rule.clone();
        self.policies.insert(id, policy);
        Ok(Changed::Something)
    }

    pub(super) fn remove_policy(&mut self, id: Id, now: Moment) -> Result<Changed, Why> {
        let mut policy = self.standing(id)?.clone();
        if policy.status() == "draft" {
            self.policies.remove(&id);
            return Ok(Changed::Something);
        }
        self.note_end(&policy, now);
        policy.in_force = None;
        policy.retired = Some(now);
        self.policies.insert(id, policy);
        Ok(Changed::Something)
    }

    fn standing(&self, id: Id) -> Result<&Paper, Why> {
        self.policies.get(&id).filter(|policy| policy.retired.is_none()).ok_or(Why::PolicyUnknown)
    }

    fn check_same(&self, itself: Option<Id>, scope: &Scope, rule: &Rule) -> Result<(), Why> {
        for (id, policy) in &self.policies {
            if Some(*id) != itself && policy.retired.is_none() && policy.scope == *scope && policy.demands(rule) {
                return Err(Why::PolicyExists(*id));
            }
        }
        Ok(())
    }

    /// What an active policy has demanded is over.
    fn note_end(&mut self, policy: &Paper, now: Moment) {
        if let Rule::Immutability { pattern, include_referrer_tags } = &policy.rule {
            let demand = (policy.scope.clone(), pattern.regex.clone(), pattern.matches, *include_referrer_tags);
            self.ended.insert(demand, now);
        }
    }
}

thread_local! {
    /// Few patterns are asked for very often.
    static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
}

pub(crate) fn is_full_match(regex: &str, tag: &str) -> bool {
    let compile = || Regex::new(&format!(r"\A(?:{regex})\z")).unwrap();
    COMPILED.with_borrow_mut(|compiled| compiled.entry(regex.to_owned()).or_insert_with(compile).is_match(tag))
}
