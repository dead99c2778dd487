//! Looking ahead: what records will look up is brought into the processor's cache before they are applied.
//!
//! A fold of a long log waits for memory most of its time: what a push looks up lies anywhere in gigabytes, and each thing
//! is asked for only when the one before has come. Looked up for many records at once, and without doing anything with what
//! is found, the processor waits for many of them at the same time.
//!
//! **Invariant**: nothing follows from it but time.

use std::hint::black_box;

use tagstone_schema::{Digest, Event, Record, RepositoryName, Tag};

use super::content::{Content, Parents};
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
        black_box((touched, found.iter().filter(|(_, repository)| repository.contents.len() > 0).count()));

        let mut ahead = Ahead::default();
        let mut last: Option<(&RepositoryName, &Repository)> = None;
        for event in records.flat_map(|record| &record.events) {
            let Some(name) = repository_of(event) else { continue };
            let known = last.filter(|(known, _)| std::ptr::eq(known.as_str(), name.as_str()));
            last = known.or_else(|| Some((name, self.repository(name.as_str())?)));
            if let Some((_, repository)) = last {
                ahead.add(self, repository, event);
            }
        }
        ahead.look();
    }
}

/// What will be looked up, by the kind of the table.
#[derive(Default)]
struct Ahead<'a> {
    contents: Vec<Sought<'a, Digest, Content>>,
    /// What all that was looked at has in common, which means nothing.
    touched: u32,
    tags: Vec<Sought<'a, Tag, TagState>>,
}

impl<'a> Ahead<'a> {
    fn add(&mut self, state: &'a State, repository: &'a Repository, event: &Event) {
        let mut content = |digest| self.contents.push(Sought::new(&repository.contents, digest));
        match event {
            Event::BlobLinked { digest, .. } | Event::ManifestDeleted { digest, .. } => {
                content(digest);
                self.touched ^= state.holders.touch(digest);
            }
            Event::ManifestPushed { digest, references, .. } => {
                content(digest);
                self.touched ^= state.holders.touch(digest);
                references.iter().for_each(content);
            }
            Event::TagMoved { tag, from, .. } => {
                from.iter().for_each(content);
                self.tags.extend(repository.tags.sought(tag));
            }
            Event::TagsDeleted { tags, .. } => {
                tags.iter().for_each(|ended| content(&ended.was));
                self.tags.extend(tags.iter().filter_map(|ended| repository.tags.sought(&ended.tag)));
            }
            _ => {}
        }
    }

    /// Looks at all of it, and at what it leads to.
    fn look(&self) {
        black_box(self.touched);
        let (touched, tags) = values(&self.tags);
        black_box((touched, tags.iter().filter(|(_, state)| state.marks.is_some()).count()));
        let (touched, contents) = values(&self.contents);
        let parents = contents.iter().map(|(_, content)| match &content.parents {
            Parents::Many(parents) => parents.len(),
            Parents::None { .. } | Parents::One(_) => 0,
        });
        black_box((touched, parents.sum::<usize>()));
        let held = contents.iter().filter_map(|(_, content)| content.manifest.as_ref());
        black_box(held.filter(|held| held.tags.is_empty()).count());
        black_box(tags.iter().filter(|(_, state)| state.manifest.subject.is_some()).count());
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
