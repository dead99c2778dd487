//! Commands: what a client asks for, after every value was parsed.

use bytes::Bytes;
use tagstone_schema::media_type::ManifestKind;
use tagstone_schema::{Actor, Digest, MediaType, Origin, References, RepositoryName, Tag};

/// A command on its way to the writer, with who gave it and the bytes that travel with it.
#[derive(Debug)]
pub struct Submission {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// What.
    pub command: Command,
    /// Small content that is made durable by the sync of the batch, before the record.
    pub contents: Vec<(Digest, Bytes)>,
    /// Blobs whose files were renamed into place, and whose directories are synced before the record.
    pub renamed: Vec<Digest>,
}

impl Submission {
    /// A command without bytes.
    pub fn new(actor: Actor, origin: Origin, command: Command) -> Self {
        Self { actor, origin, command, contents: Vec::new(), renamed: Vec::new() }
    }
}

/// Something to be decided.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make an uploaded blob visible.
    LinkBlob {
        /// Where.
        repository: RepositoryName,
        /// Which.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// Make a blob of another repository visible.
    MountBlob {
        /// Where.
        repository: RepositoryName,
        /// Which.
        digest: Digest,
        /// From where.
        from: RepositoryName,
    },
    /// Remove a blob from a repository.
    DeleteBlob {
        /// Where.
        repository: RepositoryName,
        /// Which.
        digest: Digest,
    },
    /// Store a manifest and point tags at it.
    PutManifest(Box<PutManifest>),
    /// Remove a manifest, and every tag on it.
    DeleteManifest {
        /// Where.
        repository: RepositoryName,
        /// Which.
        digest: Digest,
        /// What must hold of it.
        condition: Condition,
    },
    /// Remove a tag.
    DeleteTag {
        /// Where.
        repository: RepositoryName,
        /// Which.
        tag: Tag,
        /// What must hold of it.
        condition: Condition,
    },
}

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
