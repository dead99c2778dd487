//! Why a tag is protected or spent, through the REST API.

use serde_json::{Value, json};

use crate::case::{case, ok, refused};
use crate::policy::{lock, protect, retire};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head};
use crate::samples::{REPO, push_named};

fn why(tag: &str) -> String {
    format!("/api/v1/repository/{REPO}/tag/{tag}/why")
}

/// The time of the newest record, as a tag that was just moved shows it.
async fn since(registry: &Registry, tag: &str) -> Value {
    let table = registry.check(get(format!("/v2/{REPO}/_tagstone/tags")), ok(200)).await.json();
    table["tags"][tag]["since"].clone()
}

#[test]
fn a_tag_tells_everything_that_protects_it() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1-immutable", "one").await;
        one.push(&registry, REPO, "free").await;
        let policy = protect(&registry, "v.*").await;
        let activated = registry.standing().seq;
        lock(&registry, "v1-immutable").await;
        let told = registry.check(get(why("v1-immutable")), ok(200)).await.json();
        let reasons = told["reasons"].as_array().unwrap();
        assert_eq!(
            (&told["protected"], &told["spent"], &told["digest"]),
            (&json!(true), &json!(false), &json!(one.digest))
        );
        assert!(told.get("only_digest").is_none());
        // The widest scope first, the lock last.
        let [convention, ours, locked] = reasons.as_slice() else { panic!("{told}") };
        assert_eq!((&convention["scope"], &convention["seq"]), (&json!("registry"), &json!(1)));
        let expected = json!({
            "kind": "policy", "policy": policy, "scope": {"repository": REPO}, "pattern": "v.*", "matches": true,
            "since": ours["since"], "seq": activated,
        });
        assert_eq!(*ours, expected);
        assert_eq!(*locked, json!({"kind": "lock", "since": locked["since"], "seq": activated + 1}));
        assert!(ours["since"].as_str() < locked["since"].as_str() && ours["since"].as_str().unwrap().ends_with('Z'));
        let free = json!({"protected": false, "spent": false, "digest": one.digest, "reasons": []});
        registry.check_all([case(get(why("free")), ok(200).json(free)), case(head(why("free")), ok(200))]).await;
    });
}

#[test]
fn a_name_that_is_gone_tells_what_it_can_be() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        one.push(&registry, REPO, "free").await;
        let policy = protect(&registry, "v.*").await;
        retire(&registry, policy).await;
        for tag in ["free", "v1"] {
            registry.check(delete(format!("/v2/{REPO}/manifests/{tag}")), ok(202)).await;
        }
        let seq = registry.standing().seq;
        let told = registry.check(get(why("v1")), ok(200)).await.json();
        let removed = told["reasons"][0]["since"].clone();
        let reason = json!({"kind": "spent", "since": removed, "seq": seq});
        let spent = json!({"protected": false, "spent": true, "reasons": [reason], "only_digest": one.digest});
        assert_eq!(told, spent);
        let nothing = json!({"protected": false, "spent": false, "reasons": []});
        registry
            .check_all([
                case(get(why("free")), ok(200).json(nothing.clone())),
                case(get(why("never")), ok(200).json(nothing)),
            ])
            .await;
        // Back as what it was, it stays spent, and a policy protects it again.
        one.push(&registry, REPO, "v1").await;
        assert!(removed.as_str() < since(&registry, "v1").await.as_str());
        protect(&registry, "v[12]").await;
        let told = registry.check(get(why("v1")), ok(200)).await.json();
        assert_eq!(
            (&told["protected"], &told["spent"], &told["digest"]),
            (&json!(true), &json!(true), &json!(one.digest))
        );
        assert_eq!((&told["reasons"][0]["kind"], &told["reasons"][1]), (&json!("policy"), &reason));
        // A name that the first push would protect.
        let told = registry.check(get(why("v2")), ok(200)).await.json();
        assert_eq!((&told["protected"], told.get("digest")), (&json!(true), None));
    });
}

#[test]
fn a_tag_that_was_there_is_known_when_its_repository_is_gone() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        one.push(&registry, REPO, "gone").await;
        let policy = protect(&registry, "v.*").await;
        retire(&registry, policy).await;
        registry
            .check_all([
                case(delete(format!("/api/v1/repository/{REPO}")), ok(204)),
                case(get(why("free")), refused(404, "not_found", REPO)),
                case(get(why("gone")), ok(200).json(json!({"protected": false, "spent": false, "reasons": []}))),
                case(get(format!("/api/v1/repository/{REPO}/tag/.bad/why")), refused(400, "invalid_request", "`.bad`")),
                case(get("/api/v1/repository/nobody/here/tag/v1/why"), refused(404, "not_found", "nobody/here")),
            ])
            .await;
        let told = registry.check(get(why("v1")), ok(200)).await.json();
        assert_eq!((&told["spent"], &told["only_digest"]), (&json!(true), &json!(one.digest)));
        // It would be protected if it came back.
        protect(&registry, "g.*").await;
        let told = registry.check(get(why("gone")), ok(200)).await.json();
        assert_eq!((&told["protected"], &told["spent"]), (&json!(true), &json!(false)));
    });
}
