//! Repositories by number.
//!
//! What is kept for millions of digests names a repository by its number, which takes four bytes and stays the same for as long
//! as the repository is there.

use imbl::Vector;
use tagstone_schema::RepositoryName;

/// The number of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RepositoryNumber(pub(super) usize);

impl RepositoryNumber {
    /// No number is as great: no memory holds as many repositories.
    pub(super) const LIMIT: usize = 0xffff_fff0;
}

/// The names of the repositories that there are, by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    names: Vector<Option<RepositoryName>>,
    /// Numbers of repositories that are gone, to be given again.
    free: Vector<RepositoryNumber>,
}

impl Numbers {
    /// Numbers a repository: the first ones in turn, as long as none is freed.
    pub(super) fn give(&mut self, name: &RepositoryName) -> RepositoryNumber {
        if let Some(number) = self.free.pop_back() {
            self.names.set(number.0, Some(name.clone()));
            return number;
        }
        self.names.push_back(Some(name.clone()));
        RepositoryNumber(self.names.len() - 1)
    }

    /// The repository is gone.
    pub(super) fn free(&mut self, number: RepositoryNumber) {
        self.names.set(number.0, None);
        self.free.push_back(number);
    }

    /// The repository of a number.
    pub(super) fn name(&self, number: RepositoryNumber) -> Option<&RepositoryName> {
        self.names.get(number.0)?.as_ref()
    }
}
