//! Repositories by number.
//!
//! What is kept for millions of digests names a repository by its number, which takes four bytes and stays the same for as long
//! as the repository is there.

use imbl::Vector;
use tagstone_schema::RepositoryName;

/// The number of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::fold) struct RepositoryNumber(u32);

impl RepositoryNumber {
    pub(in crate::fold) fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The names of the repositories that there are, by their numbers.
#[derive(Clone, Debug, Default)]
pub(in crate::fold) struct Numbers {
    names: Vector<Option<RepositoryName>>,
    /// Numbers of repositories that are gone, to be given again.
    free: Vector<RepositoryNumber>,
}

impl Numbers {
    /// Numbers a repository (no memory holds more than a number can tell): the first ones in turn, as long as none is freed.
    pub(in crate::fold) fn give(&mut self, name: &RepositoryName) -> RepositoryNumber {
        if let Some(number) = self.free.pop_back() {
            self.names.set(number.place(), Some(name.clone()));
            return number;
        }
        self.names.push_back(Some(name.clone()));
        RepositoryNumber(u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX))
    }

    /// The repository is gone.
    pub(in crate::fold) fn free(&mut self, number: RepositoryNumber) {
        self.names.set(number.place(), None);
        self.free.push_back(number);
    }

    /// The repository of a number.
    pub(in crate::fold) fn name(&self, number: RepositoryNumber) -> Option<&RepositoryName> {
        self.names.get(number.place())?.as_ref()
    }
    /// How many numbers stand for a repository.
    #[cfg(test)]
    pub(in crate::fold) fn given(&self) -> usize {
        self.names.len() - self.free.len()
    }
}
