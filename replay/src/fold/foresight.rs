//! Looking ahead: what records will look up is brought into the processor's cache before they are applied.
//!
//! A fold of a long log waits for memory most of its time: what a push looks up lies anywhere in gigabytes, and each thing
//! is asked for only when the one before has come. Asked for beforehand, for a few records at once and one step at a time, many
//! of them are on their way together.
//!
//! **Invariant**: nothing follows from it but time.

use tagstone_schema::{Digest, Event, Record, RepositoryName, Tag};

use super::contents::Contents;
use super::contents::ahead::Sought as SoughtContent;
use super::repository::kept::Kept;
use super::state::State;
use super::table::ahead::{Sought, values};
use super::table::ask_for;
use super::tag::KeptTag;

impl State {
    /// Asks for what the records will look up, which are to be applied next and in this order. They should be few: more than the nearest caches hold is lost again.
    pub fn foresee<'a>(&mut self, records: impl Iterator<Item = &'a Record> + Clone) {
        let Self { repositories, contents, foreseen, .. } = self;
        let names = records.clone().filter_map(|record| record.events.iter().find_map(repository_of));
        let names: Vec<_> = names.map(|name| Sought::new(repositories, name)).collect();
        let likely = values(&names);
        for (_, (_, kept)) in likely.iter().flatten() {
            // What is kept of a repository takes several lines of a cache.
            ask_for(&kept.name);
            ask_for(&kept.manifests);
            ask_for(&kept.tags);
        }

        // About as many as a push has.
        let events = records.clone().map(|record| record.events.len()).sum::<usize>();
        let mut ahead = Ahead {
            contents,
            repositories: Vec::with_capacity(names.len()),
            digests: Vec::with_capacity(events * 2),
            tags: Vec::with_capacity(events),
        };
        let mut likely = likely.into_iter();
        foreseen.clear();
        for record in records {
            let Some(name) = record.events.iter().find_map(repository_of) else {
                foreseen.push_back(None);
                continue;
            };
            // Nearly all records are about one repository.
            let found = likely.next().flatten().filter(|(_, (found, _))| found.is(name));
            foreseen.push_back(found.map(|(place, _)| place));
            let kept = found.map(|(_, (_, kept))| &**kept);
            ahead.repositories.extend(kept);
            for event in &record.events {
                ahead.add(kept.filter(|_| repository_of(event).is_some_and(|of| of.is(name))), event);
            }
        }
        ahead.look();
    }
}

/// What will be looked up.
struct Ahead<'a> {
    contents: &'a mut Contents,
    repositories: Vec<&'a Kept>,
    digests: Vec<SoughtContent>,
    tags: Vec<Sought<'a, Tag, KeptTag>>,
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
            // Each tag leads to the manifest that it leaves.
            Event::TagMoved { tag, .. } => self.tags.extend(tags.and_then(|tags| tags.sought(tag))),
            Event::TagsDeleted { tags: ended, .. } => {
                self.tags.extend(tags.iter().flat_map(|tags| tags.sought_last(ended.len())));
                self.tags.extend(tags.iter().flat_map(|tags| ended.iter().filter_map(|ended| tags.sought(&ended.tag))));
            }
            _ => {}
        }
    }

    /// Asks for all of it.
    fn look(&mut self) {
        // What is added lies behind the last.
        self.repositories.iter().filter_map(|repository| repository.members.last()).for_each(ask_for);
        self.tags.iter().for_each(Sought::ask_end);
        let tags = values(&self.tags);
        self.contents.look_for(&self.digests);
        tags.iter().flatten().for_each(|(_, (_, kept))| self.contents.manifests.ask(kept.manifest));
        tags.iter().flatten().for_each(|(_, (_, kept))| self.contents.manifests.ask_more(kept.manifest));
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
