//! Access tokens: issued, listed, used, revoked.

use std::time::Duration;

use serde_json::{Value, json};
use tagstone_schema::{ActorKind, Event};

use crate::case::{case, ok, refused};
use crate::guarded::{authorization, guarded, login};
use crate::live::Live;
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, post, put};
use crate::samples::{REPO, push_blob, push_named};

const TOKENS: &str = "/api/v1/tokens";

fn of(user: &str, request: Request) -> Request {
    request.with("authorization", authorization(user))
}

fn bearer(secret: &str, request: Request) -> Request {
    request.with("authorization", format!("Bearer {secret}"))
}

fn wanted(glob: &str, actions: &[&str]) -> Value {
    json!({"label": "CI", "scopes": [{"repositories": glob, "actions": actions}]})
}

/// Issues a token to a user; its answer.
async fn issued(registry: &Registry, user: &str, wanted: Value) -> Value {
    registry.check(of(user, post(TOKENS).body(wanted.to_string())), ok(201)).await.json()
}

/// The secret and the id of a token of the writer.
async fn writers(registry: &Registry, glob: &str, actions: &[&str]) -> (String, String) {
    let token = issued(registry, "writer", wanted(glob, actions)).await;
    let text = |name: &str| token[name].as_str().unwrap().to_owned();
    (text("secret"), text("id"))
}

