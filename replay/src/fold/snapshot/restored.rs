//! What belongs to no single digest, from what a snapshot stores. The bytes may come from anywhere: what no state can hold is refused.

use std::sync::Arc;

use tagstone_schema::policy::Rule;

use super::stored::{At, StoredDemand, StoredPolicy, StoredRegistry, StoredStatus};
use crate::fold::immutability::{Demand, Spent};
use crate::fold::manifest::Types;
use crate::fold::policy::{Policy, PolicyStatus};
use crate::fold::state::{Moment, State};
use crate::fold::token::Token;
use crate::pattern::Selector;

pub(super) fn moment((seq, time): At) -> Moment {
    Moment { seq, time }
}

/// A state that has everything but repositories and what is in them.
pub(super) fn begin(stored: StoredRegistry) -> Result<State, String> {
    if !stored.types.is_sorted_by(|one, next| one < next) {
        return Err("the types of manifests are out of order".to_owned());
    }
    let types = stored.types.into_iter().map(|(media_type, artifact_type)| Types { media_type, artifact_type });
    let mut state = State { log: stored.log, types: types.map(Arc::new).collect(), ..State::default() };
    for (id, policy) in stored.policies {
        let policy = restored_policy(policy)?;
        if let (Some(at), Rule::Immutability { include_referrer_tags, .. }, Some(selector)) =
            (policy.in_force, &policy.rule, &policy.selector)
        {
            let demand = Demand { selector: selector.clone(), include_referrer_tags: *include_referrer_tags };
            state.rules.begin(&policy.scope, id, demand, at);
        }
        state.policies.insert(id, policy);
    }
    let ended = stored.ended.into_iter().map(|StoredDemand { scope, pattern, include_referrer_tags, until }| {
        let selector = Selector::new(&pattern).map_err(|error| error.to_string())?;
        Ok((scope, Demand { selector, include_referrer_tags }, moment(until)))
    });
    state.rules.recall(ended.collect::<Result<_, String>>()?);
    for (name, tags) in stored.spent {
        let spent = |(tag, only, removed)| (tag, Spent { only, removed: moment(removed) });
        state.spent.insert(name, tags.into_iter().map(spent).collect());
    }
    for (id, token) in stored.tokens {
        let token = Token {
            subject: token.subject,
            scopes: token.scopes,
            secret_hash: token.secret_hash,
            expires: token.expires,
            label: token.label,
            issued: moment(token.issued),
            revoked: token.revoked.map(moment),
        };
        state.tokens.insert(id, token);
    }
    Ok(state)
}

fn restored_policy(stored: StoredPolicy) -> Result<Policy, String> {
    let status = match stored.status {
        StoredStatus::Draft => PolicyStatus::Draft,
        StoredStatus::Active => PolicyStatus::Active,
        StoredStatus::Retired => PolicyStatus::Retired,
    };
    let pattern = stored.rule.pattern().filter(|_| status != PolicyStatus::Retired);
    let selector = pattern.map(Selector::new).transpose().map_err(|error| error.to_string())?;
    Ok(Policy {
        scope: stored.scope,
        rule: stored.rule,
        selector,
        status,
        created: moment(stored.created),
        activated: stored.activated.map(moment),
        in_force: stored.in_force.map(moment),
        retired: stored.retired.map(moment),
    })
}
