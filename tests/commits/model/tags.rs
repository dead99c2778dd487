//! Tags.

use std::collections::BTreeSet;

use tagstone::registry::{Condition, Expiry, Lock, PruneTags, SetTag};
use tagstone_schema::Tag;

use super::{Changed, Moment, Why, World, holds};

/// A live tag.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    pub(super) digest: String,
    pub(super) since: Moment,
    pub(super) locked: Option<Moment>,
    pub(super) expires: Option<i64>,
    /// The last digest at which it was protected, as it was noted at the time.
    pub(super) protected_at: Option<String>,
    /// What of that the fold has to keep.
    pub(super) before: Option<String>,
}

impl World {
    /// Notes of every tag that is protected where it points.
    pub(super) fn look_around(&mut self) {
        for (repository, shelf) in &mut self.shelves {
            for (tag, sign) in &mut shelf.tags {
                if sign.locked.is_some() || self.policies.values().any(|policy| policy.protects(repository, tag)) {
                    sign.protected_at = Some(sign.digest.clone());
                }
            }
        }
    }

    pub(super) fn protects(&self, repository: &str, tag: &str) -> bool {
        self.shelves[repository].tags[tag].locked.is_some()
            || self.policies.values().any(|policy| policy.protects(repository, tag))
    }

    pub(super) fn tags_of(&self, repository: &str) -> Vec<String> {
        self.shelves.get(repository).map(|shelf| shelf.tags.keys().cloned().collect()).unwrap_or_default()
    }

    /// A tag begins to point somewhere.
    pub(super) fn point(&mut self, repository: &str, tag: &str, digest: &str, now: Moment) {
        let tags = &mut self.shelves.get_mut(repository).unwrap().tags;
        match tags.get_mut(tag) {
            Some(sign) => {
                sign.digest = digest.to_owned();
                sign.since = now;
                sign.before = sign.protected_at.clone();
            }
            None => {
                let digest = digest.to_owned();
                let new = Sign { digest, since: now, locked: None, expires: None, protected_at: None, before: None };
                tags.insert(tag.to_owned(), new);
            }
        }
        self.look_around();
    }

    /// A tag ends. If it was ever protected its name is spent.
    pub(super) fn end(&mut self, repository: &str, tag: &str, now: Moment) {
        let sign = self.shelves.get_mut(repository).unwrap().tags.remove(tag).unwrap();
        let name = (repository.to_owned(), tag.to_owned());
        // A name that is spent already is removed once more.
        let only = sign.protected_at.or_else(|| self.spent.get(&name).map(|(only, _)| only.clone()));
        if let Some(only) = only {
            self.spent.insert(name, (only, now));
        }
    }

    /// Refuses to end protected tags.
    pub(super) fn check_ends(&self, repository: &str, tags: &[String]) -> Result<(), Why> {
        let protected = tags.iter().filter(|tag| self.protects(repository, tag));
        refuse(protected.cloned().collect(), Why::Immutable)
    }

    /// Refuses to move protected tags, and to bring spent names back as something else.
    pub(super) fn check_moves(&self, repository: &str, tags: &BTreeSet<String>, to: &str) -> Result<(), Why> {
        let mut protected = BTreeSet::new();
        let mut spent = BTreeSet::new();
        for tag in tags {
            let standing = self.shelves.get(repository).and_then(|shelf| shelf.tags.get(tag));
            if standing.is_some_and(|sign| sign.digest != *to) && self.protects(repository, tag) {
                protected.insert(tag.clone());
            }
            if self.spent.get(&(repository.to_owned(), tag.clone())).is_some_and(|(only, _)| only != to) {
                spent.insert(tag.clone());
            }
        }
        refuse(protected, Why::Immutable)?;
        refuse(spent, Why::Spent)
    }

    pub(super) fn delete_tag(
        &mut self,
        repository: &str,
        tag: &str,
        condition: &Condition,
        now: Moment,
    ) -> Result<Changed, Why> {
        let Some(sign) = self.shelf(repository)?.tags.get(tag) else { return Err(Why::Other) };
        self.check_ends(repository, &[tag.to_owned()])?;
        holds(condition, Some(&sign.digest))?;
        self.end(repository, tag, now);
        Ok(Changed::Something)
    }

