//! Policies and locks for the tables, made without a request.

use tagstone::registry::{Command, CreatePolicy, Expiry, Lock, SetTag};
use tagstone_schema::Id;
use tagstone_schema::policy::{Pattern, Rule, Scope};

use crate::registry::Registry;
use crate::samples::REPO;

/// A rule that protects the tags whose names match.
pub(crate) fn protecting(regex: &str) -> Rule {
    Rule::Immutability { pattern: Pattern { regex: regex.to_owned(), matches: true }, include_referrer_tags: false }
}

/// Protects the tags of the tables' repository whose names match.
pub(crate) async fn protect(registry: &Registry, regex: &str) -> Id {
    let policy = draft(registry, regex).await;
    activate(registry, policy).await;
    policy
}

/// Writes down a policy that protects nothing yet.
pub(crate) async fn draft(registry: &Registry, regex: &str) -> Id {
    // Ids only have to differ, and the next record's number was no policy's before.
    let policy = Id::from_random(u128::from(registry.standing().seq).to_be_bytes());
    let (scope, rule) = (Scope::Repository(REPO.parse().unwrap()), protecting(regex));
    registry.commit(Command::CreatePolicy(Box::new(CreatePolicy { policy, scope, rule, draft: true }))).await;
    policy
}

pub(crate) async fn activate(registry: &Registry, policy: Id) {
    registry.commit(Command::ActivatePolicy { policy }).await;
}

pub(crate) async fn retire(registry: &Registry, policy: Id) {
    registry.commit(Command::RemovePolicy { policy }).await;
}

/// Locks a tag of the tables' repository by hand.
pub(crate) async fn lock(registry: &Registry, tag: &str) {
    let (repository, tag) = (REPO.parse().unwrap(), tag.parse().unwrap());
    let change = SetTag { repository, tag, manifest: None, expiry: Expiry::Keep, lock: Lock::Lock };
    registry.commit(Command::SetTag(Box::new(change))).await;
}
