//! The head of the log, and who asks.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tagstone_schema::Timestamp;

use crate::case::{case, ok};
use crate::registry::{Registry, run};
use crate::request::{get, head};
use crate::samples::{REPO, push_named};

const PATH: &str = "/api/v1/log/head";

/// What is answered, which has to be where the registry stands.
async fn told(registry: &Registry) -> Value {
    let told = registry.check(get(PATH), ok(200).header("content-type", "application/json")).await.json();
    let standing = registry.standing();
    assert_eq!(told["seq"], standing.seq);
    assert_eq!(told["fingerprint"], standing.fingerprint.to_string());
    told
}

#[test]
fn the_head_follows_the_log() {
    run(async {
        let registry = Registry::start().await;
        let first = told(&registry).await;
        assert_eq!(first["seq"], 1);
        assert_eq!(told(&registry).await, first, "nothing has changed");
        push_named(&registry, REPO, "v1", "one").await;
        let second = told(&registry).await;
        let fields: Vec<_> = second.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["fingerprint", "hash", "seq", "time"]);
        for field in fields {
            assert_ne!(first[field], second[field], "{field}");
        }
        registry.check(head(format!("{PATH}/")), ok(200)).await;

        let records = registry.records();
        let last = records.last().unwrap();
        assert_eq!(second["hash"], last.encode().unwrap().head().hash.to_string());
        assert_eq!(second["time"], last.time.to_string());
        assert_eq!(second["time"].as_str().unwrap().parse::<Timestamp>().unwrap(), last.time);
    });
}

#[test]
fn many_that_ask_at_once_are_all_answered_of_one_state() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let asked = join_all((0..50).map(|_| told(&registry))).await;
        assert!(asked.iter().all(|told| *told == asked[0]), "{asked:?}");
    });
}

#[test]
fn one_that_goes_away_does_not_keep_others_waiting() {
    run(async {
        let registry = Registry::start().await;
        for _ in 0..3 {
            push_named(&registry, REPO, "v1", "one").await;
            let left = tokio::time::timeout(Duration::ZERO, registry.send(get(PATH))).await;
            drop(left);
            told(&registry).await;
        }
    });
}

#[test]
fn everyone_is_administrator_for_now() {
    run(async {
        let registry = Registry::start().await;
        let me = json!({"actor": {"kind": "anonymous", "name": "anonymous"}, "administrator": true});
        registry
            .check_all([
                case(get("/api/v1/whoami"), ok(200).json(me.clone())),
                case(get("/api/v1/whoami/"), ok(200).json(me.clone())),
                case(head("/api/v1/whoami"), ok(200).header("content-type", "application/json")),
            ])
            .await;
    });
}
