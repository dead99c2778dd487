//! Login tokens, by which clients log in where nobody has to.

use std::time::Duration;

use serde_json::json;
use tagstone::access::Anonymous;
use tagstone_schema::ActorKind;
use tagstone_schema::event::Action;

use crate::case::{case, ok, refused};
use crate::guarded::{authorization, guarded, login, rule, with_issuer};
use crate::issuer::Issuer;
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, post, put};
use crate::samples::{REPO, push_blob, push_named};

const HOST: &str = "registry.example:5000";

fn at(host: &str, request: Request) -> Request {
    request.with("host", host)
}

fn bearer(token: &str, request: Request) -> Request {
    request.with("authorization", format!("Bearer {token}"))
}

/// A registry in which anybody may pull.
async fn public() -> Registry {
    guarded(|settings| settings.auth.anonymous = Anonymous::Pull).await
}

/// The login token that is given for these credentials.
async fn token(registry: &Registry, authorization: Option<String>) -> String {
    let request = get("/v2/token?service=tagstone&scope=repository:acme/app:pull,push&account=x");
    let request = authorization.into_iter().fold(request, |request, login| request.with("authorization", login));
    let reply = registry.check(request, ok(200).header("cache-control", "no-store")).await.json();
    assert_eq!((&reply["access_token"], &reply["expires_in"]), (&reply["token"], &json!(300)));
    assert!(reply["issued_at"].as_str().unwrap().ends_with('Z'));
    reply["token"].as_str().unwrap().to_owned()
}

fn challenge(scheme: &str, rest: &str) -> String {
    format!("Bearer realm=\"{scheme}://{HOST}/v2/token\",service=\"tagstone\"{rest}")
}

#[test]
fn whoever_comes_without_anything_is_asked_for_a_token() {
    run(async {
        let registry = public().await;
        let asked = |rest: &str| {
            refused(401, "UNAUTHORIZED", "credentials").headers("www-authenticate", [challenge("http", rest)])
        };
        let basic = "Basic realm=\"tagstone\", charset=\"UTF-8\"";
        registry
            .check_all([
                case(at(HOST, get("/v2/")), asked("").says("/v2/token")),
                case(at(HOST, head("/v2/")), asked("")),
                case(
                    at(HOST, put(format!("/v2/{REPO}/manifests/v2")).body("{}")),
                    asked(",scope=\"repository:acme/app:pull,push\""),
                ),
                // Everything else is answered as ever, without credentials too.
                case(at(HOST, get("/v2/_catalog")), ok(200)),
                case(
                    at(HOST, get("/api/v1/refusals")),
                    refused(401, "invalid_token", "administrators").header("www-authenticate", basic),
                ),
                case(
                    get("/v2/token").with("authorization", login("writer", "x")),
                    refused(401, "UNAUTHORIZED", "not valid").header("www-authenticate", basic),
                ),
                // Without a host there is no address to name; passwords are asked for then.
                case(get("/v2/"), refused(401, "UNAUTHORIZED", "credentials").header("www-authenticate", basic)),
                case(
                    at("a\"b", get("/v2/")),
                    refused(401, "UNAUTHORIZED", "credentials").header("www-authenticate", basic),
                ),
                // A proxy that nobody trusts says nothing.
                case(at(HOST, get("/v2/")).with("x-forwarded-proto", "https"), asked("")),
            ])
            .await;
        let behind = guarded(|settings| {
            settings.auth.anonymous = Anonymous::Pull;
            settings.http.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
        })
        .await;
        let asked = |scheme: &str| {
            refused(401, "UNAUTHORIZED", "credentials").header("www-authenticate", challenge(scheme, ""))
        };
        behind
            .check_all([
                case(at(HOST, get("/v2/")), asked("http")),
                case(at(HOST, get("/v2/")).with("x-forwarded-proto", "https"), asked("https")),
                case(at(HOST, get("/v2/")).with("x-forwarded-proto", "HTTPS, http"), asked("https")),
                case(at(HOST, get("/v2/")).with("x-forwarded-proto", "gopher"), asked("http")),
            ])
            .await;
    });
}

