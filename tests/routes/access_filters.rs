//! Where many repositories are shown at once, each client sees those that it may pull.

use serde_json::{Value, json};
use tagstone_schema::event::Action;

use crate::case::{case, ok, refused};
use crate::guarded::{authorization, guarded, rule};
use crate::live::Live;
use crate::registry::{Registry, run};
use crate::request::{Request, get, post};
use crate::samples::{REPO, push_blob, push_named};

/// Three repositories, of which the reader may pull two, and the writer one more to which it may only push.
async fn filled() -> Registry {
    let registry = guarded(|settings| settings.auth.access.push(rule("writer", "drop/**", &[Action::Push]))).await;
    registry.log_in("root");
    for repository in ["acme/app", "acme/base", "secret/app", "drop/box"] {
        push_named(&registry, repository, "v1", repository).await;
    }
    registry
}

fn reading(request: Request) -> Request {
    request.with("authorization", authorization("reader"))
}

/// What stands under a key in a list.
fn each<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap_or("-")).collect()
}

#[test]
fn the_catalog() {
    run(async {
        let registry = filled().await;
        let catalog = async |request: Request| registry.check(request, ok(200)).await.json()["repositories"].clone();
        assert_eq!(catalog(get("/v2/_catalog")).await, json!(["acme/app", "acme/base", "drop/box", "secret/app"]));
        assert_eq!(catalog(reading(get("/v2/_catalog"))).await, json!(["acme/app", "acme/base"]));
        let stranger = get("/v2/_catalog").with("authorization", authorization("stranger"));
        assert_eq!(catalog(stranger).await, json!([]));
        // Pages are of what is seen: the last one has no link to what is not.
        let reply = registry.check(reading(get("/v2/_catalog?n=1")), ok(200)).await;
        assert!(reply.header("link").unwrap().contains("last=acme/app"), "{:?}", reply.headers);
        registry.check(reading(get("/v2/_catalog?n=1&last=acme/app")), ok(200).without("link")).await;
    });
}

#[test]
fn events_and_their_stream() {
    run(async {
        let registry = filled().await;
        let all = registry.check(get("/api/v1/events?n=100&order=asc"), ok(200)).await.json();
        let seen = registry.check(reading(get("/api/v1/events?n=100&order=asc")), ok(200)).await.json();
        let visible = |event: &&Value| event["repository"].as_str().is_some_and(|name| name.starts_with("acme/"));
        let expected: Vec<_> = all["events"].as_array().unwrap().iter().filter(visible).cloned().collect();
        assert!(expected.len() > 3 && all["events"].as_array().unwrap().len() > expected.len() + 3);
        assert_eq!(seen["events"], json!(expected));
        for query in ["repository=secret/app", "namespace=secret", "repository=no/such", "kind=server_started"] {
            let nothing = registry.check(reading(get(format!("/api/v1/events?{query}"))), ok(200)).await.json();
            assert_eq!(nothing["events"], json!([]), "{query}");
            assert!(nothing.get("next").is_none(), "{query}: {nothing}");
        }
        let mut live = Live::open(&registry, reading(get("/api/v1/events/stream?from_seq=1"))).await;
        let streamed: Vec<_> = live.events(expected.len()).await.iter().map(crate::happenings::id).collect();
        assert_eq!(streamed, expected.iter().map(crate::happenings::id).collect::<Vec<_>>());
        push_blob(&registry, "secret/app", "hidden").await;
        push_blob(&registry, REPO, "shown").await;
        assert_eq!(live.event().await["repository"], REPO);
    });
}

#[test]
fn logs_of_repositories_and_organizations() {
    run(async {
        let registry = filled().await;
        registry
            .check_all([
                case(reading(get("/api/v1/repository/acme/app/logs")), ok(200)),
                case(reading(get("/api/v1/repository/secret/app/logs")), refused(403, "insufficient_scope", "pull")),
            ])
            .await;
        let logs = async |request: Request| registry.check(request, ok(200)).await.json()["logs"].clone();
        assert!(!logs(reading(get("/api/v1/organization/acme/logs"))).await.as_array().unwrap().is_empty());
        assert!(!logs(get("/api/v1/organization/secret/logs")).await.as_array().unwrap().is_empty());
        assert_eq!(logs(reading(get("/api/v1/organization/secret/logs"))).await, json!([]));
    });
}

#[test]
fn one_repository_and_its_past() {
    run(async {
        let registry = filled().await;
        let digest = push_named(&registry, "secret/app", "v2", "two").await.digest;
        let seq = registry.standing().seq;
        for rest in [
            "tags/list".to_owned(),
            "_tagstone/tags".to_owned(),
            "_oci/tag-history/v1".to_owned(),
            "_oci/ext/discover".to_owned(),
            format!("referrers/{digest}"),
            "manifests/v1".to_owned(),
            format!("manifests/{digest}"),
            format!("blobs/{}", crate::samples::sha256("{}")),
        ] {
            for name in ["secret/app".to_owned(), format!("as-of/seq-{seq}/secret/app")] {
                let path = format!("/v2/{name}/{rest}");
                registry
                    .check(reading(get(&*path)), refused(403, "DENIED", "reader may not pull from secret/app"))
                    .await;
                if !(rest.contains("history") && name.starts_with("as-of")) {
                    registry.check(get(&*path), ok(200)).await;
                }
            }
        }
    });
}

#[test]
fn mounts() {
    run(async {
        let registry = filled().await;
        let hidden = push_blob(&registry, "secret/app", "hidden").await;
        let shown = push_blob(&registry, "acme/base", "shown").await;
        push_blob(&registry, "drop/box", "dropped").await;
        let dropped = crate::samples::sha256("dropped");
        let mount = |query: String| {
            let request = post(format!("/v2/{REPO}/blobs/uploads/?{query}"));
            request.with("authorization", authorization("writer"))
        };
        for (query, status) in [
            (format!("mount={hidden}&from=secret/app"), 202),
            (format!("mount={hidden}"), 202),
            // To push there is not to pull from there.
            (format!("mount={dropped}&from=drop/box"), 202),
            (format!("mount={dropped}"), 202),
            (format!("mount={shown}&from=acme/base"), 201),
        ] {
            registry.check(mount(query), ok(status)).await;
        }
        // An event does not tell where a blob was mounted from to who may not pull there.
        let hidden_mount = post(format!("/v2/{REPO}/blobs/uploads/?mount={hidden}&from=secret/app"));
        registry.check(hidden_mount, ok(201)).await;
        let path = "/api/v1/events?repository=acme/app&kind=blob_linked&n=2&order=asc&from_seq=1";
        let root = registry.check(get(path.replace("n=2&", "")), ok(200)).await.json();
        let reader = registry.check(reading(get(path.replace("n=2&", ""))), ok(200)).await.json();
        let from = |events: &Value| each(&events["events"], "mounted_from").join(" ");
        assert!(from(&root).contains("secret/app") && from(&root).contains("acme/base"), "{root}");
        assert!(!from(&reader).contains("secret/app") && from(&reader).contains("acme/base"), "{reader}");
    });
}
