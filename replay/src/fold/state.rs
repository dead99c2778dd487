//! The state of a whole registry at one point of its log.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use tagstone_schema::{Id, RepositoryName, Seq, Tag, Timestamp};

use super::contents::Contents;
use super::foresight::Foreseen;
use super::immutability::{Rules, SpentNames};
use super::manifest::Types;
use super::policy::Policy;
use super::repository::kept::{Kept, SharedKept};
use super::repository::{Numbers, Repository};
use super::table::{Keeping, Table};
use super::token::{Token, Tokens};

/// When something happened: the record and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The seq of the record.
    pub seq: Seq,
    /// Its time.
    pub time: Timestamp,
}

/// Everything a registry knows, as it stood after some record.
///
/// The maps are persistent: a clone costs a few pointers, and shares all that does not change afterwards. So the
/// server publishes a whole state after every batch, and readers keep the one they began with.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) keeping: Keeping,
    pub(super) log: Option<Id>,
    pub(super) repositories: Table<RepositoryName, SharedKept>,
    /// Where among them the one was that was changed last: most events are of the repository of the event before.
    pub(super) latest: usize,
    /// Where the next records find what they look up.
    pub(super) foreseen: Foreseen,
    /// The names of the repositories, in the order in which they are listed.
    pub(super) names: OrdSet<RepositoryName>,
    /// Their numbers.
    pub(super) numbers: Numbers,
    /// What they have.
    pub(super) contents: Contents,
    /// What manifests ever were, once. Most share a handful, and would each hold a copy.
    pub(super) types: OrdSet<Arc<Types>>,
    /// The last of them that was asked for: most often it is asked for again at once.
    pub(super) latest_types: Option<Arc<Types>>,
    pub(super) policies: OrdMap<Id, Policy>,
    pub(super) tokens: Tokens,
    /// The rules of immutability that are or were in force.
    pub(super) rules: Rules,
    /// Names that can only come back as one digest. They outlive their repositories.
    pub(super) spent: SpentNames,
    /// The tags that expire, by when.
    pub(super) expiring: OrdSet<(Timestamp, RepositoryName, Tag)>,
}

impl State {
    /// A state that nobody else looks at while a log is folded: each event changes it in place, which takes half the time. A clone of
    /// it copies everything; [`State::share`] ends that.
    pub fn alone() -> Self {
        Self {
            keeping: Keeping::Alone,
            repositories: Table::kept(&Keeping::Alone),
            contents: Contents::kept(&Keeping::Alone),
            ..Self::default()
        }
    }

    /// The same state, whose clones share what does not change.
    pub fn share(&mut self) {
        if let Keeping::Alone = std::mem::take(&mut self.keeping) {
            self.foreseen.clear();
            self.repositories.values_mut(|repository| SharedKept::make_mut(repository).share());
            self.repositories.share();
            self.contents.share();
        }
    }

    /// The id of the log; none before its first record.
    pub fn log(&self) -> Option<Id> {
        self.log
    }

    /// A repository, if anything was ever put into it and it was not deleted.
    pub fn repository(&self, name: &str) -> Option<Repository<'_>> {
        self.repositories.get(name).map(|kept| self.asked(kept))
    }

    /// A repository, to be asked.
    pub(super) fn asked<'a>(&'a self, kept: &'a Kept) -> Repository<'a> {
        Repository { kept, contents: &self.contents }
    }

    /// All repositories in byte order of their names.
    pub fn repositories(&self) -> impl Iterator<Item = (&RepositoryName, Repository<'_>)> {
        self.repositories_from(Bound::Unbounded)
    }

    /// The repositories whose names follow `last` in byte order; `last` need not exist.
    pub fn repositories_after(&self, last: Option<&str>) -> impl Iterator<Item = (&RepositoryName, Repository<'_>)> {
        self.repositories_from(last.map_or(Bound::Unbounded, Bound::Excluded))
    }

    pub(super) fn repositories_from(
        &self,
        from: Bound<&str>,
    ) -> impl Iterator<Item = (&RepositoryName, Repository<'_>)> {
        let names = self.names.range::<_, str>((from, Bound::Unbounded));
        names.filter_map(|name| Some((name, self.repository(name.as_str())?)))
    }

    /// How many repositories there are.
    pub fn repository_count(&self) -> usize {
        self.repositories.len()
    }

    /// All policies, retired ones too, in order of their ids.
    pub fn policies(&self) -> impl Iterator<Item = (&Id, &Policy)> {
        self.policies.iter()
    }

    /// A policy by its id.
    pub fn policy(&self, id: &Id) -> Option<&Policy> {
        self.policies.get(id)
    }

    /// All access tokens that were ever issued, in order of their ids.
    pub fn tokens(&self) -> impl Iterator<Item = (&Id, &Token)> {
        self.tokens.iter()
    }

    /// How many access tokens of a user count at a moment: those that are valid, and those of the last day.
    pub fn counted_tokens(&self, subject: &str, now: Timestamp) -> usize {
        self.tokens.counted_at(subject, now)
    }

    /// An access token by its id.
    pub fn token(&self, id: &Id) -> Option<&Token> {
        self.tokens.get(id)
    }
}
