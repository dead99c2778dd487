//! What the vectors must show: every variant of every enum, every option both ways, both digest algorithms.

use std::collections::BTreeSet;

use serde_json::Value;
use tagstone_schema::event::{Action, ContentKind, DeletionCause, Event};
use tagstone_schema::policy::{AgeUnit, PruneMethod, Rule, Scope};
use tagstone_schema::{ActorKind, Record};

/// The JSON names of an enum's variants. The match has no wildcard, so that a new variant does not compile until it is
/// listed, and a listed one has no vector until one is written.
macro_rules! variants {
    ($($kind:ident { $($variant:ident = $name:literal),+ $(,)? })+) => {
        /// Every `Enum::name`.
        const VARIANTS: &[&str] = &[$($(concat!(stringify!($kind), "::", $name)),+),+];

        trait Variant {
            fn variant(&self) -> &'static str;
        }

        $(impl Variant for $kind {
            fn variant(&self) -> &'static str {
                match self {
                    $($kind::$variant { .. } => concat!(stringify!($kind), "::", $name)),+
                }
            }
        })+
    };
}

variants! {
    Event {
        LogStarted = "log_started",
        ServerStarted = "server_started",
        BlobLinked = "blob_linked",
        BlobUnlinked = "blob_unlinked",
        ManifestPushed = "manifest_pushed",
        ManifestDeleted = "manifest_deleted",
        TagMoved = "tag_moved",
        TagsDeleted = "tags_deleted",
        TagErased = "tag_erased",
        TagLocked = "tag_locked",
        TagUnlocked = "tag_unlocked",
        TagExpirySet = "tag_expiry_set",
        PolicyDrafted = "policy_drafted",
        PolicyActivated = "policy_activated",
        PolicyChanged = "policy_changed",
        PolicyRetired = "policy_retired",
        DraftRemoved = "draft_removed",
        RepositoryDeleted = "repository_deleted",
        ContentPurged = "content_purged",
        ContentCollected = "content_collected",
        TokenIssued = "token_issued",
        TokenRevoked = "token_revoked",
        AttemptsRefused = "attempts_refused",
    }
    ActorKind { User = "user", Anonymous = "anonymous", System = "system", Token = "token" }
    DeletionCause { Request = "request", Prune = "prune", Expiry = "expiry", Purge = "purge" }
    ContentKind { Manifest = "manifest", Blob = "blob" }
    Action { Pull = "pull", Push = "push", Delete = "delete" }
    Scope { Registry = "registry", Namespace = "namespace", Repository = "repository" }
    Rule { Immutability = "immutability", Prune = "prune" }
    PruneMethod { NumberOfTags = "number_of_tags", CreationDate = "creation_date" }
    AgeUnit {
        Seconds = "seconds",
        Minutes = "minutes",
        Hours = "hours",
        Days = "days",
        Weeks = "weeks",
        Years = "years",
    }
}

/// Shapes that the fields of events must show somewhere: `event.field=shape`.
const SHAPES: &[&str] = &[
    "blob_linked.digest=sha256",
    "blob_linked.digest=sha512",
    "blob_linked.mounted_from=null",
    "blob_linked.mounted_from=text",
    "blob_unlinked.digest=sha256",
    "blob_unlinked.digest=sha512",
    "manifest_pushed.digest=sha256",
    "manifest_pushed.digest=sha512",
    "manifest_pushed.artifact_type=null",
    "manifest_pushed.artifact_type=text",
    "manifest_pushed.subject=null",
    "manifest_pushed.subject=sha256",
    "manifest_pushed.subject=sha512",
    "manifest_pushed.references=empty",
    "manifest_pushed.references.[]=sha256",
    "manifest_pushed.references.[]=sha512",
    "manifest_deleted.digest=sha256",
    "manifest_deleted.digest=sha512",
    "tag_moved.from=null",
    "tag_moved.from=sha256",
    "tag_moved.from=sha512",
    "tag_moved.to=sha256",
    "tag_moved.to=sha512",
    "tags_deleted.tags.[].was=sha256",
    "tags_deleted.tags.[].was=sha512",
    "tag_erased.was=sha256",
    "tag_erased.was=sha512",
    "tag_expiry_set.at=null",
    "tag_expiry_set.at=number",
    "policy_activated.rule.immutability.include_referrer_tags=true",
    "policy_activated.rule.immutability.include_referrer_tags=false",
    "policy_activated.rule.immutability.pattern.matches=true",
    "policy_activated.rule.immutability.pattern.matches=false",
    "policy_drafted.rule.prune.pattern=null",
    "policy_drafted.rule.prune.pattern.matches=true",
    "policy_drafted.rule.prune.pattern.matches=false",
    "content_purged.contents.[].digest=sha256",
    "content_purged.contents.[].digest=sha512",
    "content_collected.contents.[].digest=sha256",
    "content_collected.contents.[].digest=sha512",
    "token_issued.expires=null",
    "token_issued.expires=number",
    "token_issued.scopes=empty",
    "attempts_refused.entries=empty",
    "attempts_refused.entries.[].tag=null",
    "attempts_refused.entries.[].tag=text",
    "attempts_refused.entries.[].digest=null",
    "attempts_refused.entries.[].digest=sha256",
    "attempts_refused.entries.[].digest=sha512",
];

/// The variants and shapes that no record holds.
pub(crate) fn missing(records: &[Record]) -> Vec<&'static str> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for record in records {
        seen.insert(record.actor.kind.variant().to_owned());
        for event in &record.events {
            seen.extend(variants_in(event).into_iter().map(str::to_owned));
            shapes(&serde_json::to_value(event).unwrap(), "", &mut seen);
        }
    }
    VARIANTS.iter().chain(SHAPES).copied().filter(|wanted| !seen.contains(*wanted)).collect()
}

fn variants_in(event: &Event) -> Vec<&'static str> {
    let mut seen = vec![event.variant()];
    match event {
        Event::TagsDeleted { cause, .. } => seen.push(cause.variant()),
        Event::PolicyDrafted { scope, rule, .. } | Event::PolicyActivated { scope, rule, .. } => {
            seen.extend([scope.variant(), rule.variant()]);
            if let Rule::Prune { method, .. } = rule {
                seen.push(method.variant());
                if let PruneMethod::CreationDate(age) = method {
                    seen.push(age.unit.variant());
                }
            }
        }
        Event::ContentPurged { contents, .. } | Event::ContentCollected { contents } => {
            seen.extend(contents.iter().map(|removed| removed.content.variant()));
        }
        Event::TokenIssued { scopes, .. } => {
            seen.extend(scopes.iter().flat_map(|scope| &scope.actions).map(Variant::variant));
        }
        Event::AttemptsRefused { entries, .. } => seen.extend(entries.iter().map(|entry| entry.actor.kind.variant())),
        _ => {}
    }
    seen
}

fn shapes(value: &Value, path: &str, seen: &mut BTreeSet<String>) {
    let mut leaf = |shape: &str| _ = seen.insert(format!("{path}={shape}"));
    match value {
        Value::Null => leaf("null"),
        Value::Bool(flag) => leaf(&flag.to_string()),
        Value::Number(_) => leaf("number"),
        Value::String(text) if text.starts_with("sha256:") => leaf("sha256"),
        Value::String(text) if text.starts_with("sha512:") => leaf("sha512"),
        Value::String(_) => leaf("text"),
        Value::Array(items) if items.is_empty() => leaf("empty"),
        Value::Array(items) => items.iter().for_each(|item| shapes(item, &format!("{path}.[]"), seen)),
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                shapes(field, &path, seen);
            }
        }
    }
}
