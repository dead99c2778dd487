//! Errors below `/api/v1`, which have a form of their own; the form itself is checked of every refusal.

use std::collections::BTreeSet;

use serde_json::json;

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::reply::TYPES;
use crate::request::{delete, get, head, post, put};

#[test]
fn what_is_not_there_is_not_found() {
    run(async {
        let registry = Registry::start().await;
        for path in [
            "/api/v1",
            "/api/v1/",
            "/api/v1/?n=1",
            "/api/v1//",
            "/api/v1/nothing",
            "/api/v1/log",
            "/api/v1/whoami/x",
            "/api/v1/WhoAmI",
            "/api/v1/repository",
            "/api/v1/repository/%ff/tag/v1",
            "/api/v1/v2/",
        ] {
            for request in [get(path), head(path), post(path), put(path).body("x"), delete(path)] {
                registry.check(request, refused(404, "not_found", "nothing at this path").without("allow")).await;
            }
        }
        // What is beside it has the form of the distribution specification.
        for path in ["/api", "/api/", "/api/v1x", "/api/v2/whoami", "/API/v1/whoami", "//api/v1/whoami"] {
            registry.check(get(path), refused(404, "UNSUPPORTED", "nothing at this path")).await;
        }
    });
}

#[test]
fn a_path_that_is_too_long_is_refused() {
    run(async {
        let registry = Registry::start().await;
        let long = format!("/api/v1/whoami?{}", "x".repeat(9_000));
        registry
            .check_all([
                case(get(&*long), refused(414, "uri_too_long", "8192 bytes")),
                case(head(&*long), refused(414, "uri_too_long", "")),
                case(get(format!("/api/v1/{}", "%ff".repeat(4_000))), refused(414, "uri_too_long", "8192 bytes")),
            ])
            .await;
    });
}

#[test]
fn a_kind_of_error_says_what_it_means() {
    run(async {
        let registry = Registry::start().await;
        let missing = registry.check(get("/api/v1/error/none"), refused(404, "not_found", "there are ")).await.json();
        let (_, listed) = missing["detail"].as_str().unwrap().split_once("there are ").unwrap();
        for name in listed.split(", ") {
            let path = format!("/api/v1/error/{name}");
            let told = registry.check(get(&*path), ok(200).header("content-type", "application/json")).await.json();
            assert_eq!((&told["type"], &told["title"]), (&json!(path), &json!(name)));
            assert!(told["description"].as_str().unwrap().ends_with('.'), "{told}");
        }
        assert_eq!(listed.split(", ").collect::<BTreeSet<_>>(), BTreeSet::from(TYPES.map(|(name, _)| name)));
        let path = missing["type"].as_str().unwrap();
        registry.check(get(path), ok(200)).await;
    });
}
