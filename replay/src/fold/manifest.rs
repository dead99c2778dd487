//! A manifest, as the fold knows it: what its bytes say is read from the store, what decisions need is here.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tagstone_schema::media_type::ManifestKind;
use tagstone_schema::{Digest, MediaType, References};

use super::state::Moment;

/// A manifest of a repository. It never changes, so tags and repository share one.
#[derive(Debug)]
pub struct Manifest {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    pub(super) types: Arc<Types>,
    /// The manifest it refers to: few have one.
    pub(super) subject: Option<Box<Digest>>,
    /// Its config and layers, or its children.
    pub references: References,
    /// When it was pushed.
    pub pushed: Moment,
}

/// What a manifest says that it is. Millions say the same, and share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Types {
    pub(super) media_type: MediaType,
    pub(super) artifact_type: Option<MediaType>,
}

impl Manifest {
    /// The media type it was pushed with.
    pub fn media_type(&self) -> &MediaType {
        &self.types.media_type
    }

    /// What kind of artifact it is, if it says so.
    pub fn artifact_type(&self) -> Option<&MediaType> {
        self.types.artifact_type.as_ref()
    }

    /// The manifest it refers to.
    pub fn subject(&self) -> Option<&Digest> {
        self.subject.as_deref()
    }

    /// Whether its references are manifests (an index), not blobs.
    pub fn is_index(&self) -> bool {
        self.media_type().manifest_kind() == Some(ManifestKind::Index)
    }
}

/// A manifest that is found by its digest.
#[derive(Clone, Debug)]
pub(super) struct ByDigest(pub(super) Arc<Manifest>);

impl ByDigest {
    pub(super) fn digest(&self) -> &Digest {
        &self.0.digest
    }
}

impl PartialEq for ByDigest {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for ByDigest {}

impl Hash for ByDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest().hash(state);
    }
}

impl Borrow<Digest> for ByDigest {
    fn borrow(&self) -> &Digest {
        self.digest()
    }
}
