//! Who asks, and what he may do.
//!
//! A request is admitted once, at the door: its credentials become a [`Caller`], which knows who it is and what it may do. Handlers
//! ask the caller and nothing else. What each route demands stands in one table, `http/demand.rs`.
//!
//! **Invariant**: nothing here knows HTTP beyond the text of an `Authorization` header, and nothing here waits for the writer.

mod basic;
mod caller;
mod failures;
mod gate;
mod glob;
mod htpasswd;
mod logins;
mod rules;

/// Reads the value of an `Authorization` header, for [`crate::outside`].
pub(crate) fn read_credentials(authorization: &[u8]) {
    if let Ok(Some(given)) = basic::Credentials::read(authorization) {
        assert!(!given.user.contains(':'), "a name may not have a colon");
        assert!(!given.user.is_empty() || !given.password.is_empty(), "nobody has given something");
    }
}

pub use caller::{Caller, Grant};
pub use failures::network_of;
pub use gate::{Gate, Known, NotAdmitted, whole_seconds};
pub use glob::{GlobError, RepositoryGlob};
pub use htpasswd::{Users, UsersError};
pub use rules::{Anonymous, Rule, Rules, Subject};
