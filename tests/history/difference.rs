//! What is different between two snapshots, in the form of `tagstone-replay diff`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::account::{At, Snapshot, Standing};

/// Everything but tags that are only changed.
pub(crate) fn difference(from: &Snapshot, to: &Snapshot) -> Value {
    let (was, is) = (&from.standing, &to.standing);
    let names = |of: &Standing| of.shelves.keys().map(|name| (name.clone(), ())).collect::<BTreeMap<_, _>>();
    let repositories = joined(&names(was), &names(is), |name, was, is| {
        let change = came_or_went(was.is_some(), is.is_some())?;
        Some(json!({ "change": change, "repository": name }))
    });
    let tags = joined(&tags(was), &tags(is), |(repository, tag), was, is| {
        let change = match (was, is) {
            (Some((was, _)), Some((is, _))) if was != is => "moved",
            (Some((_, was)), Some((_, is))) if was != is => "returned",
            _ => came_or_went(was.is_some(), is.is_some())?,
        };
        let digest = |of: Option<&(String, At)>| of.map(|(digest, _)| digest.clone());
        let (from, to) = match change {
            // Told is where it points, and that is where it pointed.
            "returned" => return Some(json!({ "change": change, "repository": repository, "tag": tag })),
            _ => (digest(was), digest(is)),
        };
        Some(json!({ "change": change, "repository": repository, "tag": tag, "from": from, "to": to }))
    });
    let manifests = joined(&manifests(was), &manifests(is), |(repository, digest), was, is| {
        let change = match (was, is) {
            (Some(was), Some(is)) if was != is => "returned",
            _ => came_or_went(was.is_some(), is.is_some())?,
        };
        Some(json!({ "change": change, "repository": repository, "digest": digest }))
    });
    let blobs = joined(&blobs(was), &blobs(is), |(repository, digest), was, is| {
        let change = came_or_went(was.is_some(), is.is_some())?;
        Some(json!({ "change": change, "repository": repository, "digest": digest, "size": is.or(was) }))
    });
    let spent = joined(&was.spent, &is.spent, |(repository, tag), was, is| {
        let change = match (was, is) {
            (None, Some(_)) => "created",
            (was, is) if was != is => "changed",
            _ => return None,
        };
        let only = is.map(|(only, _)| only);
        Some(json!({ "change": change, "repository": repository, "tag": tag, "only_digest": only }))
    });
    let policies = joined(&policies(was), &policies(is), |id, was, is| {
        let change = match (was, is) {
            (Some(was), Some(is)) if was != is => "changed",
            _ => came_or_went(was.is_some(), is.is_some())?,
        };
        Some(json!({ "change": change, "policy": id }))
    });
    json!({
        "from": { "seq": from.head.seq, "time": from.head.text() }, "to": { "seq": to.head.seq, "time": to.head.text() },
        "repositories": repositories, "tags": tags, "manifests": manifests, "blobs": blobs, "policies": policies,
        "tokens": [], "spent": spent,
    })
}

fn came_or_went(was: bool, is: bool) -> Option<&'static str> {
    match (was, is) {
        (false, true) => Some("created"),
        (true, false) => Some("deleted"),
        _ => None,
    }
}

/// What two maps have under each key.
fn joined<K: Ord, V>(
    was: &BTreeMap<K, V>,
    is: &BTreeMap<K, V>,
    change: impl Fn(&K, Option<&V>, Option<&V>) -> Option<Value>,
) -> Vec<Value> {
    let keys: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    keys.into_iter().filter_map(|key| change(key, was.get(key), is.get(key))).collect()
}

type Named<T> = BTreeMap<(String, String), T>;

fn of_all<T>(standing: &Standing, of: impl Fn(&crate::account::Shelf) -> Vec<(String, T)>) -> Named<T> {
    let shelves = standing.shelves.iter();
    let all = shelves.flat_map(|(name, shelf)| of(shelf).into_iter().map(|(key, value)| ((name.clone(), key), value)));
    all.collect()
}

fn tags(standing: &Standing) -> Named<(String, At)> {
    of_all(standing, |shelf| {
        let tags = shelf.tags.iter();
        tags.map(|(name, tag)| (name.clone(), (tag.digest.clone(), tag.since))).collect()
    })
}

fn manifests(standing: &Standing) -> Named<At> {
    of_all(standing, |shelf| shelf.manifests.iter().map(|(digest, held)| (digest.clone(), held.pushed)).collect())
}

fn blobs(standing: &Standing) -> Named<u64> {
    of_all(standing, |shelf| shelf.blobs.iter().map(|(digest, size)| (digest.clone(), *size)).collect())
}

/// Whatever can be different about a policy.
fn policies(standing: &Standing) -> BTreeMap<String, String> {
    let policies = standing.policies.iter();
    policies
        .map(|(id, policy)| {
            let times = (policy.created, policy.activated, policy.in_force, policy.retired);
            (id.clone(), format!("{:?} {:?} {times:?}", policy.rule, policy.status))
        })
        .collect()
}
