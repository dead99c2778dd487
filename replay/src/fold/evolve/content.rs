//! Events on blobs, manifests and whole repositories.

use std::sync::Arc;

use tagstone_schema::{Digest, MediaType, RepositoryName};

use super::Illegality;
use crate::fold::manifest::Manifest;
use crate::fold::repository::{Held, Repository};
use crate::fold::state::State;
use crate::fold::tag::TagSet;

impl State {
    /// The repository, to be changed.
    pub(super) fn existing(&mut self, repository: &RepositoryName) -> Result<&mut Repository, Illegality> {
        match self.repositories.get_mut(repository) {
            Some(existing) => Ok(Arc::make_mut(existing)),
            None => Err(Illegality::RepositoryUnknown { repository: repository.clone() }),
        }
    }

    /// The repository, made where it does not exist: the first thing put into a repository creates it.
    fn made(&mut self, repository: &RepositoryName) -> Result<&mut Repository, Illegality> {
        if repository.is_reserved() {
            return Err(Illegality::RepositoryReserved { repository: repository.clone() });
        }
        Ok(Arc::make_mut(self.repositories.entry(repository.clone()).or_default()))
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
        if target.blobs.contains_key(digest) {
            return Err(Illegality::BlobLinkedTwice { repository: repository.clone(), digest: digest.clone() });
        }
        target.blobs.insert(digest.clone(), size);
        self.blob_holders.insert((digest.clone(), repository.clone()));
        Ok(())
    }

    pub(super) fn unlink_blob(&mut self, repository: &RepositoryName, digest: &Digest) -> Result<(), Illegality> {
        let target = self.existing(repository)?;
        refuse_referenced(target, repository, digest)?;
        if target.blobs.remove(digest).is_none() {
            return Err(Illegality::BlobUnknown { repository: repository.clone(), digest: digest.clone() });
        }
        self.blob_holders.remove(&(digest.clone(), repository.clone()));
        Ok(())
    }

    pub(super) fn push_manifest(&mut self, repository: &RepositoryName, manifest: Manifest) -> Result<(), Illegality> {
        let target = self.made(repository)?;
        let digest = manifest.digest.clone();
        if target.manifests.contains_key(&digest) {
            return Err(Illegality::ManifestPushedTwice { repository: repository.clone(), digest });
        }
        for reference in &manifest.references {
            target.referenced.insert((reference.clone(), digest.clone()));
        }
        if let Some(subject) = &manifest.subject {
            target.referrers.insert((subject.clone(), digest.clone()));
        }
        target.manifests.insert(digest, Held { manifest: Arc::new(manifest), tags: TagSet::Empty });
        Ok(())
    }

    /// Removes a manifest, and with it every tag on it. Manifests that name it as their subject stay: they are
    /// listed again when it returns.
    pub(super) fn delete_manifest(&mut self, repository: &RepositoryName, digest: &Digest) -> Result<(), Illegality> {
        let target = self.existing(repository)?;
        refuse_referenced(target, repository, digest)?;
        let Some(held) = target.manifests.remove(digest) else {
            return Err(Illegality::ManifestUnknown { repository: repository.clone(), digest: digest.clone() });
        };
        for tag in held.tags.iter() {
            target.tags.remove(tag);
        }
        for reference in &held.manifest.references {
            target.referenced.remove(&(reference.clone(), digest.clone()));
        }
        if let Some(subject) = &held.manifest.subject {
            target.referrers.remove(&(subject.clone(), digest.clone()));
        }
        Ok(())
    }

    pub(super) fn delete_repository(&mut self, repository: &RepositoryName) -> Result<(), Illegality> {
        let Some(gone) = self.repositories.remove(repository) else {
            return Err(Illegality::RepositoryUnknown { repository: repository.clone() });
        };
        for digest in gone.blobs.keys() {
            self.blob_holders.remove(&(digest.clone(), repository.clone()));
        }
        Ok(())
    }
}

fn refuse_referenced(target: &Repository, repository: &RepositoryName, digest: &Digest) -> Result<(), Illegality> {
    // A manifest that names itself cannot exist, so any entry is another manifest.
    match target.referenced_by(digest).next() {
        Some(by) => {
            Err(Illegality::StillReferenced { repository: repository.clone(), digest: digest.clone(), by: by.clone() })
        }
        None => Ok(()),
    }
}
