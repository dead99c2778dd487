//! Pushing a manifest.

use tagstone_schema::media_type::ManifestKind;
use tagstone_schema::{Digest, MediaType, References, RepositoryName, Tag};

/// A manifest that a client pushes.
#[derive(Clone, Debug)]
pub struct PutManifest {
    /// Where.
    pub repository: RepositoryName,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Size of its bytes.
    pub size: u64,
    /// The media type it was pushed with.
    pub media_type: MediaType,
    /// What its references are.
    pub kind: ManifestKind,
    /// `artifactType`, or the media type of the config.
    pub artifact_type: Option<MediaType>,
    /// The manifest that it refers to; it need not exist.
    pub subject: Option<Digest>,
    /// Everything it names.
    pub references: References,
    /// Those of its references that the repository must have; foreign layers (with `urls`) are not among them.
    pub required: References,
    /// The tags that are to point at it.
    pub tags: Vec<Tag>,
    /// What must hold of each tag; where there is none, of the manifest itself.
    pub condition: Condition,
    /// What may be absent.
    pub sparse: Sparse,
}

/// Whether references of a manifest may be absent (settings `[manifests]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sparse {
    /// Children of an index.
    pub index: bool,
    /// Config and layers of an image.
    pub layers: bool,
}

/// Compare-and-swap on a tag (RFC 9110, section 13). A manifest that is named by its digest points at itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// None was given.
    #[default]
    Always,
    /// `If-Match: *`: the tag must exist.
    Exists,
    /// `If-Match: "<digest>", …`: the tag must point at one of these.
    PointsAt(Vec<Digest>),
    /// `If-None-Match: *`: the tag must not exist.
    Absent,
    /// `If-None-Match: "<digest>", …`: the tag must not point at one of these.
    PointsElsewhere(Vec<Digest>),
}

impl Condition {
    /// Whether it holds for a tag that points at `standing`.
    pub fn holds(&self, standing: Option<&Digest>) -> bool {
        match self {
            Self::Always => true,
            Self::Exists => standing.is_some(),
            Self::PointsAt(digests) => standing.is_some_and(|digest| digests.contains(digest)),
            Self::Absent => standing.is_none(),
            Self::PointsElsewhere(digests) => standing.is_none_or(|digest| !digests.contains(digest)),
        }
    }
}
