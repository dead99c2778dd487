//! Access tokens, as the fold keeps them.

use tagstone_schema::Timestamp;
use tagstone_schema::event::TokenScope;

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
