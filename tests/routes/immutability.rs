//! What immutability refuses on `/v2`, through every door: statuses, codes, reasons, and that nothing has changed.

use serde_json::{Value, json};

use crate::case::{Answer, case, ok, refused};
use crate::policy::{activate, draft, lock, protect, retire};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, put};
use crate::samples::{
    REPO, Sample, descriptor, index, named_image, noise, push_blob, push_named, sha256, unknown_digest,
};

fn manifest(reference: &str) -> String {
    format!("/v2/{REPO}/manifests/{reference}")
}

fn push(reference: &str, sample: &Sample) -> Request {
    put(manifest(reference)).with("content-type", sample.media_type).body(sample.bytes.clone())
}

/// The tags that a refusal names.
fn named(error: &Value) -> Vec<&str> {
    assert_eq!(error["detail"]["reason"], "TAG_IMMUTABLE", "{error}");
    assert_eq!(error["detail"]["repository"], REPO);
    error["detail"]["tags"].as_array().unwrap().iter().map(|tag| tag["tag"].as_str().unwrap()).collect()
}

/// Asks for something that protected tags forbid.
async fn forbidden(registry: &Registry, request: Request, status: u16, tags: &[&str]) -> Value {
    let error = registry.check(request, refused(status, "DENIED", "is immutable and stays at")).await.error();
    assert_eq!(named(&error), tags);
    error
}

fn stands(sample: &Sample, immutable: &str) -> Answer {
    ok(200)
        .bytes(sample.bytes.clone())
        .header("docker-content-digest", &*sample.digest)
        .header("tagstone-tag-immutable", immutable)
}

#[test]
fn delete_by_digest_blocks_if_immutable_tag_exists() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        let policy = protect(&registry, "v.*").await;
        let error = forbidden(&registry, delete(manifest(&sample.digest)), 422, &["v1"]).await;
        // The message alone says the tag, the digest, the policy and what helps.
        let message = error["message"].as_str().unwrap();
        for part in ["tag v1", &sample.digest, &policy.to_string(), "`v.*`", "nothing was deleted", "retire the policy"]
        {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        let reasons = &error["detail"]["tags"][0]["reasons"];
        assert_eq!(reasons[0]["kind"], "policy");
        assert_eq!(reasons[0]["policy"], json!(policy));
        assert_eq!(reasons[0]["pattern"], "v.*");
        registry.check(get(manifest("v1")), stands(&sample, "true")).await;
    });
}

#[test]
fn delete_by_digest_succeeds_if_all_tags_mutable() {
    run(async {
        let registry = Registry::start().await;
        protect(&registry, "v.*").await;
        let sample = push_named(&registry, REPO, "latest", "one").await;
        sample.push(&registry, REPO, "edge").await;
        registry
            .check_all([
                case(get(manifest("edge")), stands(&sample, "false")),
                case(delete(manifest(&sample.digest)), ok(202)),
                case(get(manifest("latest")), refused(404, "MANIFEST_UNKNOWN", "latest")),
                case(get(manifest("edge")), refused(404, "MANIFEST_UNKNOWN", "edge")),
            ])
            .await;
    });
}

#[test]
fn delete_by_digest_with_mixed_tags() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "latest", "one").await;
        for tag in ["v2", "edge", "v1", "kept"] {
            sample.push(&registry, REPO, tag).await;
        }
        push_named(&registry, REPO, "v3", "another manifest").await;
        protect(&registry, "v.*").await;
        lock(&registry, "kept").await;
        // `check` compares the whole state before and after.
        let error = forbidden(&registry, delete(manifest(&sample.digest)), 422, &["kept", "v1", "v2"]).await;
        assert_eq!(error["detail"]["tags"][0]["reasons"][0]["kind"], "lock");
        assert_eq!(error["detail"]["tags"][1]["reasons"][0]["kind"], "policy");
        assert!(error["message"].as_str().unwrap().contains("unlock the tag and retire the policy"), "{error}");
        for tag in ["latest", "edge", "v1", "v2", "kept"] {
            registry.check(head(manifest(tag)), ok(200).header("docker-content-digest", &*sample.digest)).await;
        }
    });
}

