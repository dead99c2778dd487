//! Events on blobs, manifests and whole repositories.

use std::sync::Arc;

use tagstone_schema::event::{ContentKind, RemovedContent};
use tagstone_schema::{Digest, MediaType, RepositoryName, Tag, Timestamp};

use super::Illegality;
use super::tags::refuse_protected;
use crate::fold::content::{Content, Held};
use crate::fold::effect::{Effect, EndCause};
use crate::fold::holders::Loose;
use crate::fold::manifest::Manifest;
use crate::fold::repository::{Arrival, Repository};
use crate::fold::state::{Moment, State};
use crate::fold::tag::{TagSet, TagState};

impl State {
    /// The repository, to be asked.
    pub(super) fn repository_of(&self, repository: &RepositoryName) -> Result<&Repository, Illegality> {
        let place = self.repositories.place_near(repository, self.latest);
        let found = place.and_then(|place| self.repositories.at(place));
        let unknown = || Illegality::RepositoryUnknown { repository: repository.clone() };
        found.map(|found| &**found).ok_or_else(unknown)
    }

    /// The repository, to be changed.
    pub(super) fn existing(&mut self, repository: &RepositoryName) -> Result<&mut Repository, Illegality> {
        let unknown = || Illegality::RepositoryUnknown { repository: repository.clone() };
        self.latest = self.repositories.place_near(repository, self.latest).ok_or_else(unknown)?;
        self.repositories.at_mut(self.latest).map(Arc::make_mut).ok_or_else(unknown)
    }

    /// Makes the repository where it does not exist: the first thing put into a repository creates it.
    fn made(&mut self, repository: &RepositoryName) -> Result<&mut Repository, Illegality> {
        if self.repositories.place_near(repository, self.latest).is_none() {
            if repository.is_reserved() {
                return Err(Illegality::RepositoryReserved { repository: repository.clone() });
            }
            self.names.insert(repository.clone());
            let number = self.numbers.give(repository);
            let made = Repository::new(repository.clone(), number, &self.keeping);
            self.repositories.insert(repository.clone(), Arc::new(made));
        }
        self.existing(repository)
    }

    /// The copy of a media type that all manifests share.
    pub(super) fn shared(&mut self, media_type: &MediaType) -> MediaType {
        if let Some(known) = self.media_types.get(media_type) {
            return known.clone();
        }
        self.media_types.insert(media_type.clone());
        media_type.clone()
    }

    pub(super) fn link_blob(
        &mut self,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
        mounted_from: Option<&RepositoryName>,
        at: Timestamp,
    ) -> Result<(), Illegality> {
        if let Some(from) = mounted_from {
            let stands = self.repository(from.as_str()).and_then(|source| source.blob(digest));
            match stands {
                None => return Err(Illegality::BlobUnknown { repository: from.clone(), digest: digest.clone() }),
                Some(stands) if stands != size => {
                    return Err(Illegality::MountDiffers { repository: from.clone(), digest: digest.clone() });
                }
                Some(_) => {}
            }
        }
        let target = self.made(repository)?;
        let link = |content: &mut Content| (content.is_held(), content.link(size, at));
        let (was_held, linked) = target.contents.change(digest, || Content::new(at), link);
        if linked.is_some() {
            return Err(Illegality::BlobLinkedTwice { repository: repository.clone(), digest: digest.clone() });
        }
        if !was_held {
            let number = target.number;
            self.note_holder(digest, number);
        }
        Ok(())
    }

