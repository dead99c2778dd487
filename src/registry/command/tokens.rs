//! Issuing access tokens.

use tagstone_schema::event::TokenScope;
use tagstone_schema::{Id, Timestamp};

/// A new access token.
#[derive(Clone, Debug)]
pub struct IssueToken {
    /// Its id, which no token had before.
    pub token: Id,
    /// The user on whose behalf it is to act.
    pub subject: String,
    /// What it is to be for.
    pub scopes: Vec<TokenScope>,
    /// BLAKE3 of the secret.
    pub secret_hash: [u8; 32],
    /// When it ends.
    pub expires: Timestamp,
    /// What it is called.
    pub label: String,
    /// The time by which the other tokens of the user count or not.
    pub now: Timestamp,
}