#[test]
fn delete_by_tag_still_blocks_immutable() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        sample.push(&registry, REPO, "latest").await;
        protect(&registry, "v.*").await;
        forbidden(&registry, delete(manifest("v1")), 422, &["v1"]).await;
        registry
            .check_all([
                case(delete(manifest("latest")), ok(202)),
                case(get(manifest("v1")), stands(&sample, "true")),
                case(get(format!("/v2/{REPO}/tags/list")), ok(200).json(json!({"name": REPO, "tags": ["v1"]}))),
            ])
            .await;
    });
}

#[test]
fn image_is_pullable_after_the_refused_delete() {
    run(async {
        let registry = Registry::start().await;
        let layer = noise(300);
        push_blob(&registry, REPO, "{}").await;
        push_blob(&registry, REPO, layer.clone()).await;
        let sample = Sample::new(tagstone_schema::media_type::OCI_IMAGE, &crate::samples::image(&[&layer]));
        sample.push(&registry, REPO, "v1").await;
        protect(&registry, "v1").await;
        let (config, layer_digest) = (sha256("{}"), sha256(&layer));
        forbidden(&registry, delete(manifest(&sample.digest)), 422, &["v1"]).await;
        for digest in [&config, &layer_digest] {
            forbidden(&registry, delete(format!("/v2/{REPO}/blobs/{digest}")), 422, &["v1"]).await;
        }
        registry
            .check_all([
                case(get(manifest("v1")), stands(&sample, "true")),
                case(get(manifest(&sample.digest)), ok(200).bytes(sample.bytes.clone())),
                case(get(format!("/v2/{REPO}/blobs/{config}")), ok(200).bytes("{}")),
                case(get(format!("/v2/{REPO}/blobs/{layer_digest}")), ok(200).bytes(layer)),
            ])
            .await;
    });
}

#[test]
fn inactive_policy_enforces_nothing() {
    run(async {
        let registry = Registry::start().await;
        let policy = draft(&registry, "v.*").await;
        let (old, new) = (push_named(&registry, REPO, "v1", "old").await, named_image("new"));
        registry.check(get(manifest("v1")), stands(&old, "false")).await;
        new.push(&registry, REPO, "v1").await;
        registry.check(delete(manifest("v1")), ok(202)).await;
        new.push(&registry, REPO, "v1").await;
        activate(&registry, policy).await;
        // The tag that is there, and the next one.
        forbidden(&registry, push("v1", &old), 409, &["v1"]).await;
        new.push(&registry, REPO, "v2").await;
        forbidden(&registry, push("v2", &old), 409, &["v2"]).await;
        retire(&registry, policy).await;
        old.push(&registry, REPO, "v1").await;
        registry.check(get(manifest("v1")), stands(&old, "false")).await;
    });
}

#[test]
fn children_config_and_layers_of_a_protected_index_stay() {
    run(async {
        let registry = Registry::start().await;
        let layer = noise(100);
        push_blob(&registry, REPO, "{}").await;
        push_blob(&registry, REPO, layer.clone()).await;
        let child = Sample::new(tagstone_schema::media_type::OCI_IMAGE, &crate::samples::image(&[&layer]));
        let other = named_image("other");
        for one in [&child, &other] {
            one.push(&registry, REPO, &one.digest).await;
        }
        let inner = index(&[&child]);
        inner.push(&registry, REPO, &inner.digest).await;
        let outer = index(&[&inner, &other]);
        outer.push(&registry, REPO, "v1").await;
        let by_digest = |sample: &Sample| delete(manifest(&sample.digest));
        let blob = |bytes: &[u8]| delete(format!("/v2/{REPO}/blobs/{}", sha256(bytes)));
        let in_use = || refused(422, "DENIED", "is still referenced");
        for request in [by_digest(&child), by_digest(&inner), blob(b"{}"), blob(&layer)] {
            let error = registry.check(request, in_use()).await.error();
            assert_eq!(error["detail"]["reason"], "IN_USE");
        }
        // Where a protected tag reaches the content, that is the better reason.
        protect(&registry, "v.*").await;
        for request in [by_digest(&child), by_digest(&inner), by_digest(&outer), blob(b"{}"), blob(&layer)] {
            let error = forbidden(&registry, request, 422, &["v1"]).await;
            assert_eq!(error["detail"]["tags"][0]["digest"], outer.digest);
        }
        registry.check(get(manifest("v1")), stands(&outer, "true")).await;
    });
}

