//! Compare and swap: what `If-Match` and `If-None-Match` demand of the tag that a request writes.

use serde_json::json;

use crate::case::{Answer, case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, put};
use crate::samples::{REPO, Sample, index, named_image, push_blob, push_named, unknown_digest};

fn manifest(reference: &str) -> String {
    format!("/v2/{REPO}/manifests/{reference}")
}

fn push(reference: &str, sample: &Sample) -> Request {
    put(manifest(reference)).with("content-type", sample.media_type).body(sample.bytes.clone())
}

/// The refusal names the digest that stands, in the message and in the detail.
fn failed(tag: &str, standing: Option<&str>) -> Answer {
    refused(412, "DENIED", standing.unwrap_or("does not exist now"))
        .says(tag)
        .says("nothing was written")
        .detail(json!({"reason": "PRECONDITION_FAILED", "reference": tag, "digest": standing}))
}

/// A condition, and whether it holds for a tag that points at `$S` and for one that does not exist.
struct Line {
    headers: &'static [(&'static str, &'static str)],
    standing: bool,
    absent: bool,
}

const fn line(headers: &'static [(&'static str, &'static str)], standing: bool, absent: bool) -> Line {
    Line { headers, standing, absent }
}

/// `$S` is the digest where the tag points, `$N` that of the new manifest, `$X` one that nothing has.
const LINES: &[Line] = &[
    line(&[("if-match", "*")], true, false),
    line(&[("if-match", "\"$S\"")], true, false),
    line(&[("if-match", "$S")], true, false),
    line(&[("if-match", "\"$X\"")], false, false),
    line(&[("if-match", "\"$N\"")], false, false),
    line(&[("if-match", "\"$X\", \"$S\"")], true, false),
    line(&[("if-match", "\"$X\",\"$N\"")], false, false),
    line(&[("if-match", "\"$X\""), ("if-match", "\"$S\"")], true, false),
    line(&[("if-match", "\"nonsense\"")], false, false),
    line(&[("if-match", "\"nonsense\", \"$S\"")], true, false),
    line(&[("if-match", "")], false, false),
    // Weak tags never match strongly, and always weakly (RFC 9110, 13.1.1 and 13.1.2).
    line(&[("if-match", "W/\"$S\"")], false, false),
    line(&[("if-none-match", "W/\"$S\"")], false, true),
    line(&[("if-none-match", "*")], false, true),
    line(&[("if-none-match", "\"$S\"")], false, true),
    line(&[("if-none-match", "\"$X\"")], true, true),
    line(&[("if-none-match", "\"$X\", \"$S\"")], false, true),
    line(&[("if-none-match", "\"$X\""), ("if-none-match", "\"$S\"")], false, true),
    line(&[("if-none-match", "\"nonsense\"")], true, true),
    line(&[("if-none-match", "")], true, true),
    line(&[], true, true),
];

fn with(mut request: Request, line: &Line, standing: &str, new: &str) -> Request {
    for (name, value) in line.headers {
        let value = value.replace("$S", standing).replace("$N", new).replace("$X", &unknown_digest());
        request = request.with(name, value);
    }
    request
}

#[test]
fn a_push_honours_its_condition() {
    run(async {
        let registry = Registry::start().await;
        let old = push_named(&registry, REPO, "v1", "old").await;
        let new = named_image("new");
        for line in LINES {
            old.push(&registry, REPO, "v1").await;
            let standing = with(push("v1", &new), line, &old.digest, &new.digest);
            let absent = with(push("absent", &new), line, &old.digest, &new.digest);
            for (request, tag, holds, points) in
                [(standing, "v1", line.standing, Some(&*old.digest)), (absent, "absent", line.absent, None)]
            {
                let answer = if holds { ok(201) } else { failed(tag, points) };
                registry.check(request, answer).await;
                let now = if holds { Some(&*new.digest) } else { points };
                let reads = match now {
                    Some(digest) => ok(200).header("docker-content-digest", digest),
                    None => refused(404, "MANIFEST_UNKNOWN", tag),
                };
                registry.check(get(manifest(tag)), reads).await;
            }
            if line.absent {
                registry.check(delete(manifest("absent")), ok(202)).await;
            }
        }
    });
}

#[test]
fn a_delete_honours_its_condition() {
    run(async {
        let registry = Registry::start().await;
        let old = push_named(&registry, REPO, "v1", "old").await;
        for line in LINES {
            old.push(&registry, REPO, "v1").await;
            let request = with(delete(manifest("v1")), line, &old.digest, &unknown_digest());
            let answer = if line.standing { ok(202) } else { failed("v1", Some(&old.digest)) };
            registry.check(request, answer).await;
            let request = with(delete(manifest("absent")), line, &old.digest, &unknown_digest());
            let answer = if line.absent { refused(404, "MANIFEST_UNKNOWN", "absent") } else { failed("absent", None) };
            registry.check(request, answer).await;
        }
    });
}

