//! Purging: what stays, because of whom, and what a dry run says.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api_purge::{lies_on_disk, purge, purge_in, push_image, removed_blob};
use crate::case::{case, ok, refused};
use crate::policy::lock;
use crate::registry::{Registry, run};
use crate::request::{delete, get, head, post, put};
use crate::samples::{REPO, index, push_blob, sha256};

const OTHER: &str = "acme/other";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn kept<'a>(reply: &'a Value, bytes: &[u8]) -> Option<&'a Value> {
    reply["kept"].as_array().unwrap().iter().find(|kept| kept["digest"] == sha256(bytes))
}

#[test]
fn what_another_repository_needs_stays_there_alone() {
    run(async {
        let registry = Registry::start().await;
        push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        let image = push_image(&registry, OTHER, "same", &[b"layer"]).await;
        let reply = registry.check(purge("leaked"), ok(200)).await.json();
        assert_eq!((&reply["manifests_removed"], &reply["blobs_removed"]), (&json!([]), &json!([])));
        assert_eq!(reply["bytes_freed"], json!(0));
        let by = json!([{"repository": OTHER, "manifest": image.digest}]);
        for (bytes, why) in [(image.bytes.as_ref(), "in_repository"), (b"layer", "referenced"), (b"{}", "referenced")] {
            assert_eq!(kept(&reply, bytes), Some(&json!({"digest": sha256(bytes), "why": why, "by": by})));
        }
        let blob = |repository: &str| get(format!("/v2/{repository}/blobs/{}", sha256("layer")));
        registry
            .check_all([
                case(blob(REPO), refused(404, "BLOB_UNKNOWN", "")),
                case(get(format!("/v2/{REPO}/manifests/{}", image.digest)), refused(404, "MANIFEST_UNKNOWN", "")),
                case(blob(OTHER), ok(200).bytes("layer")),
                case(get(format!("/v2/{OTHER}/manifests/same")), ok(200).bytes(image.bytes.clone())),
            ])
            .await;
        // The last one that has it purges it.
        let reply =
            registry.check(purge_in(OTHER, &json!({"reference": "same", "reason": "a leak"})), ok(200)).await.json();
        assert!(reply["blobs_removed"].as_array().unwrap().contains(&removed_blob(b"layer")));
        assert!(!lies_on_disk(registry.data(), b"layer"));
    });
}

#[test]
fn a_blob_that_another_repository_got_lately_stays_and_an_old_one_goes() {
    run(async {
        let registry = Registry::start().await;
        for (pause, stays) in
            [(Duration::ZERO, true), (DAY - Duration::from_secs(60), true), (DAY + Duration::from_secs(1), false)]
        {
            push_blob(&registry, OTHER, "layer").await;
            push_image(&registry, REPO, "leaked", &[b"layer"]).await;
            registry.let_pass(pause);
            let reply = registry.check(purge("leaked"), ok(200)).await.json();
            let by = json!([{"repository": OTHER}]);
            let entry = json!({"digest": sha256("layer"), "why": "recently_linked", "by": by});
            assert_eq!(kept(&reply, b"layer"), stays.then_some(&entry), "{pause:?}: {reply}");
            let status = if stays { 200 } else { 404 };
            let reply = registry.send(get(format!("/v2/{OTHER}/blobs/{}", sha256("layer")))).await;
            assert_eq!(reply.status, status, "{pause:?}");
        }
        drop(registry.records());
    });
}

