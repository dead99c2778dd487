//! Ids of what is made here: logs and policies.
//!
//! They are drawn where a request or a start is served, and arrive with the command, for decisions know no randomness.

use tagstone_schema::Id;

/// A new random id (UUID version 4). The error is the operating system's.
pub(crate) fn random_id() -> Result<Id, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(Id::from_random(random))
}
