//! A manifest, as the fold knows it: what its bytes say is read from the store, what decisions need is here.

use std::sync::Arc;

use tagstone_schema::media_type::ManifestKind;
use tagstone_schema::{Digest, MediaType};

use super::contents::places::Places;
use super::state::Moment;

/// A manifest of a repository. It never changes. What it names is asked of its repository ([`super::Repository::references`]), of a
/// state that has it. A copy shares what lies elsewhere.
#[derive(Clone, Debug)]
// The digest comes first: it lies beside the tags on the manifest.
#[repr(C)]
pub struct Manifest {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    pub(super) types: Arc<Types>,
    /// The manifest it refers to: few have one.
    pub(super) subject: Option<Arc<Digest>>,
    /// Where its config and layers, or its children, are.
    pub(super) references: Places,
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
