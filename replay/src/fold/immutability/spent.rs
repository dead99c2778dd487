//! Names that were protected and are gone: each can only come back as the digest it was protected at.

use imbl::OrdMap;
use tagstone_schema::{Digest, RepositoryName, Tag};

use crate::fold::state::{Moment, State};

/// A spent name. There is no event that frees one: it stays spent also while a tag of the name is there again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The only digest that a tag of this name can point at.
    pub only: Digest,
    /// When the tag was last removed.
    pub removed: Moment,
}

/// The spent names of all repositories, deleted ones too.
pub(in crate::fold) type SpentNames = OrdMap<RepositoryName, OrdMap<Tag, Spent>>;

impl State {
    /// What a name is spent as; also in a repository that is gone.
    pub fn spent(&self, repository: &str, tag: &str) -> Option<&Spent> {
        self.spent.get(repository)?.get(tag)
    }

    /// All spent names, in byte order of repositories and tags.
    pub fn spent_names(&self) -> impl Iterator<Item = (&RepositoryName, &Tag, &Spent)> {
        let names = self.spent.iter();
        names.flat_map(|(repository, tags)| tags.iter().map(move |(tag, spent)| (repository, tag, spent)))
    }

    pub(in crate::fold) fn spend(&mut self, repository: &RepositoryName, tag: &Tag, only: Digest, removed: Moment) {
        let names = self.spent.entry(repository.clone()).or_default();
        names.insert(tag.clone(), Spent { only, removed });
    }
}
