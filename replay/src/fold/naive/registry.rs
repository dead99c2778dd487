//! What a registry has, worked out without any of the fold's tables: every answer is searched for in all that there is.

use std::collections::{BTreeMap, BTreeSet};

use tagstone_schema::Event;
use tagstone_schema::event::ContentKind;

use crate::fold::State;

/// A registry of a few repositories. Digests and tags are kept as texts.
#[derive(Clone, Default)]
pub(super) struct NaiveRegistry {
    repositories: BTreeMap<String, NaiveRepository>,
    /// What no repository holds any more, since when.
    loose: BTreeMap<String, (i64, ContentKind)>,
}

#[derive(Clone, Default)]
struct NaiveRepository {
    /// With their sizes, and since when no manifest names them, if none does.
    blobs: BTreeMap<String, (u64, i64)>,
    manifests: BTreeMap<String, NaiveManifest>,
    tags: BTreeMap<String, String>,
}

#[derive(Clone)]
struct NaiveManifest {
    references: BTreeSet<String>,
    subject: Option<String>,
    /// When what held it last went away.
    idle: i64,
}

impl NaiveRepository {
    fn parents(&self, digest: &str) -> Vec<&String> {
        let naming = self.manifests.iter().filter(|(_, manifest)| manifest.references.contains(digest));
        naming.map(|(parent, _)| parent).collect()
    }

    fn holds(&self, digest: &str) -> bool {
        self.blobs.contains_key(digest) || self.manifests.contains_key(digest)
    }

    fn tags_on(&self, digest: &str) -> Vec<&String> {
        self.tags.iter().filter(|(_, to)| *to == digest).map(|(tag, _)| tag).collect()
    }

    fn referrers(&self, digest: &str) -> Vec<&String> {
        let naming = self.manifests.iter().filter(|(_, manifest)| manifest.subject.as_deref() == Some(digest));
        naming.map(|(referrer, _)| referrer).collect()
    }

    /// A tag has left a manifest.
    fn leave(&mut self, digest: &str, at: i64) {
        if self.tags_on(digest).is_empty()
            && let Some(left) = self.manifests.get_mut(digest)
        {
            left.idle = at;
        }
    }

    fn delete_manifest(&mut self, digest: &str, at: i64) {
        self.tags.retain(|_, to| to != digest);
        let Some(gone) = self.manifests.remove(digest) else { return };
        let unnamed: Vec<_> = gone.references.into_iter().filter(|named| self.parents(named).is_empty()).collect();
        for named in &unnamed {
            self.blobs.entry(named.clone()).and_modify(|(_, since)| *since = at);
            self.manifests.entry(named.clone()).and_modify(|manifest| manifest.idle = at);
        }
        let referrers = self.manifests.values_mut().filter(|manifest| manifest.subject.as_deref() == Some(digest));
        referrers.for_each(|referrer| referrer.idle = at);
    }
}

impl NaiveRegistry {
    fn holders(&self, digest: &str) -> Vec<&String> {
        self.repositories.iter().filter(|(_, held)| held.holds(digest)).map(|(name, _)| name).collect()
    }

    /// Applies an event; false, and nothing happens, if it cannot have happened.
    pub(super) fn apply(&mut self, event: &Event, at: i64) -> bool {
        let held_before = self.repositories.values().flat_map(|held| {
            let kind = |digest: &String| match held.manifests.contains_key(digest) {
                true => ContentKind::Manifest,
                false => ContentKind::Blob,
            };
            held.blobs.keys().chain(held.manifests.keys()).map(move |digest| (digest.clone(), kind(digest)))
        });
        let held_before: BTreeMap<_, _> = held_before.collect();
        let Some(()) = self.happen(event, at) else { return false };
        for (digest, kind) in held_before {
            if self.holders(&digest).is_empty() {
                // What it was is what it was in the repository that let it go, by what took it away.
                let kind = match event {
                    Event::ManifestDeleted { .. } => ContentKind::Manifest,
                    Event::BlobUnlinked { .. } => ContentKind::Blob,
                    _ => kind,
                };
                self.loose.insert(digest, (at, kind));
            }
        }
        let loose: Vec<_> = self.loose.keys().filter(|digest| !self.holders(digest).is_empty()).cloned().collect();
        self.loose.retain(|digest, _| !loose.contains(digest));
        true
    }

