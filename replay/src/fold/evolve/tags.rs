//! Events on tags.

use tagstone_schema::event::EndedTag;
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

use super::{Illegality, Standing};
use crate::fold::effect::{Effect, EndCause};
use crate::fold::immutability::Protection;
use crate::fold::repository::kept::Changing;
use crate::fold::state::{Moment, State};
use crate::fold::tag::{KeptTag, TagState};

/// Whether an event may end a protected tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Force {
    /// It may not, as almost all may not.
    Obeys,
    /// It is the break-glass removal by an administrator.
    BreaksGlass,
}

impl State {
    pub(super) fn move_tag(
        &mut self,
        at: Moment,
        repository: &RepositoryName,
        tag: &Tag,
        from: Option<&Digest>,
        to: &Digest,
        observe: &mut impl FnMut(Effect<'_>),
    ) -> Result<(), Illegality> {
        let found = self.found(repository)?;
        let foreseen = self.foreseen.pass(1);
        let target = self.repository_at(found)?;
        let place = target.kept.tags.place(tag, self.foreseen.tag(foreseen));
        let kept = place.and_then(|place| target.kept.tags.at(place, tag));
        let standing = kept.map(|kept| target.tag_asked(kept));
        let stood = standing.map(TagState::digest);
        if stood != from {
            return Err(pointed_elsewhere(repository, tag, stood, from));
        }
        if from == Some(to) {
            return Err(Illegality::TagUnmoved {
                repository: repository.clone(),
                tag: tag.clone(),
                digest: to.clone(),
            });
        }
        if let Some(spent) = self.spent(repository.as_str(), tag.as_str())
            && spent.only != *to
        {
            let (repository, tag, only) = (repository.clone(), tag.clone(), spent.only.clone());
            return Err(Illegality::NameSpent { repository, tag, only });
        }
        let bound = match standing {
            Some(standing) => {
                let protection = self.protection(repository);
                refuse_protected(&protection, repository, tag, standing)?;
                protection.bound(tag, standing)
            }
            None => None,
        };
        let left = kept.map(|kept| kept.manifest);
        let Some(number) = target.number(to) else {
            return Err(Illegality::ManifestUnknown { repository: repository.clone(), digest: to.clone() });
        };
        let to = &self.contents.manifests[number].manifest;
        observe(Effect::TagMoved { repository, tag, from: standing.map(TagState::stood), to });
        let target = self.changing(found)?;
        let manifests = &mut target.contents.manifests;
        // It is another one, so that the tag takes the room along that it had there.
        if let Some(left) = left {
            manifests.lose_tag(left, tag, at.time);
        }
        manifests.add_tag(number, tag.clone());
        match place.and_then(|place| target.kept.tags.at_mut(place, tag)) {
            // An expiry belongs to the name, and stays with it.
            Some(state) => {
                (state.manifest, state.since) = (number, at);
                if bound.is_some() {
                    state.mark(|marks| marks.protected_before = bound);
                }
            }
            None => target.kept.tags.insert(tag.clone(), KeptTag { manifest: number, since: at, marks: None }),
        }
        Ok(())
    }

    /// Tags end by an event that names them: all may, or none does.
    pub(super) fn end_tags(
        &mut self,
        at: Moment,
        repository: &RepositoryName,
        ended: &[EndedTag],
        cause: EndCause,
        observe: &mut impl FnMut(Effect<'_>),
    ) -> Result<(), Illegality> {
        let found = self.found(repository)?;
        let foreseen = self.foreseen.pass(ended.len());
        let (target, protection) = (self.repository_at(found)?, self.protection(repository));
        for (which, EndedTag { tag, .. }) in (foreseen..).zip(ended) {
            let place = target.kept.tags.place(tag, self.foreseen.tag(which));
            if let Some(kept) = place.and_then(|place| target.kept.tags.at(place, tag)) {
                refuse_protected(&protection, repository, tag, target.tag_asked(kept))?;
            }
        }
        (foreseen..).zip(ended).try_for_each(|(which, EndedTag { tag, was })| {
            let tag = (tag, self.foreseen.tag(which));
            self.end_tag(at, repository, tag, was, (Force::Obeys, cause), observe)
        })
    }

    /// A tag ends by an event that names it; where it may be, if that was foreseen.
    pub(super) fn end_tag(
        &mut self,
        at: Moment,
        repository: &RepositoryName,
        (tag, foreseen): (&Tag, Option<usize>),
        was: &Digest,
        (force, cause): (Force, EndCause),
        observe: &mut impl FnMut(Effect<'_>),
    ) -> Result<(), Illegality> {
        let found = self.found(repository)?;
        let target = self.repository_at(found)?;
        let place = target.kept.tags.place(tag, foreseen);
        let Some((place, kept)) = place.and_then(|place| Some((place, target.kept.tags.at(place, tag)?))) else {
            return Err(Illegality::TagUnknown { repository: repository.clone(), tag: tag.clone() });
        };
        let state = target.tag_asked(kept);
        if state.digest() != was {
            return Err(pointed_elsewhere(repository, tag, Some(state.digest()), Some(was)));
        }
        let protection = self.protection(repository);
        let bound = match force {
            Force::Obeys => {
                refuse_protected(&protection, repository, tag, state)?;
                protection.bound(tag, state)
            }
            // Whoever breaks the glass wants the name gone, also one that was never protected.
            Force::BreaksGlass => protection.bound(tag, state).or_else(|| Some(was.clone())),
        };
        observe(Effect::TagEnded { repository, tag, was: state.stood(), cause });
        let (left, expires) = (state.kept.manifest, state.expires());
        self.forget_tag(at, repository, tag, expires, bound);
        let Changing { kept, contents } = self.changing(found)?;
        kept.tags.remove(place, tag);
        contents.manifests.lose_tag(left, tag, at.time);
        Ok(())
    }

    /// What a tag leaves behind when it ends: its name is spent if it was ever protected.
    pub(super) fn forget_tag(
        &mut self,
        at: Moment,
        repository: &RepositoryName,
        tag: &Tag,
        expires: Option<Timestamp>,
        bound: Option<Digest>,
    ) {
        // A name that is spent already is removed once more, also where nothing protected its tag meanwhile.
        let spent = || self.spent(repository.as_str(), tag.as_str()).map(|spent| spent.only.clone());
        if let Some(only) = bound.or_else(spent) {
            self.spend(repository, tag, only, at);
        }
        self.forget_expiry(repository, tag, expires);
    }

    fn live_tag(&mut self, repository: &RepositoryName, tag: &Tag) -> Result<&mut KeptTag, Illegality> {
        let Changing { kept, .. } = self.existing(repository)?;
        kept.tags
            .get_mut(tag)
            .ok_or_else(|| Illegality::TagUnknown { repository: repository.clone(), tag: tag.clone() })
    }

    pub(super) fn lock_tag(&mut self, at: Moment, repository: &RepositoryName, tag: &Tag) -> Result<(), Illegality> {
        let state = self.live_tag(repository, tag)?;
        if state.locked().is_some() {
            return Err(Illegality::TagLockedTwice { repository: repository.clone(), tag: tag.clone() });
        }
        state.mark(|marks| marks.locked = Some(at));
        Ok(())
    }

    pub(super) fn unlock_tag(&mut self, repository: &RepositoryName, tag: &Tag) -> Result<(), Illegality> {
        let Changing { kept, contents } = self.existing(repository)?;
        let Some(standing) = kept.tags.get_mut(tag) else {
            return Err(Illegality::TagUnknown { repository: repository.clone(), tag: tag.clone() });
        };
        if standing.locked().is_none() {
            return Err(Illegality::TagNotLocked { repository: repository.clone(), tag: tag.clone() });
        }
        let protected_at = standing.asked(&contents.manifests).digest().clone();
        standing.mark(|marks| (marks.locked, marks.protected_before) = (None, Some(protected_at)));
        Ok(())
    }

    pub(super) fn set_expiry(
        &mut self,
        repository: &RepositoryName,
        tag: &Tag,
        expires: Option<Timestamp>,
    ) -> Result<(), Illegality> {
        let found = self.found(repository)?;
        let Some(state) = self.repository_at(found)?.tag(tag.as_str()) else {
            return Err(Illegality::TagUnknown { repository: repository.clone(), tag: tag.clone() });
        };
        if expires.is_some() {
            refuse_protected(&self.protection(repository), repository, tag, state)?;
        }
        let before = state.expires();
        self.forget_expiry(repository, tag, before);
        if let Some(expires) = expires {
            self.expiring.insert((expires, repository.clone(), tag.clone()));
        }
        self.live_tag(repository, tag)?.mark(|marks| marks.expires = expires);
        Ok(())
    }
}

pub(super) fn refuse_protected(
    protection: &Protection<'_>,
    repository: &RepositoryName,
    tag: &Tag,
    state: TagState<'_>,
) -> Result<(), Illegality> {
    if !protection.protects(tag, state) {
        return Ok(());
    }
    let digest = state.digest().clone();
    Err(Illegality::TagProtected { repository: repository.clone(), tag: tag.clone(), digest })
}

fn pointed_elsewhere(
    repository: &RepositoryName,
    tag: &Tag,
    stood: Option<&Digest>,
    claimed: Option<&Digest>,
) -> Illegality {
    Illegality::TagPointedElsewhere {
        repository: repository.clone(),
        tag: tag.clone(),
        stood: Standing(stood.cloned()),
        claimed: Standing(claimed.cloned()),
    }
}