#[test]
fn same_digest_again_is_201_without_an_event() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        protect(&registry, "v.*").await;
        let before = registry.standing();
        let both = format!("{}?tag=v1&tag=v1", sample.digest);
        for request in [push("v1", &sample), push(&sample.digest, &sample), push(&both, &sample)] {
            registry.check(request, ok(201).header("docker-content-digest", &*sample.digest)).await;
            assert_eq!(registry.standing(), before);
        }
    });
}

#[test]
fn a_spent_name_explains_itself() {
    run(async {
        let registry = Registry::start().await;
        let (old, new) = (push_named(&registry, REPO, "v1", "old").await, named_image("new"));
        let policy = protect(&registry, "v.*").await;
        retire(&registry, policy).await;
        registry.check(delete(manifest("v1")), ok(202)).await;
        let seq = registry.standing().seq;
        let gone = registry.check(get(manifest("v1")), refused(404, "MANIFEST_UNKNOWN", &*old.digest)).await.error();
        let detail = &gone["detail"];
        let removed = detail["removed"].as_str().unwrap().to_owned();
        assert!(gone["message"].as_str().unwrap().contains(&removed), "{gone}");
        let spent = json!({
            "reason": "TAG_SPENT", "repository": REPO, "tag": "v1", "only_digest": old.digest, "removed": removed, "seq": seq,
        });
        assert_eq!(*detail, spent);
        let refusal = || {
            refused(409, "DENIED", "nothing was written").says(&*old.digest).says(&*removed).detail(json!({
                "reason": "TAG_SPENT",
                "repository": REPO,
                "tags": [{"tag": "v1", "only_digest": old.digest, "removed": removed}],
            }))
        };
        let both = format!("{}?tag=fresh&tag=v1", new.digest);
        registry
            .check_all([
                case(head(manifest("v1")), refused(404, "MANIFEST_UNKNOWN", "")),
                case(push("v1", &new), refusal()),
                case(push(&both, &new), refusal()),
                case(head(manifest("fresh")), refused(404, "MANIFEST_UNKNOWN", "")),
                case(push("v1", &old), ok(201)),
                case(get(manifest("v1")), stands(&old, "false")),
                // It stays spent while it is there, and when the repository is gone.
                case(push("v1", &new), refusal()),
                case(delete(format!("/api/v1/repository/{REPO}")), ok(204)),
            ])
            .await;
        registry
            .check_all([
                case(get(manifest("v1")), refused(404, "MANIFEST_UNKNOWN", &*old.digest)),
                case(get(manifest("v2")), refused(404, "NAME_UNKNOWN", REPO)),
            ])
            .await;
        push_blob(&registry, REPO, "{}").await;
        registry.check(push("v1", &new), refused(409, "DENIED", &*old.digest)).await;
        let registry = registry.restarted().await;
        registry.check(push("v1", &new), refused(409, "DENIED", &*old.digest)).await;
        registry.check(push("v1", &old), ok(201)).await;
    });
}

#[test]
fn compare_and_swap_beside_immutability() {
    run(async {
        let registry = Registry::start().await;
        let (old, new) = (push_named(&registry, REPO, "v1", "old").await, named_image("new"));
        protect(&registry, "v.*").await;
        let quoted = |digest: &str| format!("\"{digest}\"");
        // Whether the condition holds or not: immutability is told.
        for condition in [quoted(&old.digest), quoted(&unknown_digest()), "*".to_owned()] {
            forbidden(&registry, push("v1", &new).with("if-match", &condition), 409, &["v1"]).await;
            forbidden(&registry, delete(manifest("v1")).with("if-match", &condition), 422, &["v1"]).await;
            forbidden(&registry, delete(manifest(&old.digest)).with("if-match", &condition), 422, &["v1"]).await;
        }
        forbidden(&registry, push("v1", &new).with("if-none-match", "*"), 409, &["v1"]).await;
        let failed = || refused(412, "DENIED", &*old.digest);
        registry
            .check_all([
                case(push("v1", &old).with("if-none-match", "*"), failed()),
                case(push("v1", &old).with("if-match", quoted(&new.digest)), failed()),
                case(push("v1", &old).with("if-match", quoted(&old.digest)), ok(201)),
                case(push("v2", &new).with("if-none-match", "*"), ok(201)),
                case(push("v2", &new).with("if-none-match", "*"), refused(412, "DENIED", &*new.digest)),
            ])
            .await;
        forbidden(&registry, push("v2", &old).with("if-none-match", "*"), 409, &["v2"]).await;
    });
}

