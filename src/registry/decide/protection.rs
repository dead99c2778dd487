//! What immutability forbids a command, with everything that its refusal has to name.
//!
//! The questions are the fold's own; here they are only asked beforehand, so that a refusal can say more than that the
//! fold would not have it.

use std::collections::BTreeSet;

use tagstone_replay::fold::{Protection, Repository, State, TagState};
use tagstone_schema::{Digest, References, RepositoryName, Tag};

use super::super::rejection::{Act, Immutable, Protected, Rejection, SpentName};

/// Tags that one refusal lists; more are counted. Enough for every tag of any manifest that a script has made so far, and
/// some megabytes of answer at most.
const LISTED: usize = 10_000;

/// Manifests that are searched for a tag that reaches content through them. What even one of them references cannot be
/// deleted anyway; the search is for the better reason, and must not hold up the writer on a layer that a million images
/// share.
const SEARCHED: usize = 10_000;

/// Collects the protected ones of tags that an act would change.
struct Standing<'a> {
    protection: Protection<'a>,
    protected: Vec<Protected>,
    more: usize,
}

impl<'a> Standing<'a> {
    fn of(state: &'a State, repository: &'a RepositoryName) -> Self {
        Self { protection: state.protection(repository), protected: Vec::new(), more: 0 }
    }

    fn look_at(&mut self, tag: &Tag, standing: TagState<'_>) {
        if !self.protection.protects(tag, standing) {
            return;
        }
        if self.protected.len() == LISTED {
            self.more += 1;
            return;
        }
        let (digest, reasons) = (standing.digest().clone(), self.protection.reasons(tag, Some(standing)));
        self.protected.push(Protected { tag: tag.clone(), digest, reasons });
    }

    fn refuse(self, repository: &RepositoryName, act: impl FnOnce(&[Protected]) -> Act) -> Result<(), Rejection> {
        if self.protected.is_empty() {
            return Ok(());
        }
        let act = act(&self.protected);
        let (tags, more) = (self.protected, self.more);
        Err(Rejection::Immutable(Box::new(Immutable { repository: repository.clone(), act, tags, more })))
    }
}

/// Refuses to end protected tags.
pub(super) fn refuse_ends<'a>(
    state: &State,
    repository: &RepositoryName,
    tags: impl IntoIterator<Item = (&'a Tag, TagState<'a>)>,
) -> Result<(), Rejection> {
    let mut standing = Standing::of(state, repository);
    tags.into_iter().for_each(|(tag, state)| standing.look_at(tag, state));
    standing.refuse(repository, |_| Act::DeleteTags)
}

/// Refuses to point protected tags, or spent names, at another manifest, which has these references.
pub(super) fn refuse_moves(
    state: &State,
    repository: &RepositoryName,
    tags: &[Tag],
    to: &Digest,
    references: &References,
) -> Result<(), Rejection> {
    let mut standing = Standing::of(state, repository);
    if let Some(target) = state.repository(repository.as_str()) {
        let live = distinct(tags).filter_map(|tag| Some((tag, target.tag(tag.as_str())?)));
        live.filter(|(_, state)| state.digest() != to).for_each(|(tag, state)| standing.look_at(tag, state));
    }
    standing.refuse(repository, |protected| Act::Move {
        to: to.clone(),
        contains_standing: protected.iter().any(|one| references.contains(&one.digest)),
    })?;
    refuse_spent(state, repository, tags, to)
}

/// Refuses to point spent names at another digest than the one that each is bound to.
pub(super) fn refuse_spent(
    state: &State,
    repository: &RepositoryName,
    tags: &[Tag],
    to: &Digest,
) -> Result<(), Rejection> {
    let spent = |tag: &Tag| {
        let spent = state.spent(repository.as_str(), tag.as_str()).filter(|spent| spent.only != *to)?;
        Some(SpentName { tag: tag.clone(), only: spent.only.clone(), removed: spent.removed.time })
    };
    let names: Vec<_> = distinct(tags).filter_map(spent).collect();
    if names.is_empty() { Ok(()) } else { Err(Rejection::Spent { repository: repository.clone(), names }) }
}

/// Each tag once, in the order in which a push names them: one that stands there twice is one attempt all the same.
fn distinct(tags: &[Tag]) -> impl Iterator<Item = &Tag> {
    tags.iter().enumerate().filter(|(at, tag)| !tags[..*at].contains(tag)).map(|(_, tag)| tag)
}

/// Refuses to let a protected tag expire.
pub(super) fn refuse_expiry(
    state: &State,
    repository: &RepositoryName,
    tag: &Tag,
    standing: TagState<'_>,
) -> Result<(), Rejection> {
    let mut found = Standing::of(state, repository);
    found.look_at(tag, standing);
    found.refuse(repository, |_| Act::Expire)
}

/// Refuses to delete a manifest or blob that protected tags reach: through the manifest they point at, the children of
/// an index, or what an image is made of.
pub(in crate::registry) fn refuse_held(
    state: &State,
    target: Repository<'_>,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<(), Rejection> {
    let mut standing = Standing::of(state, repository);
    let mut seen = BTreeSet::from([digest]);
    let mut waiting = vec![digest];
    while let Some(next) = waiting.pop() {
        for tag in target.tags_on(next).into_iter().flat_map(|tags| tags.iter()) {
            if let Some(state) = target.tag(tag.as_str()) {
                standing.look_at(tag, state);
            }
        }
        for parent in target.referenced_by(next) {
            if seen.len() < SEARCHED && seen.insert(parent) {
                waiting.push(parent);
            }
        }
    }
    standing.refuse(repository, |_| Act::DeleteContent { digest: digest.clone() })
}

/// Refuses to delete a repository that holds protected tags.
pub(super) fn refuse_emptying(
    state: &State,
    target: Repository<'_>,
    repository: &RepositoryName,
) -> Result<(), Rejection> {
    let mut standing = Standing::of(state, repository);
    target.tags_after(None).for_each(|(tag, state)| standing.look_at(tag, state));
    standing.refuse(repository, |_| Act::DeleteRepository)
}
