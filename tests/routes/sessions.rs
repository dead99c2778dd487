//! The life of an upload session: what it survives, and how it ends.

use std::time::Duration;

use actix_web::http::Method;
use bytes::Bytes;
use tagstone_schema::media_type::OCI_IMAGE;

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, patch, post, put};
use crate::samples::{REPO, noise, sha256, sha512};
use crate::uploads::{blob, created, finish, open, progress, unknown};

#[test]
fn a_digest_that_does_not_match_keeps_the_session() {
    run(async {
        let registry = Registry::start().await;
        for size in [40, 300_000] {
            let bytes = noise(size);
            let digest = sha256(&bytes);
            let location = open(&registry, REPO).await;
            registry.check(patch(&*location).body(bytes.clone()), progress(202, &location, size)).await;
            registry
                .check_all([
                    case(finish(&location, &sha256("x")), refused(400, "DIGEST_INVALID", &digest)),
                    case(finish(&location, &sha512("x")), refused(400, "DIGEST_INVALID", sha512(&bytes))),
                    case(finish(&location, "sha256:bad"), refused(400, "DIGEST_INVALID", "exactly 64")),
                    case(finish(&location, "md5:00"), refused(400, "DIGEST_INVALID", "use sha256 or sha512")),
                    case(finish(&location, ""), refused(400, "DIGEST_INVALID", "has no algorithm")),
                    case(put(&*location), refused(400, "DIGEST_INVALID", "`digest` is missing")),
                    case(
                        put(format!("{location}?digest={digest}&digest={digest}")),
                        refused(400, "UNSUPPORTED", "2 times"),
                    ),
                    case(get(&*location), progress(204, &location, size)),
                    case(finish(&location, &digest), created(&digest)),
                    case(get(blob(&digest)), ok(200).bytes(bytes)),
                ])
                .await;
        }
        // The whole blob in the closing request: what did not match is not in the session.
        let location = open(&registry, REPO).await;
        let mismatch = refused(400, "DIGEST_INVALID", sha256("wrong"));
        registry.check(finish(&location, &sha256("right")).body("wrong"), mismatch).await;
        registry.check(finish(&location, &sha256("right")).body("right"), created(&sha256("right"))).await;
    });
}

#[test]
fn a_body_that_breaks_off_can_be_resumed() {
    run(async {
        let registry = Registry::start().await;
        for size in [50, 2_500_000] {
            let bytes = noise(size);
            let (held, rest) = bytes.split_at(size * 3 / 5);
            let location = open(&registry, REPO).await;
            let broken = || refused(400, "BLOB_UPLOAD_INVALID", "broke off").header("connection", "close");
            registry.check(patch(&*location).broken([held]), broken()).await;
            registry.check(get(&*location), progress(204, &location, held.len())).await;
            let digest = sha256(&bytes);
            let range = format!("{}-{}", held.len(), size - 1);
            let last = finish(&location, &digest).with("content-range", range).body(Bytes::copy_from_slice(rest));
            registry.check(last, created(&digest)).await;
            registry.check(get(blob(&digest)), ok(200).bytes(bytes.clone())).await;
        }
    });
}

#[test]
fn a_session_ends() {
    run(async {
        let registry = Registry::start().await;
        let methods = [Method::GET, Method::HEAD, Method::PATCH, Method::PUT, Method::DELETE];
        let all = |location: &str| {
            let location = format!("{location}?digest={}", sha256("abc"));
            methods.clone().map(|method| Request::new(method, &*location))
        };
        // Cancelled.
        let cancelled = open(&registry, REPO).await;
        registry.check(delete(&*cancelled), ok(204).empty()).await;
        // Finished.
        let finished = open(&registry, REPO).await;
        registry.check(finish(&finished, &sha256("abc")).body("abc"), created(&sha256("abc"))).await;
        // Given up: only the one that nobody has touched.
        let touched = open(&registry, REPO).await;
        assert_eq!(registry.give_up_uploads(Duration::from_secs(3600)), 0);
        registry.check(get(&*touched), progress(204, &touched, 0)).await;
        assert_eq!(registry.give_up_uploads(Duration::ZERO), 1);
        // Never there, or of another repository.
        let open = open(&registry, REPO).await;
        let elsewhere = open.replace(REPO, "acme/other");
        let never = format!("/v2/{REPO}/blobs/uploads/00000000-0000-4000-8000-000000000000");
        let uppercase = format!("/v2/{REPO}/blobs/uploads/{}", open.rsplit_once('/').unwrap().1.to_uppercase());
        let no_id = format!("/v2/{REPO}/blobs/uploads/..");
        for location in [cancelled, finished, touched, elsewhere, never, uppercase, no_id] {
            for request in all(&location) {
                registry.check(request, unknown()).await;
            }
        }
        registry.check(get(&*open), progress(204, &open, 0)).await;
    });
}

