//! Looking ahead: what records will look up is brought into the processor's cache before they are applied.
//!
//! A fold of a long log waits for memory most of its time: what a push looks up lies anywhere in gigabytes, and each thing
//! is asked for only when the one before has come. Looked up for many records at once, and without doing anything with what
//! is found, the processor waits for many of them at the same time.
//!
//! **Invariant**: nothing follows from it but time.

use std::hint::black_box;
use std::sync::Arc;

use tagstone_schema::{Digest, Event, Record, RepositoryName, Tag};

use super::contents::Contents;
use super::contents::ahead::Sought as SoughtContent;
use super::repository::kept::Kept;
use super::state::State;
use super::table::ahead::{Sought, values};
use super::tag::TagState;

impl State {
    /// Looks at what the records will look up. They should be few: more than the nearest caches hold is lost again.
    pub fn foresee<'a>(&mut self, records: impl Iterator<Item = &'a Record> + Clone) {
        let Self { repositories, contents, .. } = self;
        let names = records.clone().filter_map(|record| record.events.iter().find_map(repository_of));
        let names: Vec<_> = names.map(|name| Sought::new(repositories, name)).collect();
        let (touched, found) = values(&names);
        // What is kept of a repository takes several lines of a cache.
        black_box((touched, found.iter().map(|(_, kept)| kept.manifests ^ kept.tags.len()).fold(0, usize::max)));

        let mut ahead = Ahead { contents, repositories: Vec::new(), digests: Vec::new(), tags: Vec::new() };
        let mut last: Option<(&RepositoryName, Option<&Kept>)> = None;
        for event in records.flat_map(|record| &record.events) {
            let Some(name) = repository_of(event) else { continue };
            if last.is_none_or(|(last, _)| !std::ptr::eq(last.as_str(), name.as_str())) {
                let kept = repositories.get(name).map(|kept| &**kept);
                ahead.repositories.extend(kept);
                last = Some((name, kept));
            }
            ahead.add(last.and_then(|(_, repository)| repository), event);
        }
        ahead.look();
    }
}

/// What will be looked up.
struct Ahead<'a> {
    contents: &'a mut Contents,
    repositories: Vec<&'a Kept>,
    digests: Vec<SoughtContent>,
    tags: Vec<Sought<'a, Tag, TagState>>,
}

impl<'a> Ahead<'a> {
    fn add(&mut self, repository: Option<&'a Kept>, event: &Event) {
        let tags = repository.map(|repository| &repository.tags);
        let mut content = |digest: &Digest| self.digests.extend(self.contents.sought(digest));
        match event {
            Event::BlobLinked { digest, .. } | Event::ManifestDeleted { digest, .. } => content(digest),
            Event::ManifestPushed { digest, references, .. } => {
                content(digest);
                references.iter().for_each(content);
            }
            Event::TagMoved { tag, from, .. } => {
                from.iter().for_each(content);
                self.tags.extend(tags.and_then(|tags| tags.sought(tag)));
            }
            Event::TagsDeleted { tags: ended, .. } => {
                ended.iter().for_each(|ended| content(&ended.was));
                self.tags.extend(tags.iter().flat_map(|tags| tags.sought_last(ended.len())));
                self.tags.extend(tags.iter().flat_map(|tags| ended.iter().filter_map(|ended| tags.sought(&ended.tag))));
            }
            _ => {}
        }
    }

    /// Looks at all of it.
    fn look(&mut self) {
        // What is added lies behind the last.
        let members = self.repositories.iter().filter_map(|repository| repository.members.last());
        black_box(members.fold(0, |all, member| all ^ member));
        let ends = self.tags.iter().map(Sought::touch_end);
        let ends = ends.map(|(touched, last)| touched as usize + last.map_or(0, |tag| tag.as_str().len()));
        black_box(ends.fold(0, |all, end| all ^ end));
        let (touched, tags) = values(&self.tags);
        let ends = tags.iter().map(|(tag, state)| tag.as_str().len() + usize::from(state.marks.is_some()));
        black_box((touched, ends.fold(0, usize::max)));
        self.contents.look_for(&self.digests);
        // What is shared is counted beside it, and that changes.
        black_box(tags.iter().map(|(_, state)| Arc::strong_count(&state.manifest)).sum::<usize>());
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
