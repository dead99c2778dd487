//! Uploads in every documented form: at once, in chunks, as a stream, with wrong starts.

use bytes::Bytes;

use crate::case::{Answer, case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, patch, post, put};
use crate::samples::{REPO, noise, sha256, sha512};

/// Opens a session and returns its Location.
pub(crate) async fn open(registry: &Registry, repository: &str) -> String {
    let reply = registry.check(post(format!("/v2/{repository}/blobs/uploads/")), ok(202).empty()).await;
    reply.header("location").unwrap().to_owned()
}

pub(crate) fn blob(digest: &str) -> String {
    format!("/v2/{REPO}/blobs/{digest}")
}

pub(crate) fn created(digest: &str) -> Answer {
    ok(201).header("location", blob(digest)).header("docker-content-digest", digest).empty()
}

pub(crate) fn finish(location: &str, digest: &str) -> Request {
    put(format!("{location}?digest={digest}"))
}

/// What a session that holds so many bytes answers to GET, and with another status to PATCH.
pub(crate) fn progress(status: u16, location: &str, bytes: usize) -> Answer {
    ok(status).header("location", location).header("range", format!("0-{}", bytes.saturating_sub(1))).empty()
}

pub(crate) fn unknown() -> Answer {
    refused(404, "BLOB_UPLOAD_UNKNOWN", "no such upload").says("POST")
}

#[test]
fn opening_a_session() {
    run(async {
        let registry = Registry::start().await;
        for query in ["", "?digest-algorithm=sha256", "?digest-algorithm=sha512"] {
            let answer = ok(202).header("range", "0-0").empty();
            let reply = registry.check(post(format!("/v2/{REPO}/blobs/uploads/{query}")), answer).await;
            let location = reply.header("location").unwrap();
            let id = location.strip_prefix(&format!("/v2/{REPO}/blobs/uploads/")).unwrap();
            assert_eq!(reply.header("docker-upload-uuid"), Some(id));
            registry
                .check_all([
                    case(get(location), progress(204, location, 0).header("docker-upload-uuid", id)),
                    case(head(location), progress(204, location, 0)),
                ])
                .await;
        }
        registry.check(post(format!("/v2/{REPO}/blobs/uploads")), ok(202)).await;
        assert_eq!(registry.standing().seq, 1, "a session is no record");
        for algorithm in ["", "md5", "SHA256", "sha384"] {
            let request = post(format!("/v2/{REPO}/blobs/uploads/?digest-algorithm={algorithm}"));
            registry.check(request, refused(400, "DIGEST_INVALID", "use sha256 or sha512")).await;
        }
    });
}

#[test]
fn a_blob_at_once() {
    run(async {
        let registry = Registry::start().await;
        let algorithms = [|bytes: &[u8]| sha256(bytes), |bytes: &[u8]| sha512(bytes)];
        for (algorithm, size) in algorithms.iter().flat_map(|one| [0, 5, 70_000].map(|size| (one, size))) {
            let bytes = noise(size);
            let wrong = noise(size + 1);
            let (digest, actual) = (algorithm(&bytes), algorithm(&wrong));
            let start = || post(format!("/v2/{REPO}/blobs/uploads/?digest={digest}"));
            let mismatch = || refused(400, "DIGEST_INVALID", &digest).says(&actual);
            let before = registry.standing();
            registry
                .check_all([
                    case(start().body(wrong.clone()), mismatch()),
                    case(start().streamed([&wrong]), mismatch()),
                    case(start().broken([&bytes]), refused(400, "BLOB_UPLOAD_INVALID", format!("{size} bytes"))),
                    case(start().body(bytes.clone()), created(&digest)),
                    case(get(blob(&digest)), ok(200).bytes(bytes.clone())),
                    // Once more is no error and no second record, in pieces or not.
                    case(start().streamed([&bytes]), created(&digest)),
                    case(start().body(bytes.clone()), created(&digest)),
                ])
                .await;
            let after = registry.standing();
            assert_eq!((after.seq, after.open_uploads), (before.seq + 1, 0), "{digest}");
            // In pieces from the beginning.
            registry
                .check_all([
                    case(delete(blob(&digest)), ok(202)),
                    case(start().streamed([&bytes[..size / 2], &bytes[size / 2..]]), created(&digest)),
                    case(get(blob(&digest)), ok(200).bytes(bytes.clone())),
                ])
                .await;
        }
        for (digest, says) in [("", "no algorithm"), ("sha256:bad", "exactly 64"), ("md5:0", "use sha256 or sha512")] {
            let request = post(format!("/v2/{REPO}/blobs/uploads/?digest={digest}")).body("x");
            registry.check(request, refused(400, "DIGEST_INVALID", says)).await;
        }
    });
}

