//! What an event is called in Quay's logs, and what stands there about it.

use serde::Serialize;
use serde_json::{Map, Value, json};
use tagstone_replay::audit::{AuditEvent, TagEnd, What};
use tagstone_replay::fold::EndCause;
use tagstone_schema::policy::{Pattern, PruneMethod, Rule, Scope};
use tagstone_schema::{Actor, ActorKind, Event, Id, RepositoryName, Tag};
use utoipa::ToSchema;

use super::past::Past;
use crate::http::api::archive::Unanswered;

/// An entry of the logs.
#[derive(Serialize, ToSchema)]
pub(super) struct LogEntry {
    /// What happened, by Quay's name.
    #[schema(example = "move_tag")]
    kind: &'static str,
    /// About what: `repo`, `namespace`, `tag`, `manifest_digest` and others, by kind.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// The address it came from; `null` for what the registry did itself.
    ip: Option<String>,
    /// When (RFC 2822).
    #[schema(example = "Thu, 01 Jan 2026 00:00:00 -0000")]
    datetime: String,
    performer: Performer,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
#[schema(as = LogPerformer)]
struct Performer {
    /// `user`, whoever it was: Quay has no other.
    kind: &'static str,
    name: String,
    /// Whether it was an access token, or the registry itself.
    is_robot: bool,
}

/// What was done to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Created,
    Updated,
    Deleted,
}

