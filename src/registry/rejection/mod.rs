//! Rejections: what is wrong with a command. The messages are all that most clients print, so each tells what
//! stands in the way and what would be right.

mod immutability;

use tagstone_replay::pattern::PatternError;
use tagstone_schema::{Digest, Id, MediaType, RepositoryName, Tag};

pub use immutability::{Act, Immutable, Protected, SpentName};

use super::conflict::Conflict;

/// Why a command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the variants and their fields are")]
pub enum Rejection {
    #[error("repository {repository} is not known to this registry; it comes into being with the first push")]
    RepositoryUnknown { repository: RepositoryName },
    #[error("blob {digest} is not in repository {repository}")]
    BlobUnknown { repository: RepositoryName, digest: Digest },
    #[error("manifest {digest} is not in repository {repository}")]
    ManifestUnknown { repository: RepositoryName, digest: Digest },
    #[error("tag {tag} is not in repository {repository}")]
    TagUnknown { repository: RepositoryName, tag: Tag },
    #[error(
        "manifest {digest} names {} that {} not in repository {repository}: {}; push {} first",
        if missing.len() == 1 { what.one() } else { what.many() },
        if missing.len() == 1 { "is" } else { "are" },
        listed(missing),
        if missing.len() == 1 { "it" } else { "them" }
    )]
    ReferencesMissing { repository: RepositoryName, digest: Digest, what: Referenced, missing: Vec<Digest> },
    #[error(
        "{digest} is still referenced in repository {repository} by {}: {}; delete {} first",
        if by.len() == 1 { "manifest" } else { "manifests" },
        listed(by),
        if by.len() == 1 { "that" } else { "those" }
    )]
    InUse { repository: RepositoryName, digest: Digest, by: Vec<Digest> },
    #[error(
        "manifest {digest} is in repository {repository} already, as {stored}; push it with that Content-Type, not {given}"
    )]
    MediaTypeDiffers { repository: RepositoryName, digest: Digest, stored: MediaType, given: MediaType },
    #[error("{}", precondition_message(repository, reference, standing.as_ref()))]
    PreconditionFailed { repository: RepositoryName, reference: String, standing: Option<Digest> },
    #[error(transparent)]
    Immutable(Box<Immutable>),
    #[error(
        "tag {tag} of repository {repository} cannot be locked and given an expiration at once: an immutable tag does not \
         expire; ask for one of both"
    )]
    LockedAndExpiring { repository: RepositoryName, tag: Tag },
    #[error("{}", immutability::spent_message(repository, names))]
    Spent { repository: RepositoryName, names: Vec<SpentName> },
    #[error(
        "{} not in repository {repository}: {}; nothing was deleted",
        if tags.len() == 1 { "a tag is" } else { "tags are" },
        listed(tags)
    )]
    TagsUnknown { repository: RepositoryName, tags: Vec<Tag> },
    #[error("{0}")]
    PatternInvalid(#[from] PatternError),
    #[error("there is no policy {policy} here that is active or a draft{}", ended(.retired))]
    PolicyUnknown { policy: Id, retired: Option<tagstone_schema::Timestamp> },
    #[error("policy {policy} is {found}; only a draft can be activated")]
    PolicyNotDraft { policy: Id, found: &'static str },
    #[error("policy {policy} was changed while its run was under way; run it again")]
    PolicyChanged { policy: Id },
    #[error("policy {policy} demands the same already in the same scope; change or delete that one")]
    PolicyExists { policy: Id },
    #[error("{0}")]
    PolicyConflict(Box<Conflict>),
    #[error("repository {repository} was changed while its content was being purged; nothing was purged, try again")]
    Overtaken { repository: RepositoryName },
    #[error("there are {limit} policies that are active or drafts; delete some before adding more")]
    TooManyPolicies { limit: usize },
    #[error("there is a token {token} already; ask again")]
    TokenExists { token: Id },
    #[error("there is no access token {token}")]
    TokenUnknown { token: Id },
    #[error(
        "{subject} has {limit} access tokens that are valid or were issued in the last 24 hours, in which those count too that were \
             revoked or have expired; revoke older ones, or issue fewer"
    )]
    TooManyTokens { subject: String, limit: usize },
    #[error("the change does not fit into one record of {limit} bytes: name fewer tags, or split the manifest")]
    TooLarge { limit: usize },
}

/// What a manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referenced {
    /// Config or layers.
    Blobs,
    /// Children of an index.
    Manifests,
}

impl Referenced {
    fn one(self) -> &'static str {
        match self {
            Self::Blobs => "a blob",
            Self::Manifests => "a manifest",
        }
    }

    fn many(self) -> &'static str {
        match self {
            Self::Blobs => "blobs",
            Self::Manifests => "manifests",
        }
    }
}

/// What became of a policy that is no longer there.
fn ended(retired: &Option<tagstone_schema::Timestamp>) -> String {
    retired.map(|at| format!(": it was retired at {at}")).unwrap_or_default()
}

/// `reference` is the tag or digest that the request names.
fn precondition_message(repository: &RepositoryName, reference: &str, standing: Option<&Digest>) -> String {
    let stands = match standing {
        Some(digest) if digest.to_string() == reference => "is there now".to_owned(),
        Some(digest) => format!("points at {digest} now"),
        None => "does not exist now".to_owned(),
    };
    let kind = if reference.contains(':') { "manifest" } else { "tag" };
    format!(
        "the condition of the request does not hold: {kind} {reference} of repository {repository} {stands}; nothing was written"
    )
}

/// A list that stays readable: the first few, and how many more.
fn listed(items: &[impl ToString]) -> String {
    const SHOWN: usize = 10;
    let mut text = items.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN {
        text.push_str(&format!(" and {} more", items.len() - SHOWN));
    }
    text
}
