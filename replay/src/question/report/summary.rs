//! Sums: who did how much, and what was tried and refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};
use tagstone_schema::event::RefusedAttempt;
use tagstone_schema::{Actor, Digest, Record, RepositoryName, Tag, Timestamp};

use crate::audit::Kind;

/// What one actor did.
#[derive(Debug, Serialize)]
pub struct ActorSummary {
    /// Who.
    pub actor: Actor,
    /// The time of the first record, or of the first refused attempt.
    #[serde(serialize_with = "as_text")]
    pub first: Timestamp,
    /// The time of the last.
    #[serde(serialize_with = "as_text")]
    pub last: Timestamp,
    /// How many records.
    pub records: u64,
    /// How many events, by kind.
    #[serde(serialize_with = "by_name")]
    pub events: BTreeMap<Kind, u64>,
    /// How many attempts were refused.
    pub refused: u64,
    /// From where; the first few addresses.
    pub addresses: BTreeSet<String>,
}

/// The same attempt by the same actor, refused for the same reason.
#[derive(Debug, Serialize)]
pub struct RefusedGroup {
    /// Who tried.
    pub actor: Actor,
    /// In which repository.
    pub repository: RepositoryName,
    /// What it was that was tried, as far as the attempt tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<Tried>,
    /// On which tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// Where the tag was to point, or what was to be deleted; the first few digests.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub digests: BTreeSet<Digest>,
    /// The reason code of the refusal.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// When it was tried first.
    #[serde(serialize_with = "as_text")]
    pub first: Timestamp,
    /// When it was tried last.
    #[serde(serialize_with = "as_text")]
    pub last: Timestamp,
    /// From where; the first few addresses.
    pub addresses: BTreeSet<String>,
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tried {
    /// To point a tag somewhere else, or to bring a spent name back.
    Push,
    /// To end a tag, at once or later, or to delete a manifest, a blob or a repository.
    Deletion,
}

impl Tried {
    /// Rules of immutability stand in the way of pushes, which name a tag and a digest, and of deletions, which name one of them at
    /// most. What access was denied to is not told by the attempt.
    fn by(attempt: &RefusedAttempt) -> Option<Self> {
        match (attempt.reason.as_str(), &attempt.tag, &attempt.digest) {
            ("TAG_SPENT", ..) | ("TAG_IMMUTABLE", Some(_), Some(_)) => Some(Self::Push),
            ("TAG_IMMUTABLE" | "IN_USE", ..) => Some(Self::Deletion),
            _ => None,
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Push => "push",
            Self::Deletion => "deletion",
        })
    }
}

fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn by_name<S: Serializer>(counts: &BTreeMap<Kind, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|(kind, count)| (kind.name(), count)))
}

/// Sums while they grow. An attacker can make up names without end, so there is an end to what is kept.
#[derive(Debug)]
pub(super) struct Sums<K, T> {
    sums: BTreeMap<K, T>,
    beyond: u64,
}

impl<K, T> Default for Sums<K, T> {
    fn default() -> Self {
        Self { sums: BTreeMap::new(), beyond: 0 }
    }
}

impl<K: Ord, T> Sums<K, T> {
    const MOST: usize = 10_000;

    /// The sum of a key; none where there are too many keys, and then `count` is counted as beyond.
    fn of(&mut self, key: K, count: u64, new: impl FnOnce() -> T) -> Option<&mut T> {
        if self.sums.len() >= Self::MOST && !self.sums.contains_key(&key) {
            self.beyond = self.beyond.saturating_add(count);
            return None;
        }
        Some(self.sums.entry(key).or_insert_with(new))
    }

    /// The sums, in order of their keys, and what went into none of them.
    pub(super) fn finished(self) -> (Vec<T>, u64) {
        (self.sums.into_values().collect(), self.beyond)
    }
}

const MOST_ADDRESSES: usize = 16;
const MOST_DIGESTS: usize = 16;

fn note_address(addresses: &mut BTreeSet<String>, address: &str) {
    if !address.is_empty() && addresses.len() < MOST_ADDRESSES && !addresses.contains(address) {
        addresses.insert(address.to_owned());
    }
}

