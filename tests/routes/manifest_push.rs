//! Pushing manifests: by tag, by digest, under several tags; and what of their content has to be there.

use bytes::Bytes;
use serde_json::json;
use tagstone_schema::media_type::{DOCKER_IMAGE, DOCKER_LIST, OCI_IMAGE, OCI_INDEX};

use crate::case::{Answer, case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, get, put};
use crate::samples::{REPO, Sample, descriptor, image, index, named_image, push_blob, push_named, sha256};

fn manifest(reference: &str) -> String {
    format!("/v2/{REPO}/manifests/{reference}")
}

fn push(reference: &str, sample: &Sample) -> Request {
    put(manifest(reference)).with("content-type", sample.media_type).body(sample.bytes.clone())
}

fn created(reference: &str, digest: &str) -> Answer {
    ok(201)
        .header("location", manifest(reference))
        .header("docker-content-digest", digest)
        .header("etag", format!("\"{digest}\""))
        .empty()
}

#[test]
fn a_manifest_is_pushed_by_tag_and_by_digest() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let sample = named_image("one");
        let (sha256, sha512) = (&sample.digest, &sample.sha512());
        let longest = "t".repeat(128);
        for (reference, digest, records) in
            [("v1", sha256, 1), (sha256, sha256, 0), (&longest, sha256, 1), (sha512, sha512, 1), ("v1", sha256, 0)]
        {
            let seq = registry.standing().seq;
            let plain = || created(reference, digest).without("oci-tag").without("oci-subject");
            registry.check(push(reference, &sample), plain()).await;
            assert_eq!(registry.standing().seq, seq + records, "{reference}");
            // Once more, in pieces: the same answer and no record.
            let (one, two) = sample.bytes.split_at(20);
            let streamed = put(manifest(reference)).with("content-type", OCI_IMAGE).streamed([one, two]);
            registry.check(streamed, plain()).await;
            assert_eq!(registry.standing().seq, seq + records, "{reference}");
            let read = ok(200).header("docker-content-digest", digest).bytes(sample.bytes.clone());
            registry.check(get(manifest(reference)), read).await;
        }
    });
}

#[test]
fn a_manifest_is_pushed_under_several_tags() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let sample = named_image("one");
        let tags: Vec<_> = (0..64).map(|number| format!("t{number}")).collect();
        for digest in [sample.digest.clone(), sample.sha512()] {
            for many in [1, 2, 10, 64] {
                let query: Vec<_> = tags[..many].iter().map(|tag| format!("tag={tag}")).collect();
                let request = push(&format!("{digest}?{}", query.join("&")), &sample);
                registry.check(request, created(&digest, &digest).headers("oci-tag", &tags[..many])).await;
                for tag in &tags[..many] {
                    registry.check(get(manifest(tag)), ok(200).header("docker-content-digest", &digest)).await;
                }
            }
        }
        // One push is one record, whatever the number of tags.
        assert_eq!(registry.standing().seq, 2 + 2 * 4);
        let other = named_image("other");
        let digest = &other.digest;
        let many: String = (0..65).map(|number| format!("&tag=t{number}")).collect();
        registry
            .check_all([
                case(push(&format!("{digest}?{many}"), &other), refused(413, "SIZE_INVALID", "65 tags").says("64")),
                case(push(&format!("{digest}?tag=good&tag=.bad"), &other), refused(400, "NAME_INVALID", "`.bad`")),
                case(push(&format!("{digest}?tag="), &other), refused(400, "NAME_INVALID", "is not a tag")),
                case(push("v1?tag=v2", &other), refused(400, "UNSUPPORTED", "by digest")),
                case(get(manifest("good")), refused(404, "MANIFEST_UNKNOWN", "tag good")),
            ])
            .await;
    });
}

#[test]
fn the_media_type_is_kept_without_parameters() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let bare = |name: &str| json!({"schemaVersion": 2, "annotations": {"name": name}}).to_string();
        let config = descriptor("application/vnd.oci.image.config.v1+json", "{}");
        let image = json!({"schemaVersion": 2, "config": config, "layers": []}).to_string();
        for (number, (sent, kept, bytes)) in [
            (format!("{OCI_IMAGE}; charset=utf-8"), OCI_IMAGE, image.clone()),
            (format!("{OCI_INDEX};a=b;c=\"d;e\""), OCI_INDEX, bare("index")),
            (format!("  {DOCKER_LIST} "), DOCKER_LIST, bare("list")),
            (DOCKER_IMAGE.to_owned(), DOCKER_IMAGE, format!("{image}\n")),
        ]
        .into_iter()
        .enumerate()
        {
            let tag = format!("v{number}");
            let request = put(manifest(&tag)).with("content-type", sent).body(bytes.clone());
            registry.check(request, created(&tag, &sha256(&bytes))).await;
            registry.check(get(manifest(&tag)), ok(200).header("content-type", kept).bytes(bytes)).await;
        }
        // The same bytes under another type would be another manifest.
        let differs = refused(400, "MANIFEST_INVALID", OCI_IMAGE).says(DOCKER_IMAGE).says("already");
        registry.check(put(manifest("v9")).with("content-type", DOCKER_IMAGE).body(image), differs).await;
    });
}

