//! Events on policies.

use tagstone_schema::Id;
use tagstone_schema::policy::{Rule, Scope};

use super::Illegality;
use crate::fold::policy::{Policy, PolicyStatus};
use crate::fold::state::{Moment, State};

impl State {
    pub(super) fn draft_policy(&mut self, at: Moment, id: Id, scope: &Scope, rule: &Rule) -> Result<(), Illegality> {
        if self.policies.contains_key(&id) {
            return Err(Illegality::PolicyExists { policy: id });
        }
        self.policies.insert(id, new_policy(at, scope, rule, PolicyStatus::Draft));
        Ok(())
    }

    pub(super) fn activate_policy(&mut self, at: Moment, id: Id, scope: &Scope, rule: &Rule) -> Result<(), Illegality> {
        let Some(policy) = self.policies.get_mut(&id) else {
            self.policies.insert(id, new_policy(at, scope, rule, PolicyStatus::Active));
            return Ok(());
        };
        check_status(id, policy, &[PolicyStatus::Draft])?;
        if policy.scope != *scope || policy.rule != *rule {
            return Err(Illegality::PolicyDiffers { policy: id });
        }
        policy.status = PolicyStatus::Active;
        policy.activated = Some(at);
        Ok(())
    }

    pub(super) fn change_policy(&mut self, id: Id, rule: &Rule) -> Result<(), Illegality> {
        let policy = self.known_policy(id)?;
        check_status(id, policy, &[PolicyStatus::Draft, PolicyStatus::Active])?;
        policy.rule = rule.clone();
        Ok(())
    }

    pub(super) fn retire_policy(&mut self, at: Moment, id: Id) -> Result<(), Illegality> {
        let policy = self.known_policy(id)?;
        check_status(id, policy, &[PolicyStatus::Active])?;
        policy.status = PolicyStatus::Retired;
        policy.retired = Some(at);
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
}

fn new_policy(at: Moment, scope: &Scope, rule: &Rule, status: PolicyStatus) -> Policy {
    let activated = (status == PolicyStatus::Active).then_some(at);
    Policy { scope: scope.clone(), rule: rule.clone(), status, created: at, activated, retired: None }
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
