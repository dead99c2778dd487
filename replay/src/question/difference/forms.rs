//! Changes in the form of reports. `from` is what stood at the earlier point, `to` what stands at the later one.

use serde::Serialize;
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Digest, Id, RepositoryName, Tag};

use crate::fold::{Moment, PolicyStatus};

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was not there.
    Created,
    /// It is there no more.
    Deleted,
    /// A tag points elsewhere.
    Moved,
    /// It is as it was, but was gone or elsewhere in between.
    Returned,
    /// It is there, and something about it is different.
    Changed,
}

/// Two values that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FromTo<T> {
    /// At the earlier point.
    pub from: T,
    /// At the later one.
    pub to: T,
}

impl<T: PartialEq> FromTo<T> {
    /// None where they are the same.
    pub(super) fn unless_same(from: T, to: T) -> Option<Self> {
        (from != to).then_some(Self { from, to })
    }
}

/// A record and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Since {
    /// The record.
    pub seq: u64,
    /// Its time.
    pub time: String,
}

impl From<Moment> for Since {
    fn from(Moment { seq, time }: Moment) -> Self {
        Self { seq, time: time.to_string() }
    }
}

/// A repository came or went.
#[derive(Debug, Serialize)]
pub struct RepositoryChange<'a> {
    /// What became of it.
    pub change: Change,
    /// Its name.
    pub repository: &'a RepositoryName,
}

/// A tag.
#[derive(Debug, Serialize)]
pub struct TagChange<'a> {
    /// What became of it.
    pub change: Change,
    /// Its repository.
    pub repository: &'a RepositoryName,
    /// Its name.
    pub tag: &'a Tag,
    /// Where it pointed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'a Digest>,
    /// Where it points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'a Digest>,
    /// Since when it points there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// When it was locked by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<FromTo<Option<String>>>,
    /// When it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<FromTo<Option<String>>>,
    /// The digest that it was last protected at, where its lock was lifted, or it was moved away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected_before: Option<FromTo<Option<&'a Digest>>>,
}

/// A manifest.
#[derive(Debug, Serialize)]
pub struct ManifestChange<'a> {
    /// What became of it.
    pub change: Change,
    /// Its repository.
    pub repository: &'a RepositoryName,
    /// Its digest.
    pub digest: &'a Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// A blob.
#[derive(Debug, Serialize)]
pub struct BlobChange<'a> {
    /// What became of it.
    pub change: Change,
    /// Its repository.
    pub repository: &'a RepositoryName,
    /// Its digest.
    pub digest: &'a Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// A policy.
#[derive(Debug, Serialize)]
pub struct PolicyChange<'a> {
    /// What became of it. A retired policy is still there: it changed.
    pub change: Change,
    /// Its id.
    pub policy: &'a Id,
    /// Where it holds.
    pub scope: &'a Scope,
    /// What it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PolicyStands<'a>>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<PolicyStands<'a>>,
}

/// A policy at a point.
#[derive(Debug, PartialEq, Serialize)]
pub struct PolicyStands<'a> {
    /// `draft`, `active` or `retired`.
    pub status: &'static str,
    /// What it demands.
    pub rule: &'a Rule,
    /// When it was drafted, or activated without a draft.
    pub created: Since,
    /// When it was activated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activated: Option<Since>,
    /// Since when the rule is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force: Option<Since>,
    /// When it was retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired: Option<Since>,
}

/// An access token. It is never forgotten; a revoked one changed.
#[derive(Debug, Serialize)]
pub struct TokenChange<'a> {
    /// What became of it.
    pub change: Change,
    /// Its id.
    pub token: &'a Id,
    /// The user on whose behalf it acts.
    pub user: &'a str,
    /// What the issuer called it.
    pub label: &'a str,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Since>,
}

/// A spent name.
#[derive(Debug, Serialize)]
pub struct SpentChange<'a> {
    /// Spent names are never freed: one was spent, or was removed once more.
    pub change: Change,
    /// The repository.
    pub repository: &'a RepositoryName,
    /// The tag.
    pub tag: &'a Tag,
    /// The only digest that the name can point at.
    pub only_digest: &'a Digest,
    /// When the tag was last removed.
    pub removed: Since,
}

pub(super) fn status(status: PolicyStatus) -> &'static str {
    match status {
        PolicyStatus::Draft => "draft",
        PolicyStatus::Active => "active",
        PolicyStatus::Retired => "retired",
    }
}
