//! What an immutability policy would do, asked before it is made.

use serde_json::{Value, json};

use crate::api_policies::{create, policies, without_policies};
use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{get, post};
use crate::samples::{named_image, push_named, sha256};

/// Asks, and sees that nothing was written.
async fn preview(registry: &Registry, scope: &str, body: Value) -> Value {
    let before = registry.standing();
    let path = format!("{}preview", policies(scope));
    let told = registry.check(post(path).body(body.to_string()), ok(200)).await.json();
    assert_eq!(registry.standing(), before, "a preview has written something");
    told
}

/// The counts: in scope, newly, already; and the names of the sample.
fn counts(told: &Value) -> (u64, u64, u64, Vec<String>) {
    let count = |field: &str| told[field].as_u64().unwrap_or_else(|| panic!("{field} of {told}"));
    let name = |tag: &Value| format!("{}:{}", tag["repository"].as_str().unwrap(), tag["tag"].as_str().unwrap());
    let sample = told["sample"].as_array().unwrap().iter().map(name).collect();
    (count("tags_in_scope"), count("newly_protected"), count("already_protected"), sample)
}

#[test]
fn every_scope_counts_its_own_tags() {
    run(async {
        let registry = without_policies().await;
        for (repository, tags) in [
            ("acme", &["v1"][..]),
            ("acme/app", &["v1", "v2", "latest"]),
            ("acme/app/sub", &["v1"]),
            ("acme/app2", &["v1", "x"]),
            ("acme-co/app", &["v1"]),
            ("zeta", &["v9"]),
        ] {
            for tag in tags {
                push_named(&registry, repository, tag, "one").await;
            }
        }
        let standing = create(&registry, &policies("repository/acme/app"), json!({"tagPattern": "v2|latest"})).await;
        let cases: [(&str, u64, u64, u64, &[&str]); 6] = [
            (
                "registry",
                9,
                6,
                2,
                &["acme:v1", "acme-co/app:v1", "acme/app:v1", "acme/app/sub:v1", "acme/app2:v1", "zeta:v9"],
            ),
            ("organization/acme", 6, 3, 2, &["acme/app:v1", "acme/app/sub:v1", "acme/app2:v1"]),
            ("organization/acme/app", 1, 1, 0, &["acme/app/sub:v1"]),
            ("repository/acme/app", 3, 1, 2, &["acme/app:v1"]),
            ("repository/acme/ap", 0, 0, 0, &[]),
            ("organization/nobody", 0, 0, 0, &[]),
        ];
        for (scope, tags, newly, already, sample) in cases {
            let told = preview(&registry, scope, json!({"tagPattern": " v.* "})).await;
            let sample = sample.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(counts(&told), (tags, newly, already, sample), "{scope}");
            assert_eq!(told["conflicts"], json!([]), "{scope}");
        }
        let told = preview(&registry, "repository/acme/app", json!({"tagPattern": "v1"})).await;
        let tag = json!({"repository": "acme/app", "tag": "v1", "digest": named_image("one").digest});
        assert_eq!(told["sample"], json!([tag]));
        // What a draft, or the very policy that stands, would do can be asked as well.
        let told = preview(&registry, "repository/acme/app", json!({"tagPattern": "v2|latest", "active": false})).await;
        assert_eq!(counts(&told), (3, 0, 2, Vec::new()), "{standing}");
        let inverse = json!({"tagPattern": "v.*", "tagPatternMatches": false});
        assert_eq!(
            counts(&preview(&registry, "organization/acme", inverse).await),
            (6, 1, 2, vec!["acme/app2:x".to_owned()])
        );
    });
}

#[test]
fn tags_for_referrers_only_where_they_are_included() {
    run(async {
        let registry = without_policies().await;
        let signature = format!("{}.sig", sha256("x").replace(':', "-"));
        for tag in ["v1", &signature] {
            push_named(&registry, "acme/app", tag, "one").await;
        }
        for (include, newly) in [(json!(false), 1), (json!(null), 1), (json!(true), 2)] {
            let told =
                preview(&registry, "registry", json!({"tagPattern": ".*", "includeReferrerTags": include})).await;
            assert_eq!(told["newly_protected"], newly, "{include}");
        }
    });
}

#[test]
fn a_preview_says_what_the_creation_then_does() {
    run(async {
        let registry = without_policies().await;
        for number in 0..30 {
            push_named(&registry, "acme/app", &format!("v{number:02}"), "one").await;
        }
        let body = json!({"tagPattern": "v[0-2].*"});
        let told = preview(&registry, "organization/acme", body.clone()).await;
        let (tags, newly, already, sample) = counts(&told);
        assert_eq!((tags, newly, already), (30, 30, 0));
        let expected: Vec<_> = (0..20).map(|number| format!("acme/app:v{number:02}")).collect();
        assert_eq!(sample, expected, "the sample is bounded");
        create(&registry, &policies("organization/acme"), body.clone()).await;
        assert_eq!(counts(&preview(&registry, "organization/acme", body).await), (30, 0, 30, Vec::new()));
    });
}

#[test]
fn what_cannot_be_previewed() {
    run(async {
        let registry = without_policies().await;
        let path = format!("{}preview", policies("registry"));
        registry
            .check_all([
                case(post(&*path), refused(400, "invalid_request", "tagPattern")),
                case(post(&*path).body(r#"{"tagPattern": "a("}"#), refused(400, "invalid_request", "at character 2")),
                case(post(&*path).body(r#"{"tagPattern": " "}"#), refused(400, "invalid_request", "empty")),
                case(post(&*path).body(r#"{"uuid": "x", "tagPattern": "a"}"#), refused(400, "invalid_request", "uuid")),
                case(get(&*path), refused(405, "method_not_allowed", "POST").header("allow", "POST")),
                case(
                    post("/api/v1/repository/Acme/immutabilitypolicy/preview").body(r#"{"tagPattern": "a"}"#),
                    refused(400, "invalid_request", "name"),
                ),
            ])
            .await;
    });
}
