//! What a refused command has tried.

use std::sync::Arc;

use tagstone_schema::event::RefusedAttempt;
use tagstone_schema::{Actor, Digest, RepositoryName, Tag, Timestamp, limits};

use crate::registry::command::{Command, Submission};
use crate::registry::rejection::{Act, Rejection};

/// Why an attempt was refused, where that is worth to be kept: because of a rule, not because of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// A protected tag stood in the way.
    TagImmutable,
    /// The name is spent, and bound to another digest.
    TagSpent,
    /// A manifest still needs what was to go.
    InUse,
    /// The rules of access do not allow it to whoever tried.
    AccessDenied,
}

impl RefusalReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::TagImmutable, Self::TagSpent, Self::InUse, Self::AccessDenied];

    /// The reason as it is answered and recorded.
    pub fn code(self) -> &'static str {
        match self {
            Self::TagImmutable => "TAG_IMMUTABLE",
            Self::TagSpent => "TAG_SPENT",
            Self::InUse => "IN_USE",
            Self::AccessDenied => "ACCESS_DENIED",
        }
    }

    /// The reason of a rejection, if it is one of these.
    pub fn of(rejection: &Rejection) -> Option<Self> {
        match rejection {
            Rejection::Immutable(_) => Some(Self::TagImmutable),
            Rejection::Spent { .. } => Some(Self::TagSpent),
            Rejection::InUse { .. } => Some(Self::InUse),
            _ => None,
        }
    }
}

/// Who tried what, and why it was refused. What is equal in all of it is one entry of every list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub address: String,
    /// In which repository. Where access was denied, it need not exist.
    pub repository: RepositoryName,
    /// On which tag.
    pub tag: Option<Tag>,
    /// With which digest.
    pub digest: Option<Digest>,
    /// Why it was refused.
    pub reason: RefusalReason,
}

/// How often an attempt was made, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// When it was made first.
    pub first: Timestamp,
    /// When it was made last.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
}

impl Tally {
    /// Made once.
    pub(super) fn once(at: Timestamp) -> Self {
        Self { first: at, last: at, count: 1 }
    }

    /// Made more often, in another time.
    pub(super) fn add(&mut self, more: Self) {
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
        self.count += more.count;
    }

    /// Made once more.
    pub(super) fn again(&mut self, at: Timestamp) {
        self.last = self.last.max(at);
        self.count += 1;
    }
}

impl Attempt {
    /// What a record tells; none where another version has refused for a reason that this one does not know.
    pub(super) fn recalled(recorded: &RefusedAttempt) -> Option<(Arc<Self>, Tally)> {
        let RefusedAttempt { first, last, actor, address, repository, tag, digest, reason, count } = recorded.clone();
        let reason = RefusalReason::ALL.into_iter().find(|known| known.code() == reason)?;
        Some((Arc::new(Self { actor, address, repository, tag, digest, reason }), Tally { first, last, count }))
    }

    /// The entry of a record.
    pub(super) fn recorded(&self, tally: Tally) -> RefusedAttempt {
        let Tally { first, last, count } = tally;
        let Self { actor, address, repository, tag, digest, reason } = self.clone();
        RefusedAttempt { first, last, actor, address, repository, tag, digest, reason: reason.code().to_owned(), count }
    }
}

/// What one command has tried: an attempt for each tag that stood in its way.
pub(super) struct Tried {
    pub(super) attempts: Vec<Attempt>,
    /// Tags beyond these.
    pub(super) others: u64,
}

impl Tried {
    /// What a command has tried; none if it was rejected for something that is not kept.
    pub(super) fn of(submission: &Submission, rejection: &Rejection) -> Option<Self> {
        let reason = RefusalReason::of(rejection)?;
        let (repository, tags, digest, more) = match rejection {
            Rejection::Immutable(immutable) => {
                let (on_tags, digest) = match &immutable.act {
                    Act::Move { to, .. } => (true, Some(to)),
                    Act::DeleteTags | Act::Expire => (true, None),
                    Act::DeleteContent { digest } => (false, Some(digest)),
                    Act::DeleteRepository => (false, None),
                };
                let tags: Vec<_> = immutable.tags.iter().filter(|_| on_tags).map(|one| &one.tag).collect();
                (&immutable.repository, tags, digest, if on_tags { immutable.more } else { 0 })
            }
            Rejection::Spent { repository, names } => {
                (repository, names.iter().map(|name| &name.tag).collect(), pushed(&submission.command), 0)
            }
            Rejection::InUse { repository, digest, .. } => (repository, Vec::new(), Some(digest), 0),
            _ => return None,
        };
        let attempt = |tag: Option<&Tag>| Attempt {
            actor: submission.actor.clone(),
            address: submission.origin.address.to_string(),
            repository: repository.clone(),
            tag: tag.cloned(),
            digest: digest.cloned(),
            reason,
        };
        if tags.is_empty() {
            return Some(Self { attempts: vec![attempt(None)], others: 0 });
        }
        let attempts: Vec<_> = tags.iter().take(limits::REFUSAL_ENTRIES).map(|tag| attempt(Some(tag))).collect();
        let others = (tags.len() - attempts.len() + more) as u64;
        Some(Self { attempts, others })
    }
}

/// The digest at which a command wants its tags to point.
fn pushed(command: &Command) -> Option<&Digest> {
    match command {
        Command::PutManifest(put) => Some(&put.digest),
        Command::SetTag(set) => set.manifest.as_ref(),
        _ => None,
    }
}
