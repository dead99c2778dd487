//! Pruning: the tags that a policy has found are looked at once more, and those that may still go are deleted.

use std::collections::BTreeSet;

use tagstone_replay::fold::{Protection, Repository, State};
use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::{Event, Tag};

use super::super::command::{FoundTags, Prunable, PruneTags};
use super::super::prune::is_held;
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
    /// It exists for referrers of a manifest that a tag holds still.
    SubjectTagged,
}

/// Tags that were found, at the moment of deletion.
#[derive(Debug, Default)]
pub(in crate::registry) struct Judged<'a> {
    pub(in crate::registry) ended: Vec<EndedTag>,
    pub(in crate::registry) spared: Vec<(&'a Prunable, Spared)>,
}

impl<'a> Judged<'a> {
    /// Looks at the found tags of one repository, in their order.
    pub(in crate::registry) fn of(state: &State, found: &'a FoundTags) -> Self {
        let target = state.repository(found.repository.as_str());
        let protection = state.protection(&found.repository);
        let (mut judged, mut ending) = (Self::default(), BTreeSet::new());
        for tag in &found.tags {
            match spared(target, &protection, tag, &ending) {
                Some(why) => judged.spared.push((tag, why)),
                None => {
                    ending.insert(&tag.tag);
                    judged.ended.push(EndedTag { tag: tag.tag.clone(), was: tag.digest.clone() });
                }
            }
        }
        judged
    }
}

/// What one tag is spared for at the moment of deletion, if it is. `ending` are those that go before it.
fn spared(
    target: Option<Repository<'_>>,
    protection: &Protection<'_>,
    found: &Prunable,
    ending: &BTreeSet<&Tag>,
) -> Option<Spared> {
    let Some((target, standing)) = target.and_then(|target| Some((target, target.tag(found.tag.as_str())?))) else {
        return Some(Spared::Gone);
    };
    if protection.protects(&found.tag, standing) {
        Some(Spared::Immutable)
    } else if standing.digest() != &found.digest || standing.since().seq != found.since {
        Some(Spared::Moved)
    } else if found.subject.as_ref().is_some_and(|subject| is_held(target, subject, |tag| ending.contains(tag))) {
        Some(Spared::SubjectTagged)
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
    let judged = prune.found.iter().map(|found| (found, Judged::of(state, found).ended));
    let events = judged.filter(|(_, tags)| !tags.is_empty()).map(|(found, tags)| Event::TagsDeleted {
        repository: found.repository.clone(),
        tags,
        cause: DeletionCause::Prune { policy: prune.policy, run: prune.run },
    });
    Ok(events.collect())
}
