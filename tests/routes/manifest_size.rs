//! As many references as one record can hold, and more.

use serde_json::{Value, json};
use tagstone_schema::limits::{MANIFEST_REFERENCES, TAGS_PER_PUSH};
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, put};
use crate::samples::{Sample, push_blob, sha256, sha512};

/// A repository whose name is as long as names can be.
fn longest() -> String {
    format!("a/{}", "b".repeat(253))
}

fn descriptors(many: usize, digest: fn(String) -> String) -> Vec<Value> {
    (0..many).map(|number| json!({"mediaType": OCI_IMAGE, "digest": digest(number.to_string()), "size": 1})).collect()
}

fn index_of(many: usize, digest: fn(String) -> String) -> Sample {
    let manifests = descriptors(many, digest);
    Sample::new(OCI_INDEX, &json!({"schemaVersion": 2, "manifests": manifests}))
}

#[test]
fn a_thousand_references_are_accepted() {
    assert_eq!(MANIFEST_REFERENCES, 1000);
    run(async {
        let registry = Registry::start().await;
        let repository = longest();
        let tags: String = (0..10).map(|number| format!("&tag={number:0>128}")).collect();
        for digest in [|text: String| sha256(text), |text: String| sha512(text)] {
            let sample = index_of(1000, digest);
            let path = format!("/v2/{repository}/manifests/{}", sample.sha512());
            let request = put(format!("{path}?{tags}")).with("content-type", OCI_INDEX);
            registry
                .check_all([
                    case(request.body(sample.bytes.clone()), ok(201)),
                    case(get(&*path), ok(200).bytes(sample.bytes.clone())),
                    case(get(format!("/v2/{repository}/manifests/{:0>128}", 9)), ok(200).bytes(sample.bytes.clone())),
                ])
                .await;
        }
        let registry = registry.restarted().await;
        assert_eq!(registry.standing().seq, 4);
    });
}

#[test]
fn an_image_of_a_thousand_layers() {
    run(async {
        let registry = Registry::with(|settings| settings.manifests.sparse_layers = true).await;
        push_blob(&registry, "a", "{}").await;
        let layers = descriptors(999, sha512);
        let config = json!({"mediaType": "a/config", "digest": sha256("{}"), "size": 2});
        let sample = Sample::new(OCI_IMAGE, &json!({"schemaVersion": 2, "config": config, "layers": layers}));
        sample.push(&registry, "a", "v1").await;
        registry.check(get("/v2/a/manifests/v1"), ok(200).bytes(sample.bytes.clone())).await;
        // Any one of them is in use, and the refusal of a missing one stays readable.
        registry.check(delete(format!("/v2/a/blobs/{}", sha256("{}"))), refused(422, "DENIED", &sample.digest)).await;
        let strict = Registry::start().await;
        let request = put("/v2/a/manifests/v1").with("content-type", OCI_IMAGE).body(sample.bytes);
        let reply = strict.check(request, refused(404, "MANIFEST_BLOB_UNKNOWN", "and 990 more")).await;
        assert_eq!(reply.error()["detail"]["missing"].as_array().unwrap().len(), 1000);
    });
}

#[test]
fn what_does_not_fit_into_a_record_is_refused_and_not_stored() {
    run(async {
        let registry = Registry::start().await;
        for (many, digest) in [
            (1200, (|text| sha512(text)) as fn(String) -> String),
            (2400, |text| sha256(text)),
            (10_000, |text| sha256(text)),
        ] {
            let sample = index_of(many, digest);
            let too_large = || refused(413, "SIZE_INVALID", "one record").says("split the manifest");
            for reference in ["v1", &sample.digest] {
                let path = format!("/v2/a/manifests/{reference}");
                registry
                    .check_all([
                        case(put(&*path).with("content-type", OCI_INDEX).body(sample.bytes.clone()), too_large()),
                        case(get(&*path), refused(404, "NAME_UNKNOWN", "")),
                    ])
                    .await;
            }
        }
        // References that stand twice count once.
        let mut manifests = descriptors(500, sha256);
        manifests.extend(manifests.clone());
        manifests.extend(manifests.clone());
        manifests.extend(manifests.clone());
        let sample = Sample::new(OCI_INDEX, &json!({"schemaVersion": 2, "manifests": manifests}));
        sample.push(&registry, "a", "v1").await;
    });
}

#[test]
fn many_tags_and_many_references_together_may_not_fit() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.uri_bytes = 64 << 10).await;
        let sample = index_of(1000, sha512);
        let tags: String = (0..TAGS_PER_PUSH).map(|number| format!("&tag={number:0>128}")).collect();
        let path = format!("/v2/{}/manifests/{}", longest(), sample.digest);
        let request = put(format!("{path}?{tags}")).with("content-type", OCI_INDEX).body(sample.bytes);
        registry.check(request, refused(413, "SIZE_INVALID", "name fewer tags")).await;
        registry.check(get(path), refused(404, "NAME_UNKNOWN", "")).await;
    });
}
