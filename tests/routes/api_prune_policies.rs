//! Prune policies through the REST API. What they have in common with immutability policies is asked there.

use serde_json::{Value, json};

use crate::api_policies::{create, policies, without_policies};
use crate::case::{case, ok, refused};
use crate::registry::run;
use crate::request::{delete, get, post, put};

const SCOPES: [&str; 3] = ["organization/acme", "organization/acme/team", "repository/acme/app"];

fn prune(scope: &str) -> String {
    format!("/api/v1/{scope}/autoprunepolicy/")
}

/// What is told of the demand of a policy.
fn demand(told: &Value) -> Value {
    let fields = ["method", "value", "tagPattern", "tagPatternMatches"];
    fields.iter().map(|field| ((*field).to_owned(), told[*field].clone())).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn a_prune_policy_from_its_creation_to_its_retirement() {
    run(async {
        for scope in SCOPES {
            let registry = without_policies().await;
            let all = prune(scope);
            let uuid = create(&registry, &all, json!({"method": "number_of_tags", "value": 5})).await;
            let policy = format!("{all}{uuid}");
            let told = registry.check(get(&*policy), ok(200)).await.json();
            let created = told["created"].clone();
            let seq = registry.standing().seq;
            let expected = json!({
                "uuid": uuid, "method": "number_of_tags", "value": 5, "tagPattern": null, "tagPatternMatches": true,
                "active": true, "created": created, "activated": created, "seq": seq,
            });
            assert_eq!(told, expected);
            let change = json!({"uuid": uuid, "method": "creation_date", "value": "7d", "tagPattern": " b.* "});
            let after =
                json!({"method": "creation_date", "value": "7d", "tagPattern": "b.*", "tagPatternMatches": true});
            registry.check(get(all.trim_end_matches('/')), ok(200).json(json!({"policies": [expected]}))).await;
            registry.check(put(&*policy).body(change.to_string()), ok(204).empty()).await;
            assert_eq!(demand(&registry.check(get(format!("{policy}/")), ok(200)).await.json()), after);
            registry.check(delete(&*policy), ok(200).json(json!({"uuid": uuid}))).await;
            let told = registry.check(get(&*policy), ok(200)).await.json();
            assert_eq!((&told["active"], &told["seq"]), (&json!(false), &json!(seq + 2)));
            registry
                .check_all([
                    case(get(&*all), ok(200).json(json!({"policies": []}))),
                    case(get(format!("{all}?retired=true")), ok(200).json(json!({"policies": [told]}))),
                    case(put(&*policy).body(change.to_string()), refused(404, "not_found", "retired")),
                    case(delete(&*policy), refused(404, "not_found", told["retired"].as_str().unwrap())),
                ])
                .await;
        }
    });
}

#[test]
fn a_draft_is_activated_once() {
    run(async {
        let registry = without_policies().await;
        let all = prune("repository/acme/app");
        let body = json!({"method": "creation_date", "value": "2w", "tagPattern": null, "active": false});
        let uuid = create(&registry, &all, body).await;
        let path = format!("{all}{uuid}/activate");
        let told = registry.check(post(&*path), ok(200)).await.json();
        assert_eq!((&told["active"], &told["seq"]), (&json!(true), &json!(registry.standing().seq)));
        registry.check(post(&*path), refused(409, "policy_not_draft", "active already")).await;
    });
}

#[test]
fn what_a_body_may_hold() {
    run(async {
        let registry = without_policies().await;
        let all = prune("organization/acme");
        for (body, value, matches) in [
            (json!({"method": "number_of_tags", "value": 1}), json!(1), true),
            (json!({"method": "number_of_tags", "value": u64::MAX, "tagPatternMatches": true}), json!(u64::MAX), true),
            (json!({"method": "creation_date", "value": "1s", "tagPatternMatches": null}), json!("1s"), true),
            (json!({"method": "creation_date", "value": "01m"}), json!("1m"), true),
            (json!({"method": "creation_date", "value": "4294967295y"}), json!("4294967295y"), true),
            (
                json!({"method": "creation_date", "value": "9h", "tagPattern": "a", "tagPatternMatches": false}),
                json!("9h"),
                false,
            ),
        ] {
            let uuid = create(&registry, &all, body.clone()).await;
            let told = registry.check(get(format!("{all}{uuid}")), ok(200)).await.json();
            assert_eq!((&told["value"], &told["tagPatternMatches"]), (&value, &json!(matches)), "{body}");
            registry.check(post(&*all).body(body.to_string()), refused(400, "invalid_request", &*uuid)).await;
        }
        let other = create(&registry, &all, json!({"method": "number_of_tags", "value": 77})).await;
        for (body, says) in [
            (json!({}), "method"),
            (json!({"method": "number_of_tags"}), "value"),
            (json!({"value": 5}), "method"),
            (json!({"method": "newest", "value": 5}), "number_of_tags"),
            (json!({"method": "number_of_tags", "value": 0}), "from 1"),
            (json!({"method": "number_of_tags", "value": -1}), "whole number"),
            (json!({"method": "number_of_tags", "value": 1.5}), "whole number"),
            (json!({"method": "number_of_tags", "value": "5"}), "from 1"),
            (json!({"method": "number_of_tags", "value": null}), "value"),
            (json!({"method": "creation_date", "value": 7}), "7d"),
            (json!({"method": "creation_date", "value": "7"}), "7d"),
            (json!({"method": "creation_date", "value": "0d"}), "7d"),
            (json!({"method": "creation_date", "value": "7M"}), "7d"),
            (json!({"method": "creation_date", "value": "4294967296d"}), "7d"),
            (json!({"method": "number_of_tags", "value": 2, "tagPattern": " "}), "empty"),
            (json!({"method": "number_of_tags", "value": 2, "tagPattern": "x("}), "at character 2"),
            (json!({"method": "number_of_tags", "value": 2, "tagPattern": "x".repeat(257)}), "257"),
            (json!({"method": "number_of_tags", "value": 2, "tagPatternMatches": false}), "tagPattern"),
            (json!({"method": "number_of_tags", "value": 2, "includeReferrerTags": true}), "includeReferrerTags"),
        ] {
            let body = body.to_string();
            registry.check(post(&*all).body(body.clone()), refused(400, "invalid_request", says)).await;
            registry.check(put(format!("{all}{other}")).body(body), refused(400, "invalid_request", says)).await;
        }
    });
}

#[test]
fn each_kind_has_its_own_path() {
    run(async {
        let registry = without_policies().await;
        let scope = "repository/acme/app";
        let pruning = create(&registry, &prune(scope), json!({"method": "number_of_tags", "value": 5})).await;
        let protecting = create(&registry, &policies(scope), json!({"tagPattern": "v.*"})).await;
        let body = json!({"method": "number_of_tags", "value": 5}).to_string();
        for path in [format!("{}{pruning}", policies(scope)), format!("{}{protecting}", prune(scope))] {
            registry
                .check_all([
                    case(get(&*path), refused(404, "not_found", "no policy")),
                    case(delete(&*path), refused(404, "not_found", "no policy")),
                    case(put(&*path).body(body.clone()), refused(404, "not_found", "no policy")),
                    case(post(format!("{path}/activate")), refused(404, "not_found", "no policy")),
                ])
                .await;
        }
        for all in [prune(scope), policies(scope)] {
            let listed = registry.check(get(all), ok(200)).await.json();
            assert_eq!(listed["policies"].as_array().unwrap().len(), 1, "{listed}");
        }
        // The whole registry has no prune policies.
        registry.check(get(prune("registry")), refused(404, "not_found", "nothing at this path")).await;
        registry.check(post(prune("registry")).body(body), refused(404, "not_found", "nothing at this path")).await;
    });
}
