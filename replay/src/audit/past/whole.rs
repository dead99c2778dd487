//! All tags of a repository: its history folded from its last beginning.

use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::{Event, RepositoryName};

use super::gathered::Gathered;
use super::{Past, PastError, moment};
use crate::audit::query::{Found, Order, Query};
use crate::audit::{Filter, Place, TagEnd, What};
use crate::fold::EndCause;

/// Events that are read at a time.
const PART: usize = 1_000;

impl Past<'_> {
    /// Folds what happened to manifests and tags. Blobs are left out: nobody asks for all of them.
    pub(super) fn fold_whole(
        &self,
        gathered: &mut Gathered,
        repository: &RepositoryName,
        deleted: Option<Place>,
    ) -> Result<(), PastError> {
        let filter = Filter { repository: Some(repository.clone()), to_seq: Some(self.seq), ..Filter::default() };
        let mut query = Query { filter, order: Order::Ascending, after: deleted, limit: PART };
        loop {
            let page = self.archive.events(&query)?;
            for found in &page.events {
                if let Some(event) = of_manifests_and_tags(found) {
                    gathered.add(found.place(), moment(found), &event)?;
                }
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// The event as the fold takes it.
fn of_manifests_and_tags(found: &Found) -> Option<Event> {
    match found.event()?.what {
        What::Written { event, .. } => match event {
            Event::ManifestPushed { .. }
            | Event::ManifestDeleted { .. }
            | Event::TagMoved { .. }
            | Event::TagErased { .. }
            | Event::TagLocked { .. }
            | Event::TagUnlocked { .. }
            | Event::TagExpirySet { .. } => Some(event.clone()),
            _ => None,
        },
        // What the fold derives ends with what it derives it from.
        What::TagEnded(TagEnd {
            cause: EndCause::Erased | EndCause::ManifestDeleted | EndCause::RepositoryDeleted,
            ..
        }) => None,
        What::TagEnded(TagEnd { repository, tag, was, .. }) => Some(Event::TagsDeleted {
            repository: repository.clone(),
            tags: vec![EndedTag { tag: tag.clone(), was: was.clone() }],
            // Why it ended changes nothing in what is left.
            cause: DeletionCause::Request,
        }),
    }
}
