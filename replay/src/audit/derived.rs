//! What the fold knows about the events of a record and no event says.

use serde::{Deserialize, Serialize};
use tagstone_schema::event::EndedTag;
use tagstone_schema::policy::Scope;

use crate::fold::{Effect, EndCause};

/// What the state before a record adds to its events: the tags that ended with their manifest or their repository, the
/// scopes of policies that were changed or ended, and whose access tokens were revoked.
///
/// It is gathered while the record is applied ([`crate::fold::State::apply_observed`]), in the order in which effects are
/// told. That order is the same whenever the same log is folded, so places of derived events are too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// By the place of the written event in its record.
    ends: Vec<(u32, EndedTag)>,
    scopes: Vec<(u32, Scope)>,
    tokens: Vec<(u32, RevokedToken)>,
}

/// What an access token was that an event revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedToken {
    /// The user on whose behalf it acted.
    pub user: String,
    /// What it was called.
    pub label: String,
}

impl Derived {
    /// Gathers an effect of the written event at a place in the record.
    pub fn note(&mut self, event: usize, effect: &Effect<'_>) {
        let event = u32::try_from(event).unwrap_or(u32::MAX);
        match effect {
            Effect::TagEnded { tag, was, cause: EndCause::ManifestDeleted | EndCause::RepositoryDeleted, .. } => {
                self.ends.push((event, EndedTag { tag: (*tag).clone(), was: was.manifest.digest.clone() }));
            }
            Effect::PolicyConcerned { scope, .. } => self.scopes.push((event, (*scope).clone())),
            Effect::TokenConcerned { user, label } => {
                self.tokens.push((event, RevokedToken { user: (*user).to_owned(), label: (*label).to_owned() }));
            }
            Effect::TagEnded { .. } | Effect::TagMoved { .. } => {}
        }
    }

    /// Whether the events of the record say all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.scopes.is_empty() && self.tokens.is_empty()
    }

    /// The tags that ended with what a written event removed, in order.
    pub fn ends(&self, event: usize) -> impl ExactSizeIterator<Item = &EndedTag> {
        self.ends_of(event).iter().map(|(_, ended)| ended)
    }

    /// The same with the place of the event.
    pub(super) fn ends_of(&self, event: usize) -> &[(u32, EndedTag)] {
        let place = |at: &(u32, EndedTag)| usize::try_from(at.0).unwrap_or(usize::MAX);
        let begin = self.ends.partition_point(|at| place(at) < event);
        let end = self.ends.partition_point(|at| place(at) <= event);
        &self.ends[begin..end]
    }

    /// The scope of the policy that a written event changed or ended.
    pub fn scope(&self, event: usize) -> Option<&Scope> {
        self.scopes.iter().find(|(at, _)| usize::try_from(*at) == Ok(event)).map(|(_, scope)| scope)
    }

    /// The access token that a written event revoked.
    pub fn token(&self, event: usize) -> Option<&RevokedToken> {
        self.tokens.iter().find(|(at, _)| usize::try_from(*at) == Ok(event)).map(|(_, token)| token)
    }
}
