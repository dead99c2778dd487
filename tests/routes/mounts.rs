//! Mounting blobs of other repositories.

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{get, post};
use crate::samples::{REPO, push_blob, sha512, unknown_digest};

fn mount(query: &str) -> crate::request::Request {
    post(format!("/v2/{REPO}/blobs/uploads/?{query}"))
}

#[test]
fn a_blob_is_mounted() {
    run(async {
        let registry = Registry::start().await;
        for (number, from) in ["&from=acme/base", "", "&from=acme%2Fbase"].iter().enumerate() {
            for size in [5_usize, 70_000] {
                let bytes = vec![b'a' + u8::try_from(number).unwrap(); size];
                let digest = push_blob(&registry, "acme/base", bytes.clone()).await;
                let location = format!("/v2/{REPO}/blobs/{digest}");
                let request = mount(&format!("mount={digest}{from}"));
                let mounted = || ok(201).header("location", &location).header("docker-content-digest", &digest).empty();
                let seq = registry.standing().seq;
                registry.check(request.clone(), mounted()).await;
                registry.check(get(&*location), ok(200).bytes(bytes)).await;
                // What is there already is mounted without a record.
                registry.check(request, mounted()).await;
                assert_eq!((registry.standing().seq, registry.standing().open_uploads), (seq + 1, 0));
            }
        }
    });
}

#[test]
fn what_cannot_be_mounted_becomes_a_session() {
    run(async {
        let registry = Registry::start().await;
        let digest = push_blob(&registry, "acme/base", "base").await;
        push_blob(&registry, "acme/empty", "other").await;
        let unknown = unknown_digest();
        for (query, which) in [
            (format!("mount={unknown}&from=acme/base"), &unknown),
            (format!("mount={unknown}"), &unknown),
            (format!("mount={digest}&from=acme/empty"), &digest),
            (format!("mount={digest}&from=nobody/here"), &digest),
            (format!("mount={digest}&from=Not%20A%20Name"), &digest),
            (format!("mount={digest}&from="), &digest),
            (format!("mount={digest}&from=as-of/seq-1/acme/base"), &digest),
            (format!("mount={}", sha512("base")), &digest),
        ] {
            let before = registry.standing();
            let reply = registry.check(mount(&query), ok(202).header("range", "0-0").empty()).await;
            let location = reply.header("location").unwrap();
            let after = registry.standing();
            assert_eq!((after.seq, after.open_uploads), (before.seq, before.open_uploads + 1), "{query}");
            registry
                .check_all([
                    case(get(location), ok(204)),
                    case(get(format!("/v2/{REPO}/blobs/{which}")), refused(404, "NAME_UNKNOWN", REPO)),
                ])
                .await;
        }
    });
}

#[test]
fn a_malformed_mount_is_refused() {
    run(async {
        let registry = Registry::start().await;
        let digest = push_blob(&registry, "acme/base", "base").await;
        registry
            .check_all([
                case(mount("mount="), refused(400, "DIGEST_INVALID", "no algorithm")),
                case(mount("mount=sha256:x&from=acme/base"), refused(400, "DIGEST_INVALID", "exactly 64")),
                case(mount("mount=md5:x"), refused(400, "DIGEST_INVALID", "use sha256 or sha512")),
                case(mount(&format!("mount={digest}&mount={digest}")), refused(400, "UNSUPPORTED", "2 times")),
                case(mount(&format!("mount={digest}&from=a&from=b")), refused(400, "UNSUPPORTED", "2 times")),
                case(mount("mount=%ff"), refused(400, "UNSUPPORTED", "not UTF-8")),
            ])
            .await;
    });
}
