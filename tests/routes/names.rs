//! Every route with names, tags and digests that cannot be.

use actix_web::http::Method;
use tagstone_schema::media_type::OCI_INDEX;

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{Request, get, head, post, put};
use crate::samples::{Sample, sha256, unknown_digest};

const ID: &str = "00000000-0000-4000-8000-000000000000";

/// A route below a repository: its methods, and the path behind the name. `$D` stands for a digest.
const ROUTES: [(&[&str], &str); 9] = [
    (&["GET", "HEAD"], "_oci/ext/discover"),
    (&["GET", "HEAD"], "_oci/tag-history/v1"),
    (&["GET", "HEAD"], "tags/list"),
    (&["GET", "HEAD"], "_tagstone/tags"),
    (&["GET", "HEAD"], "referrers/$D"),
    (&["GET", "HEAD", "PUT", "DELETE"], "manifests/v1"),
    (&["GET", "HEAD", "DELETE"], "blobs/$D"),
    (&["POST"], "blobs/uploads/"),
    (&["GET", "HEAD", "PATCH", "PUT", "DELETE"], "blobs/uploads/$I?digest=$D"),
];

/// Names as they stand in a path.
const BAD_NAMES: [&str; 27] = [
    "", "A", "Acme/app", "acme/App", "a//b", "/a", "a/", "-a", "a-", ".a", "a.", "_a", "a_", "a..b", "a___b", "a._b",
    "a-.b", "a%20b", "a%00b", "a:5000/b", "a%40b", "%C3%A4", "..", "a/../b", "a/./b", "a%0Ab", "a%2F%2Fb",
];

fn requests(name: &str) -> Vec<Request> {
    ROUTES
        .iter()
        .flat_map(|(methods, rest)| {
            let path = format!("/v2/{name}/{rest}").replace("$D", &unknown_digest()).replace("$I", ID);
            methods.iter().map(move |method| {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                Request::new(method, &*path).with("content-type", OCI_INDEX)
            })
        })
        .collect()
}

#[test]
fn a_name_that_cannot_be_is_refused_on_every_route() {
    run(async {
        let registry = Registry::start().await;
        for name in BAD_NAMES {
            for request in requests(name) {
                registry.check(request, refused(400, "NAME_INVALID", "is not a repository name")).await;
            }
        }
        for long in ["a".repeat(256), format!("{}/b", "a".repeat(254)), "a".repeat(1000)] {
            for request in requests(&long) {
                let says = format!("{} characters; at most 255", long.len());
                registry.check(request, refused(400, "NAME_INVALID", says)).await;
            }
        }
    });
}

