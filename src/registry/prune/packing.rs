//! How much fits into one record: a run is one record where it fits, else several, each as full as can be.

use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::{Actor, Event, Id, Origin, RepositoryName, limits};

use crate::registry::command::{FoundTags, Prunable};
use crate::registry::record_size::record_bytes;

/// Tags on their way into records.
pub(super) struct Packing {
    /// Bytes of a record in which nothing happens yet.
    empty: u64,
    used: u64,
    found: Vec<FoundTags>,
}

impl Packing {
    /// Packs for records of this actor and origin.
    pub(super) fn new(actor: &Actor, origin: &Origin) -> Self {
        let empty = record_bytes(actor, origin, Vec::new());
        Self { empty, used: empty, found: Vec::new() }
    }

    /// Adds a tag. Where it does not fit beside those before it, they are returned, and it begins a record of its own.
    pub(super) fn add(&mut self, repository: &RepositoryName, tag: Prunable) -> Option<Vec<FoundTags>> {
        let is_same = self.found.last().is_some_and(|last| last.repository == *repository);
        let (beginning, with_tag) = sizes(repository, &tag);
        let needed = if is_same { with_tag - beginning } else { with_tag };
        let full = (self.used + needed > limits::RECORD_BYTES as u64).then(|| self.take()).flatten();
        match self.found.last_mut().filter(|last| last.repository == *repository) {
            Some(last) => {
                self.used += with_tag - beginning;
                last.tags.push(tag);
            }
            None => {
                self.used += with_tag;
                self.found.push(FoundTags { repository: repository.clone(), tags: vec![tag] });
            }
        }
        full
    }

    /// What waits for a record, if anything does.
    pub(super) fn take(&mut self) -> Option<Vec<FoundTags>> {
        self.used = self.empty;
        Some(std::mem::take(&mut self.found)).filter(|found| !found.is_empty())
    }
}

/// Bytes of an event that prunes nothing in a repository, and of one that prunes this tag there. Every further tag takes
/// the difference.
fn sizes(repository: &RepositoryName, tag: &Prunable) -> (u64, u64) {
    let (actor, origin) = (Actor::system(""), Origin::default());
    let nothing = record_bytes(&actor, &origin, Vec::new());
    let with = |tags: Vec<EndedTag>| {
        let cause = DeletionCause::Prune { policy: Id([0; 16]), run: Id([0; 16]) };
        let event = Event::TagsDeleted { repository: repository.clone(), tags, cause };
        record_bytes(&actor, &origin, vec![event]) - nothing
    };
    let ended = EndedTag { tag: tag.tag.clone(), was: tag.digest.clone() };
    (with(Vec::new()), with(vec![ended]))
}
