//! Tags: deleted, erased, changed.

use std::collections::{BTreeMap, BTreeSet};

use tagstone_replay::fold::{Moment, State, TagState};
use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::{Event, RepositoryName, Seq, Tag, Timestamp};

use super::super::command::{Because, Condition, Expiry, Lock, SetTag};
use super::super::rejection::Rejection;
use super::{check_condition, known, protection};

pub(super) fn delete(
    state: &State,
    repository: &RepositoryName,
    tag: &Tag,
    condition: &Condition,
) -> Result<Vec<Event>, Rejection> {
    let standing = known(state, repository)?.tag(tag.as_str());
    if let Some(standing) = standing {
        protection::refuse_ends(state, repository, [(tag, standing)])?;
    }
    let standing = standing.map(TagState::digest);
    check_condition(condition, repository, tag, standing)?;
    let was = standing.ok_or_else(|| unknown(repository, tag))?;
    let ended = vec![EndedTag { tag: tag.clone(), was: was.clone() }];
    Ok(vec![Event::TagsDeleted { repository: repository.clone(), tags: ended, cause: DeletionCause::Request }])
}

/// All or none. A tag that is named twice is deleted once. Protected tags are told before unknown ones: what cannot be
/// deleted is worth more to know than what need not be.
pub(super) fn delete_several(
    state: &State,
    repository: &RepositoryName,
    tags: &[Tag],
) -> Result<Vec<Event>, Rejection> {
    let target = known(state, repository)?;
    let standing: BTreeMap<_, _> = tags.iter().filter_map(|tag| Some((tag, target.tag(tag.as_str())?))).collect();
    protection::refuse_ends(state, repository, standing.iter().map(|(tag, standing)| (*tag, *standing)))?;
    let missing: BTreeSet<_> = tags.iter().filter(|tag| !standing.contains_key(tag)).cloned().collect();
    if !missing.is_empty() {
        return Err(Rejection::TagsUnknown { repository: repository.clone(), tags: missing.into_iter().collect() });
    }
    let ended = |(tag, standing): (&Tag, TagState<'_>)| EndedTag { tag: tag.clone(), was: standing.digest().clone() };
    let ended: Vec<_> = standing.into_iter().map(ended).collect();
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::TagsDeleted { repository: repository.clone(), tags: ended, cause: DeletionCause::Request }])
}

/// Whether the tag is protected does not matter: whoever erases wants it gone, also when a policy was retired meanwhile.
pub(super) fn erase(
    state: &State,
    repository: &RepositoryName,
    tag: &Tag,
    because: &Because,
) -> Result<Vec<Event>, Rejection> {
    Ok(vec![erasure(state, repository, tag, because)?])
}

/// The event that removes a tag by force.
pub(in crate::registry) fn erasure(
    state: &State,
    repository: &RepositoryName,
    tag: &Tag,
    because: &Because,
) -> Result<Event, Rejection> {
    let standing = known(state, repository)?.tag(tag.as_str()).ok_or_else(|| unknown(repository, tag))?;
    let (repository, tag, was) = (repository.clone(), tag.clone(), standing.digest().clone());
    Ok(Event::TagErased { repository, tag, was, reason: because.as_str().to_owned() })
}

/// All that is asked for, as if it were asked for one after another: a lock that is lifted comes first, so that what it
/// forbade is allowed; a lock that is set comes last.
pub(super) fn set(state: &State, set: &SetTag) -> Result<Vec<Event>, Rejection> {
    let SetTag { repository, tag, .. } = set;
    let target = known(state, repository)?;
    let mut after = After { state: state.clone(), events: Vec::new() };
    let standing = target.tag(tag.as_str());
    if standing.is_none() && set.manifest.is_none() {
        return Err(unknown(repository, tag));
    }
    let locked = standing.is_some_and(|standing| standing.locked().is_some());
    if set.lock == Lock::Unlock && locked {
        after.happens(Event::TagUnlocked { repository: repository.clone(), tag: tag.clone() });
    }
    if let Some(to) = &set.manifest
        && standing.map(TagState::digest) != Some(to)
    {
        let found = target.manifest(to);
        let found =
            found.ok_or_else(|| Rejection::ManifestUnknown { repository: repository.clone(), digest: to.clone() })?;
        let references = target.references(found).cloned().collect();
        protection::refuse_moves(&after.state, repository, std::slice::from_ref(tag), to, &references)?;
        let from = standing.map(|standing| standing.digest().clone());
        after.happens(Event::TagMoved { repository: repository.clone(), tag: tag.clone(), from, to: to.clone() });
    }
    let locks = set.lock == Lock::Lock && !locked;
    if locks {
        after.happens(Event::TagLocked { repository: repository.clone(), tag: tag.clone() });
    }
    let expires = after.tag(set).and_then(TagState::expires);
    let wanted = match set.expiry {
        Expiry::Keep => expires,
        Expiry::Never => None,
        Expiry::At(at) => Some(at),
    };
    if wanted != expires {
        if locks && wanted.is_some() {
            return Err(Rejection::LockedAndExpiring { repository: repository.clone(), tag: tag.clone() });
        }
        if let (Some(_), Some(standing)) = (wanted, after.tag(set)) {
            protection::refuse_expiry(&after.state, repository, tag, standing)?;
        }
        after.happens(Event::TagExpirySet { repository: repository.clone(), tag: tag.clone(), at: wanted });
    }
    Ok(after.events)
}

/// A private state in which the events so far have happened.
struct After {
    state: State,
    events: Vec<Event>,
}

impl After {
    /// An event that the fold rejects is not applied here; the writer finds that out again, and writes nothing.
    fn happens(&mut self, event: Event) {
        let at = Moment { seq: Seq::MAX, time: Timestamp(i64::MAX) };
        let _ = self.state.evolve(at, &event);
        self.events.push(event);
    }

    fn tag(&self, set: &SetTag) -> Option<TagState<'_>> {
        self.state.repository(set.repository.as_str())?.tag(set.tag.as_str())
    }
}

fn unknown(repository: &RepositoryName, tag: &Tag) -> Rejection {
    Rejection::TagUnknown { repository: repository.clone(), tag: tag.clone() }
}
