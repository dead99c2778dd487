//! Which tags of a repository a prune policy removes at a moment. Pure: the state and the moment decide.

use std::collections::BTreeSet;

use tagstone_replay::fold::{Live, State, TagState};
use tagstone_replay::pattern::{Selector, is_referrer_tag, referrer_tags};
use tagstone_schema::policy::{Age, AgeUnit, PruneMethod};
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

use super::subject::is_held;
use crate::registry::command::Prunable;

/// What a policy finds in one repository.
#[derive(Debug, Default)]
pub(super) struct Selection<'a> {
    /// How many tags the policy's pattern selects, protected ones too.
    pub considered: u64,
    /// The tags that are to go: the oldest first, and behind them those for referrers that go with them.
    pub going: Vec<Selected<'a>>,
    /// Protected tags that the pattern selects, or that would go with a subject.
    pub immutable: Vec<&'a Tag>,
}

/// A tag that is to go.
#[derive(Debug)]
pub(super) struct Selected<'a> {
    /// The tag.
    pub tag: &'a Tag,
    /// Where it points, and since when.
    pub standing: TagState<'a>,
    /// For a tag that exists for referrers, the manifest with whose last tag it goes.
    pub subject: Option<&'a Digest>,
}

impl Selected<'_> {
    /// The tag as a command names it.
    pub(super) fn prunable(&self) -> Prunable {
        Prunable {
            tag: self.tag.clone(),
            digest: self.standing.digest().clone(),
            since: self.standing.since().seq,
            subject: self.subject.cloned(),
        }
    }
}

/// Selects the tags of a repository that a policy removes.
///
/// Protected tags and tags for referrers are put aside before anything is counted, and expired tags are not there. What
/// remains is ordered by the record since which a tag points where it points; of several in one record, those with
/// greater names count as newer.
pub(super) fn select<'a>(
    state: &'a State,
    repository: &'a RepositoryName,
    method: PruneMethod,
    selector: Option<&Selector>,
    now: Timestamp,
) -> Selection<'a> {
    let mut selection = Selection::default();
    let Some(live) = state.live(repository, now) else { return selection };
    let mut mutable = Vec::new();
    for (tag, standing) in live.tags_after(None) {
        let name = tag.as_str();
        if is_referrer_tag(name) || selector.is_some_and(|selector| !selector.selects(name)) {
            continue;
        }
        selection.considered += 1;
        if live.protection.protects(tag, standing) {
            selection.immutable.push(tag);
        } else {
            mutable.push(Selected { tag, standing, subject: None });
        }
    }
    match method {
        PruneMethod::NumberOfTags(keep) => {
            mutable.sort_unstable_by_key(|one| (one.standing.since().seq, one.tag));
            let surplus = mutable.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
            mutable.truncate(surplus);
        }
        PruneMethod::CreationDate(age) => {
            let oldest = before(now, age);
            mutable.retain(|one| one.standing.since().time < oldest);
            mutable.sort_unstable_by_key(|one| (one.standing.since().seq, one.tag));
        }
    }
    selection.going = mutable;
    selection.add_referrers(&live);
    selection
}

impl<'a> Selection<'a> {
    /// Adds the tags for referrers of every manifest whose last tag goes; also of the children of an index, and, since a
    /// signature can be signed, of what these tags themselves pointed at.
    fn add_referrers(&mut self, live: &Live<'a>) {
        let target = live.repository;
        // Most repositories have none, and need no search.
        if !target.tags_after(Some("sha256-")).next().is_some_and(|(tag, _)| tag.as_str().starts_with("sha256-")) {
            return;
        }
        let mut going: BTreeSet<&Tag> = self.going.iter().map(|one| one.tag).collect();
        let mut waiting: Vec<&Digest> = self.going.iter().rev().map(|one| one.standing.digest()).collect();
        let mut left = BTreeSet::new();
        while let Some(subject) = waiting.pop() {
            if left.contains(subject) || is_held(target, subject, |tag| going.contains(tag)) {
                continue;
            }
            left.insert(subject);
            for (tag, standing) in referrer_tags(subject).iter().filter_map(|name| live.tag(name)) {
                if live.protection.protects(tag, standing) {
                    self.immutable.push(tag);
                } else if going.insert(tag) {
                    self.going.push(Selected { tag, standing, subject: Some(subject) });
                    waiting.push(standing.digest());
                }
            }
            if let Some(index) = target.manifest(subject).filter(|manifest| manifest.is_index()) {
                waiting.extend(target.references(index));
            }
        }
    }
}

/// The instant that lies so long before another.
fn before(now: Timestamp, age: Age) -> Timestamp {
    let seconds: i64 = match age.unit {
        AgeUnit::Seconds => 1,
        AgeUnit::Minutes => 60,
        AgeUnit::Hours => 3_600,
        AgeUnit::Days => 24 * 3_600,
        AgeUnit::Weeks => 7 * 24 * 3_600,
        AgeUnit::Years => 365 * 24 * 3_600,
    };
    let micros = i64::from(age.count).saturating_mul(seconds).saturating_mul(1_000_000);
    Timestamp(now.0.saturating_sub(micros))
}
