//! Given events, when a command, then events or a rejection.

mod conditions;
mod content;
mod manifests;
mod policies;
mod property;
mod tokens;

use tagstone_replay::fold::{Moment, State};
use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::media_type::{ManifestKind, OCI_IMAGE, OCI_INDEX};
use tagstone_schema::{Digest, Event, Id, MediaType, RepositoryName, Tag, Timestamp};

use super::super::command::{Command, Condition, PutManifest, Sparse};
use super::super::rejection::{Referenced, Rejection};
use super::decide;

/// A registry in which something has happened.
fn given(events: &[Event]) -> State {
    let mut state = State::default();
    let started = Event::LogStarted { log: Id([1; 16]) };
    for (seq, event) in (1..).zip([&started].into_iter().chain(events)) {
        state.evolve(Moment { seq, time: Timestamp(seq.cast_signed()) }, event).unwrap();
    }
    state
}

/// Decides, and checks that the fold accepts what was decided.
fn when(mut state: State, command: &Command) -> Result<Vec<Event>, Rejection> {
    let events = decide(&state, command)?;
    for event in &events {
        state.evolve(Moment { seq: 1_000, time: Timestamp(1_000) }, event).unwrap();
    }
    Ok(events)
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

fn image() -> MediaType {
    OCI_IMAGE.parse().unwrap()
}

fn index() -> MediaType {
    OCI_INDEX.parse().unwrap()
}

/// The blob has a size by which it is known again.
fn linked(repository: &str, blob: u8) -> Event {
    Event::BlobLinked { repository: name(repository), digest: digest(blob), size: u64::from(blob), mounted_from: None }
}

fn pushed(repository: &str, manifest: u8, media_type: MediaType, references: &[u8]) -> Event {
    Event::ManifestPushed {
        repository: name(repository),
        digest: digest(manifest),
        size: 100,
        media_type,
        artifact_type: None,
        subject: None,
        references: references.iter().copied().map(digest).collect(),
    }
}

fn moved(repository: &str, name_of_tag: &str, from: Option<u8>, to: u8) -> Event {
    Event::TagMoved { repository: name(repository), tag: tag(name_of_tag), from: from.map(digest), to: digest(to) }
}

fn put(repository: &str, manifest: u8, references: &[u8], tags: &[&str]) -> PutManifest {
    PutManifest {
        repository: name(repository),
        digest: digest(manifest),
        size: 100,
        media_type: image(),
        kind: ManifestKind::Image,
        artifact_type: None,
        subject: None,
        references: references.iter().copied().map(digest).collect(),
        required: references.iter().copied().map(digest).collect(),
        tags: tags.iter().map(|name| tag(name)).collect(),
        condition: Condition::Always,
        sparse: Sparse { index: false, layers: false },
    }
}

fn put_index(repository: &str, manifest: u8, children: &[u8], tags: &[&str]) -> PutManifest {
    PutManifest { media_type: index(), kind: ManifestKind::Index, ..put(repository, manifest, children, tags) }
}

fn push(put: PutManifest) -> Command {
    Command::PutManifest(Box::new(put))
}
