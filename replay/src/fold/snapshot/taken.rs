//! What a snapshot stores, taken from a state.

use std::collections::HashMap;
use std::sync::Arc;

use tagstone_schema::{Digest, Head};

use super::stored::{
    At, Portion, RepositoryPlace, StoredContent, StoredDemand, StoredEntry, StoredKnown, StoredManifest, StoredMarks,
    StoredPolicy, StoredRegistry, StoredStatus, StoredTag, StoredToken, TypesPlace,
};
use crate::fold::contents::Place;
use crate::fold::contents::content::{Content, Parents};
use crate::fold::contents::holders::Loose;
use crate::fold::contents::known::Known;
use crate::fold::contents::manifests::{Held, Manifests};
use crate::fold::manifest::Types;
use crate::fold::policy::PolicyStatus;
use crate::fold::repository::{Repository, RepositoryNumber};
use crate::fold::state::{Moment, State};

/// Where everything is in the snapshot that a state holds elsewhere.
pub(super) struct Places<'a> {
    repositories: HashMap<RepositoryNumber, (RepositoryPlace, Repository<'a>)>,
    /// By where they are: manifests share them.
    types: HashMap<*const Types, TypesPlace>,
    /// By the place in the state, which may have vacant ones.
    contents: Vec<Place>,
    manifests: &'a Manifests,
}

impl<'a> Places<'a> {
    pub(super) fn of(state: &'a State) -> Self {
        let repositories = state.repositories().zip(0..);
        let repositories = repositories.map(|((_, repository), place)| (repository.kept.number, (place, repository)));
        let types = state.types.iter().map(Arc::as_ptr).zip(0..);
        let mut next = 0..;
        // Nothing names a place that is vacant.
        let contents = state.contents.all().map(|known| known.and_then(|_| next.next()).unwrap_or(NOWHERE));
        let contents = contents.collect();
        let manifests = &state.contents.manifests;
        Self { contents, manifests, types: types.collect(), repositories: repositories.collect() }
    }
}

/// No state has anything there. If one did not know what it names, the snapshot would be refused when it is read.
const NOWHERE: u32 = u32::MAX;

fn at(moment: Moment) -> At {
    (moment.seq, moment.time)
}

impl StoredRegistry {
    pub(super) fn of(state: &State, head: Head) -> Self {
        let policies = state.policies().map(|(id, policy)| {
            let status = match policy.status {
                PolicyStatus::Draft => StoredStatus::Draft,
                PolicyStatus::Active => StoredStatus::Active,
                PolicyStatus::Retired => StoredStatus::Retired,
            };
            let (scope, rule) = (policy.scope.clone(), policy.rule.clone());
            let [activated, in_force, retired] =
                [policy.activated, policy.in_force, policy.retired].map(|moment| moment.map(at));
            (*id, StoredPolicy { scope, rule, status, created: at(policy.created), activated, in_force, retired })
        });
        let ended = state.rules.ended().map(|(scope, demand, until)| StoredDemand {
            scope: scope.clone(),
            pattern: demand.selector.pattern().clone(),
            include_referrer_tags: demand.include_referrer_tags,
            until: at(until),
        });
        let spent = state.spent.iter().map(|(name, tags)| {
            let tags = tags.iter().map(|(tag, spent)| (tag.clone(), spent.only.clone(), at(spent.removed)));
            (name.clone(), tags.collect())
        });
        let tokens = state.tokens().map(|(id, token)| {
            let stored = StoredToken {
                subject: token.subject.clone(),
                scopes: token.scopes.clone(),
                secret_hash: token.secret_hash,
                expires: token.expires,
                label: token.label.clone(),
                issued: at(token.issued),
                revoked: token.revoked.map(at),
            };
            (*id, stored)
        });
        Self {
            log: state.log(),
            head: (head.seq, head.hash, head.time),
            repositories: state.names.iter().cloned().collect(),
            contents: state.contents.len() as u64,
            types: state.types.iter().map(|types| (types.media_type.clone(), types.artifact_type.clone())).collect(),
            policies: policies.collect(),
            ended: ended.collect(),
            spent: spent.collect(),
            tokens: tokens.collect(),
        }
    }
}

/// Digests of a portion: enough to be hashed quickly, and few enough for what is made of them to stay in the processor's cache.
const PORTION: usize = 4_096;

/// What follows the registry.
pub(super) fn portions(state: &State) -> impl Iterator<Item = Portion> {
    let places = Places::of(state);
    let mut entries = state.contents.all().flatten().map(move |(digest, known)| places.entry(digest, known));
    std::iter::from_fn(move || {
        let portion: Portion = entries.by_ref().take(PORTION).collect();
        (!portion.is_empty()).then_some(portion)
    })
}

impl Places<'_> {
    fn entry(&self, digest: &Digest, known: &Known) -> StoredEntry {
        let known = match known {
            Known::One(content) => {
                let (place, content) = self.content(content);
                StoredKnown::One(place, content)
            }
            Known::Nothing | Known::Loose(_) | Known::More(_) => {
                let mut by: Vec<_> = known.contents().map(|content| self.content(content)).collect();
                by.sort_unstable_by_key(|(place, _)| *place);
                StoredKnown::More { by, loose: known.loose().map(|Loose { since, kind }| (since, kind)) }
            }
        };
        StoredEntry { digest: digest.clone(), known }
    }

    fn content(&self, content: &Content) -> (RepositoryPlace, StoredContent) {
        let repository = self.repositories.get(&content.number());
        let unnamed = match content.parents {
            Parents::None { since } => Some(since),
            Parents::One(_) | Parents::Many(_) | Parents::Counted(_) => None,
        };
        let held = content.manifest.map(|number| &self.manifests[number]);
        let manifest = held.map(|held| self.manifest(repository.map(|(_, repository)| *repository), held));
        let place = repository.map_or(NOWHERE, |(place, _)| *place);
        (place, StoredContent { blob: content.blob(), unnamed, manifest })
    }

    fn manifest(&self, repository: Option<Repository<'_>>, held: &Held) -> StoredManifest {
        let manifest = &held.manifest;
        let place = |place: Place| usize::try_from(place).ok().and_then(|place| self.contents.get(place).copied());
        let tags = held.tags.iter().filter_map(|tag| {
            let state = repository?.tag(tag.as_str())?;
            let marks = state.kept.marks.as_ref().map(|marks| StoredMarks {
                locked: marks.locked.map(at),
                expires: marks.expires,
                protected_before: marks.protected_before.clone(),
            });
            Some(StoredTag { tag: tag.clone(), since: at(state.since()), marks })
        });
        StoredManifest {
            size: manifest.size,
            types: self.types.get(&Arc::as_ptr(&manifest.types)).copied().unwrap_or(NOWHERE),
            subject: manifest.subject().cloned(),
            references: manifest.references.iter().map(|named| place(named).unwrap_or(NOWHERE)).collect(),
            pushed: at(manifest.pushed),
            idle: held.idle,
            tags: tags.collect(),
        }
    }
}
