//! A stand-in, which calls everything sound.

use tagstone_replay::pattern::Selector;
use tagstone_schema::Id;
use tagstone_schema::policy::{Rule, Scope};

pub struct InForce<'a> {
    pub id: Id,
    pub scope: &'a Scope,
    pub rule: &'a Rule,
    pub selector: Option<&'a Selector>,
}
pub struct Candidate<'a> {
    pub scope: &'a Scope,
    pub rule: &'a Rule,
    pub selector: Option<&'a Selector>,
}
/// A contradiction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("conflict")]
pub struct Conflict;
/// Whether a policy can be put in force.
pub enum Judgement {
    /// It can.
    Sound,
    /// It can, and somebody should know this.
    Warned(Vec<String>),
    /// It cannot.
    Conflict(Conflict),
}
pub fn judge(_: &Candidate<'_>, _: &[InForce<'_>]) -> Judgement {
    Judgement::Sound
}
