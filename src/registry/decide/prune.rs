//! Pruning: the tags that a policy has found are looked at once more, and those that may still go are deleted.

use tagstone_replay::fold::{Protection, Repository, State};
use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::{Event, RepositoryName};

use super::super::command::{Prunable, PruneTags};
use super::super::rejection::Rejection;

/// Why a tag that a prune policy has found is not deleted after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registry) enum Spared {
    /// It is protected now.
    Immutable,
    /// It has moved since, or was made anew.
    Moved,
    /// It is gone already.
    Gone,
}

/// What one tag is spared for at the moment of deletion, if it is.
pub(in crate::registry) fn spared(
    target: Option<&Repository>,
    protection: &Protection<'_>,
    found: &Prunable,
) -> Option<Spared> {
    let Some(standing) = target.and_then(|target| target.tag(found.tag.as_str())) else {
        return Some(Spared::Gone);
    };
    if protection.protects(&found.tag, standing) {
        Some(Spared::Immutable)
    } else if standing.digest() != &found.digest || standing.since().seq != found.since {
        Some(Spared::Moved)
    } else {
        None
    }
}

/// A tag that became protected, or moved, since it was found is left alone; the rest goes.
pub(super) fn delete(state: &State, prune: &PruneTags) -> Result<Vec<Event>, Rejection> {
    let policy = state.policy(&prune.policy);
    match policy.and_then(|policy| policy.in_force) {
        Some(in_force) if in_force.seq == prune.in_force => {}
        Some(_) => return Err(Rejection::PolicyChanged { policy: prune.policy }),
        None => {
            let retired = policy.and_then(|policy| policy.retired).map(|at| at.time);
            return Err(Rejection::PolicyUnknown { policy: prune.policy, retired });
        }
    }
    let ended = still_prunable(state, &prune.repository, &prune.tags);
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    let cause = DeletionCause::Prune { policy: prune.policy, run: prune.run };
    Ok(vec![Event::TagsDeleted { repository: prune.repository.clone(), tags: ended, cause }])
}

fn still_prunable(state: &State, repository: &RepositoryName, found: &[Prunable]) -> Vec<EndedTag> {
    let (target, protection) = (state.repository(repository.as_str()), state.protection(repository));
    let going = found.iter().filter(|found| spared(target, &protection, found).is_none());
    going.map(|found| EndedTag { tag: found.tag.clone(), was: found.digest.clone() }).collect()
}
