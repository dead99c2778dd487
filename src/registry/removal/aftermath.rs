//! What comes of a command for what clients were told.
//!
//! The writer applies it when it answers, so it holds whether or not the client still waits.

use std::fmt;
use std::sync::Arc;

use tagstone_schema::{Actor, Digest, RepositoryName, Timestamp};

use super::promises::{How, Promises, Told};
use crate::registry::command::Command;
use crate::registry::rejection::Rejection;
use crate::registry::writer::{Committed, WriteError};

/// Whose command it is, and where it is kept what he was told.
#[derive(Clone)]
pub struct Aftermath {
    promises: Arc<Promises>,
    client: Actor,
}

impl Aftermath {
    /// Of a command that `client` gives: an anonymous one by his address.
    pub fn new(promises: Arc<Promises>, client: Actor) -> Self {
        Self { promises, client }
    }

    /// Applies it. To be called in the order of the commits, behind the publication, and while what the command has reserved still is.
    pub(in crate::registry) fn apply(
        &self,
        command: &Command,
        outcome: &Result<Committed, WriteError>,
        now: Timestamp,
    ) {
        match (command, outcome) {
            // A manifest that names it may follow. Who is refused is promised nothing.
            (Command::LinkBlob { repository, digest, .. } | Command::MountBlob { repository, digest, .. }, Ok(_)) => {
                self.stored(repository, digest, now)
            }
            (Command::PutManifest(put), Ok(_)) => {
                self.promises.keep(&put.repository, &self.client, &put.references);
            }
            // The push goes on: what is missing is to be sent.
            (Command::PutManifest(_), Err(WriteError::Rejected(Rejection::ReferencesMissing { .. }))) => {}
            (Command::PutManifest(put), Err(WriteError::Rejected(_))) => {
                self.promises.refused(&put.repository, &self.client, &put.references);
            }
            (_, Ok(committed)) => self.promises.let_go(committed),
            (_, Err(_)) => {}
        }
    }

    fn stored(&self, repository: &RepositoryName, digest: &Digest, at: Timestamp) {
        let by = Some(self.client.clone());
        // Nobody removes it at this moment, since the command has reserved it.
        self.promises.note(digest, &Told { repository: repository.clone(), at, how: How::Stored, by });
    }
}

impl fmt::Debug for Aftermath {
    /// Without the promises, which are many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aftermath").field("client", &self.client).finish_non_exhaustive()
    }
}
