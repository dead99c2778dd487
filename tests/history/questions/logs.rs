//! Quay's logs of a repository.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tagstone_schema::Timestamp;

use super::{Door, assert_within};
use crate::account::Account;
use crate::script::REPOSITORIES;

/// Some days of a repository, sometimes of one performer only.
pub(crate) async fn logs(door: &Door<'_>, account: &Account, random: &mut StdRng) {
    let repository = REPOSITORIES[random.random_range(0..REPOSITORIES.len())];
    let of_it: Vec<_> = account.happened.iter().filter(|event| event["repository"] == repository).collect();
    if of_it.is_empty() {
        return;
    }
    let (one, other) = (of_it[random.random_range(0..of_it.len())], of_it[random.random_range(0..of_it.len())]);
    let (first, last) = if one["seq"].as_u64() < other["seq"].as_u64() { (one, other) } else { (other, one) };
    let performer = random.random_bool(0.3).then(|| one["actor"]["name"].as_str().unwrap_or_default());
    let (begin, end) = (day(first), day(last));
    let mut path = format!("/api/v1/repository/{repository}/logs?starttime={}&endtime={}", quays(begin), quays(end));
    path += &performer.map(|name| format!("&performer={name}")).unwrap_or_default();
    let (mut told, mut next) = (Vec::new(), String::new());
    loop {
        let (status, mut part) = door.json(&format!("{path}{next}")).await;
        assert_eq!(status, 200, "{path}{next}: {part}");
        if let Value::Array(entries) = part["logs"].take() {
            told.extend(entries);
        }
        match part["next_page"].as_str() {
            Some(page) => next = format!("&next_page={page}"),
            None => break,
        }
    }
    let mut all = entries(account, repository);
    all.retain(|(event, _)| {
        (begin..=end).contains(&day(event)) && performer.is_none_or(|name| event["actor"]["name"] == name)
    });
    assert_within(&path, &Value::Array(told), &all.into_iter().rev().map(|(_, entry)| entry).collect());
}

fn day(event: &Value) -> &str {
    event["time"].as_str().and_then(|time| time.split('T').next()).unwrap_or_default()
}

/// `%m/%d/%Y`
fn quays(day: &str) -> String {
    format!("{}/{}/{}", &day[5..7], &day[8..], &day[..4])
}

/// Everything of a repository that Quay has a name for, the oldest first.
fn entries<'a>(account: &'a Account, repository: &str) -> Vec<(&'a Value, Value)> {
    // What each tag has pointed at so far, and of each policy: whether it was there, and what it demands.
    let mut pointed: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut policies: BTreeMap<String, &'static str> = BTreeMap::new();
    let mut all = Vec::new();
    for event in account.happened.iter().filter(|event| event["repository"] == repository) {
        let kind = match event["kind"].as_str().unwrap_or_default() {
            "tag_moved" => {
                let before = pointed.entry(event["tag"].as_str().unwrap_or_default()).or_default();
                let is_back = before.contains(&&event["to"]);
                before.push(&event["to"]);
                match (is_back, event["from"].is_null()) {
                    (true, _) => "revert_tag".to_owned(),
                    (false, true) => "create_tag".to_owned(),
                    (false, false) => "move_tag".to_owned(),
                }
            }
            "tag_deleted" if event["cause"] == "repository_deleted" => continue,
            "tag_deleted" if event["cause"] == "prune" => "autoprune_tag_delete".to_owned(),
            "tag_deleted" => "delete_tag".to_owned(),
            "tag_locked" | "tag_unlocked" => "change_tag_immutability".to_owned(),
            "tag_expiry_set" => "change_tag_expiration".to_owned(),
            "repository_deleted" => "delete_repo".to_owned(),
            about if about.starts_with("policy_") || about == "draft_removed" => {
                let id = event["policy"].to_string();
                let is_known = policies.contains_key(&id);
                let of = *policies.entry(id).or_insert_with(|| match event["rule"]["immutability"].is_null() {
                    true => "repository_autoprune_policy",
                    false => "immutability_policy",
                });
                match about {
                    "policy_retired" | "draft_removed" => format!("delete_{of}"),
                    _ if is_known => format!("update_{of}"),
                    _ => format!("create_{of}"),
                }
            }
            _ => continue,
        };
        all.push((event, entry(event, &kind)));
    }
    all
}

fn entry(event: &Value, kind: &str) -> Value {
    let time: Option<Timestamp> = event["time"].as_str().and_then(|time| time.parse().ok());
    let address = event["origin"]["address"].as_str().filter(|address| !address.is_empty());
    let digest = event.get("to").or(event.get("digest"));
    json!({
        "kind": kind,
        "metadata": { "tag": event.get("tag"), "manifest_digest": digest, "policy_uuid": event.get("policy") },
        "ip": address,
        "datetime": time.map(Timestamp::rfc2822),
        "performer": { "name": event["actor"]["name"] },
    })
}