#[test]
fn every_name_that_can_be_works_from_end_to_end() {
    run(async {
        let registry = Registry::start().await;
        let empty = Sample::of_bytes(OCI_INDEX, r#"{"schemaVersion":2,"manifests":[]}"#);
        let longest = ["a".repeat(255), format!("a/{}", "b".repeat(253)), "a/".repeat(127) + "b"];
        let names =
            ["0", "a.b_c__d-e---f/0", "a/b/c/d/e/f", "v2", "blobs/uploads", "manifests/manifests", "tags/list/a"];
        for name in names.into_iter().chain(longest.iter().map(String::as_str)) {
            empty.push(&registry, name, "v1").await;
            let location = format!("/v2/{name}/blobs/{}", sha256("x"));
            let pushing = post(format!("/v2/{name}/blobs/uploads/?digest={}", sha256("x"))).body("x");
            registry
                .check_all([
                    case(pushing, ok(201).header("location", &location)),
                    case(get(&*location), ok(200).bytes("x")),
                    case(get(format!("/v2/{name}/manifests/v1")), ok(200).bytes(empty.bytes.clone())),
                    case(get(format!("/v2/{}/manifests/v1", name.replace('/', "%2F"))), ok(200)),
                    case(get(format!("/v2/{name}/tags/list")), ok(200)),
                    case(head(format!("/v2/{name}/_oci/ext/discover")), ok(200)),
                ])
                .await;
        }
    });
}

#[test]
fn a_digest_that_cannot_be_is_refused_on_every_route() {
    run(async {
        let registry = Registry::start().await;
        let empty = Sample::of_bytes(OCI_INDEX, r#"{"schemaVersion":2,"manifests":[]}"#);
        empty.push(&registry, "known", "v1").await;
        let hex = "a".repeat(64);
        let bad = [
            ("sha256:".to_owned(), "exactly 64"),
            ("sha256:bad".to_owned(), "exactly 64"),
            (format!("sha256:{}", hex.to_uppercase()), "exactly 64"),
            (format!("sha256:{hex}0"), "exactly 64"),
            (format!("sha256:{}g", &hex[1..]), "exactly 64"),
            (format!("sha256:{}%C3%A9", &hex[2..]), "exactly 64"),
            (format!("sha512:{hex}"), "exactly 128"),
            (format!("SHA256:{hex}"), "use sha256 or sha512"),
            (format!("md5:{hex}"), "use sha256 or sha512"),
            (format!(":{hex}"), "use sha256 or sha512"),
            (format!("sha256:sha256:{hex}"), "exactly 64"),
        ];
        for (digest, says) in &bad {
            for name in ["known", "nobody/here"] {
                for (methods, path) in [
                    (&["GET", "HEAD", "PUT", "DELETE"][..], format!("/v2/{name}/manifests/{digest}")),
                    (&["GET", "HEAD", "DELETE"], format!("/v2/{name}/blobs/{digest}")),
                    (&["GET", "HEAD"], format!("/v2/{name}/referrers/{digest}")),
                    (&["POST"], format!("/v2/{name}/blobs/uploads/?digest={digest}")),
                    (&["POST"], format!("/v2/{name}/blobs/uploads/?mount={digest}")),
                    (&["PUT"], format!("/v2/{name}/blobs/uploads/{ID}?digest={digest}")),
                ] {
                    for method in methods {
                        let request = Request::new(Method::from_bytes(method.as_bytes()).unwrap(), &*path);
                        let request = request.with("content-type", OCI_INDEX).body(empty.bytes.clone());
                        registry.check(request, refused(400, "DIGEST_INVALID", *says)).await;
                    }
                }
            }
        }
        // Where only a digest can stand, a text without a colon is one without an algorithm.
        for path in [format!("/v2/known/blobs/{hex}"), format!("/v2/known/referrers/{hex}")] {
            registry.check(get(path), refused(400, "DIGEST_INVALID", "has no algorithm")).await;
        }
    });
}

#[test]
fn a_tag_that_cannot_be() {
    run(async {
        let registry = Registry::start().await;
        let empty = Sample::of_bytes(OCI_INDEX, r#"{"schemaVersion":2,"manifests":[]}"#);
        empty.push(&registry, "known", "v1").await;
        let long = "t".repeat(129);
        for tag in [".a", "-a", "a%20b", "a%2Bb", "a+b", "%C3%A9", "a%00", "a%0A", "a@b", "a~", &long] {
            let path = format!("/v2/known/manifests/{tag}");
            let push = |path: &str| put(path).with("content-type", OCI_INDEX).body(empty.bytes.clone());
            let invalid = || refused(400, "NAME_INVALID", "is not a tag");
            registry
                .check_all([
                    // What can be no tag does not exist; it can only not be made.
                    case(get(&*path), refused(404, "MANIFEST_UNKNOWN", "is not a tag")),
                    case(head(&*path), refused(404, "MANIFEST_UNKNOWN", "")),
                    case(push(&path), invalid()),
                    case(push(&format!("/v2/known/manifests/{}?tag=ok&tag={tag}", empty.digest)), invalid()),
                    case(get("/v2/known/manifests/ok"), refused(404, "MANIFEST_UNKNOWN", "tag ok")),
                ])
                .await;
        }
        for tag in ["_", "0", "A.b-c_D", &"t".repeat(128)] {
            empty.push(&registry, "known", tag).await;
            registry.check(get(format!("/v2/known/manifests/{tag}")), ok(200).bytes(empty.bytes.clone())).await;
        }
    });
}
