//! Access tokens, as the fold keeps them.

use imbl::{OrdMap, OrdSet};
use tagstone_schema::event::TokenScope;
use tagstone_schema::limits::TOKEN_COUNTS_MICROS;
use tagstone_schema::{Id, Timestamp};

use super::state::Moment;

/// An access token that was issued.
#[derive(Clone, Debug)]
pub struct Token {
    /// The user on whose behalf it acts.
    pub subject: String,
    /// What it may do.
    pub scopes: Vec<TokenScope>,
    /// BLAKE3 of the secret.
    pub secret_hash: [u8; 32],
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// What the issuer called it.
    pub label: String,
    /// When it was issued.
    pub issued: Moment,
    /// When it was revoked.
    pub revoked: Option<Moment>,
}

impl Token {
    /// Whether it was neither revoked nor has it expired.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && !self.has_expired_at(now)
    }

    /// Whether its time is over.
    pub fn has_expired_at(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Token {
    /// Until when it counts as one of the tokens of its user: while it is valid, and for a day from its issue in any case.
    fn counts_until(&self) -> Timestamp {
        let day = Timestamp(self.issued.time.0.saturating_add(TOKEN_COUNTS_MICROS));
        match self.revoked {
            Some(_) => day,
            None => self.expires.unwrap_or(Timestamp(i64::MAX)).max(day),
        }
    }
}

/// All access tokens that were ever issued.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    known: OrdMap<Id, Token>,
    /// The same ones by their users, each with when it no longer counts: to count those of a user looks at no others.
    counted: OrdSet<(String, Timestamp, Id)>,
}

impl Tokens {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Id, &Token)> {
        self.known.iter()
    }

    pub(super) fn get(&self, id: &Id) -> Option<&Token> {
        self.known.get(id)
    }

    /// Adds one that is new.
    pub(super) fn insert(&mut self, id: Id, token: Token) {
        self.counted.insert((token.subject.clone(), token.counts_until(), id));
        self.known.insert(id, token);
    }

    /// Revokes one; whether there was one that was not revoked before.
    pub(super) fn revoke(&mut self, id: Id, at: Moment) -> bool {
        let Some(token) = self.known.get_mut(&id).filter(|token| token.revoked.is_none()) else { return false };
        self.counted.remove(&(token.subject.clone(), token.counts_until(), id));
        token.revoked = Some(at);
        self.counted.insert((token.subject.clone(), token.counts_until(), id));
        true
    }

    /// How many of a user count at a moment.
    pub(super) fn counted_at(&self, subject: &str, now: Timestamp) -> usize {
        let place = |time, id| (subject.to_owned(), time, Id(id));
        let behind = place(now, [u8::MAX; 16])..=place(Timestamp(i64::MAX), [u8::MAX; 16]);
        self.counted.range(behind).count()
    }
}
