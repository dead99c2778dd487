//! Events on policies.

use tagstone_schema::Id;
use tagstone_schema::policy::{Rule, Scope};

use super::Illegality;
use crate::fold::effect::Effect;
use crate::fold::immutability::Demand;
use crate::fold::policy::{Policy, PolicyStatus};
use crate::fold::state::{Moment, State};
use crate::pattern::Selector;

impl State {
    /// Tells where a policy holds that an event names by its id alone.
    pub(super) fn tell_scope(&self, id: Id, observe: &mut impl FnMut(Effect<'_>)) {
        if let Some(policy) = self.policies.get(&id) {
            observe(Effect::PolicyConcerned { policy: id, scope: &policy.scope });
        }
    }

    pub(super) fn draft_policy(&mut self, at: Moment, id: Id, scope: &Scope, rule: &Rule) -> Result<(), Illegality> {
        if self.policies.contains_key(&id) {
            return Err(Illegality::PolicyExists { policy: id });
        }
        self.add_policy(at, id, scope, rule)
    }

    pub(super) fn activate_policy(&mut self, at: Moment, id: Id, scope: &Scope, rule: &Rule) -> Result<(), Illegality> {
        match self.policies.get(&id) {
            Some(draft) => {
                check_status(id, draft, &[PolicyStatus::Draft])?;
                if draft.scope != *scope || draft.rule != *rule {
                    return Err(Illegality::PolicyDiffers { policy: id });
                }
            }
            None => self.add_policy(at, id, scope, rule)?,
        }
        let policy = self.known_policy(id)?;
        policy.status = PolicyStatus::Active;
        policy.activated = Some(at);
        self.bring_into_force(at, id)
    }

    pub(super) fn change_policy(&mut self, at: Moment, id: Id, rule: &Rule) -> Result<(), Illegality> {
        let selector = compiled(id, rule)?;
        let policy = self.known_policy(id)?;
        check_status(id, policy, &[PolicyStatus::Draft, PolicyStatus::Active])?;
        policy.rule = rule.clone();
        policy.selector = selector;
        let (active, scope) = (policy.status == PolicyStatus::Active, policy.scope.clone());
        self.rules.end(&scope, id, at);
        if active { self.bring_into_force(at, id) } else { Ok(()) }
    }

    pub(super) fn retire_policy(&mut self, at: Moment, id: Id) -> Result<(), Illegality> {
        let policy = self.known_policy(id)?;
        check_status(id, policy, &[PolicyStatus::Active])?;
        policy.status = PolicyStatus::Retired;
        policy.retired = Some(at);
        policy.in_force = None;
        policy.selector = None;
        let scope = policy.scope.clone();
        self.rules.end(&scope, id, at);
        Ok(())
    }

    pub(super) fn remove_draft(&mut self, id: Id) -> Result<(), Illegality> {
        let policy = self.known_policy(id)?;
        check_status(id, policy, &[PolicyStatus::Draft])?;
        self.policies.remove(&id);
        Ok(())
    }

    fn known_policy(&mut self, id: Id) -> Result<&mut Policy, Illegality> {
        self.policies.get_mut(&id).ok_or(Illegality::PolicyUnknown { policy: id })
    }

    /// Adds a policy as a draft.
    fn add_policy(&mut self, at: Moment, id: Id, scope: &Scope, rule: &Rule) -> Result<(), Illegality> {
        let policy = Policy {
            scope: scope.clone(),
            rule: rule.clone(),
            selector: compiled(id, rule)?,
            status: PolicyStatus::Draft,
            created: at,
            activated: None,
            in_force: None,
            retired: None,
        };
        self.policies.insert(id, policy);
        Ok(())
    }

    fn bring_into_force(&mut self, at: Moment, id: Id) -> Result<(), Illegality> {
        let policy = self.known_policy(id)?;
        policy.in_force = Some(at);
        if let (Rule::Immutability { include_referrer_tags, .. }, Some(selector)) = (&policy.rule, &policy.selector) {
            let demand = Demand { selector: selector.clone(), include_referrer_tags: *include_referrer_tags };
            let scope = policy.scope.clone();
            self.rules.begin(&scope, id, demand, at);
        }
        Ok(())
    }
}

fn compiled(id: Id, rule: &Rule) -> Result<Option<Selector>, Illegality> {
    let compiled = rule.pattern().map(Selector::new).transpose();
    compiled.map_err(|why| Illegality::PatternInvalid { policy: id, why })
}

fn check_status(id: Id, policy: &Policy, allowed: &[PolicyStatus]) -> Result<(), Illegality> {
    if allowed.contains(&policy.status) {
        return Ok(());
    }
    let found = match policy.status {
        PolicyStatus::Draft => "a draft",
        PolicyStatus::Active => "active",
        PolicyStatus::Retired => "retired",
    };
    Err(Illegality::PolicyStatus { policy: id, found })
}
