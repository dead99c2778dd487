//! A registry as a beginner would write it: maps of texts, no sharing, no log. It says what should have happened.
//!
//! What was ever protected is noted, not asked for afterwards: after every change each tag is looked at, and the digest
//! at which it is protected is written down beside it.

mod content;
mod fingerprint;
mod policies;
mod tags;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tagstone::registry::{Command, Condition, Lock, PutManifest, Rejection};
use tagstone_schema::policy::Scope;
use tagstone_schema::{Digest, Id};

use crate::registry::{Answer, START};
use policies::Paper;
pub(crate) use policies::is_full_match;
use tags::Sign;

/// A registry, how far its log has come, and at what time.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    world: World,
    now: Moment,
    /// When the first attempt was refused by a rule that no record tells of yet.
    refused: Option<i64>,
    lets_expire: bool,
}

/// How long such attempts are gathered, in microseconds.
const GATHERED_FOR: i64 = 60_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    seq: u64,
    time: i64,
}

/// Everything, by name.
#[derive(Clone, Debug, Default)]
struct World {
    shelves: BTreeMap<String, Shelf>,
    policies: BTreeMap<Id, Paper>,
    /// Scope, expression, whether it has to match, whether it is for the names of referrers too; and the last end.
    ended: BTreeMap<(Scope, String, bool, bool), Moment>,
    /// Repository and tag; the only digest that can return, and when the name was removed.
    spent: BTreeMap<(String, String), (String, Moment)>,
}

#[derive(Clone, Debug, Default)]
struct Shelf {
    blobs: BTreeMap<String, u64>,
    /// By digest; with the moment of the push.
    manifests: BTreeMap<String, (PutManifest, Moment)>,
    tags: BTreeMap<String, Sign>,
}

/// What should come of a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expected {
    Committed(u64),
    Unchanged,
    Rejected(Why),
}

/// Why a command should be rejected, as far as immutability goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Why {
    /// These tags are protected.
    Immutable(BTreeSet<String>),
    /// These names are spent.
    Spent(BTreeSet<String>),
    PolicyUnknown,
    PolicyNotDraft,
    PolicyChanged,
    PolicyExists(Id),
    /// A manifest needs it.
    InUse,
    /// Something that has nothing to do with immutability.
    Other,
}

impl Why {
    fn of(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::Immutable(immutable) => {
                Self::Immutable(immutable.tags.iter().map(|protected| protected.tag.to_string()).collect())
            }
            Rejection::Spent { names, .. } => Self::Spent(names.iter().map(|name| name.tag.to_string()).collect()),
            Rejection::PolicyUnknown { .. } => Self::PolicyUnknown,
            Rejection::PolicyNotDraft { .. } => Self::PolicyNotDraft,
            Rejection::PolicyChanged { .. } => Self::PolicyChanged,
            Rejection::PolicyExists { policy } => Self::PolicyExists(*policy),
            Rejection::InUse { .. } => Self::InUse,
            _ => Self::Other,
        }
    }
}

impl Expected {
    pub(crate) fn fits(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Committed(seq), Answer::Committed(told)) => seq == told,
            (Self::Unchanged, Answer::Unchanged) => true,
            (Self::Rejected(why), Answer::Rejected(rejection)) => *why == Why::of(rejection),
            _ => false,
        }
    }
}

impl Model {
    /// A log with its first record.
    pub(crate) fn new() -> Self {
        Self { world: World::default(), now: Moment { seq: 1, time: START }, refused: None, lets_expire: false }
    }

    /// What a command does when the clock shows `clock`.
    pub(crate) fn apply(&mut self, command: &Command, clock: i64) -> Expected {
        let (mut next, now) = (self.world.clone(), self.now.next(clock));
        self.lets_expire = false;
        match next.change(command, now) {
            Err(why) => {
                if matches!(why, Why::Immutable(_) | Why::Spent(_) | Why::InUse) {
                    self.refused = Some(self.refused.map_or(clock, |first| first.min(clock)));
                }
                Expected::Rejected(why)
            }
            Ok(Changed::Nothing) => Expected::Unchanged,
            Ok(Changed::Something) => {
                self.lets_expire = self.world.may_expire_by(&next, command, clock);
                (self.world, self.now) = (next, now);
                Expected::Committed(now.seq)
            }
        }
    }

    /// Whether the last command may have let tags expire: what waits behind it begins like a batch of its own.
    pub(crate) fn lets_expire(&self) -> bool {
        self.lets_expire
    }

