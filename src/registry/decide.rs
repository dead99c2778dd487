//! Decisions: a command and the state it meets become events, or a rejection.
//!
//! Pure: no clock, no randomness, no IO. Time and ids arrive with the command.

use tagstone_replay::fold::{Repository, State};
use tagstone_schema::media_type::ManifestKind;
use tagstone_schema::{Digest, Event, RepositoryName, Tag};

use super::command::{Command, Condition, PutManifest};
use super::rejection::{Referenced, Rejection};
use tagstone_schema::event::{DeletionCause, EndedTag};

/// Decides a command. No events mean that the state is already as was asked for.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::LinkBlob { repository, digest, size } => Ok(link_blob(state, repository, digest, *size)),
        Command::MountBlob { repository, digest, from } => mount_blob(state, repository, digest, from),
        Command::DeleteBlob { repository, digest } => delete_blob(state, repository, digest),
        Command::PutManifest(put) => put_manifest(state, put),
        Command::DeleteManifest { repository, digest, condition } => {
            delete_manifest(state, repository, digest, condition)
        }
        Command::DeleteTag { repository, tag, condition } => delete_tag(state, repository, tag, condition),
    }
}

fn link_blob(state: &State, repository: &RepositoryName, digest: &Digest, size: u64) -> Vec<Event> {
    if state.repository(repository.as_str()).is_some_and(|known| known.blob(digest).is_some()) {
        return Vec::new();
    }
    vec![Event::BlobLinked { repository: repository.clone(), digest: digest.clone(), size, mounted_from: None }]
}

fn mount_blob(
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

fn delete_blob(state: &State, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Event>, Rejection> {
    let target = known(state, repository)?;
    if target.blob(digest).is_none() {
        return Err(Rejection::BlobUnknown { repository: repository.clone(), digest: digest.clone() });
    }
    refuse_in_use(target, repository, digest)?;
    Ok(vec![Event::BlobUnlinked { repository: repository.clone(), digest: digest.clone() }])
}

fn put_manifest(state: &State, put: &PutManifest) -> Result<Vec<Event>, Rejection> {
    let target = state.repository(put.repository.as_str());
    let stored = target.and_then(|target| target.manifest(&put.digest));
    let mut events = Vec::new();
    match stored {
        Some(stored) if stored.media_type != put.media_type => {
            return Err(Rejection::MediaTypeDiffers {
                repository: put.repository.clone(),
                digest: put.digest.clone(),
                stored: stored.media_type.clone(),
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

fn refuse_missing(target: Option<&Repository>, put: &PutManifest) -> Result<(), Rejection> {
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

fn delete_manifest(
    state: &State,
    repository: &RepositoryName,
    digest: &Digest,
    condition: &Condition,
) -> Result<Vec<Event>, Rejection> {
    let target = known(state, repository)?;
    if target.manifest(digest).is_none() {
        return Err(Rejection::ManifestUnknown { repository: repository.clone(), digest: digest.clone() });
    }
    refuse_in_use(target, repository, digest)?;
    check_condition(condition, repository, digest, Some(digest))?;
    Ok(vec![Event::ManifestDeleted { repository: repository.clone(), digest: digest.clone() }])
}

fn delete_tag(
    state: &State,
    repository: &RepositoryName,
    tag: &Tag,
    condition: &Condition,
) -> Result<Vec<Event>, Rejection> {
    let standing = known(state, repository)?.tag(tag.as_str()).map(|state| state.digest());
    check_condition(condition, repository, tag, standing)?;
    let was = standing.ok_or_else(|| Rejection::TagUnknown { repository: repository.clone(), tag: tag.clone() })?;
    Ok(vec![Event::TagsDeleted {
        repository: repository.clone(),
        tags: vec![EndedTag { tag: tag.clone(), was: was.clone() }],
        cause: DeletionCause::Request,
    }])
}

fn known<'a>(state: &'a State, repository: &RepositoryName) -> Result<&'a Repository, Rejection> {
    state.repository(repository.as_str()).ok_or_else(|| Rejection::RepositoryUnknown { repository: repository.clone() })
}

fn refuse_in_use(target: &Repository, repository: &RepositoryName, digest: &Digest) -> Result<(), Rejection> {
    let by: Vec<_> = target.referenced_by(digest).cloned().collect();
    if by.is_empty() {
        return Ok(());
    }
    Err(Rejection::InUse { repository: repository.clone(), digest: digest.clone(), by })
}

fn check_condition(
    condition: &Condition,
    repository: &RepositoryName,
    reference: &impl ToString,
    standing: Option<&Digest>,
) -> Result<(), Rejection> {
    if condition.holds(standing) {
        return Ok(());
    }
    Err(Rejection::PreconditionFailed {
        repository: repository.clone(),
        reference: reference.to_string(),
        standing: standing.cloned(),
    })
}

#[cfg(test)]
mod tests;
