//! What an entry of the logs says and its event does not.

use std::sync::Arc;

use tagstone_replay::audit::{Archive, Filter, Kind, Order, Place, Query, What};
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Digest, Event, Id, RepositoryName, Tag};

use crate::http::api::archive::Unanswered;
use crate::registry::Snapshot;

/// Drafts of one scope among which the rule of a removed one is looked for.
const DRAFTS: usize = 100;

/// What was, and what is.
pub(super) struct Past {
    pub(super) archive: Archive,
    pub(super) snapshot: Arc<Snapshot>,
}

impl Past {
    /// Whether a tag pointed at a digest at some time before an event.
    pub(super) fn pointed_there(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
        before: Place,
    ) -> Result<bool, Unanswered> {
        let filter = Filter {
            repository: Some(repository.clone()),
            tag: Some(tag.clone()),
            digest: Some(digest.clone()),
            kind: Some(Kind::TagMoved),
            ..Filter::default()
        };
        let query = Query { filter, order: Order::Descending, after: Some(before), limit: 1 };
        Ok(!self.archive.events(&query)?.events.is_empty())
    }

    /// Whether a policy was a draft before it was activated.
    pub(super) fn was_draft(&self, policy: &Id) -> bool {
        let policy = self.snapshot.state.policy(policy);
        policy.is_some_and(|policy| policy.activated.is_some_and(|at| at.seq != policy.created.seq))
    }

    /// What a policy demands, or demanded last. That of a removed draft, which the state has forgotten, stands where it was drafted.
    pub(super) fn rule(&self, policy: &Id, scope: Option<&Scope>, before: Place) -> Result<Option<Rule>, Unanswered> {
        if let Some(policy) = self.snapshot.state.policy(policy) {
            return Ok(Some(policy.rule.clone()));
        }
        let mut filter = Filter { kind: Some(Kind::PolicyDrafted), ..Filter::default() };
        match scope {
            Some(Scope::Repository(repository)) => filter.repository = Some(repository.clone()),
            Some(Scope::Namespace(namespace)) => filter.namespace = Some(namespace.clone()),
            Some(Scope::Registry) | None => return Ok(None),
        }
        let query = Query { filter, order: Order::Descending, after: Some(before), limit: DRAFTS };
        let page = self.archive.events(&query)?;
        let drafts = page.events.iter().filter_map(|found| match found.event()?.what {
            What::Written { event: Event::PolicyDrafted { policy, rule, .. }, .. } => Some((policy, rule)),
            _ => None,
        });
        Ok(drafts.filter(|(id, _)| *id == policy).map(|(_, rule)| rule.clone()).next())
    }
}
