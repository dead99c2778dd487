//! Image manifests and indexes (image-spec manifest.md and image-index.md; Docker schema 2 and manifest lists).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tagstone_schema::media_type::ManifestKind;
use tagstone_schema::{Digest, MediaType, References};

use crate::strict_json;

/// A manifest that passed every check that needs nothing but its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Whether it is an image or an index.
    pub kind: ManifestKind,
    /// `artifactType`, or for an image without one the media type of its config.
    pub artifact_type: Option<MediaType>,
    /// The manifest that it refers to.
    pub subject: Option<Digest>,
    /// Config and layers, or children.
    pub references: References,
    /// Those references that a registry must have: all but foreign layers, which are fetched from their `urls`.
    pub required: References,
    /// Its annotations.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// A descriptor (image-spec, descriptor.md).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the content.
    #[serde(default)]
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes.
    pub size: u64,
    /// Where else the content can be fetched.
    #[serde(default, skip_serializing)]
    urls: Option<Vec<String>>,
}

/// Why bytes are no manifest that this registry accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The media type is none of the accepted ones.
    #[error(
        "manifests of type `{0}` are not accepted; push an OCI image manifest or index \
         (application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json), or a Docker schema 2 \
         manifest or list"
    )]
    MediaType(String),
    /// Not JSON, or ambiguous JSON.
    #[error("the manifest is not valid JSON: {0}")]
    Json(String),
    /// Anything that its own specification forbids.
    #[error("the manifest is not valid: {0}")]
    Invalid(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Document {
    /// Reads a manifest that was pushed, or stored, as `media_type`.
    pub fn parse(bytes: &[u8], media_type: &MediaType) -> Result<Self, DocumentError> {
        let kind =
            media_type.manifest_kind().ok_or_else(|| DocumentError::MediaType(media_type.as_str().to_owned()))?;
        let value = strict_json::parse(bytes).map_err(|error| DocumentError::Json(error.to_string()))?;
        let has = |key: &str| value.get(key).is_some_and(|value| !value.is_null());
        let (layers, config, manifests) = (has("layers"), has("config"), has("manifests"));
        check_form(&value, kind, manifests, layers || config)?;
        let raw: Raw = serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
        raw.checked(kind, media_type)
    }
}

/// A document that could be read as an image by one client and as an index by another is refused (CVE-2021-41190).
fn check_form(value: &Value, kind: ManifestKind, manifests: bool, image: bool) -> Result<(), DocumentError> {
    if !value.is_object() {
        return Err(invalid("it must be a JSON object"));
    }
    if value.get("fsLayers").is_some() {
        return Err(invalid("schema 1 manifests are not accepted; push schema 2 or OCI"));
    }
    for name in ["config", "subject"] {
        check_descriptor(name, value.get(name))?;
    }
    for name in ["layers", "manifests"] {
        let items = value.get(name).and_then(Value::as_array).into_iter().flatten();
        items.map(Some).try_for_each(|item| check_descriptor(name, item))?;
    }
    match kind {
        ManifestKind::Image if manifests => Err(invalid("an image manifest must not have `manifests`")),
        ManifestKind::Index if image => Err(invalid("an index must not have `config` or `layers`")),
        _ => Ok(()),
    }
}

/// A descriptor is an object; the derived reader would also take its fields from an array.
fn check_descriptor(name: &str, value: Option<&Value>) -> Result<(), DocumentError> {
    match value {
        None | Some(Value::Null | Value::Object(_)) => Ok(()),
        Some(_) => Err(invalid(format!("`{name}` must hold descriptors, which are JSON objects"))),
    }
}

impl Raw {
    fn checked(self, kind: ManifestKind, media_type: &MediaType) -> Result<Document, DocumentError> {
        match self.schema_version {
            Some(2) => {}
            Some(other) => return Err(invalid(format!("`schemaVersion` must be 2, not {other}"))),
            None => return Err(invalid("`schemaVersion` is missing; it must be 2")),
        }
        if let Some(own) = &self.media_type
            && own != media_type.as_str()
        {
            return Err(invalid(format!(
                "its `mediaType` is `{own}`, but it was pushed with Content-Type `{media_type}`"
            )));
        }
        let mut artifact_type = parse_media_type("artifactType", self.artifact_type.as_deref())?;
        let mut required = Vec::new();
        let mut foreign = Vec::new();
        match kind {
            ManifestKind::Image => {
                let config = self.config.ok_or_else(|| invalid("an image manifest needs a `config`"))?;
                if artifact_type.is_none() {
                    artifact_type = parse_media_type("config.mediaType", Some(&config.media_type))?;
                }
                required.push(config.digest);
                for layer in self.layers.unwrap_or_default() {
                    let elsewhere = layer.urls.is_some_and(|urls| !urls.is_empty());
                    if elsewhere { &mut foreign } else { &mut required }.push(layer.digest);
                }
            }
            ManifestKind::Index => {
                required.extend(self.manifests.unwrap_or_default().into_iter().map(|child| child.digest));
            }
        }
        Ok(Document {
            kind,
            artifact_type,
            subject: self.subject.map(|subject| subject.digest),
            references: required.iter().cloned().chain(foreign).collect(),
            required: required.into_iter().collect(),
            annotations: self.annotations,
        })
    }
}

fn parse_media_type(field: &str, text: Option<&str>) -> Result<Option<MediaType>, DocumentError> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|error| invalid(format!("`{field}`: {error}"))),
    }
}

fn invalid(why: impl Into<String>) -> DocumentError {
    DocumentError::Invalid(why.into())
}