    fn happen(&mut self, event: &Event, at: i64) -> Option<()> {
        match event {
            Event::BlobLinked { repository, digest, size, mounted_from } => {
                let digest = digest.to_string();
                if let Some(from) = mounted_from {
                    let (stands, _) = self.repositories.get(from.as_str())?.blobs.get(&digest)?;
                    (stands == size).then_some(())?;
                }
                let target = self.repositories.entry(repository.to_string()).or_default();
                target.blobs.insert(digest, (*size, at)).is_none().then_some(())
            }
            Event::BlobUnlinked { repository, digest } => {
                let target = self.repositories.get_mut(repository.as_str())?;
                target.parents(&digest.to_string()).is_empty().then_some(())?;
                target.blobs.remove(&digest.to_string()).map(drop)
            }
            Event::ManifestPushed { repository, digest, subject, references, .. } => {
                let references = references.iter().map(ToString::to_string).collect();
                let manifest =
                    NaiveManifest { references, subject: subject.as_ref().map(ToString::to_string), idle: at };
                let target = self.repositories.entry(repository.to_string()).or_default();
                target.manifests.insert(digest.to_string(), manifest).is_none().then_some(())
            }
            Event::ManifestDeleted { repository, digest } => {
                let (target, digest) = (self.repositories.get_mut(repository.as_str())?, digest.to_string());
                (target.parents(&digest).is_empty() && target.manifests.contains_key(&digest)).then_some(())?;
                target.delete_manifest(&digest, at);
                Some(())
            }
            Event::RepositoryDeleted { repository } => self.repositories.remove(repository.as_str()).map(drop),
            Event::TagMoved { repository, tag, from, to } => {
                let (target, to) = (self.repositories.get_mut(repository.as_str())?, to.to_string());
                let from = from.as_ref().map(ToString::to_string);
                let is_so = target.tags.get(tag.as_str()) == from.as_ref() && from.as_ref() != Some(&to);
                (is_so && target.manifests.contains_key(&to)).then_some(())?;
                target.tags.insert(tag.to_string(), to);
                from.iter().for_each(|from| target.leave(from, at));
                Some(())
            }
            Event::TagsDeleted { repository, tags, .. } => {
                let target = self.repositories.get_mut(repository.as_str())?;
                for ended in tags {
                    target.tags.get(ended.tag.as_str()).filter(|stood| **stood == ended.was.to_string())?;
                    target.tags.remove(ended.tag.as_str());
                    target.leave(&ended.was.to_string(), at);
                }
                Some(())
            }
            Event::ContentCollected { contents } => {
                for removed in contents {
                    self.holders(&removed.digest.to_string()).is_empty().then_some(())?;
                    self.loose.remove(&removed.digest.to_string());
                }
                Some(())
            }
            _ => None,
        }
    }

    /// What there is to be told of these digests.
    pub(super) fn told(&self, digests: &[String]) -> Vec<String> {
        let registry = digests.iter().map(|digest| {
            let blobs = self.repositories.iter().filter(|(_, held)| held.blobs.contains_key(digest));
            let linked: Vec<_> = blobs.map(|(name, _)| name).collect();
            format!("{digest} {:?} {linked:?} {:?}", self.holders(digest), self.loose.get(digest))
        });
        let contents = self.repositories.iter().flat_map(|(name, held)| {
            digests.iter().map(move |digest| {
                let (by, tags, referrers) = (held.parents(digest), held.tags_on(digest), held.referrers(digest));
                let blob = held.blobs.get(digest);
                let unreferenced = blob.filter(|_| by.is_empty()).map(|(_, since)| *since);
                let idle = held.manifests.get(digest).filter(|manifest| {
                    let stands = |subject: &String| held.manifests.contains_key(subject);
                    by.is_empty() && tags.is_empty() && !manifest.subject.as_ref().is_some_and(stands)
                });
                let (size, idle) = (blob.map(|(size, _)| *size), idle.map(|manifest| manifest.idle));
                let has = held.manifests.get(digest).map(|manifest| manifest.references.iter().collect::<Vec<_>>());
                format!("{name} {digest} {size:?} {has:?} {by:?} {tags:?} {referrers:?} {unreferenced:?} {idle:?}")
            })
        });
        registry.chain(contents).chain([self.loose.len().to_string()]).collect()
    }
}

/// The same, told by a state.
pub(super) fn told_by(state: &State, digests: &[String]) -> Vec<String> {
    let digest = |digest: &str| digest.parse::<tagstone_schema::Digest>().unwrap();
    let registry = digests.iter().map(|text| {
        let digest = digest(text);
        let held: Vec<_> = state.holders(&digest).map(ToString::to_string).collect();
        let linked: BTreeSet<_> = state.blob_holders(&digest).map(ToString::to_string).collect();
        let loose = state.loose(&digest);
        assert_eq!(state.knows(&digest), !held.is_empty() || loose.is_some());
        let loose = loose.map(|loose| (loose.since.0, loose.kind));
        format!("{text} {held:?} {:?} {loose:?}", linked.into_iter().collect::<Vec<_>>())
    });
    let contents = state.repositories().flat_map(|(name, asked)| {
        let (blobs, manifests): (Vec<_>, Vec<_>) = (asked.blobs().collect(), asked.manifests().collect());
        assert_eq!(asked.manifest_count(), manifests.len());
        digests.iter().map(move |text| {
            let digest = digest(text);
            let by: BTreeSet<_> = asked.referenced_by(&digest).map(ToString::to_string).collect();
            assert_eq!(by.len(), asked.reference_count(&digest));
            let tags: Vec<_> = asked.tags_on(&digest).into_iter().flat_map(|tags| tags.iter()).collect();
            let tags: Vec<_> = tags.into_iter().map(ToString::to_string).collect();
            let referrers: Vec<_> = asked.referrers(&digest, None).map(|found| found.digest.to_string()).collect();
            let size = asked.blob(&digest);
            let has = asked.manifest(&digest).map(|manifest| {
                let mut references: Vec<_> = asked.references(manifest).map(ToString::to_string).collect();
                references.sort_unstable();
                references
            });
            assert_eq!(blobs.iter().find(|(other, _)| **other == digest).map(|(_, size)| *size), size);
            assert_eq!(manifests.iter().any(|manifest| manifest.digest == digest), has.is_some());
            let since = [asked.unreferenced_since(&digest), asked.idle_since(&digest)];
            let [unreferenced, idle] = since.map(|since| since.map(|since| since.0));
            let by: Vec<_> = by.into_iter().collect();
            format!("{name} {text} {size:?} {has:?} {by:?} {tags:?} {referrers:?} {unreferenced:?} {idle:?}")
        })
    });
    registry.chain(contents).chain([state.all_loose().count().to_string()]).collect()
}
