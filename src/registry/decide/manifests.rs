//! Manifests and repositories: what is pushed, and what is deleted whole.

use tagstone_replay::fold::{Repository, State};
use tagstone_schema::media_type::ManifestKind;
use tagstone_schema::{Digest, Event, RepositoryName};

use super::super::command::{Condition, PutManifest};
use super::super::rejection::{Referenced, Rejection};
use super::{check_condition, known, protection, refuse_in_use};

pub(super) fn put(state: &State, put: &PutManifest) -> Result<Vec<Event>, Rejection> {
    let target = state.repository(put.repository.as_str());
    let stored = target.and_then(|target| target.manifest(&put.digest));
    protection::refuse_moves(state, &put.repository, &put.tags, &put.digest, &put.references)?;
    let mut events = Vec::new();
    match stored {
        Some(stored) if *stored.media_type() != put.media_type => {
            return Err(Rejection::MediaTypeDiffers {
                repository: put.repository.clone(),
                digest: put.digest.clone(),
                stored: stored.media_type().clone(),
                given: put.media_type.clone(),
            });
        }
        Some(_) => {}
        None => {
            refuse_missing(target, put)?;
            events.push(Event::ManifestPushed {
                repository: put.repository.clone(),
                digest: put.digest.clone(),
                size: put.size,
                media_type: put.media_type.clone(),
                artifact_type: put.artifact_type.clone(),
                subject: put.subject.clone(),
                references: put.references.clone(),
            });
        }
    }
    if put.tags.is_empty() {
        check_condition(&put.condition, &put.repository, &put.digest, stored.map(|stored| &stored.digest))?;
    }
    for (at, tag) in put.tags.iter().enumerate() {
        let standing = target.and_then(|target| target.tag(tag.as_str())).map(|state| state.digest());
        check_condition(&put.condition, &put.repository, tag, standing)?;
        if standing != Some(&put.digest) && !put.tags[..at].contains(tag) {
            events.push(Event::TagMoved {
                repository: put.repository.clone(),
                tag: tag.clone(),
                from: standing.cloned(),
                to: put.digest.clone(),
            });
        }
    }
    Ok(events)
}

fn refuse_missing(target: Option<Repository<'_>>, put: &PutManifest) -> Result<(), Rejection> {
    let (may_be_absent, what) = match put.kind {
        ManifestKind::Image => (put.sparse.layers, Referenced::Blobs),
        ManifestKind::Index => (put.sparse.index, Referenced::Manifests),
    };
    if may_be_absent {
        return Ok(());
    }
    let present = |digest: &Digest| {
        target.is_some_and(|target| match what {
            Referenced::Blobs => target.blob(digest).is_some(),
            Referenced::Manifests => target.manifest(digest).is_some(),
        })
    };
    let missing: Vec<_> = put.required.iter().filter(|digest| !present(digest)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Rejection::ReferencesMissing { repository: put.repository.clone(), digest: put.digest.clone(), what, missing })
}

pub(super) fn delete(
    state: &State,
    repository: &RepositoryName,
    digest: &Digest,
    condition: &Condition,
) -> Result<Vec<Event>, Rejection> {
    let target = known(state, repository)?;
    if target.manifest(digest).is_none() {
        return Err(Rejection::ManifestUnknown { repository: repository.clone(), digest: digest.clone() });
    }
    protection::refuse_held(state, target, repository, digest)?;
    refuse_in_use(target, repository, digest)?;
    check_condition(condition, repository, digest, Some(digest))?;
    Ok(vec![Event::ManifestDeleted { repository: repository.clone(), digest: digest.clone() }])
}

pub(super) fn delete_repository(state: &State, repository: &RepositoryName) -> Result<Vec<Event>, Rejection> {
    let target = known(state, repository)?;
    protection::refuse_emptying(state, target, repository)?;
    Ok(vec![Event::RepositoryDeleted { repository: repository.clone() }])
}
