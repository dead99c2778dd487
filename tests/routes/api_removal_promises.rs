//! What clients were told keeps content from removal: by what it begins, whom it binds, and by what it ends.

use std::time::Duration;

use serde_json::{Value, json};
use tagstone::settings::Settings;
use tagstone_schema::media_type::OCI_IMAGE;

use crate::api_purge::{lies_on_disk, purge, purge_in, push_image, referrer, removed_blob, removed_manifest};
use crate::case::{ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, post, put};
use crate::samples::{REPO, Sample, image, named_image, push_blob, push_named, sha256};

const OTHER: &str = "acme/other";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn blob(repository: &str, bytes: &str) -> String {
    format!("/v2/{repository}/blobs/{}", sha256(bytes))
}

fn why(reply: &Value, bytes: &str) -> Option<String> {
    let kept = reply["kept"].as_array().unwrap().iter().find(|kept| kept["digest"] == sha256(bytes))?;
    Some(kept["why"].as_str().unwrap().to_owned())
}

async fn collect(registry: &Registry) -> Value {
    registry.check(post("/api/v1/collect").body("{}"), ok(200)).await.json()
}

/// Anybody can ask for a mount of anything.
#[test]
fn a_mount_that_failed_promises_nothing() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, OTHER, "something else").await;
        push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        let mount = |from: &str| post(format!("/v2/evil/repo/blobs/uploads/?mount={}{from}", sha256("layer")));
        for from in ["&from=evil/none", "&from=evil/repo", "&from=acme/other", "&from=No_Name"] {
            registry.check(mount(from), ok(202)).await;
        }
        let reply = registry.check(purge("leaked"), ok(200)).await.json();
        assert_eq!((why(&reply, "layer"), why(&reply, "{}")), (None, None), "{reply}");
        assert!(!lies_on_disk(registry.data(), b"layer"));
        // One that succeeded promises that it is there.
        push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        registry.let_pass(2 * DAY);
        registry.check(mount(&format!("&from={REPO}")), ok(201)).await;
        let reply = registry.check(purge("leaked"), ok(200)).await.json();
        assert!(why(&reply, "layer").is_some(), "{reply}");
        registry.check(get(blob("evil/repo", "layer")), ok(200).bytes("layer")).await;
    });
}

/// What a repository has let go, nobody can rely on there.
#[test]
fn what_was_deleted_is_promised_no_more() {
    run(async {
        let registry = Registry::start().await;
        let manifest = named_image("the same");
        let ways = [
            delete(blob(OTHER, "layer")),
            delete(format!("/api/v1/repository/{OTHER}")),
            delete(format!("/v2/{OTHER}/manifests/{}", manifest.digest)),
            purge_in(OTHER, &json!({"reference": sha256("layer"), "reason": "a leak"})),
        ];
        for way in ways {
            push_blob(&registry, OTHER, "layer").await;
            push_named(&registry, OTHER, &manifest.digest, "the same").await;
            registry.check(head(blob(OTHER, "layer")), ok(200)).await;
            registry.check(head(format!("/v2/{OTHER}/manifests/{}", manifest.digest)), ok(200)).await;
            let shown = way.to_string();
            assert!(registry.send(way).await.status < 300, "{shown}");
            let is_manifest = shown.contains("/manifests/");
            if is_manifest {
                push_named(&registry, REPO, "leaked", "the same").await;
            } else {
                push_image(&registry, REPO, "leaked", &[b"layer"]).await;
            }
            let reply = registry.check(purge("leaked"), ok(200)).await.json();
            if is_manifest {
                assert_eq!(reply["manifests_removed"], json!([removed_manifest(&manifest)]), "{shown}: {reply}");
            } else {
                assert!(
                    reply["blobs_removed"].as_array().unwrap().contains(&removed_blob(b"layer")),
                    "{shown}: {reply}"
                );
            }
            registry.let_pass(2 * DAY);
            collect(&registry).await;
            registry.send(delete(format!("/api/v1/repository/{OTHER}"))).await;
        }
        drop(registry.records());
    });
}

