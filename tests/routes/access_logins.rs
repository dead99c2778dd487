//! Logins: what is answered to whom, and what a record says of it.

use serde_json::json;
use tagstone::access::Anonymous;
use tagstone_schema::ActorKind;
use tagstone_schema::event::Action;

use crate::case::{case, ok, refused};
use crate::guarded::{authorization, guarded, login, rule};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, post, put};
use crate::samples::{REPO, push_blob, push_named};

const CHALLENGE: &str = "Basic realm=\"tagstone\", charset=\"UTF-8\"";

fn of(user: &str, request: Request) -> Request {
    request.with("authorization", authorization(user))
}

#[test]
fn credentials_are_asked_for() {
    run(async {
        let registry = guarded(|_| {}).await;
        let challenged = || refused(401, "UNAUTHORIZED", "credentials").header("www-authenticate", CHALLENGE);
        registry
            .check_all([
                case(get("/v2/"), challenged()),
                case(head("/v2/"), challenged()),
                case(get("/v2/acme/app/tags/list"), challenged().says("pull from acme/app")),
                case(get("/v2/").with("authorization", login("root", "x")), challenged().says("not valid")),
                case(get("/v2/").with("authorization", ""), challenged().says("not valid")),
                case(
                    get("/api/v1/events"),
                    refused(401, "invalid_token", "credentials").header("www-authenticate", CHALLENGE),
                ),
                case(of("stranger", get("/v2/")), ok(200)),
                case(
                    of("stranger", get("/v2/acme/app/tags/list")),
                    refused(403, "DENIED", "stranger may not pull").without("www-authenticate"),
                ),
                case(of("stranger", get("/api/v1/refusals")), refused(403, "insufficient_scope", "administrators")),
                // Which of two logins counts cannot be told.
                case(of("root", of("root", get("/v2/"))), challenged()),
            ])
            .await;
    });
}

#[test]
fn anonymous_clients_may_do_what_rules_say() {
    run(async {
        let pull = guarded(|settings| settings.auth.anonymous = Anonymous::Pull).await;
        pull.log_in("root");
        push_named(&pull, REPO, "v1", "one").await;
        pull.log_out();
        pull.check_all([
            case(get(format!("/v2/{REPO}/manifests/v1")), ok(200)),
            case(put(format!("/v2/{REPO}/manifests/v2")).body("{}"), refused(401, "UNAUTHORIZED", "push to acme/app")),
            case(delete(format!("/v2/{REPO}/manifests/v1")), refused(401, "UNAUTHORIZED", "delete in acme/app")),
            case(get("/api/v1/refusals"), refused(401, "invalid_token", "administrators")),
        ])
        .await;

        let rules = guarded(|settings| settings.auth.access.push(rule("anonymous", "inbox", &[Action::Push]))).await;
        push_blob(&rules, "inbox", "from anybody").await;
        rules.check(get("/v2/inbox/tags/list"), refused(401, "UNAUTHORIZED", "pull from inbox")).await;
        rules.check(post("/v2/other/blobs/uploads/"), refused(401, "UNAUTHORIZED", "push to other")).await;
        let records = rules.records();
        assert_eq!(records.last().unwrap().actor.kind, ActorKind::Anonymous);
    });
}

#[test]
fn a_record_names_its_user() {
    run(async {
        let registry = guarded(|_| {}).await;
        registry.log_in("writer");
        push_named(&registry, REPO, "v1", "one").await;
        let who = registry.check(get("/api/v1/whoami"), ok(200)).await.json();
        assert_eq!(who, json!({"actor": {"kind": "user", "name": "writer"}, "administrator": false}));
        let records = registry.records();
        let last = &records.last().unwrap().actor;
        assert_eq!((last.kind, last.name.as_str()), (ActorKind::User, "writer"));
    });
}

