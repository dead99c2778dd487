//! A purge as records: one where it fits, and parts of content that follow where it does not.

use tagstone_schema::event::RemovedContent;
use tagstone_schema::{Actor, Event, Origin, RepositoryName, limits};

use super::purge::{PurgeOrder, PurgePlan};
use crate::registry::command::PurgeOutcome;
use crate::registry::record_size::record_bytes;

/// Bytes of a record that are left for who, from where and the reason.
const RESERVED: u64 = 8 * 1024;

impl PurgePlan {
    /// What comes of it, with the events of its first record.
    pub(in crate::registry) fn outcome(&self, events: Vec<Event>) -> PurgeOutcome {
        PurgeOutcome { events, kept: self.kept.iter().map(|kept| (kept.digest.clone(), kept.why)).collect() }
    }

    /// The events of the first record, and the content that goes by further ones: that is then referenced by nothing.
    pub(in crate::registry) fn records(&self, order: &PurgeOrder) -> (Vec<Event>, Vec<RemovedContent>) {
        let PurgeOrder { repository, because, .. } = order;
        let mut events = self.changes.clone();
        let unlinked = |repository: &RepositoryName, content: &RemovedContent| Event::BlobUnlinked {
            repository: repository.clone(),
            digest: content.digest.clone(),
        };
        let hidden = |digest| Event::BlobUnlinked { repository: repository.clone(), digest };
        events.extend(self.hidden.iter().cloned().map(hidden));
        let mut used = bytes(events.clone());
        let purged = |contents| Event::ContentPurged {
            repository: repository.clone(),
            contents,
            reason: because.as_str().to_owned(),
        };
        used += bytes(vec![purged(Vec::new())]);
        let (mut gone, mut rest) = (Vec::new(), Vec::new());
        for (content, links) in &self.contents {
            let unlinked: Vec<_> = links.iter().map(|repository| unlinked(repository, content)).collect();
            let needed =
                bytes(unlinked.clone()) + bytes(vec![purged(vec![content.clone()])]) - bytes(vec![purged(Vec::new())]);
            if !rest.is_empty() || used + needed + RESERVED > limits::RECORD_BYTES as u64 {
                rest.push(content.clone());
                continue;
            }
            used += needed;
            events.extend(unlinked);
            gone.push(content.clone());
        }
        if !gone.is_empty() {
            events.push(purged(gone));
        }
        (events, rest)
    }
}

/// Bytes that events add to a record.
fn bytes(events: Vec<Event>) -> u64 {
    let (actor, origin) = (Actor::system(""), Origin::default());
    record_bytes(&actor, &origin, events) - record_bytes(&actor, &origin, Vec::new())
}
