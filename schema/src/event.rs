//! The events: everything that can change a registry, in the past tense.
//!
//! The order of the variants, and of the fields in each, is the format on disk. New variants are appended; nothing is
//! ever moved, changed or removed. `docs/format.md` lists them with their numbers.

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::digest::Digest;
use crate::media_type::MediaType;
use crate::name::{RepositoryName, Tag};
use crate::policy::{Id, Rule, Scope};
use crate::references::References;
use crate::time::Timestamp;

/// One change of state. It takes at most 128 bytes, so that it is moved without a call: a text is boxed where a variant would take more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The first event of every log.
    LogStarted {
        /// A random id; two logs never share one.
        log: Id,
    },
    /// A server opened the log; what follows was written by this program.
    ServerStarted {
        /// Its version.
        version: String,
    },
    /// Verified, durable bytes became visible in a repository.
    BlobLinked {
        /// The repository.
        repository: RepositoryName,
        /// Digest of the blob.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// The repository it was mounted from, if it was not uploaded.
        mounted_from: Option<RepositoryName>,
    },
    /// A client deleted a blob from a repository.
    BlobUnlinked {
        /// The repository.
        repository: RepositoryName,
        /// Digest of the blob.
        digest: Digest,
    },
    /// A manifest became visible in a repository.
    ManifestPushed {
        /// The repository.
        repository: RepositoryName,
        /// Digest of the manifest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// The media type it was pushed with.
        media_type: MediaType,
        /// `artifactType`, or for an image manifest without one the media type of its config.
        artifact_type: Option<MediaType>,
        /// The manifest that this one refers to.
        subject: Option<Digest>,
        /// Config and layers of an image, children of an index.
        references: References,
    },
    /// A manifest was deleted from its repository; every tag on it ended.
    ManifestDeleted {
        /// The repository.
        repository: RepositoryName,
        /// Digest of the manifest.
        digest: Digest,
    },
    /// A tag was created, or moved to another manifest.
    TagMoved {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
        /// Where it pointed before; none for a new tag.
        from: Option<Digest>,
        /// Where it points now.
        to: Digest,
    },
    /// Tags were removed; their manifests stay.
    TagsDeleted {
        /// The repository.
        repository: RepositoryName,
        /// The tags, with what each pointed at.
        tags: Vec<EndedTag>,
        /// Why.
        cause: DeletionCause,
    },
    /// An administrator removed a protected tag.
    TagErased {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
        /// What it pointed at.
        was: Digest,
        /// The reason that was given.
        reason: String,
    },
    /// A tag was protected by hand.
    TagLocked {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
    },
    /// The protection by hand was lifted.
    TagUnlocked {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
    },
    /// The time at which a tag expires was set or removed.
    TagExpirySet {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
        /// When; none for never.
        at: Option<Timestamp>,
    },
    /// A policy was written down; it enforces nothing yet.
    PolicyDrafted {
        /// Its id.
        policy: Id,
        /// Where it is to hold.
        scope: Scope,
        /// What it is to demand.
        rule: Rule,
    },
    /// A policy began to hold: a new one, or a draft.
    PolicyActivated {
        /// Its id.
        policy: Id,
        /// Where it holds.
        scope: Scope,
        /// What it demands.
        rule: Rule,
    },
    /// A policy's rule was replaced; a draft stays a draft, an active policy stays active.
    PolicyChanged {
        /// Its id.
        policy: Id,
        /// What it demands now.
        rule: Rule,
    },
    /// An active policy ceased to hold.
    PolicyRetired {
        /// Its id.
        policy: Id,
    },
    /// A draft was removed.
    DraftRemoved {
        /// Its id.
        policy: Id,
    },
    /// A repository was deleted with everything in it.
    RepositoryDeleted {
        /// The repository.
        repository: RepositoryName,
    },
    /// Bytes were removed from the disk on demand.
    ContentPurged {
        /// The repository that the purge was asked for.
        repository: RepositoryName,
        /// What is gone.
        contents: Vec<RemovedContent>,
        /// The reason that was given.
        reason: String,
    },
    /// Bytes that nothing referenced were removed from the disk.
    ContentCollected {
        /// What is gone.
        contents: Vec<RemovedContent>,
    },
    /// An access token was issued.
    TokenIssued {
        /// Its id.
        token: Id,
        /// The user on whose behalf it acts.
        subject: Box<str>,
        /// What it may do.
        scopes: Vec<TokenScope>,
        /// BLAKE3 of the secret, which itself is stored nowhere.
        secret_hash: [u8; 32],
        /// When it ends; none for never.
        expires: Option<Timestamp>,
        /// What the issuer called it.
        label: Box<str>,
    },
    /// An access token was revoked.
    TokenRevoked {
        /// Its id.
        token: Id,
    },
    /// What was tried and refused, gathered.
    AttemptsRefused {
        /// When the first attempt was made.
        since: Timestamp,
        /// When the last attempt was made.
        until: Timestamp,
        /// The attempts, by who tried what.
        entries: Vec<RefusedAttempt>,
        /// Attempts beyond the entries.
        others: u64,
    },
}

/// A tag that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedTag {
    /// The tag.
    pub tag: Tag,
    /// What it pointed at.
    pub was: Digest,
}

/// Why tags were deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionCause {
    /// A client asked for it.
    Request,
    /// A prune policy.
    Prune {
        /// The policy.
        policy: Id,
        /// The run, which may take several records.
        run: Id,
    },
    /// Its time had come.
    Expiry,
    /// The manifest was purged.
    Purge,
}

/// Content whose bytes are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedContent {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What it was.
    pub content: ContentKind,
}

/// What stored bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    /// A manifest.
    Manifest,
    /// A blob.
    Blob,
}

/// What an access token may do, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenScope {
    /// A glob over repository names, such as `acme/**`.
    pub repositories: String,
    /// The actions.
    pub actions: Vec<Action>,
}

/// Something that access is granted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Reading.
    Pull,
    /// Writing.
    Push,
    /// Removing.
    Delete,
}

/// The same attempt, made one or more times, and refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAttempt {
    /// When it was made first.
    pub first: Timestamp,
    /// When it was made last.
    pub last: Timestamp,
    /// Who tried.
    pub actor: Actor,
    /// From where.
    pub address: String,
    /// In which repository.
    pub repository: RepositoryName,
    /// On which tag.
    pub tag: Option<Tag>,
    /// With which digest.
    pub digest: Option<Digest>,
    /// The reason code of the refusal, such as `TAG_IMMUTABLE`.
    pub reason: String,
    /// How often.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_moved_without_a_call() {
        // What takes more bytes is copied by a function of the system's library, at each move.
        assert!(size_of::<Event>() <= 128, "{}", size_of::<Event>());
    }
}
