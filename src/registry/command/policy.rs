//! Writing down a policy.

use tagstone_schema::Id;
use tagstone_schema::policy::{Rule, Scope};

/// A new policy.
#[derive(Clone, Debug)]
pub struct CreatePolicy {
    /// Its id, which no policy had before.
    pub policy: Id,
    /// Where it is to hold.
    pub scope: Scope,
    /// What it is to demand.
    pub rule: Rule,
    /// Whether it only stands there until somebody activates it.
    pub draft: bool,
}
