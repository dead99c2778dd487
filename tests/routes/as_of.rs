//! Repositories as they were, for any client: `as-of/<point>/<name>`.

use serde_json::json;
use tagstone::registry::{Command, Expiry, Lock, SetTag};
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};

use crate::case::{case, ok, refused};
use crate::policy::{lock, protect, retire};
use crate::registry::{Registry, run};
use crate::reply::Reply;
use crate::request::{Request, delete, get, head, post};
use crate::samples::{REPO, Sample, descriptor, image, push_blob, push_named, unknown_digest};

/// A path in the repository of the tables, as it was.
pub(crate) fn then(point: &str, rest: &str) -> String {
    format!("/v2/as-of/{point}/{REPO}/{rest}")
}

pub(crate) fn behind(seq: u64, rest: &str) -> String {
    then(&format!("seq-{seq}"), rest)
}

/// A path in the repository of the tables.
fn live(rest: &str) -> String {
    format!("/v2/{REPO}/{rest}")
}

/// The seq and the time of the last record.
pub(crate) async fn last(registry: &Registry) -> (u64, String) {
    let head = registry.check(get("/api/v1/log/head"), ok(200)).await.json();
    (head["seq"].as_u64().unwrap(), head["time"].as_str().unwrap().to_owned())
}

/// An answer without what belongs to one request alone, and without the name of the point.
pub(crate) fn comparable(reply: &Reply, point: &str) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let prefix = format!("as-of/{point}/");
    let headers = reply.headers.iter().filter(|(name, _)| name != "x-request-id");
    let headers = headers.map(|(name, value)| (name.clone(), value.replace(&prefix, ""))).collect();
    let body = match std::str::from_utf8(&reply.body) {
        Ok(text) => text.replace(&prefix, "").into_bytes(),
        Err(_) => reply.body.to_vec(),
    };
    (reply.status, headers, body)
}

/// Every kind of request that reads, below a repository.
fn reading(sample: &Sample, layer: &str) -> Vec<(Request, String)> {
    let digest = &sample.digest;
    let mut all = Vec::new();
    for rest in [
        "manifests/v1",
        "manifests/v2",
        &format!("manifests/{digest}"),
        &format!("blobs/{layer}"),
        "tags/list",
        "tags/list?n=1",
        "tags/list?n=1&last=v1",
        "tags/list?n=0",
        "_tagstone/tags",
        "_tagstone/tags?n=1",
        "_oci/tag-history/v1",
        "_oci/tag-history/v1?n=1",
        "_oci/ext/discover",
        &format!("referrers/{digest}"),
        &format!("referrers/{digest}?n=1"),
        &format!("referrers/{digest}?n=1&artifactType=a/art"),
        &format!("referrers/{digest}?artifactType=none"),
    ] {
        all.push((get(""), rest.to_owned()));
        all.push((head(""), rest.to_owned()));
    }
    for (name, value) in [("if-none-match", format!("\"{digest}\"")), ("if-none-match", "*".to_owned())] {
        for rest in ["manifests/v1".to_owned(), format!("manifests/{digest}")] {
            all.push((get("").with(name, &value), rest));
        }
    }
    for (name, value) in [
        ("range", "bytes=2-5"),
        ("range", "bytes=-3"),
        ("range", "bytes=7-"),
        ("range", "bytes=90-"),
        ("if-none-match", &format!("\"{layer}\"")),
    ] {
        all.push((get("").with(name, value), format!("blobs/{layer}")));
    }
    all
}

/// Whatever was answered at a point is answered for that point for ever, header by header.
#[test]
fn what_was_answered_is_answered_again() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let layer = push_blob(&registry, REPO, "0123456789").await;
        let sample = Sample::new(OCI_IMAGE, &image(&[b"0123456789"]));
        sample.push(&registry, REPO, "v1").await;
        sample.push(&registry, REPO, "v2").await;
        for name in ["first", "second"] {
            let mut document = image(&[]);
            document["subject"] = descriptor(sample.media_type, &sample.bytes);
            document["artifactType"] = json!("a/art");
            document["annotations"] = json!({"name": name});
            let referrer = Sample::new(OCI_IMAGE, &document);
            referrer.push(&registry, REPO, &referrer.digest).await;
        }
        protect(&registry, "v2").await;
        lock(&registry, "v1").await;
        let (seq, _) = last(&registry).await;
        let mut told = Vec::new();
        for (request, rest) in reading(&sample, &layer) {
            told.push(registry.send(request.clone().at(live(&rest))).await);
        }
        let all = reading(&sample, &layer);
        let statuses: Vec<_> = told.iter().map(|reply| reply.status).collect();
        assert_eq!([200, 304, 206, 416].map(|wanted| statuses.contains(&wanted)), [true; 4], "{statuses:?}");

        // A point that is the present is the same; and it stays so, whatever happens.
        let point = format!("seq-{seq}");
        let compare = async |registry: &Registry, when: &str| {
            for ((request, rest), told) in all.iter().zip(&told) {
                let reply = registry.send(request.clone().at(then(&point, rest))).await;
                assert_eq!(comparable(&reply, &point), comparable(told, &point), "{when}: {request} {rest}");
            }
        };
        compare(&registry, "at once").await;
        let unlock = SetTag {
            repository: REPO.parse().unwrap(),
            tag: "v1".parse().unwrap(),
            manifest: None,
            expiry: Expiry::Keep,
            lock: Lock::Unlock,
        };
        registry.commit(Command::SetTag(Box::new(unlock))).await;
        push_named(&registry, REPO, "v1", "another").await;
        push_named(&registry, REPO, "v3", "another").await;
        compare(&registry, "moved").await;
        let policies: Vec<_> = registry.state().policies().map(|(id, _)| *id).collect();
        for policy in policies {
            retire(&registry, policy).await;
        }
        registry.check(delete(live("manifests/v2")), ok(202)).await;
        registry.check(delete(live(&format!("manifests/{}", sample.digest))), ok(202)).await;
        compare(&registry, "deleted").await;
        registry.check(delete(live(&format!("blobs/{layer}"))), ok(202)).await;
        registry.check(delete(format!("/api/v1/repository/{REPO}")), ok(204)).await;
        compare(&registry, "without its repository").await;
        let catalog = json!({"repositories": []});
        registry.check(get("/v2/_catalog"), ok(200).json(catalog)).await;
        let registry = registry.restarted().await;
        compare(&registry, "after a restart").await;
        push_named(&registry, REPO, "v4", "begun again").await;
        compare(&registry, "begun again").await;
    });
}

