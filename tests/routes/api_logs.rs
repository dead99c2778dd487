//! Quay's logs.

use std::time::Duration;

use serde_json::{Value, json};
use tagstone::registry::{Command, CreatePolicy};
use tagstone_schema::policy::Scope;
use tagstone_schema::{Id, Timestamp};

use crate::case::{case, ok, refused};
use crate::happenings::{PRUNING, busy};
use crate::policy::{draft, protecting};
use crate::registry::{PEER, Registry, run};
use crate::request::{delete, get, head};
use crate::samples::{REPO, named_image, push_named};

fn of_repository(name: &str) -> String {
    format!("/api/v1/repository/{name}/logs")
}

/// Everything that the logs have, page after page, without what every entry has.
async fn logs(registry: &Registry, path: &str) -> Vec<(String, Value)> {
    let (mut entries, mut next) = (Vec::new(), String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = registry.check(get(format!("{path}{separator}{next}")), ok(200)).await.json();
        let logs = page["logs"].as_array().unwrap();
        assert!(logs.len() <= 20);
        for log in logs {
            let mut log = log.clone();
            assert!(log["datetime"].as_str().unwrap().ends_with(" -0000"), "{log}");
            let name = log["performer"]["name"].as_str().unwrap();
            let is_robot = name != "anonymous";
            assert_eq!(log["performer"], json!({"kind": "user", "name": name, "is_robot": is_robot}));
            assert_eq!(log["ip"], if is_robot { json!(null) } else { json!(PEER) });
            assert_eq!(log.as_object().unwrap().len(), 5, "{log}");
            entries.push((log["kind"].as_str().unwrap().to_owned(), log["metadata"].take()));
        }
        let Some(token) = page.get("next_page") else { break };
        next = format!("next_page={}", token.as_str().unwrap());
    }
    entries
}

fn kinds(logs: &[(String, Value)]) -> Vec<&str> {
    logs.iter().map(|(kind, _)| kind.as_str()).collect()
}

/// What has happened before now may be dated two hours ahead: the clock of the scene was put forward.
fn ever(path: &str) -> String {
    format!("{path}?starttime=01/01/2020&endtime=12/31/2199")
}

#[test]
fn what_happened_in_a_repository_by_quays_names() {
    run(async {
        let registry = busy().await;
        let logs = logs(&registry, &ever(&of_repository(REPO))).await;
        let mut oldest_first = kinds(&logs);
        oldest_first.reverse();
        let expected = [
            "create_tag",
            "create_tag",
            "move_tag",
            "revert_tag",
            "create_tag",
            "create_tag",
            "create_tag",
            "delete_tag",
            "delete_tag",
            "delete_tag",
            "create_immutability_policy",
            "update_immutability_policy",
            "create_tag",
            "delete_tag",
            "delete_immutability_policy",
            "change_tag_immutability",
            "change_tag_immutability",
            "change_tag_expiration",
            "delete_tag",
        ];
        assert_eq!(oldest_first, expected);
        let of =
            |kind: &str| logs.iter().rev().filter(|(own, _)| own == kind).map(|(_, about)| about).collect::<Vec<_>>();
        let (one, two) = (named_image("one").digest, named_image("two").digest);
        let tag = |tag: &str, also: Value| {
            let mut about = json!({"namespace": "acme", "repo": "app", "tag": tag});
            about.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
            about
        };
        let moved = |from: Value, to: &str| json!({"manifest_digest": to, "original_manifest_digest": from});
        assert_eq!(*of("create_tag")[0], tag("v1", moved(json!(null), &one)));
        assert_eq!(*of("move_tag")[0], tag("v1", moved(json!(one), &two)));
        assert_eq!(*of("revert_tag")[0], tag("v1", moved(json!(two), &one)));
        assert_eq!(*of("delete_tag")[0], tag("a", json!({"manifest_digest": one})));
        assert_eq!(
            of("change_tag_immutability"),
            [
                &tag("v2", json!({"immutable": true, "previous_immutable": false})),
                &tag("v2", json!({"immutable": false, "previous_immutable": true})),
            ]
        );
        assert!(of("change_tag_expiration")[0]["expiration_date"].is_i64());
        let id = &of("create_immutability_policy")[0]["policy_uuid"];
        let demanded = json!({"namespace": "acme", "repo": "app", "policy_uuid": id, "tag_pattern": "r.*", "tag_pattern_matches": true});
        assert_eq!(of("create_immutability_policy"), [&demanded]);
        assert_eq!(of("update_immutability_policy"), [&demanded]);
        assert_eq!(of("delete_immutability_policy"), [&json!({"namespace": "acme", "repo": "app", "policy_uuid": id})]);
    });
}

