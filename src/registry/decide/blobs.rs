//! Blobs becoming visible in a repository, and ceasing to be.

use tagstone_replay::fold::State;
use tagstone_schema::{Digest, Event, RepositoryName};

use super::super::rejection::Rejection;
use super::{known, protection, refuse_in_use};

pub(super) fn link(state: &State, repository: &RepositoryName, digest: &Digest, size: u64) -> Vec<Event> {
    if state.repository(repository.as_str()).is_some_and(|known| known.blob(digest).is_some()) {
        return Vec::new();
    }
    vec![Event::BlobLinked { repository: repository.clone(), digest: digest.clone(), size, mounted_from: None }]
}

pub(super) fn mount(
    state: &State,
    repository: &RepositoryName,
    digest: &Digest,
    from: &RepositoryName,
) -> Result<Vec<Event>, Rejection> {
    let size = known(state, from)?
        .blob(digest)
        .ok_or_else(|| Rejection::BlobUnknown { repository: from.clone(), digest: digest.clone() })?;
    if state.repository(repository.as_str()).is_some_and(|target| target.blob(digest).is_some()) {
        return Ok(Vec::new());
    }
    let (repository, digest) = (repository.clone(), digest.clone());
    Ok(vec![Event::BlobLinked { repository, digest, size, mounted_from: Some(from.clone()) }])
}

pub(super) fn delete(state: &State, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Event>, Rejection> {
    let target = known(state, repository)?;
    if target.blob(digest).is_none() {
        return Err(Rejection::BlobUnknown { repository: repository.clone(), digest: digest.clone() });
    }
    protection::refuse_held(state, target, repository, digest)?;
    refuse_in_use(target, repository, digest)?;
    Ok(vec![Event::BlobUnlinked { repository: repository.clone(), digest: digest.clone() }])
}
