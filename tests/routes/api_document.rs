//! The OpenAPI document says what is served, and everything that is served stands in it.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use serde_json::{Value, json};
use tagstone::http::ROUTE_LABELS;

use crate::case::{ok, refused};
use crate::methods::{METHODS, requests_but};
use crate::registry::{Registry, run};
use crate::request::{Request, get};

/// Every resource that the API has a place for, by its path in the document, and whether or not it is served yet.
const PATHS: &[&str] = &[
    "/api/v1/registry/immutabilitypolicy/",
    "/api/v1/registry/immutabilitypolicy/preview",
    "/api/v1/registry/immutabilitypolicy/{uuid}",
    "/api/v1/registry/immutabilitypolicy/{uuid}/activate",
    "/api/v1/organization/{namespace}/immutabilitypolicy/",
    "/api/v1/organization/{namespace}/immutabilitypolicy/preview",
    "/api/v1/organization/{namespace}/immutabilitypolicy/{uuid}",
    "/api/v1/organization/{namespace}/immutabilitypolicy/{uuid}/activate",
    "/api/v1/repository/{repository}/immutabilitypolicy/",
    "/api/v1/repository/{repository}/immutabilitypolicy/preview",
    "/api/v1/repository/{repository}/immutabilitypolicy/{uuid}",
    "/api/v1/repository/{repository}/immutabilitypolicy/{uuid}/activate",
    "/api/v1/organization/{namespace}/autoprunepolicy/",
    "/api/v1/organization/{namespace}/autoprunepolicy/{uuid}",
    "/api/v1/organization/{namespace}/autoprunepolicy/{uuid}/activate",
    "/api/v1/organization/{namespace}/autoprunepolicy/{uuid}/run",
    "/api/v1/repository/{repository}/autoprunepolicy/",
    "/api/v1/repository/{repository}/autoprunepolicy/{uuid}",
    "/api/v1/repository/{repository}/autoprunepolicy/{uuid}/activate",
    "/api/v1/repository/{repository}/autoprunepolicy/{uuid}/run",
    "/api/v1/repository/{repository}/tag/",
    "/api/v1/repository/{repository}/tag/{tag}",
    "/api/v1/repository/{repository}/tag/{tag}/why",
    "/api/v1/repository/{repository}/tag/{tag}/erase",
    "/api/v1/repository/{repository}/tag/{tag}/restore",
    "/api/v1/repository/{repository}/tag/{tag}/expire",
    "/api/v1/repository/{repository}/tags/delete",
    "/api/v1/repository/{repository}",
    "/api/v1/repository/{repository}/logs",
    "/api/v1/organization/{namespace}/logs",
    "/api/v1/collect",
    "/api/v1/repository/{repository}/purge",
    "/api/v1/events",
    "/api/v1/events/stream",
    "/api/v1/refusals",
    "/api/v1/tokens",
    "/api/v1/tokens/{id}",
    "/api/v1/log/head",
    "/api/v1/log/records",
    "/api/v1/whoami",
    "/api/v1/openapi.json",
    "/api/v1/error/{error_type}",
];

const PARAMETERS: [(&str, &str); 6] = [
    ("{id}", "0d8ab3ce-0b0c-4b4e-9d0a-3a4b1c2d3e4f"),
    ("{namespace}", "acme"),
    ("{repository}", "acme/app"),
    ("{tag}", "v1"),
    ("{uuid}", "0d8ab3ce-0b0c-4b4e-9d0a-3a4b1c2d3e4f"),
    ("{error_type}", "not_found"),
];

/// A request whose answer ends: the stream does so only where it is refused.
fn asked(method: &str, path: &str) -> Request {
    let request = Request::new(Method::from_bytes(method.as_bytes()).unwrap(), path);
    if path.contains("/stream") { request.with("last-event-id", "none") } else { request }
}

