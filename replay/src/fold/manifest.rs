//! A manifest, as the fold knows it: what its bytes say is read from the store, what decisions need is here.

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
    /// The media type it was pushed with.
    pub media_type: MediaType,
    /// What kind of artifact it is, if it says so.
    pub artifact_type: Option<MediaType>,
    /// The manifest it refers to.
    pub subject: Option<Digest>,
    /// Its config and layers, or its children.
    pub references: References,
    /// When it was pushed.
    pub pushed: Moment,
}

impl Manifest {
    /// Whether its references are manifests (an index), not blobs.
    pub fn is_index(&self) -> bool {
        self.media_type.manifest_kind() == Some(ManifestKind::Index)
    }
}
