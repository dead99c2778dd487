//! Immutability policies through the REST API, from the first draft to the retirement.

use serde_json::{Value, json};
use tagstone_schema::Timestamp;

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head, post, put};
use crate::samples::{REPO, push_named};

/// The path of a kind of policies of a scope.
pub(crate) fn policies(scope: &str) -> String {
    format!("/api/v1/{scope}/immutabilitypolicy/")
}

/// Every scope, as paths name it.
const SCOPES: [&str; 4] = ["registry", "organization/acme", "organization/acme/team", "repository/acme/app"];

const UNKNOWN: &str = "7f0c1d6e-4b2a-4c57-9d1e-0a4b8c2f6e91";

/// A registry without the policy that a new one begins with.
pub(crate) async fn without_policies() -> Registry {
    Registry::with(|settings| settings.immutability.suffix_convention = false).await
}

/// Creates a policy and returns its id.
pub(crate) async fn create(registry: &Registry, path: &str, body: Value) -> String {
    let created = registry.check(post(path).body(body.to_string()), ok(201)).await.json();
    let uuid = created["uuid"].as_str().unwrap().to_owned();
    assert_eq!(created, json!({"uuid": uuid}), "nothing else is to be said of it");
    uuid
}

/// Pushes `v1` with a name, and answers the status.
async fn push(registry: &Registry, repository: &str, name: &str) -> u16 {
    let sample = crate::samples::named_image(name);
    let request = put(format!("/v2/{repository}/manifests/v1"));
    registry.send(request.with("content-type", sample.media_type).body(sample.bytes)).await.status
}

#[test]
fn a_policy_from_its_creation_to_its_retirement() {
    run(async {
        for scope in SCOPES {
            let registry = without_policies().await;
            let all = policies(scope);
            registry.check(get(&*all), ok(200).json(json!({"policies": []}))).await;
            let uuid = create(&registry, &all, json!({"tagPattern": "  v.* "})).await;
            let policy = format!("{all}{uuid}");
            let told = registry.check(get(&*policy), ok(200)).await.json();
            let seq = registry.standing().seq;
            let created = told["created"].as_str().unwrap();
            assert!(created.parse::<Timestamp>().is_ok(), "{told}");
            let expected = json!({
                "uuid": uuid, "tagPattern": "v.*", "tagPatternMatches": true, "includeReferrerTags": false,
                "active": true, "created": created, "activated": created, "seq": seq,
            });
            assert_eq!(told, expected, "{scope}");
            let change =
                json!({"uuid": uuid, "tagPattern": "w.*", "tagPatternMatches": false, "includeReferrerTags": true});
            registry
                .check_all([
                    case(get(all.trim_end_matches('/')), ok(200).json(json!({"policies": [expected]}))),
                    case(head(&*all), ok(200)),
                    case(head(format!("{policy}/")), ok(200)),
                    case(put(&*policy).body(change.to_string()), ok(204).empty().without("content-type")),
                ])
                .await;
            assert_eq!(registry.standing().seq, seq + 1);
            let told = registry.check(get(&*policy), ok(200)).await.json();
            for (field, value) in [
                ("tagPattern", json!("w.*")),
                ("tagPatternMatches", json!(false)),
                ("includeReferrerTags", json!(true)),
                ("activated", json!(created)),
                ("seq", json!(seq + 1)),
            ] {
                assert_eq!(told[field], value, "{scope}: {field}");
            }
            registry.check(put(&*policy).body(change.to_string()), ok(204)).await;
            assert_eq!(registry.standing().seq, seq + 1, "the same rule again is no change");
            registry.check(delete(&*policy), ok(200).json(json!({"uuid": uuid}))).await;
            let told = registry.check(get(&*policy), ok(200)).await.json();
            let retired = told["retired"].as_str().unwrap().to_owned();
            assert_eq!((&told["active"], &told["seq"]), (&json!(false), &json!(seq + 2)));
            registry
                .check_all([
                    case(get(&*all), ok(200).json(json!({"policies": []}))),
                    case(get(format!("{all}?retired=false")), ok(200).json(json!({"policies": []}))),
                    case(get(format!("{all}?retired=true")), ok(200).json(json!({"policies": [told]}))),
                    case(delete(&*policy), refused(404, "not_found", &*retired).says("retired")),
                    case(put(&*policy).body(change.to_string()), refused(404, "not_found", &*retired)),
                    case(post(format!("{policy}/activate")), refused(409, "policy_not_draft", "retired")),
                ])
                .await;
            create(&registry, &all, json!({"tagPattern": "v.*"})).await;
        }
    });
}

