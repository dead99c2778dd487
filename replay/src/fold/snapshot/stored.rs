//! What a snapshot stores.

use serde::{Deserialize, Serialize};
use tagstone_schema::event::{ContentKind, TokenScope};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Digest, Head, Id, MediaType, RecordHash, RepositoryName, Seq, Tag, Timestamp};

use crate::fold::contents::places::Places;

/// A moment, as it is stored.
pub(super) type At = (Seq, Timestamp);
/// A spent name: the only digest that it can come back as, and when its tag was last removed.
pub(super) type StoredSpent = (Tag, Digest, At);
/// Which of the repositories, in the order of their names.
pub(super) type RepositoryPlace = u32;
/// Which of the types that manifests have.
pub(super) type TypesPlace = u32;

/// Everything that belongs to no single digest.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredRegistry {
    pub(super) log: Option<Id>,
    pub(super) head: (Seq, RecordHash, Timestamp),
    /// In order.
    pub(super) repositories: Vec<RepositoryName>,
    /// How many digests follow.
    pub(super) contents: u64,
    pub(super) types: Vec<(MediaType, Option<MediaType>)>,
    pub(super) policies: Vec<(Id, StoredPolicy)>,
    pub(super) ended: Vec<StoredDemand>,
    pub(super) spent: Vec<(RepositoryName, Vec<StoredSpent>)>,
    pub(super) tokens: Vec<(Id, StoredToken)>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredPolicy {
    pub(super) scope: Scope,
    pub(super) rule: Rule,
    pub(super) status: StoredStatus,
    pub(super) created: At,
    pub(super) activated: Option<At>,
    pub(super) in_force: Option<At>,
    pub(super) retired: Option<At>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum StoredStatus {
    Draft,
    Active,
    Retired,
}

/// A demand that is no longer in force.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredDemand {
    pub(super) scope: Scope,
    pub(super) pattern: Pattern,
    pub(super) include_referrer_tags: bool,
    pub(super) until: At,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredToken {
    pub(super) subject: String,
    pub(super) scopes: Vec<TokenScope>,
    pub(super) secret_hash: [u8; 32],
    pub(super) expires: Option<Timestamp>,
    pub(super) label: String,
    pub(super) issued: At,
    pub(super) revoked: Option<At>,
}

/// Part of what follows the registry: what is known of digests, each at the place that those before it leave.
pub(super) type Portion = Vec<StoredEntry>;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredEntry {
    pub(super) digest: Digest,
    pub(super) known: StoredKnown,
}

/// What is known of a digest.
#[derive(Serialize, Deserialize)]
pub(super) enum StoredKnown {
    /// One repository knows of it, and nobody has let it go.
    One(RepositoryPlace, StoredContent),
    /// Anything else. Repositories are in order.
    More { by: Vec<(RepositoryPlace, StoredContent)>, loose: Option<(Timestamp, ContentKind)> },
}

/// What a repository has under a digest.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredContent {
    /// The size of the blob, if one is linked.
    pub(super) blob: Option<u64>,
    /// Since when no manifest names it, if none does.
    pub(super) unnamed: Option<Timestamp>,
    pub(super) manifest: Option<StoredManifest>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredManifest {
    pub(super) size: u64,
    pub(super) types: TypesPlace,
    pub(super) subject: Option<Digest>,
    /// In the order of the digests.
    pub(super) references: Places,
    pub(super) pushed: At,
    pub(super) idle: Timestamp,
    /// In order.
    pub(super) tags: Vec<StoredTag>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredTag {
    pub(super) tag: Tag,
    pub(super) since: At,
    pub(super) marks: Option<StoredMarks>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredMarks {
    pub(super) locked: Option<At>,
    pub(super) expires: Option<Timestamp>,
    pub(super) protected_before: Option<Digest>,
}

impl StoredRegistry {
    pub(super) fn head(&self) -> Head {
        let (seq, hash, time) = self.head;
        Head { seq, hash, time }
    }
}
