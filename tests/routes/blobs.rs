//! Blobs: reading them whole and in part, conditions, and deleting them.

use serde_json::json;
use tagstone_schema::media_type::OCI_IMAGE;

use crate::case::{Answer, case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head, post};
use crate::samples::{REPO, Sample, image, noise, push_blob, sha512, unknown_digest};

/// Small blobs and large ones are stored in two ways and must not differ in any answer.
const SIZES: [usize; 5] = [1, 1000, 64 << 10, (64 << 10) + 1, 1_300_000];

fn blob(digest: &str) -> String {
    format!("/v2/{REPO}/blobs/{digest}")
}

fn described(answer: Answer, digest: &str) -> Answer {
    answer
        .header("docker-content-digest", digest)
        .header("etag", format!("\"{digest}\""))
        .header("accept-ranges", "bytes")
}

#[test]
fn a_blob_is_answered_as_it_was_pushed() {
    run(async {
        let registry = Registry::start().await;
        for size in SIZES {
            let bytes = noise(size);
            let digest = push_blob(&registry, REPO, bytes.clone()).await;
            let answer = || described(ok(200), &digest).header("content-type", "application/octet-stream");
            let unchanged = || described(ok(304), &digest).empty();
            registry
                .check_all([
                    case(get(blob(&digest)), answer().bytes(bytes.clone()).without("content-range")),
                    case(head(blob(&digest)), answer().empty_of_length(size)),
                    case(head(blob(&digest)).with("range", "bytes=0-0"), answer().empty_of_length(size)),
                    case(get(blob(&digest)).with("if-none-match", format!("\"{digest}\"")), unchanged()),
                    case(head(blob(&digest)).with("if-none-match", format!("W/\"{digest}\"")), unchanged()),
                    case(get(blob(&digest)).with("if-none-match", "*").with("range", "bytes=0-0"), unchanged()),
                    case(get(blob(&digest)).with("if-none-match", format!("\"x\", \"{digest}\"")), unchanged()),
                    case(get(blob(&digest)).with("if-none-match", "\"x\""), answer().bytes(bytes.clone())),
                ])
                .await;
        }
    });
}

#[test]
fn a_blob_keeps_the_algorithm_of_its_digest() {
    run(async {
        let registry = Registry::start().await;
        for size in SIZES {
            let bytes = noise(size);
            let digest = sha512(&bytes);
            let location = blob(&digest);
            let created = ok(201).header("location", &location).header("docker-content-digest", &digest);
            let pushing = post(format!("/v2/{REPO}/blobs/uploads/?digest={digest}")).body(bytes.clone());
            registry.check(pushing, created).await;
            registry.check(get(location), described(ok(200), &digest).bytes(bytes.clone())).await;
            let other = blob(&crate::samples::sha256(&bytes));
            registry.check(get(other), refused(404, "BLOB_UNKNOWN", REPO)).await;
        }
    });
}

#[test]
fn parts_of_a_blob() {
    struct Range {
        header: &'static str,
        part: Option<(usize, usize)>,
    }
    let part = |header, first, last| Range { header, part: Some((first, last)) };
    let whole = |header| Range { header, part: None };
    run(async {
        let registry = Registry::start().await;
        // Held in memory, and in a file of more than one chunk.
        for size in [1000, 1_200_000] {
            let bytes = noise(size);
            let digest = push_blob(&registry, REPO, bytes.clone()).await;
            for Range { header, part } in [
                part("bytes=0-0", 0, 0),
                part("bytes=10-19", 10, 19),
                part("bytes=0-", 0, size - 1),
                part("bytes=990-", 990, size - 1),
                part("bytes=990-9999999999", 990, size - 1),
                part("bytes=-10", size - 10, size - 1),
                part("bytes=-9999999999", 0, size - 1),
                part("bytes=5-99999999999999999999999999", 5, size - 1),
                whole("bytes=0-1,3-4"),
                whole("lines=0-1"),
                whole("bytes=a-b"),
                whole("bytes="),
                whole("nonsense"),
            ] {
                let answer = match part {
                    Some((first, last)) => ok(206)
                        .header("content-range", format!("bytes {first}-{last}/{size}"))
                        .bytes(bytes.slice(first..=last)),
                    None => ok(200).without("content-range").bytes(bytes.clone()),
                };
                let answer = described(answer, &digest).header("content-type", "application/octet-stream");
                registry.check(get(blob(&digest)).with("range", header), answer).await;
            }
            for header in [format!("bytes={size}-"), "bytes=500-0".to_owned(), "bytes=-0".to_owned()] {
                let answer = refused(416, "SIZE_INVALID", format!("{size} bytes"))
                    .header("content-range", format!("bytes */{size}"))
                    .without("content-length");
                let reply = registry.check(get(blob(&digest)).with("range", header), answer).await;
                assert_ne!(reply.length, Some(size as u64), "a 416 must not carry the length of the blob");
            }
        }
    });
}