#[test]
fn a_login_token_is_what_was_shown_for_it_and_no_more() {
    run(async {
        let registry = public().await;
        registry.log_in("root");
        push_named(&registry, REPO, "v1", "one").await;
        registry.log_out();
        let nobody = token(&registry, None).await;
        let writer = token(&registry, Some(authorization("writer"))).await;
        let root = token(&registry, Some(authorization("root"))).await;
        let upload = || post(format!("/v2/{REPO}/blobs/uploads/"));
        let wanted = json!({"label": "x", "scopes": [{"repositories": "**", "actions": ["pull"]}]}).to_string();
        registry
            .check_all([
                case(bearer(&nobody, get("/v2/")), ok(200)),
                case(bearer(&nobody, get(format!("/v2/{REPO}/manifests/v1"))), ok(200)),
                case(bearer(&nobody, upload()), refused(401, "UNAUTHORIZED", "push to acme/app")),
                case(bearer(&writer, get("/v2/")), ok(200)),
                case(bearer(&writer, upload()), ok(202)),
                case(
                    bearer(&writer, delete(format!("/v2/{REPO}/manifests/v1"))),
                    refused(403, "DENIED", "writer may not delete"),
                ),
                // It makes neither an administrator nor another token.
                case(bearer(&root, post("/v2/labs/x/blobs/uploads/")), ok(202)),
                case(bearer(&root, get("/api/v1/refusals")), refused(403, "insufficient_scope", "administrators")),
                case(
                    bearer(&writer, post("/api/v1/tokens").body(wanted)),
                    refused(403, "insufficient_scope", "password"),
                ),
                case(bearer(&writer, get("/v2/token")), refused(404, "UNSUPPORTED", "no login tokens")),
                case(bearer(&format!("{writer}A"), get("/v2/")), refused(401, "UNAUTHORIZED", "the login is over")),
                case(post("/v2/token"), refused(405, "UNSUPPORTED", "GET, HEAD")),
            ])
            .await;
        registry.let_pass(Duration::from_secs(299));
        registry.check(bearer(&writer, get("/v2/")), ok(200)).await;
        registry.authorize(Some(format!("Bearer {writer}")));
        push_blob(&registry, REPO, "by a login token").await;
        registry.let_pass(Duration::from_secs(1));
        registry.check(bearer(&writer, get("/v2/")), refused(401, "UNAUTHORIZED", "the login is over")).await;
        let last = registry.records().last().unwrap().actor.clone();
        assert_eq!((last.kind, last.name.as_str()), (ActorKind::User, "writer"));
    });
}

#[test]
fn one_of_an_access_token_ends_with_it() {
    run(async {
        let registry = public().await;
        let body = json!({"label": "CI", "scopes": [{"repositories": REPO, "actions": ["push"]}]}).to_string();
        let issue = post("/api/v1/tokens").body(body).with("authorization", authorization("deleter"));
        let issued = registry.check(issue, ok(201)).await.json();
        let (secret, id) = (issued["secret"].as_str().unwrap(), issued["id"].as_str().unwrap());
        let token = token(&registry, Some(login("deleter", secret))).await;
        let upload = |name: &str| post(format!("/v2/{name}/blobs/uploads/"));
        registry
            .check_all([
                case(bearer(&token, upload(REPO)), ok(202)),
                case(bearer(&token, upload("acme/other")), refused(403, "DENIED", "may not push to acme/other")),
                case(delete(format!("/api/v1/tokens/{id}")).with("authorization", authorization("deleter")), ok(204)),
                case(bearer(&token, upload(REPO)), refused(401, "UNAUTHORIZED", "the login is over")),
            ])
            .await;
    });
}

#[test]
fn where_there_are_none() {
    run(async {
        let none = refused;
        let open = Registry::start().await;
        open.check(get("/v2/token"), none(404, "UNSUPPORTED", "no login tokens")).await;
        open.check(get("/v2/"), ok(200)).await;
        let closed = guarded(|_| {}).await;
        closed.check(get("/v2/token"), none(401, "UNAUTHORIZED", "credentials")).await;
        let issuer = Issuer::new();
        let outside = with_issuer(&issuer, |settings| settings.auth.anonymous = Anonymous::Pull).await;
        outside.check(get("/v2/token"), none(404, "UNSUPPORTED", "no login tokens")).await;
        outside.check(get("/v2/"), ok(200)).await;
        // One repository that anybody may pull from is enough.
        let some = guarded(|settings| settings.auth.access.push(rule("anonymous", "inbox", &[Action::Push]))).await;
        some.check(at(HOST, get("/v2/")), none(401, "UNAUTHORIZED", "/v2/token")).await;
    });
}
