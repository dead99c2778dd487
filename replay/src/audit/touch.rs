//! What an event is about.

use tagstone_schema::event::RefusedAttempt;
use tagstone_schema::policy::Scope;
use tagstone_schema::{Actor, Digest, Event, Namespace, RepositoryName, Tag};

use super::{AuditEvent, TagEnd, What};

/// One thing that an event is about. Most events are about one; what was refused, purged or collected is many in one event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Touch<'a> {
    /// The repository.
    pub repository: Option<&'a RepositoryName>,
    /// The namespace, of a policy that holds in one.
    pub namespace: Option<&'a Namespace>,
    /// The tag.
    pub tag: Option<&'a Tag>,
    /// The digest, or where a tag points now.
    pub digest: Option<&'a Digest>,
    /// Where a tag pointed before.
    pub from: Option<&'a Digest>,
    /// Who tried what was refused. Who did what was done stands in the record.
    pub actor: Option<&'a Actor>,
}

impl<'a> AuditEvent<'a> {
    /// Tells everything that the event is about; at least one, which may be empty.
    pub fn touches(&self, mut told: impl FnMut(Touch<'a>)) {
        match self.what {
            What::TagEnded(TagEnd { repository, tag, was, .. }) => {
                told(Touch { repository: Some(repository), tag: Some(tag), digest: Some(was), ..Touch::default() })
            }
            What::Written { event: Event::ContentPurged { repository, contents, .. }, .. } => {
                told(Touch { repository: Some(repository), ..Touch::default() });
                contents.iter().for_each(|content| {
                    told(Touch { repository: Some(repository), digest: Some(&content.digest), ..Touch::default() });
                });
            }
            What::Written { event: Event::ContentCollected { contents }, .. } => {
                told(Touch::default());
                contents.iter().for_each(|content| told(Touch { digest: Some(&content.digest), ..Touch::default() }));
            }
            What::Written { event: Event::AttemptsRefused { entries, .. }, .. } => {
                told(Touch::default());
                entries.iter().for_each(|entry| told(Touch::of_attempt(entry)));
            }
            What::Written { event, scope, .. } => told(Touch::of_one(event, scope)),
        }
    }
}

impl<'a> Touch<'a> {
    fn of_attempt(attempt: &'a RefusedAttempt) -> Self {
        Self {
            repository: Some(&attempt.repository),
            tag: attempt.tag.as_ref(),
            digest: attempt.digest.as_ref(),
            actor: Some(&attempt.actor),
            ..Self::default()
        }
    }

    fn of_one(event: &'a Event, scope: Option<&'a Scope>) -> Self {
        let touch = Self::default();
        match event {
            Event::BlobLinked { repository, digest, .. }
            | Event::BlobUnlinked { repository, digest }
            | Event::ManifestPushed { repository, digest, .. }
            | Event::ManifestDeleted { repository, digest } => {
                Self { repository: Some(repository), digest: Some(digest), ..touch }
            }
            Event::TagMoved { repository, tag, from, to } => {
                Self { repository: Some(repository), tag: Some(tag), digest: Some(to), from: from.as_ref(), ..touch }
            }
            Event::TagErased { repository, tag, was, .. } => {
                Self { repository: Some(repository), tag: Some(tag), digest: Some(was), ..touch }
            }
            Event::TagLocked { repository, tag }
            | Event::TagUnlocked { repository, tag }
            | Event::TagExpirySet { repository, tag, .. } => {
                Self { repository: Some(repository), tag: Some(tag), ..touch }
            }
            Event::RepositoryDeleted { repository } | Event::TagsDeleted { repository, .. } => {
                Self { repository: Some(repository), ..touch }
            }
            _ => match scope {
                Some(Scope::Repository(repository)) => Self { repository: Some(repository), ..touch },
                Some(Scope::Namespace(namespace)) => Self { namespace: Some(namespace), ..touch },
                Some(Scope::Registry) | None => touch,
            },
        }
    }
}
