//! Purging: what goes, and that it is gone everywhere.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};

use crate::as_of::{behind, last};
use crate::case::{case, ok, refused};
use crate::policy::{lock, protect};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, post};
use crate::samples::{REPO, Sample, descriptor, image, index, named_image, push_blob, push_named, sha256};

pub(crate) fn purge_in(repository: &str, body: &Value) -> Request {
    post(format!("/api/v1/repository/{repository}/purge")).body(body.to_string())
}

pub(crate) fn purge(reference: &str) -> Request {
    purge_in(REPO, &json!({"reference": reference, "reason": "a leak"}))
}

/// An image of these layers, pushed with them.
pub(crate) async fn push_image(registry: &Registry, repository: &str, reference: &str, layers: &[&[u8]]) -> Sample {
    push_blob(registry, repository, "{}").await;
    for layer in layers {
        push_blob(registry, repository, Bytes::copy_from_slice(layer)).await;
    }
    let sample = Sample::new(OCI_IMAGE, &image(layers));
    sample.push(registry, repository, if reference.is_empty() { &sample.digest } else { reference }).await;
    sample
}

/// A manifest that refers to another.
pub(crate) fn referrer(subject: &Sample, name: &str) -> Sample {
    let mut document = image(&[]);
    document["subject"] = descriptor(subject.media_type, &subject.bytes);
    document["annotations"] = json!({"name": name});
    Sample::new(OCI_IMAGE, &document)
}

pub(crate) fn removed_manifest(sample: &Sample) -> Value {
    json!({"digest": sample.digest, "size": sample.bytes.len(), "media_type": sample.media_type})
}

pub(crate) fn removed_blob(bytes: &[u8]) -> Value {
    json!({"digest": sha256(bytes), "size": bytes.len()})
}

/// Whether any file below the directory holds these bytes.
pub(crate) fn lies_on_disk(directory: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return lies_on_disk(&path, bytes);
        }
        std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes)
    })
}

fn sorted(list: &Value, by: &str) -> Vec<Value> {
    let mut list = list.as_array().unwrap().clone();
    list.sort_by_key(|entry| entry[by].to_string());
    list
}

#[test]
fn a_leaked_build_is_gone_everywhere_when_the_purge_has_answered() {
    run(async {
        // One layer becomes a file, the other lies in a segment.
        let registry = Registry::with(|settings| settings.content.small_blob_bytes = 4096).await;
        let large = [b"the secret of the large layer ".as_slice(), &[7; 9000]].concat();
        let leaked =
            push_image(&registry, REPO, "debug-42", &[b"the secret of the small layer", &large, b"base"]).await;
        leaked.push(&registry, REPO, "latest-debug").await;
        let good = push_image(&registry, REPO, "v1.0.0", &[b"base", b"good"]).await;
        // It was read: the cache has it.
        registry.check(get(format!("/v2/{REPO}/manifests/debug-42")), ok(200)).await;
        let (before, _) = last(&registry).await;
        for secret in [b"the secret of the small".as_slice(), b"the secret of the large", &leaked.bytes] {
            assert!(lies_on_disk(registry.data(), secret));
        }

        let reply = registry.check(purge("debug-42"), ok(200)).await.json();
        assert_eq!(reply["tags_removed"], json!(["debug-42", "latest-debug"]));
        assert_eq!(reply["manifests_removed"], json!([removed_manifest(&leaked)]));
        let gone = [b"the secret of the small layer".as_slice(), &large];
        let mut expected: Vec<_> = gone.iter().map(|bytes| removed_blob(bytes)).collect();
        expected.sort_by_key(|entry| entry["digest"].to_string());
        assert_eq!(sorted(&reply["blobs_removed"], "digest"), expected);
        let by = json!([{"repository": REPO, "manifest": good.digest}]);
        let mut kept: Vec<_> = [b"base".as_slice(), b"{}"]
            .map(|bytes| json!({"digest": sha256(bytes), "why": "referenced", "by": by}))
            .into();
        kept.sort_by_key(|entry| entry["digest"].to_string());
        assert_eq!(sorted(&reply["kept"], "digest"), kept);
        let bytes = gone.iter().map(|bytes| bytes.len()).sum::<usize>() + leaked.bytes.len();
        assert_eq!((&reply["bytes_freed"], &reply["seq"]), (&json!(bytes), &json!(registry.standing().seq)));

        for secret in [b"the secret of the small".as_slice(), b"the secret of the large", &leaked.bytes] {
            assert!(!lies_on_disk(registry.data(), secret), "{}", String::from_utf8_lossy(secret));
        }
        let unknown = || refused(404, "MANIFEST_UNKNOWN", "");
        let mut cases = vec![
            case(get(format!("/v2/{REPO}/manifests/debug-42")), unknown()),
            case(get(format!("/v2/{REPO}/manifests/{}", leaked.digest)), unknown()),
            case(head(format!("/v2/{REPO}/manifests/{}", leaked.digest)), unknown()),
            case(get(behind(before, "manifests/debug-42")), unknown().says("they were purged").says("a leak")),
            case(head(behind(before, &format!("manifests/{}", leaked.digest))), unknown()),
            case(get(format!("/v2/{REPO}/manifests/v1.0.0")), ok(200).bytes(good.bytes.clone())),
            case(get(format!("/v2/{REPO}/blobs/{}", sha256("base"))), ok(200).bytes("base")),
            case(purge(&leaked.digest), refused(404, "not_found", &*leaked.digest)),
            case(purge("debug-42"), refused(404, "not_found", "tag debug-42")),
        ];
        for bytes in gone {
            let digest = sha256(bytes);
            cases.push(case(get(format!("/v2/{REPO}/blobs/{digest}")), refused(404, "BLOB_UNKNOWN", "")));
            cases.push(case(
                get(behind(before, &format!("blobs/{digest}"))),
                refused(404, "BLOB_UNKNOWN", "they were purged"),
            ));
            let mount = post(format!("/v2/other/place/blobs/uploads/?mount={digest}&from={REPO}"));
            cases.push(case(mount, ok(202)));
        }
        registry.check_all(cases).await;

        // The names are free, and the content may come back: it is another push.
        let again = push_image(&registry, REPO, "debug-42", &[b"the secret of the small layer", &large, b"base"]).await;
        registry.check(get(format!("/v2/{REPO}/manifests/debug-42")), ok(200).bytes(again.bytes.clone())).await;
        registry.check(get(format!("/v2/{REPO}/blobs/{}", sha256(&large))), ok(200).bytes(large)).await;
        drop(registry.records());
    });
}

