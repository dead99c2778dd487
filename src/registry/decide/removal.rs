//! Content that goes with its bytes.

use tagstone_replay::fold::State;
use tagstone_schema::event::RemovedContent;
use tagstone_schema::{Digest, Event, RepositoryName, limits};

use super::super::command::{DropCause, DropContents, DropManifests, Purge};
use super::super::rejection::Rejection;
use super::super::removal::{Free, Need, PurgePlan, need};
use super::protection;

/// The purge as it was worked out, or none of it: its answer has been made from the same plan.
pub(super) fn purge(state: &State, purge: &Purge) -> Result<Vec<Event>, Rejection> {
    let Purge { order, removable, unlinkable, expected } = purge;
    let free =
        Free { to_remove: &|digest| removable.contains(digest), to_unlink: &|digest| unlinkable.contains(digest) };
    let plan = PurgePlan::of(state, order, free)?;
    let (events, _) = plan.records(order);
    let outcome = plan.outcome(events);
    if outcome == *expected {
        Ok(outcome.events)
    } else {
        Err(Rejection::Overtaken { repository: order.repository.clone() })
    }
}

/// Bytes of a record that may be filled with contents and links; the rest is for who, from where and why.
const ROOM: usize = limits::RECORD_BYTES - 16 * 1024;

/// Bytes that a digest with its size and kind takes at most.
const CONTENT_BYTES: usize = 96;

/// As much of it as fits into a record; whoever asked asks again for the rest. What is needed again stays.
pub(super) fn drop_contents(state: &State, drop: &DropContents) -> Vec<Event> {
    let own = match &drop.cause {
        DropCause::Purged { repository, .. } => Some(repository),
        DropCause::Collected => None,
    };
    let (mut events, mut gone, mut room) = (Vec::new(), Vec::new(), ROOM);
    'contents: for content in &drop.contents {
        let Need::Nobody { links, .. } = need(state, &content.digest, own, drop.grace_began) else { continue };
        for repository in links {
            let Some(left) = room.checked_sub(repository.as_str().len() + CONTENT_BYTES) else { break 'contents };
            room = left;
            events.push(unlinked(repository, content));
        }
        let Some(left) = room.checked_sub(CONTENT_BYTES) else { break };
        room = left;
        gone.push(content.clone());
    }
    if gone.is_empty() {
        return events;
    }
    events.push(match &drop.cause {
        DropCause::Purged { repository, because } => {
            Event::ContentPurged { repository: repository.clone(), contents: gone, reason: because.as_str().to_owned() }
        }
        DropCause::Collected => Event::ContentCollected { contents: gone },
    });
    events
}

fn unlinked(repository: RepositoryName, content: &RemovedContent) -> Event {
    Event::BlobUnlinked { repository, digest: content.digest.clone() }
}

/// What is held again stays.
pub(super) fn drop_manifests(state: &State, drop: &DropManifests) -> Vec<Event> {
    let goes = |(repository, digest): &(RepositoryName, Digest)| {
        let target = state.repository(repository.as_str())?;
        let since = target.idle_since(digest)?;
        let is_free = protection::refuse_held(state, target, repository, digest).is_ok();
        (since <= drop.idle_before && is_free)
            .then(|| Event::ManifestDeleted { repository: repository.clone(), digest: digest.clone() })
    };
    drop.manifests.iter().filter_map(goes).collect()
}
