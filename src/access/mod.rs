//! Who asks, and what he may do.
//!
//! A request is admitted once, at the door: its credentials become a [`Caller`], which knows who it is and what it may do. Handlers
//! ask the caller and nothing else. What each route demands stands in one table, `http/demand.rs`.
//!
//! **Invariant**: nothing here knows HTTP beyond the text of an `Authorization` header, and nothing here waits for the writer.

mod basic;
mod caller;
mod doubts;
mod failures;
mod gate;
mod glob;
mod granted;
mod htpasswd;
mod issuer;
mod jwks;
mod login_tokens;
mod logins;
pub(crate) mod outside;
mod rules;
mod secret;
mod signatures;
mod tokens;
mod waiting;

pub use basic::user_given;
pub use caller::{Caller, Grant};
pub use doubts::doubts;
pub use failures::network_of;
pub use gate::{Challenges, Gate, Known, NotAdmitted, whole_seconds};
pub use glob::{GlobError, RepositoryGlob};
pub use granted::Granted;
pub use htpasswd::{Users, UsersError, is_reserved};
pub use issuer::{BearerFault, Issuer, Keys};
pub use jwks::KeysError;
pub use login_tokens::LoginToken;
pub use rules::{Anonymous, Rule, Rules, Subject};
pub use secret::Secret;
pub use tokens::IssuedTokens;
