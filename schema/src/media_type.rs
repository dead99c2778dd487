//! Media types of manifests, configs, layers and artifacts.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::excerpt;
use crate::{limits, text};

/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image manifest.
pub const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker image manifest, schema 2.
pub const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A media type `type/subtype` without parameters (RFC 6838, section 4.2), compared as it is written. It takes one word, since an
/// event holds two of them; its text, one more step away, is hardly ever asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Arc<Box<str>>);

impl MediaType {
    /// The media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What kind of manifest the type stands for; `None` for everything that is no manifest this registry accepts.
    pub fn manifest_kind(&self) -> Option<ManifestKind> {
        match self.as_str() {
            OCI_INDEX | DOCKER_LIST => Some(ManifestKind::Index),
            OCI_IMAGE | DOCKER_IMAGE => Some(ManifestKind::Image),
            _ => None,
        }
    }
}

/// What the references of a manifest are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// References are blobs: a config and layers.
    Image,
    /// References are manifests.
    Index,
}

/// Why a text is not a media type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a media type: write it as `type/subtype`, at most {} characters", limits::MEDIA_TYPE_BYTES)]
pub struct MediaTypeError {
    /// The text, cut short.
    given: String,
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        let is_token = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
                && part.as_bytes()[0].is_ascii_alphanumeric()
        };
        match text.split_once('/') {
            Some((kind, subtype)) if text.len() <= limits::MEDIA_TYPE_BYTES && is_token(kind) && is_token(subtype) => {
                Ok(Self(Arc::new(text.into())))
            }
            _ => Err(MediaTypeError { given: excerpt(text) }),
        }
    }
}

impl Borrow<str> for MediaType {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::parsed(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for good in [OCI_INDEX, OCI_IMAGE, DOCKER_LIST, DOCKER_IMAGE, "text/plain", "application/vnd.x.y+json"] {
            assert_eq!(good.parse::<MediaType>().unwrap().as_str(), good);
        }
        for bad in ["", "/", "a", "a/", "/b", "a/b/c", "a/b; c=d", "a /b", "é/b", &format!("a/{}", "b".repeat(255))] {
            assert!(bad.parse::<MediaType>().is_err(), "{bad:?} must not be a media type");
        }
    }
}
