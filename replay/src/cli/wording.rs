//! What happened, in words: the text that stands in tables.

use tagstone_replay::audit::{AuditEvent, CauseKind, Deed, RevokedToken, TagEnd, TagTurn, Turn, What};
use tagstone_replay::fold::EndCause;
use tagstone_schema::event::RemovedContent;
use tagstone_schema::policy::{Pattern, PruneMethod, Rule, Scope};
use tagstone_schema::{Actor, ActorKind, Event};

/// The columns of a list of events. Widths are those of most values: the list is written while it is found.
pub(super) fn row(deed: &Deed, what: &str) -> String {
    let address = if deed.origin.address.is_empty() { "-" } else { &deed.origin.address };
    line(&deed.time.to_string(), &deed.place.to_string(), &actor(&deed.actor), &printable(address), what)
}

/// The names of these columns.
pub(super) fn heading() -> String {
    line("time", "record", "actor", "from", "what")
}

fn line(time: &str, place: &str, actor: &str, address: &str, what: &str) -> String {
    format!("{time:<27}  {place:>8}  {actor:<20}  {address:<15}  {what}")
}

/// Text that somebody outside chose: what would steer a terminal is escaped.
pub(super) fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Who.
pub(super) fn actor(actor: &Actor) -> String {
    match actor.kind {
        ActorKind::User => printable(&actor.name),
        ActorKind::Anonymous => "anonymous".to_owned(),
        ActorKind::System => format!("system:{}", printable(&actor.name)),
        ActorKind::Token => format!("token:{}", printable(&actor.name)),
    }
}

/// Who, from where, and when.
pub(super) fn by(deed: &Deed) -> String {
    let Deed { place, time, actor: who, origin } = deed;
    let from = if origin.address.is_empty() { String::new() } else { format!(" from {}", printable(&origin.address)) };
    format!("{time} by {}{from}, record {}", actor(who), place.seq)
}

/// Where a policy holds.
pub(super) fn scope(scope: &Scope) -> String {
    match scope {
        Scope::Registry => "everywhere".to_owned(),
        Scope::Namespace(namespace) => format!("in the namespace {namespace}"),
        Scope::Repository(repository) => format!("in {repository}"),
    }
}

/// The tags that a pattern selects.
pub(super) fn pattern(pattern: &Pattern) -> String {
    let regex = printable(&pattern.regex);
    if pattern.matches { format!("tags matching `{regex}`") } else { format!("tags not matching `{regex}`") }
}

/// What a policy demands.
pub(super) fn rule(rule: &Rule) -> String {
    match rule {
        Rule::Immutability { pattern: selected, include_referrer_tags } => {
            let referrers = if *include_referrer_tags { ", those of referrers too" } else { "" };
            format!("{} are immutable{referrers}", pattern(selected))
        }
        Rule::Prune { method, pattern: selected } => {
            let selected = selected.as_ref().map_or_else(|| "tags".to_owned(), pattern);
            match method {
                PruneMethod::NumberOfTags(most) => format!("{selected} are pruned but for the newest {most}"),
                PruneMethod::CreationDate(age) => format!("{selected} are pruned when older than {age}"),
            }
        }
    }
}

/// A turn in the life of a tag, without its name.
pub(super) fn turn(turn: &TagTurn) -> String {
    match &turn.turn {
        Turn::Created { to } => format!("created at {to}"),
        Turn::Moved { from, to } => format!("moved from {from} to {to}"),
        Turn::Deleted { from, cause, reason } => {
            let reason = reason.as_ref().map(|reason| format!(" ({})", printable(reason))).unwrap_or_default();
            format!("deleted, was {from}: {}{reason}", end_cause(*cause))
        }
    }
}

/// Why a tag ended.
pub(super) fn end_cause(cause: EndCause) -> String {
    match cause {
        EndCause::Request => "by request".to_owned(),
        EndCause::Prune { policy, .. } => format!("pruned by policy {policy}"),
        EndCause::Expiry => "it expired".to_owned(),
        EndCause::Purge => "purged".to_owned(),
        EndCause::Erased => "erased by an administrator".to_owned(),
        EndCause::ManifestDeleted => "with its manifest".to_owned(),
        EndCause::RepositoryDeleted => "with its repository".to_owned(),
    }
}

