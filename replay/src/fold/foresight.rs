//! Looking ahead: what records will look up is brought into the processor's cache before they are applied.
//!
//! A fold of a long log waits for memory most of its time: what a push looks up lies anywhere in gigabytes, and each thing
//! is asked for only when the one before has come. Looked up for many records at once, and without doing anything with what
//! is found, the processor waits for many of them at the same time.
//!
//! **Invariant**: nothing follows from it but time.

use std::hint::black_box;
use std::sync::Arc;

use tagstone_schema::{Digest, Event, Record, RepositoryName};

use super::content::{Content, Holders, Parents};
use super::repository::Repository;
use super::state::State;
use super::table::ahead::{Sought, values};

impl State {
    /// Looks at what the records will look up. They should be some dozens: more than the cache holds is lost again.
    pub fn foresee(&self, records: &[Record]) {
        let names = records.iter().filter_map(|record| record.events.iter().find_map(repository_of));
        let names: Vec<_> = names.map(|name| Sought::new(&self.repositories, name)).collect();
        let (touched, found) = values(&names);
        black_box((touched, found.iter().filter(|(_, repository)| repository.contents.len() > 0).count()));

        let (mut contents, mut holders) = (Vec::with_capacity(records.len() * 8), Vec::with_capacity(records.len() * 4));
        let mut last: Option<(&RepositoryName, &Repository)> = None;
        for event in records.iter().flat_map(|record| &record.events) {
            let Some(name) = repository_of(event) else { continue };
            let known = last.filter(|(known, _)| std::ptr::eq(known.as_str(), name.as_str()));
            last = known.or_else(|| Some((name, self.repository(name.as_str())?)));
            if let Some((_, repository)) = last {
                self.seek(event, repository, &mut contents, &mut holders);
            }
        }
        let (touched, found) = values(&holders);
        black_box((touched, found.iter().filter(|(_, holders)| matches!(holders, Holders::None { .. })).count()));
        let (touched, found) = values(&contents);
        let held: Vec<_> = found.iter().filter_map(|(_, content)| content.manifest.as_ref()).collect();
        let parents = found.iter().filter_map(|(_, content)| match &content.parents {
            Parents::Many(parents) => Some(Arc::strong_count(parents)),
            _ => None,
        });
        black_box((touched, parents.sum::<usize>()));
        black_box(held.iter().filter(|held| held.tags.is_empty()).count());
    }

    fn seek<'a>(
        &'a self,
        event: &Event,
        repository: &'a Repository,
        contents: &mut Vec<Sought<'a, Digest, Content>>,
        holders: &mut Vec<Sought<'a, Digest, Holders>>,
    ) {
        let mut content = |digest| contents.push(Sought::new(&repository.contents, digest));
        let mut holder = |digest| holders.push(Sought::new(&self.holders, digest));
        match event {
            Event::BlobLinked { digest, .. } | Event::ManifestDeleted { digest, .. } => {
                content(digest);
                holder(digest);
            }
            Event::ManifestPushed { digest, references, .. } => {
                content(digest);
                holder(digest);
                references.iter().for_each(content);
            }
            Event::TagMoved { from, .. } => from.iter().for_each(content),
            Event::TagsDeleted { tags, .. } => tags.iter().for_each(|ended| content(&ended.was)),
            _ => {}
        }
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