#[test]
fn a_blob_in_chunks() {
    run(async {
        let registry = Registry::start().await;
        // Of some bytes, and of more than what is held in memory.
        for size in [30, 300_000] {
            let bytes = noise(size);
            let (first, second, third) = (size / 3, size / 2, size);
            let location = open(&registry, REPO).await;
            let chunk = |from: usize, to: usize| (format!("{from}-{}", to - 1), bytes.slice(from..to));
            let (range, part) = chunk(0, first);
            registry
                .check(patch(&*location).with("content-range", range).body(part), progress(202, &location, first))
                .await;
            registry.check(get(&*location), progress(204, &location, first)).await;
            let (range, part) = chunk(first, second);
            registry
                .check(
                    patch(&*location).with("content-range", range).streamed([&part]),
                    progress(202, &location, second),
                )
                .await;
            let (range, part) = chunk(second, third);
            let digest = sha256(&bytes);
            registry
                .check_all([
                    case(finish(&location, &digest).with("content-range", range).body(part), created(&digest)),
                    case(get(blob(&digest)), ok(200).bytes(bytes.clone())),
                    case(get(&*location), unknown()),
                ])
                .await;
            assert_eq!(registry.standing().open_uploads, 0);
        }
    });
}

#[test]
fn a_blob_as_a_stream() {
    run(async {
        let registry = Registry::start().await;
        for size in [30, 300_000] {
            let bytes = noise(size);
            let (one, rest) = bytes.split_at(size / 4);
            let (two, three) = rest.split_at(size / 4);
            let digest = sha512(&bytes);
            let location = open(&registry, REPO).await;
            registry
                .check_all([
                    case(patch(&*location).streamed([one, two]), progress(202, &location, one.len() + two.len())),
                    // A chunk of no bytes changes nothing.
                    case(patch(&*location), progress(202, &location, one.len() + two.len())),
                    case(patch(&*location).body(Bytes::new()), progress(202, &location, one.len() + two.len())),
                    case(patch(&*location).streamed([three]), progress(202, &location, size)),
                    // The session was opened for sha256.
                    case(finish(&location, &digest), created(&digest)),
                    case(get(blob(&digest)), ok(200).bytes(bytes.clone())),
                ])
                .await;
            let location = open(&registry, REPO).await;
            let digest = sha256(&bytes);
            registry.check(finish(&location, &digest).streamed([one, two, three]), created(&digest)).await;
            registry.check(get(blob(&digest)), ok(200).bytes(bytes.clone())).await;
        }
        assert_eq!(registry.standing().open_uploads, 0);
    });
}

#[test]
fn a_session_without_bytes_is_the_empty_blob() {
    run(async {
        let registry = Registry::start().await;
        let digest = sha256("");
        for request in [finish, |location: &str, digest: &str| finish(location, digest).body("")] {
            let location = open(&registry, REPO).await;
            registry.check(request(&location, &digest), created(&digest)).await;
            registry.check(get(&*location), unknown()).await;
        }
        registry.check(get(blob(&digest)), ok(200).bytes("")).await;
        registry.check(get(blob(&digest)).with("range", "bytes=0-"), refused(416, "SIZE_INVALID", "0 bytes")).await;
    });
}

#[test]
fn a_wrong_start_leaves_the_session_as_it_was() {
    run(async {
        let registry = Registry::start().await;
        let bytes = noise(20);
        let digest = sha256(&bytes);
        let location = open(&registry, REPO).await;
        for held in [0, 10] {
            for (range, body) in [("5-9", 5), ("11-20", 10), ("9999999999-10000000000", 2), ("20-29", 10)] {
                let wrong = || {
                    refused(416, "BLOB_UPLOAD_INVALID", format!("begins at {held}"))
                        .header("location", &location)
                        .header("range", if held == 0 { "0-0" } else { "0-9" })
                };
                let body = noise(body);
                registry
                    .check_all([
                        case(patch(&*location).with("content-range", range).body(body.clone()), wrong()),
                        case(patch(&*location).with("content-range", range).streamed([&body]), wrong()),
                        case(finish(&location, &digest).with("content-range", range).body(body), wrong()),
                        case(get(&*location), progress(204, &location, held)),
                    ])
                    .await;
            }
            for range in [
                "x",
                "-",
                "5",
                "9-0",
                "-9",
                "0-",
                "+0-9",
                "0x0-9",
                "0-99999999999999999999999",
                "0-18446744073709551615",
            ] {
                let wrong = || refused(400, "BLOB_UPLOAD_INVALID", format!("as {held}-<last>"));
                registry
                    .check_all([
                        case(patch(&*location).with("content-range", range).body(bytes.slice(..10)), wrong()),
                        case(finish(&location, &digest).with("content-range", range).body(bytes.clone()), wrong()),
                    ])
                    .await;
            }
            for last in [held + 5, held + 10, usize::MAX - 1] {
                let request = patch(&*location).with("content-range", format!("{held}-{last}"));
                let wrong = refused(400, "SIZE_INVALID", "Content-Length is 10");
                registry.check(request.body(bytes.slice(..10)), wrong).await;
            }
            registry.check(get(&*location), progress(204, &location, held)).await;
            if held == 0 {
                registry.check(patch(&*location).body(bytes.slice(..10)), progress(202, &location, 10)).await;
            }
        }
        registry.check(finish(&location, &digest).body(bytes.slice(10..)), created(&digest)).await;
    });
}