#[test]
fn several_tags_one_protected_nothing_written() {
    run(async {
        let registry = Registry::start().await;
        let (old, new) = (push_named(&registry, REPO, "v1", "old").await, named_image("new"));
        old.push(&registry, REPO, "v2").await;
        old.push(&registry, REPO, "latest").await;
        protect(&registry, "v.*").await;
        let several = |tags: &str| push(&format!("{}?{tags}", new.digest), &new);
        forbidden(&registry, several("tag=fresh&tag=v1&tag=latest"), 409, &["v1"]).await;
        forbidden(&registry, several("tag=v2&tag=latest&tag=v1"), 409, &["v2", "v1"]).await;
        registry
            .check_all([
                case(several("tag=v1&tag=.bad"), refused(400, "NAME_INVALID", "`.bad`")),
                case(head(manifest("fresh")), refused(404, "MANIFEST_UNKNOWN", "")),
                case(head(manifest(&new.digest)), refused(404, "MANIFEST_UNKNOWN", "")),
                case(get(manifest("latest")), stands(&old, "false")),
                case(several("tag=v3&tag=latest"), ok(201)),
                case(get(manifest("v3")), stands(&new, "true")),
            ])
            .await;
    });
}

#[test]
fn referrer_tags_stay_free() {
    run(async {
        let registry = Registry::start().await;
        protect(&registry, ".*").await;
        let image = push_named(&registry, REPO, "v1", "image").await;
        let named = image.digest.replace(':', "-");
        for suffix in ["", ".sig", ".att", ".sbom"] {
            let tag = format!("{named}{suffix}");
            for name in ["first", "second"] {
                named_image(name).push(&registry, REPO, &tag).await;
            }
            registry
                .check_all([
                    case(get(manifest(&tag)), stands(&named_image("second"), "false")),
                    case(delete(manifest(&tag)), ok(202)),
                ])
                .await;
        }
        let alike = format!("{named}.other");
        named_image("first").push(&registry, REPO, &alike).await;
        forbidden(&registry, push(&alike, &named_image("second")), 409, &[&alike]).await;
        // A referrer by its subject needs no tag.
        let mut signature = crate::samples::image(&[]);
        signature["subject"] = descriptor(image.media_type, &image.bytes);
        let signature = Sample::new(tagstone_schema::media_type::OCI_IMAGE, &signature);
        signature.push(&registry, REPO, &signature.digest).await;
        registry.check(delete(manifest(&signature.digest)), ok(202)).await;
    });
}

#[test]
fn an_old_pusher_that_pushes_children_under_the_tag_is_told() {
    run(async {
        let registry = Registry::start().await;
        protect(&registry, "v.*").await;
        let child = push_named(&registry, REPO, "v1", "child").await;
        let whole = index(&[&child]);
        let error = forbidden(&registry, push("v1", &whole), 409, &["v1"]).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("push them by digest first"), "{message}");
        let error = forbidden(&registry, push("v1", &named_image("unrelated")), 409, &["v1"]).await;
        assert!(!error["message"].as_str().unwrap().contains("by digest first"), "{error}");
    });
}

#[test]
fn the_table_of_tags_tells_what_is_protected() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        for tag in ["latest", "kept"] {
            sample.push(&registry, REPO, tag).await;
        }
        let policy = protect(&registry, "v.*").await;
        lock(&registry, "kept").await;
        let flags = || async {
            let table = registry.check(get(format!("/v2/{REPO}/_tagstone/tags")), ok(200)).await.json();
            ["kept", "latest", "v1"].map(|tag| {
                let entry = &table["tags"][tag];
                (entry["immutable"].as_bool().unwrap(), entry["locked"].as_bool().unwrap())
            })
        };
        assert_eq!(flags().await, [(true, true), (false, false), (true, false)]);
        retire(&registry, policy).await;
        assert_eq!(flags().await, [(true, true), (false, false), (false, false)]);
        registry.check(head(manifest("kept")), ok(200).header("tagstone-tag-immutable", "true")).await;
    });
}
