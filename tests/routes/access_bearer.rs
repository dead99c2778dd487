//! Tokens of an outside issuer: how they are asked for, and what is done with them.

use std::time::Duration;

use serde_json::json;
use tagstone::access::Anonymous;
use tagstone_schema::ActorKind;

use crate::case::{case, ok, refused};
use crate::guarded::{authorization, with_issuer};
use crate::issuer::{Issuer, claims};
use crate::live::Live;
use crate::registry::run;
use crate::request::{Request, delete, get, post, put};
use crate::samples::{REPO, push_blob, push_named};

const BASIC: &str = "Basic realm=\"tagstone\", charset=\"UTF-8\"";

/// A challenge, with what is said behind realm and service.
fn challenge(rest: &str) -> String {
    format!("Bearer realm=\"https://auth.example/token\",service=\"registry.example\"{rest}")
}

fn with(token: &str, request: Request) -> Request {
    request.with("authorization", format!("Bearer {token}"))
}

#[test]
fn a_challenge_says_what_a_token_has_to_be_for() {
    run(async {
        let issuer = Issuer::new();
        let registry = with_issuer(&issuer, |_| {}).await;
        let asked =
            |rest: &str| refused(401, "UNAUTHORIZED", "credentials").headers("www-authenticate", [challenge(rest)]);
        registry
            .check_all([
                case(get("/v2/"), asked("")),
                case(get("/v2/_catalog"), asked(",scope=\"registry:catalog:*\"")),
                case(get("/v2/acme/app/manifests/v1"), asked(",scope=\"repository:acme/app:pull\"")),
                case(get("/v2/as-of/seq-1/acme/app/manifests/v1"), asked(",scope=\"repository:acme/app:pull\"")),
                case(put("/v2/acme/app/manifests/v1").body("{}"), asked(",scope=\"repository:acme/app:pull,push\"")),
                case(delete("/v2/acme/app/manifests/v1"), asked(",scope=\"repository:acme/app:pull,delete\"")),
                case(post("/v2/a/blobs/uploads/"), asked(",scope=\"repository:a:pull,push\"")),
                case(post("/v2/a/blobs/uploads/?mount=sha256:x&from=b/c"), asked(",scope=\"repository:a:pull,push\"")),
                // What is no name is not repeated in a header.
                case(get("/v2/a%22,x=%22b/tags/list"), asked("")),
                case(post("/v2/a/blobs/uploads/?from=%22%0d%0aX:%20y"), asked(",scope=\"repository:a:pull,push\"")),
                case(
                    with("x", get("/v2/acme/app/manifests/v1")),
                    refused(401, "UNAUTHORIZED", "no token that is taken").headers(
                        "www-authenticate",
                        [challenge(",scope=\"repository:acme/app:pull\",error=\"invalid_token\"")],
                    ),
                ),
                // Below /api/v1 passwords are asked for as well.
                case(
                    get("/api/v1/events"),
                    refused(401, "invalid_token", "credentials")
                        .headers("www-authenticate", [challenge("").as_str(), BASIC]),
                ),
                // They are taken everywhere.
                case(get("/v2/").with("authorization", authorization("reader")), ok(200)),
            ])
            .await;
    });
}