/// What a client was told of elsewhere is safe for the grace period, and what it sent again in the repository itself; but that
/// somebody has looked at a blob there does not keep a leak alive.
#[test]
fn what_a_client_was_told_it_has_stays_for_the_grace_period() {
    run(async {
        let registry = Registry::start().await;
        let blob = |repository: &str| format!("/v2/{repository}/blobs/{}", sha256("layer"));
        push_blob(&registry, OTHER, "layer").await;
        registry.let_pass(2 * DAY);
        for (told, stays) in [
            (head(blob(REPO)), None),
            (get(blob(REPO)), None),
            (head(blob(OTHER)), Some(OTHER)),
            (get(blob(OTHER)), Some(OTHER)),
            (post(format!("/v2/{REPO}/blobs/uploads/?digest={}", sha256("layer"))).body("layer"), Some(REPO)),
            (post(format!("/v2/{REPO}/blobs/uploads/?mount={}&from={OTHER}", sha256("layer"))), Some(REPO)),
        ] {
            let leaked = push_image(&registry, REPO, "leaked", &[b"layer", told.to_string().as_bytes()]).await;
            let shown = told.to_string();
            assert!(registry.send(told).await.status < 300, "{shown}");
            let dry = json!({"reference": "leaked", "reason": "a leak", "dry_run": true});
            let reply = registry.check(purge_in(REPO, &dry), ok(200)).await.json();
            let by = |repository| json!([{"repository": repository}]);
            let entry = stays.map(|of| json!({"digest": sha256("layer"), "why": "being_pushed", "by": by(of)}));
            assert_eq!(kept(&reply, b"layer"), entry.as_ref(), "{shown}: {reply}");
            // A manifest that names it has followed.
            let followed = push_image(&registry, REPO, "leaked", &[b"layer", b"followed"]).await;
            for image in [leaked, followed] {
                registry.check(delete(format!("/v2/{REPO}/manifests/{}", image.digest)), ok(202)).await;
            }
            registry.let_pass(2 * DAY);
        }
    });
}

/// A push that was refused needs what it has sent no more: it does not keep a leak alive.
#[test]
fn a_push_that_was_refused_keeps_nothing() {
    run(async {
        let registry = Registry::start().await;
        let leaked = push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        push_image(&registry, REPO, "v1", &[b"other"]).await;
        lock(&registry, "v1").await;
        for bytes in ["{}", "layer"] {
            push_blob(&registry, REPO, bytes).await;
        }
        let refusal = put(format!("/v2/{REPO}/manifests/v1")).with("content-type", leaked.media_type);
        registry.check(refusal.body(leaked.bytes.clone()), refused(409, "DENIED", "v1")).await;
        let reply = registry.check(purge("leaked"), ok(200)).await.json();
        assert_eq!(reply["blobs_removed"], json!([removed_blob(b"layer")]));
    });
}

#[test]
fn a_dry_run_says_what_the_purge_does_and_changes_nothing() {
    run(async {
        let registry = Registry::start().await;
        let leaked = push_image(&registry, REPO, "leaked", &[b"layer", b"base"]).await;
        index(&[&leaked]).push(&registry, REPO, "multi").await;
        push_image(&registry, REPO, "good", &[b"base"]).await;
        push_image(&registry, OTHER, "good", &[b"base"]).await;
        let before = registry.standing();
        let dry = json!({"reference": "multi", "reason": "a leak", "dry_run": true});
        let said = registry.check(purge_in(REPO, &dry), ok(200)).await.json();
        assert_eq!(registry.standing(), before);
        assert!(lies_on_disk(registry.data(), &leaked.bytes));
        registry.check(get(format!("/v2/{REPO}/manifests/leaked")), ok(200)).await;
        let mut done = registry.check(purge("multi"), ok(200)).await.json();
        assert_eq!(done["seq"].take(), json!(before.seq + 1));
        assert_eq!(said, done);
    });
}

#[test]
fn a_blob_without_a_manifest_can_be_purged_by_itself() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "a blob by itself").await;
        let digest = sha256("a blob by itself");
        let reply = registry.check(purge(&digest), ok(200)).await.json();
        assert_eq!(reply["blobs_removed"], json!([removed_blob(b"a blob by itself")]));
        assert_eq!((&reply["tags_removed"], &reply["manifests_removed"]), (&json!([]), &json!([])));
        assert!(!lies_on_disk(registry.data(), b"a blob by itself"));
        let named = push_image(&registry, REPO, "v1", &[b"layer"]).await;
        registry.check(purge(&sha256("layer")), refused(409, "in_use", &*named.digest)).await;
    });
}

