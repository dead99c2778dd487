//! Every document that is no manifest this registry accepts: 400 MANIFEST_INVALID, and nothing is stored.

use tagstone_schema::media_type::{DOCKER_IMAGE, DOCKER_LIST, OCI_IMAGE, OCI_INDEX};

use crate::case::{ok, refused};
use crate::registry::{Registry, run};
use crate::request::{get, put};
use crate::samples::{REPO, push_blob, sha256};

/// `$C` stands for the descriptor of a config that is there, `$D` for its digest.
struct Invalid {
    media_type: &'static str,
    document: &'static str,
    says: &'static str,
}

const fn invalid(media_type: &'static str, document: &'static str, says: &'static str) -> Invalid {
    Invalid { media_type, document, says }
}

const INVALID: &[Invalid] = &[
    // Types that are not accepted.
    invalid("text/plain", "{}", "`text/plain` are not accepted"),
    invalid("application/json", r#"{"schemaVersion":2,"config":$C}"#, "push an OCI image manifest or index"),
    invalid("application/vnd.docker.distribution.manifest.v1+json", "{}", "are not accepted"),
    invalid("application/vnd.docker.distribution.manifest.v1+prettyjws", "{}", "are not accepted"),
    invalid("APPLICATION/VND.OCI.IMAGE.INDEX.V1+JSON", r#"{"schemaVersion":2}"#, "are not accepted"),
    invalid("nonsense", "{}", "`type/subtype`"),
    invalid("", "{}", "`type/subtype`"),
    invalid(";charset=utf-8", "{}", "`type/subtype`"),
    // No JSON, or ambiguous JSON.
    invalid(OCI_IMAGE, "", "not valid JSON"),
    invalid(OCI_IMAGE, "{", "not valid JSON"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C}x"#, "not valid JSON"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C}{}"#, "not valid JSON"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,}"#, "not valid JSON"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"x":NaN}"#, "not valid JSON"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"x":1e999}"#, "not valid JSON"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"x":"\ud800"}"#, "not valid JSON"),
    invalid(OCI_IMAGE, "\u{feff}{}", "not valid JSON"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"config":$C}"#, "`config` stands twice"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"x":[{"y":1,"y":1}]}"#, "`y` stands twice"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"\u0063onfig":$C}"#, "`config` stands twice"),
    // JSON that is no manifest.
    invalid(OCI_IMAGE, "[]", "must be a JSON object"),
    invalid(OCI_IMAGE, "null", "must be a JSON object"),
    invalid(OCI_INDEX, "\"text\"", "must be a JSON object"),
    invalid(OCI_IMAGE, "{}", "`schemaVersion` is missing"),
    invalid(OCI_INDEX, "{}", "`schemaVersion` is missing"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":1,"config":$C}"#, "must be 2, not 1"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":"2","config":$C}"#, "expected u64"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2.0,"config":$C}"#, "expected u64"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#, "schema 1"),
    invalid(DOCKER_IMAGE, r#"{"schemaVersion":2,"config":$C,"fsLayers":[]}"#, "schema 1"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2}"#, "needs a `config`"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":null,"layers":[]}"#, "needs a `config`"),
    invalid(DOCKER_IMAGE, r#"{"schemaVersion":2,"layers":[]}"#, "needs a `config`"),
    // Two documents in one (CVE-2021-41190).
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"manifests":[]}"#, "must not have `manifests`"),
    invalid(DOCKER_IMAGE, r#"{"schemaVersion":2,"config":$C,"layers":[],"manifests":[$C]}"#, "must not have"),
    invalid(OCI_INDEX, r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, "must not have `config` or `layers`"),
    invalid(OCI_INDEX, r#"{"schemaVersion":2,"manifests":[],"config":$C}"#, "must not have `config` or `layers`"),
    invalid(DOCKER_LIST, r#"{"schemaVersion":2,"layers":[$C]}"#, "must not have `config` or `layers`"),
    // A type of its own that is not the one it was pushed with.
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"mediaType":"text/plain","config":$C}"#, "pushed with Content-Type"),
    invalid(
        OCI_INDEX,
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#,
        "pushed with Content-Type",
    ),
    invalid(
        DOCKER_IMAGE,
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":$C}"#,
        "pushed with Content-Type",
    ),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"mediaType":"","config":$C}"#, "pushed with Content-Type"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"mediaType":7,"config":$C}"#, "expected a string"),
    // Descriptors.
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"$D","size":-1}}"#, "expected u64"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"$D","size":2.5}}"#, "expected u64"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"$D","size":1e30}}"#, "expected u64"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"$D","size":"2"}}"#, "expected u64"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"$D"}}"#, "missing field `size`"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"size":2}}"#, "missing field `digest`"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"sha256:x","size":2}}"#, "exactly 64"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"md5:x","size":2}}"#, "use sha256 or sha512"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"","size":2}}"#, "no algorithm"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":7,"size":2}}"#, "expected a digest"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"layers":[$C,{"digest":"$D","size":-2}]}"#, "expected u64"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"layers":{}}"#, "expected a sequence"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"layers":[null]}"#, "expected struct Descriptor"),
    invalid(OCI_INDEX, r#"{"schemaVersion":2,"manifests":[{"digest":"sha512:ab","size":2}]}"#, "exactly 128"),
    invalid(OCI_INDEX, r#"{"schemaVersion":2,"manifests":[{"digest":"$D","size":-2}]}"#, "expected u64"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"subject":{"digest":"sha256:x","size":2}}"#, "exactly 64"),
    invalid(OCI_INDEX, r#"{"schemaVersion":2,"subject":{"digest":"$D","size":-2}}"#, "expected u64"),
    invalid(OCI_INDEX, r#"{"schemaVersion":2,"subject":"$D"}"#, "must hold descriptors"),
    // What referrers show.
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"artifactType":"nonsense"}"#, "`artifactType`"),
    invalid(OCI_INDEX, r#"{"schemaVersion":2,"artifactType":"a/b; c=d"}"#, "`artifactType`"),
    invalid(
        OCI_IMAGE,
        r#"{"schemaVersion":2,"config":{"mediaType":"nonsense","digest":"$D","size":2}}"#,
        "`config.mediaType`",
    ),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"annotations":{"a":1}}"#, "expected a string"),
    invalid(OCI_IMAGE, r#"{"schemaVersion":2,"config":$C,"annotations":[]}"#, "expected a map"),
];

#[test]
fn what_is_no_manifest_is_refused_by_what_is_wrong_with_it() {
    run(async {
        let registry = Registry::start().await;
        let config = push_blob(&registry, REPO, "{}").await;
        let described = format!(r#"{{"mediaType":"a/config","digest":"{config}","size":2}}"#);
        for Invalid { media_type, document, says } in INVALID {
            let document = document.replace("$C", &described).replace("$D", &config);
            let digest = sha256(&document);
            for reference in ["v1", &digest, &format!("{digest}?tag=v1&tag=v2")] {
                let request = put(format!("/v2/{REPO}/manifests/{reference}")).with("content-type", media_type);
                let answer = refused(400, "MANIFEST_INVALID", *says);
                registry.check(request.body(document.clone()), answer).await;
            }
            let stored = refused(404, "MANIFEST_UNKNOWN", &digest);
            registry.check(get(format!("/v2/{REPO}/manifests/{digest}")), stored).await;
        }
        // The table is about what it says it is about: the same document without a fault passes.
        let sound = format!(r#"{{"schemaVersion":2,"config":{described}}}"#);
        let request = put(format!("/v2/{REPO}/manifests/v1")).with("content-type", OCI_IMAGE);
        registry.check(request.body(sound), ok(201)).await;
    });
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    run(async {
        let registry = Registry::start().await;
        let deep = format!("{{\"schemaVersion\":2,\"manifests\":[],\"x\":{}", "[".repeat(200_000));
        for bytes in [
            b"{\"schemaVersion\":2,\"manifests\":[],\"x\":\"\xff\"}".to_vec(),
            b"{\"schemaVersion\":2,\"manifests\":[],\"x\":\"\xc3\"}".to_vec(),
            vec![0; 100],
            deep.into_bytes(),
        ] {
            let request = put(format!("/v2/{REPO}/manifests/v1")).with("content-type", OCI_INDEX);
            registry.check(request.body(bytes), refused(400, "MANIFEST_INVALID", "not valid JSON")).await;
        }
    });
}

#[test]
fn the_content_type_has_to_be_there() {
    run(async {
        let registry = Registry::start().await;
        let push = || put(format!("/v2/{REPO}/manifests/v1")).body(r#"{"schemaVersion":2,"manifests":[]}"#);
        registry.check(push(), refused(400, "MANIFEST_INVALID", "Content-Type is missing")).await;
        let not_text = push().with("content-type", b"application/\xff");
        registry.check(not_text, refused(400, "MANIFEST_INVALID", "Content-Type")).await;
        registry.check(push().with("content-type", OCI_INDEX), ok(201)).await;
    });
}
