//! Policies, as the fold keeps them.

use tagstone_schema::policy::{Rule, Scope};

use super::state::Moment;
use crate::pattern::Selector;

/// A policy with its life so far.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Where it holds.
    pub scope: Scope,
    /// What it demands.
    pub rule: Rule,
    /// The pattern of the rule, compiled; none for a prune policy that selects every tag, and
    /// for a retired one.
    pub selector: Option<Selector>,
    /// Where in its life it is.
    pub status: PolicyStatus,
    /// When it was drafted, or activated without a draft.
    pub created: Moment,
    /// When it was activated.
    pub activated: Option<Moment>,
    /// When the rule that it has now came into force; none unless it is active.
    pub in_force: Option<Moment>,
    /// When it was retired.
    pub retired: Option<Moment>,
}

/// Where in its life a policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyStatus {
    /// Visible, without effect.
    Draft,
    /// In effect.
    Active,
    /// No longer in effect, for good.
    Retired,
}
