//! Policies, access tokens and spent names, compared.

use super::forms::status;
use super::joined::joined;
use super::{Change, Difference, PolicyChange, PolicyStands, SpentChange, TokenChange};
use crate::fold::{Policy, State};

impl<'a> Difference<'a> {
    pub(super) fn compare_policies(&mut self, before: &'a State, after: &'a State) {
        for (policy, was, is) in joined(before.policies(), after.policies()) {
            let Some(scope) = was.or(is).map(|policy| &policy.scope) else { continue };
            let (from, to) = (was.map(stands), is.map(stands));
            let change = match (&from, &to) {
                (None, _) => Change::Created,
                (_, None) => Change::Deleted,
                (from, to) if from != to => Change::Changed,
                _ => continue,
            };
            self.policies.push(PolicyChange { change, policy, scope, from, to });
        }
    }

    pub(super) fn compare_tokens(&mut self, before: &'a State, after: &'a State) {
        for (token, was, is) in joined(before.tokens(), after.tokens()) {
            let Some(stands) = is.or(was) else { continue };
            let change = match (was, is) {
                (None, _) => Change::Created,
                (_, None) => Change::Deleted,
                (Some(was), Some(is)) if was.revoked != is.revoked => Change::Changed,
                (Some(_), Some(_)) => continue,
            };
            let revoked = stands.revoked.map(Into::into);
            self.tokens.push(TokenChange { change, token, user: &stands.subject, label: &stands.label, revoked });
        }
    }

    pub(super) fn compare_spent(&mut self, before: &'a State, after: &'a State) {
        let of = |state: &'a State| state.spent_names().map(|(repository, tag, spent)| ((repository, tag), spent));
        for ((repository, tag), was, is) in joined(of(before), of(after)) {
            let Some(spent) = is.or(was) else { continue };
            let change = match (was, is) {
                (None, _) => Change::Created,
                (_, None) => Change::Deleted,
                (Some(was), Some(is)) if was != is => Change::Changed,
                (Some(_), Some(_)) => continue,
            };
            let removed = spent.removed.into();
            self.spent.push(SpentChange { change, repository, tag, only_digest: &spent.only, removed });
        }
    }
}

fn stands(policy: &Policy) -> PolicyStands<'_> {
    PolicyStands {
        status: status(policy.status),
        rule: &policy.rule,
        created: policy.created.into(),
        activated: policy.activated.map(Into::into),
        in_force: policy.in_force.map(Into::into),
        retired: policy.retired.map(Into::into),
    }
}
