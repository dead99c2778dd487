//! What stands now, as the running registry tells it.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::events::events;
use super::logs::logs;
use super::past::{of_then, tag_history};
use super::tags::listing;
use super::why::{sorted, why};
use super::{Door, assert_same, assert_same_set, assert_within};
use crate::account::{Account, Attempt};
use crate::script::REPOSITORIES;

/// Where the log stands; returns the fingerprint of the state there.
pub(crate) async fn head(door: &Door<'_>, account: &Account) -> String {
    let told = door.json("/api/v1/log/head").await.1;
    assert_within("log/head", &told, &json!({ "seq": account.head.seq, "time": account.head.text() }));
    told["fingerprint"].as_str().unwrap_or_default().to_owned()
}

/// What stands now, and some of what happened.
pub(crate) async fn of_now(door: &Door<'_>, account: &Account, random: &mut StdRng) {
    for repository in REPOSITORIES {
        live_tags(door, account, repository).await;
        all_tags(door, account, repository, random.random_range(1..=100)).await;
    }
    for _ in 0..12 {
        let known: Vec<_> = account.stays.keys().collect();
        if known.is_empty() {
            break;
        }
        let (repository, tag) = known[random.random_range(0..known.len())];
        let path = format!("/api/v1/repository/{repository}/tag/{tag}/why");
        let (status, told) = door.json(&path).await;
        match why(&account.standing, (repository, tag), true, account.now) {
            Some(expected) => assert_within(&path, &sorted(told), &expected),
            None => assert_eq!(status, 404, "{path}: {told}"),
        }
    }
    for _ in 0..4 {
        of_then(door, account, random).await;
        tag_history(door, account, random).await;
        logs(door, account, random).await;
        events(door, account, random).await;
    }
    refusals(door, account, random.random_range(100..=1_000)).await;
}

async fn live_tags(door: &Door<'_>, account: &Account, repository: &str) {
    let path = format!("/v2/{repository}/tags/list");
    let (status, told) = door.json(&path).await;
    match account.standing.live_tags(repository, account.now) {
        Some(tags) => assert_same(&path, &told, &json!({ "name": repository, "tags": tags })),
        None => assert_eq!(status, 404, "{path}: {told}"),
    }
}

async fn all_tags(door: &Door<'_>, account: &Account, repository: &str, limit: u32) {
    let mut told = Vec::new();
    for page in 1.. {
        let path = format!("/api/v1/repository/{repository}/tag/?limit={limit}&page={page}");
        let (status, mut part) = door.json(&path).await;
        let Some(expected) = listing(account, repository) else {
            assert_eq!(status, 404, "{path}: {part}");
            return;
        };
        assert_eq!(status, 200, "{path}: {part}");
        if let Value::Array(tags) = part["tags"].take() {
            told.extend(tags);
        }
        if part["has_additional"] != json!(true) {
            return assert_within(&path, &Value::Array(told), &Value::Array(expected));
        }
    }
}

/// All that was refused since the first day, through all restarts.
async fn refusals(door: &Door<'_>, account: &Account, n: u32) {
    let mut told = Vec::new();
    let mut next = String::new();
    loop {
        let path = format!("/api/v1/refusals?n={n}{next}");
        let (status, mut part) = door.json(&path).await;
        assert_eq!(status, 200, "{path}: {part}");
        if let Value::Array(entries) = part["refusals"].take() {
            told.extend(entries);
        }
        match part["next"].as_str() {
            Some(behind) => next = format!("&next={behind}"),
            None => break,
        }
    }
    assert_same_set("refusals", &told, &account.refused.iter().map(Attempt::form).collect::<Vec<_>>());
}
