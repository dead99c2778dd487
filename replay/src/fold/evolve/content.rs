//! Events on blobs, manifests and whole repositories.

use std::sync::Arc;

use tagstone_schema::event::{ContentKind, RemovedContent};
use tagstone_schema::{Digest, MediaType, References, RepositoryName, Tag, Timestamp};

use super::Illegality;
use super::tags::refuse_protected;
use crate::fold::contents::holders::Loose;
use crate::fold::effect::{Effect, EndCause};
use crate::fold::manifest::{Manifest, Types};
use crate::fold::repository::Repository;
use crate::fold::repository::kept::{Changing, Kept, SharedKept};
use crate::fold::state::{Moment, State};
use crate::fold::tag::KeptTag;
use crate::fold::tags::Place;

/// A repository that was found. It is there for as long as none is removed.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    repository: &'a RepositoryName,
    place: usize,
}

impl Found<'_> {
    fn unknown(self) -> Illegality {
        Illegality::RepositoryUnknown { repository: self.repository.clone() }
    }
}

impl State {
    /// Where a repository is: most often it is the one of the event before.
    pub(super) fn found<'a>(&mut self, repository: &'a RepositoryName) -> Result<Found<'a>, Illegality> {
        let place = self.repositories.place_near(repository, self.latest, RepositoryName::is);
        let found = place.map(|place| Found { repository, place });
        self.latest = found.map_or(self.latest, |found| found.place);
        found.ok_or_else(|| Illegality::RepositoryUnknown { repository: repository.clone() })
    }

    /// The repository, to be asked.
    pub(super) fn repository_at(&self, found: Found<'_>) -> Result<Repository<'_>, Illegality> {
        let kept = self.repositories.at(found.place);
        kept.map(|kept| self.asked(kept)).ok_or_else(|| found.unknown())
    }

    /// The repository, to be changed.
    // It is a part of nearly every event.
    #[inline(always)]
    pub(super) fn changing(&mut self, found: Found<'_>) -> Result<Changing<'_>, Illegality> {
        let kept = self.repositories.at_mut(found.place).map(SharedKept::make_mut).ok_or_else(|| found.unknown())?;
        Ok(Changing { kept, contents: &mut self.contents })
    }

    /// The same, where it was not looked for before.
    pub(super) fn existing(&mut self, repository: &RepositoryName) -> Result<Changing<'_>, Illegality> {
        let found = self.found(repository)?;
        self.changing(found)
    }

    /// The repository, which is made where it does not exist: the first thing put into a repository creates it.
    fn made(&mut self, repository: &RepositoryName) -> Result<Changing<'_>, Illegality> {
        let place = self.repositories.place_near(repository, self.latest, RepositoryName::is);
        self.latest = match place {
            Some(place) => place,
            None => self.create(repository)?,
        };
        self.changing(Found { repository, place: self.latest })
    }

    /// Adds a repository that does not exist, and tells its place.
    #[cold]
    fn create(&mut self, repository: &RepositoryName) -> Result<usize, Illegality> {
        if repository.is_reserved() {
            return Err(Illegality::RepositoryReserved { repository: repository.clone() });
        }
        self.names.insert(repository.clone());
        let number = self.numbers.give(repository);
        let made = Kept::new(repository.clone(), number, &self.keeping);
        self.repositories.insert(repository.clone(), SharedKept::new(made));
        Ok(self.repositories.len() - 1)
    }

    /// The types of a manifest: the copy that all with the same share.
    pub(super) fn types(&mut self, media_type: &MediaType, artifact_type: Option<&MediaType>) -> Arc<Types> {
        let is_it =
            |types: &&Arc<Types>| types.media_type == *media_type && types.artifact_type.as_ref() == artifact_type;
        if let Some(latest) = self.latest_types.as_ref().filter(is_it) {
            return latest.clone();
        }
        let types = Types { media_type: media_type.clone(), artifact_type: artifact_type.cloned() };
        let types = match self.types.get(&types) {
            Some(known) => known.clone(),
            None => {
                let new = Arc::new(types);
                self.types.insert(new.clone());
                new
            }
        };
        self.latest_types = Some(types.clone());
        types
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
        match self.made(repository)?.link(digest, size, at) {
            None => Ok(()),
            Some(_) => Err(Illegality::BlobLinkedTwice { repository: repository.clone(), digest: digest.clone() }),
        }
    }

    pub(super) fn unlink_blob(
        &mut self,
        at: Timestamp,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Illegality> {
        let mut target = self.existing(repository)?;
        refuse_referenced(target.asked(), repository, digest)?;
        if target.asked().blob(digest).is_none() {
            return Err(Illegality::BlobUnknown { repository: repository.clone(), digest: digest.clone() });
        }
        target.forget(digest, Some(Loose { since: at, kind: ContentKind::Blob }), |content, _| content.unlink());
        Ok(())
    }

    /// The bytes of content are gone, which no repository may hold any more.
    pub(super) fn lose_bytes(&mut self, contents: &[RemovedContent]) -> Result<(), Illegality> {
        for RemovedContent { digest, .. } in contents {
            if let Some(repository) = self.holders(digest).next() {
                return Err(Illegality::ContentHeld { digest: digest.clone(), repository: repository.clone() });
            }
            self.contents.forget_loose(digest);
        }
        Ok(())
    }

    pub(super) fn push_manifest(
        &mut self,
        repository: &RepositoryName,
        manifest: Manifest,
        references: &References,
    ) -> Result<(), Illegality> {
        let held = self.made(repository)?.hold(manifest, references);
        held.map_err(|digest| Illegality::ManifestPushedTwice { repository: repository.clone(), digest })
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
        let found = self.found(repository)?;
        let target = self.repository_at(found)?;
        refuse_referenced(target, repository, digest)?;
        let Some(tags) = target.tags_on(digest) else {
            return Err(Illegality::ManifestUnknown { repository: repository.clone(), digest: digest.clone() });
        };
        let ended = tags.iter().filter_map(|tag| Some((tag.clone(), target.tag(tag.as_str())?.kept.clone())));
        let ended: Vec<_> = ended.collect();
        self.end_tags_unnamed(at, repository, &ended, EndCause::ManifestDeleted, observe)?;
        let mut target = self.changing(found)?;
        for (tag, _) in &ended {
            target.kept.tags.remove(Place::ByName, tag);
        }
        target.let_go(digest, Loose { since: at.time, kind: ContentKind::Manifest });
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
        let tags = gone.tags.after(None);
        let ended: Vec<_> = tags.map(|(tag, state)| (tag.clone(), state.clone())).collect();
        self.end_tags_unnamed(at, repository, &ended, EndCause::RepositoryDeleted, observe)?;
        self.repositories.remove(repository);
        self.names.remove(repository);
        self.contents.forget_all(&gone, at.time);
        self.numbers.free(gone.number);
        Ok(())
    }

    /// Tags end with what held them, by an event that does not name them: all may, or none does.
    fn end_tags_unnamed(
        &mut self,
        at: Moment,
        repository: &RepositoryName,
        ended: &[(Tag, KeptTag)],
        cause: EndCause,
        observe: &mut impl FnMut(Effect<'_>),
    ) -> Result<(), Illegality> {
        let (protection, manifests) = (self.protection(repository), &self.contents.manifests);
        let states = || ended.iter().map(|(tag, kept)| (tag, kept.asked(manifests)));
        states().try_for_each(|(tag, state)| refuse_protected(&protection, repository, tag, state))?;
        let bound: Vec<_> = states().map(|(tag, state)| protection.bound(tag, state)).collect();
        for ((tag, kept), bound) in ended.iter().zip(bound) {
            self.forget_tag(at, repository, tag, kept.expires(), bound);
            let was = kept.asked(&self.contents.manifests).stood();
            observe(Effect::TagEnded { repository, tag, was, cause });
        }
        Ok(())
    }
}

fn refuse_referenced(target: Repository<'_>, repository: &RepositoryName, digest: &Digest) -> Result<(), Illegality> {
    // A manifest that names itself cannot exist, so any entry is another manifest.
    if target.reference_count(digest) == 0 {
        return Ok(());
    }
    match target.referenced_by(digest).min() {
        Some(by) => {
            Err(Illegality::StillReferenced { repository: repository.clone(), digest: digest.clone(), by: by.clone() })
        }
        None => Ok(()),
    }
}
