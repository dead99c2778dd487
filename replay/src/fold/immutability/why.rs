//! Why a tag is protected, or its name spent: everything that there is to say of one name.

use serde::{Serialize, Serializer};
use tagstone_schema::policy::Scope;
use tagstone_schema::{Digest, Id, RepositoryName, Seq, Tag, Timestamp};

use super::Reason;
use crate::fold::live::SpentAt;
use crate::fold::state::State;

/// What is to be said of a name, whether or not there is a tag of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Why {
    /// Whether the tag is locked by hand, or a policy in force protects tags of this name. Where there is no tag, the
    /// first push would be protected from then on.
    pub protected: bool,
    /// Whether the name can only come back as one digest.
    pub spent: bool,
    /// Where the tag points; none where there is no tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What says so: policies, the widest scope first, the lock, the end of an earlier tag.
    pub reasons: Vec<WhyReason>,
    /// The only digest that a spent name can point at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_digest: Option<Digest>,
}

/// Why a name is protected or spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyReason {
    /// Something protects it.
    Protected(Reason),
    /// It was protected, and is gone.
    Spent {
        /// When the tag was last removed.
        since: Timestamp,
        /// The record that says so; none where a tag has expired and that record is not written yet.
        seq: Option<Seq>,
    },
}

impl State {
    /// Answers for a name as it is to be shown now. None if neither the repository nor the name is known: what was never
    /// protected is forgotten with its repository, and whoever knows that it was there asks [`State::why_of_any`].
    pub fn why(&self, repository: &RepositoryName, tag: &Tag, now: Timestamp) -> Option<Why> {
        let is_known = self.live(repository, now).is_some() || self.spent_at(repository, tag.as_str(), now).is_some();
        is_known.then(|| self.why_of_any(repository, tag, now))
    }

    /// Answers for any name, also where there is no such repository.
    pub fn why_of_any(&self, repository: &RepositoryName, tag: &Tag, now: Timestamp) -> Why {
        let live = self.live(repository, now);
        let standing = live.as_ref().and_then(|live| live.tag(tag.as_str())).map(|(_, standing)| standing);
        let reasons = self.protection(repository).reasons(tag, standing);
        let mut reasons: Vec<_> = reasons.into_iter().map(WhyReason::Protected).collect();
        let protected = !reasons.is_empty();
        let only_digest = self.spent_at(repository, tag.as_str(), now).map(|SpentAt { only, since, seq }| {
            reasons.push(WhyReason::Spent { since, seq });
            only
        });
        let digest = standing.map(|standing| standing.digest().clone());
        Why { protected, spent: only_digest.is_some(), digest, reasons, only_digest }
    }
}

/// A reason as it is written: one form for all kinds.
#[derive(Serialize)]
struct Written<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a Scope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<bool>,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Seq>,
}

impl Written<'_> {
    fn new(kind: &'static str, since: Timestamp, seq: Option<Seq>) -> Self {
        Self { kind, policy: None, scope: None, pattern: None, matches: None, since: since.to_string(), seq }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self {
            Self::Policy { policy, scope, pattern, since } => Written {
                policy: Some(*policy),
                scope: Some(scope),
                pattern: Some(&pattern.regex),
                matches: Some(pattern.matches),
                ..Written::new("policy", since.time, Some(since.seq))
            },
            Self::Lock { since } => Written::new("lock", since.time, Some(since.seq)),
        };
        written.serialize(serializer)
    }
}

impl Serialize for WhyReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Protected(reason) => reason.serialize(serializer),
            Self::Spent { since, seq } => Written::new("spent", *since, *seq).serialize(serializer),
        }
    }
}
