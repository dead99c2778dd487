//! Reading and deleting manifests, by tag and by digest.

use serde_json::json;
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, put};
use crate::samples::{REPO, index, named_image, push_named, unknown_digest};

fn manifest(reference: &str) -> String {
    format!("/v2/{REPO}/manifests/{reference}")
}

fn same_of_both(reference: &str, change: impl Fn(Request) -> Request) -> [Request; 2] {
    [change(get(manifest(reference))), change(head(manifest(reference)))]
}

#[test]
fn a_manifest_is_read_by_tag_and_by_digest() {
    run(async {
        let mut registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        let (bytes, digest) = (&sample.bytes, &sample.digest);
        // From the cache, and from the disk.
        for _ in 0..2 {
            for (reference, immutable) in [("v1", Some("false")), (digest, None)] {
                let answer = |status| {
                    ok(status)
                        .header("docker-content-digest", digest)
                        .header("etag", format!("\"{digest}\""))
                        .headers("tagstone-tag-immutable", immutable)
                };
                let full = || answer(200).header("content-type", OCI_IMAGE);
                registry
                    .check_all([
                        case(head(manifest(reference)), full().empty_of_length(bytes.len())),
                        case(get(manifest(reference)), full().bytes(bytes.clone())),
                        case(get(manifest(reference)).with("accept", "text/plain"), full().bytes(bytes.clone())),
                        case(get(manifest(reference)).with("range", "bytes=0-0"), full().bytes(bytes.clone())),
                    ])
                    .await;
                for (condition, unchanged) in [
                    (format!("\"{digest}\""), true),
                    (format!("W/\"{digest}\""), true),
                    (format!("\"a\" , \"{digest}\""), true),
                    ("*".to_owned(), true),
                    (format!("\"{}\"", unknown_digest()), false),
                    ("\"\"".to_owned(), false),
                    (String::new(), false),
                ] {
                    for request in same_of_both(reference, |request| request.with("if-none-match", &condition)) {
                        let expected = if unchanged { answer(304).empty() } else { full() };
                        registry.check(request, expected).await;
                    }
                }
                let twice = |request: Request| {
                    request.with("if-none-match", "\"a\"").with("if-none-match", format!("\"{digest}\""))
                };
                for request in same_of_both(reference, twice) {
                    registry.check(request, answer(304).empty()).await;
                }
            }
            registry = registry.restarted().await;
        }
    });
}

#[test]
fn a_manifest_that_is_not_there() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let unknown = unknown_digest();
        for (reference, says, detail) in [
            ("v2", "tag v2 is not in repository acme/app", json!({"repository": REPO, "tag": "v2"})),
            (".INVALID_MANIFEST_NAME", "is not a tag", json!(null)),
            ("v1 ", "is not a tag", json!(null)),
            (&unknown, "is not in repository acme/app", json!({"repository": REPO, "digest": unknown})),
        ] {
            let path = manifest(&reference.replace(' ', "%20"));
            for request in [get(&*path), head(&*path)] {
                let answer = refused(404, "MANIFEST_UNKNOWN", says).detail(detail.clone());
                registry.check(request, answer.without("docker-content-digest").without("etag")).await;
            }
        }
        for reference in ["v1", &unknown] {
            let path = format!("/v2/nobody/here/manifests/{reference}");
            let nowhere = || refused(404, "NAME_UNKNOWN", "nobody/here").detail(json!({"repository": "nobody/here"}));
            registry
                .check_all([
                    case(get(&*path), nowhere()),
                    case(head(&*path), nowhere()),
                    case(delete(&*path), nowhere()),
                ])
                .await;
        }
    });
}

#[test]
fn deleting_a_tag_leaves_its_manifest() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        sample.push(&registry, REPO, "v2").await;
        let gone = || refused(404, "MANIFEST_UNKNOWN", "tag v1").detail(json!({"repository": REPO, "tag": "v1"}));
        registry
            .check_all([
                case(delete(manifest("v1")), ok(202).empty()),
                case(get(manifest("v1")), gone()),
                case(head(manifest("v1")), gone()),
                case(delete(manifest("v1")), gone()),
                case(get(manifest("v2")), ok(200)),
                case(get(manifest(&sample.digest)), ok(200).bytes(sample.bytes.clone())),
            ])
            .await;
        sample.push(&registry, REPO, "v1").await;
        registry.check(get(manifest("v1")), ok(200)).await;
    });
}

