//! What changed between two points of a log: two states, compared.
//!
//! What happened and was undone in between is no difference, unless the state knows that it happened: a tag that was moved
//! away and back points there since a later record. **Invariant**: where nothing differs the fingerprints are the same, and
//! where something differs they are not.

mod contents;
mod forms;
mod joined;
mod rules;
mod tags;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use forms::{
    BlobChange, Change, FromTo, ManifestChange, PolicyChange, PolicyStands, RepositoryChange, Since, SpentChange,
    TagChange, TokenChange,
};

use crate::fold::State;

/// What changed, by kind; each list in the order in which a state holds such things.
#[derive(Debug, Default, Serialize)]
pub struct Difference<'a> {
    /// Repositories that came or went.
    pub repositories: Vec<RepositoryChange<'a>>,
    /// Tags.
    pub tags: Vec<TagChange<'a>>,
    /// Manifests.
    pub manifests: Vec<ManifestChange<'a>>,
    /// Blobs.
    pub blobs: Vec<BlobChange<'a>>,
    /// Policies.
    pub policies: Vec<PolicyChange<'a>>,
    /// Access tokens.
    pub tokens: Vec<TokenChange<'a>>,
    /// Spent names.
    pub spent: Vec<SpentChange<'a>>,
}

impl<'a> Difference<'a> {
    /// Compares a state with a later one of the same log. The time it takes is in proportion to what the states hold, but
    /// for repositories that nothing touched in between.
    pub fn between(before: &'a State, after: &'a State) -> Self {
        let mut difference = Self::default();
        difference.compare_repositories(before, after);
        difference.compare_policies(before, after);
        difference.compare_tokens(before, after);
        difference.compare_spent(before, after);
        difference
    }

    /// How many changes there are.
    pub fn count(&self) -> usize {
        self.repositories.len()
            + self.tags.len()
            + self.manifests.len()
            + self.blobs.len()
            + self.policies.len()
            + self.tokens.len()
            + self.spent.len()
    }
}
