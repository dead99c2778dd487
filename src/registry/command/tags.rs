//! Changing and removing tags.

use tagstone_schema::limits::REASON_BYTES;
use tagstone_schema::{Digest, Id, RepositoryName, Seq, Tag, Timestamp};

/// What is to be changed about one tag: all of it in one record, or nothing.
#[derive(Clone, Debug)]
pub struct SetTag {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub tag: Tag,
    /// The manifest that it is to point at; the tag is made if it does not exist.
    pub manifest: Option<Digest>,
    /// Its expiry.
    pub expiry: Expiry,
    /// Its protection by hand.
    pub lock: Lock,
}

/// What is to become of a tag's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It stays.
    Keep,
    /// It is removed.
    Never,
    /// It is set.
    At(Timestamp),
}

/// What is to become of a tag's protection by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// It stays.
    Keep,
    /// The tag is locked.
    Lock,
    /// The lock is lifted.
    Unlock,
}

/// Tags that a prune policy has found: all of them in one record.
#[derive(Clone, Debug)]
pub struct PruneTags {
    /// The policy, which has to be active still.
    pub policy: Id,
    /// The record since which its rule was in force; with another rule it would find other tags.
    pub in_force: Seq,
    /// The run.
    pub run: Id,
    /// The tags by repository. What has changed about one since it was found saves it.
    pub found: Vec<FoundTags>,
}

/// Tags of one repository that a prune policy has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTags {
    /// Where.
    pub repository: RepositoryName,
    /// The tags; those that go with a subject behind what they go with.
    pub tags: Vec<Prunable>,
}

/// A tag that is to be pruned, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prunable {
    /// The tag.
    pub tag: Tag,
    /// Where it pointed.
    pub digest: Digest,
    /// The record since which it did.
    pub since: Seq,
    /// For a tag that exists for referrers, the manifest with whose last tag it goes.
    pub subject: Option<Digest>,
}

/// The reason that somebody gives for breaking the glass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because(String);

/// Why a text is no reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reason is needed: 1 to {REASON_BYTES} bytes of text, such as `CVE-2026-1234, ticket 77`")]
pub struct BecauseError;

impl std::str::FromStr for Because {
    type Err = BecauseError;

    fn from_str(text: &str) -> Result<Self, BecauseError> {
        let text = text.trim();
        if text.is_empty() || text.len() > REASON_BYTES { Err(BecauseError) } else { Ok(Self(text.to_owned())) }
    }
}

impl Because {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