fn filled(path: &str) -> String {
    PARAMETERS.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

async fn document(registry: &Registry) -> Value {
    registry.check(get("/api/v1/openapi.json"), ok(200).header("content-type", "application/json")).await.json()
}

/// The methods of each path, in upper case. HEAD goes with GET.
fn methods(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |operations: &Value| {
        let mut methods: BTreeSet<_> = operations.as_object().unwrap().keys().map(|key| key.to_uppercase()).collect();
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        methods
    };
    paths.iter().map(|(path, operations)| (path.clone(), methods(operations))).collect()
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, operations)| {
            operations
                .as_object()
                .unwrap()
                .iter()
                .map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

#[test]
fn what_is_served_and_what_is_documented_are_one() {
    run(async {
        let registry = Registry::start().await;
        let documented = methods(&document(&registry).await);
        let known: BTreeSet<_> = PATHS.iter().map(|path| (*path).to_owned()).collect();
        let unknown: Vec<_> = documented.keys().filter(|path| !known.contains(*path)).collect();
        assert!(unknown.is_empty(), "add {unknown:?} to the paths of this test");
        for template in PATHS {
            for path in [filled(template), filled(template).trim_end_matches('/').to_owned() + "/"] {
                let Some(methods) = documented.get(*template) else {
                    for request in requests_but("", &path) {
                        registry
                            .check(request, refused(404, "not_found", "nothing at this path").without("allow"))
                            .await;
                    }
                    continue;
                };
                let mut allowed = String::new();
                for method in METHODS {
                    if !methods.contains(method) {
                        let request = Request::new(Method::from_bytes(method.as_bytes()).unwrap(), &*path);
                        let reply = registry.check(request, refused(405, "method_not_allowed", "")).await;
                        allowed = reply.header("allow").unwrap().to_owned();
                    }
                }
                let allowed: BTreeSet<_> = allowed.split(", ").map(str::to_owned).collect();
                assert_eq!(allowed, *methods, "{path}: what Allow names, and what is documented");
                for method in methods {
                    let reply = registry.send(asked(method, &path)).await;
                    let nothing = String::from_utf8_lossy(&reply.body).contains("nothing at this path");
                    assert!(reply.status < 500 && reply.status != 405 && !nothing, "{method} {path}: {reply:?}");
                }
            }
        }
    });
}

/// A route that has no line in this file's table would not be asked for.
#[test]
fn every_route_of_the_api_is_asked_for() {
    run(async {
        let registry = Registry::start().await;
        for path in PATHS.iter().map(|path| filled(path)).chain(["/api/v1/nothing".to_owned()]) {
            registry.send(asked("GET", &path)).await;
        }
        let metrics = registry.send(get("/metrics")).await.body;
        let metrics = std::str::from_utf8(&metrics).unwrap();
        for label in ROUTE_LABELS.iter().filter(|label| label.starts_with("api_")) {
            let none = format!("tagstone_http_request_seconds_count{{route=\"{label}\"}} 0");
            assert!(metrics.contains(&format!("{{route=\"{label}\"}}")), "{label} is no label");
            assert!(!metrics.lines().any(|line| line == none), "no path of this test is one of {label}");
        }
    });
}

#[test]
fn every_operation_is_described() {
    run(async {
        let registry = Registry::start().await;
        let document = document(&registry).await;
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let mut ids = BTreeSet::new();
        for (shown, operation) in operations(&document) {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{shown} has the id of another");
            assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{shown}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{shown} never succeeds");
            for (status, response) in responses {
                assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{shown}: {status}");
                let schema = &response["content"]["application/json"]["schema"];
                if status.starts_with('2') {
                    let mut forms = response["content"].as_object().into_iter().flat_map(|forms| forms.values());
                    assert!(
                        status == "204" || forms.any(|form| !form["schema"].is_null()),
                        "{shown}: {status} has no schema"
                    );
                } else {
                    assert_eq!(schema["$ref"], "#/components/schemas/Error", "{shown}: {status}");
                }
            }
            for status in ["401", "403", "429", "default"] {
                assert!(responses.contains_key(status), "{shown}: {status}");
            }
            let (_, path) = shown.split_once(' ').unwrap();
            let named: BTreeSet<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
            assert_eq!(in_path.map(|one| one["name"].as_str().unwrap()).collect::<BTreeSet<_>>(), named, "{shown}");
        }
    });
}

#[test]
fn the_document_says_how_to_log_in() {
    run(async {
        let registry = Registry::start().await;
        let document = document(&registry).await;
        for (name, scheme) in [("basic", "basic"), ("bearer", "bearer")] {
            let declared = &document["components"]["securitySchemes"][name];
            assert_eq!((&declared["type"], &declared["scheme"]), (&json!("http"), &json!(scheme)), "{declared}");
        }
        assert_eq!(document["security"], json!([{}, {"basic": []}, {"bearer": []}]));
    });
}

#[test]
fn a_page_has_as_many_entries_as_the_document_says() {
    run(async {
        let registry = Registry::start().await;
        let document = document(&registry).await;
        let mut lists = 0;
        for (shown, operation) in operations(&document) {
            let (_, path) = shown.split_once(' ').unwrap();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let Some(n) = parameters.iter().find(|parameter| parameter["name"] == "n") else { continue };
            assert_eq!(n["schema"]["minimum"], 1, "{shown}");
            registry
                .check(asked("GET", &format!("{}?n=0", filled(path))), refused(400, "invalid_request", "n=0"))
                .await;
            lists += 1;
        }
        assert!(lists >= 4, "{lists}");
    });
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    run(async {
        let registry = Registry::start().await;
        let document = document(&registry).await;
        let mut waiting = vec![&document];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Object(fields) => {
                    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                        let pointer = target.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
                    }
                    waiting.extend(fields.values());
                }
                Value::Array(items) => waiting.extend(items),
                _ => {}
            }
        }
    });
}
