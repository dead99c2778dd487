//! Policies that contradict each other, as the REST API tells it.

use serde_json::json;

use crate::api_policies::{create, policies, without_policies};
use crate::case::{ok, refused};
use crate::registry::run;
use crate::request::{delete, get, post, put};

const SCOPE: &str = "repository/acme/app";

fn prune(scope: &str) -> String {
    format!("/api/v1/{scope}/autoprunepolicy/")
}

#[test]
fn what_would_complete_a_contradiction_is_refused() {
    run(async {
        let registry = without_policies().await;
        let all = policies(SCOPE);
        let standing = create(&registry, &policies("organization/acme"), json!({"tagPattern": "v.*"})).await;
        let other = create(&registry, &all, json!({"tagPattern": "w.*"})).await;
        for pattern in ["v.*", "^v.*$", "(?:v)[^ ]*"] {
            let body = json!({"tagPattern": pattern, "tagPatternMatches": false}).to_string();
            let conflict = || refused(400, "policy_conflict", &*standing).says(pattern).says("`v.*`");
            registry.check(post(&*all).body(body.clone()), conflict()).await;
            registry.check(put(format!("{all}{other}")).body(body), conflict()).await;
        }
        // One policy that says so alone is no contradiction.
        create(&registry, &all, json!({"tagPattern": ".*"})).await;
    });
}

#[test]
fn a_draft_shows_its_conflict_and_cannot_be_activated_into_it() {
    run(async {
        let registry = without_policies().await;
        let all = policies(SCOPE);
        let standing = create(&registry, &policies("registry"), json!({"tagPattern": "v.*"})).await;
        let body = json!({"tagPattern": "v.*", "tagPatternMatches": false, "active": false}).to_string();
        let created = registry.check(post(&*all).body(body.clone()), ok(201)).await.json();
        let draft = format!("{all}{}", created["uuid"].as_str().unwrap());
        let told = registry.check(get(&*draft), ok(200)).await.json();
        let listed = registry.check(get(&*all), ok(200)).await.json();
        let preview = registry.check(post(format!("{all}preview")).body(body), ok(200)).await.json();
        for (shown, conflicts) in [
            ("creation", &created["conflicts"]),
            ("get", &told["conflicts"]),
            ("list", &listed["policies"][0]["conflicts"]),
            ("preview", &preview["conflicts"]),
        ] {
            let [conflict] = conflicts.as_array().unwrap().as_slice() else { panic!("{shown}: {conflicts}") };
            assert!(conflict.as_str().unwrap().contains(&standing), "{shown}: {conflict}");
        }
        registry.check(post(format!("{draft}/activate")), refused(400, "policy_conflict", &*standing)).await;
        registry.check(get(&*draft), ok(200).json(told)).await;
        registry.check(delete(format!("{}{standing}", policies("registry"))), ok(200)).await;
        let told = registry.check(get(&*draft), ok(200)).await.json();
        assert!(told.get("conflicts").is_none(), "{told}");
        registry.check(post(format!("{draft}/activate")), ok(200)).await;
    });
}

#[test]
fn a_prune_policy_that_could_never_prune_is_refused() {
    run(async {
        let registry = without_policies().await;
        let all = prune(SCOPE);
        let standing = create(&registry, &policies("organization/acme"), json!({"tagPattern": "v[0-9]*"})).await;
        let idle = |active: bool| {
            json!({"method": "number_of_tags", "value": 3, "tagPattern": "v[1-5]", "active": active}).to_string()
        };
        registry.check(post(&*all).body(idle(true)), refused(400, "policy_conflict", &*standing).says("v[1-5]")).await;
        let created = registry.check(post(&*all).body(idle(false)), ok(201)).await.json();
        assert_eq!(created["conflicts"].as_array().map(Vec::len), Some(1), "{created}");
        let draft = format!("{all}{}", created["uuid"].as_str().unwrap());
        registry.check(post(format!("{draft}/activate")), refused(400, "policy_conflict", &*standing)).await;
        let better = json!({"method": "number_of_tags", "value": 3, "tagPattern": "v.*"});
        registry.check(put(&*draft).body(better.to_string()), ok(204)).await;
        let told = registry.check(post(format!("{draft}/activate")), ok(200)).await.json();
        assert!(told.get("conflicts").is_none(), "{told}");
    });
}

#[test]
fn an_immutability_policy_that_leaves_nothing_to_prune_is_accepted_with_a_warning() {
    run(async {
        let registry = without_policies().await;
        let body = json!({"method": "creation_date", "value": "7d", "tagPattern": "v[1-5]"});
        let idle = create(&registry, &prune(SCOPE), body).await;
        let body = json!({"tagPattern": "v.*"}).to_string();
        let created = registry.check(post(policies("organization/acme")).body(body), ok(201)).await.json();
        assert!(created["warning"].as_str().is_some_and(|warning| warning.contains(&idle)), "{created}");
        assert!(created.get("conflicts").is_none(), "{created}");
    });
}

#[test]
fn whoever_activates_a_draft_that_leaves_nothing_to_prune_is_warned_once() {
    run(async {
        let registry = without_policies().await;
        let body = json!({"method": "creation_date", "value": "7d", "tagPattern": "v[1-5]"});
        let idle = create(&registry, &prune(SCOPE), body).await;
        let all = policies(SCOPE);
        let body = json!({"tagPattern": "v[1-9]", "active": false}).to_string();
        let draft = registry.check(post(&*all).body(body), ok(201)).await.json();
        let draft = format!("{all}{}", draft["uuid"].as_str().unwrap());
        let told = registry.check(post(format!("{draft}/activate")), ok(200)).await.json();
        assert!(told["warning"].as_str().is_some_and(|warning| warning.contains(&idle)), "{told}");
        assert_eq!((&told["active"], told.get("conflicts")), (&json!(true), None), "{told}");
        assert_eq!(registry.check(get(draft), ok(200)).await.json().get("warning"), None);
    });
}
