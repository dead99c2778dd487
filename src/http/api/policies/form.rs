//! Policies as answers show them.

use serde::Serialize;
use tagstone_replay::fold::{Policy, PolicyStatus};
use tagstone_schema::Id;
use tagstone_schema::policy::Rule;
use utoipa::ToSchema;

use super::immutability::ImmutabilityPolicy;
use super::judged::Judged;
use super::prune::PrunePolicy;

/// A policy of either kind.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum PolicyForm {
    Immutability(ImmutabilityPolicy),
    Prune(PrunePolicy),
}

impl PolicyForm {
    pub(super) fn new(id: Id, policy: &Policy, judged: Judged) -> Self {
        let life = Life::new(id, policy, judged);
        match &policy.rule {
            Rule::Immutability { pattern, include_referrer_tags } => {
                Self::Immutability(ImmutabilityPolicy::new(life, pattern, *include_referrer_tags))
            }
            Rule::Prune { method, pattern } => Self::Prune(PrunePolicy::new(life, *method, pattern.as_ref())),
        }
    }
}

/// What every policy has, whatever it demands: its id, and where in its life it is.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyLife)]
pub(super) struct Life {
    /// The id of the policy.
    #[schema(example = "7f0c1d6e-4b2a-4c57-9d1e-0a4b8c2f6e91")]
    uuid: String,
    /// Whether it is in force: drafts and retired policies are not.
    active: bool,
    /// When it was created (RFC 3339, microseconds, UTC).
    #[schema(format = DateTime)]
    created: String,
    /// When it was activated; absent for a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    activated: Option<String>,
    /// When it was retired; absent for one that was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    retired: Option<String>,
    /// The number of the record that brought it where it is: that created the draft, put what an active policy demands
    /// now into force, or retired the policy.
    seq: u64,
    /// Why the draft could not be activated now; absent if it could, and if it is no draft.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    conflicts: Vec<String>,
    /// What somebody should know of it that was just activated, such as a prune policy that it leaves nothing to prune; absent if
    /// there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl Life {
    fn new(id: Id, policy: &Policy, judged: Judged) -> Self {
        let Policy { created, activated, in_force, retired, .. } = policy;
        Self {
            uuid: id.to_string(),
            active: policy.status == PolicyStatus::Active,
            created: created.time.to_string(),
            activated: activated.map(|at| at.time.to_string()),
            retired: retired.map(|at| at.time.to_string()),
            seq: retired.or(*in_force).unwrap_or(*created).seq,
            warning: judged.warning(),
            conflicts: judged.conflicts,
        }
    }
}

/// A part of the policies of a scope.
#[derive(Serialize, ToSchema)]
pub(super) struct PolicyList<T> {
    /// The policies, the oldest first.
    pub(super) policies: Vec<T>,
    /// What to give as `next` to read on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// A policy that was created.
#[derive(Serialize, ToSchema)]
pub(super) struct PolicyCreated {
    /// Its id.
    #[schema(example = "7f0c1d6e-4b2a-4c57-9d1e-0a4b8c2f6e91")]
    pub(super) uuid: String,
    /// What somebody should know of it, such as a prune policy that it leaves nothing to prune; absent if there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warning: Option<String>,
    /// Why the draft could not be activated now; absent if it could, and if it is no draft.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) conflicts: Vec<String>,
}

/// A policy that was deleted: a draft is gone, an active one is retired and can still be read.
#[derive(Serialize, ToSchema)]
pub(super) struct PolicyDeleted {
    /// Its id.
    #[schema(example = "7f0c1d6e-4b2a-4c57-9d1e-0a4b8c2f6e91")]
    pub(super) uuid: String,
}
