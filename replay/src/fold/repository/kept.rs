//! What is kept of one repository, beside its contents.

use std::sync::Arc;

use imbl::OrdSet;
use tagstone_schema::{Digest, RepositoryName, Timestamp};

use super::{Repository, RepositoryNumber};
use crate::fold::contents::content::{Content, Held};
use crate::fold::contents::holders::Loose;
use crate::fold::contents::{Contents, Members};
use crate::fold::table::{Keeping, Table};
use crate::fold::tags::Tags;

/// What is kept of a repository.
#[derive(Clone, Debug)]
pub(in crate::fold) struct Kept {
    /// Its name, once: whatever else keeps the name keeps this copy.
    pub(in crate::fold) name: RepositoryName,
    pub(in crate::fold) number: RepositoryNumber,
    /// Where its contents are.
    pub(in crate::fold) members: Members,
    /// How many of the contents are manifests.
    pub(in crate::fold) manifests: usize,
    pub(in crate::fold) tags: Tags,
    /// By subject, the manifests that name it.
    pub(in crate::fold) referrers: Table<Digest, OrdSet<Digest>>,
}

impl Kept {
    pub(in crate::fold) fn new(name: RepositoryName, number: RepositoryNumber, keeping: &Keeping) -> Self {
        let (members, referrers) = match keeping {
            Keeping::Shared => (Members::default(), Table::default()),
            Keeping::Alone => (Members::alone(), Table::alone(0)),
        };
        Self { name, number, members, manifests: 0, tags: Tags::kept(keeping), referrers }
    }

    /// From now on clones share what does not change.
    pub(in crate::fold) fn share(&mut self) {
        self.members.share();
        self.referrers.share();
        self.tags.share();
    }
}

/// A repository that is changed.
pub(in crate::fold) struct Changing<'a> {
    pub(in crate::fold) kept: &'a mut Kept,
    pub(in crate::fold) contents: &'a mut Contents,
}

impl Changing<'_> {
    /// The repository, to be asked.
    pub(in crate::fold) fn asked(&self) -> Repository<'_> {
        Repository { kept: self.kept, contents: self.contents }
    }

    /// A manifest with the tags on it.
    pub(in crate::fold) fn held_mut(&mut self, digest: &Digest) -> Option<&mut Held> {
        self.contents.get_mut(digest, self.kept.number)?.manifest.as_mut().map(Arc::make_mut)
    }

    /// Links a blob; the size that was there before, if it is linked already.
    pub(in crate::fold) fn link(&mut self, digest: &Digest, size: u64, at: Timestamp) -> Option<u64> {
        self.change(digest, at, |content| content.link(size, at))
    }

    /// Adds a manifest with the tags on it, and what follows from it. False, and nothing happens, if it is here already.
    pub(in crate::fold) fn hold(&mut self, held: Held) -> bool {
        let manifest = held.manifest.clone();
        let (pushed, naming) = (manifest.pushed.time, self.contents.naming);
        let is_new = self.change(&manifest.digest, pushed, |content| {
            let is_new = content.manifest.is_none();
            content.manifest.get_or_insert_with(|| Arc::new(held));
            is_new
        });
        if !is_new {
            return false;
        }
        self.kept.manifests += 1;
        for reference in &manifest.references {
            match self.contents.get_mut(reference, self.kept.number) {
                Some(content) => content.parents.insert(&manifest, naming),
                None => self.change(reference, pushed, |content| content.parents.insert(&manifest, naming)),
            }
        }
        if let Some(subject) = manifest.subject() {
            self.kept.referrers.change(subject, OrdSet::new, |all| all.insert(manifest.digest.clone()));
        }
        true
    }

    /// Takes a manifest away, with all that followed from it but its tags.
    pub(in crate::fold) fn let_go(&mut self, held: &Held, loose: Loose) {
        let (manifest, at) = (&held.manifest, loose.since);
        let digest = &manifest.digest;
        self.forget(digest, Some(loose), |content| content.manifest = None);
        self.kept.manifests = self.kept.manifests.saturating_sub(1);
        for reference in &manifest.references {
            self.forget(reference, None, |content| content.lose_parent(digest, at));
        }
        if let Some(subject) = manifest.subject() {
            let is_last = self.kept.referrers.get_mut(subject).is_some_and(|all| {
                all.remove(digest);
                all.is_empty()
            });
            if is_last {
                self.kept.referrers.remove(subject);
            }
        }
        let referrers: Vec<_> = self.kept.referrers.get(digest).into_iter().flatten().cloned().collect();
        for referrer in &referrers {
            if let Some(held) = self.held_mut(referrer) {
                held.idle = at;
            }
        }
    }

    /// Takes away part of what is known of a digest, and the entry with the last part.
    pub(in crate::fold) fn forget(&mut self, digest: &Digest, loose: Option<Loose>, part: impl FnOnce(&mut Content)) {
        let Kept { number, members, .. } = &mut *self.kept;
        self.contents.forget(digest, (*number, members), loose, part);
    }

    /// Changes what is known of a digest by what adds to it.
    pub(in crate::fold) fn change<T>(
        &mut self,
        digest: &Digest,
        since: Timestamp,
        change: impl FnOnce(&mut Content) -> T,
    ) -> T {
        let Kept { number, members, .. } = &mut *self.kept;
        self.contents.change(digest, (*number, members), since, change)
    }
}