/// The client may try again: it was told that the blob is there. But what it has sent for a push that was refused does not keep a leak
/// alive.
#[test]
fn a_refused_push_is_still_safe_from_collection() {
    run(async {
        let registry = Registry::start().await;
        for bytes in ["{}", "layer", "sent"] {
            push_blob(&registry, REPO, bytes).await;
        }
        registry.let_pass(2 * DAY);
        for bytes in ["{}", "layer"] {
            registry.check(head(blob(REPO, bytes)), ok(200)).await;
        }
        push_blob(&registry, REPO, "sent").await;
        let sample = Sample::new(OCI_IMAGE, &image(&[b"layer", b"sent"]));
        let pushing = || {
            put(format!("/v2/{REPO}/manifests/t")).with("content-type", sample.media_type).body(sample.bytes.clone())
        };
        let condition = format!("\"sha256:{}\"", "0".repeat(64));
        registry.check(pushing().with("if-match", condition), refused(412, "DENIED", "")).await;
        let collection = collect(&registry).await;
        assert_eq!((&collection["removed_count"], &collection["kept_in_grace"]), (&json!(0), &json!(3)));
        for bytes in ["{}", "layer", "sent"] {
            registry.check(head(blob(REPO, bytes)), ok(200)).await;
        }
        registry.check(pushing(), ok(201)).await;
    });
}

#[test]
fn what_clients_were_told_before_a_crash_may_be_anything() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, OTHER, "layer").await;
        registry.let_pass(2 * DAY);
        push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        registry.check(head(blob(OTHER, "layer")), ok(200)).await;
        let registry = registry.restarted_at_its_time().await;
        let reply = registry.check(purge("leaked"), ok(200)).await.json();
        assert_eq!(why(&reply, "layer").as_deref(), Some("recently_linked"), "{reply}");
        registry.check(get(blob(OTHER, "layer")), ok(200).bytes("layer")).await;
        // When the grace period is over, all is known that was told in it.
        push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        registry.let_pass(2 * DAY);
        let reply = registry.check(purge("leaked"), ok(200)).await.json();
        assert!(reply["blobs_removed"].as_array().unwrap().contains(&removed_blob(b"layer")), "{reply}");
    });
}

fn trusting(settings: &mut Settings) {
    settings.http.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
}

/// The same request by another client.
fn by(client: u8, request: Request) -> Request {
    request.with("x-forwarded-for", format!("198.51.100.{client}"))
}

#[test]
fn a_manifest_of_one_client_leaves_what_another_has_sent() {
    run(async {
        let registry = Registry::with(trusting).await;
        let send = |client, bytes: &'static str| {
            by(client, post(format!("/v2/{REPO}/blobs/uploads/?digest={}", sha256(bytes))).body(bytes))
        };
        let push = |client, tag: &str, layers: &[&[u8]]| {
            let sample = Sample::new(OCI_IMAGE, &image(layers));
            let path = format!("/v2/{REPO}/manifests/{tag}");
            by(client, put(path).with("content-type", sample.media_type).body(sample.bytes))
        };
        // However often a client has sent something: its manifest is all that was to come.
        for (client, bytes) in [(2, "{}"), (2, "layer"), (2, "layer"), (2, "of 2"), (1, "{}")] {
            registry.check(send(client, bytes), ok(201)).await;
        }
        registry.check(push(2, "leaked", &[b"layer", b"of 2"]), ok(201)).await;
        let reply = registry.check(by(2, purge("leaked")), ok(200)).await.json();
        assert_eq!((why(&reply, "{}").as_deref(), why(&reply, "layer")), (Some("being_pushed"), None), "{reply}");
        // What another has sent waits for the manifest of that one.
        registry.check(send(1, "layer"), ok(201)).await;
        registry.check(by(2, head(blob(REPO, "layer"))), ok(200)).await;
        registry.check(send(2, "of 2"), ok(201)).await;
        registry.check(push(2, "leaked", &[b"layer", b"of 2"]), ok(201)).await;
        let reply = registry.check(by(2, purge("leaked")), ok(200)).await.json();
        assert_eq!((why(&reply, "layer").as_deref(), why(&reply, "of 2")), (Some("being_pushed"), None), "{reply}");
        registry.check(push(1, "good", &[b"layer"]), ok(201)).await;
        let reply = registry.check(purge("good"), ok(200)).await.json();
        assert!(reply["blobs_removed"].as_array().unwrap().contains(&removed_blob(b"layer")), "{reply}");
    });
}

/// Its subject may follow, as an index may follow its children.
#[test]
fn a_referrer_may_come_before_its_subject() {
    run(async {
        let registry = Registry::with(|settings| settings.collect.untagged = Some(Duration::from_secs(1))).await;
        registry.let_pass(2 * DAY);
        push_blob(&registry, REPO, "{}").await;
        let subject = named_image("the subject");
        let early = referrer(&subject, "a signature");
        early.push(&registry, REPO, &early.digest).await;
        registry.let_pass(DAY / 2);
        assert_eq!(collect(&registry).await["manifests_deleted"], json!(0));
        registry.check(get(format!("/v2/{REPO}/manifests/{}", early.digest)), ok(200)).await;
        registry.let_pass(DAY);
        assert_eq!(collect(&registry).await["manifests_deleted"], json!(1));
    });
}
