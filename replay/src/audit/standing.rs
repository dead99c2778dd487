//! Moves of a tag that need not be read from the log.
//!
//! To read a record takes far longer than to find its place, and the history of a tag such as `latest` is a thousand moves a
//! page. Most are to a manifest that was pushed by the same record and that the repository still has: then its state knows
//! all there is to tell of it, and the index that the move was to this manifest.

use std::collections::HashMap;
use std::sync::Arc;

use tagstone_schema::{RepositoryName, Seq, Tag};

use super::term::Term;
use super::{Archive, ArchiveError, Place};
use crate::fold::{Manifest, Repository};

/// Moves that are read before the manifests are gone through, which takes as long as to read some.
const READ_FIRST: usize = 32;

/// Manifests of a repository that are gone through at most.
const MOST_MANIFESTS: usize = 20_000;

/// The manifests of a repository, by the record that pushed them.
pub(super) struct Standing<'a> {
    repository: Option<&'a Repository>,
    asked: usize,
    pushed: HashMap<Seq, Vec<&'a Arc<Manifest>>>,
}

impl<'a> Standing<'a> {
    /// The manifests of a repository, if it is still there.
    pub(super) fn of(repository: Option<&'a Repository>) -> Self {
        let repository = repository.filter(|repository| repository.manifest_count() <= MOST_MANIFESTS);
        Self { repository, asked: 0, pushed: HashMap::new() }
    }

    /// The manifest to which the tag was moved at a place, if that can be told without the record.
    pub(super) fn moved_to(
        &mut self,
        archive: &Archive,
        (repository, tag): (&RepositoryName, &Tag),
        place: Place,
    ) -> Result<Option<&'a Arc<Manifest>>, ArchiveError> {
        self.asked += 1;
        if self.asked == READ_FIRST {
            for manifest in self.repository.into_iter().flat_map(Repository::manifests_in_no_order) {
                self.pushed.entry(manifest.pushed.seq).or_default().push(manifest);
            }
        }
        for manifest in self.pushed.get(&place.seq).into_iter().flatten() {
            // Two terms of one event: by chance both keys are right once in 2^96 times.
            if archive.has(Term::Move(repository.as_str(), tag.as_str(), &manifest.digest), place)? {
                return Ok(Some(manifest));
            }
        }
        Ok(None)
    }
}
