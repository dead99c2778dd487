//! Purging what was deleted by hand: all that it named and that names it goes with it.

use serde_json::{Value, json};

use crate::api_purge::{lies_on_disk, purge, purge_in, push_image, referrer, removed_blob, removed_manifest};
use crate::as_of::{behind, last};
use crate::case::{ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get};
use crate::samples::{REPO, Sample, index, named_image, push_named, sha256};

fn has_gone(reply: &Value, sample: &Sample) -> bool {
    reply["manifests_removed"].as_array().unwrap().contains(&removed_manifest(sample))
}

async fn delete_manifest(registry: &Registry, sample: &Sample) {
    registry.check(delete(format!("/v2/{REPO}/manifests/{}", sample.digest)), ok(202)).await;
}

#[test]
fn an_index_that_was_deleted_takes_along_what_only_it_used_and_its_referrers() {
    run(async {
        let registry = Registry::start().await;
        let alone = push_image(&registry, REPO, "", &[b"alone"]).await;
        let tagged = push_image(&registry, REPO, "tagged", &[b"tagged"]).await;
        let shared = push_image(&registry, REPO, "", &[b"shared"]).await;
        index(&[&shared]).push(&registry, REPO, "other").await;
        let whole = index(&[&alone, &tagged, &shared]);
        whole.push(&registry, REPO, "multi").await;
        let signature = referrer(&whole, "a signature");
        signature.push(&registry, REPO, &signature.digest).await;
        let of_child = referrer(&alone, "what is in the child");
        of_child.push(&registry, REPO, "of-child").await;
        let by_tag = named_image("an attestation of old clients");
        by_tag.push(&registry, REPO, &format!("{}.att", whole.digest.replace(':', "-"))).await;
        delete_manifest(&registry, &whole).await;
        let dry = json!({"reference": whole.digest, "reason": "a leak", "dry_run": true});
        let said = registry.check(purge_in(REPO, &dry), ok(200)).await.json();
        let mut reply = registry.check(purge(&whole.digest), ok(200)).await.json();
        assert!(reply["seq"].take().is_u64());
        assert_eq!(said, reply);
        for gone in [&whole, &alone, &signature, &of_child, &by_tag] {
            assert!(has_gone(&reply, gone), "{} is not in {reply}", gone.digest);
            assert!(!lies_on_disk(registry.data(), &gone.bytes));
            registry
                .check(get(format!("/v2/{REPO}/manifests/{}", gone.digest)), refused(404, "MANIFEST_UNKNOWN", ""))
                .await;
        }
        assert_eq!(reply["manifests_removed"].as_array().unwrap().len(), 5, "{reply}");
        assert_eq!(reply["blobs_removed"], json!([removed_blob(b"alone")]));
        assert_eq!(reply["tags_removed"].as_array().unwrap().len(), 2, "{reply}");
        for kept in [&tagged, &shared] {
            registry.check(get(format!("/v2/{REPO}/manifests/{}", kept.digest)), ok(200)).await;
            assert!(reply["kept"].as_array().unwrap().iter().any(|entry| entry["digest"] == kept.digest), "{reply}");
        }
        drop(registry.records());
    });
}

/// The past would show it still.
#[test]
fn an_index_takes_along_the_children_that_were_deleted_before() {
    run(async {
        let registry = Registry::start().await;
        let child = push_image(&registry, REPO, "", &[b"of the child"]).await;
        let (before, _) = last(&registry).await;
        delete_manifest(&registry, &child).await;
        let whole = index(&[&child]);
        whole.push(&registry, REPO, "sparse").await;
        let also = index(&[&child, &whole]);
        also.push(&registry, REPO, "also-sparse").await;
        let path = behind(before, &format!("manifests/{}", child.digest));
        registry.check(get(&*path), ok(200).bytes(child.bytes.clone())).await;
        // As long as another names it, it is not this one alone that did.
        let third = index(&[&child, &child]);
        third.push(&registry, REPO, "third").await;
        let reply = registry.check(purge("third"), ok(200)).await.json();
        let kept = reply["kept"].as_array().unwrap().iter().find(|entry| entry["digest"] == child.digest).unwrap();
        assert_eq!((&kept["why"], kept["by"].as_array().unwrap().len()), (&json!("referenced"), 2), "{reply}");
        registry.check(get(&*path), ok(200).bytes(child.bytes.clone())).await;
        let reply = registry.check(purge("also-sparse"), ok(200)).await.json();
        let gone = reply["manifests_removed"].as_array().unwrap();
        // The index between them has a tag of its own.
        assert!(has_gone(&reply, &also) && gone.len() == 1, "{reply}");
        let reply = registry.check(purge("sparse"), ok(200)).await.json();
        assert!(has_gone(&reply, &whole) && has_gone(&reply, &child), "{reply}");
        assert!(reply["blobs_removed"].as_array().unwrap().contains(&removed_blob(b"of the child")), "{reply}");
        assert!(!lies_on_disk(registry.data(), b"of the child") && !lies_on_disk(registry.data(), &child.bytes));
        registry.check(get(&*path), refused(404, "MANIFEST_UNKNOWN", "they were purged")).await;
        drop(registry.records());
    });
}

/// A record names the repository, so it has to be one.
#[test]
fn what_was_deleted_is_purged_where_there_is_or_was_a_repository() {
    run(async {
        let registry = Registry::start().await;
        let leaked = push_named(&registry, REPO, "debug", "leaked").await;
        registry.check(delete(format!("/api/v1/repository/{REPO}")), ok(204)).await;
        let order = json!({"reference": leaked.digest, "reason": "a leak"});
        registry.check(purge_in("no/such", &order), refused(404, "not_found", "no/such")).await;
        assert!(lies_on_disk(registry.data(), &leaked.bytes));
        let reply = registry.check(purge_in(REPO, &order), ok(200)).await.json();
        assert!(has_gone(&reply, &leaked), "{reply}");
        let reply = registry.check(purge(&sha256("{}")), refused(404, "not_found", "")).await;
        drop(reply);
    });
}