#[test]
fn what_happened_below_a_namespace() {
    run(async {
        let registry = busy().await;
        let path = "/api/v1/organization/acme/logs";
        let all = logs(&registry, &ever(path)).await;
        let of_app = logs(&registry, &ever(&of_repository(REPO))).await;
        assert_eq!(all.iter().filter(|(_, about)| about["repo"] == "app").count(), of_app.len());
        assert!(all.iter().all(|(_, about)| about["namespace"] == "acme"), "{all:?}");
        let pruned: Vec<_> = all.iter().filter(|(kind, _)| kind == "autoprune_tag_delete").collect();
        assert_eq!(pruned.len(), 2);
        assert_eq!(pruned[0].1["repo"], "nightly");
        let policy = all.iter().find(|(kind, _)| kind == "create_namespace_autoprune_policy").unwrap();
        assert_eq!(
            policy.1,
            json!({"namespace": "acme", "policy_uuid": PRUNING.to_string(), "method": "number_of_tags", "value": 1,
                   "tag_pattern": null, "tag_pattern_matches": null})
        );
        // Ends with a manifest are told one by one, those with a repository by its own end.
        let tool = logs(&registry, &ever(&of_repository("acme/team/tool"))).await;
        assert_eq!(kinds(&tool), ["delete_tag", "delete_tag", "create_tag", "create_tag"]);
        assert_eq!(tool[0].1["repo"], "team/tool");
        let lib = logs(&registry, &ever(&of_repository("lib"))).await;
        assert_eq!(kinds(&lib), ["delete_repo", "create_tag", "create_tag"]);
        assert_eq!(lib[0].1, json!({"namespace": null, "repo": "lib"}));
        let below = logs(&registry, &ever("/api/v1/organization/acme/team/logs")).await;
        assert_eq!(below, tool);
        assert!(logs(&registry, &ever("/api/v1/organization/nobody/logs")).await.is_empty());
        let performed = logs(&registry, &format!("{}&performer=system:test", ever(path))).await;
        assert_eq!(
            kinds(&performed),
            [
                "create_namespace_autoprune_policy",
                "delete_immutability_policy",
                "update_immutability_policy",
                "create_immutability_policy",
            ]
        );
        let anonymous = logs(&registry, &format!("{}&performer=anonymous", ever(path))).await;
        assert!(anonymous.len() > 10 && anonymous.len() < all.len());
        assert!(logs(&registry, &format!("{}&performer=nobody", ever(path))).await.is_empty());
    });
}

#[test]
fn drafts_and_policies_of_the_whole_registry() {
    run(async {
        let registry = Registry::start().await;
        let policy = draft(&registry, "q.*").await;
        registry.commit(Command::RemovePolicy { policy }).await;
        let everywhere =
            CreatePolicy { policy: Id([5; 16]), scope: Scope::Registry, rule: protecting("s.*"), draft: false };
        registry.commit(Command::CreatePolicy(Box::new(everywhere))).await;
        let logs = logs(&registry, &of_repository(REPO)).await;
        assert_eq!(kinds(&logs), ["delete_immutability_policy", "create_immutability_policy"]);
    });
}

#[test]
fn days_of_the_logs() {
    run(async {
        let registry = Registry::start().await;
        // Around noon, so that no day ends under the test.
        let to_noon = 129_600 - registry.now().seconds().rem_euclid(86_400);
        registry.let_pass(Duration::from_secs(to_noon.unsigned_abs()));
        push_named(&registry, REPO, "v1", "one").await;
        let day = |days: i64| {
            let day = Timestamp(registry.now().0 + days * 86_400_000_000).to_string();
            let mut parts = day[..10].split('-');
            let (year, month, day) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            format!("{month}/{day}/{year}")
        };
        let path = of_repository(REPO);
        for (query, count) in [
            (String::new(), 1),
            (format!("?starttime={}", day(0)), 1),
            (format!("?starttime={0}&endtime={0}", day(0)), 1),
            (format!("?starttime={}&endtime={}", day(-1), day(1)), 1),
            (format!("?starttime={}&endtime={}", day(-3), day(-1)), 0),
            (format!("?starttime={}&endtime={}", day(1), day(1)), 0),
            ("?page=3&unknown=x".to_owned(), 1),
        ] {
            let page = registry.check(get(format!("{path}{query}")), ok(200)).await.json();
            assert_eq!(page["logs"].as_array().unwrap().len(), count, "{query}: {page}");
        }
        let page = registry.check(get(format!("{path}?starttime=01/31/2020&endtime=02/01/2020")), ok(200)).await;
        let expected = json!({
            "start_time": "Fri, 31 Jan 2020 00:00:00 -0000", "end_time": "Sun, 02 Feb 2020 00:00:00 -0000", "logs": []
        });
        assert_eq!(page.json(), expected);
        registry
            .check_all([
                case(head(&*path), ok(200)),
                case(
                    get(format!("{path}?starttime=2020-01-31")),
                    refused(400, "invalid_request", "such as 01/31/2026"),
                ),
                case(
                    get(format!("{path}?endtime=01/31/2020")),
                    refused(400, "invalid_request", "ends before it begins"),
                ),
                case(get(format!("{path}?next_page=x")), refused(400, "invalid_request", "`next_page`")),
                case(get(format!("{path}?performer=a&performer=b")), refused(400, "invalid_request", "stands 2 times")),
                case(get(of_repository("acme/none")), refused(404, "not_found", "acme/none")),
                case(get(of_repository("UPPER")), refused(400, "invalid_request", "")),
                case(get("/api/v1/organization/UPPER/logs"), refused(400, "invalid_request", "")),
                case(delete(format!("/api/v1/repository/{REPO}")), ok(204)),
                case(get(&*path), ok(200)),
            ])
            .await;
    });
}

#[test]
fn pages_of_logs() {
    run(async {
        let registry = Registry::start().await;
        let image = push_named(&registry, REPO, "t0", "one").await;
        for at in 1..45 {
            image.push(&registry, REPO, &format!("t{at}")).await;
        }
        let logs = logs(&registry, &of_repository(REPO)).await;
        let tags: Vec<_> = logs.iter().map(|(_, about)| about["tag"].as_str().unwrap().to_owned()).collect();
        assert_eq!(tags, (0..45).rev().map(|at| format!("t{at}")).collect::<Vec<_>>());
    });
}