#[test]
fn what_was_not_there_is_not_there() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, "other/one", "v1", "one").await;
        let (before, _) = last(&registry).await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        let (first, time) = last(&registry).await;
        let config = push_blob(&registry, REPO, "{}").await;
        let two = push_named(&registry, REPO, "v2", "two").await;
        let referrers = json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [],
        });
        let at = |seq: u64, time: &str| json!({"seq": seq, "time": time});
        let stood = format!("as it stood behind record {first} of {time}");
        let tag = json!({"repository": REPO, "tag": "v2", "as_of": at(first, &time)});
        let manifest = json!({"repository": REPO, "digest": two.digest, "as_of": at(first, &time)});
        let blob = json!({"repository": REPO, "digest": unknown_digest(), "as_of": at(first, &time)});
        registry
            .check_all([
                case(get(behind(first, "manifests/v1")), ok(200).bytes(one.bytes.clone())),
                case(get(behind(first, "manifests/v2")), refused(404, "MANIFEST_UNKNOWN", &*stood).detail(tag)),
                case(
                    get(behind(first, &format!("manifests/{}", two.digest))),
                    refused(404, "MANIFEST_UNKNOWN", &*stood).detail(manifest),
                ),
                case(
                    get(behind(first, &format!("blobs/{}", unknown_digest()))),
                    refused(404, "BLOB_UNKNOWN", &*stood).detail(blob),
                ),
                case(get(behind(first, "manifests/.bad")), refused(404, "MANIFEST_UNKNOWN", "`.bad`")),
                case(get(behind(first, "manifests/sha256:x")), refused(400, "DIGEST_INVALID", "exactly 64")),
                case(
                    get(behind(first, "tags/list")),
                    ok(200).json(json!({
                        "name": format!("as-of/seq-{first}/{REPO}"), "tags": ["v1"],
                    })),
                ),
                case(get(behind(first, "tags/list?n=x")), refused(400, "UNSUPPORTED", "`n=x`")),
                case(
                    get(behind(before, &format!("referrers/{}", one.digest))),
                    ok(200).header("content-type", OCI_INDEX).json(referrers),
                ),
            ])
            .await;
        for rest in [
            "manifests/v1",
            &format!("manifests/{}", one.digest),
            &format!("blobs/{config}"),
            "tags/list",
            "_tagstone/tags",
            "_oci/ext/discover",
        ] {
            let says = format!("repository {REPO} was not there, as it stood behind record {before} of ");
            registry.check(get(behind(before, rest)), refused(404, "NAME_UNKNOWN", says)).await;
            registry.check(head(behind(before, rest)), refused(404, "NAME_UNKNOWN", "")).await;
        }
        // A mount from the past is an upload.
        for from in [format!("as-of/seq-{first}/{REPO}"), format!("as-of/seq-{first}/{}", "a".repeat(250))] {
            let mount = post(format!("/v2/acme/new/blobs/uploads/?mount={config}&from={from}"));
            registry.check(mount, ok(202).header("range", "0-0")).await;
        }
    });
}

#[test]
fn a_tag_is_as_immutable_as_it_was() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let (pushed, _) = last(&registry).await;
        let policy = protect(&registry, "v.*").await;
        let (protected, _) = last(&registry).await;
        retire(&registry, policy).await;
        let (retired, _) = last(&registry).await;
        lock(&registry, "v1").await;
        let (locked, _) = last(&registry).await;
        let says = |immutable: &'static str| ok(200).header("tagstone-tag-immutable", immutable);
        for (seq, immutable, by_hand) in
            [(pushed, false, false), (protected, true, false), (retired, false, false), (locked, true, true)]
        {
            let answer = says(if immutable { "true" } else { "false" });
            registry.check(head(behind(seq, "manifests/v1")), answer).await;
            let table = registry.check(get(behind(seq, "_tagstone/tags")), ok(200)).await.json();
            let tag = &table["tags"]["v1"];
            assert_eq!([&tag["immutable"], &tag["locked"]], [&json!(immutable), &json!(by_hand)], "{seq}");
        }
    });
}
