//! Bodies that are too large, announced or not, and more sessions than are allowed.

use crate::case::{Answer, case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, patch, post, put};
use crate::samples::{REPO, noise, sha256};
use crate::uploads::{created, open};
use tagstone_schema::media_type::OCI_IMAGE;

fn too_large(most: usize) -> Answer {
    refused(413, "SIZE_INVALID", format!("{most} bytes that are allowed here (`limits.")).header("connection", "close")
}

#[test]
fn a_manifest_that_is_too_large() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.manifest_bytes = 2048).await;
        let push = |reference: &str| put(format!("/v2/{REPO}/manifests/{reference}")).with("content-type", OCI_IMAGE);
        let large = noise(2049);
        let digest = sha256(&large);
        registry
            .check_all([
                case(push("v1").with("content-length", "9999999999"), too_large(2048)),
                case(push("v1").body(large.clone()), too_large(2048)),
                case(push("v1").streamed([&large]), too_large(2048)),
                case(push("v1").streamed([&large[..1000], &large[1000..]]), too_large(2048)),
                case(push(&digest).streamed([&large]), too_large(2048)),
                // One that is not too large is read, and refused for what it is.
                case(push("v1").body(large.slice(..2048)), refused(400, "MANIFEST_INVALID", "not valid JSON")),
                case(push("v1").streamed([&large[..2048]]), refused(400, "MANIFEST_INVALID", "not valid JSON")),
            ])
            .await;
    });
}

#[test]
fn a_blob_that_is_too_large() {
    run(async {
        // With bodies that pass through memory, and those that pass through a session's file.
        for most in [1000, 100_000] {
            let registry = Registry::with(|settings| settings.limits.blob_bytes = Some(most as u64)).await;
            let large = noise(most + 1);
            let digest = sha256(&large);
            let at_once = || post(format!("/v2/{REPO}/blobs/uploads/?digest={digest}"));
            registry
                .check_all([
                    case(at_once().body(large.clone()), too_large(most)),
                    case(at_once().streamed([&large]), too_large(most)),
                    case(at_once().streamed([&large[..most], &large[most..]]), too_large(most)),
                ])
                .await;
            let location = open(&registry, REPO).await;
            let closing = || put(format!("{location}?digest={digest}"));
            registry
                .check_all([
                    case(patch(&*location).body(large.clone()), too_large(most)),
                    case(closing().body(large.clone()), too_large(most)),
                    case(get(&*location), ok(204).header("range", "0-0")),
                    case(patch(&*location).body(large.slice(..most)), ok(202)),
                    case(patch(&*location).body("x"), too_large(0)),
                    case(patch(&*location).streamed([b"x"]), too_large(0)),
                    case(closing().body("x"), too_large(0)),
                    case(get(&*location), ok(204).header("range", format!("0-{}", most - 1))),
                ])
                .await;
            let digest = sha256(&large[..most]);
            registry.check(put(format!("{location}?digest={digest}")), created(&digest)).await;
        }
    });
}

#[test]
fn more_sessions_than_are_allowed() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.open_uploads = 2).await;
        let first = open(&registry, REPO).await;
        open(&registry, "acme/other").await;
        let start = || post(format!("/v2/{REPO}/blobs/uploads/"));
        registry
            .check(start(), refused(429, "TOOMANYREQUESTS", "2 uploads are open").header("retry-after", "60"))
            .await;
        registry.check(delete(&*first), ok(204)).await;
        registry.check(start(), ok(202)).await;
    });
}
