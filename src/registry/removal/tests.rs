//! Given events, what a purge takes, what it leaves and because of whom, and what a collection may take.

mod collections;
mod purges;
mod records;

use tagstone_replay::fold::{Moment, State};
use tagstone_replay::pattern::referrer_tags;
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Digest, Event, Id, RepositoryName, Tag, Timestamp};

use super::purge::Free;
use super::{PurgeOrder, PurgePlan, Purged};

/// Each event happens at its place in the list; the first at 2.
fn given(events: &[Event]) -> State {
    let mut state = State::default();
    let started = Event::LogStarted { log: Id([1; 16]) };
    for (seq, event) in (1..).zip([&started].into_iter().chain(events)) {
        state.evolve(Moment { seq, time: Timestamp(seq.cast_signed()) }, event).unwrap();
    }
    state
}

fn name(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn tag(tag: &str) -> Tag {
    tag.parse().unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::sha256([byte; 32])
}

/// The tag that older clients keep for the referrers of a manifest.
fn tag_for(manifest: u8) -> String {
    referrer_tags(&digest(manifest)).swap_remove(0)
}

fn linked(repository: &str, blob: u8) -> Event {
    Event::BlobLinked { repository: name(repository), digest: digest(blob), size: u64::from(blob), mounted_from: None }
}

fn manifest(repository: &str, manifest: u8, media_type: &str, references: &[u8], subject: Option<u8>) -> Event {
    Event::ManifestPushed {
        repository: name(repository),
        digest: digest(manifest),
        size: 100,
        media_type: media_type.parse().unwrap(),
        artifact_type: None,
        subject: subject.map(digest),
        references: references.iter().copied().map(digest).collect(),
    }
}

fn image(repository: &str, of: u8, references: &[u8]) -> Event {
    manifest(repository, of, OCI_IMAGE, references, None)
}

fn index(repository: &str, of: u8, children: &[u8]) -> Event {
    manifest(repository, of, OCI_INDEX, children, None)
}

fn referrer(repository: &str, of: u8, subject: u8) -> Event {
    manifest(repository, of, OCI_IMAGE, &[], Some(subject))
}

fn tagged(repository: &str, of: &str, to: u8) -> Event {
    Event::TagMoved { repository: name(repository), tag: tag(of), from: None, to: digest(to) }
}

fn locked(repository: &str, of: &str) -> Event {
    Event::TagLocked { repository: name(repository), tag: tag(of) }
}

/// All tags are immutable that begin with a `v`.
fn policy() -> Event {
    let pattern = Pattern { regex: "v.*".to_owned(), matches: true };
    let rule = Rule::Immutability { pattern, include_referrer_tags: false };
    Event::PolicyActivated { policy: Id([7; 16]), scope: Scope::Registry, rule }
}

fn deleted(repository: &str, of: u8) -> Event {
    Event::ManifestDeleted { repository: name(repository), digest: digest(of) }
}

fn unlinked(repository: &str, blob: u8) -> Event {
    Event::BlobUnlinked { repository: name(repository), digest: digest(blob) }
}

/// A purge of `a`, for which the grace period began at 1,000: after everything that was given.
fn order(what: Purged) -> PurgeOrder {
    let (because, grace_began) = ("a leak".parse().unwrap(), Timestamp(1_000));
    PurgeOrder { repository: name("a"), what, because, grace_began, left_behind: Vec::new() }
}

/// The plan, whose events the fold accepts.
fn purged(state: &State, order: &PurgeOrder, free: Free<'_>) -> Result<PurgePlan, crate::registry::Rejection> {
    let plan = PurgePlan::of(state, order, free)?;
    let (events, rest) = plan.records(order);
    assert!(rest.is_empty());
    let mut after = state.clone();
    for event in &events {
        after.evolve(Moment { seq: 10_000, time: Timestamp(10_000) }, event).unwrap();
    }
    Ok(plan)
}
