//! The bytes of the year: blobs, images, indexes, and what refers to them.

use bytes::Bytes;
use serde_json::json;
use tagstone_replay::content::hash_of;
use tagstone_schema::Algorithm;
use tagstone_schema::media_type::{ManifestKind, OCI_IMAGE, OCI_INDEX};

/// A manifest.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) bytes: Bytes,
    pub(crate) digest: String,
    pub(crate) media_type: &'static str,
    pub(crate) kind: ManifestKind,
    pub(crate) artifact_type: Option<String>,
    pub(crate) subject: Option<String>,
    /// Config and layers, or children.
    pub(crate) references: Vec<String>,
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    hash_of(Algorithm::Sha256, bytes).to_string()
}

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn descriptor(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len() })
}

/// An image of a config and some layers.
pub(crate) fn image(config: &Bytes, layers: &[Bytes]) -> Document {
    let document = json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": descriptor(CONFIG, config),
        "layers": layers.iter().map(|layer| descriptor(LAYER, layer)).collect::<Vec<_>>(),
    });
    let references = [config].into_iter().chain(layers).map(|bytes| digest_of(bytes)).collect();
    Document { references, artifact_type: Some(CONFIG.to_owned()), ..of(ManifestKind::Image, &document) }
}

/// A signature of a manifest.
pub(crate) fn signature(subject: &Document, config: &Bytes, signed: &str) -> Document {
    let artifact_type = "application/vnd.example.signature";
    let document = json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "artifactType": artifact_type,
        "config": descriptor("application/vnd.oci.empty.v1+json", config),
        "layers": [],
        "subject": { "mediaType": subject.media_type, "digest": subject.digest, "size": subject.bytes.len() },
        "annotations": { "signed": signed },
    });
    Document {
        references: vec![digest_of(config)],
        artifact_type: Some(artifact_type.to_owned()),
        subject: Some(subject.digest.clone()),
        ..of(ManifestKind::Image, &document)
    }
}

/// An index of some images.
pub(crate) fn index(children: &[&Document]) -> Document {
    let child =
        |child: &&Document| json!({ "mediaType": child.media_type, "digest": child.digest, "size": child.bytes.len() });
    let manifests: Vec<_> = children.iter().map(child).collect();
    let document = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
    let references = children.iter().map(|child| child.digest.clone()).collect();
    Document { references, ..of(ManifestKind::Index, &document) }
}

fn of(kind: ManifestKind, document: &serde_json::Value) -> Document {
    let bytes = Bytes::from(document.to_string());
    let media_type = match kind {
        ManifestKind::Image => OCI_IMAGE,
        ManifestKind::Index => OCI_INDEX,
    };
    let digest = digest_of(&bytes);
    Document { bytes, digest, media_type, kind, artifact_type: None, subject: None, references: Vec::new() }
}
