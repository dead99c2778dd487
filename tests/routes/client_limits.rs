//! What one client may have under way, and how large the head of a request may be: at the limit, one above, and afterwards.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tagstone::settings::Settings;
use tagstone_schema::event::Action;
use tagstone_schema::media_type::OCI_IMAGE;

use crate::case::{Answer, case, ok, refused};
use crate::guarded::{authorization, guarded, rule};
use crate::registry::{Registry, run};
use crate::reply::Reply;
use crate::request::{Request, delete, get, head, post, put};
use crate::samples::{REPO, noise, sha256};
use crate::uploads::{created, finish, open};

/// How often a limit has refused, as the metrics say.
async fn refusals_by(registry: &Registry, limit: &str) -> u64 {
    let metrics = registry.probe("/metrics").await.body;
    let line = format!("tagstone_limit_refusals_total{{limit=\"{limit}\"}} ");
    let metrics = std::str::from_utf8(&metrics).unwrap();
    metrics.lines().find_map(|own| own.strip_prefix(&line)).unwrap().parse().unwrap()
}

/// A request that has begun, and is under way until this is dropped.
async fn begun<'a>(registry: &'a Registry, request: Request) -> Pin<Box<dyn Future<Output = Reply> + 'a>> {
    let mut answer = Box::pin(registry.send_beside_others(request));
    poll_fn(|context| {
        assert!(answer.as_mut().poll(context).is_pending(), "it was answered");
        Poll::Ready(())
    })
    .await;
    answer
}

fn stalled_push() -> Request {
    put(format!("/v2/{REPO}/manifests/v1")).with("content-type", OCI_IMAGE).stalled([b"{"])
}

#[test]
fn more_requests_than_one_client_may_have_under_way() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.client_requests = 2).await;
        let first = begun(&registry, stalled_push()).await;
        registry.check(get("/v2/"), ok(200)).await;
        let second = begun(&registry, stalled_push()).await;
        let too_many = |code| refused(429, code, "2 requests under way").header("retry-after", "1");
        registry
            .check_all([
                case(get("/v2/"), too_many("TOOMANYREQUESTS")),
                case(head(format!("/v2/{REPO}/manifests/v1")), too_many("TOOMANYREQUESTS")),
                case(post(format!("/v2/{REPO}/blobs/uploads/")), too_many("TOOMANYREQUESTS")),
                case(get("/api/v1/whoami"), too_many("too_many_requests")),
            ])
            .await;
        for probe in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(registry.probe(probe).await.status, 200, "{probe}");
        }
        assert_eq!(refusals_by(&registry, "client_requests").await, 4);
        drop(first);
        registry.check(get("/v2/"), ok(200)).await;
        drop(second);
        registry.check(get("/v2/"), ok(200)).await;
        assert_eq!(refusals_by(&registry, "client_requests").await, 4);
    });
}

/// A registry with users, in which each client may have one request and one upload.
async fn narrow() -> Registry {
    let one = |settings: &mut Settings| {
        settings.limits.client_requests = 1;
        settings.limits.client_uploads = 1;
        settings.auth.access.push(rule("anonymous", "inbox", &[Action::Pull, Action::Push]));
    };
    guarded(one).await
}

#[test]
fn clients_are_users_and_addresses() {
    run(async {
        let registry = narrow().await;
        registry.log_in("writer");
        let _busy = begun_after_login(&registry).await;
        registry.check(get("/v2/"), refused(429, "TOOMANYREQUESTS", "1 requests under way")).await;
        registry.log_in("deleter");
        registry.check(get("/v2/"), ok(200)).await;
        // Nobody is known by the address; who comes from it with a name is another client.
        registry.log_out();
        let anybody = || get("/api/v1/whoami");
        registry.check(anybody(), ok(200)).await;
        let inbox = put("/v2/inbox/manifests/v1").with("content-type", OCI_IMAGE).stalled([b"{"]);
        let busy = begun(&registry, inbox).await;
        registry.check(anybody(), refused(429, "too_many_requests", "under way")).await;
        registry.log_in("deleter");
        registry.check(get("/v2/"), ok(200)).await;
        drop(busy);
        registry.log_out();
        registry.check(anybody(), ok(200)).await;
    });
}

/// The password of the user that is logged in is looked at first; a later request need not wait for that.
async fn begun_after_login(registry: &Registry) -> Pin<Box<dyn Future<Output = Reply> + '_>> {
    registry.check(get("/v2/"), ok(200)).await;
    begun(registry, stalled_push()).await
}

#[test]
fn more_uploads_than_one_client_may_have_open() {
    run(async {
        let registry = narrow().await;
        registry.log_in("writer");
        let location = open(&registry, REPO).await;
        let blob = noise(100_000);
        let digest = sha256(&blob);
        let start = |query: &str| post(format!("/v2/{REPO}/blobs/uploads/{query}"));
        let too_many = || refused(429, "TOOMANYREQUESTS", "1 uploads open").header("retry-after", "60");
        let at_once = || start(&format!("?digest={digest}"));
        registry
            .check_all([
                case(start(""), too_many()),
                // It has to pass through a session as well; a small one does not.
                case(at_once().body(blob.clone()), too_many()),
                case(start(&format!("?digest={}", sha256("small"))).body("small"), created(&sha256("small"))),
                case(start("").with("authorization", authorization("deleter")), ok(202)),
                case(finish(&location, &digest).body(blob.clone()), created(&digest)),
                case(at_once().body(blob.clone()), created(&digest)),
            ])
            .await;
        assert_eq!(refusals_by(&registry, "client_uploads").await, 2);
        // Cancelled, given up, or not what it should have been: each is over.
        let location = open(&registry, REPO).await;
        registry.check(delete(&*location), ok(204)).await;
        open(&registry, REPO).await;
        registry.check(start(""), too_many()).await;
        assert_eq!(registry.give_up_uploads(std::time::Duration::ZERO), 2);
        let wrong = at_once().body(noise(100_001));
        registry.check(wrong, refused(400, "DIGEST_INVALID", "the uploaded bytes")).await;
        open(&registry, REPO).await;
        registry.check(start(""), too_many()).await;
    });
}

