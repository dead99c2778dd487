//! Which manifests a purge takes along: what only the purged one used, and what only refers to it.

use std::collections::BTreeSet;

use tagstone_replay::fold::{Protection, Repository};
use tagstone_replay::pattern::referrer_tags;
use tagstone_schema::{Digest, RepositoryName};

use super::keepers::{Keeper, WhyKept};
use super::purge::{Kept, LeftByDigest};

/// Manifests that one purge takes at most: about as many as fit into one record.
const MANIFESTS: usize = 1_000;

/// Manifests that go together.
pub(super) struct Going<'a> {
    repository: &'a RepositoryName,
    target: Repository<'a>,
    protection: &'a Protection<'a>,
    /// What was deleted before and has left bytes.
    left: &'a LeftByDigest<'a>,
    /// Each behind all that name it, so that they can be deleted in this order.
    order: Vec<Digest>,
    going: BTreeSet<Digest>,
    considered: BTreeSet<Digest>,
}

impl<'a> Going<'a> {
    /// Begins with the manifest that is purged. It may be one that was deleted before: what only it used and what refers to it may be
    /// here.
    pub(super) fn with(
        first: &Digest,
        left: &'a LeftByDigest<'a>,
        repository: &'a RepositoryName,
        target: Repository<'a>,
        protection: &'a Protection<'a>,
    ) -> Self {
        let (order, going) = (vec![first.clone()], BTreeSet::from([first.clone()]));
        Self { repository, target, protection, left, order, going, considered: BTreeSet::new() }
    }

    /// Finds all. None if they are too many for one purge.
    pub(super) fn found(mut self) -> Option<(Vec<Digest>, Vec<Kept>)> {
        let mut at = 0;
        while let Some(next) = self.order.get(at).cloned() {
            at += 1;
            for tied in self.tied_to(&next) {
                if !self.going.contains(&tied) && self.obstacle(&tied).is_none() {
                    self.going.insert(tied.clone());
                    self.order.push(tied);
                } else {
                    self.considered.insert(tied);
                }
                if self.order.len() > MANIFESTS {
                    return None;
                }
            }
        }
        let kept = self.considered.iter().filter(|digest| !self.going.contains(digest));
        let kept = kept.filter_map(|digest| self.kept(digest)).collect();
        Some((self.order, kept))
    }

    /// The children of an index, what names the digest as its subject, and what the tags point at that clients without referrers
    /// write for it.
    fn tied_to(&self, digest: &Digest) -> Vec<Digest> {
        let here = |digest: &Digest| self.target.manifest(digest).is_some() || self.is_left(digest);
        let children = self.target.manifest(digest).filter(|manifest| manifest.is_index());
        let children =
            children.into_iter().flat_map(|index| self.target.references(index).filter(|child| here(child)).cloned());
        let left = self.left.get(digest).into_iter().flat_map(|left| &left.children);
        let left = left.filter(|child| here(child)).cloned();
        let referrers = self.target.referrers(digest, None).map(|referrer| referrer.digest.clone());
        let by_tag = referrer_tags(digest).into_iter().filter_map(|tag| self.target.tag(&tag));
        let by_tag = by_tag.map(|tag| tag.digest().clone());
        children.chain(left).chain(referrers).chain(by_tag).collect()
    }

    /// What keeps a manifest, as far as is known now. Each tie is asked for by itself, whichever it was that led here.
    fn obstacle(&self, digest: &Digest) -> Option<WhyKept> {
        if self.target.referenced_by(digest).any(|parent| !self.going.contains(parent)) {
            return Some(WhyKept::Referenced);
        }
        let Some(manifest) = self.target.manifest(digest) else {
            return (!self.is_left(digest)).then_some(WhyKept::Tagged);
        };
        let tags: Vec<_> = self.target.tags_on(digest).into_iter().flat_map(|tags| tags.iter()).collect();
        if tags.is_empty() {
            return None;
        }
        let is_referrer = manifest.subject().is_some_and(|subject| self.going.contains(subject));
        let goes =
            |tag: &&tagstone_schema::Tag| !self.is_protected(tag) && (is_referrer || self.is_for_going(tag.as_str()));
        (!tags.iter().all(goes)).then_some(WhyKept::Tagged)
    }

    /// Whether it is a manifest that was deleted before.
    fn is_left(&self, digest: &Digest) -> bool {
        self.left.get(digest).is_some_and(|left| left.media_type.is_some())
    }

    fn is_protected(&self, tag: &tagstone_schema::Tag) -> bool {
        self.target.tag(tag.as_str()).is_some_and(|state| self.protection.protects(tag, state))
    }

    /// Whether the tag exists for referrers of a manifest that goes.
    fn is_for_going(&self, tag: &str) -> bool {
        self.going.iter().any(|digest| referrer_tags(digest).iter().any(|own| own == tag))
    }

    fn kept(&self, digest: &Digest) -> Option<Kept> {
        let by = |manifest: &Digest| Keeper { repository: self.repository.clone(), manifest: Some(manifest.clone()) };
        let parents = self.target.referenced_by(digest).filter(|parent| !self.going.contains(parent));
        let mut parents: Vec<_> = parents.map(by).collect();
        parents.sort_unstable_by(|one, other| one.manifest.cmp(&other.manifest));
        let (why, by) =
            if parents.is_empty() { (WhyKept::Tagged, vec![by(digest)]) } else { (WhyKept::Referenced, parents) };
        (self.target.manifest(digest).is_some() || self.is_left(digest)).then(|| Kept {
            digest: digest.clone(),
            why,
            by,
            more: 0,
        })
    }
}
