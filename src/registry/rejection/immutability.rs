//! What immutability forbids, told so that the message alone suffices: the tag, where it stands, what protects it, and
//! what helps.

use std::fmt;

use tagstone_replay::fold::Reason;
use tagstone_schema::policy::Scope;
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

/// An act that protected tags forbid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Immutable {
    /// Where.
    pub repository: RepositoryName,
    /// What was asked for.
    pub act: Act,
    /// The tags in its way; at least one.
    pub tags: Vec<Protected>,
    /// How many more there are that are not listed.
    pub more: usize,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The tags were to point elsewhere.
    Move {
        /// Where.
        to: Digest,
        /// Whether the manifest that was pushed contains one of those that stand.
        contains_standing: bool,
    },
    /// The tags were to be deleted.
    DeleteTags,
    /// A manifest or blob was to be deleted.
    DeleteContent {
        /// Which.
        digest: Digest,
    },
    /// The repository was to be deleted.
    DeleteRepository,
    /// The tags were to expire.
    Expire,
}

/// A protected tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// The tag.
    pub tag: Tag,
    /// Where it points.
    pub digest: Digest,
    /// What protects it.
    pub reasons: Vec<Reason>,
}

/// A spent name that was to come back as something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentName {
    /// The name.
    pub tag: Tag,
    /// The only digest that it can point at.
    pub only: Digest,
    /// When it was last removed.
    pub removed: Timestamp,
}

/// How many tags a message names; the detail of the answer lists them all.
const SHOWN: usize = 10;

impl std::error::Error for Immutable {}

impl fmt::Display for Immutable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repository = &self.repository;
        let (tags, remedy) = (Tags(self), self.remedy());
        match &self.act {
            Act::Move { to, contains_standing } => {
                write!(f, "cannot move to {to} in repository {repository}: {tags}; nothing was written; ")?;
                if *contains_standing {
                    f.write_str(
                        "the manifest that stands is a part of the one that was pushed: the client pushes children \
                         under the tag, so push them by digest first; otherwise ",
                    )?;
                }
                write!(f, "push under another tag, or ask an administrator to {remedy}")
            }
            Act::DeleteTags => {
                write!(f, "cannot delete from repository {repository}: {tags}; nothing was deleted; ")?;
                write!(f, "ask an administrator to {remedy} or to erase the tag")
            }
            Act::DeleteContent { digest } => {
                write!(f, "cannot delete {digest} from repository {repository}, which immutable tags hold: {tags}; ")?;
                write!(f, "nothing was deleted; ask an administrator to {remedy} or to erase what holds it")
            }
            Act::DeleteRepository => {
                write!(f, "cannot delete repository {repository}, which holds immutable tags: {tags}; ")?;
                write!(f, "nothing was deleted; ask an administrator to {remedy}")
            }
            Act::Expire => {
                write!(f, "cannot let a tag of repository {repository} expire: {tags}; ")?;
                write!(f, "nothing was changed; leave it without expiry, or ask an administrator to {remedy}")
            }
        }
    }
}

impl Immutable {
    /// What would lift the protection.
    fn remedy(&self) -> &'static str {
        let reasons = || self.tags.iter().flat_map(|protected| &protected.reasons);
        let locked = reasons().any(|reason| matches!(reason, Reason::Lock { .. }));
        let ruled = reasons().any(|reason| matches!(reason, Reason::Policy { .. }));
        match (locked, ruled) {
            (true, true) => "unlock the tag and retire the policy",
            (true, false) => "unlock the tag",
            _ => "retire the policy",
        }
    }
}

/// The first of the tags, each with where it stands and why.
struct Tags<'a>(&'a Immutable);

impl fmt::Display for Tags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = &self.0.tags;
        for (at, protected) in tags.iter().take(SHOWN).enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}tag {} is immutable and stays at {}", protected.tag, protected.digest)?;
            // What protects the first mostly protects them all.
            if at == 0 || protected.reasons != tags[0].reasons {
                for (at, reason) in protected.reasons.iter().take(SHOWN).enumerate() {
                    write!(f, "{}{}", if at == 0 { " (" } else { "; " }, Because(reason))?;
                }
                f.write_str(")")?;
            }
        }
        let more = tags.len().saturating_sub(SHOWN) + self.0.more;
        if more > 0 { write!(f, "; and {more} more") } else { Ok(()) }
    }
}

struct Because<'a>(&'a Reason);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reason::Policy { policy, scope, pattern, since } => {
                let negated = if pattern.matches { "" } else { " not" };
                write!(f, "policy {policy} of {}: names{negated} matching `{}`", Where(scope), pattern.regex)?;
                write!(f, ", since {}", since.time)
            }
            Reason::Lock { since } => write!(f, "locked by hand since {}", since.time),
        }
    }
}

/// A scope in words.
pub(in crate::registry) struct Where<'a>(pub(in crate::registry) &'a Scope);

impl fmt::Display for Where<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Scope::Registry => f.write_str("the registry"),
            Scope::Namespace(namespace) => write!(f, "namespace {namespace}"),
            Scope::Repository(repository) => write!(f, "repository {repository}"),
        }
    }
}

pub(super) fn spent_message(repository: &RepositoryName, names: &[SpentName]) -> String {
    let mut text = String::new();
    for name in names.iter().take(SHOWN) {
        let SpentName { tag, only, removed } = name;
        text.push_str(&format!(
            "the name {tag} of repository {repository} is spent, its tag was removed at {removed}: only {only} can return \
             under it; "
        ));
    }
    if names.len() > SHOWN {
        text.push_str(&format!("and {} more; ", names.len() - SHOWN));
    }
    text + "nothing was written; push that digest, or push under another tag"
}
