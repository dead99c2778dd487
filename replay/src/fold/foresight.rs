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
use super::contents::content::Parents;
use super::repository::Repository;
use super::state::State;
use super::table::ahead::{Sought, values};
use super::tag::TagState;

impl State {
    /// Looks at what the records will look up. They should be few: more than the nearest caches hold is lost again.
    pub fn foresee<'a>(&self, records: impl Iterator<Item = &'a Record> + Clone) {
        let names = records.clone().filter_map(|record| record.events.iter().find_map(repository_of));
        let names: Vec<_> = names.map(|name| Sought::new(&self.repositories, name)).collect();
        let (touched, found) = values(&names);
        black_box((touched, found.iter().filter(|(_, repository)| repository.manifests > 0).count()));

        let mut ahead = Ahead { contents: &self.contents, hashes: Vec::new(), tags: Vec::new() };
        let mut last: Option<(&RepositoryName, Repository<'_>)> = None;
        for event in records.flat_map(|record| &record.events) {
            let Some(name) = repository_of(event) else { continue };
            let known = last.filter(|(known, _)| std::ptr::eq(known.as_str(), name.as_str()));
            last = known.or_else(|| Some((name, self.repository(name.as_str())?)));
            ahead.add(last.map(|(_, repository)| repository), event);
        }
        ahead.look();
    }
}

/// What will be looked up.
struct Ahead<'a> {
    contents: &'a Contents,
    /// Hashes of digests.
    hashes: Vec<u64>,
    tags: Vec<Sought<'a, Tag, TagState>>,
}

impl<'a> Ahead<'a> {
    fn add(&mut self, repository: Option<Repository<'a>>, event: &Event) {
        let tags = repository.map(|repository| &repository.kept.tags);
        let mut content = |digest: &Digest| self.hashes.push(self.contents.hash(digest));
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
                self.tags.extend(tags.iter().flat_map(|tags| ended.iter().filter_map(|ended| tags.sought(&ended.tag))));
            }
            _ => {}
        }
    }

    /// Looks at all of it, and at what it leads to: each step does as little as it can for one after the other, so that the processor
    /// waits for many places in memory at once.
    fn look(&self) {
        black_box(self.hashes.iter().fold(0, |all, hash| all ^ self.contents.touch(*hash)));
        let (touched, tags) = values(&self.tags);
        black_box((touched, tags.iter().filter(|(_, state)| state.marks.is_some()).count()));
        let contents: Vec<_> = self.hashes.iter().filter_map(|hash| self.contents.likely(*hash)).collect();
        // An entry may lie in two lines of the cache, of which one has the digest.
        black_box(contents.iter().filter(|(digest, _)| digest.raw().first() == Some(&0)).count());
        let contents = || contents.iter().filter_map(|(_, content)| *content);
        let parents = contents().map(|content| match &content.parents {
            Parents::Many(parents) => parents.len(),
            Parents::None { .. } | Parents::One(_) | Parents::Counted(_) => 0,
        });
        black_box(parents.sum::<usize>());
        let held = || contents().filter_map(|content| content.manifest.as_ref());
        black_box(held().filter(|held| held.tags.is_empty()).count());
        // What is shared is counted beside it, and that changes.
        let held = held().filter_map(|held| held.tags.iter().next()).filter(|tag| tag.as_str().is_empty());
        black_box((held.count(), tags.iter().map(|(_, state)| Arc::strong_count(&state.manifest)).sum::<usize>()));
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
