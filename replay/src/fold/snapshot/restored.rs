//! A state from what a snapshot stores. The bytes may come from anywhere: what no state can hold is refused.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use tagstone_schema::policy::Rule;
use tagstone_schema::{Digest, MediaType, RepositoryName, Tag, Timestamp};

use super::stored::{
    At, MediaTypePlace, StoredDemand, StoredLoose, StoredManifest, StoredPolicy, StoredRegistry, StoredRepository,
    StoredStatus, StoredTag,
};
use crate::fold::contents::Contents;
use crate::fold::contents::content::{Held, Parents};
use crate::fold::contents::holders::Loose;
use crate::fold::immutability::{Demand, Spent};
use crate::fold::manifest::{Manifest, Types};
use crate::fold::policy::{Policy, PolicyStatus};
use crate::fold::repository::kept::{Changing, Kept};
use crate::fold::state::{Moment, State};
use crate::fold::table::{Keeping, Table};
use crate::fold::tag::{Marks, TagSet, TagState};
use crate::fold::tags::Tags;
use crate::fold::token::Token;
use crate::pattern::Selector;

/// A state, as far as it was read, but for what the repositories have.
pub(super) struct Restored {
    state: State,
    media_types: Vec<MediaType>,
    /// What manifests were so far, by the places of both.
    types: HashMap<(MediaTypePlace, Option<MediaTypePlace>), Arc<Types>>,
    /// How many repositories there are to be.
    repositories: u64,
}

/// A repository, whose contents are still to be put where those of all are.
pub(super) struct Made {
    kept: Kept,
    blobs: Vec<(Digest, u64)>,
    unreferenced: Vec<(Digest, Timestamp)>,
    manifests: Vec<Held>,
}

/// The repositories with their contents.
pub(super) struct Gathered {
    contents: Contents,
    repositories: Table<RepositoryName, Arc<Kept>>,
}

/// Digests that are looked up ahead at once.
const AT_ONCE: usize = 256;

impl Gathered {
    /// With room for all digests; at most so many bytes of repositories follow.
    pub(super) fn begin(stored: &StoredRegistry, follow: u64) -> Self {
        let most = usize::try_from(stored.contents.min(follow / StoredRepository::LEAST_BYTES)).unwrap_or(0);
        Self { contents: Contents::to_share(most), repositories: Table::default() }
    }

    /// Takes what a repository has.
    pub(super) fn take(&mut self, made: Made) -> Result<(), String> {
        let Made { mut kept, blobs, unreferenced, manifests } = made;
        let contents = &mut self.contents;
        let touch = |contents: &Contents, digest| contents.touch(digest);
        let mut changing = Changing { kept: &mut kept, contents };
        // Where the list below forgets one, it is never taken for old.
        let never = Timestamp(i64::MAX);
        for some in blobs.chunks(AT_ONCE) {
            black_box(some.iter().fold(0, |all, (digest, _)| all ^ touch(changing.contents, digest)));
            for (digest, size) in some {
                changing.link(digest, *size, never);
            }
        }
        for some in manifests.chunks(AT_ONCE) {
            black_box(some.iter().fold(0, |all, held| all ^ touch(changing.contents, &held.manifest.digest)));
            for held in some {
                changing.hold(held.clone());
            }
        }
        for (digest, since) in unreferenced {
            match changing.contents.get_mut(&digest, changing.kept.number) {
                Some(content) if content.blob().is_some() && content.parents.count() == 0 => {
                    content.parents = Parents::None { since };
                }
                _ => return Err(format!("{digest} is no blob without a manifest")),
            }
        }
        // Now, while it is in the processor's cache.
        kept.share();
        self.repositories.insert(kept.name.clone(), Arc::new(kept));
        Ok(())
    }

    /// Takes content that no repository has. Each of them was taken before.
    pub(super) fn take_loose(&mut self, loose: Vec<StoredLoose>) -> Result<(), String> {
        loose.into_iter().try_for_each(|(digest, since, kind)| {
            let held = |digest| format!("{digest} is loose, and held as well");
            self.contents.note_loose(digest, Loose { since, kind }).map_err(held)
        })
    }

    /// No more are to come.
    pub(super) fn share(&mut self) {
        self.contents.share();
    }
}

fn moment((seq, time): At) -> Moment {
    Moment { seq, time }
}

fn ascending<T, K: Ord + ?Sized>(items: &[T], key: impl Fn(&T) -> &K, what: &str) -> Result<(), String> {
    if items.is_sorted_by(|a, b| key(a) < key(b)) { Ok(()) } else { Err(format!("{what} are out of order")) }
}

impl Restored {
    /// Begins with what belongs to no repository.
    pub(super) fn begin(stored: StoredRegistry) -> Result<Self, String> {
        let mut state = State { log: stored.log, ..State::default() };
        for (id, policy) in stored.policies {
            let policy = restored_policy(policy)?;
            if let (Some(at), Rule::Immutability { include_referrer_tags, .. }, Some(selector)) =
                (policy.in_force, &policy.rule, &policy.selector)
            {
                let demand = Demand { selector: selector.clone(), include_referrer_tags: *include_referrer_tags };
                state.rules.begin(&policy.scope, id, demand, at);
            }
            state.policies.insert(id, policy);
        }
        let ended = stored.ended.into_iter().map(|StoredDemand { scope, pattern, include_referrer_tags, until }| {
            let selector = Selector::new(&pattern).map_err(|error| error.to_string())?;
            Ok((scope, Demand { selector, include_referrer_tags }, moment(until)))
        });
        state.rules.recall(ended.collect::<Result<_, String>>()?);
        for (name, tags) in stored.spent {
            let spent = |(tag, only, removed)| (tag, Spent { only, removed: moment(removed) });
            state.spent.insert(name, tags.into_iter().map(spent).collect());
        }
        for (id, token) in stored.tokens {
            let token = Token {
                subject: token.subject,
                scopes: token.scopes,
                secret_hash: token.secret_hash,
                expires: token.expires,
                label: token.label,
                issued: moment(token.issued),
                revoked: token.revoked.map(moment),
            };
            state.tokens.insert(id, token);
        }
        let (media_types, repositories) = (stored.media_types, stored.repositories);
        Ok(Self { state, media_types, types: HashMap::new(), repositories })
    }

