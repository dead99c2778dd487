//! Policies that are listed in parts, made or activated by several at once, or while the disk fails.

use futures_util::future::join_all;
use serde_json::json;

use crate::api_policies::{create, policies, without_policies};
use crate::case::{ok, refused};
use crate::registry::run;
use crate::request::{get, post};

#[test]
fn lists_are_paged() {
    run(async {
        let registry = without_policies().await;
        let all = policies("organization/acme/team");
        let mut expected = Vec::new();
        for number in 0..5 {
            let body = json!({"tagPattern": format!("v{number}"), "active": number % 2 == 0});
            expected.push(create(&registry, &all, body).await);
        }
        create(&registry, &policies("organization/acme"), json!({"tagPattern": "v"})).await;
        for (n, pages) in [(1, 5), (2, 3), (4, 2), (5, 1), (100_000, 1)] {
            let (mut seen, mut asked, mut next) = (Vec::new(), 0, None::<String>);
            loop {
                let behind = next.map(|next| format!("&next={next}")).unwrap_or_default();
                let told = registry.check(get(format!("{all}?n={n}{behind}")), ok(200)).await.json();
                let page = told["policies"].as_array().unwrap();
                seen.extend(page.iter().map(|policy| policy["uuid"].as_str().unwrap().to_owned()));
                asked += 1;
                assert!(asked <= 5, "n={n}: the list never ends");
                next = told["next"].as_str().map(str::to_owned);
                if next.is_none() {
                    break;
                }
            }
            assert_eq!((&seen, asked), (&expected, pages), "n={n}");
        }
        for query in
            ["n=0", "n=x", "next=zz", "next=61", "next=312f32", "retired=1", "retired=", "retired=true&retired=true"]
        {
            registry.check(get(format!("{all}?{query}")), refused(400, "invalid_request", "`")).await;
        }
    });
}

#[test]
fn of_several_activations_at_once_one_wins() {
    run(async {
        let registry = without_policies().await;
        let all = policies("registry");
        for pattern in ["a", "b", "c"] {
            let uuid = create(&registry, &all, json!({"tagPattern": pattern, "active": false})).await;
            let before = registry.standing().seq;
            let path = format!("{all}{uuid}/activate");
            let replies = join_all((0..12).map(|_| registry.send_beside_others(post(&*path)))).await;
            let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
            assert_eq!(won.len(), 1, "{replies:?}");
            assert!(lost.iter().all(|reply| reply.status == 409), "{replies:?}");
            assert!(lost.iter().all(|reply| reply.json()["error_type"] == "policy_not_draft"), "{replies:?}");
            assert_eq!(registry.standing().seq, before + 1);
        }
    });
}

#[test]
fn of_several_creations_at_once_one_wins() {
    run(async {
        let registry = without_policies().await;
        let all = policies("organization/acme");
        for (pattern, active) in [("a", true), ("b", false)] {
            let before = registry.standing().seq;
            let body = json!({"tagPattern": pattern, "active": active}).to_string();
            let creation = || registry.send_beside_others(post(&*all).body(body.clone()));
            let replies = join_all((0..12).map(|_| creation())).await;
            let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
            assert_eq!(won.len(), 1, "{replies:?}");
            let uuid = won[0].json()["uuid"].clone();
            assert!(lost.iter().all(|reply| reply.status == 400 && reply.json()["policy"] == uuid), "{replies:?}");
            assert_eq!(registry.standing().seq, before + 1);
        }
        let listed = registry.check(get(&*all), ok(200)).await.json();
        assert_eq!(listed["policies"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn a_creation_that_failed_leaves_nothing_and_can_be_repeated() {
    run(async {
        let registry = without_policies().await;
        let all = policies("registry");
        let body = json!({"tagPattern": "v.*"});
        registry.fail_writes();
        for _ in 0..2 {
            registry.check(post(&*all).body(body.to_string()), refused(503, "read_only", "restart")).await;
        }
        registry.check(get(&*all), ok(200).json(json!({"policies": []}))).await;
        let registry = registry.restarted().await;
        registry.check(get(&*all), ok(200).json(json!({"policies": []}))).await;
        let uuid = create(&registry, &all, body).await;
        let told = registry.check(get(format!("{all}{uuid}")), ok(200)).await.json();
        let registry = registry.restarted().await;
        registry.check(get(&*all), ok(200).json(json!({"policies": [told]}))).await;
    });
}