#[test]
fn an_index_goes_with_what_only_it_used_and_with_its_referrers() {
    run(async {
        let registry = Registry::start().await;
        let alone = push_image(&registry, REPO, "", &[b"alone"]).await;
        let tagged = push_image(&registry, REPO, "tagged", &[b"tagged"]).await;
        let shared = push_image(&registry, REPO, "", &[b"shared"]).await;
        let nested = index(&[&alone]);
        nested.push(&registry, REPO, &nested.digest).await;
        let whole = index(&[&nested, &tagged, &shared]);
        whole.push(&registry, REPO, "multi").await;
        let other = index(&[&shared]);
        other.push(&registry, REPO, "other").await;
        let signature = referrer(&whole, "a signature");
        signature.push(&registry, REPO, &signature.digest).await;
        let of_signature = referrer(&signature, "a signature of the signature");
        of_signature.push(&registry, REPO, "signed-twice").await;
        let of_child = referrer(&alone, "what is in the child");
        of_child.push(&registry, REPO, &of_child.digest).await;
        let by_tag = named_image("an attestation of old clients");
        by_tag.push(&registry, REPO, &format!("{}.att", whole.digest.replace(':', "-"))).await;

        let reply = registry.check(purge("multi"), ok(200)).await.json();
        let gone = [&whole, &nested, &alone, &signature, &of_signature, &of_child, &by_tag];
        let mut expected: Vec<_> = gone.iter().map(|sample| removed_manifest(sample)).collect();
        expected.sort_by_key(|entry| entry["digest"].to_string());
        assert_eq!(sorted(&reply["manifests_removed"], "digest"), expected);
        assert_eq!(reply["blobs_removed"], json!([removed_blob(b"alone")]));
        let mut tags: Vec<_> =
            reply["tags_removed"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        tags.sort_unstable();
        assert_eq!(tags, ["multi", &format!("{}.att", whole.digest.replace(':', "-")), "signed-twice"]);
        let kept = |sample: &Sample, why: &str, by: &Sample| {
            let by = json!([{"repository": REPO, "manifest": by.digest}]);
            json!({"digest": sample.digest, "why": why, "by": by})
        };
        for entry in [kept(&tagged, "tagged", &tagged), kept(&shared, "referenced", &other)] {
            assert!(reply["kept"].as_array().unwrap().contains(&entry), "{entry} is not in {}", reply["kept"]);
        }
        for (reference, status) in [("tagged", 200), ("other", 200), (&*shared.digest, 200), (&*alone.digest, 404)] {
            let reply = registry.send(get(format!("/v2/{REPO}/manifests/{reference}"))).await;
            assert_eq!(reply.status, status, "{reference}");
        }
        drop(registry.records());
    });
}

#[test]
fn what_a_protected_tag_or_an_index_holds_is_not_purged() {
    run(async {
        let registry = Registry::start().await;
        let child = push_named(&registry, REPO, "nightly", "child").await;
        child.push(&registry, REPO, "v1.0").await;
        let whole = index(&[&child]);
        whole.push(&registry, REPO, "v2.0").await;
        protect(&registry, r"v\d.*").await;
        let names = |tags: &[&str], reply: &Value| {
            let named: Vec<_> =
                reply["tags"].as_array().unwrap().iter().map(|tag| tag["tag"].as_str().unwrap().to_owned()).collect();
            assert_eq!(named, tags);
        };
        for reference in ["nightly", "v1.0", &child.digest] {
            let reply = registry.check(purge(reference), refused(409, "tag_immutable", "")).await.json();
            names(&["v1.0", "v2.0"], &reply);
        }
        let config = sha256("{}");
        names(&["v1.0", "v2.0"], &registry.check(purge(&config), refused(409, "tag_immutable", "")).await.json());
        // A dry run says the same.
        let dry = json!({"reference": "nightly", "reason": "a leak", "dry_run": true});
        registry.check(purge_in(REPO, &dry), refused(409, "tag_immutable", "")).await;
        // The attempts are evidence; a question is none.
        let refusals = registry.check(get("/api/v1/refusals"), ok(200)).await.json();
        let counts: u64 =
            refusals["refusals"].as_array().unwrap().iter().map(|entry| entry["count"].as_u64().unwrap()).sum();
        assert_eq!(counts, 4, "{refusals}");

        let free = push_named(&registry, REPO, "free", "free").await;
        let holding = index(&[&free]);
        holding.push(&registry, REPO, "holding").await;
        let in_use = || refused(409, "in_use", &*holding.digest).field("manifests", json!([holding.digest]));
        registry.check(purge("free"), in_use()).await;
        registry.check(purge(&free.digest), in_use()).await;
        // With the index it goes, but for its tag.
        let reply = registry.check(purge("holding"), ok(200)).await.json();
        assert_eq!(
            reply["manifests_removed"],
            json!([{"digest": holding.digest, "size": holding.bytes.len(), "media_type": OCI_INDEX}])
        );
        registry.check(purge("free"), ok(200)).await;
        registry.check(get(format!("/v2/{REPO}/manifests/v1.0")), ok(200).bytes(child.bytes.clone())).await;
    });
}

#[test]
fn a_protected_tag_is_erased_with_its_content_unless_another_reaches_it() {
    run(async {
        let registry = Registry::start().await;
        let erase = |tag: &str| {
            post(format!("/api/v1/repository/{REPO}/tag/{tag}/erase"))
                .body(json!({"reason": "a leak", "purge": true}).to_string())
        };
        let leaked = push_image(&registry, REPO, "v1", &[b"leaked"]).await;
        leaked.push(&registry, REPO, "v2").await;
        protect(&registry, "v.*").await;
        let reply = registry.check(erase("v1"), refused(409, "tag_immutable", "v2")).await.json();
        assert_eq!(reply["tags"].as_array().unwrap().len(), 1, "{reply}");
        registry.check(erase("v3"), refused(404, "not_found", "v3")).await;

        let only = push_image(&registry, REPO, "v9", &[b"only"]).await;
        only.push(&registry, REPO, "debug").await;
        let reply = registry.check(erase("v9"), ok(200)).await.json();
        assert_eq!(
            (&reply["tag"], &reply["was"], &reply["seq"]),
            (&json!("v9"), &json!(only.digest), &json!(registry.standing().seq))
        );
        assert_eq!(reply["purge"]["tags_removed"], json!(["debug"]));
        assert_eq!(reply["purge"]["manifests_removed"], json!([removed_manifest(&only)]));
        assert_eq!(reply["purge"]["blobs_removed"], json!([removed_blob(b"only")]));
        assert!(!lies_on_disk(registry.data(), &only.bytes));
        // The name is spent, also now that its content is gone.
        registry.check(get(format!("/v2/{REPO}/manifests/v9")), refused(404, "MANIFEST_UNKNOWN", &*only.digest)).await;
        // An unprotected tag can be erased as well.
        push_image(&registry, REPO, "edge", &[b"edge"]).await;
        registry.check(erase("edge"), ok(200)).await;
        // A lock holds like a policy.
        let locked = push_image(&registry, REPO, "x", &[b"locked"]).await;
        lock(&registry, "x").await;
        locked.push(&registry, REPO, "y").await;
        registry.check(erase("y"), refused(409, "tag_immutable", "x")).await;
        let kinds: Vec<_> = registry.records().into_iter().flat_map(|record| record.events).collect();
        assert!(kinds.iter().any(|event| matches!(event, tagstone_schema::Event::ContentPurged { .. })));
    });
}

#[test]
fn the_manual_road_is_open_too() {
    run(async {
        let registry = Registry::start().await;
        let leaked = push_image(&registry, REPO, "debug", &[b"leaked", b"base"]).await;
        let good = push_image(&registry, REPO, "latest", &[b"base"]).await;
        let manifest = format!("/v2/{REPO}/manifests/{}", leaked.digest);
        let blob = |bytes: &str| format!("/v2/{REPO}/blobs/{}", sha256(bytes));
        registry
            .check_all([
                case(delete(format!("/v2/{REPO}/manifests/debug")), ok(202)),
                case(get(&*manifest), ok(200).bytes(leaked.bytes.clone())),
                case(delete(blob("leaked")), refused(422, "DENIED", &*leaked.digest)),
                case(delete(&*manifest), ok(202)),
                case(get(&*manifest), refused(404, "MANIFEST_UNKNOWN", "")),
                case(delete(blob("leaked")), ok(202)),
                case(get(blob("leaked")), refused(404, "BLOB_UNKNOWN", "")),
                case(delete(blob("base")), refused(422, "DENIED", &*good.digest)),
                case(get(blob("base")), ok(200).bytes("base")),
            ])
            .await;
    });
}

/// What was deleted by hand lies there until it is collected, and the past shows it. An administrator need not wait.
#[test]
fn what_was_deleted_already_can_be_purged_by_its_digest() {
    run(async {
        let registry = Registry::start().await;
        for whole_repository in [false, true] {
            let leaked = push_image(&registry, REPO, "", &[b"leaked", b"base"]).await;
            let multi = index(&[&leaked]);
            multi.push(&registry, REPO, "debug").await;
            let good = push_image(&registry, "acme/other", "latest", &[b"base"]).await;
            if whole_repository {
                registry.check(delete(format!("/api/v1/repository/{REPO}")), ok(204)).await;
            } else {
                for sample in [&multi, &leaked] {
                    registry.check(delete(format!("/v2/{REPO}/manifests/{}", sample.digest)), ok(202)).await;
                }
            }
            assert!(lies_on_disk(registry.data(), b"leaked"));
            let dry = json!({"reference": multi.digest, "reason": "a leak", "dry_run": true});
            let said = registry.check(purge_in(REPO, &dry), ok(200)).await.json();
            let mut reply = registry.check(purge(&multi.digest), ok(200)).await.json();
            assert!(reply["seq"].take().is_u64());
            assert_eq!(said, reply);
            let mut expected = vec![removed_manifest(&multi), removed_manifest(&leaked)];
            expected.sort_by_key(|entry| entry["digest"].to_string());
            assert_eq!(sorted(&reply["manifests_removed"], "digest"), expected);
            assert_eq!(reply["blobs_removed"], json!([removed_blob(b"leaked")]));
            assert!(!lies_on_disk(registry.data(), b"leaked") && !lies_on_disk(registry.data(), &leaked.bytes));
            registry.check(get(format!("/v2/acme/other/manifests/{}", good.digest)), ok(200)).await;
            registry.check(get(format!("/v2/acme/other/blobs/{}", sha256("base"))), ok(200).bytes("base")).await;
            registry.check(purge(&multi.digest), refused(404, "not_found", "")).await;
        }
        drop(registry.records());
    });
}

#[test]
fn what_is_no_purge() {
    run(async {
        let registry = Registry::start().await;
        let image = push_named(&registry, REPO, "v1", "one").await;
        let invalid = |says: &'static str| refused(400, "invalid_request", says);
        for (body, answer) in [
            (json!({}), invalid("missing field `reference`")),
            (json!({"reference": "v1"}), invalid("missing field `reason`")),
            (json!({"reference": "v1", "reason": " "}), invalid("a reason is needed")),
            (json!({"reference": "", "reason": "a leak"}), invalid("`reference` is no tag and no digest")),
            (json!({"reference": "sha256:abc", "reason": "a leak"}), invalid("`reference` is no tag and no digest")),
            (json!({"reference": "v1", "reason": "a leak", "dry_run": "yes"}), invalid("dry_run")),
            (json!({"reference": "v1", "reason": "a leak", "force": true}), invalid("force")),
            (json!({"reference": "v2", "reason": "a leak"}), refused(404, "not_found", "tag v2 is not in")),
            (json!({"reference": sha256("nothing"), "reason": "a leak"}), refused(404, "not_found", sha256("nothing"))),
        ] {
            registry.check(purge_in(REPO, &body), answer).await;
        }
        let body = json!({"reference": "v1", "reason": "a leak"});
        registry
            .check_all([
                case(purge_in("nobody/here", &body), refused(404, "not_found", "repository nobody/here")),
                case(purge_in("as-of/seq-1/acme/app", &body), refused(405, "method_not_allowed", "the past")),
                case(
                    get(format!("/api/v1/repository/{REPO}/purge")),
                    refused(405, "method_not_allowed", "").header("allow", "POST"),
                ),
                case(get(format!("/v2/{REPO}/manifests/v1")), ok(200).bytes(image.bytes.clone())),
            ])
            .await;
    });
}
