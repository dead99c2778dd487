//! How much room refused attempts have, so that none of them displaces those of another kind.
//!
//! Whoever has a password can think of any number of names and be denied each of them, without any right. So denials only
//! make room among themselves, and those of one user have a few places: he displaces neither what was denied to others nor
//! what the rules of immutability have refused. His access tokens, of which he can have many, share his places.

use tagstone_schema::{Actor, ActorKind, limits};

use super::attempt::{Attempt, RefusalReason};

/// A part of the attempts that has its own bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Share {
    /// What the rules of immutability have refused, and what is in use.
    Ruled,
    /// What access was denied to.
    Denied,
    /// What access was denied to for one user and his tokens.
    DeniedTo(String),
}

impl Share {
    /// The shares that an attempt belongs to, the narrowest first.
    pub(super) fn of(attempt: &Attempt) -> Vec<Self> {
        match attempt.reason {
            RefusalReason::AccessDenied => vec![Self::DeniedTo(user(&attempt.actor).to_owned()), Self::Denied],
            RefusalReason::TagImmutable | RefusalReason::TagSpent | RefusalReason::InUse => vec![Self::Ruled],
        }
    }

    /// Whether an attempt belongs to it.
    pub(super) fn has(&self, attempt: &Attempt) -> bool {
        let is_denied = attempt.reason == RefusalReason::AccessDenied;
        match self {
            Self::Ruled => !is_denied,
            Self::Denied => is_denied,
            Self::DeniedTo(name) => is_denied && user(&attempt.actor) == name,
        }
    }

    /// Entries of it that are kept to be listed: all in all 10,000, which are some megabytes.
    pub(super) fn kept(&self) -> usize {
        match self {
            Self::Ruled => 8_000,
            Self::Denied => 2_000,
            Self::DeniedTo(_) => 10,
        }
    }

    /// Entries of it in one record.
    pub(super) fn recorded(&self) -> usize {
        match self {
            Self::Ruled => limits::REFUSAL_ENTRIES,
            Self::Denied => limits::REFUSAL_ENTRIES / 2,
            Self::DeniedTo(_) => 10,
        }
    }
}

/// The user who acts, himself or by a token.
fn user(actor: &Actor) -> &str {
    match actor.kind {
        ActorKind::Token => actor.name.rsplit_once('/').map_or(actor.name.as_str(), |(user, _)| user),
        ActorKind::User | ActorKind::Anonymous | ActorKind::System => &actor.name,
    }
}
