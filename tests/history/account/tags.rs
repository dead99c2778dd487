//! Tags: moved, ended, locked, expiring; sealed and spent.

use serde_json::{Value, json};
use tagstone::registry::{Expiry, Lock, SetTag};
use tagstone_schema::policy::{PruneMethod, Rule};
use tagstone_schema::{Actor, Origin};

use super::policies::contains;
use super::{Account, At, Refusal, Refused, TagNow, mistaken};

/// A tag at a digest, for as long as it pointed there.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) digest: String,
    pub(crate) since: At,
    /// The place of the move among the events of its record.
    pub(crate) index: u32,
    /// When it ended, and why where the tag did not move on.
    pub(crate) until: Option<(At, Option<String>)>,
}

/// A tag left a digest that it was protected at, since it had last begun to point there.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) at: At,
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
    pub(crate) since: At,
}

type Done = Result<(), Refused>;

impl Account {
    pub(crate) fn tag(&self, repository: &str, tag: &str) -> Option<&TagNow> {
        self.standing.shelves.get(repository)?.tags.get(tag)
    }

    /// The tag points somewhere from now on.
    pub(super) fn point(&mut self, repository: &str, tag: &str, to: &str) {
        let at = self.head;
        let is_sealed = self.standing.selects(repository, tag);
        let from = self.tag(repository, tag).map(|tag| tag.digest.clone());
        if let Some(standing) = self.tag(repository, tag).cloned() {
            self.leave(repository, tag, &standing);
        }
        let shelf = self.standing.shelves.get_mut(repository).expect("a repository with the manifest");
        let sealed = |before: Option<String>| if is_sealed { Some(to.to_owned()) } else { before };
        let next = match shelf.tags.remove(tag) {
            Some(before) => TagNow {
                digest: to.to_owned(),
                since: at,
                sealed: sealed(before.sealed.clone()),
                sealed_here: is_sealed,
                ..before
            },
            None => TagNow {
                digest: to.to_owned(),
                since: at,
                locked: None,
                expires: None,
                sealed: sealed(None),
                sealed_here: is_sealed,
            },
        };
        shelf.tags.insert(tag.to_owned(), next);
        let index = self.record.as_ref().map_or(0, |record| record.index);
        let stays = self.stays.entry((repository.to_owned(), tag.to_owned())).or_default();
        if let Some(last) = stays.last_mut().filter(|last| last.until.is_none()) {
            last.until = Some((at, None));
        }
        stays.push(Stay { digest: to.to_owned(), since: at, index, until: None });
        self.tell("tag_moved", json!({ "repository": repository, "tag": tag, "from": from, "to": to }));
    }

    /// The tag leaves the digest that it points at.
    fn leave(&mut self, repository: &str, tag: &str, standing: &TagNow) {
        if standing.sealed_here {
            let (repository, tag, digest) = (repository.to_owned(), tag.to_owned(), standing.digest.clone());
            self.broken.push(Broken { at: self.head, repository, tag, digest, since: standing.since });
        }
    }