    pub(super) fn unlink_blob(
        &mut self,
        at: Timestamp,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Illegality> {
        let target = self.existing(repository)?;
        refuse_referenced(target, repository, digest)?;
        if target.blob(digest).is_none() {
            return Err(Illegality::BlobUnknown { repository: repository.clone(), digest: digest.clone() });
        }
        target.forget(digest, |content| content.blob = None);
        let number = target.number;
        if target.manifest(digest).is_none() {
            self.forget_holder(digest, (number, repository), Loose { since: at, kind: ContentKind::Blob });
        }
        Ok(())
    }

    /// The bytes of content are gone, which no repository may hold any more.
    pub(super) fn lose_bytes(&mut self, contents: &[RemovedContent]) -> Result<(), Illegality> {
        for RemovedContent { digest, .. } in contents {
            if let Some(repository) = self.holders(digest).next() {
                return Err(Illegality::ContentHeld { digest: digest.clone(), repository: repository.clone() });
            }
            self.forget_loose(digest);
        }
        Ok(())
    }

    pub(super) fn push_manifest(&mut self, repository: &RepositoryName, manifest: Manifest) -> Result<(), Illegality> {
        let target = self.made(repository)?;
        let manifest = Arc::new(manifest);
        let idle = manifest.pushed.time;
        match target.hold(Held { manifest: manifest.clone(), tags: TagSet::Empty, idle }) {
            Arrival::First => {
                let number = target.number;
                self.note_holder(&manifest.digest, number);
            }
            Arrival::BesideBlob => {}
            Arrival::Again => {
                let (repository, digest) = (repository.clone(), manifest.digest.clone());
                return Err(Illegality::ManifestPushedTwice { repository, digest });
            }
        }
        Ok(())
    }

    /// Removes a manifest, and with it every tag on it. Manifests that name it as their subject stay: they are
    /// listed again when it returns.
    pub(super) fn delete_manifest(
        &mut self,
        at: Moment,
        repository: &RepositoryName,
        digest: &Digest,
        observe: &mut impl FnMut(Effect<'_>),
    ) -> Result<(), Illegality> {
        let target = self.repository_of(repository)?;
        refuse_referenced(target, repository, digest)?;
        let Some(tags) = target.tags_on(digest) else {
            return Err(Illegality::ManifestUnknown { repository: repository.clone(), digest: digest.clone() });
        };
        let ended: Vec<_> =
            tags.iter().filter_map(|tag| Some((tag.clone(), target.tag(tag.as_str())?.clone()))).collect();
        self.end_tags_unnamed(at, repository, &ended, EndCause::ManifestDeleted, observe)?;
        let target = self.existing(repository)?;
        let Some(held) = target.held(digest).cloned() else { return Ok(()) };
        for tag in held.tags.iter() {
            target.tags.remove(tag);
        }
        target.forget(digest, |content| content.manifest = None);
        target.manifests = target.manifests.saturating_sub(1);
        for reference in &held.manifest.references {
            target.forget(reference, |content| content.lose_parent(digest, at.time));
        }
        if let Some(subject) = &held.manifest.subject {
            let is_last = target.referrers.get_mut(subject).is_some_and(|all| {
                all.remove(digest);
                all.is_empty()
            });
            if is_last {
                target.referrers.remove(subject);
            }
        }
        let referrers: Vec<_> = target.referrers(digest, None).map(|referrer| referrer.digest.clone()).collect();
        for referrer in &referrers {
            if let Some(held) = target.held_mut(referrer) {
                held.idle = at.time;
            }
        }
        let number = target.number;
        if target.blob(digest).is_none() {
            let loose = Loose { since: at.time, kind: ContentKind::Manifest };
            self.forget_holder(digest, (number, repository), loose);
        }
        Ok(())
    }

    pub(super) fn delete_repository(
        &mut self,
        at: Moment,
        repository: &RepositoryName,
        observe: &mut impl FnMut(Effect<'_>),
    ) -> Result<(), Illegality> {
        let Some(gone) = self.repositories.get(repository).cloned() else {
            return Err(Illegality::RepositoryUnknown { repository: repository.clone() });
        };
        let ended: Vec<_> = gone.tags_after(None).map(|(tag, state)| (tag.clone(), state.clone())).collect();
        self.end_tags_unnamed(at, repository, &ended, EndCause::RepositoryDeleted, observe)?;
        self.repositories.remove(repository);
        self.names.remove(repository);
        for (digest, content) in gone.contents.iter() {
            let kind = match (&content.manifest, content.blob) {
                (Some(_), _) => ContentKind::Manifest,
                (None, Some(_)) => ContentKind::Blob,
                (None, None) => continue,
            };
            self.forget_holder(digest, (gone.number, repository), Loose { since: at.time, kind });
        }
        self.numbers.free(gone.number);
        Ok(())
    }

    /// Tags end with what held them, by an event that does not name them: all may, or none does.
    fn end_tags_unnamed(
        &mut self,
        at: Moment,
        repository: &RepositoryName,
        ended: &[(Tag, TagState)],
        cause: EndCause,
        observe: &mut impl FnMut(Effect<'_>),
    ) -> Result<(), Illegality> {
        let protection = self.protection(repository);
        ended.iter().try_for_each(|(tag, state)| refuse_protected(&protection, repository, tag, state))?;
        let bound: Vec<_> = ended.iter().map(|(tag, state)| protection.bound(tag, state)).collect();
        for ((tag, state), bound) in ended.iter().zip(bound) {
            self.forget_tag(at, repository, tag, state, bound);
            observe(Effect::TagEnded { repository, tag, was: state.stood(), cause });
        }
        Ok(())
    }
}

impl Repository {
    /// Takes away part of what is known of a digest, and the entry with the last part.
    fn forget(&mut self, digest: &Digest, part: impl FnOnce(&mut Content)) {
        let is_empty = self.contents.get_mut(digest).is_some_and(|content| {
            part(content);
            content.is_empty()
        });
        if is_empty {
            self.contents.remove(digest);
        }
    }
}

fn refuse_referenced(target: &Repository, repository: &RepositoryName, digest: &Digest) -> Result<(), Illegality> {
    // A manifest that names itself cannot exist, so any entry is another manifest.
    match target.referenced_by(digest).min() {
        Some(by) => {
            Err(Illegality::StillReferenced { repository: repository.clone(), digest: digest.clone(), by: by.clone() })
        }
        None => Ok(()),
    }
}
