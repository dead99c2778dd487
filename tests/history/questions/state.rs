//! Everything as it stood behind a record, in the form of `tagstone-replay state`.

use serde_json::{Value, json};
use tagstone_schema::policy::Scope;

use crate::account::{At, PolicyNow, Shelf, Snapshot, Standing, Status, instant};

/// The whole of it.
pub(crate) fn state(snapshot: &Snapshot) -> Value {
    let Snapshot { head, standing } = snapshot;
    let repositories = standing.shelves.iter().map(|(name, shelf)| repository(standing, name, shelf));
    let spent = standing.spent.iter().map(|((repository, tag), (only, removed))| {
        json!({
            "repository": repository, "tag": tag, "only_digest": only, "removed": removed.text(), "seq": removed.seq,
        })
    });
    json!({
        "head": { "seq": head.seq },
        "time": head.text(),
        "repositories": repositories.collect::<Vec<_>>(),
        "spent": spent.collect::<Vec<_>>(),
        "policies": standing.policies.iter().map(policy).collect::<Vec<_>>(),
        "tokens": [],
    })
}

fn repository(standing: &Standing, name: &str, shelf: &Shelf) -> Value {
    let tags = shelf.tags.iter().map(|(tag, now)| {
        json!({
            "name": tag, "digest": now.digest, "since": now.since.text(), "seq": now.since.seq,
            "immutable": standing.protects(name, tag), "locked": now.locked.map(At::text),
            "expires": now.expires.map(instant),
        })
    });
    let manifests = shelf.manifests.iter().map(|(digest, held)| {
        let mut references = held.document.references.clone();
        references.sort();
        references.dedup();
        json!({
            "digest": digest, "size": held.document.bytes.len(), "media_type": held.document.media_type,
            "artifact_type": held.document.artifact_type, "subject": held.document.subject, "references": references,
            "pushed": held.pushed.text(), "seq": held.pushed.seq,
        })
    });
    let blobs = shelf.blobs.iter().map(|(digest, size)| json!({ "digest": digest, "size": size }));
    json!({
        "name": name,
        "tags": tags.collect::<Vec<_>>(),
        "manifests": manifests.collect::<Vec<_>>(),
        "blobs": blobs.collect::<Vec<_>>(),
    })
}

fn policy((id, policy): (&String, &PolicyNow)) -> Value {
    let status = match policy.status {
        Status::Draft => "draft",
        Status::Active => "active",
        Status::Retired => "retired",
    };
    json!({
        "id": id, "status": status, "scope": scope(&policy.scope), "rule": policy.rule, "created": policy.created.text(),
        "activated": policy.activated.map(At::text), "retired": policy.retired.map(At::text), "seq": policy.created.seq,
    })
}

pub(super) fn scope(scope: &Scope) -> Value {
    match scope {
        Scope::Registry => json!("registry"),
        Scope::Namespace(namespace) => json!({ "namespace": namespace.to_string() }),
        Scope::Repository(repository) => json!({ "repository": repository.to_string() }),
    }
}