#[test]
fn the_issuer_alone_says_what_its_users_may() {
    run(async {
        let issuer = Issuer::new();
        // Whoever comes may pull, by the rules; who shows a token has said whose word is to count.
        let registry = with_issuer(&issuer, |settings| settings.auth.anonymous = Anonymous::Pull).await;
        registry.log_in("root");
        push_named(&registry, "acme/app", "v1", "one").await;
        push_named(&registry, "labs/x", "v1", "two").await;
        registry.log_out();
        let pull = issuer.token("carol", &["repository:labs/x:pull"]);
        let push = issuer.token("reader", &["repository:labs/x:pull,push"]);
        let insufficient = |scope: &str| {
            refused(401, "UNAUTHORIZED", "is not for this")
                .headers("www-authenticate", [challenge(&format!(",scope=\"{scope}\",error=\"insufficient_scope\""))])
        };
        registry
            .check_all([
                case(get("/v2/acme/app/manifests/v1"), ok(200)),
                case(with(&pull, get("/v2/acme/app/manifests/v1")), insufficient("repository:acme/app:pull")),
                case(with(&pull, get("/v2/labs/x/manifests/v1")), ok(200)),
                case(with(&pull, post("/v2/labs/x/blobs/uploads/")), insufficient("repository:labs/x:pull,push")),
                // The rules know a `reader` too, who may pull from acme.
                case(with(&push, get("/v2/acme/app/manifests/v1")), insufficient("repository:acme/app:pull")),
                case(with(&push, post("/v2/labs/x/blobs/uploads/")), ok(202)),
                case(with(&pull, get("/v2/_catalog")), ok(200).json(json!({"repositories": ["labs/x"]}))),
                case(
                    with(&issuer.token("carol", &["registry:catalog:*"]), get("/v2/_catalog")),
                    ok(200).json(json!({"repositories": ["acme/app", "labs/x"]})),
                ),
                case(with(&pull, get("/api/v1/refusals")), refused(403, "insufficient_scope", "carol may not")),
                // Who could be an administrator is told what token that takes.
                case(
                    with(&issuer.token("boss", &[]), get("/api/v1/refusals")),
                    refused(401, "invalid_token", "is not for this").headers(
                        "www-authenticate",
                        [challenge(",scope=\"registry:catalog:*\",error=\"insufficient_scope\"").as_str(), BASIC],
                    ),
                ),
                case(with(&issuer.token("boss", &["registry:catalog:*"]), get("/api/v1/refusals")), ok(200)),
            ])
            .await;
        let anonymous = issuer.token("", &["repository:labs/x:pull"]);
        registry
            .check_all([
                case(with(&anonymous, get("/v2/labs/x/manifests/v1")), ok(200)),
                case(
                    with(&anonymous, get("/v2/acme/app/manifests/v1")),
                    refused(401, "UNAUTHORIZED", "is not for this"),
                ),
            ])
            .await;
        registry.authorize(Some(format!("Bearer {push}")));
        push_blob(&registry, "labs/x", "by carol").await;
        let last = registry.records().last().unwrap().actor.clone();
        assert_eq!((last.kind, last.name.as_str()), (ActorKind::User, "reader"));
    });
}

#[test]
fn a_stream_ends_with_the_token_that_opened_it() {
    run(async {
        let issuer = Issuer::new();
        let registry = with_issuer(&issuer, |_| {}).await;
        registry.log_in("root");
        push_blob(&registry, REPO, "seen").await;
        let token = issuer.token("carol", &["repository:acme/app:pull"]);
        let mut live = Live::open(&registry, with(&token, get("/api/v1/events/stream?from_seq=1"))).await;
        assert_eq!(live.event().await["repository"], REPO);
        push_blob(&registry, "acme/other", "not for carol").await;
        push_blob(&registry, REPO, "seen too").await;
        assert_eq!(live.event().await["digest"], crate::samples::sha256("seen too"));
        // Five minutes, and what the clocks may differ by.
        registry.let_pass(Duration::from_secs(331));
        push_blob(&registry, REPO, "not seen").await;
        assert_eq!(live.block().await, None);
    });
}

#[test]
fn why_a_token_is_refused() {
    run(async {
        let issuer = Issuer::new();
        let registry = with_issuer(&issuer, |settings| settings.limits.failed_logins = 1).await;
        let mut over = claims("carol", &[]);
        over["exp"] = json!(1_000_000_000);
        let mut other = claims("carol", &[]);
        other["aud"] = json!("another.example");
        let cases = [
            (issuer.signed(&over), "it has expired"),
            (issuer.signed(&other), "it is for another service"),
            (Issuer::new().token("carol", &[]), "no known key has signed it"),
            ("x".repeat(17_000), "it is too long"),
        ];
        // However many come, nobody has to wait: a signature cannot be guessed, and clients show a token until it has expired.
        for (token, says) in cases.iter().cycle().take(12) {
            let invalid = challenge(",scope=\"repository:acme/app:pull\",error=\"invalid_token\"");
            let expected = refused(401, "UNAUTHORIZED", *says).header("www-authenticate", invalid);
            registry.check(with(token, get(format!("/v2/{REPO}/tags/list"))), expected).await;
        }
        let metrics = registry.probe("/metrics").await;
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        assert!(text.contains("tagstone_failed_logins_total{reason=\"bearer_token\"} 12"), "{text}");
    });
}
