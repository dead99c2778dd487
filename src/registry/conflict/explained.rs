//! What is said of contradictions. The messages are all that most operators read, so each names the policies, what
//! they select, and what can be done.

use std::fmt;

use tagstone_schema::Tag;
use tagstone_schema::policy::{Id, Pattern, Scope};

use super::Judged;

/// How many policies a message names.
const NAMED: usize = 5;

/// A policy, as a message names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its id; none for the candidate.
    pub id: Option<Id>,
    /// Where it holds.
    pub scope: Scope,
    /// What it selects; none is every tag.
    pub pattern: Option<Pattern>,
    /// A tag that it selects and no other policy of the conflict does, where there is one and it was looked for.
    pub example: Option<Tag>,
}

impl From<&Judged<'_>> for Party {
    fn from(policy: &Judged<'_>) -> Self {
        let pattern = policy.selector.map(|selector| selector.pattern().clone());
        Self { id: policy.id, scope: policy.scope.clone(), pattern, example: None }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "policy {id}")?,
            None => f.write_str("this policy")?,
        }
        write!(f, " (in {}, {}", Place(&self.scope), Selection(self.pattern.as_ref()))?;
        if let Some(example) = &self.example {
            write!(f, ", such as `{example}`")?;
        }
        f.write_str(")")
    }
}

/// Why a policy cannot be put in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// With others it would protect every tag, which none of them does alone.
    #[error(
        "every tag in {} would be immutable: {candidate} and {} leave none out, though none of them says so alone; \
         narrow a pattern or retire {}, or, if every tag is to be immutable, say so with one policy that matches `.*`",
        Place(place), Listed(others), if others.len() == 1 { "the other policy" } else { "one of the other policies" }
    )]
    EveryTag {
        /// The policy that would complete it.
        candidate: Party,
        /// The others that it takes.
        others: Vec<Party>,
        /// Where all of them hold.
        place: Scope,
    },
    /// It is to prune, and all that it selects is protected.
    #[error(
        "nothing could ever be pruned: all that {candidate} selects is immutable by {}; choose a pattern that selects \
         other tags, or retire {} first",
        Listed(protecting), if protecting.len() == 1 { "that policy" } else { "one of them" }
    )]
    NothingToPrune {
        /// The policy that is to prune.
        candidate: Party,
        /// Those that together protect all that it selects.
        protecting: Vec<Party>,
    },
}

/// What somebody should know of a policy that is put in force all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A prune policy can prune nothing any more.
    #[error(
        "nothing is left to prune for {prune}: all that it selects is made immutable by {candidate}{}; retire the prune \
         policy if that is meant",
        And(with)
    )]
    NothingLeftToPrune {
        /// The policy that completes it.
        candidate: Party,
        /// The others that it takes.
        with: Vec<Party>,
        /// The policy that prunes.
        prune: Party,
    },
    /// Nothing is selected.
    #[error("no tag can have a name that {candidate} selects, so it has no effect; check the pattern")]
    SelectsNothing {
        /// The policy.
        candidate: Party,
    },
    /// The patterns are too large to be compared.
    #[error(
        "whether {candidate} contradicts other policies could not be judged everywhere: the patterns are too large to be \
         compared; simpler ones, with smaller counts, can be"
    )]
    NotJudged {
        /// The policy.
        candidate: Party,
    },
}

struct Place<'a>(&'a Scope);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Scope::Registry => f.write_str("the whole registry"),
            Scope::Namespace(namespace) => write!(f, "namespace {namespace}"),
            Scope::Repository(repository) => write!(f, "repository {repository}"),
        }
    }
}

struct Selection<'a>(Option<&'a Pattern>);

impl fmt::Display for Selection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("every tag"),
            Some(Pattern { regex, matches: true }) => write!(f, "tags that match `{regex}`"),
            Some(Pattern { regex, matches: false }) => write!(f, "tags that do not match `{regex}`"),
        }
    }
}

struct Listed<'a>(&'a [Party]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, party) in self.0.iter().take(NAMED).enumerate() {
            let separator = match at {
                0 => "",
                _ if at + 1 == self.0.len() => " and ",
                _ => ", ",
            };
            write!(f, "{separator}{party}")?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

struct And<'a>(&'a [Party]);

impl fmt::Display for And<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " with {}", Listed(self.0)) }
    }
}