#[test]
fn only_an_administrator_unlocks_and_expiry_is_deletion() {
    run(async {
        let registry = guarded(|_| {}).await;
        registry.log_in("writer");
        push_named(&registry, REPO, "v1", "one").await;
        let tag = || put(format!("/api/v1/repository/{REPO}/tag/v1"));
        let expiry = json!({"expiration": 4_000_000_000_u64}).to_string();
        let (lock, unlock) = (r#"{"immutable":true}"#, r#"{"immutable":false}"#);
        let forbidden = |says: &'static str| refused(403, "insufficient_scope", says);
        registry
            .check_all([
                case(of("reader", tag().body(lock)), forbidden("push to acme/app")),
                case(of("writer", tag().body(expiry.clone())), forbidden("that deletes it")),
                case(of("deleter", tag().body(expiry)), ok(201)),
                case(of("deleter", tag().body(r#"{"expiration":null}"#)), ok(201)),
                case(of("writer", tag().body(lock)), ok(201)),
                case(of("writer", tag().body(unlock)), forbidden("administrators")),
                case(of("deleter", tag().body(unlock)), forbidden("administrators")),
                case(of("root", tag().body(unlock)), ok(201)),
            ])
            .await;
    });
}

#[test]
fn too_many_wrong_logins_have_to_wait() {
    run(async {
        let registry = guarded(|settings| settings.limits.failed_logins = 2).await;
        registry.check(of("reader", get("/v2/")), ok(200)).await;
        for user in ["one", "two"] {
            registry.check(of(user, get("/v2/")), refused(401, "UNAUTHORIZED", "not valid")).await;
        }
        registry.check(of("three", get("/v2/")), refused(429, "TOOMANYREQUESTS", "too many attempts")).await;
        // From now on right ones are not looked at either.
        for request in [get("/v2/"), get("/api/v1/whoami")] {
            let code = if request.path().starts_with("/api") { "too_many_requests" } else { "TOOMANYREQUESTS" };
            let reply = registry.check(of("root", request), refused(429, code, "too many attempts")).await;
            let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=30).contains(&seconds), "{seconds}");
        }
        // Who is known already, and who wants nothing of the gate, go on.
        registry.check(of("reader", get("/v2/")), ok(200)).await;
        registry.check(get("/v2/"), refused(401, "UNAUTHORIZED", "credentials")).await;
        assert_eq!(registry.probe("/healthz").await.status, 200);
    });
}

#[test]
fn the_address_is_what_trusted_proxies_say() {
    run(async {
        let address = async |registry: Registry| {
            let request = post(format!("/v2/{REPO}/blobs/uploads/?digest={}", crate::samples::sha256("x"))).body("x");
            registry.check(request.with("x-forwarded-for", "198.51.100.1, 203.0.113.9"), ok(201)).await;
            registry.records().last().unwrap().origin.address.to_string()
        };
        let network = |text: &str| vec![text.parse().unwrap()];
        let trusting = Registry::with(|settings| settings.http.trusted_proxies = network("192.0.2.0/24")).await;
        assert_eq!(address(trusting).await, "203.0.113.9");
        let other = Registry::with(|settings| settings.http.trusted_proxies = network("10.0.0.0/8")).await;
        assert_eq!(address(other).await, crate::registry::PEER);

        // Each client behind the proxy has failures of its own.
        let registry = guarded(|settings| {
            settings.http.trusted_proxies = network("192.0.2.0/24");
            settings.limits.failed_logins = 1;
        })
        .await;
        let from = |user: &str, address: &str| of(user, get("/v2/")).with("x-forwarded-for", address);
        registry
            .check_all([
                case(from("x", "203.0.113.1"), refused(401, "UNAUTHORIZED", "")),
                case(from("x", "203.0.113.1"), refused(429, "TOOMANYREQUESTS", "")),
                case(from("x", "203.0.113.2"), refused(401, "UNAUTHORIZED", "")),
            ])
            .await;
    });
}

#[test]
fn a_trusted_proxy_is_believed_about_addresses_alone() {
    run(async {
        let registry = guarded(|settings| settings.http.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()]).await;
        let refused = || refused(401, "UNAUTHORIZED", "credentials");
        for name in ["x-forwarded-user", "x-remote-user", "remote-user", "x-forwarded-email", "x-auth-request-user"] {
            let from = |request: Request| request.with("x-forwarded-for", "127.0.0.1").with(name, "root");
            registry
                .check_all([
                    case(from(get("/v2/")), refused()),
                    case(from(get("/v2/")).with("authorization", login("root", "")), refused()),
                    case(from(of("reader", get("/api/v1/whoami"))), ok(200)),
                ])
                .await;
            let who = registry.check(from(of("reader", get("/api/v1/whoami"))), ok(200)).await.json();
            assert_eq!((&who["actor"]["name"], &who["administrator"]), (&json!("reader"), &json!(false)), "{name}");
        }
    });
}
