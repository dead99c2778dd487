//! A disk with no more space than is kept free: what adds is refused before anything is received, and the rest goes on.

use serde_json::json;
use tagstone_schema::media_type::OCI_IMAGE;

use crate::case::{Answer, case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, patch, post, put};
use crate::samples::{REPO, named_image, noise, push_blob, push_named, sha256};
use crate::uploads::{created, finish, open, progress};

fn disk_full() -> Answer {
    refused(507, "DENIED", "the registry's disk is full")
        .detail(json!({"reason": "DISK_FULL"}))
        .header("retry-after", "60")
        .header("connection", "close")
}

/// The same registry, which keeps more free than any disk has.
async fn without_space(registry: Registry) -> Registry {
    registry
        .reopened_with(|settings| {
            settings.limits.free_disk_bytes = u64::MAX;
            settings.limits.free_disk_percent = 100;
        })
        .await
}

async fn with_space(registry: Registry) -> Registry {
    registry.reopened_with(|settings| settings.limits.free_disk_bytes = 0).await
}

#[test]
fn what_adds_is_refused_and_the_rest_goes_on() {
    run(async {
        let registry = Registry::start().await;
        let (kept, gone) =
            (push_named(&registry, REPO, "v1", "one").await, push_named(&registry, REPO, "v2", "two").await);
        let blob = push_blob(&registry, REPO, "a blob of no manifest").await;
        push_named(&registry, "acme/other", "v1", "other").await;
        let location = open(&registry, REPO).await;
        let bytes = noise(100_000);
        let digest = sha256(&bytes);
        registry.check(patch(&*location).body(bytes.slice(..60_000)), progress(202, &location, 60_000)).await;

        let registry = without_space(registry).await;
        let manifest = |tag: &str| format!("/v2/{REPO}/manifests/{tag}");
        let uploads = |query: &str| format!("/v2/{REPO}/blobs/uploads/{query}");
        let api = |rest: &str| format!("/api/v1/repository/{REPO}/{rest}");
        let new = named_image("three");
        let of_api = || refused(507, "insufficient_storage", "disk is full").header("retry-after", "60");
        let rest = bytes.slice(60_000..);
        registry
            .check_all([
                case(put(manifest("v3")).with("content-type", OCI_IMAGE).body(new.bytes.clone()), disk_full()),
                // Its body never comes, and nobody waits for it.
                case(put(manifest("v3")).with("content-type", OCI_IMAGE).stalled([]), disk_full()),
                case(post(uploads("")), disk_full()),
                case(post(uploads(&format!("?digest={digest}"))).body(bytes.clone()), disk_full()),
                case(post(uploads(&format!("?digest={}", sha256("a")))).body("a"), disk_full()),
                case(post(uploads(&format!("?mount={}&from=acme/other", sha256("other")))), disk_full()),
                case(patch(&*location).body(rest.clone()), disk_full()),
                case(patch(&*location).streamed([&rest]), disk_full()),
                case(finish(&location, &digest).body(rest.clone()), disk_full()),
                case(get(&*location), progress(204, &location, 60_000)),
                case(put(api("tag/v9")).body(json!({"manifest_digest": kept.digest}).to_string()), of_api()),
                case(post(api("tag/v1/restore")).body(json!({"manifest_digest": kept.digest}).to_string()), of_api()),
                case(get("/readyz"), ok(200)),
                case(get(manifest("v1")), ok(200)),
                case(get("/api/v1/events"), ok(200)),
                case(delete(manifest("v2")), ok(202)),
                case(delete(manifest(&gone.digest)), ok(202)),
                case(delete(format!("/v2/{REPO}/blobs/{blob}")), ok(202)),
                case(post(api("tags/delete")).body(json!({"tags": ["v1"]}).to_string()), ok(200)),
                case(delete("/api/v1/repository/acme/other"), ok(204)),
                case(
                    post("/api/v1/registry/immutabilitypolicy/").body(json!({"tagPattern": "v.*"}).to_string()),
                    ok(201),
                ),
            ])
            .await;
        registry.check(post("/api/v1/tokens").body("{}"), of_api()).await;
        registry.check(delete("/api/v1/tokens/x"), refused(404, "not_found", "no such access token")).await;
        let metrics = registry.probe("/metrics").await.body;
        let metrics = std::str::from_utf8(&metrics).unwrap();
        assert!(metrics.contains("tagstone_limit_refusals_total{limit=\"free_disk_bytes\"} 12"), "{metrics}");
        let gauge = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse::<f64>().unwrap()
        };
        assert!(gauge("tagstone_disk_kept_free_bytes") >= gauge("tagstone_disk_available_bytes"), "{metrics}");

        let registry = with_space(registry).await;
        registry.check(patch(&*location).body(rest), progress(202, &location, 100_000)).await;
        registry.check(finish(&location, &digest), created(&digest)).await;
        push_named(&registry, REPO, "v3", "three").await;
        registry.records();
    });
}

#[test]
fn a_client_can_give_up_its_upload() {
    run(async {
        let registry = Registry::start().await;
        let location = open(&registry, REPO).await;
        let registry = without_space(registry).await;
        registry.check(delete(&*location), ok(204)).await;
        assert_eq!(registry.standing().open_uploads, 0);
    });
}