/// Who did how much, while it is summed.
pub(super) type ActorSums = Sums<Actor, ActorSummary>;

impl ActorSums {
    /// A record with all that happened in it.
    pub(super) fn note_record(&mut self, record: &Record, kinds: impl Iterator<Item = Kind>) {
        let Some(sum) = self.of_actor(&record.actor, 1, (record.time, record.time)) else { return };
        sum.records += 1;
        for kind in kinds {
            *sum.events.entry(kind).or_default() += 1;
        }
        note_address(&mut sum.addresses, &record.origin.address);
    }

    /// What was refused to somebody.
    pub(super) fn note_refused(&mut self, attempt: &RefusedAttempt) {
        let Some(sum) = self.of_actor(&attempt.actor, attempt.count, (attempt.first, attempt.last)) else { return };
        sum.refused = sum.refused.saturating_add(attempt.count);
        note_address(&mut sum.addresses, &attempt.address);
    }

    fn of_actor(
        &mut self,
        actor: &Actor,
        count: u64,
        (first, last): (Timestamp, Timestamp),
    ) -> Option<&mut ActorSummary> {
        let new = || ActorSummary {
            actor: actor.clone(),
            first,
            last,
            records: 0,
            events: BTreeMap::new(),
            refused: 0,
            addresses: BTreeSet::new(),
        };
        let sum = self.of(actor.clone(), count, new)?;
        (sum.first, sum.last) = (sum.first.min(first), sum.last.max(last));
        Some(sum)
    }
}

/// What was refused, while it is summed.
pub(super) type RefusedSums = Sums<(Actor, RepositoryName, Option<Tried>, Option<Tag>, String), RefusedGroup>;

impl RefusedSums {
    /// An attempt that was refused, possibly often.
    pub(super) fn note(&mut self, attempt: &RefusedAttempt) {
        let RefusedAttempt { first, last, actor, address, repository, tag, digest, reason, count } = attempt;
        let key = (actor.clone(), repository.clone(), Tried::by(attempt), tag.clone(), reason.clone());
        let new = || RefusedGroup {
            actor: actor.clone(),
            repository: repository.clone(),
            tried: Tried::by(attempt),
            tag: tag.clone(),
            digests: BTreeSet::new(),
            reason: reason.clone(),
            count: 0,
            first: *first,
            last: *last,
            addresses: BTreeSet::new(),
        };
        let Some(sum) = self.of(key, *count, new) else { return };
        sum.count = sum.count.saturating_add(*count);
        (sum.first, sum.last) = (sum.first.min(*first), sum.last.max(*last));
        note_address(&mut sum.addresses, address);
        if let Some(digest) = digest
            && sum.digests.len() < MOST_DIGESTS
        {
            sum.digests.insert(digest.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_is_told_by_what_was_named() {
        let (tag, digest) = (|| Some("v1".parse().unwrap()), || Some(Digest::sha256([1; 32])));
        for (reason, tag, digest, tried) in [
            ("TAG_IMMUTABLE", tag(), digest(), Some(Tried::Push)),
            ("TAG_IMMUTABLE", tag(), None, Some(Tried::Deletion)),
            ("TAG_IMMUTABLE", None, digest(), Some(Tried::Deletion)),
            ("TAG_IMMUTABLE", None, None, Some(Tried::Deletion)),
            ("TAG_SPENT", tag(), digest(), Some(Tried::Push)),
            ("TAG_SPENT", tag(), None, Some(Tried::Push)),
            ("IN_USE", None, digest(), Some(Tried::Deletion)),
            ("ACCESS_DENIED", tag(), digest(), None),
            ("ACCESS_DENIED", None, digest(), None),
        ] {
            let attempt = RefusedAttempt {
                first: Timestamp(1),
                last: Timestamp(2),
                actor: Actor::anonymous(),
                address: "192.0.2.1".to_owned(),
                repository: "acme/app".parse().unwrap(),
                tag,
                digest,
                reason: reason.to_owned(),
                count: 1,
            };
            assert_eq!(Tried::by(&attempt), tried, "{attempt:?}");
        }
    }
}
