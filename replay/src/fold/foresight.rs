//! Looking ahead: what records will look up is brought into the processor's cache before they are applied.
//!
//! A fold of a long log waits for memory most of its time: what a push looks up lies anywhere in gigabytes, and each thing
//! is asked for only when the one before has come. Asked for beforehand, for a few records at once and one step at a time, many
//! of them are on their way together.
//!
//! **Invariant**: nothing follows from it but time.

use std::collections::VecDeque;

use tagstone_schema::{Digest, Event, Record, RepositoryName, Tag};

use super::contents::ahead::Sought as SoughtDigests;
use super::contents::manifests;
use super::repository::kept::Kept;
use super::state::State;
use super::table::ahead::{Sought, values};
use super::table::ask_for;
use super::tag::KeptTag;

/// Where records will find what they look up, as far as that was foreseen.
///
/// **Invariant**: whoever takes a place from here looks what is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Foreseen {
    /// Of each record to come, where its repository is, and which of the tags is its first.
    records: VecDeque<(Option<usize>, usize)>,
    /// Where the tags are that records name, in the order in which they do, but for those of repositories that were not foreseen.
    tags: Vec<Option<usize>>,
    /// The next of them.
    next: usize,
}

impl Foreseen {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Goes on to the next record, and tells where its repository is.
    pub(super) fn record(&mut self) -> Option<usize> {
        let (repository, first) = self.records.pop_front()?;
        self.next = first;
        repository
    }

    /// Goes on behind so many tags, and tells which is the first of them.
    pub(super) fn pass(&mut self, tags: usize) -> usize {
        let first = self.next;
        self.next = first.saturating_add(tags);
        first
    }

    /// Where a tag is.
    pub(super) fn tag(&self, which: usize) -> Option<usize> {
        self.tags.get(which).copied().flatten()
    }
}

impl State {
    /// Asks for what the records will look up, which are to be applied next and in this order. They should be few: more than the nearest caches hold is lost again.
    pub fn foresee<'a>(&mut self, records: impl Iterator<Item = &'a Record> + Clone) {
        let Self { repositories, contents, foreseen, .. } = self;
        let names = records.clone().filter_map(|record| record.events.iter().find_map(repository_of));
        let names: Vec<_> = names.map(|name| Sought::new(repositories, name)).collect();
        names.iter().for_each(Sought::ask);
        names.iter().for_each(Sought::ask_more);
        let likely = values(&names);
        // What is kept of a repository takes several lines of a cache.
        for (_, (_, kept)) in likely.iter().flatten() {
            ask_for(&kept.name);
            ask_for(&kept.members);
            ask_for(&kept.tags);
        }
        likely.iter().flatten().for_each(|(_, (_, kept))| kept.tags.ask());

        // About as many as a push has.
        let events = records.clone().map(|record| record.events.len()).sum::<usize>();
        let mut ahead = Ahead {
            repositories: Vec::with_capacity(names.len()),
            digests: contents.seeking(events * 2),
            tags: Vec::with_capacity(events),
            moving: Vec::with_capacity(events),
        };
        let mut likely = likely.into_iter();
        foreseen.records.clear();
        for record in records {
            let name = record.events.iter().find_map(repository_of);
            // Nearly all records are about one repository.
            let found = name.and_then(|name| likely.next().flatten().filter(|(_, (found, _))| found.is(name)));
            foreseen.records.push_back((found.map(|(place, _)| place), ahead.tags.len()));
            let kept = found.map(|(_, (_, kept))| &**kept);
            ahead.repositories.extend(kept);
            for event in &record.events {
                ahead.add(kept.filter(|kept| repository_of(event).is_some_and(|of| of.is(&kept.name))), event);
            }
        }
        foreseen.tags.clear();
        ahead.look(&mut foreseen.tags);
    }
}

/// What will be looked up.
struct Ahead<'a> {
    repositories: Vec<&'a Kept>,
    digests: SoughtDigests<'a>,
    /// Tags that are named.
    tags: Vec<Sought<'a, Tag, KeptTag>>,
    /// Tags that move to where others were.
    moving: Vec<Sought<'a, Tag, KeptTag>>,
}

impl<'a> Ahead<'a> {
    fn add(&mut self, repository: Option<&'a Kept>, event: &Event) {
        let tags = repository.map(|repository| &repository.tags);
        let mut content = |digest: &Digest| self.digests.add(digest);
        match event {
            Event::BlobLinked { digest, .. } | Event::ManifestDeleted { digest, .. } => content(digest),
            Event::ManifestPushed { digest, references, .. } => {
                content(digest);
                references.iter().for_each(content);
            }
            // Each tag leads to the manifest that it leaves.
            Event::TagMoved { tag, .. } => self.tags.extend(tags.and_then(|tags| tags.sought(tag))),
            Event::TagsDeleted { tags: ended, .. } => {
                self.moving.extend(tags.iter().flat_map(|tags| tags.sought_last(ended.len())));
                self.tags.extend(tags.iter().flat_map(|tags| ended.iter().filter_map(|ended| tags.sought(&ended.tag))));
            }
            _ => {}
        }
    }

    /// Asks for all of it, and notes where the tags are.
    fn look(&mut self, places: &mut Vec<Option<usize>>) {
        let Self { repositories, digests, tags, moving } = self;
        // What is added lies behind the last.
        let members: Vec<_> = repositories.iter().map(|repository| repository.members.last()).collect();
        members.into_iter().flatten().for_each(ask_for);
        tags.iter().chain(&*moving).for_each(Sought::ask);
        digests.ask();
        tags.iter().chain(&*moving).for_each(Sought::ask_more);
        digests.ask_more();
        let found = values(tags);
        places.extend(found.iter().map(|found| found.map(|(place, _)| place)));
        digests.ask_entries();
        let new = tags.iter().zip(&found).filter(|(_, found)| found.is_none());
        let ends: Vec<_> = new.map(|(tag, _)| tag.end()).collect();
        ends.into_iter().flatten().for_each(ask_for);
        let left = found.iter().map(|found| found.and_then(|(_, (_, kept))| digests.manifests.room(kept.manifest)));
        let left: Vec<_> = left.collect();
        manifests::ask(&left);
        digests.note();
        manifests::ask_more(&left);
    }
}

fn repository_of(event: &Event) -> Option<&RepositoryName> {
    match event {
        Event::BlobLinked { repository, .. }
        | Event::ManifestPushed { repository, .. }
        | Event::TagMoved { repository, .. }
        | Event::TagsDeleted { repository, .. }
        | Event::ManifestDeleted { repository, .. } => Some(repository),
        _ => None,
    }
}
