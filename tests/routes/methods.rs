//! Every route with every method that it does not have.

use actix_web::http::Method;

use crate::case::{ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, get, head};
use crate::samples::{REPO, push_named, unknown_digest};
use crate::uploads::open;

pub(crate) const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"];

/// A request with every method but these.
pub(crate) fn requests_but(allowed: &str, path: &str) -> Vec<Request> {
    let allowed: Vec<_> = allowed.split(", ").collect();
    let wrong = METHODS.iter().filter(|method| !allowed.contains(*method));
    wrong.map(|method| Request::new(Method::from_bytes(method.as_bytes()).unwrap(), path)).collect()
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        let location = open(&registry, REPO).await;
        let uploads = format!("/v2/{REPO}/blobs/uploads");
        for (path, allowed) in [
            ("/v2/", "GET, HEAD"),
            ("/v2", "GET, HEAD"),
            ("/v2/_catalog", "GET, HEAD"),
            ("/v2/_extensions/list", "GET, HEAD"),
            ("/v2/_oci/ext/discover", "GET, HEAD"),
            (&format!("/v2/{REPO}/_oci/ext/discover"), "GET, HEAD"),
            (&format!("/v2/{REPO}/_oci/tag-history/v1"), "GET, HEAD"),
            (&format!("/v2/{REPO}/tags/list"), "GET, HEAD"),
            (&format!("/v2/{REPO}/_tagstone/tags"), "GET, HEAD"),
            (&format!("/v2/{REPO}/referrers/{}", sample.digest), "GET, HEAD"),
            (&format!("/v2/{REPO}/manifests/v1"), "GET, HEAD, PUT, DELETE"),
            (&format!("/v2/{REPO}/manifests/{}", sample.digest), "GET, HEAD, PUT, DELETE"),
            (&format!("/v2/{REPO}/manifests/.bad"), "GET, HEAD, PUT, DELETE"),
            (&format!("/v2/{REPO}/blobs/{}", unknown_digest()), "GET, HEAD, DELETE"),
            (&format!("/v2/Not A Name/blobs/{}", unknown_digest()).replace(' ', "%20"), "GET, HEAD, DELETE"),
            (&uploads, "POST"),
            (&format!("{uploads}/"), "POST"),
            (&location, "GET, HEAD, PATCH, PUT, DELETE"),
            ("/healthz", "GET, HEAD"),
            ("/readyz", "GET, HEAD"),
            ("/metrics", "GET, HEAD"),
        ] {
            for request in requests_but(allowed, path) {
                registry.check(request, refused(405, "UNSUPPORTED", allowed).header("allow", allowed)).await;
            }
        }
        registry.check(get(location), ok(204)).await;
    });
}

#[test]
fn the_past_cannot_be_written() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let digest = unknown_digest();
        for point in ["as-of/seq-1/acme/app", "as-of/20261101t120000z/acme/app", "as-of", "as-of/nonsense/acme"] {
            for path in [
                format!("/v2/{point}/manifests/v1"),
                format!("/v2/{point}/manifests/{digest}?tag=a"),
                format!("/v2/{point}/blobs/{digest}"),
                format!("/v2/{point}/blobs/uploads/"),
                format!("/v2/{point}/blobs/uploads/?mount={digest}&from={REPO}"),
                format!("/v2/{point}/blobs/uploads/?digest={digest}"),
                format!("/v2/{point}/blobs/uploads/00000000-0000-4000-8000-000000000000?digest={digest}"),
                format!("/v2/{point}/tags/list"),
            ] {
                for request in requests_but("GET, HEAD", &path) {
                    let answer = refused(405, "UNSUPPORTED", "").header("allow", "GET, HEAD");
                    registry.check(request.body("{}"), answer).await;
                }
            }
            for path in ["blobs/uploads/", "blobs/uploads/00000000-0000-4000-8000-000000000000"] {
                for request in [get, head] {
                    let reply = registry.send(request(format!("/v2/{point}/{path}"))).await;
                    assert_eq!((reply.status, reply.header("allow")), (404, None), "{point}/{path}");
                }
            }
        }
        // Names that only look alike are ordinary ones.
        push_named(&registry, "as-off/a", "v1", "one").await;
        push_named(&registry, "a/as-of", "v1", "one").await;
    });
}
