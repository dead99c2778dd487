//! Access tokens: whom the registry takes their holders for.

use std::sync::Arc;

use quick_cache::sync::Cache;
use tagstone_replay::fold::{State, Token};
use tagstone_schema::event::TokenScope;
use tagstone_schema::{Id, Timestamp};

use super::secret::ShownSecret;
use super::{Caller, Grant, NotAdmitted, RepositoryGlob, Rules, Users};

/// The user name that goes with the secret of any token, where the holder does not know the user's.
pub(super) const ANY_USER: &str = "$token";

/// Tokens whose scopes are kept in the form in which they are asked.
const MOST_KEPT: usize = 10_000;

/// The access tokens that a registry has issued, at a moment.
#[derive(Clone, Copy)]
pub struct IssuedTokens<'a> {
    state: &'a State,
    now: Timestamp,
}

impl<'a> IssuedTokens<'a> {
    /// The tokens of a state, of which some have expired by now.
    pub fn new(state: &'a State, now: Timestamp) -> Self {
        Self { state, now }
    }

    /// By when tokens have expired.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The token that a secret is of, if it can be used. Only who knows the secret learns why it cannot.
    fn of(&self, shown: &ShownSecret) -> Result<&'a Token, NotAdmitted> {
        let token = self.state.token(&shown.token).filter(|token| shown.has_hash(&token.secret_hash));
        let token = token.ok_or(NotAdmitted::Wrong)?;
        if token.revoked.is_some() {
            return Err(NotAdmitted::TokenRevoked);
        }
        if token.has_expired_at(self.now) { Err(NotAdmitted::TokenExpired) } else { Ok(token) }
    }
}

/// Makes callers of tokens.
pub(super) struct TokenHolders {
    /// What tokens are for. That never changes while a token lives.
    scopes: Cache<Id, Arc<[Grant]>>,
}

impl TokenHolders {
    pub(super) fn new() -> Self {
        Self { scopes: Cache::new(MOST_KEPT) }
    }

    /// Whoever shows a secret. `user` is the name beside it, where there is one.
    pub(super) fn admit(
        &self,
        shown: &ShownSecret,
        user: Option<&str>,
        tokens: &IssuedTokens<'_>,
        users: &Users,
        rules: &Arc<Rules>,
    ) -> Result<Caller, NotAdmitted> {
        let token = tokens.of(shown)?;
        if user.is_some_and(|user| user != token.subject && user != ANY_USER) {
            return Err(NotAdmitted::Wrong);
        }
        if !users.has(&token.subject) {
            return Err(NotAdmitted::TokenWithoutUser);
        }
        Ok(self.caller(shown.token, token, rules))
    }

    /// The holder of a token that was admitted a while ago. None if it would not be admitted now.
    pub(super) fn renewed(
        &self,
        id: Id,
        tokens: &IssuedTokens<'_>,
        users: &Users,
        rules: &Arc<Rules>,
    ) -> Option<Caller> {
        let token = tokens.state.token(&id).filter(|token| token.is_valid_at(tokens.now))?;
        users.has(&token.subject).then(|| self.caller(id, token, rules))
    }

    fn caller(&self, id: Id, token: &Token, rules: &Arc<Rules>) -> Caller {
        let scopes = self.scopes.get(&id).unwrap_or_else(|| {
            let scopes: Arc<[Grant]> = token.scopes.iter().filter_map(grant).collect();
            self.scopes.insert(id, scopes.clone());
            scopes
        });
        Caller::token(id, &token.subject, rules.clone(), scopes)
    }
}

/// What a scope grants. One that this version cannot read grants nothing.
fn grant(scope: &TokenScope) -> Option<Grant> {
    let repositories = RepositoryGlob::parse(&scope.repositories).ok()?;
    Some(Grant { repositories, actions: scope.actions.iter().copied().collect() })
}