#[test]
fn inactive_policy_enforces_nothing() {
    run(async {
        for scope in SCOPES {
            let repository = if scope.ends_with("team") { "acme/team/app" } else { REPO };
            let registry = without_policies().await;
            let all = policies(scope);
            push_named(&registry, repository, "v2", "one").await;
            assert_eq!(push(&registry, repository, "one").await, 201);
            let body = json!({"tagPattern": "v1", "active": false});
            let uuid = create(&registry, &all, body).await;
            let policy = format!("{all}{uuid}");
            let draft = registry.check(get(&*policy), ok(200)).await.json();
            assert_eq!((&draft["active"], &draft["seq"]), (&json!(false), &json!(registry.standing().seq)));
            assert!(draft.get("activated").is_none() && draft.get("conflicts").is_none(), "{draft}");
            push_named(&registry, repository, "v2", "two").await;
            assert_eq!(push(&registry, repository, "two").await, 201, "{scope}: a draft protects nothing");
            let active = registry.check(post(format!("{policy}/activate")), ok(200)).await.json();
            assert_eq!((&active["active"], &active["seq"]), (&json!(true), &json!(registry.standing().seq)));
            assert_eq!(active["created"], draft["created"]);
            assert!(active["activated"].as_str() > active["created"].as_str(), "{active}");
            registry.check(get(&*policy), ok(200).json(active)).await;
            assert_eq!(push(&registry, repository, "one").await, 409, "{scope}: what was there already is protected");
            registry
                .check(post(format!("{policy}/activate/")).body("{}"), refused(409, "policy_not_draft", "active"))
                .await;
            registry.check(delete(&*policy), ok(200)).await;
            assert_eq!(push(&registry, repository, "one").await, 201, "{scope}: a retired policy protects nothing");
        }
    });
}

