//! The checked transition: how each event changes the state, and which events can never have happened.

mod content;
mod policies;
mod tags;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tagstone_schema::{Digest, Event, Id, Record, RepositoryName, Seq, Tag};

use super::contents::places::Places;
use super::effect::{Effect, EndCause};
use super::state::{Moment, State};
use super::token::Token;
use crate::pattern::PatternError;
use tags::Force;

/// An event that cannot follow the events before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {index} of record {seq} is illegal: {why}")]
pub struct IllegalEvent {
    /// The record.
    pub seq: Seq,
    /// The event's place in it, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub why: Illegality,
}

/// Why an event cannot have happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the variants and their fields are")]
pub enum Illegality {
    #[error("the log must begin with its own start")]
    LogNotStarted,
    #[error("the log was started before")]
    LogStartedTwice,
    #[error("the repository {repository} does not exist")]
    RepositoryUnknown { repository: RepositoryName },
    #[error("the repository name {repository} is reserved for the past")]
    RepositoryReserved { repository: RepositoryName },
    #[error("the blob {digest} is linked in {repository} already")]
    BlobLinkedTwice { repository: RepositoryName, digest: Digest },
    #[error("the blob {digest} is not linked in {repository}")]
    BlobUnknown { repository: RepositoryName, digest: Digest },
    #[error("the blob {digest} has another size in {repository}, from which it was mounted")]
    MountDiffers { repository: RepositoryName, digest: Digest },
    #[error("the bytes of {digest} were removed while {repository} held it")]
    ContentHeld { digest: Digest, repository: RepositoryName },
    #[error("{digest} in {repository} is still referenced by the manifest {by}")]
    StillReferenced { repository: RepositoryName, digest: Digest, by: Digest },
    #[error("the manifest {digest} is in {repository} already")]
    ManifestPushedTwice { repository: RepositoryName, digest: Digest },
    #[error("the manifest {digest} is not in {repository}")]
    ManifestUnknown { repository: RepositoryName, digest: Digest },
    #[error("the tag {repository}:{tag} does not exist")]
    TagUnknown { repository: RepositoryName, tag: Tag },
    #[error("the tag {repository}:{tag} pointed at {stood}, not at {claimed}")]
    TagPointedElsewhere { repository: RepositoryName, tag: Tag, stood: Standing, claimed: Standing },
    #[error("the tag {repository}:{tag} points at {digest} already")]
    TagUnmoved { repository: RepositoryName, tag: Tag, digest: Digest },
    #[error("the tag {repository}:{tag} is protected, and stays at {digest}")]
    TagProtected { repository: RepositoryName, tag: Tag, digest: Digest },
    #[error("the name {repository}:{tag} is spent, and can only come back as {only}")]
    NameSpent { repository: RepositoryName, tag: Tag, only: Digest },
    #[error("the tag {repository}:{tag} is locked already")]
    TagLockedTwice { repository: RepositoryName, tag: Tag },
    #[error("the tag {repository}:{tag} is not locked")]
    TagNotLocked { repository: RepositoryName, tag: Tag },
    #[error("the policy {policy} exists already")]
    PolicyExists { policy: Id },
    #[error("the policy {policy} does not exist")]
    PolicyUnknown { policy: Id },
    #[error("the policy {policy} is {found}, which does not allow this")]
    PolicyStatus { policy: Id, found: &'static str },
    #[error("the pattern of the policy {policy} is not usable: {why}")]
    PatternInvalid { policy: Id, why: PatternError },
    #[error("the policy {policy} was drafted with another scope or rule")]
    PolicyDiffers { policy: Id },
    #[error("the token {token} was issued before")]
    TokenExists { token: Id },
    #[error("the token {token} does not exist or was revoked before")]
    TokenNotValid { token: Id },
}

/// Where a tag points, or that it does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing(pub Option<Digest>);

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(digest) => digest.fmt(f),
            None => f.write_str("nothing"),
        }
    }
}

impl State {
    /// Applies one record. Where an event is illegal the state may hold the events before it: whoever can go on
    /// afterwards keeps a clone (which costs a few pointers).
    pub fn apply(&mut self, record: &Record) -> Result<(), IllegalEvent> {
        self.apply_observed(record, |_, _| {})
    }