#[test]
fn a_token_is_issued_shown_once_and_revoked() {
    run(async {
        let registry = guarded(|_| {}).await;
        let scopes = json!([{"repositories": "acme/**", "actions": ["push", "pull", "pull"]}]);
        let asked = json!({"label": " CI of acme ", "scopes": scopes, "expires": "2999-01-01T00:00:00Z"});
        registry
            .check(
                of("writer", post(TOKENS).body(asked.to_string())),
                refused(400, "invalid_request", "limits.token_lifetime"),
            )
            .await;
        let now = registry.now();
        registry.set_clock(now);
        let answered = registry
            .check(
                of("writer", post(TOKENS).body(wanted("acme/**", &["push", "pull", "pull"]).to_string())),
                ok(201).header("cache-control", "no-store"),
            )
            .await
            .json();
        let (secret, id) = (answered["secret"].as_str().unwrap(), answered["id"].as_str().unwrap());
        assert!(secret.starts_with("tagstone_") && secret.len() == 69, "{secret}");
        let expires = tagstone_schema::Timestamp(now.0 + 90 * 86_400_000_000).to_string();
        let shown = json!({"id": id, "subject": "writer", "label": "CI", "issued": answered["issued"], "expires": expires,
            "scopes": [{"repositories": "acme/**", "actions": ["pull", "push"]}], "valid": true, "seq": answered["seq"]});
        let mut with_secret = shown.clone();
        with_secret["secret"] = json!(secret);
        assert_eq!(answered, with_secret);

        let path = format!("{TOKENS}/{id}");
        registry
            .check_all([
                case(of("writer", get(&*path)), ok(200).json(shown.clone())),
                case(of("root", get(&*path)), ok(200).json(shown.clone())),
                case(of("writer", get(TOKENS)), ok(200).json(json!({"tokens": [shown.clone()]}))),
                case(of("root", get(TOKENS)), ok(200).json(json!({"tokens": [shown]}))),
                case(of("reader", get(TOKENS)), ok(200).json(json!({"tokens": []}))),
                case(of("reader", get(&*path)), refused(404, "not_found", "no such access token")),
                case(of("reader", delete(&*path)), refused(404, "not_found", "no such access token")),
                case(of("root", get(format!("{TOKENS}/x"))), refused(404, "not_found", "no such access token")),
                case(of("writer", delete(&*path)), ok(204).empty()),
                case(of("writer", delete(&*path)), ok(204).empty()),
                case(of("writer", get(TOKENS)), ok(200).json(json!({"tokens": []}))),
                case(bearer(secret, get("/v2/")), refused(401, "UNAUTHORIZED", "the access token was revoked")),
            ])
            .await;
        let ended = registry.check(of("writer", get(format!("{TOKENS}?ended=true"))), ok(200)).await.json();
        assert_eq!((&ended["tokens"][0]["id"], &ended["tokens"][0]["valid"]), (&json!(id), &json!(false)));
        assert!(ended["tokens"][0]["revoked"].is_string());

        let events = registry.check(of("root", get("/api/v1/events?actor=writer")), ok(200)).await.json();
        let kinds: Vec<_> =
            events["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["token_revoked", "token_issued"]);
        assert_eq!(events["events"][1]["token"], *id);
        let revoked = &events["events"][0];
        assert_eq!((&revoked["token"], &revoked["user"]), (&json!(id), &json!("writer")), "{revoked}");
        assert_eq!(revoked["label"], "CI");
        assert!(!events.to_string().contains(secret), "the secret is nowhere");
        let secret = secret.to_owned();
        let kept =
            registry.records().into_iter().flat_map(|record| record.events.to_vec()).find_map(|event| match event {
                Event::TokenIssued { secret_hash, .. } => Some(secret_hash),
                _ => None,
            });
        assert_eq!(kept, Some(*blake3::hash(secret.as_bytes()).as_bytes()));
    });
}

#[test]
fn what_cannot_be_issued() {
    run(async {
        let registry = guarded(|settings| settings.limits.token_lifetime = Duration::from_secs(3_600)).await;
        let (secret, _) = writers(&registry, "**", &["pull", "push", "delete"]).await;
        let post_as = |user: &str, body: Value| of(user, post(TOKENS).body(body.to_string()));
        let changed = |name: &str, value: Value| {
            let mut body = wanted("acme/**", &["pull"]);
            body[name] = value;
            body
        };
        let invalid = |says: &str| refused(400, "invalid_request", says);
        let scope = |value: Value| changed("scopes", json!([value]));
        let many = vec![json!({"repositories": "a", "actions": ["pull"]}); 51];
        let long = vec![json!({"repositories": "a".repeat(512), "actions": ["pull"]}); 9];
        let cases = [
            (json!({}), "missing field `scopes`"),
            (changed("label", json!(1)), "label"),
            (changed("label", json!("a\nb")), "`label`"),
            (changed("label", json!("a".repeat(257))), "`label`"),
            (changed("scopes", json!([])), "`scopes`"),
            (changed("scopes", json!(many)), "`scopes`"),
            (changed("scopes", json!(long)), "4096 bytes"),
            (scope(json!({"repositories": "[", "actions": ["pull"]})), "`scopes[0].repositories`"),
            (scope(json!({"repositories": "", "actions": ["pull"]})), "`scopes[0].repositories`"),
            (scope(json!({"repositories": "/acme", "actions": ["pull"]})), "no repository can be called"),
            (scope(json!({"repositories": "a", "actions": []})), "`scopes[0].actions`"),
            (scope(json!({"repositories": "a", "actions": ["admin"]})), "actions"),
            (scope(json!({"repositories": "a", "actions": ["pull"], "x": 1})), "unknown field `x`"),
            (changed("expires", json!("2020-01-01T00:00:00Z")), "which is over"),
            (changed("expires", json!("tomorrow")), "`expires`"),
            (changed("expires", json!("2999-01-01T00:00:00Z")), "limits.token_lifetime"),
            (changed("subject", json!("nobody")), "no user"),
            (changed("name", json!("x")), "unknown field `name`"),
        ];
        for (body, says) in cases {
            registry.check(post_as("root", body), invalid(says)).await;
        }
        let body = || wanted("acme/**", &["pull"]).to_string();
        registry
            .check_all([
                case(
                    post_as("writer", changed("subject", json!("reader"))),
                    refused(403, "insufficient_scope", "for administrators"),
                ),
                case(
                    post_as("writer", changed("subject", json!("nobody"))),
                    refused(403, "insufficient_scope", "for administrators"),
                ),
                case(
                    post_as("stranger", changed("label", json!("x"))),
                    refused(403, "insufficient_scope", "no rule of access allows stranger anything"),
                ),
                case(bearer(&secret, post(TOKENS).body(body())), refused(403, "insufficient_scope", "password")),
                case(bearer(&secret, get(TOKENS)), refused(403, "insufficient_scope", "password")),
                case(post(TOKENS).body(body()), refused(401, "invalid_token", "credentials")),
                case(get(format!("{TOKENS}?ended=maybe")), refused(401, "invalid_token", "credentials")),
                case(of("root", get(format!("{TOKENS}?ended=maybe"))), invalid("ended=maybe")),
                case(of("root", get(format!("{TOKENS}?next=61"))), invalid("`next`")),
                case(of("root", get(format!("{TOKENS}?n=0"))), invalid("n=0")),
            ])
            .await;
        let open = Registry::start().await;
        open.check(post(TOKENS).body(body()), invalid("no user")).await;
    });
}

#[test]
fn an_administrator_issues_for_others_and_sees_all() {
    run(async {
        let registry = guarded(|_| {}).await;
        for subject in ["reader", "writer", "reader", "root"] {
            let mut body = wanted("**", &["pull"]);
            body["subject"] = json!(subject);
            let token = issued(&registry, "root", body).await;
            assert_eq!(token["subject"], subject);
        }
        let (mut seen, mut next) = (Vec::new(), String::new());
        for _ in 0..4 {
            let page = registry.check(of("root", get(format!("{TOKENS}?n=1{next}"))), ok(200)).await.json();
            seen.push(page["tokens"][0]["subject"].as_str().unwrap().to_owned());
            next = page["next"].as_str().map(|next| format!("&next={next}")).unwrap_or_default();
        }
        assert_eq!((seen.join(" ").as_str(), next.as_str()), ("reader writer reader root", ""));
        let count = async |user: &str, query: &str| {
            let list = registry.check(of(user, get(format!("{TOKENS}{query}"))), ok(200)).await.json();
            list["tokens"].as_array().unwrap().len()
        };
        assert_eq!(count("root", "?subject=reader").await, 2);
        assert_eq!((count("reader", "").await, count("reader", "?subject=writer").await), (2, 0));

        // Large ones make a page short.
        let mut large = wanted("**", &["pull"]);
        large["scopes"] = json!(vec![json!({"repositories": "a".repeat(512), "actions": ["pull"]}); 8]);
        for _ in 0..130 {
            issued(&registry, "writer", large.clone()).await;
        }
        let first = registry.check(of("writer", get(TOKENS)), ok(200)).await;
        assert!(first.body.len() < 600_000, "{}", first.body.len());
        let first = first.json();
        let behind = format!("?next={}", first["next"].as_str().unwrap());
        assert_eq!(first["tokens"].as_array().unwrap().len() + count("writer", &behind).await, 131);
    });
}

#[test]
fn a_token_does_what_both_it_and_its_user_may() {
    run(async {
        let registry = guarded(|_| {}).await;
        registry.log_in("root");
        for repository in ["acme/app", "acme/base", "labs/x"] {
            push_named(&registry, repository, "v1", repository).await;
        }
        registry.log_out();
        let (secret, id) = writers(&registry, "{acme/app,labs/**}", &["pull", "push", "delete"]).await;
        let (narrow, _) = writers(&registry, "acme/app", &["pull"]).await;
        let upload = |name: &str| post(format!("/v2/{name}/blobs/uploads/"));
        let manifest = |name: &str| format!("/v2/{name}/manifests/v1");
        let denied = |says: &str| refused(403, "DENIED", says);
        registry
            .check_all([
                case(bearer(&secret, head(manifest("acme/app"))), ok(200)),
                case(bearer(&secret, upload("acme/app")), ok(202)),
                // Its user may not delete, nor pull in labs; and it is not for acme/base.
                case(bearer(&secret, delete(manifest("acme/app"))), denied("may not delete in acme/app")),
                case(bearer(&secret, get(manifest("labs/x"))), denied("may not pull from labs/x")),
                case(bearer(&secret, get(manifest("acme/base"))), denied("may not pull from acme/base")),
                case(bearer(&narrow, upload("acme/app")), denied("writer/")),
                case(get("/v2/").with("authorization", login("writer", &secret)), ok(200)),
                case(get("/v2/").with("authorization", login("$token", &secret)), ok(200)),
                case(
                    get("/v2/").with("authorization", login("reader", &secret)),
                    refused(401, "UNAUTHORIZED", "not valid"),
                ),
                case(bearer(&secret[..68], get("/v2/")), refused(401, "UNAUTHORIZED", "not valid")),
                case(bearer(&secret, get("/v2/_catalog")), ok(200).json(json!({"repositories": ["acme/app"]}))),
                case(bearer(&secret, get("/api/v1/refusals")), refused(403, "insufficient_scope", "administrators")),
            ])
            .await;
        let who = registry.check(bearer(&secret, get("/api/v1/whoami")), ok(200)).await.json();
        let actor = json!({"kind": "token", "name": format!("writer/{id}")});
        assert_eq!((&who["actor"], &who["administrator"]), (&actor, &json!(false)));
        assert_eq!((&who["token"]["id"], &who["token"]["subject"]), (&json!(id), &json!("writer")));
        assert!(who["token"]["expires"].is_string() && who["token"].get("secret").is_none(), "{who}");

        // Not even one of an administrator makes one.
        let of_root = issued(&registry, "root", wanted("**", &["pull", "push", "delete"])).await;
        let of_root = of_root["secret"].as_str().unwrap();
        let tag = || put("/api/v1/repository/labs/x/tag/v1");
        registry
            .check_all([
                case(bearer(of_root, tag().body(r#"{"immutable":true}"#)), ok(201)),
                case(
                    bearer(of_root, tag().body(r#"{"immutable":false}"#)),
                    refused(403, "insufficient_scope", "administrators"),
                ),
                case(bearer(of_root, get("/api/v1/log/records")), refused(403, "insufficient_scope", "administrators")),
                case(bearer(of_root, delete(manifest("acme/base"))), ok(202)),
            ])
            .await;

        registry.authorize(Some(format!("Bearer {secret}")));
        push_blob(&registry, REPO, "by a token").await;
        let events = registry.check(get("/api/v1/events?kind=blob_linked&n=1"), ok(200)).await.json();
        assert_eq!(events["events"][0]["actor"], actor);
        let logs = registry
            .check(get("/api/v1/repository/labs/x/logs").with("authorization", authorization("root")), ok(200))
            .await;
        assert_eq!(logs.json()["logs"][0]["performer"]["is_robot"], json!(true));
        assert_eq!(registry.records().last().unwrap().actor.kind, ActorKind::Token);
    });
}

#[test]
fn a_token_expires_also_in_a_stream() {
    run(async {
        let registry = guarded(|_| {}).await;
        let (secret, _) = writers(&registry, "acme/**", &["pull", "push"]).await;
        let (other, id) = writers(&registry, "acme/**", &["pull"]).await;
        let stream = |secret: &str| bearer(secret, get("/api/v1/events/stream?from_seq=1"));
        registry.authorize(Some(authorization("writer")));
        push_blob(&registry, REPO, "seen by both").await;
        let mut of_revoked = Live::open(&registry, stream(&other)).await;
        let mut of_expired = Live::open(&registry, stream(&secret)).await;
        assert_eq!(of_revoked.event().await["repository"], REPO);
        assert_eq!(of_expired.event().await["repository"], REPO);

        registry.check(delete(format!("{TOKENS}/{id}")), ok(204)).await;
        push_blob(&registry, REPO, "seen by one").await;
        assert_eq!(of_revoked.block().await, None);
        assert_eq!(of_expired.event().await["repository"], REPO);

        registry.let_pass(Duration::from_secs(91 * 86_400));
        push_blob(&registry, REPO, "seen by none").await;
        assert_eq!(of_expired.block().await, None);
        registry.check(bearer(&secret, get("/v2/")), refused(401, "UNAUTHORIZED", "has expired")).await;
        let metrics = registry.probe("/metrics").await;
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        assert!(text.contains("tagstone_failed_logins_total{reason=\"access_token\"} 1"), "{text}");
    });
}
