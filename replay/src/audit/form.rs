//! An event as JSON, the same wherever it is told.

use serde::Serialize;
use tagstone_schema::event::{ContentKind, RefusedAttempt, RemovedContent, TokenScope};
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{ActorKind, Digest, Event, Id, MediaType, Namespace, References, RepositoryName, Seq, Tag};

use super::{AuditEvent, RevokedToken, TagEnd, What};
use crate::fold::EndCause;

/// An event, with every field that its kind has.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the events' own fields, which are documented there")]
pub struct EventForm<'a> {
    pub seq: Seq,
    pub index: u32,
    pub time: String,
    pub actor: ActorForm<'a>,
    pub origin: OriginForm<'a>,
    pub kind: &'static str,
    #[serde(flatten)]
    pub fields: Fields<'a>,
}

/// Who.
#[derive(Debug, Serialize)]
pub struct ActorForm<'a> {
    pub kind: ActorKind,
    pub name: &'a str,
}

/// From where.
#[derive(Debug, Serialize)]
pub struct OriginForm<'a> {
    pub request_id: &'a str,
    pub address: &'a str,
    pub user_agent: &'a str,
}

macro_rules! fields {
    ($($name:ident: $type:ty,)*) => {
        /// What only some kinds have.
        #[derive(Debug, Default, Serialize)]
        pub struct Fields<'a> {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)*
        }
    };
}

fields! {
    repository: &'a RepositoryName,
    namespace: &'a Namespace,
    tag: &'a Tag,
    digest: &'a Digest,
    from: &'a Digest,
    to: &'a Digest,
    cause: &'static str,
    policy: Id,
    run: Id,
    scope: &'static str,
    rule: &'a Rule,
    reason: &'a str,
    size: u64,
    mounted_from: &'a RepositoryName,
    media_type: &'a MediaType,
    artifact_type: &'a MediaType,
    subject: &'a Digest,
    references: &'a References,
    expires: String,
    contents: Vec<ContentForm<'a>>,
    token: Id,
    user: &'a str,
    scopes: &'a [TokenScope],
    label: &'a str,
    first: String,
    last: String,
    entries: Vec<AttemptForm<'a>>,
    others: u64,
    log: Id,
    version: &'a str,
}

/// Content whose bytes are gone.
#[derive(Debug, Serialize)]
pub struct ContentForm<'a> {
    pub digest: &'a Digest,
    pub size: u64,
    pub kind: ContentKind,
}

/// What was tried and refused.
#[derive(Debug, Serialize)]
pub struct AttemptForm<'a> {
    pub first: String,
    pub last: String,
    pub actor: ActorForm<'a>,
    pub address: &'a str,
    pub repository: &'a RepositoryName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<&'a Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<&'a Digest>,
    pub reason: &'a str,
    pub count: u64,
}

impl<'a> From<&AuditEvent<'a>> for EventForm<'a> {
    fn from(event: &AuditEvent<'a>) -> Self {
        let record = event.record;
        let origin = &record.origin;
        let fields = match event.what {
            What::TagEnded(end) => Fields::of_end(end),
            What::Written { event, scope, revoked } => Fields::of(event).with_scope(scope).with_token(revoked),
        };
        Self {
            seq: record.seq,
            index: event.index,
            time: record.time.to_string(),
            actor: ActorForm { kind: record.actor.kind, name: &record.actor.name },
            origin: OriginForm {
                request_id: &origin.request_id,
                address: &origin.address,
                user_agent: &origin.user_agent,
            },
            kind: event.kind().name(),
            fields,
        }
    }
}

impl<'a> Fields<'a> {
    fn of_end(end: TagEnd<'a>) -> Self {
        let TagEnd { repository, tag, was, cause, reason } = end;
        let (policy, run) = match cause {
            EndCause::Prune { policy, run } => (Some(policy), Some(run)),
            _ => (None, None),
        };
        let name = super::CauseKind::from(cause).name();
        // It pointed there, and points nowhere now.
        let (digest, from) = (Some(was), Some(was));
        Self { tag: Some(tag), digest, from, cause: Some(name), policy, run, reason, ..Self::inside(repository) }
    }

    fn inside(repository: &'a RepositoryName) -> Self {
        Self { repository: Some(repository), ..Self::default() }
    }

