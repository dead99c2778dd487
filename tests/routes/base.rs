//! The base, unknown paths, extensions, probes and metrics.

use serde_json::json;

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head, post, put};
use crate::samples::{REPO, push_blob, unknown_digest};

#[test]
fn the_base_says_that_this_is_a_registry() {
    run(async {
        let registry = Registry::start().await;
        let base = || ok(200).header("docker-distribution-api-version", "registry/2.0");
        registry
            .check_all([
                case(get("/v2/"), base().json(json!({}))),
                case(get("/v2"), base().json(json!({}))),
                case(head("/v2/"), base().header("content-type", "application/json")),
                case(get("/v2/?whatever=1"), base().json(json!({}))),
            ])
            .await;
    });
}

#[test]
fn what_is_not_there_is_not_found() {
    run(async {
        let registry = Registry::start().await;
        let long = "a".repeat(256);
        for path in [
            "/",
            "/v1/",
            "/v2x",
            "/V2/",
            "/v2//",
            "/v2/a",
            "/v2/a/b/",
            "/v2/_catalog/",
            "/v2/_extensions",
            "/v2/_oci/ext",
            "/v2/a/tags",
            "/v2/a/tags/list/",
            "/v2/a/manifests",
            "/v2/a/_tagstone/tag",
            "/v2/a/%ff/tags/list",
            "/healthz/",
            "/metrics/x",
            "/favicon.ico",
        ] {
            for request in [get(path), head(path), post(path), put(path).body("x"), delete(path)] {
                registry.check(request, refused(404, "UNSUPPORTED", "").without("allow")).await;
            }
        }
        registry.check(get("/v2/a"), refused(404, "UNSUPPORTED", "nothing at this path")).await;
        registry.check(get("/v2/Bad/thing"), refused(404, "UNSUPPORTED", "`Bad/thing` is not a repository name")).await;
        registry.check(get(format!("/v2/{long}")), refused(404, "UNSUPPORTED", "at most 255")).await;
    });
}

#[test]
fn a_path_that_is_too_long_is_refused() {
    run(async {
        let registry = Registry::start().await;
        let at_most = |length: usize| format!("/v2/?{}", "x".repeat(length - "/v2/?".len()));
        registry.check(get(at_most(8192)), ok(200)).await;
        let long = || refused(414, "SIZE_INVALID", "8192 bytes");
        registry
            .check_all([
                case(get(at_most(8193)), long()),
                case(head(at_most(8193)), long()),
                case(put(format!("/v2/{REPO}/manifests/{}", "t".repeat(9000))).body("{}"), long()),
            ])
            .await;
    });
}

#[test]
fn extensions_are_told_in_both_ways() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "x").await;
        let listed = json!({
            "org.opencontainers.distribution-spec/immutable-tags": true,
            "org.opencontainerd.distribution-spec/immutable-tags": true,
        });
        registry.check(get("/v2/_extensions/list"), ok(200).json(listed)).await;
        for (path, endpoints) in [
            (
                "/v2/_oci/ext/discover".to_owned(),
                ["/v2/_oci/ext/discover", "/v2/<name>/_oci/tag-history/<tag>", "/v2/_extensions/list"]
                    .map(str::to_owned),
            ),
            (
                format!("/v2/{REPO}/_oci/ext/discover"),
                ["_oci/ext/discover", "_oci/tag-history/<tag>", "_tagstone/tags"]
                    .map(|endpoint| format!("/v2/{REPO}/{endpoint}")),
            ),
        ] {
            let told = registry.check(get(&*path), ok(200).header("content-type", "application/json")).await.json();
            let extensions = told["extensions"].as_array().unwrap();
            for extension in extensions {
                for field in ["name", "url", "description"] {
                    assert!(extension[field].as_str().is_some_and(|text| !text.is_empty()), "{path}: {extension}");
                }
                for endpoint in extension["endpoints"].as_array().unwrap() {
                    let path = endpoint.as_str().unwrap().replace("<name>", REPO).replace("<tag>", "v1");
                    registry.check(get(path), ok(200)).await;
                }
            }
            let all: Vec<_> = extensions.iter().flat_map(|one| one["endpoints"].as_array().unwrap()).collect();
            assert_eq!(all, endpoints.each_ref(), "{path}");
        }
        let unknown =
            refused(404, "NAME_UNKNOWN", "repository nobody/here").detail(json!({"repository": "nobody/here"}));
        registry.check(get("/v2/nobody/here/_oci/ext/discover"), unknown).await;
    });
}

#[test]
fn probes_and_metrics() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "12345").await;
        registry.check(post(format!("/v2/{REPO}/blobs/uploads/")), ok(202)).await;
        registry.check(get(format!("/v2/{REPO}/blobs/{}", unknown_digest())), refused(404, "BLOB_UNKNOWN", "")).await;
        registry
            .check_all([
                case(get("/healthz"), ok(200).bytes("ok\n").header("content-type", "text/plain")),
                case(get("/readyz"), ok(200).bytes("ready\n").header("content-type", "text/plain")),
            ])
            .await;
        let metrics = ok(200).header("content-type", "text/plain; version=0.0.4");
        let text = registry.check(get("/metrics"), metrics).await.body;
        let text = std::str::from_utf8(&text).unwrap();
        for line in [
            "tagstone_http_requests_total{route=\"uploads\",status=\"2xx\"} 2",
            "tagstone_http_requests_total{route=\"blob\",status=\"4xx\"} 1",
            "tagstone_http_requests_total{route=\"manifest\",status=\"5xx\"} 0",
            "tagstone_http_request_seconds_count{route=\"uploads\"} 2",
            "tagstone_received_bytes_total 5",
            "tagstone_sent_bytes_total 0",
            "tagstone_log_head 2",
            "tagstone_batch_commands_count 1",
            "tagstone_commit_seconds_count 1",
            "tagstone_writer_queue 0",
            "tagstone_uploads_open 1",
            "tagstone_writer_poisoned 0",
        ] {
            assert!(text.lines().any(|own| own == line), "{line:?} is not in {text}");
        }
    });
}
