//! What stood: repositories as they were, and the history of one tag.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::{Door, assert_same, assert_within};
use crate::account::{Account, Shelf, Snapshot, instant};
use crate::contents::digest_of;
use crate::script::REPOSITORIES;

/// A repository at a random snapshot, named by a record or by an instant.
pub(crate) async fn of_then(door: &Door<'_>, account: &Account, random: &mut StdRng) {
    if account.snapshots.is_empty() {
        return;
    }
    let snapshot = &account.snapshots[random.random_range(0..account.snapshots.len())];
    let by_instant = if random.random_bool(0.5) { instant_of(account, snapshot) } else { None };
    let (point, now) = by_instant.unwrap_or_else(|| (format!("seq-{}", snapshot.head.seq), snapshot.head.time));
    let repository = REPOSITORIES[random.random_range(0..REPOSITORIES.len())];
    let name = format!("as-of/{point}/{repository}");
    let path = format!("/v2/{name}/tags/list");
    let (status, told) = door.json(&path).await;
    let Some(tags) = snapshot.standing.live_tags(repository, now) else {
        return assert_eq!(status, 404, "{path}: {told}");
    };
    assert_same(&path, &told, &json!({ "name": name, "tags": tags }));
    let shelf = &snapshot.standing.shelves[repository];
    // Also names and digests that were there at another time only.
    let known = account.stays.iter().filter(|((of, _), _)| of == repository);
    let mut references = BTreeSet::new();
    let mut digests = BTreeSet::new();
    for ((_, tag), stays) in known {
        references.insert(tag.clone());
        digests.extend(stays.iter().map(|stay| stay.digest.clone()));
    }
    references.extend(digests.iter().cloned());
    let references: Vec<_> = references.into_iter().collect();
    for _ in 0..4.min(references.len()) {
        let reference = &references[random.random_range(0..references.len())];
        let is_live = snapshot.standing.is_live(repository, reference, now);
        let tag = shelf.tags.get(reference).filter(|_| is_live);
        manifest(door, &name, reference, shelf, tag.map_or(reference, |tag| &tag.digest)).await;
    }
    for digest in digests.iter().take(2) {
        referrers(door, &name, digest, shelf).await;
    }
    if let Some(digest) = shelf.blobs.keys().nth(random.random_range(0..10)) {
        let (status, body) = door.ask(&format!("/v2/{name}/blobs/{digest}")).await;
        assert_eq!((status, &digest_of(&body)), (200, digest), "blob {digest} of {name}");
    }
}

/// The second behind the record, if the next record is later still.
fn instant_of(account: &Account, snapshot: &Snapshot) -> Option<(String, i64)> {
    let second = (snapshot.head.time + 999_999).div_euclid(1_000_000) * 1_000_000;
    let text = instant(second);
    let at = account.happened.partition_point(|event| event["seq"].as_u64() <= Some(snapshot.head.seq));
    account.happened.get(at).filter(|next| next["time"].as_str() > Some(text.as_str()))?;
    let digits: String = text.split('.').next()?.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    Some((format!("{}z", digits.to_lowercase()), second))
}

async fn manifest(door: &Door<'_>, name: &str, reference: &str, shelf: &Shelf, digest: &str) {
    let path = format!("/v2/{name}/manifests/{reference}");
    let (status, body) = door.ask(&path).await;
    let told = String::from_utf8_lossy(&body);
    match shelf.manifests.get(digest) {
        Some(held) => assert!(status == 200 && body == held.document.bytes, "{path}: {status}, not {digest}: {told}"),
        None => assert_eq!(status, 404, "{path}: {told}"),
    }
}

async fn referrers(door: &Door<'_>, name: &str, digest: &str, shelf: &Shelf) {
    let path = format!("/v2/{name}/referrers/{digest}");
    let (_, told) = door.json(&path).await;
    let told = told["manifests"].as_array().into_iter().flatten().map(|one| one["digest"].to_string());
    let held = shelf.manifests.values().filter(|held| held.document.subject.as_deref() == Some(digest));
    let expected: BTreeSet<_> = held.map(|held| json!(held.document.digest).to_string()).collect();
    assert_eq!(told.collect::<BTreeSet<_>>(), expected, "{path}");
}

/// The history of a tag, page by page, with and without filters.
pub(crate) async fn tag_history(door: &Door<'_>, account: &Account, random: &mut StdRng) {
    let known: Vec<_> = account.stays.iter().collect();
    if known.is_empty() {
        return;
    }
    let ((repository, tag), stays) = known[random.random_range(0..known.len())];
    let mut all = Vec::new();
    for stay in stays {
        all.push((stay.since.time, stay.digest.clone(), "created"));
        if let Some((at, Some(_))) = &stay.until {
            all.push((at.time, stay.digest.clone(), "deleted"));
        }
    }
    let mut more = String::new();
    let middle = all[random.random_range(0..all.len())].clone();
    if random.random_bool(0.3) {
        more += &format!("&digest={}", middle.1);
        all.retain(|(_, digest, _)| *digest == middle.1);
    }
    if random.random_bool(0.3) {
        more += &format!("&since={}", instant(middle.0));
        all.retain(|(time, ..)| *time > middle.0);
    }
    let n = random.random_range(1..10);
    let path = format!("/v2/{repository}/_oci/tag-history/{tag}?n={n}{more}");
    let (mut told, mut before) = (Vec::new(), String::new());
    loop {
        let (status, mut part) = door.json(&format!("{path}{before}")).await;
        assert_eq!(status, 200, "{path}{before}: {part}");
        let Value::Array(part) = part["manifests"].take() else { panic!("{path}{before}: no list") };
        let Some(last) = part.last() else { break };
        let last = &last["annotations"]["org.opencontainers.distribution.tag.timestamp"];
        before = format!("&before={}", last.as_str().unwrap_or_default());
        told.extend(part);
    }
    let entry = |(time, digest, event): &(i64, String, &str)| {
        json!({
            "digest": digest,
            "annotations": {
                "org.opencontainers.distribution.tag.timestamp": instant(*time),
                "org.opencontainers.distribution.tag.event": event,
            },
        })
    };
    assert_within(&path, &Value::Array(told), &all.iter().rev().map(entry).collect());
}
