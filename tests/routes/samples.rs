//! Content for the tables: blobs, images and indexes, and short ways to push them.

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use tagstone_schema::digest::hex;
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};

use crate::case::ok;
use crate::registry::Registry;
use crate::request::{post, put};

/// The repository of most tables.
pub(crate) const REPO: &str = "acme/app";

pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

pub(crate) fn sha512(bytes: impl AsRef<[u8]>) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

/// The digest of content that no registry of these tests has.
pub(crate) fn unknown_digest() -> String {
    sha256("nobody ever pushed this")
}

/// Bytes that do not repeat soon, so that no two parts of them are alike.
pub(crate) fn noise(length: usize) -> Bytes {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// A manifest, with its bytes and digest.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) media_type: &'static str,
    pub(crate) bytes: Bytes,
    pub(crate) digest: String,
}

impl Sample {
    pub(crate) fn new(media_type: &'static str, document: &Value) -> Self {
        Self::of_bytes(media_type, document.to_string())
    }

    pub(crate) fn of_bytes(media_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        Self { media_type, bytes, digest }
    }

    pub(crate) fn sha512(&self) -> String {
        sha512(&self.bytes)
    }

    /// Pushes it under a reference.
    pub(crate) async fn push(&self, registry: &Registry, repository: &str, reference: &str) {
        let request = put(format!("/v2/{repository}/manifests/{reference}"));
        registry.check(request.with("content-type", self.media_type).body(self.bytes.clone()), ok(201)).await;
    }
}

/// The descriptor of some bytes.
pub(crate) fn descriptor(media_type: &str, bytes: impl AsRef<[u8]>) -> Value {
    let bytes = bytes.as_ref();
    json!({"mediaType": media_type, "digest": sha256(bytes), "size": bytes.len()})
}

/// An image whose config is `{}` and whose layers are these.
pub(crate) fn image(layers: &[&[u8]]) -> Value {
    let layers: Vec<_> =
        layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer)).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", "{}"),
        "layers": layers,
    })
}

/// An image without layers that differs from others by its name.
pub(crate) fn named_image(name: &str) -> Sample {
    let mut document = image(&[]);
    document["annotations"] = json!({"name": name});
    Sample::new(OCI_IMAGE, &document)
}

/// An index of these children.
pub(crate) fn index(children: &[&Sample]) -> Sample {
    let children: Vec<_> = children.iter().map(|child| descriptor(child.media_type, &child.bytes)).collect();
    Sample::new(OCI_INDEX, &json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}))
}

/// Pushes a blob in one request and returns its digest.
pub(crate) async fn push_blob(registry: &Registry, repository: &str, bytes: impl Into<Bytes>) -> String {
    let bytes = bytes.into();
    let digest = sha256(&bytes);
    registry.check(post(format!("/v2/{repository}/blobs/uploads/?digest={digest}")).body(bytes), ok(201)).await;
    digest
}

/// Pushes an image without layers under a tag, together with its config.
pub(crate) async fn push_named(registry: &Registry, repository: &str, tag: &str, name: &str) -> Sample {
    push_blob(registry, repository, "{}").await;
    let sample = named_image(name);
    sample.push(registry, repository, tag).await;
    sample
}