    /// The tag is gone.
    pub(super) fn end(&mut self, repository: &str, tag: &str, cause: &str, more: Value) {
        let at = self.head;
        let shelf = self.standing.shelves.get_mut(repository).expect("a repository with the tag");
        let ended = shelf.tags.remove(tag).expect("a tag that can end");
        if cause != "erased" {
            self.leave(repository, tag, &ended);
        }
        let name = (repository.to_owned(), tag.to_owned());
        let before = self.standing.spent.get(&name).map(|(only, _)| only.clone());
        let erased = (cause == "erased").then(|| ended.digest.clone());
        if let Some(only) = ended.sealed.or(erased).or(before) {
            self.standing.spent.insert(name.clone(), (only, at));
        }
        if let Some(last) = self.stays.get_mut(&name).and_then(|stays| stays.last_mut()) {
            last.until = Some((at, Some(cause.to_owned())));
        }
        let mut fields = json!({
            "repository": repository, "tag": tag, "digest": ended.digest, "from": ended.digest, "cause": cause,
        });
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
        }
        self.tell("tag_deleted", fields);
    }

    /// Which of the tags are protected.
    fn protected(&self, repository: &str, tags: &[String]) -> Vec<String> {
        let protects = |tag: &&String| self.tag(repository, tag).is_some() && self.standing.protects(repository, tag);
        tags.iter().filter(protects).cloned().collect()
    }

    /// Refuses to end protected tags, or to let them expire.
    fn check_ends(&self, repository: &str, tags: &[String]) -> Done {
        let protected = self.protected(repository, tags);
        refuse(Refusal::Immutable, repository, protected, None)
    }

    /// Refuses to move protected tags, and to give spent names another digest.
    pub(super) fn check_moves(&self, repository: &str, tags: &[String], to: &str) -> Done {
        let mut protected = self.protected(repository, tags);
        protected.retain(|tag| self.tag(repository, tag).is_some_and(|tag| tag.digest != to));
        refuse(Refusal::Immutable, repository, protected, Some(to))?;
        self.check_spent(repository, tags, to)
    }

    fn check_spent(&self, repository: &str, tags: &[String], to: &str) -> Done {
        let only = |tag: &String| self.standing.spent.get(&(repository.to_owned(), tag.clone()));
        let spent = tags.iter().filter(|tag| only(tag).is_some_and(|(only, _)| only != to));
        refuse(Refusal::Spent, repository, spent.cloned().collect(), Some(to))
    }

    /// All or none.
    pub(super) fn delete_tags(&mut self, actor: &Actor, origin: &Origin, repository: &str, tags: &[String]) -> Done {
        let Some(shelf) = self.standing.shelves.get(repository) else { return mistaken(Refusal::Unknown) };
        let all_there = tags.iter().all(|tag| shelf.tags.contains_key(tag));
        let mut tags = tags.to_vec();
        tags.sort();
        tags.dedup();
        self.check_ends(repository, &tags)?;
        if !all_there {
            return mistaken(Refusal::Unknown);
        }
        self.begin(actor, origin);
        tags.iter().for_each(|tag| self.end(repository, tag, "request", Value::Null));
        Ok(())
    }

    pub(super) fn erase(&mut self, actor: &Actor, origin: &Origin, repository: &str, tag: &str, why: &str) -> Done {
        let Some(standing) = self.tag(repository, tag) else { return mistaken(Refusal::Unknown) };
        let was = standing.digest.clone();
        self.begin(actor, origin);
        let fields = json!({ "repository": repository, "tag": tag, "digest": was, "from": was, "reason": why });
        self.tell("tag_erased", fields);
        self.end(repository, tag, "erased", json!({ "reason": why }));
        Ok(())
    }

    /// A lock that is lifted comes first, a lock that is set comes behind the move.
    pub(super) fn set(&mut self, actor: &Actor, origin: &Origin, set: &SetTag) -> Done {
        let (repository, tag) = (set.repository.as_str(), set.tag.as_str());
        let Some(shelf) = self.standing.shelves.get(repository) else { return mistaken(Refusal::Unknown) };
        let standing = shelf.tags.get(tag);
        let to = set.manifest.as_ref().map(ToString::to_string);
        let to = to.filter(|to| standing.is_none_or(|standing| standing.digest != *to));
        if standing.is_none() && to.is_none() || to.as_ref().is_some_and(|to| !shelf.manifests.contains_key(to)) {
            return mistaken(Refusal::Unknown);
        }
        let locked = standing.is_some_and(|standing| standing.locked.is_some());
        let (unlocks, locks) = (locked && set.lock == Lock::Unlock, !locked && set.lock == Lock::Lock);
        let by_policy = self.standing.selects(repository, tag);
        let names = || vec![tag.to_owned()];
        if let Some(to) = &to {
            if standing.is_some() && (by_policy || locked && !unlocks) {
                return refuse(Refusal::Immutable, repository, names(), Some(to));
            }
            self.check_spent(repository, &names(), to)?;
        }
        let expires = standing.and_then(|standing| standing.expires);
        let wanted = match set.expiry {
            Expiry::Keep => expires,
            Expiry::Never => None,
            Expiry::At(at) => Some(at.0),
        };
        if wanted != expires && wanted.is_some() && (by_policy || locked && !unlocks || locks) {
            return refuse(Refusal::Immutable, repository, names(), None);
        }
        if !unlocks && to.is_none() && !locks && wanted == expires {
            return Ok(());
        }
        self.begin(actor, origin);
        let at = self.head;
        let about = json!({ "repository": repository, "tag": tag });
        if unlocks {
            self.change(repository, tag, |tag| tag.locked = None);
            self.tell("tag_unlocked", about.clone());
        }
        if let Some(to) = &to {
            self.point(repository, tag, to);
        }
        if locks {
            self.change(repository, tag, |tag| {
                tag.locked = Some(at);
                tag.seal();
            });
            self.tell("tag_locked", about);
        }
        if wanted != expires {
            self.change(repository, tag, |tag| tag.expires = wanted);
            let expires = wanted.map(super::instant);
            self.tell("tag_expiry_set", json!({ "repository": repository, "tag": tag, "expires": expires }));
        }
        Ok(())
    }

    fn change(&mut self, repository: &str, tag: &str, change: impl FnOnce(&mut TagNow)) {
        let shelf = self.standing.shelves.get_mut(repository).expect("a repository with the tag");
        change(shelf.tags.get_mut(tag).expect("a tag to be changed"));
    }

    /// Ends the tags whose time has come: a record for each repository.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        let repositories: Vec<_> = self.standing.shelves.keys().cloned().collect();
        for repository in repositories {
            let tags = self.standing.shelves[&repository].tags.iter();
            let mut due: Vec<_> = tags
                .filter_map(|(name, tag)| Some((tag.expires.filter(|at| *at <= now)?, name.clone())))
                .filter(|(_, name)| !self.standing.protects(&repository, name))
                .collect();
            due.sort();
            if !due.is_empty() {
                self.begin(&Actor::system("expiry"), &Origin::default());
                due.iter().for_each(|(_, name)| self.end(&repository, name, "expiry", Value::Null));
            }
        }
    }

    /// A run of a prune policy, if it finds anything: what it ends, by repository and tag.
    pub(crate) fn prune(&mut self, policy: &str, run: &str, actor: &Actor, origin: &Origin) -> Vec<(String, String)> {
        let found = self.to_be_pruned(policy);
        if found.is_empty() {
            return found;
        }
        self.before_a_command();
        self.begin(actor, origin);
        for (repository, tag) in &found {
            self.end(repository, tag, "prune", json!({ "policy": policy, "run": run }));
        }
        self.record = None;
        found
    }

    /// Repositories with a policy have no tags for referrers.
    fn to_be_pruned(&self, policy: &str) -> Vec<(String, String)> {
        let policy = &self.standing.policies[policy];
        let Rule::Prune { method, .. } = &policy.rule else { panic!("an immutability policy is not run") };
        let mut found = Vec::new();
        for (repository, shelf) in &self.standing.shelves {
            if !contains(&policy.scope, repository) {
                continue;
            }
            let gone = |tag: &TagNow| tag.expires.is_some_and(|at| at <= self.now);
            let selected = shelf.tags.iter().filter(|(name, tag)| {
                policy.selects.as_ref().is_none_or(|pattern| pattern.is_match(name))
                    && !self.standing.protects(repository, name)
                    && !gone(tag)
            });
            let mut selected: Vec<_> = selected.map(|(name, tag)| (tag.since, name.clone())).collect();
            selected.sort();
            match method {
                PruneMethod::NumberOfTags(keep) => {
                    let keep = usize::try_from(*keep).expect("a small number");
                    selected.truncate(selected.len().saturating_sub(keep));
                }
                PruneMethod::CreationDate(age) => {
                    let oldest = self.now - i64::from(age.count) * 86_400_000_000;
                    selected.retain(|(since, _)| since.time < oldest);
                }
            }
            found.extend(selected.into_iter().map(|(_, name)| (repository.clone(), name)));
        }
        found
    }
}

fn refuse(refusal: Refusal, repository: &str, tags: Vec<String>, digest: Option<&str>) -> Done {
    if tags.is_empty() {
        return Ok(());
    }
    let attempt = |tag: String| (Some(tag), digest.map(str::to_owned), repository.to_owned());
    Err((refusal, tags.into_iter().map(attempt).collect()))
}