/// An event in one sentence.
pub(super) fn sentence(event: &AuditEvent<'_>) -> String {
    match (event.what, TagTurn::of(event)) {
        (_, Some(turned)) => format!("{}:{} {}", turned.repository, turned.tag, turn(&turned)),
        (What::Written { event, scope: known, revoked }, None) => written(event, known, revoked),
        (What::TagEnded(TagEnd { repository, tag, cause, .. }), None) => {
            format!("{repository}:{tag} deleted: {}", CauseKind::from(cause))
        }
    }
}

fn written(event: &Event, known: Option<&Scope>, revoked: Option<&RevokedToken>) -> String {
    let place = || known.map(|known| format!(" {}", scope(known))).unwrap_or_default();
    match event {
        Event::LogStarted { log } => format!("the log {log} began"),
        Event::ServerStarted { version } => format!("a server of version {} started", printable(version)),
        Event::BlobLinked { repository, digest, size, mounted_from } => {
            let mounted = mounted_from.as_ref().map(|from| format!(", mounted from {from}")).unwrap_or_default();
            format!("{repository}: blob {digest} of {size} bytes arrived{mounted}")
        }
        Event::BlobUnlinked { repository, digest } => format!("{repository}: blob {digest} deleted"),
        Event::ManifestPushed { repository, digest, size, media_type, .. } => {
            format!("{repository}: manifest {digest} of {size} bytes pushed ({media_type})")
        }
        Event::ManifestDeleted { repository, digest } => format!("{repository}: manifest {digest} deleted"),
        Event::TagMoved { repository, tag, to, .. } => format!("{repository}:{tag} moved to {to}"),
        Event::TagsDeleted { repository, tags, .. } => format!("{repository}: {} tags deleted", tags.len()),
        Event::TagErased { repository, tag, was, reason } => {
            format!("{repository}:{tag} erased, was {was}: {}", printable(reason))
        }
        Event::TagLocked { repository, tag } => format!("{repository}:{tag} locked by hand"),
        Event::TagUnlocked { repository, tag } => format!("{repository}:{tag} unlocked"),
        Event::TagExpirySet { repository, tag, at: Some(at) } => format!("{repository}:{tag} expires at {at}"),
        Event::TagExpirySet { repository, tag, at: None } => format!("{repository}:{tag} expires no more"),
        Event::PolicyDrafted { policy, rule: demand, .. } => {
            format!("policy {policy} drafted{}: {}", place(), rule(demand))
        }
        Event::PolicyActivated { policy, rule: demand, .. } => {
            format!("policy {policy} activated{}: {}", place(), rule(demand))
        }
        Event::PolicyChanged { policy, rule: demand } => {
            format!("policy {policy} changed{}: {}", place(), rule(demand))
        }
        Event::PolicyRetired { policy } => format!("policy {policy} retired{}", place()),
        Event::DraftRemoved { policy } => format!("draft of policy {policy} removed{}", place()),
        Event::RepositoryDeleted { repository } => format!("{repository} deleted"),
        Event::ContentPurged { repository, contents, reason } => {
            format!("{repository}: purged {}: {}", removed(contents), printable(reason))
        }
        Event::ContentCollected { contents } => format!("collected {}", removed(contents)),
        Event::TokenIssued { token, subject, label, .. } => {
            format!("token {token} issued for {} ({})", printable(subject), printable(label))
        }
        Event::TokenRevoked { token } => {
            let whose = revoked.map(|RevokedToken { user, label }| (printable(user), printable(label)));
            let whose = whose.map(|(user, label)| format!(" of {user} ({label})")).unwrap_or_default();
            format!("token {token}{whose} revoked")
        }
        Event::AttemptsRefused { entries, others, .. } => {
            let counted = entries.iter().map(|entry| entry.count).fold(*others, u64::saturating_add);
            format!("{counted} attempts were refused")
        }
    }
}

fn removed(contents: &[RemovedContent]) -> String {
    let bytes = contents.iter().map(|content| content.size).fold(0, u64::saturating_add);
    match contents {
        [only] => format!("{} ({bytes} bytes)", only.digest),
        contents => format!("{} manifests and blobs ({bytes} bytes)", contents.len()),
    }
}