#[test]
fn whose_uploads_were_open_before_a_restart_is_not_known_any_more() {
    run(async {
        let registry = Registry::with(|settings| {
            settings.limits.client_uploads = 1;
            settings.limits.open_uploads = 3;
        })
        .await;
        let start = || post(format!("/v2/{REPO}/blobs/uploads/"));
        let earlier = open(&registry, REPO).await;
        let registry = registry.restarted().await;
        let location = open(&registry, REPO).await;
        registry.check(start(), refused(429, "TOOMANYREQUESTS", "1 uploads open")).await;
        // The earlier one still counts among all, and ends for nobody.
        assert_eq!(registry.standing().open_uploads, 2);
        registry.check(delete(&*earlier), ok(204)).await;
        registry.check(start(), refused(429, "TOOMANYREQUESTS", "1 uploads open")).await;
        registry.check(delete(&*location), ok(204)).await;
        registry.check(start(), ok(202)).await;
    });
}

#[test]
fn heads_that_are_too_large() {
    run(async {
        let registry = Registry::with(|settings| {
            settings.limits.uri_bytes = 1024;
            settings.limits.header_bytes = 2048;
            settings.limits.header_fields = 16;
        })
        .await;
        let target = |bytes: usize| get(format!("/v2/?{}", "a".repeat(bytes - "/v2/?".len())));
        // `x: ` and the end of the line count too.
        let header = |bytes: usize| get("/v2/").with("x", "a".repeat(bytes - "x: \r\n".len()));
        let fields = |count: usize| (0..count).fold(get("/v2/"), |request, at| request.with(&format!("x{at}"), "a"));
        let too_large = |says: &str| refused(431, "SIZE_INVALID", says);
        let of_api = |request: Request| request.at("/api/v1/whoami");
        let cases: [(Request, Answer); 8] = [
            (target(1024), ok(200)),
            (target(1025), refused(414, "SIZE_INVALID", "1024 bytes that are allowed (`limits.uri_bytes`)")),
            (header(2048), ok(200)),
            (header(2049), too_large("2048 bytes that are allowed (`limits.header_bytes`)")),
            (fields(16), ok(200)),
            (fields(17), too_large("16 fields that are allowed (`limits.header_fields`)")),
            (of_api(header(2049)), refused(431, "head_too_large", "2048 bytes")),
            (get("/v2/"), ok(200)),
        ];
        registry.check_all(cases.map(|(request, answer)| case(request, answer))).await;
        for (limit, count) in [("uri_bytes", 1), ("header_bytes", 2), ("header_fields", 1)] {
            assert_eq!(refusals_by(&registry, limit).await, count, "{limit}");
        }
    });
}

#[test]
fn every_refusal_by_a_limit_is_counted() {
    run(async {
        let registry = Registry::with(|settings| {
            settings.limits.manifest_bytes = 1024;
            settings.limits.blob_bytes = Some(1024);
            settings.limits.open_uploads = 1;
            settings.limits.event_streams = 1;
            settings.limits.body_idle = std::time::Duration::from_millis(100);
        })
        .await;
        let uploads = || post(format!("/v2/{REPO}/blobs/uploads/"));
        let large = noise(1025);
        let push = || put(format!("/v2/{REPO}/manifests/v1")).with("content-type", OCI_IMAGE);
        let at_once = post(format!("/v2/{REPO}/blobs/uploads/?digest={}", sha256(&large)));
        let _stream = registry.answer(actix_web::test::TestRequest::with_uri("/api/v1/events/stream")).await;
        open(&registry, REPO).await;
        registry
            .check_all([
                case(push().body(large.clone()), refused(413, "SIZE_INVALID", "1024 bytes")),
                case(push().stalled([b"{"]), refused(408, "MANIFEST_INVALID", "too slowly")),
                case(at_once.body(large), refused(413, "SIZE_INVALID", "1024 bytes")),
                case(uploads(), refused(429, "TOOMANYREQUESTS", "1 uploads are open")),
                case(get("/api/v1/events/stream"), refused(503, "unavailable", "all 1 streams")),
                // What is no limit of the settings is not counted.
                case(push().body("{"), refused(400, "MANIFEST_INVALID", "JSON")),
            ])
            .await;
        for limit in ["manifest_bytes", "blob_bytes", "body_idle", "open_uploads", "event_streams"] {
            assert_eq!(refusals_by(&registry, limit).await, 1, "{limit}");
        }
        for limit in ["client_uploads", "client_requests", "failed_logins", "free_disk_bytes", "body_minimum_rate"] {
            assert_eq!(refusals_by(&registry, limit).await, 0, "{limit}");
        }
        let guarded = guarded(|settings| settings.limits.failed_logins = 1).await;
        let wrong = || get("/v2/").with("authorization", crate::guarded::login("root", "x"));
        guarded.check(wrong(), refused(401, "UNAUTHORIZED", "not valid")).await;
        guarded.check(wrong(), refused(429, "TOOMANYREQUESTS", "`limits.failed_logins`")).await;
        assert_eq!(refusals_by(&guarded, "failed_logins").await, 1);
    });
}