#[test]
fn a_session_goes_on_after_a_restart() {
    run(async {
        let mut registry = Registry::start().await;
        for size in [60, 300_000] {
            let bytes = noise(size);
            let digest = sha256(&bytes);
            let location = open(&registry, REPO).await;
            registry.check(patch(&*location).body(bytes.slice(..size / 2)), progress(202, &location, size / 2)).await;
            registry = registry.restarted().await;
            let last = finish(&location, &digest).with("content-range", format!("{}-{}", size / 2, size - 1));
            registry
                .check_all([
                    case(get(&*location), progress(204, &location, size / 2)),
                    case(get(location.replace(REPO, "acme/other")), unknown()),
                    case(last.body(bytes.slice(size / 2..)), created(&digest)),
                ])
                .await;
            registry = registry.restarted().await;
            registry.check(get(blob(&digest)), ok(200).bytes(bytes)).await;
            registry.check(get(&*location), unknown()).await;
        }
    });
}

#[test]
fn a_last_chunk_that_spoils_the_digest_is_told_by_the_range() {
    run(async {
        let registry = Registry::start().await;
        let location = open(&registry, REPO).await;
        registry.check(patch(&*location).body("abc"), progress(202, &location, 3)).await;
        let mismatch = refused(400, "DIGEST_INVALID", sha256("abcdef"));
        registry.check(finish(&location, &sha256("abc")).body("def"), mismatch).await;
        registry.check(get(&*location), progress(204, &location, 6)).await;
        registry.check(finish(&location, &sha256("abcdef")), created(&sha256("abcdef"))).await;
    });
}

#[test]
fn a_body_that_stalls_is_cut_off() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.body_idle = Duration::from_millis(100)).await;
        let stalled = |code| refused(408, code, "too slowly").says("3 bytes").header("connection", "close");
        let location = open(&registry, REPO).await;
        let manifest = put(format!("/v2/{REPO}/manifests/v1")).with("content-type", OCI_IMAGE);
        registry
            .check_all([
                case(patch(&*location).stalled([b"abc"]), stalled("BLOB_UPLOAD_INVALID")),
                case(get(&*location), progress(204, &location, 3)),
                case(manifest.stalled([b"abc"]), stalled("MANIFEST_INVALID")),
                case(finish(&location, &sha256("abc")), created(&sha256("abc"))),
            ])
            .await;
    });
}

#[test]
fn one_request_at_a_time_writes_to_a_session() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.body_idle = Duration::from_secs(2)).await;
        let location = open(&registry, REPO).await;
        let busy = || refused(409, "BLOB_UPLOAD_INVALID", "another request");
        let first = registry.send(patch(&*location).stalled([b"abc"]));
        let others = async {
            // The first request has the session as soon as it stands still.
            while registry.send(patch(&*location)).await.status != 409 {}
            registry
                .check_all([
                    case(patch(&*location).body("x"), busy()),
                    case(finish(&location, &sha256("")), busy()),
                    case(delete(&*location), busy()),
                    case(get(&*location), ok(204).header("location", &location)),
                ])
                .await;
        };
        let (first, ()) = futures_util::future::join(first, others).await;
        assert_eq!(first.status, 408);
        registry.check(get(&*location), progress(204, &location, 3)).await;
    });
}

#[test]
fn a_blob_in_one_request_that_breaks_off_leaves_no_session() {
    run(async {
        let registry = Registry::with(|settings| settings.content.small_blob_bytes = 4).await;
        let digest = sha256("0123456789");
        let path = format!("/v2/{REPO}/blobs/uploads/?digest={digest}");
        let refusals = [
            (post(&path).broken([b"0123"]), "BLOB_UPLOAD_INVALID"),
            (post(&path).streamed([b"0123456788"]), "DIGEST_INVALID"),
        ];
        for (request, code) in refusals {
            // The runner compares the open uploads before and after every refusal.
            registry.check(request, refused(400, code, "")).await;
        }
        assert_eq!(std::fs::read_dir(registry.uploads()).unwrap().count(), 0);
    });
}