#[test]
fn every_tag_of_a_push_has_to_meet_the_condition() {
    run(async {
        let registry = Registry::start().await;
        let old = push_named(&registry, REPO, "v1", "old").await;
        let other = push_named(&registry, REPO, "v2", "other").await;
        let new = named_image("new");
        let both = || push(&format!("{}?tag=v1&tag=v2", new.digest), &new);
        let one = || push(&format!("{}?tag=v1&tag=fresh", new.digest), &new);
        let quoted = |digest: &str| format!("\"{digest}\"");
        registry
            .check_all([
                case(both().with("if-match", quoted(&old.digest)), failed("v2", Some(&other.digest))),
                case(both().with("if-none-match", "*"), failed("v1", Some(&old.digest))),
                case(one().with("if-none-match", "*"), failed("v1", Some(&old.digest))),
                case(one().with("if-match", "*"), failed("fresh", None)),
                case(head(manifest(&new.digest)), refused(404, "MANIFEST_UNKNOWN", "")),
                case(head(manifest("fresh")), refused(404, "MANIFEST_UNKNOWN", "")),
                case(
                    both().with("if-match", format!("{}, {}", quoted(&old.digest), quoted(&other.digest))),
                    ok(201).headers("oci-tag", ["v1", "v2"]),
                ),
                case(one().with("if-none-match", quoted(&old.digest)), ok(201)),
            ])
            .await;
    });
}

#[test]
fn what_else_is_wrong_comes_before_the_condition() {
    run(async {
        let registry = Registry::with(|settings| settings.manifests.sparse_index = false).await;
        push_named(&registry, REPO, "v1", "old").await;
        let new = named_image("new");
        let sparse = index(&[&new]);
        let fails = |request: Request| request.with("if-none-match", "*");
        registry
            .check_all([
                case(fails(push("v1", &sparse)), refused(404, "MANIFEST_BLOB_UNKNOWN", &new.digest)),
                case(fails(push(".bad", &new)), refused(400, "NAME_INVALID", "`.bad`")),
                case(fails(push("v1", &new).body("{}")), refused(400, "MANIFEST_INVALID", "schemaVersion")),
                case(
                    push("v1", &new).with("if-match", "*").with("if-none-match", "*"),
                    refused(400, "UNSUPPORTED", "either If-Match or If-None-Match"),
                ),
                case(
                    delete(manifest("v1")).with("if-match", "*").with("if-none-match", "\"x\""),
                    refused(400, "UNSUPPORTED", "either If-Match or If-None-Match"),
                ),
                case(push("v1", &new).with("if-match", b"\"\xff\""), refused(400, "UNSUPPORTED", "if-match must be")),
                case(
                    push("v1", &new).with("if-none-match", b"\xe9"),
                    refused(400, "UNSUPPORTED", "if-none-match must be"),
                ),
            ])
            .await;
    });
}

#[test]
fn a_condition_on_a_repository_that_does_not_exist_yet() {
    run(async {
        let registry = Registry::with(|settings| settings.manifests.sparse_layers = true).await;
        let new = named_image("new");
        registry
            .check_all([
                case(push("v1", &new).with("if-match", "*"), failed("v1", None)),
                case(get(manifest("v1")), refused(404, "NAME_UNKNOWN", REPO)),
                case(push("v1", &new).with("if-none-match", "*"), ok(201)),
                case(push("v1", &new).with("if-none-match", "*"), failed("v1", Some(&new.digest))),
            ])
            .await;
        push_blob(&registry, REPO, "{}").await;
    });
}

#[test]
fn by_digest_a_condition_is_judged_of_the_manifest_itself() {
    run(async {
        let registry = Registry::start().await;
        let old = push_named(&registry, REPO, "v1", "old").await;
        let new = named_image("new");
        let quoted = |digest: &str| format!("\"{digest}\"");
        registry
            .check_all([
                case(push(&new.digest, &new).with("if-match", "*"), failed(&new.digest, None)),
                case(push(&old.digest, &old).with("if-none-match", "*"), failed(&old.digest, Some(&old.digest))),
                case(push(&new.digest, &new).with("if-none-match", "*"), ok(201)),
                case(
                    delete(manifest(&old.digest)).with("if-match", quoted(&new.digest)),
                    failed(&old.digest, Some(&old.digest)),
                ),
                case(delete(manifest(&old.digest)).with("if-match", quoted(&old.digest)), ok(202)),
            ])
            .await;
    });
}