    /// What is done before a batch when the clock shows `clock`: the tags whose time has come end, in a record for each
    /// repository, and attempts that were refused a while ago get a record.
    pub(crate) fn begin_batch(&mut self, clock: i64) {
        for repository in self.world.shelves.keys().cloned().collect::<Vec<_>>() {
            let now = self.now.next(clock);
            if self.world.end_expired(&repository, clock, now) {
                self.now = now;
            }
        }
        if self.refused.is_some_and(|first| clock - first >= GATHERED_FOR) {
            self.record_refused(clock);
        }
    }

    /// A clean stop: all that was refused gets its record.
    pub(crate) fn stop(&mut self, clock: i64) {
        if self.refused.is_some() {
            self.record_refused(clock);
        }
    }

    fn record_refused(&mut self, clock: i64) {
        self.now = self.now.next(clock);
        self.refused = None;
    }
}

/// Whether a command has changed anything.
enum Changed {
    Something,
    Nothing,
}

impl World {
    /// Whether a command that led from here to `next` has lifted a protection, or set an expiry that is over.
    fn may_expire_by(&self, next: &Self, command: &Command, clock: i64) -> bool {
        match command {
            Command::ChangePolicy { .. } => true,
            Command::RemovePolicy { policy } => next.policies.get(policy).is_some_and(|paper| paper.retired.is_some()),
            Command::SetTag(set) => {
                let sign =
                    |world: &Self| world.shelves.get(set.repository.as_str())?.tags.get(set.tag.as_str()).cloned();
                let (before, after) = (sign(self), sign(next));
                let lifted = before.as_ref().is_some_and(|sign| sign.locked.is_some()) && set.lock == Lock::Unlock;
                let expires = after.and_then(|sign| sign.expires);
                lifted || (expires != before.and_then(|sign| sign.expires) && expires.is_some_and(|at| at <= clock))
            }
            _ => false,
        }
    }

    /// Changes the maps, which are to be thrown away where the command is to be rejected.
    fn change(&mut self, command: &Command, now: Moment) -> Result<Changed, Why> {
        let changed = match command {
            Command::LinkBlob { repository, digest, size } => self.link(repository.as_str(), digest, *size),
            Command::MountBlob { repository, digest, from } => {
                let size = *self.shelf(from.as_str())?.blobs.get(&digest.to_string()).ok_or(Why::Other)?;
                self.link(repository.as_str(), digest, size)
            }
            Command::DeleteBlob { repository, digest } => self.delete_blob(repository.as_str(), digest)?,
            Command::PutManifest(image) => self.put(image, now)?,
            Command::DeleteManifest { repository, digest, condition } => {
                self.delete_manifest(repository.as_str(), digest, condition, now)?
            }
            Command::DeleteRepository { repository } => self.delete_repository(repository.as_str(), now)?,
            Command::DeleteTag { repository, tag, condition } => {
                self.delete_tag(repository.as_str(), tag.as_str(), condition, now)?
            }
            Command::DeleteTags { repository, tags } => self.delete_tags(repository.as_str(), tags, now)?,
            Command::EraseTag { repository, tag, .. } => self.erase(repository.as_str(), tag.as_str(), now)?,
            Command::SetTag(set) => self.set(set, now)?,
            Command::PruneTags(prune) => self.prune(prune, now)?,
            Command::CreatePolicy(create) => self.create_policy(create, now)?,
            Command::ActivatePolicy { policy } => self.activate_policy(*policy, now)?,
            Command::ChangePolicy { policy, rule } => self.change_policy(*policy, rule, now)?,
            Command::RemovePolicy { policy } => self.remove_policy(*policy, now)?,
            Command::IssueToken(_) | Command::RevokeToken { .. } => panic!("no script has tokens"),
            Command::Purge(_) | Command::DropContents(_) | Command::DropManifests(_) => {
                unreachable!("the model does not remove bytes")
            }
        };
        self.look_around();
        Ok(changed)
    }

    fn shelf(&self, repository: &str) -> Result<&Shelf, Why> {
        self.shelves.get(repository).ok_or(Why::Other)
    }

    fn shelf_mut(&mut self, repository: &str) -> Result<&mut Shelf, Why> {
        self.shelves.get_mut(repository).ok_or(Why::Other)
    }
}

impl Moment {
    /// The record after this one, when the clock shows `clock`.
    fn next(self, clock: i64) -> Self {
        Self { seq: self.seq + 1, time: clock.max(self.time + 1) }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.seq, self.time)
    }
}

fn holds(condition: &Condition, standing: Option<&String>) -> Result<(), Why> {
    let named = |digests: &[Digest]| digests.iter().any(|digest| Some(&digest.to_string()) == standing);
    let holds = match condition {
        Condition::Always => true,
        Condition::Exists => standing.is_some(),
        Condition::Absent => standing.is_none(),
        Condition::PointsAt(digests) => named(digests),
        Condition::PointsElsewhere(digests) => !named(digests),
    };
    if holds { Ok(()) } else { Err(Why::Other) }
}
