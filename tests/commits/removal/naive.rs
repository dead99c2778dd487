//! A registry as a reader of its records without cleverness sees it: everything is asked anew after every event.

use std::collections::{BTreeMap, BTreeSet};

use tagstone_replay::log::Log;
use tagstone_schema::{Digest, Event, RepositoryName, Tag, Timestamp};

use crate::registry::records;

pub(crate) type Place = (RepositoryName, Digest);

#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) references: BTreeSet<Digest>,
    pub(crate) subject: Option<Digest>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Repository {
    pub(crate) blobs: BTreeSet<Digest>,
    pub(crate) manifests: BTreeMap<Digest, Manifest>,
    pub(crate) tags: BTreeMap<Tag, Digest>,
    pub(crate) locked: BTreeSet<Tag>,
}

/// Everything, with since when what is needed by nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naive {
    pub(crate) repositories: BTreeMap<RepositoryName, Repository>,
    /// Linked blobs that no manifest of the repository names.
    pub(crate) unnamed: BTreeMap<Place, Timestamp>,
    /// Manifests that nothing holds.
    pub(crate) idle: BTreeMap<Place, Timestamp>,
    /// What no repository has any more, and was not removed.
    pub(crate) loose: BTreeMap<Digest, Timestamp>,
    /// How many records it has seen.
    seen: usize,
}

impl Repository {
    pub(crate) fn parents(&self, digest: &Digest) -> BTreeSet<&Digest> {
        self.manifests
            .iter()
            .filter(|(_, manifest)| manifest.references.contains(digest))
            .map(|(parent, _)| parent)
            .collect()
    }

    pub(crate) fn tags_on(&self, digest: &Digest) -> BTreeSet<&Tag> {
        self.tags.iter().filter(|(_, on)| *on == digest).map(|(tag, _)| tag).collect()
    }

    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.blobs.contains(digest) || self.manifests.contains_key(digest)
    }

    /// Whether the tag is protected: by hand, or by the one policy of these tests.
    pub(crate) fn protects(&self, tag: &Tag) -> bool {
        self.locked.contains(tag) || tag.as_str().starts_with('v')
    }

    /// What a manifest holds: itself, what it names, what that names.
    pub(crate) fn reached(&self, from: &Digest) -> BTreeSet<Digest> {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(digest) = next.pop() {
            if reached.insert(digest.clone()) {
                next.extend(self.manifests.get(&digest).into_iter().flat_map(|manifest| manifest.references.clone()));
            }
        }
        reached
    }

    fn delete_manifest(&mut self, digest: &Digest) {
        self.manifests.remove(digest);
        let ended: Vec<_> = self.tags_on(digest).into_iter().cloned().collect();
        ended.iter().for_each(|tag| self.end(tag));
    }

    fn end(&mut self, tag: &Tag) {
        self.tags.remove(tag);
        self.locked.remove(tag);
    }
}

impl Naive {
    /// Looks at the records that came since.
    pub(crate) fn catch_up(&mut self, log: &impl Log) {
        for record in records(log).into_iter().skip(self.seen) {
            self.seen += 1;
            record.events.iter().for_each(|event| self.see(event, record.time));
        }
    }

    fn see(&mut self, event: &Event, at: Timestamp) {
        let held = self.held();
        self.happens(event);
        let now = self.held();
        self.loose.retain(|digest, _| !now.contains(digest));
        self.loose.extend(held.difference(&now).map(|digest| (digest.clone(), at)));
        if let Event::ContentPurged { contents, .. } | Event::ContentCollected { contents } = event {
            self.loose.retain(|digest, _| contents.iter().all(|content| content.digest != *digest));
        }
        let (mut unnamed, mut idle) = (BTreeSet::new(), BTreeSet::new());
        for (name, repository) in &self.repositories {
            for digest in repository.blobs.iter().filter(|digest| repository.parents(digest).is_empty()) {
                unnamed.insert((name.clone(), digest.clone()));
            }
            for (digest, manifest) in &repository.manifests {
                let stands =
                    manifest.subject.as_ref().is_some_and(|subject| repository.manifests.contains_key(subject));
                if repository.parents(digest).is_empty() && repository.tags_on(digest).is_empty() && !stands {
                    idle.insert((name.clone(), digest.clone()));
                }
            }
        }
        since(&mut self.unnamed, unnamed, at);
        since(&mut self.idle, idle, at);
    }

    /// Everything that any repository has.
    pub(crate) fn held(&self) -> BTreeSet<Digest> {
        let all = self.repositories.values();
        all.flat_map(|repository| repository.blobs.iter().chain(repository.manifests.keys())).cloned().collect()
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::BlobLinked { repository, digest, .. } => {
                self.of_name(repository).blobs.insert(digest.clone());
            }
            Event::BlobUnlinked { repository, digest } => {
                self.of_name(repository).blobs.remove(digest);
            }
            Event::ManifestPushed { repository, digest, subject, references, .. } => {
                let manifest = Manifest { references: references.iter().cloned().collect(), subject: subject.clone() };
                self.of_name(repository).manifests.insert(digest.clone(), manifest);
            }
            Event::ManifestDeleted { repository, digest } => self.of_name(repository).delete_manifest(digest),
            Event::TagMoved { repository, tag, to, .. } => {
                self.of_name(repository).tags.insert(tag.clone(), to.clone());
            }
            Event::TagsDeleted { repository, tags, .. } => {
                tags.iter().for_each(|ended| self.of_name(repository).end(&ended.tag));
            }
            Event::TagErased { repository, tag, .. } => self.of_name(repository).end(tag),
            Event::TagLocked { repository, tag } => drop(self.of_name(repository).locked.insert(tag.clone())),
            Event::TagUnlocked { repository, tag } => drop(self.of_name(repository).locked.remove(tag)),
            Event::RepositoryDeleted { repository } => drop(self.repositories.remove(repository)),
            _ => {}
        }
    }

    fn of_name(&mut self, name: &RepositoryName) -> &mut Repository {
        self.repositories.entry(name.clone()).or_default()
    }
}

/// Keeps the times of those that are there still, and gives the new ones this.
fn since(times: &mut BTreeMap<Place, Timestamp>, now: BTreeSet<Place>, at: Timestamp) {
    times.retain(|place, _| now.contains(place));
    for place in now {
        times.entry(place).or_insert(at);
    }
}
