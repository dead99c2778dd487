//! Blobs, manifests, and whole repositories.

use std::collections::BTreeSet;

use tagstone::registry::{Condition, PutManifest};
use tagstone_schema::Digest;
use tagstone_schema::media_type::ManifestKind;

use super::{Changed, Moment, Shelf, Why, World, holds};

impl World {
    pub(super) fn link(&mut self, repository: &str, digest: &Digest, size: u64) -> Changed {
        let shelf = self.shelves.entry(repository.to_owned()).or_default();
        match shelf.blobs.insert(digest.to_string(), size) {
            None => Changed::Something,
            Some(_) => Changed::Nothing,
        }
    }

    pub(super) fn delete_blob(&mut self, repository: &str, digest: &Digest) -> Result<Changed, Why> {
        if !self.shelf(repository)?.blobs.contains_key(&digest.to_string()) {
            return Err(Why::Other);
        }
        self.check_held(repository, digest)?;
        self.shelf_mut(repository)?.blobs.remove(&digest.to_string());
        Ok(Changed::Something)
    }

    pub(super) fn delete_manifest(
        &mut self,
        repository: &str,
        digest: &Digest,
        condition: &Condition,
        now: Moment,
    ) -> Result<Changed, Why> {
        if !self.shelf(repository)?.manifests.contains_key(&digest.to_string()) {
            return Err(Why::Other);
        }
        self.check_held(repository, digest)?;
        holds(condition, Some(&digest.to_string()))?;
        for tag in self.tags_of(repository) {
            if self.shelf(repository)?.tags[&tag].digest == digest.to_string() {
                self.end(repository, &tag, now);
            }
        }
        self.shelf_mut(repository)?.manifests.remove(&digest.to_string());
        Ok(Changed::Something)
    }

    pub(super) fn delete_repository(&mut self, repository: &str, now: Moment) -> Result<Changed, Why> {
        self.shelf(repository)?;
        let tags = self.tags_of(repository);
        self.check_ends(repository, &tags)?;
        for tag in tags {
            self.end(repository, &tag, now);
        }
        self.shelves.remove(repository);
        Ok(Changed::Something)
    }

    pub(super) fn put(&mut self, image: &PutManifest, now: Moment) -> Result<Changed, Why> {
        let (repository, digest) = (image.repository.as_str(), image.digest.to_string());
        let tags: BTreeSet<_> = image.tags.iter().map(ToString::to_string).collect();
        self.check_moves(repository, &tags, &digest)?;
        let shelf = self.shelves.entry(repository.to_owned()).or_default();
        let mut changed = Changed::Nothing;
        if image.tags.is_empty() {
            holds(&image.condition, shelf.manifests.contains_key(&digest).then_some(&digest))?;
        }
        if !shelf.manifests.contains_key(&digest) {
            let is_there = |reference: &Digest| match image.kind {
                ManifestKind::Image => shelf.blobs.contains_key(&reference.to_string()),
                ManifestKind::Index => shelf.manifests.contains_key(&reference.to_string()),
            };
            if !image.references.iter().all(is_there) {
                return Err(Why::Other);
            }
            shelf.manifests.insert(digest.clone(), (image.clone(), now));
            changed = Changed::Something;
        }
        for tag in tags {
            let standing = self.shelf(repository)?.tags.get(&tag).map(|sign| sign.digest.clone());
            holds(&image.condition, standing.as_ref())?;
            if standing.as_ref() != Some(&digest) {
                self.point(repository, &tag, &digest, now);
                changed = Changed::Something;
            }
        }
        Ok(changed)
    }

    /// Refuses to delete what protected tags reach, and what a manifest names.
    fn check_held(&self, repository: &str, digest: &Digest) -> Result<(), Why> {
        let shelf = self.shelf(repository)?;
        let mut holding = BTreeSet::new();
        for (tag, sign) in &shelf.tags {
            if self.protects(repository, tag) && shelf.reaches(&sign.digest, &digest.to_string()) {
                holding.insert(tag.clone());
            }
        }
        if !holding.is_empty() {
            return Err(Why::Immutable(holding));
        }
        if shelf.manifests.values().any(|(image, _)| image.references.contains(digest)) {
            return Err(Why::InUse);
        }
        Ok(())
    }
}

impl Shelf {
    /// Whether a manifest is the wanted content, or is made of it.
    fn reaches(&self, from: &str, wanted: &str) -> bool {
        if from == wanted {
            return true;
        }
        let Some((image, _)) = self.manifests.get(from) else { return false };
        image.references.iter().any(|reference| self.reaches(&reference.to_string(), wanted))
    }
}
