//! Decisions: a command and the state it meets become events, or a rejection.
//!
//! Pure: no clock, no randomness, no IO. Time and ids arrive with the command.

mod blobs;
mod manifests;
mod policies;
mod protection;
mod prune;
mod removal;
mod tags;
mod tokens;

use tagstone_replay::fold::{Repository, State};
use tagstone_schema::{Digest, Event, RepositoryName};

use super::command::{Command, Condition};
use super::rejection::Rejection;

pub use policies::judge_policy;
pub(super) use protection::refuse_held;
pub(super) use prune::{Judged, Spared};
pub(super) use tags::erasure;

/// Decides a command. No events mean that the state is already as was asked for.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::LinkBlob { repository, digest, size } => Ok(blobs::link(state, repository, digest, *size)),
        Command::MountBlob { repository, digest, from } => blobs::mount(state, repository, digest, from),
        Command::DeleteBlob { repository, digest } => blobs::delete(state, repository, digest),
        Command::PutManifest(put) => manifests::put(state, put),
        Command::DeleteManifest { repository, digest, condition } => {
            manifests::delete(state, repository, digest, condition)
        }
        Command::DeleteTag { repository, tag, condition } => tags::delete(state, repository, tag, condition),
        Command::DeleteTags { repository, tags } => tags::delete_several(state, repository, tags),
        Command::EraseTag { repository, tag, because } => tags::erase(state, repository, tag, because),
        Command::SetTag(set) => tags::set(state, set),
        Command::DeleteRepository { repository } => manifests::delete_repository(state, repository),
        Command::CreatePolicy(create) => policies::create(state, create),
        Command::ActivatePolicy { policy } => policies::activate(state, *policy),
        Command::ChangePolicy { policy, rule } => policies::change(state, *policy, rule),
        Command::RemovePolicy { policy } => policies::remove(state, *policy),
        Command::PruneTags(prune) => prune::delete(state, prune),
        Command::IssueToken(issue) => tokens::issue(state, issue),
        Command::RevokeToken { token } => tokens::revoke(state, *token),
        Command::Purge(purge) => removal::purge(state, purge),
        Command::DropContents(drop) => Ok(removal::drop_contents(state, drop)),
        Command::DropManifests(drop) => Ok(removal::drop_manifests(state, drop)),
    }
}

pub(super) fn known<'a>(state: &'a State, repository: &RepositoryName) -> Result<Repository<'a>, Rejection> {
    state.repository(repository.as_str()).ok_or_else(|| Rejection::RepositoryUnknown { repository: repository.clone() })
}

pub(super) fn refuse_in_use(
    target: Repository<'_>,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<(), Rejection> {
    let mut by: Vec<_> = target.referenced_by(digest).cloned().collect();
    if by.is_empty() {
        return Ok(());
    }
    by.sort_unstable();
    Err(Rejection::InUse { repository: repository.clone(), digest: digest.clone(), by })
}

fn check_condition(
    condition: &Condition,
    repository: &RepositoryName,
    reference: &impl ToString,
    standing: Option<&Digest>,
) -> Result<(), Rejection> {
    if condition.holds(standing) {
        return Ok(());
    }
    Err(Rejection::PreconditionFailed {
        repository: repository.clone(),
        reference: reference.to_string(),
        standing: standing.cloned(),
    })
}

#[cfg(test)]
mod tests;