    /// [`State::apply`], which tells what each event did, beside the event's place in the record.
    ///
    /// Effects are told as they happen. Where an event is illegal, those of the events before it have been told.
    pub fn apply_observed(
        &mut self,
        record: &Record,
        mut observe: impl FnMut(usize, Effect<'_>),
    ) -> Result<(), IllegalEvent> {
        let at = Moment { seq: record.seq, time: record.time };
        self.latest = self.foreseen.record().unwrap_or(self.latest);
        for (index, event) in record.events.iter().enumerate() {
            self.evolve_observed(at, event, &mut |effect| observe(index, effect)).map_err(|why| IllegalEvent {
                seq: record.seq,
                index,
                why,
            })?;
        }
        Ok(())
    }

    /// Applies one event.
    pub fn evolve(&mut self, at: Moment, event: &Event) -> Result<(), Illegality> {
        self.evolve_observed(at, event, &mut |_| {})
    }

    fn evolve_observed(
        &mut self,
        at: Moment,
        event: &Event,
        observe: &mut impl FnMut(Effect<'_>),
    ) -> Result<(), Illegality> {
        if self.log.is_none() && !matches!(event, Event::LogStarted { .. }) {
            return Err(Illegality::LogNotStarted);
        }
        match event {
            Event::LogStarted { log } => {
                if self.log.is_some() {
                    return Err(Illegality::LogStartedTwice);
                }
                self.log = Some(*log);
                Ok(())
            }
            // Which program wrote and what was refused is evidence; it changes nothing that is served.
            Event::ServerStarted { .. } | Event::AttemptsRefused { .. } => Ok(()),
            Event::ContentPurged { contents, .. } | Event::ContentCollected { contents } => self.lose_bytes(contents),
            Event::BlobLinked { repository, digest, size, mounted_from } => {
                self.link_blob(repository, digest, *size, mounted_from.as_ref(), at.time)
            }
            Event::BlobUnlinked { repository, digest } => self.unlink_blob(at.time, repository, digest),
            Event::ManifestPushed { repository, digest, size, media_type, artifact_type, subject, references } => {
                let manifest = super::manifest::Manifest {
                    digest: digest.clone(),
                    size: *size,
                    types: self.types(media_type, artifact_type.as_ref()),
                    subject: subject.clone().map(Arc::new),
                    references: Places::default(),
                    pushed: at,
                };
                self.push_manifest(repository, manifest, references)
            }
            Event::ManifestDeleted { repository, digest } => self.delete_manifest(at, repository, digest, observe),
            Event::RepositoryDeleted { repository } => self.delete_repository(at, repository, observe),
            Event::TagMoved { repository, tag, from, to } => {
                self.move_tag(at, repository, tag, from.as_ref(), to, observe)
            }
            Event::TagsDeleted { repository, tags, cause } => {
                self.end_tags(at, repository, tags, cause.into(), observe)
            }
            Event::TagErased { repository, tag, was, reason: _ } => {
                self.end_tag(at, repository, (tag, None), was, (Force::BreaksGlass, EndCause::Erased), observe)
            }
            Event::TagLocked { repository, tag } => self.lock_tag(at, repository, tag),
            Event::TagUnlocked { repository, tag } => self.unlock_tag(repository, tag),
            Event::TagExpirySet { repository, tag, at: expires } => self.set_expiry(repository, tag, *expires),
            Event::PolicyDrafted { policy, scope, rule } => self.draft_policy(at, *policy, scope, rule),
            Event::PolicyActivated { policy, scope, rule } => self.activate_policy(at, *policy, scope, rule),
            Event::PolicyChanged { policy, rule } => {
                self.tell_scope(*policy, observe);
                self.change_policy(at, *policy, rule)
            }
            Event::PolicyRetired { policy } => {
                self.tell_scope(*policy, observe);
                self.retire_policy(at, *policy)
            }
            Event::DraftRemoved { policy } => {
                self.tell_scope(*policy, observe);
                self.remove_draft(*policy)
            }
            Event::TokenIssued { token, subject, scopes, secret_hash, expires, label } => {
                if self.tokens.get(token).is_some() {
                    return Err(Illegality::TokenExists { token: *token });
                }
                let issued = Token {
                    subject: subject.to_string(),
                    scopes: scopes.clone(),
                    secret_hash: *secret_hash,
                    expires: *expires,
                    label: label.to_string(),
                    issued: at,
                    revoked: None,
                };
                self.tokens.insert(*token, issued);
                Ok(())
            }
            Event::TokenRevoked { token } => {
                if let Some(known) = self.tokens.get(token) {
                    observe(Effect::TokenConcerned { user: &known.subject, label: &known.label });
                }
                let was_valid = self.tokens.revoke(*token, at);
                was_valid.then_some(()).ok_or(Illegality::TokenNotValid { token: *token })
            }
        }
    }
}
