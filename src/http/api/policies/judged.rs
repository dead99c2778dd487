//! What there is to say of policies beside others, as answers show it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tagstone_replay::fold::PolicyStatus;
use tagstone_schema::Id;

use super::super::error::ApiRefusal;
use crate::http::exchange::Exchange;
use crate::registry::{Judgement, Snapshot, judge_policy};

/// What is wrong with a policy beside those that are in force.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Why it could not be activated now.
    pub(super) conflicts: Vec<String>,
    /// What somebody should know of it all the same.
    pub(super) warnings: Vec<String>,
}

impl Judged {
    /// The warnings in one text; none if there are none.
    pub(super) fn warning(&self) -> Option<String> {
        (!self.warnings.is_empty()).then(|| self.warnings.join("; "))
    }
}

impl From<Judgement> for Judged {
    fn from(judgement: Judgement) -> Self {
        match judgement {
            Judgement::Sound => Self::default(),
            Judgement::Warned(warnings) => {
                Self { warnings: warnings.iter().map(ToString::to_string).collect(), ..Self::default() }
            }
            Judgement::Conflict(conflict) => Self { conflicts: vec![conflict.to_string()], ..Self::default() },
        }
    }
}

/// Judges policies of a state, each beside the others.
pub(super) async fn judged(
    exchange: &Exchange<'_>,
    snapshot: &Arc<Snapshot>,
    policies: Vec<Id>,
) -> Result<BTreeMap<Id, Judged>, ApiRefusal> {
    if policies.is_empty() {
        return Ok(BTreeMap::new());
    }
    let snapshot = snapshot.clone();
    let judge = move || {
        let found = policies.into_iter().filter_map(|id| Some((id, snapshot.state.policy(&id)?)));
        let judged = found.map(|(id, policy)| {
            let (scope, rule, selector) = (&policy.scope, &policy.rule, policy.selector.as_ref());
            (id, Judged::from(judge_policy(&snapshot.state, Some(id), scope, rule, selector)))
        });
        judged.collect()
    };
    exchange.site.questions.ask(judge).await
}

/// The conflicts of those policies that are drafts.
pub(super) async fn conflicts_of_drafts(
    exchange: &Exchange<'_>,
    snapshot: &Arc<Snapshot>,
    policies: &[Id],
) -> Result<BTreeMap<Id, Judged>, ApiRefusal> {
    let is_draft = |id: &&Id| snapshot.state.policy(id).is_some_and(|policy| policy.status == PolicyStatus::Draft);
    let drafts = policies.iter().filter(is_draft).copied().collect();
    judged(exchange, snapshot, drafts).await
}
