//! Repositories with their manifests and blobs, compared.

use tagstone_schema::RepositoryName;

use super::joined::joined;
use super::{BlobChange, Change, Difference, ManifestChange, RepositoryChange};
use crate::fold::{Repository, State};

impl<'a> Difference<'a> {
    pub(super) fn compare_repositories(&mut self, before: &'a State, after: &'a State) {
        for (name, was, is) in joined(before.repositories(), after.repositories()) {
            match (was, is) {
                // States share what nothing touched.
                (Some(was), Some(is)) if was.is_same(is) => continue,
                (Some(_), None) => {
                    self.repositories.push(RepositoryChange { change: Change::Deleted, repository: name });
                }
                (None, Some(_)) => {
                    self.repositories.push(RepositoryChange { change: Change::Created, repository: name });
                }
                _ => {}
            }
            self.compare_tags(name, was, is);
            self.compare_manifests(name, was, is);
            self.compare_blobs(name, was, is);
        }
    }

    fn compare_manifests(
        &mut self,
        repository: &'a RepositoryName,
        was: Option<Repository<'a>>,
        is: Option<Repository<'a>>,
    ) {
        let of = |side: Option<Repository<'a>>| {
            side.into_iter().flat_map(Repository::manifests).map(|manifest| (&manifest.digest, manifest))
        };
        for (digest, was, is) in joined(of(was), of(is)) {
            let change = match (was, is) {
                (None, _) => Change::Created,
                (_, None) => Change::Deleted,
                (Some(was), Some(is)) if was.pushed != is.pushed => Change::Returned,
                (Some(_), Some(_)) => continue,
            };
            let size = is.or(was).map_or(0, |manifest| manifest.size);
            self.manifests.push(ManifestChange { change, repository, digest, size });
        }
    }

    fn compare_blobs(
        &mut self,
        repository: &'a RepositoryName,
        was: Option<Repository<'a>>,
        is: Option<Repository<'a>>,
    ) {
        let of = |side: Option<Repository<'a>>| side.into_iter().flat_map(Repository::blobs);
        for (digest, was, is) in joined(of(was), of(is)) {
            let change = match (was, is) {
                (None, _) => Change::Created,
                (_, None) => Change::Deleted,
                (Some(was), Some(is)) if was != is => Change::Changed,
                (Some(_), Some(_)) => continue,
            };
            self.blobs.push(BlobChange { change, repository, digest, size: is.or(was).unwrap_or(0) });
        }
    }
}