#[test]
fn a_draft_that_is_removed_is_gone() {
    run(async {
        let registry = without_policies().await;
        let all = policies("repository/acme/app");
        let uuid = create(&registry, &all, json!({"tagPattern": "v.*", "active": false})).await;
        let policy = format!("{all}{uuid}");
        registry.check(put(&*policy).body(r#"{"tagPattern": "w.*"}"#), ok(204)).await;
        let told = registry.check(get(&*policy), ok(200)).await.json();
        assert_eq!((&told["tagPattern"], &told["active"]), (&json!("w.*"), &json!(false)));
        registry.check(delete(&*policy), ok(200).json(json!({"uuid": uuid}))).await;
        for request in [get(&*policy), delete(&*policy), put(&*policy).body("{}"), post(format!("{policy}/activate"))] {
            registry.check(request, refused(404, "not_found", &*uuid)).await;
        }
        registry.check(get(format!("{all}?retired=true")), ok(200).json(json!({"policies": []}))).await;
    });
}

#[test]
fn what_is_not_right_in_a_body() {
    run(async {
        let registry = without_policies().await;
        let all = policies("organization/acme");
        let standing = create(&registry, &all, json!({"tagPattern": "v.*"})).await;
        let draft = create(&registry, &all, json!({"tagPattern": "draft", "active": false})).await;
        let other = create(&registry, &all, json!({"tagPattern": "other"})).await;
        let long = "x".repeat(257);
        for (body, says) in [
            (json!({}), "tagPattern"),
            (json!({"tagPattern": null}), "tagPattern"),
            (json!({"tagPattern": 1}), "tagPattern"),
            (json!({"tagPattern": ""}), "empty"),
            (json!({"tagPattern": " \t\n"}), "empty"),
            (json!({"tagPattern": long}), "257 characters; at most 256"),
            (json!({"tagPattern": "  ab(c"}), "at character 3"),
            (json!({"tagPattern": "a{2,1}"}), "at character 2"),
            (json!({"tagPattern": "(?=a)"}), "look-around"),
            (json!({"tagPattern": r"(\w{1,60}x?){1,60}"}), "when compiled"),
            (json!({"tagPattern": "x", "tagPatternMatches": "yes"}), "tagPatternMatches"),
            (json!({"tagPattern": "x", "includeReferrerTags": 1}), "includeReferrerTags"),
            (json!({"tagPattern": "x", "pattern": "y"}), "pattern"),
            (json!({"tagPattern": " v.*"}), &*standing),
            (json!({"tagPattern": "v.*", "includeReferrerTags": true}), &*standing),
            (json!({"tagPattern": "draft"}), &*draft),
            (json!(["v.*"]), "JSON object"),
        ] {
            let body = body.to_string();
            registry.check(post(&*all).body(body.clone()), refused(400, "invalid_request", says)).await;
            registry.check(put(format!("{all}{other}")).body(body), refused(400, "invalid_request", says)).await;
        }
        registry
            .check_all([
                case(post(&*all), refused(400, "invalid_request", "tagPattern")),
                case(
                    post(&*all).body(r#"{"tagPattern": "x", "active": "no"}"#),
                    refused(400, "invalid_request", "active"),
                ),
                case(post(&*all).body("tagPattern=x"), refused(400, "invalid_request", "JSON")),
                case(post(&*all).body(" ".repeat(1 << 20)), refused(413, "too_large", "bytes")),
                case(
                    put(format!("{all}{other}")).body(r#"{"tagPattern": "x", "active": true}"#),
                    refused(400, "invalid_request", "active"),
                ),
                case(
                    put(format!("{all}{other}")).body(format!(r#"{{"tagPattern": "x", "uuid": "{draft}"}}"#)),
                    refused(400, "invalid_request", &*draft),
                ),
                // In another scope, or with the opposite flag, it is another policy.
                case(post(policies("registry")).body(r#"{"tagPattern": "draft"}"#), ok(201)),
                case(post(&*all).body(r#"{"tagPattern": "y.*", "tagPatternMatches": null, "active": false}"#), ok(201)),
                case(
                    post(&*all).body(r#"{"tagPattern": "y.*", "tagPatternMatches": false, "active": false}"#),
                    ok(201),
                ),
                case(post(&*all).body(json!({"tagPattern": format!(" {} ", "x".repeat(256))}).to_string()), ok(201)),
            ])
            .await;
    });
}

#[test]
fn a_policy_is_found_under_its_own_scope_only() {
    run(async {
        let registry = without_policies().await;
        let mut ids = Vec::new();
        for (at, scope) in SCOPES.iter().enumerate() {
            ids.push(
                create(&registry, &policies(scope), json!({"tagPattern": format!("v{at}"), "active": false})).await,
            );
        }
        for (own, id) in SCOPES.iter().zip(&ids) {
            for other in SCOPES.iter().chain(&["repository/acme", "organization/acme/app"]).filter(|one| *one != own) {
                let path = format!("{}{id}", policies(other));
                for request in [
                    get(&*path),
                    delete(&*path),
                    put(&*path).body(r#"{"tagPattern": "x"}"#),
                    post(format!("{path}/activate")),
                ] {
                    registry.check(request, refused(404, "not_found", &**id)).await;
                }
            }
            registry.check(get(format!("{}{id}", policies(own))), ok(200)).await;
            let listed = registry.check(get(policies(own)), ok(200)).await.json();
            assert_eq!(listed["policies"].as_array().unwrap().len(), 1, "{own}: {listed}");
        }
        for id in [UNKNOWN, "1", "null", &ids[0].to_uppercase()] {
            let path = format!("{}{id}", policies("registry"));
            registry.check(get(&*path), refused(404, "not_found", "policy")).await;
            registry.check(delete(&*path), refused(404, "not_found", "policy")).await;
        }
    });
}

#[test]
fn scopes_that_can_have_no_policies() {
    run(async {
        let registry = without_policies().await;
        let body = r#"{"tagPattern": "v.*"}"#;
        for scope in
            ["repository/as-of/seq-1/acme/app", "repository/as-of", "organization/as-of", "organization/as-of/x"]
        {
            for kind in ["immutabilitypolicy", "autoprunepolicy"] {
                let all = format!("/api/v1/{scope}/{kind}");
                let past = || refused(405, "method_not_allowed", "shows the past").header("allow", "GET, HEAD");
                registry
                    .check_all([
                        case(post(&*all).body(body), past()),
                        case(post(format!("{all}/{UNKNOWN}/activate")), past()),
                        case(put(format!("{all}/{UNKNOWN}")).body(body), past()),
                        case(delete(format!("{all}/{UNKNOWN}")), past()),
                        case(get(&*all), refused(404, "not_found", "shows the past")),
                        case(get(format!("{all}/{UNKNOWN}")), refused(404, "not_found", "shows the past")),
                    ])
                    .await;
            }
            let preview = format!("/api/v1/{scope}/immutabilitypolicy/preview");
            registry.check(post(preview).body(body), refused(405, "method_not_allowed", "shows the past")).await;
        }
        for scope in ["repository/Acme", "organization/a..b", "organization/acme//x"] {
            registry.check(post(policies(scope)).body(body), refused(400, "invalid_request", "name")).await;
            registry.check(get(policies(scope)), refused(400, "invalid_request", "name")).await;
        }
        create(&registry, &policies("organization/as-off"), json!({"tagPattern": "v.*"})).await;
    });
}

#[test]
fn a_new_registry_shows_the_suffix_convention() {
    run(async {
        let registry = Registry::start().await;
        let all = policies("registry");
        let listed = registry.check(get(&*all), ok(200)).await.json();
        let [policy] = listed["policies"].as_array().unwrap().as_slice() else { panic!("{listed}") };
        assert_eq!((&policy["tagPattern"], &policy["seq"]), (&json!(".*[-_.]immutable"), &json!(1)));
        registry.check(delete(format!("{all}{}", policy["uuid"].as_str().unwrap())), ok(200)).await;
        registry.check(get(&*all), ok(200).json(json!({"policies": []}))).await;
    });
}
