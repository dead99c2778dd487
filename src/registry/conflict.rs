//! stand-in
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("conflict")]
pub struct Conflict;
pub enum Judgement {
    Sound,
    Warned(Vec<String>),
    Conflict(Conflict),
}
pub fn judge(_: &Candidate<'_>, _: &[InForce<'_>]) -> Judgement {
    Judgement::Sound
}