    pub(super) fn end(self, gathered: Gathered) -> Result<State, String> {
        let Gathered { contents, repositories } = gathered;
        let state = State { contents, repositories, types: self.types.into_values().collect(), ..self.state };
        let found = state.repository_count() as u64;
        if found != self.repositories {
            return Err(format!("it has {found} repositories instead of {}", self.repositories));
        }
        Ok(state)
    }

    /// Makes a repository, but for its contents.
    pub(super) fn repository(&mut self, stored: StoredRepository) -> Result<Made, String> {
        let StoredRepository { name, blobs, unreferenced, manifests, tags } = stored;
        if self.state.names.get_max().is_some_and(|last| *last >= name) {
            return Err("repositories are out of order".to_owned());
        }
        ascending(&blobs, |(digest, _)| digest, "blobs")?;
        ascending(&manifests, |manifest| &manifest.digest, "manifests")?;
        ascending(&tags, |tag| &tag.tag, "tags")?;
        // It is nobody else's while it is made. Only the tags are in order as they come.
        let tags_kept = Tags::kept(&Keeping::Shared);
        let made = Kept::new(name.clone(), self.state.numbers.give(&name), &Keeping::Alone);
        let mut kept = Kept { tags: tags_kept, ..made };
        let idle: Vec<_> = manifests.iter().map(|stored| stored.idle.unwrap_or(stored.pushed.1)).collect();
        let manifests = manifests.into_iter().map(|stored| self.manifest(stored)).collect::<Result<Vec<_>, _>>()?;
        let mut tags_on: Vec<_> = manifests.iter().map(|_| Vec::new()).collect();
        for StoredTag { tag, manifest, since, marks } in tags {
            let place = usize::try_from(manifest).ok();
            let (Some(manifest), Some(tags_on)) =
                (place.and_then(|place| manifests.get(place)), place.and_then(|place| tags_on.get_mut(place)))
            else {
                return Err(format!("the tag {tag} points at no manifest"));
            };
            tags_on.push(tag.clone());
            let marks = marks.map(|marks| Marks {
                locked: marks.locked.map(moment),
                expires: marks.expires,
                protected_before: marks.protected_before,
            });
            self.expiring(&name, &tag, marks.as_ref());
            let marks = marks.filter(|marks| *marks != Marks::default()).map(Box::new);
            kept.tags.insert(tag, TagState { manifest: manifest.clone(), since: moment(since), marks });
        }
        let manifests = manifests.into_iter().zip(tags_on).zip(idle);
        let manifests = manifests.map(|((manifest, tags), idle)| Held { manifest, tags: TagSet::of(tags), idle });
        self.state.names.insert(name);
        Ok(Made { kept, blobs, unreferenced, manifests: manifests.collect() })
    }

    fn expiring(&mut self, repository: &RepositoryName, tag: &Tag, marks: Option<&Marks>) {
        if let Some(expires) = marks.and_then(|marks| marks.expires) {
            self.state.expiring.insert((expires, repository.clone(), tag.clone()));
        }
    }

    fn manifest(&mut self, stored: StoredManifest) -> Result<Arc<Manifest>, String> {
        Ok(Arc::new(Manifest {
            digest: stored.digest,
            size: stored.size,
            types: self.types(stored.media_type, stored.artifact_type)?,
            subject: stored.subject.map(Box::new),
            references: stored.references,
            pushed: moment(stored.pushed),
        }))
    }

    fn types(&mut self, of: MediaTypePlace, artifact: Option<MediaTypePlace>) -> Result<Arc<Types>, String> {
        if let Some(known) = self.types.get(&(of, artifact)) {
            return Ok(known.clone());
        }
        let media_type = self.media_type(of)?;
        let artifact_type = artifact.map(|place| self.media_type(place)).transpose()?;
        let types = Arc::new(Types { media_type, artifact_type });
        self.types.insert((of, artifact), types.clone());
        Ok(types)
    }

    fn media_type(&self, place: MediaTypePlace) -> Result<MediaType, String> {
        let found = usize::try_from(place).ok().and_then(|place| self.media_types.get(place));
        found.cloned().ok_or_else(|| "a manifest has an unknown media type".to_owned())
    }
}

fn restored_policy(stored: StoredPolicy) -> Result<Policy, String> {
    let status = match stored.status {
        StoredStatus::Draft => PolicyStatus::Draft,
        StoredStatus::Active => PolicyStatus::Active,
        StoredStatus::Retired => PolicyStatus::Retired,
    };
    let pattern = stored.rule.pattern().filter(|_| status != PolicyStatus::Retired);
    let selector = pattern.map(Selector::new).transpose().map_err(|error| error.to_string())?;
    Ok(Policy {
        scope: stored.scope,
        rule: stored.rule,
        selector,
        status,
        created: moment(stored.created),
        activated: stored.activated.map(moment),
        in_force: stored.in_force.map(moment),
        retired: stored.retired.map(moment),
    })
}
