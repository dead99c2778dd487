//! Events on tags.

use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

use super::{Illegality, Standing};
use crate::fold::state::{Moment, State};
use crate::fold::tag::TagState;

impl State {
    pub(super) fn move_tag(
        &mut self,
        at: Moment,
        repository: &RepositoryName,
        tag: &Tag,
        from: Option<&Digest>,
        to: &Digest,
    ) -> Result<(), Illegality> {
        let target = self.existing(repository)?;
        let stood = target.tags.get(tag).map(|state| state.digest());
        if stood != from {
            return Err(Illegality::TagPointedElsewhere {
                repository: repository.clone(),
                tag: tag.clone(),
                stood: Standing(stood.cloned()),
                claimed: Standing(from.cloned()),
            });
        }
        if from == Some(to) {
            return Err(Illegality::TagUnmoved {
                repository: repository.clone(),
                tag: tag.clone(),
                digest: to.clone(),
            });
        }
        let Some(held) = target.manifests.get_mut(to) else {
            return Err(Illegality::ManifestUnknown { repository: repository.clone(), digest: to.clone() });
        };
        held.tags.insert(tag.clone());
        let manifest = held.manifest.clone();
        if let Some(from) = from
            && let Some(left) = target.manifests.get_mut(from)
        {
            left.tags.remove(tag);
        }
        match target.tags.get_mut(tag) {
            // A lock and an expiry belong to the name, and stay with it.
            Some(state) => {
                state.manifest = manifest;
                state.since = at;
            }
            None => {
                target.tags.insert(tag.clone(), TagState { manifest, since: at, marks: None });
            }
        }
        Ok(())
    }

    pub(super) fn end_tag(&mut self, repository: &RepositoryName, tag: &Tag, was: &Digest) -> Result<(), Illegality> {
        let target = self.existing(repository)?;
        let Some(state) = target.tags.get(tag) else {
            return Err(Illegality::TagUnknown { repository: repository.clone(), tag: tag.clone() });
        };
        if state.digest() != was {
            return Err(Illegality::TagPointedElsewhere {
                repository: repository.clone(),
                tag: tag.clone(),
                stood: Standing(Some(state.digest().clone())),
                claimed: Standing(Some(was.clone())),
            });
        }
        target.tags.remove(tag);
        if let Some(held) = target.manifests.get_mut(was) {
            held.tags.remove(tag);
        }
        Ok(())
    }

    fn live_tag(&mut self, repository: &RepositoryName, tag: &Tag) -> Result<&mut TagState, Illegality> {
        self.existing(repository)?
            .tags
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
        let state = self.live_tag(repository, tag)?;
        if state.locked().is_none() {
            return Err(Illegality::TagNotLocked { repository: repository.clone(), tag: tag.clone() });
        }
        state.mark(|marks| marks.locked = None);
        Ok(())
    }

    pub(super) fn set_expiry(
        &mut self,
        repository: &RepositoryName,
        tag: &Tag,
        expires: Option<Timestamp>,
    ) -> Result<(), Illegality> {
        self.live_tag(repository, tag)?.mark(|marks| marks.expires = expires);
        Ok(())
    }
}