/// What happened, and about what.
type Told = Option<(&'static str, Value)>;

impl LogEntry {
    /// The entry of an event. None where Quay has no name for it.
    pub(super) fn of(event: &AuditEvent<'_>, past: &Past) -> Result<Option<Self>, Unanswered> {
        let told = match event.what {
            What::TagEnded(end) => tag_ended(end),
            What::Written { event: written, scope, .. } => match written {
                Event::TagMoved { .. } => tag_moved(written, event, past)?,
                Event::TagLocked { repository, tag } => {
                    let now = json!({"immutable": true, "previous_immutable": false});
                    Some(("change_tag_immutability", of_tag(repository, tag, now)))
                }
                Event::TagUnlocked { repository, tag } => {
                    let now = json!({"immutable": false, "previous_immutable": true});
                    Some(("change_tag_immutability", of_tag(repository, tag, now)))
                }
                Event::TagExpirySet { repository, tag, at } => {
                    let at = json!({"expiration_date": at.map(|at| at.seconds())});
                    Some(("change_tag_expiration", of_tag(repository, tag, at)))
                }
                Event::RepositoryDeleted { repository } => Some(("delete_repo", of_repository(repository))),
                _ => of_policy(written, scope, event, past)?,
            },
        };
        Ok(told.map(|(kind, metadata)| Self::new(event, kind, metadata)))
    }

    fn new(event: &AuditEvent<'_>, kind: &'static str, metadata: Value) -> Self {
        let record = event.record;
        let mut metadata = if let Value::Object(metadata) = metadata { metadata } else { Map::new() };
        if record.actor.kind == ActorKind::User {
            metadata.insert("username".to_owned(), json!(record.actor.name));
        }
        Self {
            kind,
            metadata,
            ip: Some(record.origin.address.to_string()).filter(|address| !address.is_empty()),
            datetime: record.time.rfc2822(),
            performer: Performer::from(&record.actor),
        }
    }
}

impl From<&Actor> for Performer {
    fn from(actor: &Actor) -> Self {
        let is_robot = matches!(actor.kind, ActorKind::Token | ActorKind::System);
        Self { kind: "user", name: actor.name.to_string(), is_robot }
    }
}

/// Quay's organizations are the first part of a name, its repositories all the rest.
fn of_repository(repository: &RepositoryName) -> Value {
    match repository.as_str().split_once('/') {
        Some((namespace, repo)) => json!({"namespace": namespace, "repo": repo}),
        None => json!({"namespace": null, "repo": repository}),
    }
}

fn of_tag(repository: &RepositoryName, tag: &Tag, also: Value) -> Value {
    joined(of_repository(repository), joined(json!({"tag": tag}), also))
}

fn joined(mut first: Value, second: Value) -> Value {
    if let (Some(fields), Value::Object(also)) = (first.as_object_mut(), second) {
        fields.extend(also);
    }
    first
}

fn tag_moved(written: &Event, event: &AuditEvent<'_>, past: &Past) -> Result<Told, Unanswered> {
    let Event::TagMoved { repository, tag, from, to } = written else { return Ok(None) };
    // The log does not say that somebody asked for a restore, and it is none the less one.
    let kind = match from {
        _ if past.pointed_there(repository, tag, to, event.place())? => "revert_tag",
        None => "create_tag",
        Some(_) => "move_tag",
    };
    let also = json!({"manifest_digest": to, "original_manifest_digest": from});
    Ok(Some((kind, of_tag(repository, tag, also))))
}

fn tag_ended(end: TagEnd<'_>) -> Told {
    let kind = match end.cause {
        EndCause::Request | EndCause::Expiry | EndCause::Erased | EndCause::ManifestDeleted => "delete_tag",
        EndCause::Prune { .. } => "autoprune_tag_delete",
        EndCause::Purge => "permanently_delete_tag",
        // As in Quay, one entry says that the repository went.
        EndCause::RepositoryDeleted => return None,
    };
    let mut also = json!({"manifest_digest": end.was});
    if let EndCause::Prune { policy, .. } = end.cause {
        also = joined(also, with_id(&policy));
    }
    Some((kind, of_tag(end.repository, end.tag, also)))
}

fn of_policy(written: &Event, scope: Option<&Scope>, event: &AuditEvent<'_>, past: &Past) -> Result<Told, Unanswered> {
    let (done, id, rule) = match written {
        Event::PolicyDrafted { policy, rule, .. } => (Done::Created, policy, Some(rule.clone())),
        Event::PolicyActivated { policy, rule, .. } => {
            (if past.was_draft(policy) { Done::Updated } else { Done::Created }, policy, Some(rule.clone()))
        }
        Event::PolicyChanged { policy, rule } => (Done::Updated, policy, Some(rule.clone())),
        Event::PolicyRetired { policy } | Event::DraftRemoved { policy } => {
            (Done::Deleted, policy, past.rule(policy, scope, event.place())?)
        }
        _ => return Ok(None),
    };
    // Policies of the whole registry, which Quay has not, belong to no organization.
    let (Some(rule), Some(scope)) = (rule, scope) else { return Ok(None) };
    let place = match scope {
        Scope::Registry => return Ok(None),
        Scope::Namespace(namespace) => json!({"namespace": namespace}),
        Scope::Repository(repository) => of_repository(repository),
    };
    let Some(kind) = kind_of_policy(done, &rule, scope) else { return Ok(None) };
    let about = if done == Done::Deleted { json!({}) } else { demands(&rule) };
    Ok(Some((kind, joined(joined(place, with_id(id)), about))))
}

fn with_id(policy: &Id) -> Value {
    json!({"policy_uuid": policy})
}

fn kind_of_policy(done: Done, rule: &Rule, scope: &Scope) -> Option<&'static str> {
    Some(match (rule, scope, done) {
        (_, Scope::Registry, _) => return None,
        (Rule::Immutability { .. }, _, Done::Created) => "create_immutability_policy",
        (Rule::Immutability { .. }, _, Done::Updated) => "update_immutability_policy",
        (Rule::Immutability { .. }, _, Done::Deleted) => "delete_immutability_policy",
        (Rule::Prune { .. }, Scope::Namespace(_), Done::Created) => "create_namespace_autoprune_policy",
        (Rule::Prune { .. }, Scope::Namespace(_), Done::Updated) => "update_namespace_autoprune_policy",
        (Rule::Prune { .. }, Scope::Namespace(_), Done::Deleted) => "delete_namespace_autoprune_policy",
        (Rule::Prune { .. }, Scope::Repository(_), Done::Created) => "create_repository_autoprune_policy",
        (Rule::Prune { .. }, Scope::Repository(_), Done::Updated) => "update_repository_autoprune_policy",
        (Rule::Prune { .. }, Scope::Repository(_), Done::Deleted) => "delete_repository_autoprune_policy",
    })
}

fn demands(rule: &Rule) -> Value {
    let pattern = |pattern: &Pattern| json!({"tag_pattern": pattern.regex, "tag_pattern_matches": pattern.matches});
    match rule {
        Rule::Immutability { pattern: selected, .. } => pattern(selected),
        Rule::Prune { method, pattern: selected } => {
            let (method, value) = match method {
                PruneMethod::NumberOfTags(number) => ("number_of_tags", json!(number)),
                PruneMethod::CreationDate(age) => ("creation_date", json!(age.to_string())),
            };
            let none = || json!({"tag_pattern": null, "tag_pattern_matches": null});
            joined(json!({"method": method, "value": value}), selected.as_ref().map_or_else(none, pattern))
        }
    }
}
