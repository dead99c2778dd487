//! What the rules of access deny to somebody who is known, where it would have changed something, is evidence.

use serde_json::{Value, json};
use tagstone_schema::event::Action;
use tagstone_schema::{ActorKind, Event};

use crate::case::ok;
use crate::guarded::{authorization, guarded};
use crate::registry::run;
use crate::request::{Request, delete, get, patch, post, put};
use crate::samples::{push_named, unknown_digest};

fn of(user: &str, request: Request) -> Request {
    request.with("authorization", authorization(user))
}

#[test]
fn what_is_denied_is_listed_counted_and_recorded() {
    run(async {
        let registry = guarded(|_| {}).await;
        registry.log_in("root");
        push_named(&registry, "acme/app", "v1", "one").await;
        let scopes = json!([{"repositories": "acme/app", "actions": [Action::Pull]}]);
        let body = json!({"subject": "writer", "scopes": scopes}).to_string();
        let token = registry.check(post("/api/v1/tokens").body(body), ok(201)).await.json();
        let secret = format!("Bearer {}", token["secret"].as_str().unwrap());
        registry.log_out();

        let digest = unknown_digest();
        let v2 = |rest: &str| format!("/v2/acme/app/{rest}");
        let api = |rest: &str| format!("/api/v1/repository/acme/app/{rest}");
        // Each with the tag and the digest that its entry names.
        let denied = [
            (of("reader", put(v2("manifests/v1"))), Some("v1"), None),
            (of("reader", delete(v2(&format!("manifests/{digest}")))), None, Some(&digest)),
            (of("writer", delete(v2(&format!("blobs/{digest}")))), None, Some(&digest)),
            (of("reader", post(v2("blobs/uploads/"))), None, None),
            (of("reader", patch(v2("blobs/uploads/x"))), None, None),
            (of("writer", delete(api("tag/v2"))), Some("v2"), None),
            (of("writer", post(api("purge"))), None, None),
            (of("deleter", post(api("tag/v1/erase"))), Some("v1"), None),
            (of("deleter", put(api("tag/v3")).body(r#"{"immutable":false}"#)), Some("v3"), None),
            (of("stranger", post(api("immutabilitypolicy/"))), None, None),
            (of("stranger", delete("/v2/acme/zzz/manifests/v1")), Some("v1"), None),
            (put(v2("manifests/v9")).with("authorization", &secret), Some("v9"), None),
        ];
        // What is no change, or no denial, or names no repository.
        let others = [
            (of("stranger", get(v2("manifests/v1"))), 403),
            (of("stranger", get("/api/v1/repository/acme/app/immutabilitypolicy/")), 403),
            (of("stranger", get(v2("blobs/uploads/x"))), 403),
            (of("stranger", post("/api/v1/collect")), 403),
            (of("stranger", post("/api/v1/registry/immutabilitypolicy/")), 403),
            (of("stranger", delete("/v2/acme/APP/manifests/v1")), 403),
            (of("stranger", delete("/v2/as-of/seq-1/acme/app/manifests/v1")), 403),
            (of("writer", put(v2("manifests/v1"))), 400),
            (put(v2("manifests/v1")), 401),
            (delete(v2("manifests/v1")).with("authorization", "Basic eDp5"), 401),
        ];
        for (request, status) in others {
            let shown = request.to_string();
            assert_eq!(registry.send(request).await.status, status, "{shown}");
        }
        let list = async || registry.check(of("root", get("/api/v1/refusals")), ok(200)).await.json();
        assert_eq!(list().await, json!({"refusals": [], "others": 0}));

        for (request, tag, digest) in denied {
            let shown = request.to_string();
            let reply = registry.send(request).await;
            assert_eq!(reply.status, 403, "{shown}: {}", String::from_utf8_lossy(&reply.body));
            let list = list().await;
            let entry = &list["refusals"][0];
            let repository = if shown.contains("zzz") { "acme/zzz" } else { "acme/app" };
            assert_eq!(
                (&entry["reason"], &entry["repository"]),
                (&json!("ACCESS_DENIED"), &json!(repository)),
                "{shown}"
            );
            assert_eq!(entry.get("tag").and_then(Value::as_str), tag, "{shown}");
            assert_eq!(entry.get("digest").and_then(Value::as_str), digest.map(String::as_str), "{shown}");
        }
        let told = list().await;
        // Both uploads are the same attempt.
        assert_eq!(told["refusals"].as_array().unwrap().len(), 11, "{told}");
        assert_eq!(told["refusals"][0]["actor"]["kind"], "token");
        let uploads = told["refusals"].as_array().unwrap().iter().find(|entry| entry["count"] == 2).unwrap();
        assert_eq!(uploads["actor"]["name"], "reader");
        let metrics = registry.probe("/metrics").await.body;
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        assert!(metrics.contains("tagstone_refusals_total{reason=\"ACCESS_DENIED\"} 12"), "{metrics}");
        let (records, _) = registry.all_records();
        let last = records.last().and_then(|record| record.events.last());
        let Some(Event::AttemptsRefused { entries, others: 0, .. }) = last else { panic!("{last:?}") };
        assert_eq!((entries.len(), entries[0].reason.as_str()), (11, "ACCESS_DENIED"));
        assert_eq!(entries.last().unwrap().actor.kind, ActorKind::Token);
    });
}