#[test]
fn deleting_a_manifest_takes_every_tag_on_it() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        sample.push(&registry, REPO, "v2").await;
        let other = push_named(&registry, REPO, "v3", "other").await;
        let seq = registry.standing().seq;
        registry.check(delete(manifest(&sample.digest)), ok(202).empty()).await;
        assert_eq!(registry.standing().seq, seq + 1);
        for reference in ["v1", "v2", &sample.digest] {
            for request in [get, head, delete] {
                registry.check(request(manifest(reference)), refused(404, "MANIFEST_UNKNOWN", reference)).await;
            }
        }
        registry.check(get(manifest("v3")), ok(200).bytes(other.bytes)).await;
        sample.push(&registry, REPO, "v1").await;
        registry.check(get(manifest("v1")), ok(200).bytes(sample.bytes)).await;
    });
}

#[test]
fn a_child_in_use_is_not_deleted() {
    run(async {
        let registry = Registry::start().await;
        let child = push_named(&registry, REPO, "child", "child").await;
        let [one, two] = [index(&[&child]), index(&[&child, &named_image("absent")])];
        one.push(&registry, REPO, "one").await;
        two.push(&registry, REPO, &two.digest).await;
        let mut both = [&one.digest, &two.digest];
        both.sort();
        let in_use = |by: &[&String]| {
            refused(422, "DENIED", &child.digest)
                .says(by[0])
                .detail(json!({"reason": "IN_USE", "digest": child.digest, "manifests": by}))
        };
        let by_digest = || delete(manifest(&child.digest));
        registry
            .check_all([
                case(by_digest(), in_use(&both).says(both[1])),
                // Its tag is only a name.
                case(delete(manifest("child")), ok(202)),
                case(delete(manifest(&one.digest)), ok(202)),
                case(by_digest(), in_use(&[&two.digest])),
                case(delete(manifest(&two.digest)), ok(202)),
                case(by_digest(), ok(202)),
                case(get(manifest(&child.digest)), refused(404, "MANIFEST_UNKNOWN", "")),
            ])
            .await;
        // What an index names may come after it, and is in use from then on.
        one.push(&registry, REPO, "one").await;
        child.push(&registry, REPO, "child").await;
        registry.check(by_digest(), in_use(&[&one.digest])).await;
    });
}

#[test]
fn a_tag_answers_in_the_algorithm_that_it_was_pushed_with() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        let sha512 = sample.sha512();
        let moved = put(manifest(&format!("{sha512}?tag=v1"))).with("content-type", OCI_IMAGE);
        registry
            .check_all([
                case(get(manifest("v1")), ok(200).header("docker-content-digest", &sample.digest)),
                case(moved.body(sample.bytes.clone()), ok(201).header("docker-content-digest", &sha512)),
                case(get(manifest("v1")), ok(200).header("docker-content-digest", &sha512).bytes(sample.bytes.clone())),
                case(head(manifest(&sample.digest)), ok(200).header("docker-content-digest", &sample.digest)),
                // They are two manifests to the registry, and are deleted one by one.
                case(delete(manifest(&sample.digest)), ok(202)),
                case(get(manifest(&sha512)), ok(200).bytes(sample.bytes.clone())),
                case(delete(manifest(&sha512)), ok(202)),
                case(get(manifest("v1")), refused(404, "MANIFEST_UNKNOWN", "v1")),
            ])
            .await;
    });
}

#[test]
fn a_subject_can_be_deleted_before_its_referrer() {
    run(async {
        let registry = Registry::start().await;
        let subject = push_named(&registry, REPO, "v1", "subject").await;
        let mut document = json!({"schemaVersion": 2, "manifests": []});
        document["subject"] = crate::samples::descriptor(OCI_IMAGE, &subject.bytes);
        let referrer = crate::samples::Sample::new(OCI_INDEX, &document);
        referrer.push(&registry, REPO, &referrer.digest).await;
        registry.check(delete(manifest(&subject.digest)), ok(202)).await;
        registry.check(get(manifest(&referrer.digest)), ok(200).bytes(referrer.bytes)).await;
    });
}

#[test]
fn a_manifest_whose_bytes_are_lost_is_absent_for_every_question_and_comes_back_by_a_push() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "lost").await;
        let registry = registry.without_segments().await;
        for reference in ["v1", &sample.digest] {
            let [read, seen] = same_of_both(reference, |request| request);
            registry
                .check_all([
                    case(seen, refused(404, "MANIFEST_UNKNOWN", "")),
                    case(read, refused(404, "MANIFEST_UNKNOWN", "pushing it again brings it back")),
                    case(
                        get(manifest(reference)).with("if-none-match", format!("\"{}\"", sample.digest)),
                        refused(404, "MANIFEST_UNKNOWN", "not on this server"),
                    ),
                ])
                .await;
        }
        sample.push(&registry, REPO, "v1").await;
        registry.check(get(manifest("v1")), ok(200).bytes(sample.bytes.clone())).await;
    });
}
