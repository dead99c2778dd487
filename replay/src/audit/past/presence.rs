//! What there was of a digest in a repository.

use tagstone_schema::{Digest, Event, RepositoryName};

use super::{Past, PastError, written};
use crate::audit::Place;
use crate::audit::query::{Found, Order};
use crate::audit::term::Term;

/// The events that brought a digest into a repository, as what it was there. The same bytes can be a manifest and a blob.
pub(super) struct Presence {
    pub(super) manifest: Option<Found>,
    pub(super) blob: Option<Found>,
}

impl Past<'_> {
    /// What there was of a digest. `deleted` is where the repository was deleted last.
    pub(super) fn presence(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        deleted: Option<Place>,
    ) -> Result<Presence, PastError> {
        let (mut manifest, mut blob) = (None, None);
        let term = Term::Presence(repository.as_str(), digest);
        for found in self.archive.events_of(term, Place::last_of(self.seq), Order::Descending) {
            let found = found?;
            if Some(found.place()) < deleted || (manifest.is_some() && blob.is_some()) {
                break;
            }
            match written(&found) {
                Some(Event::ManifestPushed { digest: own, .. }) if own == digest => {
                    manifest.get_or_insert(Some(found));
                }
                Some(Event::ManifestDeleted { .. }) => {
                    manifest.get_or_insert(None);
                }
                Some(Event::BlobLinked { .. }) => {
                    blob.get_or_insert(Some(found));
                }
                Some(Event::BlobUnlinked { .. }) => {
                    blob.get_or_insert(None);
                }
                _ => {}
            }
        }
        Ok(Presence { manifest: manifest.flatten(), blob: blob.flatten() })
    }
}
