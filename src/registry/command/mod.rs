//! Commands: what a client asks for, after every value was parsed.

mod manifest;
mod policy;
mod removal;
mod tags;
mod tokens;

use bytes::Bytes;
use tagstone_schema::{Actor, Digest, Id, Origin, RepositoryName, Tag};

pub use manifest::{Condition, PutManifest, Sparse};
pub use policy::CreatePolicy;
pub(super) use removal::PurgeOutcome;
pub use removal::{DropCause, DropContents, DropManifests, Purge};
pub use tags::{Because, BecauseError, Expiry, FoundTags, Lock, Prunable, PruneTags, SetTag};
use tagstone_schema::policy::Rule;
pub use tokens::IssueToken;

use super::removal::{Aftermath, Reservation};

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
    /// Keeps the bytes of both from being removed until the command is committed.
    pub reserved: Vec<Reservation>,
    /// What comes of it for what clients were told, where a client gives it.
    pub aftermath: Option<Aftermath>,
}

impl Submission {
    /// A command without bytes.
    pub fn new(actor: Actor, origin: Origin, command: Command) -> Self {
        let (contents, renamed, reserved) = (Vec::new(), Vec::new(), Vec::new());
        Self { actor, origin, command, contents, renamed, reserved, aftermath: None }
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
    /// Remove several tags of a repository, all or none.
    DeleteTags {
        /// Where.
        repository: RepositoryName,
        /// Which.
        tags: Vec<Tag>,
    },
    /// Remove a protected tag all the same.
    EraseTag {
        /// Where.
        repository: RepositoryName,
        /// Which.
        tag: Tag,
        /// Why.
        because: Because,
    },
    /// Change a tag in one or more ways at once.
    SetTag(Box<SetTag>),
    /// Remove a repository with everything in it.
    DeleteRepository {
        /// Which.
        repository: RepositoryName,
    },
    /// Write down a policy.
    CreatePolicy(Box<CreatePolicy>),
    /// Let a draft hold.
    ActivatePolicy {
        /// Which.
        policy: Id,
    },
    /// Give a policy another rule.
    ChangePolicy {
        /// Which.
        policy: Id,
        /// What it is to demand.
        rule: Rule,
    },
    /// Remove a draft, or retire an active policy.
    RemovePolicy {
        /// Which.
        policy: Id,
    },
    /// Remove the tags that a prune policy has found.
    PruneTags(Box<PruneTags>),
    /// Issue an access token.
    IssueToken(Box<IssueToken>),
    /// Revoke an access token.
    RevokeToken {
        /// Which.
        token: Id,
    },
    /// Remove content with its bytes.
    Purge(Box<Purge>),
    /// Give up bytes that nothing refers to.
    DropContents(Box<DropContents>),
    /// Remove manifests that nothing holds.
    DropManifests(Box<DropManifests>),
}