#[test]
fn a_range_counts_only_for_the_content_that_it_is_about() {
    run(async {
        let registry = Registry::start().await;
        let bytes = noise(500);
        let digest = push_blob(&registry, REPO, bytes.clone()).await;
        for (condition, applies) in [
            (format!("\"{digest}\""), true),
            (format!("W/\"{digest}\""), false),
            ("\"x\"".to_owned(), false),
            ("Sat, 21 Nov 2026 00:00:00 GMT".to_owned(), false),
        ] {
            let request = get(blob(&digest)).with("range", "bytes=1-2").with("if-range", condition);
            let answer = if applies { ok(206).bytes(bytes.slice(1..3)) } else { ok(200).bytes(bytes.clone()) };
            registry.check(request, answer).await;
        }
    });
}

#[test]
fn a_blob_that_is_not_there() {
    run(async {
        let registry = Registry::start().await;
        let digest = push_blob(&registry, REPO, "here").await;
        let unknown = unknown_digest();
        let not_here =
            || refused(404, "BLOB_UNKNOWN", &unknown).says(REPO).detail(json!({"repository": REPO, "digest": unknown}));
        let nowhere = || {
            refused(404, "NAME_UNKNOWN", "repository acme/other is not known")
                .detail(json!({"repository": "acme/other"}))
        };
        let elsewhere = format!("/v2/acme/other/blobs/{digest}");
        for request in [get, head, delete] {
            registry.check(request(blob(&unknown)), not_here()).await;
            // A blob is visible where it was pushed, not wherever its bytes are.
            registry.check(request(elsewhere.clone()), nowhere()).await;
        }
    });
}

#[test]
fn a_deleted_blob_is_gone_at_once() {
    run(async {
        let registry = Registry::start().await;
        for size in SIZES {
            let bytes = noise(size);
            let digest = push_blob(&registry, REPO, bytes.clone()).await;
            push_blob(&registry, "acme/other", bytes.clone()).await;
            registry.check(get(blob(&digest)), ok(200)).await;
            registry.check(delete(blob(&digest)), ok(202).empty()).await;
            for request in [get, head, delete] {
                registry.check(request(blob(&digest)), refused(404, "BLOB_UNKNOWN", &digest)).await;
            }
            // Another repository keeps it, and it can be pushed again.
            registry.check(get(format!("/v2/acme/other/blobs/{digest}")), ok(200).bytes(bytes.clone())).await;
            push_blob(&registry, REPO, bytes.clone()).await;
            registry.check(get(blob(&digest)), ok(200).bytes(bytes)).await;
        }
    });
}

#[test]
fn a_blob_in_use_is_not_deleted() {
    run(async {
        let registry = Registry::start().await;
        let config = push_blob(&registry, REPO, "{}").await;
        let layer = push_blob(&registry, REPO, "layer").await;
        let with_layer = Sample::new(OCI_IMAGE, &image(&[b"layer"]));
        let without = Sample::new(OCI_IMAGE, &image(&[]));
        with_layer.push(&registry, REPO, "one").await;
        without.push(&registry, REPO, &without.digest).await;
        let mut both = [&with_layer.digest, &without.digest];
        both.sort();
        let in_use = |digest: &str, by: &[&String]| {
            refused(422, "DENIED", digest)
                .says(by[0])
                .detail(json!({"reason": "IN_USE", "digest": digest, "manifests": by}))
        };
        registry.check(delete(blob(&config)), in_use(&config, &both).says("manifests").says(both[1])).await;
        registry.check(delete(blob(&layer)), in_use(&layer, &[&with_layer.digest])).await;
        registry.check(get(blob(&layer)), ok(200).bytes("layer")).await;

        // The tag alone does not hold it; the manifest does.
        registry.check(delete(format!("/v2/{REPO}/manifests/one")), ok(202)).await;
        registry.check(delete(blob(&layer)), in_use(&layer, &[&with_layer.digest])).await;
        registry.check(delete(format!("/v2/{REPO}/manifests/{}", with_layer.digest)), ok(202)).await;
        registry.check(delete(blob(&layer)), ok(202)).await;
        registry.check(delete(blob(&config)), in_use(&config, &[&without.digest])).await;
    });
}
