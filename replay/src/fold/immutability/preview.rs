//! What a policy of immutability would protect, asked before it is in force.

use std::ops::Bound;

use tagstone_schema::policy::Scope;
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

use super::rules::Demand;
use crate::fold::state::State;

/// The tags of a scope beside a demand that is not in force there. Expired tags are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview<'a> {
    /// How many tags there are in the scope, whether the demand selects them or not.
    pub tags_in_scope: usize,
    /// How many of them the demand would protect that nothing protects yet.
    pub newly_protected: usize,
    /// How many of them are protected already, by whatever.
    pub already_protected: usize,
    /// The first of those that would be protected newly, by repository and name.
    pub sample: Vec<(&'a RepositoryName, &'a Tag, &'a Digest)>,
}

impl State {
    /// Counts the tags of a scope that a demand would protect, and shows at most `sample` of them. The time it takes is
    /// in proportion to the tags of the scope.
    pub fn preview(&self, scope: &Scope, demand: &Demand, now: Timestamp, sample: usize) -> Preview<'_> {
        let mut preview = Preview::default();
        for repository in self.repositories_in(scope) {
            let Some(live) = self.live(repository, now) else { continue };
            for (tag, state) in live.tags_after(None) {
                preview.tags_in_scope += 1;
                if live.protection.protects(tag, state) {
                    preview.already_protected += 1;
                } else if demand.protects(tag.as_str()) {
                    preview.newly_protected += 1;
                    if preview.sample.len() < sample {
                        preview.sample.push((repository, tag, state.digest()));
                    }
                }
            }
        }
        preview
    }

    /// The names of the repositories in a scope, in byte order.
    fn repositories_in<'a>(&'a self, scope: &Scope) -> impl Iterator<Item = &'a RepositoryName> {
        // Names in a scope follow one another, the first of them not before this.
        let first = match scope {
            Scope::Registry => String::new(),
            Scope::Namespace(namespace) => format!("{namespace}/"),
            Scope::Repository(repository) => repository.to_string(),
        };
        let names = self.names.range::<_, str>((Bound::Included(first.as_str()), Bound::Unbounded));
        names.take_while(|name| scope.contains(name))
    }
}