    fn of(event: &'a Event) -> Self {
        let none = Self::default();
        match event {
            Event::LogStarted { log } => Self { log: Some(*log), ..none },
            Event::ServerStarted { version } => Self { version: Some(version), ..none },
            Event::BlobLinked { repository, digest, size, mounted_from } => {
                let mounted_from = mounted_from.as_ref();
                Self { digest: Some(digest), size: Some(*size), mounted_from, ..Self::inside(repository) }
            }
            Event::BlobUnlinked { repository, digest } | Event::ManifestDeleted { repository, digest } => {
                Self { digest: Some(digest), ..Self::inside(repository) }
            }
            Event::ManifestPushed { repository, digest, size, media_type, artifact_type, subject, references } => {
                Self {
                    digest: Some(digest),
                    size: Some(*size),
                    media_type: Some(media_type),
                    artifact_type: artifact_type.as_ref(),
                    subject: subject.as_ref(),
                    references: Some(references),
                    ..Self::inside(repository)
                }
            }
            Event::TagMoved { repository, tag, from, to } => {
                Self { tag: Some(tag), from: from.as_ref(), to: Some(to), ..Self::inside(repository) }
            }
            Event::TagErased { repository, tag, was, reason } => {
                let (digest, from, reason) = (Some(was), Some(was), Some(&**reason));
                Self { tag: Some(tag), digest, from, reason, ..Self::inside(repository) }
            }
            Event::TagLocked { repository, tag } | Event::TagUnlocked { repository, tag } => {
                Self { tag: Some(tag), ..Self::inside(repository) }
            }
            Event::TagExpirySet { repository, tag, at } => {
                Self { tag: Some(tag), expires: at.map(|at| at.to_string()), ..Self::inside(repository) }
            }
            Event::TagsDeleted { repository, .. } | Event::RepositoryDeleted { repository } => Self::inside(repository),
            Event::PolicyDrafted { policy, rule, .. }
            | Event::PolicyActivated { policy, rule, .. }
            | Event::PolicyChanged { policy, rule } => Self { policy: Some(*policy), rule: Some(rule), ..none },
            Event::PolicyRetired { policy } | Event::DraftRemoved { policy } => Self { policy: Some(*policy), ..none },
            Event::ContentPurged { repository, contents, reason } => {
                Self { contents: Some(forms(contents)), reason: Some(reason), ..Self::inside(repository) }
            }
            Event::ContentCollected { contents } => Self { contents: Some(forms(contents)), ..none },
            // The hash of the secret stays in the log: whoever may see events need not have it.
            Event::TokenIssued { token, subject, scopes, secret_hash: _, expires, label } => Self {
                token: Some(*token),
                user: Some(subject),
                scopes: Some(scopes),
                expires: expires.map(|at| at.to_string()),
                label: Some(label),
                ..none
            },
            Event::TokenRevoked { token } => Self { token: Some(*token), ..none },
            Event::AttemptsRefused { since, until, entries, others } => Self {
                first: Some(since.to_string()),
                last: Some(until.to_string()),
                entries: Some(entries.iter().map(AttemptForm::from).collect()),
                others: Some(*others),
                ..none
            },
        }
    }

    fn with_token(self, revoked: Option<&'a RevokedToken>) -> Self {
        match revoked {
            None => self,
            Some(RevokedToken { user, label }) => Self { user: Some(user), label: Some(label), ..self },
        }
    }

    fn with_scope(self, scope: Option<&'a Scope>) -> Self {
        match scope {
            None => self,
            Some(Scope::Registry) => Self { scope: Some("registry"), ..self },
            Some(Scope::Namespace(namespace)) => Self { scope: Some("namespace"), namespace: Some(namespace), ..self },
            Some(Scope::Repository(repository)) => {
                Self { scope: Some("repository"), repository: Some(repository), ..self }
            }
        }
    }
}

impl<'a> From<&'a RemovedContent> for ContentForm<'a> {
    fn from(RemovedContent { digest, size, content }: &'a RemovedContent) -> Self {
        Self { digest, size: *size, kind: *content }
    }
}

fn forms(contents: &[RemovedContent]) -> Vec<ContentForm<'_>> {
    contents.iter().map(ContentForm::from).collect()
}

impl<'a> From<&'a RefusedAttempt> for AttemptForm<'a> {
    fn from(attempt: &'a RefusedAttempt) -> Self {
        Self {
            first: attempt.first.to_string(),
            last: attempt.last.to_string(),
            actor: ActorForm { kind: attempt.actor.kind, name: &attempt.actor.name },
            address: &attempt.address,
            repository: &attempt.repository,
            tag: attempt.tag.as_ref(),
            digest: attempt.digest.as_ref(),
            reason: &attempt.reason,
            count: attempt.count,
        }
    }
}