/// Of images that share a layer each purge would leave it to the others, if none looked again at what the others have done meanwhile.
#[test]
fn what_purges_at_once_share_goes_with_the_last() {
    run(async {
        let registry = Registry::start().await;
        for round in 0..12 {
            let shared = format!("shared in round {round}");
            let places = [(REPO, "a"), (REPO, "b"), (OTHER, "c"), (OTHER, "d")];
            for (repository, tag) in places {
                push_image(&registry, repository, tag, &[shared.as_bytes(), format!("{tag}{round}").as_bytes()]).await;
            }
            let purged = places.map(|(repository, tag)| {
                registry.check(purge_in(repository, &json!({"reference": tag, "reason": "a leak"})), ok(200))
            });
            let replies = join_all(purged).await;
            let removed =
                |reply: &Value| reply["blobs_removed"].as_array().unwrap().contains(&removed_blob(shared.as_bytes()));
            let removing = replies.iter().filter(|reply| removed(&reply.json())).count();
            assert_eq!(removing, 1, "round {round}");
            assert!(!lies_on_disk(registry.data(), shared.as_bytes()), "round {round}");
        }
    });
}

/// More than fits into one record: the content that is left goes by further records, and all of it goes.
#[test]
fn a_purge_may_need_several_records() {
    run(async {
        let registry = Registry::start().await;
        let repository = format!("acme/{}", "long/".repeat(40) + "name");
        let layers: Vec<Vec<u8>> = (0..900).map(|n| format!("layer number {n}").into_bytes()).collect();
        let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        let leaked = push_image(&registry, &repository, "leaked", &layers).await;
        let before = registry.standing().seq;
        let reply = registry
            .check(purge_in(&repository, &json!({"reference": "leaked", "reason": "a leak"})), ok(200))
            .await
            .json();
        assert_eq!(reply["blobs_removed"].as_array().unwrap().len(), layers.len() + 1);
        assert_eq!((&reply["kept"], &reply["seq"]), (&json!([]), &json!(registry.standing().seq)));
        assert!(registry.standing().seq > before + 1);
        assert!(!lies_on_disk(registry.data(), b"layer number") && !lies_on_disk(registry.data(), &leaked.bytes));
        drop(registry.records());
    });
}

/// After a restore of the log alone.
#[test]
fn bytes_that_were_not_there_are_not_told_as_freed() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, OTHER, "by itself").await;
        push_image(&registry, REPO, "leaked", &[b"layer"]).await;
        registry.let_pass(2 * DAY);
        let registry = registry.without_segments().await;
        registry.let_pass(4 * DAY);
        push_blob(&registry, REPO, "layer").await;
        let dry = json!({"reference": "leaked", "reason": "a leak", "dry_run": true});
        let said = registry.check(purge_in(REPO, &dry), ok(200)).await.json();
        let reply = registry.check(purge("leaked"), ok(200)).await.json();
        for reply in [said, reply] {
            assert_eq!((&reply["bytes_freed"], &reply["tags_removed"]), (&json!(0), &json!(["leaked"])), "{reply}");
            assert_eq!((&reply["manifests_removed"], &reply["blobs_removed"]), (&json!([]), &json!([])), "{reply}");
            assert_eq!(kept(&reply, b"layer").unwrap()["why"], json!("being_pushed"));
        }
        for (body, is_there) in [(json!({"dry_run": true}), 200), (json!({}), 404)] {
            let reply = registry.check(post("/api/v1/collect").body(body.to_string()), ok(200)).await.json();
            assert_eq!((&reply["bytes_freed"], &reply["removed_count"]), (&json!(0), &json!(0)), "{reply}");
            let linked =
                registry.state().repository(OTHER).unwrap().blob(&sha256("by itself").parse().unwrap()).is_some();
            assert_eq!(linked, is_there == 200);
        }
    });
}
