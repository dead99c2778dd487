//! Events from plain texts.

use tagstone_schema::event::{DeletionCause, EndedTag, Event};
use tagstone_schema::media_type::{DOCKER_IMAGE, OCI_IMAGE, OCI_INDEX};
use tagstone_schema::{Digest, Timestamp};

pub(super) fn link(repository: &str, digest: Digest, size: u64) -> Event {
    Event::BlobLinked { repository: repository.parse().unwrap(), digest, size, mounted_from: None }
}

pub(super) fn mount(repository: &str, digest: Digest, size: u64, from: &str) -> Event {
    let mounted_from = Some(from.parse().unwrap());
    Event::BlobLinked { repository: repository.parse().unwrap(), digest, size, mounted_from }
}

pub(super) fn unlink(repository: &str, digest: Digest) -> Event {
    Event::BlobUnlinked { repository: repository.parse().unwrap(), digest }
}

/// An image manifest of 512 bytes; without an artifact type it is one of Docker's.
pub(super) fn image(
    repository: &str,
    digest: Digest,
    artifact_type: Option<&str>,
    subject: Option<Digest>,
    references: &[Digest],
) -> Event {
    Event::ManifestPushed {
        repository: repository.parse().unwrap(),
        digest,
        size: 512,
        media_type: if artifact_type.is_some() { OCI_IMAGE } else { DOCKER_IMAGE }.parse().unwrap(),
        artifact_type: artifact_type.map(|text| text.parse().unwrap()),
        subject,
        references: references.iter().cloned().collect(),
    }
}

pub(super) fn index(repository: &str, digest: Digest, children: &[Digest]) -> Event {
    Event::ManifestPushed {
        repository: repository.parse().unwrap(),
        digest,
        size: 512,
        media_type: OCI_INDEX.parse().unwrap(),
        artifact_type: None,
        subject: None,
        references: children.iter().cloned().collect(),
    }
}

pub(super) fn moved(repository: &str, tag: &str, from: Option<Digest>, to: Digest) -> Event {
    Event::TagMoved { repository: repository.parse().unwrap(), tag: tag.parse().unwrap(), from, to }
}

pub(super) fn erased(repository: &str, tag: &str, was: Digest, reason: &str) -> Event {
    Event::TagErased {
        repository: repository.parse().unwrap(),
        tag: tag.parse().unwrap(),
        was,
        reason: reason.to_owned(),
    }
}

pub(super) fn locked(repository: &str, tag: &str) -> Event {
    Event::TagLocked { repository: repository.parse().unwrap(), tag: tag.parse().unwrap() }
}

pub(super) fn unlocked(repository: &str, tag: &str) -> Event {
    Event::TagUnlocked { repository: repository.parse().unwrap(), tag: tag.parse().unwrap() }
}

pub(super) fn expiry(repository: &str, tag: &str, at: Option<Timestamp>) -> Event {
    Event::TagExpirySet { repository: repository.parse().unwrap(), tag: tag.parse().unwrap(), at }
}

pub(super) fn tag_deletion(repository: &str, tags: &[(&str, Digest)], cause: DeletionCause) -> Event {
    let ended = |(tag, was): &(&str, Digest)| EndedTag { tag: tag.parse().unwrap(), was: was.clone() };
    Event::TagsDeleted { repository: repository.parse().unwrap(), tags: tags.iter().map(ended).collect(), cause }
}