    pub(super) fn delete_tags(&mut self, repository: &str, tags: &[Tag], now: Moment) -> Result<Changed, Why> {
        let shelf = self.shelf(repository)?;
        let tags: BTreeSet<_> = tags.iter().map(ToString::to_string).collect();
        let live: Vec<_> = tags.iter().filter(|tag| shelf.tags.contains_key(*tag)).cloned().collect();
        self.check_ends(repository, &live)?;
        if live.len() < tags.len() {
            return Err(Why::Other);
        }
        for tag in &tags {
            self.end(repository, tag, now);
        }
        Ok(if tags.is_empty() { Changed::Nothing } else { Changed::Something })
    }

    pub(super) fn erase(&mut self, repository: &str, tag: &str, now: Moment) -> Result<Changed, Why> {
        let sign = self.shelf_mut(repository)?.tags.remove(tag).ok_or(Why::Other)?;
        // What was never protected is spent as what it was.
        let only = sign.protected_at.unwrap_or(sign.digest);
        self.spent.insert((repository.to_owned(), tag.to_owned()), (only, now));
        Ok(Changed::Something)
    }

    /// Unlocks, moves, locks and sets the expiry, in this order.
    pub(super) fn set(&mut self, set: &SetTag, now: Moment) -> Result<Changed, Why> {
        let (repository, tag) = (set.repository.as_str(), set.tag.to_string());
        let mut changed = Changed::Nothing;
        let standing = self.shelf(repository)?.tags.get(&tag).map(|sign| sign.digest.clone());
        if standing.is_none() && set.manifest.is_none() {
            return Err(Why::Other);
        }
        if set.lock == Lock::Unlock
            && let Some(sign) = self.shelf_mut(repository)?.tags.get_mut(&tag)
            && sign.locked.is_some()
        {
            sign.locked = None;
            sign.before = Some(sign.digest.clone());
            changed = Changed::Something;
        }
        let to = set.manifest.as_ref().map(ToString::to_string);
        if let Some(to) = to
            && standing.as_ref() != Some(&to)
        {
            if !self.shelf(repository)?.manifests.contains_key(&to) {
                return Err(Why::Other);
            }
            self.check_moves(repository, &BTreeSet::from([tag.clone()]), &to)?;
            self.point(repository, &tag, &to, now);
            changed = Changed::Something;
        }
        let sign = self.shelf_mut(repository)?.tags.get_mut(&tag).unwrap();
        let locks = set.lock == Lock::Lock && sign.locked.is_none();
        if locks {
            sign.locked = Some(now);
            changed = Changed::Something;
        }
        let wanted = match set.expiry {
            Expiry::Keep => sign.expires,
            Expiry::Never => None,
            Expiry::At(at) => Some(at.0),
        };
        if wanted != sign.expires {
            sign.expires = wanted;
            changed = Changed::Something;
            if wanted.is_some() && locks {
                return Err(Why::Other);
            }
            if wanted.is_some() {
                self.check_ends(repository, &[tag])?;
            }
        }
        Ok(changed)
    }

    /// Tags that a run has found go, if nothing was changed about them since.
    pub(super) fn prune(&mut self, prune: &PruneTags, now: Moment) -> Result<Changed, Why> {
        let in_force = self.policies.get(&prune.policy).and_then(|policy| policy.in_force);
        let in_force = in_force.ok_or(Why::PolicyUnknown)?;
        if in_force.seq != prune.in_force {
            return Err(Why::PolicyChanged);
        }
        let mut changed = Changed::Nothing;
        let found = prune.found.iter().flat_map(|found| found.tags.iter().map(|tag| (found.repository.as_str(), tag)));
        for (repository, found) in found {
            let tag = found.tag.as_str();
            let Some(sign) = self.shelves.get(repository).and_then(|shelf| shelf.tags.get(tag)) else { continue };
            let unmoved = sign.digest == found.digest.to_string() && sign.since.seq == found.since;
            if unmoved && !self.protects(repository, tag) {
                self.end(repository, tag, now);
                changed = Changed::Something;
            }
        }
        Ok(changed)
    }

    /// Whether any tag of the repository has ended because its time has come.
    pub(super) fn end_expired(&mut self, repository: &str, clock: i64, now: Moment) -> bool {
        let mut any = false;
        for tag in self.tags_of(repository) {
            let due = self.shelves[repository].tags[&tag].expires.is_some_and(|at| at <= clock);
            if due && !self.protects(repository, &tag) {
                self.end(repository, &tag, now);
                any = true;
            }
        }
        any
    }
}

fn refuse(tags: BTreeSet<String>, why: impl FnOnce(BTreeSet<String>) -> Why) -> Result<(), Why> {
    if tags.is_empty() { Ok(()) } else { Err(why(tags)) }
}