#[cfg(test)]
mod tests {
    use tagstone_schema::media_type::{DOCKER_IMAGE, OCI_IMAGE, OCI_INDEX};

    use super::*;

    fn parse(media_type: &str, text: &str) -> Result<Document, DocumentError> {
        let text = text.replace("$A", &format!("sha256:{}", "a".repeat(64)));
        let text = text.replace("$B", &format!("sha512:{}", "b".repeat(128)));
        Document::parse(text.as_bytes(), &media_type.parse().unwrap())
    }

    const IMAGE: &str = r#"{"schemaVersion":2,"config":{"mediaType":"a/config","digest":"$A","size":2},
        "layers":[{"mediaType":"a/layer","digest":"$B","size":3,"urls":["https://elsewhere.example/"]}],
        "annotations":{"k":"v"},"unknown":{"x":[1,2.5,null]}}"#;

    #[test]
    fn an_image_names_its_config_and_layers() {
        let image = parse(OCI_IMAGE, IMAGE).unwrap();
        assert_eq!(image.kind, ManifestKind::Image);
        assert_eq!(image.artifact_type.unwrap().as_str(), "a/config");
        assert_eq!((image.references.len(), image.required.len()), (2, 1), "the foreign layer is not required");
        assert_eq!(image.annotations.unwrap()["k"], "v");
    }

    #[test]
    fn an_index_names_its_children_and_subject() {
        let index = parse(
            OCI_INDEX,
            r#"{"schemaVersion":2,"artifactType":"a/art","manifests":[{"digest":"$A","size":1}],
                "subject":{"mediaType":"a/b","digest":"$B","size":9}}"#,
        )
        .unwrap();
        assert_eq!((index.kind, index.references.len()), (ManifestKind::Index, 1));
        assert_eq!(index.artifact_type.unwrap().as_str(), "a/art");
        assert!(index.subject.is_some());
    }

    #[test]
    fn empty_and_null_lists_pass() {
        for text in [r#"{"schemaVersion":2,"manifests":[]}"#, r#"{"schemaVersion":2,"manifests":null}"#] {
            assert!(parse(OCI_INDEX, text).unwrap().references.is_empty(), "{text}");
        }
        parse(DOCKER_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"$A","size":0},"layers":[]}"#).unwrap();
    }

    #[test]
    fn what_is_wrong_is_said() {
        let config = r#""config":{"mediaType":"a/b","digest":"$A","size":2}"#;
        let cases = [
            ("text/plain", "{}".to_owned(), "`text/plain` are not accepted"),
            ("application/vnd.docker.distribution.manifest.v1+json", "{}".to_owned(), "are not accepted"),
            (OCI_IMAGE, String::new(), "not valid JSON"),
            (OCI_IMAGE, "{}x".to_owned(), "not valid JSON"),
            (OCI_IMAGE, "[]".to_owned(), "must be a JSON object"),
            (OCI_IMAGE, "{}".to_owned(), "`schemaVersion` is missing"),
            (OCI_IMAGE, r#"{"schemaVersion":1,"config":null}"#.to_owned(), "must be 2, not 1"),
            (OCI_IMAGE, r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(), "schema 1"),
            (OCI_IMAGE, r#"{"schemaVersion":2}"#.to_owned(), "needs a `config`"),
            (OCI_IMAGE, format!(r#"{{"schemaVersion":2,{config},"manifests":[]}}"#), "must not have `manifests`"),
            (OCI_INDEX, r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#.to_owned(), "must not have `config`"),
            (OCI_IMAGE, format!(r#"{{"schemaVersion":2,"mediaType":"a/b",{config}}}"#), "pushed with Content-Type"),
            (OCI_IMAGE, format!(r#"{{"schemaVersion":2,"schemaVersion":2,{config}}}"#), "stands twice"),
            (OCI_IMAGE, format!(r#"{{"schemaVersion":2,{config},"x":{{"y":1,"y":2}}}}"#), "`y` stands twice"),
            (OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"$A","size":-1}}"#.to_owned(), "invalid value"),
            (OCI_IMAGE, r#"{"schemaVersion":2,"config":["a/b","$A",2,null]}"#.to_owned(), "`config` must hold"),
            (
                OCI_IMAGE,
                format!(r#"{{"schemaVersion":2,{config},"layers":[["a/b","$A",2,null]]}}"#),
                "`layers` must hold",
            ),
            (
                OCI_INDEX,
                r#"{"schemaVersion":2,"manifests":[],"subject":["a/b","$A",2]}"#.to_owned(),
                "`subject` must hold",
            ),
            (OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"sha256:x","size":1}}"#.to_owned(), "exactly 64"),
            (OCI_IMAGE, r#"{"schemaVersion":2,"config":{"digest":"md5:x","size":1}}"#.to_owned(), "not supported"),
            (OCI_IMAGE, format!(r#"{{"schemaVersion":2,{config},"artifactType":"nonsense"}}"#), "artifactType"),
            (OCI_IMAGE, format!(r#"{{"schemaVersion":2,{config},"annotations":{{"a":1}}}}"#), "expected a string"),
        ];
        for (media_type, text, want) in cases {
            let error = parse(media_type, &text).expect_err(&text).to_string();
            assert!(error.contains(want), "{text}\n  said: {error}\n  want: {want}");
        }
        let not_utf8 = Document::parse(b"{\"schemaVersion\":2,\"x\":\"\xff\"}", &OCI_IMAGE.parse().unwrap());
        assert!(matches!(not_utf8, Err(DocumentError::Json(_))));
        let deep = "[".repeat(100_000);
        assert!(matches!(parse(OCI_IMAGE, &deep), Err(DocumentError::Json(_))), "depth is bounded");
    }
}
