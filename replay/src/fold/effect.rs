//! What an event did, beyond what it says: told to whoever keeps their history while records are applied.
//!
//! Events say what cannot be derived; effects say all of it. The tags that end with their manifest or their repository
//! are named by no event, and are told here one by one.

use serde::{Deserialize, Serialize};
use tagstone_schema::event::DeletionCause;
use tagstone_schema::policy::Scope;
use tagstone_schema::{Id, RepositoryName, Tag};

use super::manifest::Manifest;
use super::state::Moment;

/// Something that happened, as the state before it tells.
#[derive(Clone, Copy, Debug)]
pub enum Effect<'a> {
    /// A tag began to point at a manifest.
    TagMoved {
        /// The repository.
        repository: &'a RepositoryName,
        /// The tag.
        tag: &'a Tag,
        /// Where it pointed before; none for a tag that was not there.
        from: Option<Stood<'a>>,
        /// Where it points now.
        to: &'a Manifest,
    },
    /// A tag ended, by an event that names it or by one that does not.
    TagEnded {
        /// The repository.
        repository: &'a RepositoryName,
        /// The tag.
        tag: &'a Tag,
        /// Where it pointed.
        was: Stood<'a>,
        /// Why it ended.
        cause: EndCause,
    },
    /// A policy is about to be changed or to end by an event that does not say where it holds.
    PolicyConcerned {
        /// The policy.
        policy: Id,
        /// Where it holds, or was to hold.
        scope: &'a Scope,
    },
    /// An access token is about to be revoked, by an event that does not say whose it is.
    TokenConcerned {
        /// The user on whose behalf it acts.
        user: &'a str,
        /// What it is called.
        label: &'a str,
    },
}

/// Where a tag pointed, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Stood<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// When it began to point there.
    pub since: Moment,
}

impl Effect<'_> {
    /// The manifest that a tag began to point at, or with which it ended.
    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::TagMoved { to, .. } => Some(to),
            Self::TagEnded { was, .. } => Some(was.manifest),
            Self::PolicyConcerned { .. } | Self::TokenConcerned { .. } => None,
        }
    }
}

/// Why a tag ended. Indexes store it: variants and fields are appended, or the version of the index is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
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
    /// Its manifest was purged.
    Purge,
    /// An administrator removed it although it was protected.
    Erased,
    /// Its manifest was deleted.
    ManifestDeleted,
    /// Its repository was deleted.
    RepositoryDeleted,
}

impl From<&DeletionCause> for EndCause {
    fn from(cause: &DeletionCause) -> Self {
        match cause {
            DeletionCause::Request => Self::Request,
            DeletionCause::Prune { policy, run } => Self::Prune { policy: *policy, run: *run },
            DeletionCause::Expiry => Self::Expiry,
            DeletionCause::Purge => Self::Purge,
        }
    }
}
