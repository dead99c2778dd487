//! Access tokens: issued, revoked.

use tagstone_replay::fold::State;
use tagstone_schema::limits::TOKENS_PER_USER;
use tagstone_schema::{Event, Id};

use super::super::command::IssueToken;
use super::super::rejection::Rejection;

pub(super) fn issue(state: &State, issue: &IssueToken) -> Result<Vec<Event>, Rejection> {
    let IssueToken { token, subject, scopes, secret_hash, expires, label, now } = issue.clone();
    if state.token(&token).is_some() {
        return Err(Rejection::TokenExists { token });
    }
    if state.counted_tokens(&subject, now) >= TOKENS_PER_USER {
        return Err(Rejection::TooManyTokens { subject, limit: TOKENS_PER_USER });
    }
    let (subject, label) = (subject.into(), label.into());
    Ok(vec![Event::TokenIssued { token, subject, scopes, secret_hash, expires: Some(expires), label }])
}

/// One that is revoked already stays so.
pub(super) fn revoke(state: &State, token: Id) -> Result<Vec<Event>, Rejection> {
    let known = state.token(&token).ok_or(Rejection::TokenUnknown { token })?;
    Ok(if known.revoked.is_none() { vec![Event::TokenRevoked { token }] } else { Vec::new() })
}