#[test]
fn a_digest_that_does_not_match_the_body() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let (one, two) = (named_image("one"), named_image("two"));
        registry
            .check_all([
                case(push(&one.digest, &two), refused(400, "DIGEST_INVALID", &one.digest).says(&two.digest)),
                case(push(&one.sha512(), &two), refused(400, "DIGEST_INVALID", one.sha512()).says(two.sha512())),
                case(push(&format!("{}?tag=v1", one.digest), &two), refused(400, "DIGEST_INVALID", "the body has")),
                case(push("sha256:bad", &one), refused(400, "DIGEST_INVALID", "exactly 64")),
                case(push("sha512:bad", &one), refused(400, "DIGEST_INVALID", "exactly 128")),
                case(push("md5:00", &one), refused(400, "DIGEST_INVALID", "use sha256 or sha512")),
                case(push(".INVALID", &one), refused(400, "NAME_INVALID", "`.INVALID` is not a tag")),
                case(push(&"t".repeat(129), &one), refused(400, "NAME_INVALID", "at most 127")),
                case(get(manifest("v1")), refused(404, "MANIFEST_UNKNOWN", "v1")),
            ])
            .await;
    });
}

#[test]
fn a_subject_need_not_exist_and_is_told() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let subject = named_image("subject");
        for (mut document, media_type) in
            [(image(&[]), OCI_IMAGE), (json!({"schemaVersion": 2, "manifests": []}), OCI_INDEX)]
        {
            document["subject"] = descriptor(OCI_IMAGE, &subject.bytes);
            let referrer = Sample::new(media_type, &document);
            for reference in [&referrer.digest, "v1"] {
                let answer = created(reference, &referrer.digest).header("oci-subject", &subject.digest);
                registry.check(push(reference, &referrer), answer).await;
            }
        }
    });
}

/// What a manifest names and the repository does not have, and whether that is accepted by the two settings.
#[test]
fn what_a_manifest_names_must_be_there_unless_it_may_be_absent() {
    run(async {
        for (sparse_index, sparse_layers) in [(false, false), (true, false), (false, true), (true, true)] {
            let registry = Registry::with(|settings| {
                settings.manifests.sparse_index = sparse_index;
                settings.manifests.sparse_layers = sparse_layers;
            })
            .await;
            let judge = |sample: &Sample, accepted: bool, what: &str, missing: &[String]| {
                let answer = if accepted {
                    created("v1", &sample.digest)
                } else {
                    let says = refused(404, "MANIFEST_BLOB_UNKNOWN", what).says(&missing[0]).says("push");
                    says.detail(json!({"missing": missing}))
                };
                case(push("v1", sample), answer)
            };
            let full = Sample::new(OCI_IMAGE, &image(&[b"one", b"two"]));
            let mut both = [sha256("{}"), sha256("one"), sha256("two")];
            both.sort();
            let list = index(&[&named_image("here"), &named_image("absent")]);
            let absent = named_image("absent").digest;
            registry.check_all([judge(&full, sparse_layers, "blobs that are not in", &both)]).await;
            push_blob(&registry, REPO, "one").await;
            push_named(&registry, REPO, "here", "here").await;
            // Content of another repository does not count.
            push_blob(&registry, "acme/other", "two").await;
            push_named(&registry, "acme/other", "absent", "absent").await;
            registry
                .check_all([
                    judge(&full, sparse_layers, "a blob that is not in", &[sha256("two")]),
                    judge(&list, sparse_index, "a manifest that is not in", &[absent]),
                ])
                .await;
            push_blob(&registry, REPO, "two").await;
            push_named(&registry, REPO, "absent", "absent").await;
            registry.check_all([judge(&full, true, "", &[]), judge(&list, true, "", &[])]).await;
        }
    });
}

#[test]
fn a_foreign_layer_need_not_be_there() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let mut document = image(&[b"foreign", b"ours"]);
        document["layers"][0]["urls"] = json!(["https://elsewhere.example/layer"]);
        let foreign = Sample::new(OCI_IMAGE, &document);
        let missing =
            refused(404, "MANIFEST_BLOB_UNKNOWN", sha256("ours")).detail(json!({"missing": [sha256("ours")]}));
        registry.check(push("v1", &foreign), missing).await;
        push_blob(&registry, REPO, "ours").await;
        registry.check(push("v1", &foreign), created("v1", &foreign.digest)).await;
        // A list of no places is no place.
        document["layers"][0]["urls"] = json!([]);
        let missing = refused(404, "MANIFEST_BLOB_UNKNOWN", sha256("foreign"));
        registry.check(push("v2", &Sample::new(OCI_IMAGE, &document)), missing).await;
    });
}

#[test]
fn the_exact_bytes_come_back() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let config = descriptor("application/vnd.oci.image.config.v1+json", "{}");
        for (media_type, text) in [
            (OCI_IMAGE, format!("\n\t{{ \"schemaVersion\":2,  \"config\" : {config}, \"layers\":[] }}\r\n ")),
            (
                OCI_IMAGE,
                format!("{{\"z\":[1e2,-0,\"\\u00e9\\/\"],\"schemaVersion\":2,\"config\":{config},\"a\":null}}"),
            ),
            (
                OCI_IMAGE,
                format!("{{\"schemaVersion\":2,\"config\":{config},\"layers\":null,\"annotations\":{{\"é\":\"\"}}}}"),
            ),
            (OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[]}".to_owned()),
            (
                OCI_INDEX,
                "{\"schemaVersion\":2,\"manifests\":null,\"data\":\"e30=\",\"n\":123456789012345678901234567890}"
                    .to_owned(),
            ),
        ] {
            let sample = Sample::of_bytes(media_type, Bytes::from(text));
            sample.push(&registry, REPO, "v1").await;
            for reference in ["v1", &sample.digest] {
                let answer = ok(200).header("content-type", media_type).bytes(sample.bytes.clone());
                registry.check(get(manifest(reference)), answer).await;
            }
        }
    });
}
